"""Labelled paintings from a folder, and what all loaders of paintings share."""

import os
import re
import stat
import unicodedata
import warnings
from collections import defaultdict
from pathlib import PurePath

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skart._utils._files import escape, expand
from skart.datasets._tables import clean_column

# Of the formats that ImageLoader reads.
IMAGE_EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .tif .tiff .webp .gif .bmp .dib .avif .jp2 .j2k "
    ".jpx .jpf .psd .ppm .pgm .pbm .pnm .heic .heif .hif".split()
)
# What operating systems, NAS devices, archives and image programs add to folders.
_SERVICE = re.compile(
    r"_?thumbs|_?thumbnails?|thumbs\.db|ehthumbs.*\.db|desktop\.ini|__macosx|lost\+found|"
    r"@(eadir|recycle|recently-snapshot|tmp|transcode|sharebin)|#(recycle|snapshot)|"
    r"\$recycle\.bin|recycler|system volume information|network trash folder|"
    r"temporary items|picasa ?originals|ipod photo cache|captureone|.*\.lrdata|icon\r",
    re.IGNORECASE,
)
_PARTS = re.compile(
    r"(train|test|val|valid|validat|dev|eval|holdout)(ing|ion|uation)?[ _-]?(set|data)?"
)
# Names that stand for no movement, and for no artist. The prefix is that of the group
# of a single painting.
_UNKNOWN_MOVEMENT = frozenset(
    "|?|-|n/a|unknown|unbekannt|inconnu|ignoto|desconocido".split("|")
)
UNKNOWN_ARTIST = "unknown artist of "
_UNKNOWN = _UNKNOWN_MOVEMENT.union(
    "anon|anonym|anonyme|anonymous|anonimo|anónimo|unknown artist".split("|")
)
# The part of a file name before the first underscore.
_ARTIST_IN_NAMES = r"(?:^|/)(?P<artist>[^/_]+)_[^/]*$"
_LAYOUT = "Expected layout: root/Movement/Artist/file.jpg or root/Movement/file.jpg."


def load_image_folder(root, *, part=None, artists=None):
    """Load labelled paintings from folders ``Movement/Artist/file``.

    The level of the artists may be left out, for all paintings or for some. Images are
    neither decoded nor copied. Hidden files, empty files, files of other types and
    folders of thumbnails are skipped and listed.

    Parameters
    ----------
    root : str or path
        Folder with one subfolder per movement. A subfolder of a movement is an artist,
        and may itself have subfolders.
    part : str, default=None
        Folder to load if `root` has the parts of a split, such as ``train`` and
        ``test``, each with folders of movements; ``"all"`` loads all of them.
    artists : str or callable, default=None
        Artists that are not folders: a regular expression with a group ``artist`` that
        is searched in the path below the movement, ``"names"`` for the part of the file
        name before the first underscore, or a function that takes a path and returns an
        artist or None. Other named groups become columns of `frame`.

    Returns
    -------
    paintings : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        paths : ndarray of str of shape (n_paintings,)
            Image files, sorted by movement, artist and file name.
        labels : ndarray of str of shape (n_paintings,)
            Movement of each painting.
        artists : ndarray of str of shape (n_paintings,) or None
            Artist of each painting, to be passed as `groups`. A painting without an
            artist, or by "unknown" or "anonymous", is a group of its own. Names that
            differ only in case or spaces are one artist, in the first spelling. None if
            no movement has artists.
        parts : ndarray of str of shape (n_paintings,)
            Part of each painting, with ``part="all"`` only.
        target_names : list of str
            The movements, sorted.
        frame : DataFrame of shape (n_paintings, 3)
            Columns path, movement and artist; missing where the artist is unknown.
        skipped : dict of str to list of str
            Skipped files and folders for each reason.

    Raises
    ------
    FileNotFoundError
        If `root` does not exist.
    NotADirectoryError
        If `root` is a file.
    ValueError
        If there are no images, fewer than two movements, or a movement without images;
        if `root` has the parts of a split and `part` is None; or if no path has an
        artist as described by `artists`.

    Warns
    -----
    UserWarning
        If no artist is known, and file names seem to begin with artists; if artists or
        movements differ only in case or spaces; or if a movement is "unknown" or "?".

    See Also
    --------
    load_catalogue : Load labelled paintings from a table.
    load_wikiart : Load folders with artists in the file names.
    load_pandora18k : Load the Pandora18K collection.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skart.datasets import load_image_folder
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ["Cubism/Gris/a.png", "Fauvism/Derain/a.PNG"]:
    ...         (Path(root) / name).parent.mkdir(parents=True)
    ...         Image.new("RGB", (8, 8)).save(Path(root) / name)
    ...     paintings = load_image_folder(root)
    >>> paintings.labels.tolist(), paintings.artists.tolist()
    (['Cubism', 'Fauvism'], ['Gris', 'Derain'])
    """
    paintings = read_folder(root, part=part, artists=artists)
    paintings.pop("empty", None)
    example = find_artist_in_names(paintings)
    if example and artists is None:
        warnings.warn(
            "the artists are unknown, but file names seem to begin with them: "
            f"{example}. Pass artists='names' to keep artists apart in an evaluation.",
            stacklevel=2,
        )
    return paintings


