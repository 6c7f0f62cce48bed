"""Paintings drawn by the computer: real image files of many sizes, from a seed."""

import json
import numbers
from pathlib import Path

import joblib
import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from skart._utils._validation import suggest
from skart.datasets._brushes import finish, invent_painter
from skart.datasets._drawn_movements import MOVEMENTS

# Raise it when a change here changes the pictures.
_VERSION = 1

# Hold the recipe of a folder, under one name while it is drawn and another after.
_MARKER = ".skart-paintings.json"
_UNFINISHED = _MARKER + ".part"

# Paint is simulated at this size at most; larger files are enlarged.
_LONGEST_DRAWN = 640

_FIRST = (
    "Ada Émile Ilse Tomás Nadia Örjan Mirela Kenji Lucía Piet Anaïs Bruno Chiyo Dag "
    "Elif Frieda Goran Hanne Iñaki Jun Katya Lorenz Maude Nils Odile Pavel Quentin "
    "Rosa Søren Tilda"
).split()
_LAST = (
    "Abendroth Bellerose Castaño Drăgan Eklund Fontaine Grünwald Hoshino Ibarra "
    "Jansen Kovář Lindqvist Moreau Novák Okada Perrault Quiroga Rask Szabó Tanaka "
    "Ulmann Vasseur Wójcik Yilmaz Zeller Ashby Brandt Corvo Dubois Esposito"
).split()


def make_paintings(
    root,
    *,
    movements=None,
    n_artists=6,
    n_per_artist=8,
    size_range=(200, 2400),
    random_state=0,
    n_jobs=None,
    verbose=True,
):
    """Draw paintings of invented artists as image files.

    Ten movements that a person recognises at a glance, from Impressionism to Op Art.
    The palettes and habits of the artists overlap between movements, so that colour
    alone does not tell one from another. A file's size, shape and format say nothing
    about its movement either.

    Parameters
    ----------
    root : str or path
        Folder to draw into, new or empty; ``root/Movement/Artist/NN.jpg`` or ``.png``.
        One that holds these very paintings already is left as it is.
    movements : list of str, default=None
        Which movements; None for all ten.
    n_artists : int, default=6
        Artists of each movement.
    n_per_artist : int, default=8
        Paintings of each artist.
    size_range : (int, int), default=(200, 2400)
        Bounds of the longer side in pixels, drawn log-uniformly.
    random_state : int, default=0
        Seed: the same one gives the same bytes.
    n_jobs : int, default=None
        Processes that draw; None is one, -1 is one per core.
    verbose : bool, default=True
        Whether a progress bar shows when it takes more than a second.

    Returns
    -------
    root : pathlib.Path
        The folder, for :func:`load_image_folder`.

    Raises
    ------
    FileExistsError
        If the folder holds anything else.
    ValueError
        If a parameter is not allowed.

    See Also
    --------
    load_image_folder : Paths, movements and artists of what was drawn.

    Examples
    --------
    >>> import tempfile
    >>> from skart.datasets import load_image_folder, make_paintings
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = make_paintings(
    ...         folder, movements=["Op Art", "Cubism"], n_artists=1, n_per_artist=2,
    ...         size_range=(64, 128), verbose=False)
    ...     load_image_folder(root).labels.tolist()
    ['Cubism', 'Cubism', 'Op Art', 'Op Art']
    """
    movements = _check_movements(movements)
    for name, value, least in (
        ("n_artists", n_artists, 1),
        ("n_per_artist", n_per_artist, 1),
        ("random_state", random_state, 0),
    ):
        if not isinstance(value, numbers.Integral) or value < least:
            raise ValueError(
                f"{name} must be an int of at least {least}; got {value!r}"
            )
    if np.shape(size_range) != (2,) or not 32 <= size_range[0] <= size_range[1]:
        raise ValueError(
            f"size_range must be (smallest, largest), 32 or more; got {size_range!r}"
        )
    if n_artists > len(_FIRST):
        raise ValueError(f"n_artists must be at most {len(_FIRST)}; got {n_artists}")
    root = Path(root).expanduser()
    recipe = {
        "version": _VERSION,
        "movements": movements,
        "n_artists": int(n_artists),
        "n_per_artist": int(n_per_artist),
        "size_range": [int(bound) for bound in size_range],
        "random_state": int(random_state),
    }
    if not _prepare(root, recipe):
        return root
    jobs = [
        joblib.delayed(_paint)(root, movement, artist, number, size_range, random_state)
        for movement in movements
        for artist in range(n_artists)
        for number in range(n_per_artist)
    ]
    done = joblib.Parallel(n_jobs, return_as="generator_unordered")(jobs)
    progress = tqdm(
        done,
        total=len(jobs),
        desc="drawing",
        unit="painting",
        delay=1,
        mininterval=0.5,
        disable=not verbose,
    )
    for _ in progress:
        pass
    (root / _UNFINISHED).rename(root / _MARKER)
    return root


