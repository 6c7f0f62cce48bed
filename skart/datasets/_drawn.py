"""Draw labelled paintings as image files."""

import json
from itertools import product
from numbers import Integral

import joblib
import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from skart._utils._files import atomic_write, expand
from skart._utils._validation import Interval, suggest, validate
from skart.datasets import _abstract, _figurative, _flat_styles
from skart.datasets._canvas import Canvas, Painter, finish

# Increase it with every change that changes the paintings.
_VERSION = 3

# File in the folder that holds the parameters of its paintings.
_MARKER = ".skart-paintings.json"

# Paintings are drawn at this size at most; larger files are enlarged.
_LONGEST_DRAWN = 640

# How to paint, and how many times as large, so that the edges of flat shapes become
# smooth. The position of a movement seeds its paintings: add new ones at the end.
MOVEMENTS = {
    "Impressionism": (_figurative.paint_impressionism, 1),
    "Pointillism": (_figurative.paint_pointillism, 1),
    "Color Field": (_abstract.paint_color_field, 1),
    "Neoplasticism": (_abstract.paint_neoplasticism, 2),
    "Op Art": (_abstract.paint_op_art, 1),
    "Cubism": (_figurative.paint_cubism, 1),
    "Pop Art": (_flat_styles.paint_pop_art, 2),
    "Action Painting": (_abstract.paint_action, 1),
    "Suprematism": (_abstract.paint_suprematism, 2),
    "Ukiyo-e": (_flat_styles.paint_ukiyo_e, 2),
}

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

_CONSTRAINTS = {
    "movements": ["array-like", str, None],
    "n_artists": [Interval(Integral, 1, len(_FIRST), closed="both")],
    "n_per_artist": [Interval(Integral, 1, None, closed="left")],
    "size_range": ["array-like"],
    "random_state": [Interval(Integral, 0, None, closed="left")],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
}


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
    """Draw paintings of ten movements by invented artists as image files.

    Neither colours nor the size, shape and format of the files separate the movements:
    painters of all movements share palettes and habits.

    Parameters
    ----------
    root : str or path
        Folder for the files, named ``root/Movement/Artist/NN.jpg`` or ``.png``. It must
        be new or empty, or have been drawn with the same parameters; then, only missing
        files are drawn.
    movements : list of str, default=None
        Movements to draw. If None, all: Impressionism, Pointillism, Color Field,
        Neoplasticism, Op Art, Cubism, Pop Art, Action Painting, Suprematism and
        Ukiyo-e.
    n_artists : int, default=6
        Number of artists of each movement, at most 30.
    n_per_artist : int, default=8
        Number of paintings of each artist.
    size_range : (int, int), default=(200, 2400)
        Smallest and largest size of the longer side in pixels. Sizes are drawn from a
        log-uniform distribution.
    random_state : int, default=0
        Seed of the paintings: the same seed draws the same files.
    n_jobs : int, default=None
        Number of processes that draw. None means 1, -1 means all cores.
    verbose : bool, default=True
        Whether to show a progress bar after one second.

    Returns
    -------
    root : pathlib.Path
        The folder, to be passed to :func:`load_image_folder`.

    Raises
    ------
    FileExistsError
        If `root` has other contents.
    ValueError
        If a parameter is not allowed.

    See Also
    --------
    load_image_folder : Load the paths, movements and artists of the paintings.

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
    validate("make_paintings", locals(), _CONSTRAINTS)
    if len(size_range) != 2 or not 32 <= size_range[0] <= size_range[1]:
        raise ValueError(
            "size_range must be (smallest, largest), both at least 32; got "
            f"{size_range!r}"
        )
    movements = _check_movements(movements)
    recipe = {
        "version": _VERSION,
        "movements": movements,
        "n_artists": int(n_artists),
        "n_per_artist": int(n_per_artist),
        "size_range": [int(bound) for bound in size_range],
        "random_state": int(random_state),
    }
    root = expand(root)
    _claim(root, recipe)
    jobs = [
        joblib.delayed(_draw)(root, *place, size_range, random_state)
        for place in product(movements, range(n_artists), range(n_per_artist))
    ]
    done = joblib.Parallel(n_jobs, return_as="generator_unordered")(jobs)
    options = {"unit": "painting", "delay": 1, "disable": not verbose}
    for _ in tqdm(done, "drawing", len(jobs), **options):
        pass
    return root


def _check_movements(movements):
    """Return the movements to draw as a list of different names."""
    if movements is None:
        return list(MOVEMENTS)
    movements = [movements] if isinstance(movements, str) else list(movements)
    if not movements or len(set(movements)) < len(movements):
        raise ValueError(f"movements must be different names; got {movements!r}")
    for name in movements:
        if name not in MOVEMENTS:
            raise ValueError(
                f"movements must be names of movements that can be drawn; got {name!r}."
                f"{suggest(name, MOVEMENTS)}"
            )
    return movements


def _claim(root, recipe):
    """Write the recipe into a new folder; raise if the folder has other contents."""
    recipe, marker = json.dumps(recipe, ensure_ascii=False), root / _MARKER
    if marker.is_file() and marker.read_text("utf-8") == recipe:
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(
            f"{str(root)!r} exists and has other contents than these paintings; pass a "
            "new or empty folder"
        )
    root.mkdir(parents=True, exist_ok=True)
    with atomic_write(marker) as part:
        part.write_text(recipe, "utf-8")


def _draw(root, movement, artist, number, size_range, seed):
    """Draw one painting, unless its file exists; the others have no effect on it."""
    place = (list(MOVEMENTS).index(movement), artist)
    folder, stem = root / movement / _name_artist(seed, *place), f"{number + 1:02}"
    if any(folder.glob(f"{stem}.*")):
        return
    painter = Painter(_generator(seed, *place))
    rng = _generator(seed, *place, number)
    longest = int(np.exp(rng.uniform(*np.log(size_range))))
    ratio = rng.choice([1.0, 1.25, 4 / 3, 1.5, 1.78, 2.2])
    size = longest, max(16, round(longest / ratio))
    if rng.random() < 0.45:
        size = size[::-1]
    paint, factor = MOVEMENTS[movement]
    shrink = min(1.0, _LONGEST_DRAWN / longest)
    width, height = (factor * max(16, round(side * shrink)) for side in size)
    canvas = Canvas(rng, height, width, painter)
    paint(canvas, rng, painter)
    image = finish(rng, canvas.image.reduce(factor), painter)
    image = image.resize(size, Image.Resampling.BICUBIC)
    # Few and small PNG files only, since they are large.
    if longest <= 1000 and rng.random() < 0.3:
        file, options = folder / f"{stem}.png", {"format": "PNG", "compress_level": 3}
    else:
        quality = int(rng.integers(84, 94))
        file, options = folder / f"{stem}.jpg", {"format": "JPEG", "quality": quality}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as part:
        image.save(part, **options)


def _name_artist(seed, movement, artist):
    """Return the name of an artist; no two artists of all movements have the same."""
    names = _generator(seed, 1000)
    first = names.permutation(len(_FIRST))[(artist + 5 * movement) % len(_FIRST)]
    last = names.permutation(len(_LAST))[(artist + 6 * movement) % len(_LAST)]
    return f"{_FIRST[first]} {_LAST[last]}"


def _generator(seed, *place):
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))