def read_folder(
    root, *, part=None, artists=None, skip_empty=False, least=2, rename=None
):
    """Load a folder of at least `least` movements.

    If `skip_empty`, movements without images are listed in `empty`. The function
    `rename` changes the names in the frame.
    """
    root = expand(root)
    if not root.exists():
        raise FileNotFoundError(f"there is no folder {str(root)!r}. {_LAYOUT}")
    if not root.is_dir():
        raise NotADirectoryError(f"{str(root)!r} is a file, not a folder. {_LAYOUT}")
    skipped = defaultdict(list)
    found, parts = _choose_part(root, list(_walk(root, skipped)), part)
    n_levels = 0 if parts is None else 1
    found_below = [(path, folders[n_levels:]) for path, folders in found]
    rows = [(path, *names, None)[:3] for path, names in found_below if names]
    loose = [path for path, names in found_below if not names]
    if loose:
        skipped["outside a movement"] = loose
    if not rows:
        others = f", but {len(loose)} outside of them" if loose else ""
        raise ValueError(
            f"{str(root)!r} has no images in folders of movements{others}. {_LAYOUT}"
        )
    frame = pd.DataFrame(rows, columns=["path", "movement", "artist"], dtype=object)
    if artists is not None:
        below = [
            "/".join([*names[1:], os.path.basename(path)])
            for path, names in found_below
            if names
        ]
        _set_artists(frame, artists, below)
    more = {}
    if parts is None:
        movements = set(frame["movement"])
        empty = [
            entry.name
            for entry in visible_entries(root)
            if _kind(entry) == "folder" and entry.name not in movements
        ]
        if empty and not skip_empty:
            raise ValueError(
                f"{str(root)!r} has movements without images: {', '.join(empty)}. "
                "Add images to them or move these folders away."
            )
        more["empty"] = empty
    elif part == "all":
        frame["part"] = [folders[0] for _, folders in found if len(folders) > n_levels]
        more["parts"] = frame["part"].to_numpy(dtype=str)
    more["skipped"] = dict(skipped)
    if rename is not None:
        rename(frame)
    return make_bunch(frame, repr(str(root)), f" {_LAYOUT}", least, **more)


def find_artist_in_names(paintings):
    """Return a file name that begins with an artist if most seem to; else None."""
    if paintings.artists is not None:
        return None
    names = [escape(PurePath(path).name) for path in paintings.paths]
    names = pd.Series(names, dtype=object)
    artists = names.str.extract(r"^([^_]*[^\W\d_]{3}[^_]*)_")[0]
    n_artists = artists.nunique()
    repeated = artists.map(artists.value_counts()) > 1
    if repeated.mean() < 0.8 or n_artists < 2 * len(paintings.target_names):
        return None
    first = artists[repeated].index[0]
    return f"{artists[first]!r} in {names[first]!r}"


def list_images(root):
    """List the image files in a folder and its subfolders.

    Parameters
    ----------
    root : str or path
        Folder to search.

    Returns
    -------
    paths : list of str
        Image files, sorted within each folder; files are skipped as by
        :func:`load_image_folder`.

    Raises
    ------
    ValueError
        If there are no images.

    See Also
    --------
    load_image_folder : Load movements and artists as well.
    """
    return find_images(root)[0]


