"""Labelled paintings from a folder, and what all loaders of paintings share."""

import os
import stat
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

IMAGE_EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .tif .tiff .webp .gif .bmp .avif .jp2 .heic "
    ".heif".split()
)
_SYSTEM_FILES = frozenset(["thumbs.db", "desktop.ini", "__macosx"])
# Prefix of the group of a painting whose artist is unknown.
UNKNOWN_ARTIST = "unknown artist of "
_LAYOUT = "Expected layout: root/Movement/Artist/file.jpg or root/Movement/file.jpg."


def load_image_folder(root):
    """Load labelled paintings from folders ``Movement/Artist/file``.

    The level of the artists may be left out, for all paintings or for some. Images are
    neither decoded nor copied. Hidden files, empty files and files of other types are
    skipped and counted.

    Parameters
    ----------
    root : str or path
        Folder with one subfolder per movement. A subfolder of a movement is an artist,
        and may itself have subfolders.

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
            artist is a group of its own. None if no movement has artists.
        target_names : list of str
            The movements, sorted.
        frame : DataFrame of shape (n_paintings, 3)
            Columns path, movement and artist; missing where the artist is unknown.
        skipped : dict of str to int
            Number of skipped files for each reason.

    Raises
    ------
    FileNotFoundError
        If `root` does not exist.
    NotADirectoryError
        If `root` is a file.
    ValueError
        If there are no images, fewer than two movements, or a movement without
        images.

    See Also
    --------
    load_catalogue : Load labelled paintings from a table.
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
    return read_folder(root)


def read_folder(root, *, skip_empty=False):
    """Load a folder; if `skip_empty`, list movements without images in `empty`."""
    root = Path(root).expanduser()
    if not root.exists():
        raise FileNotFoundError(f"there is no folder {str(root)!r}. {_LAYOUT}")
    if not root.is_dir():
        raise NotADirectoryError(f"{str(root)!r} is a file, not a folder. {_LAYOUT}")
    skipped = Counter()
    found = list(_walk(root, skipped))
    rows = [(path, *folders, None)[:3] for path, folders in found if folders]
    n_loose = len(found) - len(rows)
    if n_loose:
        skipped["outside a movement"] = n_loose
    if not rows:
        others = f", but {n_loose} outside of them" if n_loose else ""
        raise ValueError(
            f"{str(root)!r} has no images in folders of movements{others}. {_LAYOUT}"
        )
    frame = pd.DataFrame(rows, columns=["path", "movement", "artist"])
    folders = [
        entry.name
        for entry in visible_entries(root, Counter())
        if _kind(entry) == "folder"
    ]
    empty = [name for name in folders if name not in set(frame["movement"])]
    if empty and not skip_empty:
        raise ValueError(
            f"{str(root)!r} has movements without images: {', '.join(empty)}. "
            "Add images to them or move these folders away."
        )
    more = {"empty": empty} if skip_empty else {}
    return make_bunch(frame, str(root), f" {_LAYOUT}", skipped=dict(skipped), **more)


def list_images(root, skipped=None):
    """List the image files in a folder and its subfolders.

    Parameters
    ----------
    root : str or path
        Folder to search.
    skipped : collections.Counter, default=None
        Counter to which the number of skipped files is added for each reason.

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
    root = Path(root).expanduser()
    found = _walk(root, Counter() if skipped is None else skipped)
    paths = [path for path, _ in found]
    if not paths:
        raise ValueError(f"{str(root)!r} has no images")
    return paths


def make_bunch(frame, name, hint="", **more):
    """Return the Bunch of a frame that was read from `name`, with `more` entries."""
    if frame.empty:
        raise ValueError(f"{name} has no paintings")
    labels = frame["movement"].to_numpy()
    if labels.dtype.kind not in "iub":
        labels = labels.astype(str)
    target_names = np.unique(labels).tolist()
    if len(target_names) < 2:
        raise ValueError(
            f"{name} has one movement only, {target_names[0]!r}; at least two are "
            f"required.{hint}"
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


def _walk(folder, skipped, names=(), parents=frozenset()):
    """Yield the path of each image, and the names of the folders that it is in."""
    real = os.path.realpath(folder)
    if real in parents:
        skipped["link to a folder around it"] += 1
        return
    for entry in visible_entries(folder, skipped):
        kind = _kind(entry)
        if kind == "folder":
            yield from _walk(entry, skipped, (*names, entry.name), parents | {real})
        elif kind == "image":
            yield entry.path, names
        else:
            skipped[kind] += 1


def visible_entries(folder, skipped):
    """Return the entries of a folder sorted by name; count hidden ones in `skipped`."""
    visible = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_FILES:
                skipped["hidden"] += 1
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
