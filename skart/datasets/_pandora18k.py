"""The Pandora18K collection."""

import os
import re
import warnings

import numpy as np
import pandas as pd

from skart._utils._validation import StrOptions, validate
from skart.datasets._folder import load_image_folder, visible_entries

N_PUBLISHED = 18_038

# First and last year (rough) of each movement, in the order of the folders.
_PERIODS = {
    "Byzantine Iconography": (500, 1400),
    "Early Renaissance": (1280, 1490),
    "Northern Renaissance": (1430, 1580),
    "High Renaissance": (1490, 1527),
    "Baroque": (1590, 1725),
    "Rococo": (1700, 1790),
    "Romanticism": (1770, 1850),
    "Realism": (1840, 1880),
    "Impressionism": (1860, 1910),
    "Post-Impressionism": (1886, 1910),
    "Expressionism": (1905, 1935),
    "Symbolism": (1860, 1915),
    "Fauvism": (1900, 1920),
    "Cubism": (1907, 1925),
    "Surrealism": (1920, 1960),
    "Abstract Art": (1910, 1965),
    "Naive Art": (1885, 1970),
    "Pop Art": (1952, 1975),
}


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
        What to do if the folder differs from the published collection.

    Returns
    -------
    paintings : :class:`~sklearn.utils.Bunch`
        Same attributes as returned by :func:`load_image_folder`, and

        movements : DataFrame of shape (18, 5)
            One row per published movement, in order, with the columns number,
            movement, start and end (years, rough), and found (number of paintings).
        differences : list of str
            Differences between the folder and the published collection, in the number
            of paintings and the names of the movements.

    Raises
    ------
    ValueError
        If no folder has the name of a movement, or if there are differences and
        ``on_mismatch="raise"``.

    Warns
    -----
    UserWarning
        If there are differences and ``on_mismatch="warn"``.

    See Also
    --------
    load_image_folder : Load labelled paintings from any folder.
    load_catalogue : Load labelled paintings from a table.

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
    name_movements(paintings, root)
    if paintings.differences and on_mismatch != "ignore":
        message = (
            f"{str(root)!r} differs from the published Pandora18K: "
            f"{'; '.join(paintings.differences)}"
        )
        if on_mismatch == "raise":
            raise ValueError(f"{message}. Pass on_mismatch='warn' to load it anyway.")
        warnings.warn(message, stacklevel=2)
    return paintings


def name_movements(paintings, root):
    """Name the movements of a folder as Pandora18K does, and add what it is about."""
    folders = paintings.target_names
    if not any(_find_movement(name) for name in folders):
        raise ValueError(
            f"{str(root)!r} is not Pandora18K: none of its folders "
            f"({', '.join(folders[:5])} ...) has the name of one of the 18 movements. "
            "For other collections, use load_image_folder."
        )
    readable = {name: _find_movement(name) or _strip(name) for name in folders}
    paintings.labels = np.array([readable[name] for name in paintings.labels])
    paintings.target_names = np.unique(paintings.labels).tolist()
    paintings.frame["movement"] = paintings.labels
    rows = [(i, name, *years) for i, (name, years) in enumerate(_PERIODS.items(), 1)]
    movements = pd.DataFrame(rows, columns=["number", "movement", "start", "end"])
    counts = paintings.frame["movement"].value_counts()
    movements["found"] = counts.reindex(movements["movement"], fill_value=0).to_numpy()
    paintings.movements = movements
    paintings.differences = _compare(paintings)


def is_pandora18k(root):
    """Return whether all folders in `root` are named ``NN_`` and a movement."""
    if not os.path.isdir(root):
        return False
    entries = visible_entries(root)
    folders = [entry.name for entry in entries if entry.is_dir()]
    return bool(folders) and all(
        re.match(r"\d\d_", name) and _find_movement(name) for name in folders
    )


def periods_of(labels):
    """Return {movement: (start, end)}, or None if a movement is not in Pandora18K."""
    movements = {name: _find_movement(str(name)) for name in np.unique(labels)}
    if None in movements.values():
        return None
    return {name: _PERIODS[movement] for name, movement in movements.items()}


def _compare(paintings):
    """Return the differences to the published collection as a list of str."""
    differences, n_found, found = [], len(paintings.paths), set(paintings.target_names)
    if n_found != N_PUBLISHED:
        differences.append(
            f"{n_found:,} paintings instead of {N_PUBLISHED:,} "
            f"({n_found - N_PUBLISHED:+,})"
        )
    missing = [name for name in _PERIODS if name not in found]
    if missing:
        differences.append(f"missing movements: {', '.join(missing)}")
    others = sorted(found - _PERIODS.keys())
    if others:
        differences.append(f"unknown movements: {', '.join(others)}")
    return differences


def _strip(folder):
    """Return the name of a folder without its number, words separated by spaces."""
    return re.sub(r"[_\s]+", " ", re.sub(r"^\d+[_\s.-]*", "", folder)).strip()


def _find_movement(folder):
    """Return the movement that a folder, in any spelling, is named after, or None."""
    letters = re.sub("[^a-z]", "", _strip(folder).lower())
    # The collection spells it both ways.
    letters = letters.replace("byzantinicon", "byzantineicon")
    for movement in _PERIODS:
        if re.sub("[^a-z]", "", movement.lower()) == letters:
            return movement
    return None