def find_images(root):
    """Return the images in a folder, and a dict of the skipped ones by reason."""
    root, skipped = expand(root), defaultdict(list)
    paths = [path for path, _ in _walk(root, skipped)]
    if not paths:
        raise ValueError(f"{str(root)!r} has no images")
    return paths, dict(skipped)


def make_bunch(frame, name, hint="", least=2, **more):
    """Return the Bunch of a frame that was read from `name`, with `more` entries."""
    if frame.empty:
        raise ValueError(f"{name} has no paintings")
    for column in ("movement", "artist"):
        if frame[column].dtype.kind not in "iub":
            frame[column] = clean_column(frame[column])
    labels = frame["movement"].to_numpy()
    if labels.dtype.kind not in "iub":
        labels = labels.astype(str)
    target_names = np.unique(labels).tolist()
    if len(target_names) < least:
        raise ValueError(
            f"{name} has one movement only, {target_names[0]!r}; at least two are "
            f"required.{hint}"
        )
    is_known = frame["artist"].notna() & ~frame["artist"].map(is_unknown_artist)
    frame["artist"] = unify_artists(frame["artist"].where(is_known, None), name)
    _warn_of_movements(labels, target_names, name)
    artists = None
    if is_known.any():
        alone = clean_column(UNKNOWN_ARTIST + frame["path"])
        artists = np.where(is_known, frame["artist"].astype(str), alone).astype(str)
    return Bunch(
        paths=frame["path"].to_numpy(dtype=str),
        labels=labels,
        artists=artists,
        target_names=target_names,
        frame=frame,
        **more,
    )


def known_artists(artists):
    """Return artists as an array of objects, None where they are unknown."""
    artists = pd.Series(artists, dtype=object)
    unknown = artists.isna() | artists.map(is_unknown_artist).astype(bool)
    return np.where(unknown, None, artists)


def is_unknown_artist(name):
    """Return whether a name stands for no artist, such as "anonymous"."""
    name = _strip_name(name)
    return name in _UNKNOWN or name.startswith(UNKNOWN_ARTIST)


def _strip_name(name):
    return str(name).casefold().strip(" .()[]")


def key_of_name(name):
    """Return a name without differences of case, spaces and encoding of accents."""
    if not isinstance(name, str):
        return name
    words = unicodedata.normalize("NFC", name).casefold().split()
    return unicodedata.normalize("NFC", " ".join(words))


def unify_artists(artists, name):
    """Return a column of artists in which equal ones have their first spelling."""
    first, others = {}, {}
    for artist in artists.dropna().unique():
        if isinstance(artist, str) and not is_unknown_artist(artist):
            spelling = first.setdefault(key_of_name(artist), artist)
            if spelling != artist:
                others[artist] = spelling
    if not others:
        return artists
    examples = "; ".join(f"{x!r} is {others[x]!r}" for x in list(others)[:3])
    more = f"; and {len(others) - 3} more" if len(others) > 3 else ""
    warnings.warn(
        f"artists in {name} whose names differ only in case or spaces are treated as "
        f"one, under the first spelling: {examples}{more}. If they are two, give them "
        "different names.",
        stacklevel=5,
    )
    names = [others.get(artist, artist) for artist in artists]
    return pd.Series(names, artists.index, dtype=artists.dtype)


def _warn_of_movements(labels, movements, name):
    """Warn of similar names of movements, and of unknown movements."""
    if labels.dtype.kind in "iub" or len(movements) < 2:
        return
    spellings = defaultdict(list)
    for movement in movements:
        spellings[key_of_name(movement)].append(movement)
    alike = [" and ".join(map(repr, x)) for x in spellings.values() if len(x) > 1]
    if alike:
        rest = f", and {len(alike) - 1} more" if len(alike) > 1 else ""
        warnings.warn(
            f"{name} has movements that differ only in case or spaces, {alike[0]}"
            f"{rest}: each counts as a movement. Give them one name if they are one.",
            stacklevel=5,
        )
    unknown = [x for x in movements if _strip_name(x) in _UNKNOWN_MOVEMENT]
    if unknown:
        warnings.warn(
            f"{name} has paintings of the movement "
            f"{' or '.join(map(repr, unknown))}, {np.isin(labels, unknown).sum()} in "
            "all: it counts as a movement. Leave these out, or give their movements.",
            stacklevel=5,
        )


