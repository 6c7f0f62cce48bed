"""The Pandora18K collection, as its authors distribute it."""

import os
import re
import warnings
from collections import Counter

import numpy as np
import pandas as pd

from skart._utils._validation import check_choice
from skart.datasets._folder import _entries, load_image_folder

N_PUBLISHED = 18_038

# Number of the folder, name, and the rough years between which the movement flourished.
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

# The collection itself spells it both ways.
_BYZANTINE = "Byzantin Iconography"


def load_pandora18k(root, *, on_mismatch="warn"):
    """Load Pandora18K: folders ``NN_Movement/Artist/file.jpg`` to labelled paintings.

    18,038 paintings of 18 movements, made for the recognition of movements [1]_. The
    numbers are stripped from the folders' names, which become readable ones, and what
    is found is compared with what was published.

    Parameters
    ----------
    root : str or path
        The unpacked collection.
    on_mismatch : {"warn", "raise", "ignore"}, default="warn"
        What to do if the folder differs from what was published.

    Returns
    -------
    paintings : sklearn.utils.Bunch
        As :func:`load_image_folder` gives it, and
        ``movements`` : DataFrame, a row for each of the 18 movements in their order:
        number, movement, start and end (rough years), and found (paintings);
        ``differences`` : list of str, how the folder differs from what was published.

    Raises
    ------
    ValueError
        If no folder is named as one of the movements, or, with
        ``on_mismatch="raise"``, if anything differs.

    See Also
    --------
    load_image_folder : The same from any folder.
    load_catalogue : The same from a table.

    Notes
    -----
    Published totals only are compared: 18,038 paintings and 18 movements.

    References
    ----------
    .. [1] Florea, Toca, Gieseke. "Artistic Movement Recognition by Boosted Fusion of
       Color Structure and Topographic Description". WACV 2017.
    """
    check_choice("on_mismatch", on_mismatch, ("warn", "raise", "ignore"))
    paintings = load_image_folder(root)
    folders = np.unique(paintings.labels)
    names = {_key(name): name for _, name, _, _ in _MOVEMENTS}
    names[_key(_BYZANTINE)] = "Byzantine Iconography"
    readable = {folder: names.get(_key(folder), _plain(folder)) for folder in folders}
    known = set(readable.values()) & set(names.values())
    if not known:
        raise ValueError(
            f"{str(root)!r} is not Pandora18K: none of its folders "
            f"({', '.join(folders[:5])} ...) is named as one of the 18 movements. For "
            "other collections there is load_image_folder."
        )
    paintings.labels = np.array([readable[folder] for folder in paintings.labels])
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
            raise ValueError(f"{message}. on_mismatch='warn' loads it all the same.")
        warnings.warn(message, stacklevel=2)
    return paintings


def is_pandora18k(root):
    """Tell whether a folder is laid out as Pandora18K, complete or not.

    Parameters
    ----------
    root : str or path
        The folder.

    Returns
    -------
    is_pandora18k : bool
        Whether all folders in it are named ``NN_Movement``, after its movements.
    """
    if not os.path.isdir(root):
        return False
    folders = [entry.name for entry in _entries(root, Counter()) if entry.is_dir()]
    known = {_key(name) for _, name, _, _ in _MOVEMENTS} | {_key(_BYZANTINE)}
    return bool(folders) and all(
        re.match(r"\d\d_", name) and _key(name) in known for name in folders
    )


def periods_of(labels):
    """Give the years of movements, where all of them are among those of Pandora18K.

    Parameters
    ----------
    labels : array-like of str
        Movements.

    Returns
    -------
    periods : dict of str to (int, int)
        First and last year by movement, both rough; None if one is not known.
    """
    known = {_key(name): (start, end) for _, name, start, end in _MOVEMENTS}
    periods = {name: known.get(_key(str(name))) for name in np.unique(labels)}
    return None if None in periods.values() else periods


def _compare(paintings, movements):
    differences = []
    found = len(paintings.paths)
    if found != N_PUBLISHED:
        differences.append(
            f"{found:,} paintings instead of {N_PUBLISHED:,} ({found - N_PUBLISHED:+,})"
        )
    missing = movements.loc[movements["found"] == 0, "movement"].tolist()
    if missing:
        differences.append(f"no {', no '.join(missing)}")
    others = sorted(set(paintings.target_names) - set(movements["movement"]))
    if others:
        differences.append(f"beside the 18 movements {', '.join(others)}")
    return differences


def _plain(folder):
    """Strip the number and put spaces between the words."""
    return re.sub(r"[_\s]+", " ", re.sub(r"^\d+[_\s.-]*", "", folder)).strip()


def _key(name):
    """Spell a movement's name so that variants of it agree."""
    return re.sub(r"[^a-z]", "", _plain(name).lower())
