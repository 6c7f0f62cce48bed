"""Labelled paintings from a table."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from skart.datasets._folder import make_bunch
from skart.datasets._tables import clean_table, find_columns, read_table


def load_catalogue(
    table,
    *,
    path=None,
    movement=None,
    artist=None,
    root=None,
    sep=None,
    encoding="utf-8-sig",
):
    r"""Load labelled paintings from a table with one row per painting.

    Texts are read as they are: no number loses a zero. Blanks around them and different
    encodings of accents are removed, and a blank cell is a missing value.

    Parameters
    ----------
    table : str, path or DataFrame
        CSV file with a header line, Excel (``.xlsx``) or Parquet file (with ``pip
        install skart[tables]``), or a DataFrame.
    path, movement, artist : str, default=None
        Names of the columns. If None, a column with a usual name is taken, in any case:
        path, file or image; movement, style, label or class; artist, painter, author,
        creator or maker. Without such a column, the artists are unknown, as with
        ``artist=False``.
    root : str or path, default=None
        Folder to which relative paths refer. If None, it is the folder of the file, or
        the current folder for a DataFrame.
    sep : str, default=None
        Separator of the columns of a CSV file. If None, it is detected.
    encoding : str, default="utf-8-sig"
        Encoding of a CSV file. The default reads UTF-8 with or without a byte order
        mark.

    Returns
    -------
    paintings : :class:`~sklearn.utils.Bunch`
        Same attributes as returned by :func:`load_image_folder`, in the order of the
        table. `frame` has all other columns of the table, too. Movements that are whole
        numbers are integers.

    Raises
    ------
    FileNotFoundError
        If the table, or a file listed in it, does not exist.
    ImportError
        If a package to read the table is missing.
    ValueError
        If the file is not a table, a column does not exist, a row has no path or no
        movement, or there are fewer than two movements.

    See Also
    --------
    load_image_folder : Load labelled paintings from a folder.
    load_pandora18k : Load the Pandora18K collection.

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
    ...     _ = table.write_text("File;Style\na.png;Op Art\nb.png; Pop Art")
    ...     paintings = load_catalogue(table)
    >>> paintings.labels.tolist()
    ['Op Art', 'Pop Art']
    """
    if isinstance(table, pd.DataFrame):
        name, folder, table = "the catalogue", Path(), clean_table(table)
    else:
        file = Path(table).expanduser()
        name, folder, table = (
            repr(str(file)),
            file.parent,
            read_table(file, sep, encoding),
        )
    columns = find_columns(table, name, path=path, movement=movement, artist=artist)
    path, movement, artist = columns.values()
    blank = np.flatnonzero(table[path].isna() | table[movement].isna())
    if len(blank):
        rows = [f"row {row + 1}" for row in blank]
        raise ValueError(
            f"{name} has rows without path or movement: {_join(rows)}. Complete or "
            "delete them."
        )
    folder = folder if root is None else Path(root).expanduser()
    paths = [
        str(folder / os.path.expanduser(os.fspath(value))) for value in table[path]
    ]
    missing = [
        f"row {row} ({value!r})"
        for row, value in enumerate(table[path], start=1)
        if not os.path.isfile(paths[row - 1])
    ]
    if missing:
        raise FileNotFoundError(
            f"{name} lists files that don't exist in {str(folder)!r}: "
            f"{_join(missing)}. If paths refer to another folder, name it as root."
        )
    frame = pd.DataFrame({"path": pd.Series(paths, dtype=object)})
    frame["movement"] = table[movement].to_numpy()
    frame["artist"] = None if artist is None else table[artist].to_numpy(dtype=object)
    others = table.drop(columns=[*columns, *columns.values()], errors="ignore")
    frame = pd.concat([frame, others.reset_index(drop=True)], axis=1)
    return make_bunch(frame, name, skipped={})


def _join(rows, most=3):
    """Return the first rows as text, and the number of the others."""
    rest = f" and {len(rows) - most} more" if len(rows) > most else ""
    return ", ".join(rows[:most]) + rest