def warn_of_shared_unknown(groups):
    """Warn the caller's caller of unknown artists who share a name."""
    counts = pd.Series(groups, dtype=object).value_counts()
    shared = [
        f"{str(name)!r} ({n} times)"
        for name, n in counts[counts > 1].items()
        if is_unknown_artist(name) and not str(name).startswith(UNKNOWN_ARTIST)
    ]
    if shared:
        warnings.warn(
            "groups holds names of unknown artists more than once, and each counts as "
            f"one artist: {', '.join(shared)}. Give each of these paintings a name of "
            "its own, or leave them out",
            stacklevel=3,
        )


def _choose_part(root, found, part):
    """Return the images of a part of a split, and the parts; None if there are none."""
    parts = sorted({folders[0] for _, folders in found if folders})
    is_split = (
        bool(parts)
        and all(_PARTS.fullmatch(name.casefold()) for name in parts)
        and any(len(folders) > 1 for _, folders in found)
    )
    if part is None and not is_split:
        return found, None
    names = ", ".join(map(repr, parts))
    if part is None:
        raise ValueError(
            f"{str(root)!r} holds the parts of a split, {names}, and not movements. "
            f"Pass part={parts[0]!r} for one of them, or part='all' for all."
        )
    if part == "all" and is_split:
        return found, parts
    if part not in parts:
        raise ValueError(
            f"{str(root)!r} has no part {part!r}. Its folders are {names}."
        )
    return [image for image in found if image[1][:1] == (part,)], parts


def _set_artists(frame, artists, below):
    """Set the artists of a frame by a pattern in the paths `below`, or a function."""
    if callable(artists):
        found = pd.Series([artists(path) for path in frame["path"]], dtype=object)
        frame["artist"] = clean_column(found)
        found = frame["artist"].notna()
    else:
        pattern = _ARTIST_IN_NAMES if artists == "names" else artists
        try:
            groups = re.compile(pattern).groupindex
            re.search(pattern, "")  # a pattern of bytes searches in no path
        except (re.error, TypeError) as error:
            raise ValueError(
                f"artists must be a regular expression, 'names' or a function; got "
                f"{artists!r}: {error}"
            ) from error
        if "artist" not in groups:
            raise ValueError(
                f"artists must have a group named artist, (?P<artist>...); got "
                f"{artists!r}"
            )
        reserved = {"path", "movement", "part"} & set(groups)
        if reserved:
            raise ValueError(
                f"artists={artists!r} must not have groups named path, movement or "
                "part: these are columns of the result"
            )
        columns = pd.Series(below, dtype=object).str.extract(pattern)[list(groups)]
        frame[columns.columns] = columns
        found = columns["artist"].notna()
    if not found.any():
        raise ValueError(
            f"artists={artists!r} finds no artist, in {frame['path'].iloc[0]!r} for "
            "instance"
        )


def _walk(folder, skipped, names=(), parents=frozenset()):
    """Yield the path of each image and the names of its folders below the root."""
    real = os.path.realpath(folder)
    if real in parents:
        skipped["link to a folder around it"].append(os.fspath(folder))
        return
    for entry in visible_entries(folder, skipped):
        kind = _kind(entry)
        if kind == "folder":
            yield from _walk(entry, skipped, (*names, entry.name), parents | {real})
        elif kind == "image":
            yield entry.path, names
        else:
            skipped[kind].append(entry.path)


def visible_entries(folder, skipped=None):
    """Return the entries of a folder sorted by name; add hidden ones to `skipped`."""
    skipped = defaultdict(list) if skipped is None else skipped
    visible = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".skart-"):
                continue  # a note of skart's own, such as of drawn paintings
            if entry.name.startswith("."):
                skipped["hidden"].append(entry.path)
            elif _SERVICE.fullmatch(entry.name):
                skipped["of a program or device"].append(entry.path)
            else:
                visible.append(entry)
    return sorted(visible, key=lambda entry: entry.name)


def _kind(entry):
    """Return "folder", "image", or the reason why a file is skipped."""
    try:
        if entry.is_dir():
            return "folder"
        if os.path.splitext(entry.name)[1].lower() not in IMAGE_EXTENSIONS:
            return "not an image"
        status = entry.stat()
    except OSError:
        return "broken link"
    if not stat.S_ISREG(status.st_mode):
        return "not a file"
    return "image" if status.st_size else "empty"