def _prepare(root, recipe):
    """Make sure that the folder may be drawn into; False if all is there."""
    n_paintings = (
        len(recipe["movements"]) * recipe["n_artists"] * recipe["n_per_artist"]
    )
    if _recipe_in(root / _MARKER) == recipe:
        if sum(1 for _ in root.glob("*/*/*.[jp][pn]g")) >= n_paintings:
            return False
        (root / _MARKER).rename(root / _UNFINISHED)
    if _recipe_in(root / _UNFINISHED) == recipe:
        return True  # what is there already is drawn over, byte for byte
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(
            f"{str(root)!r} exists and holds something else than these paintings; name "
            "a new or empty folder"
        )
    root.mkdir(parents=True, exist_ok=True)
    (root / _UNFINISHED).write_text(json.dumps(recipe, ensure_ascii=False))
    return True


def _recipe_in(marker):
    try:
        return json.loads(marker.read_text())
    except (OSError, ValueError):
        return None


def _paint(root, movement, artist, number, size_range, seed):
    """Draw one painting, from generators that depend on nothing but its place."""
    place = (list(MOVEMENTS).index(movement), artist)
    painter = invent_painter(_generator(seed, *place))
    rng = _generator(seed, *place, number)
    longest = int(np.exp(rng.uniform(*np.log(size_range))))
    ratio = rng.choice([1.0, 1.25, 4 / 3, 1.5, 1.78, 2.2])
    width, height = longest, max(16, round(longest / ratio))
    if rng.random() < 0.45:
        width, height = height, width
    drawn = min(1.0, _LONGEST_DRAWN / longest)
    image = MOVEMENTS[movement](
        rng, max(16, round(height * drawn)), max(16, round(width * drawn)), painter
    )
    image = finish(rng, image, painter)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    folder = root / movement / _artist_name(seed, *place)
    folder.mkdir(parents=True, exist_ok=True)
    # Large PNGs would make up most of the bytes.
    if longest <= 1000 and rng.random() < 0.3:
        image.save(folder / f"{number + 1:02}.png", compress_level=3)
    else:
        quality = int(rng.integers(84, 94))
        image.save(folder / f"{number + 1:02}.jpg", quality=quality)


def _artist_name(seed, movement, artist):
    """Name an artist: each given name once a movement, each pair once in all."""
    names = _generator(seed, 1000)
    first = names.permutation(len(_FIRST))[(artist + 5 * movement) % len(_FIRST)]
    last = names.permutation(len(_LAST))[(artist + 6 * movement) % len(_LAST)]
    return f"{_FIRST[first]} {_LAST[last]}"


def _generator(seed, *place):
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))


def _check_movements(movements):
    if movements is None:
        return list(MOVEMENTS)
    movements = [movements] if isinstance(movements, str) else list(movements)
    for name in movements:
        if name not in MOVEMENTS:
            raise ValueError(
                f"movements must be some of those that can be drawn; got {name!r}."
                f"{suggest(name, MOVEMENTS)}"
            )
    if not movements or len(set(movements)) < len(movements):
        raise ValueError(f"movements must be different names; got {movements!r}")
    return movements
