"""Decisions on suspect labels, and how they are applied."""

import os

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from skart._utils._files import escape, relative_paths
from skart._utils._validation import check_paths, suggest
from skart.datasets._tables import clean_names, read_table

COLUMNS = ("path", "movement", "decision", "corrected")
DECISIONS = ("keep", "change", "exclude")


def apply_corrections(corrections, paths, labels):
    """Apply the decisions that a page of suspect labels has saved.

    Parameters
    ----------
    corrections : str, path or DataFrame
        Table with a row for each decision: the CSV file that is downloaded from the
        page of :func:`skart.report.write_suspects`, or an Excel or Parquet file with
        the same columns:

        - ``path``: the painting, relative to the folder of the collection;
        - ``movement``: its label when the decision was made;
        - ``decision``: ``"keep"``, ``"change"`` or ``"exclude"``;
        - ``corrected``: the new label, if it is to be changed.
    paths : array-like of str or path, shape (n_paintings,)
        Paintings of the collection.
    labels : array-like of shape (n_paintings,)
        Movements.

    Returns
    -------
    labels : ndarray of shape (n_paintings,)
        Movements with the changes.
    kept : ndarray of bool, shape (n_paintings,)
        Mask of the paintings that are not excluded.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a column is missing; or if a row names a painting or a movement that the
        collection lacks, another movement than the painting has, or an unknown
        decision, or contradicts another row.

    See Also
    --------
    find_label_issues : Find labels that are probably wrong.

    Examples
    --------
    >>> import pandas as pd
    >>> from skart.audit import apply_corrections
    >>> corrections = pd.DataFrame({
    ...     "path": ["a.jpg", "b.jpg"], "movement": ["Cubism", "Dada"],
    ...     "decision": ["change", "exclude"], "corrected": ["Dada", None]})
    >>> labels, kept = apply_corrections(
    ...     corrections, ["a.jpg", "b.jpg", "c.jpg"], ["Cubism", "Dada", "Dada"])
    >>> labels[kept].tolist()
    ['Dada', 'Dada']
    """
    paths = check_paths("paths", paths)
    labels = np.asarray(labels)
    check_consistent_length(paths, labels)
    table, name = corrections, "corrections"
    if isinstance(table, pd.DataFrame):
        table = table.reset_index(drop=True)
    else:
        name = repr(str(corrections))
        table = read_table(corrections)
    table = clean_names(table, name)
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise ValueError(
            f"{name} has no column {missing[0]!r}: corrections have the columns "
            f"{', '.join(COLUMNS)}, as the page of suspect labels saves them"
        )
    find = _Finder(paths)
    by_name = {escape(label): label for label in labels}
    changed, kept, decided = labels.copy(), np.ones(len(labels), bool), {}
    for row in table[list(COLUMNS)].itertuples():
        # Spreadsheets count the line of names as the first, and blank rows.
        where = f"{name}, row {row.Index + 2}"
        place = find(where, row.path)
        given, corrected = map(_as_text, (row.movement, row.corrected))
        if row.decision not in DECISIONS:
            raise ValueError(
                f"{where}: decision must be one of {', '.join(DECISIONS)}; got "
                f"{row.decision!r}"
            )
        if row.decision != "change":
            corrected = given if row.decision == "keep" else None
        elif corrected not in by_name:
            raise ValueError(
                f"{where}: the collection has no movement {corrected!r}, to which "
                f"{row.path!r} is to be changed.{suggest(corrected, by_name)}"
            )
        current = escape(labels[place])
        if current not in (given, corrected):
            raise ValueError(
                f"{where}: {row.path!r} is of {given!r} there and of {current!r} in "
                "the collection. The label has been changed since: delete the row, or "
                "decide anew."
            )
        decision = row.decision, corrected
        if decided.setdefault(place, decision) != decision:
            raise ValueError(
                f"{where}: an earlier row decides otherwise on {row.path!r}. Delete "
                "one of them."
            )
        if row.decision == "exclude":
            kept[place] = False
        elif row.decision == "change":
            changed[place] = by_name[corrected]
    return changed, kept


def _as_text(label):
    """Return a label as text, None if it is missing."""
    if pd.isna(label):
        return None
    # A column of whole numbers is one of floats if some are missing.
    is_whole = isinstance(label, float) and label.is_integer()
    return str(int(label) if is_whole else label)


class _Finder:
    """Find paintings by paths relative to any folder above them."""

    def __init__(self, paths):
        names = [escape(name) for name in relative_paths(paths)[1]]
        self._places = {name: place for place, name in enumerate(names)}
        self._paths = [escape(path.replace(os.sep, "/")) for path in paths]

    def __call__(self, where, path):
        """Return the position of a painting, or raise ValueError."""
        if pd.isna(path):
            raise ValueError(f"{where}: there is no path")
        if path in self._places:
            return self._places[path]
        found = [
            place
            for place, known in enumerate(self._paths)
            if known == path or known.endswith(f"/{path}")
        ]
        if len(found) == 1:
            return found[0]
        problem = "there is no such painting in the collection"
        if found:
            problem = f"{len(found)} paintings of the collection have that name"
        raise ValueError(
            f"{where}: {problem}: {path!r}. Paths are relative to the folder of "
            "the collection."
        )
