"""Labelled paintings from a folder tree or from a museum's catalogue."""

import csv as _csv
import os
import stat
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skart._utils._validation import suggest

IMAGE_EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .tif .tiff .webp .gif .bmp .avif .jp2 .heic "
    ".heif".split()
)
_SYSTEM_FILES = frozenset(["thumbs.db", "desktop.ini", "__macosx"])
# Begins the name that a painting of no known artist gets for its own.
UNKNOWN_ARTIST = "unknown artist of "
_LAYOUT = "Expected is root/Movement/Artist/file.jpg or root/Movement/file.jpg."


def load_image_folder(root):
    """Folder to labelled paintings: ``Movement/Artist/file`` or ``Movement/file``.

    Files stay where they are, and nothing is decoded. Hidden, empty and other files
    than images are passed over and counted.

    Parameters
    ----------
    root : str or path
        The folder; ``~`` is expanded. Each folder in it is a movement; each folder in
        a movement an artist, with whatever lies deeper.

    Returns
    -------
    paintings : sklearn.utils.Bunch
        ``paths`` : ndarray of str, shape (n_paintings,), in the order of movement,
        artist and file name;
        ``labels`` : ndarray of str, shape (n_paintings,), the movements;
        ``artists`` : ndarray of str, shape (n_paintings,), or None if no movement has
        artists. It serves as ``groups`` of a splitter: an artist with works in two
        movements is one group, and a painting of no artist is a group of its own;
        ``target_names`` : list of str, the movements, sorted;
        ``frame`` : DataFrame with the columns path, movement and artist;
        ``skipped`` : dict of str to int, files passed over by reason.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    NotADirectoryError
        If it is a file.
    ValueError
        If it holds no images, one movement only, or a movement without images.

    See Also
    --------
    load_catalogue : The same from a table.
    load_pandora18k : The same from the Pandora18K collection.

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
    return read_folder(root)


def read_folder(root, *, skip_empty=False):
    """Read a folder as :func:`load_image_folder` does.

    Parameters
    ----------
    root : str or path
        The folder.
    skip_empty : bool, default=False
        Whether movements without images are no error, but listed.

    Returns
    -------
    paintings : sklearn.utils.Bunch
        With ``empty``, movements without images, if they are skipped.
    """
    root = Path(root).expanduser()
    if not root.exists():
        raise FileNotFoundError(f"there is no folder {str(root)!r}. {_LAYOUT}")
    if not root.is_dir():
        raise NotADirectoryError(f"{str(root)!r} is a file, not a folder. {_LAYOUT}")
    rows, skipped, without_images = [], Counter(), []
    for entry in _entries(root, skipped):
        if not _is_folder(entry):
            kind = _kind_of_file(entry)
            skipped["outside a movement" if kind == "image" else kind] += 1
            continue
        found = [
            (path, entry.name, artist) for path, artist in _walk(entry.path, skipped)
        ]
        rows += found
        if not found:
            without_images.append(entry.name)
    if not rows:
        loose = skipped["outside a movement"]
        where = f" outside of movement folders, where {loose} lie" if loose else ""
        raise ValueError(
            f"{str(root)!r} holds no images{' but' if loose else ''}{where}. {_LAYOUT}"
        )
    if without_images and not skip_empty:
        raise ValueError(
            f"{str(root)!r} has movements without images: {', '.join(without_images)}. "
            "Add images to them or move these folders away."
        )
    frame = pd.DataFrame(rows, columns=["path", "movement", "artist"])
    more = {"empty": without_images} if skip_empty else {}
    return bunch(frame, str(root), f" {_LAYOUT}", skipped=dict(skipped), **more)


def list_images(root, skipped=None):
    """List the images of a folder and of all folders in it.

    Parameters
    ----------
    root : str or path
        The folder; ``~`` is expanded.
    skipped : collections.Counter, default=None
        Counts what is passed over, by reason.

    Returns
    -------
    paths : list of str
        Image files, sorted within each folder. Hidden, empty and other files are passed
        over.

    Raises
    ------
    ValueError
        If there are none.

    See Also
    --------
    load_image_folder : Movements and artists, too.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skart.datasets import list_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (8, 8)).save(f"{folder}/a.png")
    ...     _ = Path(folder, "notes.txt").write_text("no image")
    ...     [Path(path).name for path in list_images(folder)]
    ['a.png']
    """
    root = Path(root).expanduser()
    skipped = Counter() if skipped is None else skipped
    paths = [path for path, _ in _walk(root, skipped)]
    if not paths:
        raise ValueError(f"{str(root)!r} holds no images")
    return paths


def load_catalogue(
    csv,
    *,
    path="path",
    movement="movement",
    artist="artist",
    root=None,
    sep=None,
    encoding="utf-8-sig",
):
    r"""Catalogue to labelled paintings: a table with a row a painting.

    Parameters
    ----------
    csv : str, path or DataFrame
        The table: a file with a header line, or a frame.
    path, movement, artist : str, default="path", "movement", "artist"
        Names of the columns. ``artist=None`` takes no artists, and so does a table that
        lacks the default column.
    root : str or path, default=None
        Folder that relative paths start from; None for the table's own folder (the
        current one for a DataFrame).
    sep : str, default=None
        Separator of the columns; None finds out.
    encoding : str, default="utf-8-sig"
        Encoding of the file; UTF-8 with or without a byte order mark.

    Returns
    -------
    paintings : sklearn.utils.Bunch
        As :func:`load_image_folder` gives it, in the order of the table; ``frame``
        has all other columns of the table too. Integer movements stay integers.

    Raises
    ------
    FileNotFoundError
        If the table, or a file that it names, does not exist.
    ValueError
        If a column is missing, a row has no path or movement, or there is one movement
        only.

    See Also
    --------
    load_image_folder : The same from a folder.
    load_pandora18k : The same from the Pandora18K collection.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skart.datasets import load_catalogue
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in "ab":
    ...         Image.new("RGB", (8, 8)).save(f"{root}/{name}.png")
    ...     table = Path(root, "works.csv")
    ...     _ = table.write_text("file;style\na.png;Op Art\nb.png;Pop Art")
    ...     paintings = load_catalogue(table, path="file", movement="style")
    >>> paintings.labels.tolist()
    ['Op Art', 'Pop Art']
    """
    if isinstance(csv, pd.DataFrame):
        table, name, folder = csv.copy(), "the catalogue", Path()
    else:
        csv = Path(csv).expanduser()
        if not csv.is_file():
            raise FileNotFoundError(f"there is no catalogue {str(csv)!r}")
        options = {"sep": sep, "encoding": encoding}
        if sep is None:
            options["engine"] = "python"  # the one that finds the separator
        name, folder = repr(str(csv)), csv.parent
        try:
            table = pd.read_csv(csv, **options)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{name} is no table in the encoding {encoding}: {error}. Save it as "
                "UTF-8, or pass its encoding=, 'latin-1' for instance."
            ) from error
        except (_csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise ValueError(f"{name} can't be read as a table: {error}") from error
    if artist == "artist" and artist not in table:
        artist = None
    for parameter, column in (
        ("path", path),
        ("movement", movement),
        ("artist", artist),
    ):
        if column is not None and column not in table:
            raise ValueError(
                f"{name} has no column {column!r}; rename one, or pass {parameter}=, "
                f"one of its columns.{suggest(column, map(str, table.columns))}"
            )
    blank = table[path].isna() | table[movement].isna()
    if blank.any():
        raise ValueError(
            f"{name} has rows without path or movement: {_some_rows(blank)}. Complete "
            "them, or leave them out."
        )
    folder = folder if root is None else Path(root).expanduser()
    paths = [str(folder / str(value)) for value in table[path]]
    missing = np.array([not os.path.isfile(value) for value in paths], bool)
    if missing.any():
        raise FileNotFoundError(
            f"{name} names files that don't exist: {_some_rows(missing, paths)}. "
            f"Relative paths start from {str(folder)!r}; pass root= for another folder."
        )
    artists = None if artist is None else table[artist]
    labels = table[movement]
    others = table.drop(columns=[path, movement] + ([] if artist is None else [artist]))
    frame = pd.DataFrame({"path": paths, "movement": labels.to_numpy()})
    frame["artist"] = None if artists is None else artists.to_numpy(dtype=object)
    others = others.drop(columns=["path", "movement", "artist"], errors="ignore")
    frame = pd.concat([frame, others.reset_index(drop=True)], axis=1)
    return bunch(frame, name, skipped={})


def bunch(frame, name, hint="", **more):
    """Make the Bunch that all loaders return from its frame.

    Parameters
    ----------
    frame : DataFrame
        Columns path, movement and artist, missing where unknown.
    name : str
        Of the source, for errors.
    hint : str, default=""
        What to say where there is one movement only.
    **more : object
        Further entries.

    Returns
    -------
    paintings : sklearn.utils.Bunch
        See :func:`load_image_folder`.
    """
    if frame.empty:
        raise ValueError(f"{name} holds no paintings")
    labels = frame["movement"].to_numpy()
    if labels.dtype == object or labels.dtype.kind not in "iub":
        labels = labels.astype(str)
    target_names = np.unique(labels).tolist()
    if len(target_names) < 2:
        raise ValueError(
            f"{name} has one movement only, {target_names[0]!r}; there must be two or "
            f"more to tell apart.{hint}"
        )
    unknown = frame["artist"].isna().to_numpy()
    artists = None
    if not unknown.all():
        alone = [f"{UNKNOWN_ARTIST}{path}" for path in frame["path"]]
        artists = np.where(unknown, alone, frame["artist"].astype(str)).astype(str)
    return Bunch(
        paths=frame["path"].to_numpy(dtype=str),
        labels=labels,
        artists=artists,
        target_names=target_names,
        frame=frame,
        **more,
    )


def _walk(folder, skipped, artist=None, seen=frozenset()):
    """Yield (path, artist) of the images below a movement."""
    real = os.path.realpath(folder)
    if real in seen:  # a link that leads back up
        skipped["link to a folder around it"] += 1
        return
    for entry in _entries(folder, skipped):
        if _is_folder(entry):
            yield from _walk(entry.path, skipped, artist or entry.name, seen | {real})
            continue
        kind = _kind_of_file(entry)
        if kind == "image":
            yield entry.path, artist
        else:
            skipped[kind] += 1


def _entries(folder, skipped):
    """List a folder in one order on all systems, without what is hidden."""
    visible = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_FILES:
                skipped["hidden"] += 1
            else:
                visible.append(entry)
    return sorted(visible, key=lambda entry: entry.name)


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _kind_of_file(entry):
    if os.path.splitext(entry.name)[1].lower() not in IMAGE_EXTENSIONS:
        return "not an image"
    try:
        seen = entry.stat()
        if not stat.S_ISREG(seen.st_mode):
            return "not a file"
        return "image" if seen.st_size else "empty"
    except OSError:  # a link that leads nowhere
        return "broken link"


def _some_rows(where, values=None, most=10):
    rows = np.flatnonzero(where)
    shown = [
        f"row {row + 1}" + (f" ({values[row]!r})" if values is not None else "")
        for row in rows[:most]
    ]
    rest = f" and {len(rows) - most} more" if len(rows) > most else ""
    return ", ".join(shown) + rest
