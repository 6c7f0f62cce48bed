"""The Pandora18K collection."""

import os
import re
import warnings
from collections import Counter

import numpy as np
import pandas as pd

from skart._utils._validation import StrOptions, validate
from skart.datasets._folder import load_image_folder, visible_entries

N_PUBLISHED = 18_038

# Number of the folder, name, first and last year (rough).
_MOVEMENTS = (
    (1, "Byzantine Iconography", 500, 1400),
    (2, "Early Renaissance", 1280, 1490),
    (3, "Northern Renaissance", 1430, 1580),
    (4, "High Renaissance", 1490, 1527),
    (5, "Baroque", 1590, 1725),
    (6, "Rococo", 1700, 1790),
    (7, "Romanticism", 1770, 1850),
    (8, "Realism", 1840, 1880),
    (9, "Impressionism", 1860, 1910),
    (10, "Post-Impressionism", 1886, 1910),
    (11, "Expressionism", 1905, 1935),
    (12, "Symbolism", 1860, 1915),
    (13, "Fauvism", 1900, 1920),
    (14, "Cubism", 1907, 1925),
    (15, "Surrealism", 1920, 1960),
    (16, "Abstract Art", 1910, 1965),
    (17, "Naive Art", 1885, 1970),
    (18, "Pop Art", 1952, 1975),
)


def load_pandora18k(root, *, on_mismatch="warn"):
    """Load the Pandora18K collection: folders ``NN_Movement/Artist/file.jpg``.

    The collection has 18,038 paintings of 18 movements and was published for the
    recognition of movements [1]_. It is not downloaded. Numbers and underscores are
    removed from the names of the movements.

    Parameters
    ----------
    root : str or path
        Folder of the unpacked collection.
    on_mismatch : {"warn", "raise", "ignore"}, default="warn"
        Whether to warn, to raise an error, or to do nothing if the folder differs from
        the published collection.

    Returns
    -------
    paintings : :class:`~sklearn.utils.Bunch`
        Same attributes as returned by :func:`load_image_folder`, and

        movements : DataFrame of shape (18, 5)
            One row per published movement, in order, with the columns number,
            movement, start and end (years, rough), and found (number of paintings).
        differences : list of str
            Differences between the folder and the published collection.

    Raises
    ------
    ValueError
        If no folder has the name of a movement, or if the folder differs from the
        published collection and ``on_mismatch="raise"``.

    Warns
    -----
    UserWarning
        If the folder differs from the published collection and
        ``on_mismatch="warn"``.

    See Also
    --------
    load_image_folder : Load labelled paintings from any folder.
    load_catalogue : Load labelled paintings from a table.

    Notes
    -----
    The total number of paintings and the names of the movements are compared. The
    number of paintings of each movement is not.

    References
    ----------
    .. [1] Florea, Toca, Gieseke. "Artistic Movement Recognition by Boosted Fusion of
       Color Structure and Topographic Description". WACV 2017.
    """
    validate(
        "load_pandora18k",
        {"on_mismatch": on_mismatch},
        {"on_mismatch": [StrOptions({"warn", "raise", "ignore"})]},
    )
    paintings = load_image_folder(root)
    names = {_key(name): name for _, name, _, _ in _MOVEMENTS}
    folders = paintings.target_names
    if not names.keys() & set(map(_key, folders)):
        raise ValueError(
            f"{str(root)!r} is not Pandora18K: none of its folders "
            f"({', '.join(folders[:5])} ...) has the name of one of the 18 movements. "
            "For other collections, use load_image_folder."
        )
    readable = {name: names.get(_key(name), _strip(name)) for name in folders}
    paintings.labels = np.array([readable[name] for name in paintings.labels])
    paintings.target_names = np.unique(paintings.labels).tolist()
    paintings.frame["movement"] = paintings.labels
    movements = pd.DataFrame(_MOVEMENTS, columns=["number", "movement", "start", "end"])
    counts = paintings.frame["movement"].value_counts()
    movements["found"] = counts.reindex(movements["movement"], fill_value=0).to_numpy()
    paintings.movements = movements
    paintings.differences = _compare(paintings, movements)
    if paintings.differences and on_mismatch != "ignore":
        message = (
            f"{str(root)!r} differs from the published Pandora18K: "
            f"{'; '.join(paintings.differences)}"
        )
        if on_mismatch == "raise":
            raise ValueError(f"{message}. Pass on_mismatch='warn' to load it anyway.")
        warnings.warn(message, stacklevel=2)
    return paintings


def is_pandora18k(root):
    """Return whether all folders in `root` are named ``NN_`` and a movement."""
    if not os.path.isdir(root):
        return False
    entries = visible_entries(root, Counter())
    folders = [entry.name for entry in entries if entry.is_dir()]
    known = {_key(name) for _, name, _, _ in _MOVEMENTS}
    return bool(folders) and all(
        re.match(r"\d\d_", name) and _key(name) in known for name in folders
    )


def periods_of(labels):
    """Return {movement: (start, end)}, or None if a movement is not in Pandora18K."""
    known = {_key(name): (start, end) for _, name, start, end in _MOVEMENTS}
    periods = {name: known.get(_key(str(name))) for name in np.unique(labels)}
    return None if None in periods.values() else periods


def _compare(paintings, movements):
    """Return the differences to the published collection as a list of str."""
    differences = []
    found = len(paintings.paths)
    if found != N_PUBLISHED:
        differences.append(
            f"{found:,} paintings instead of {N_PUBLISHED:,} ({found - N_PUBLISHED:+,})"
        )
    missing = movements.loc[movements["found"] == 0, "movement"].tolist()
    if missing:
        differences.append(f"missing movements: {', '.join(missing)}")
    others = sorted(set(paintings.target_names) - set(movements["movement"]))
    if others:
        differences.append(f"unknown movements: {', '.join(others)}")
    return differences


def _strip(folder):
    """Return the name of a folder without its number, words separated by spaces."""
    return re.sub(r"[_\s]+", " ", re.sub(r"^\d+[_\s.-]*", "", folder)).strip()


def _key(name):
    """Return a name in a form in which its spellings agree."""
    key = re.sub(r"[^a-z]", "", _strip(name).lower())
    # The collection spells it both ways.
    return key.replace("byzantinicon", "byzantineicon")
