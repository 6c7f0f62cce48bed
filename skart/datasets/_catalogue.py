"""Labelled paintings from a table."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from skart._utils._files import is_url
from skart.datasets._folder import make_bunch
from skart.datasets._tables import (
    as_numbers,
    clean_column,
    clean_names,
    find_columns,
    read_table,
)


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

    Cells are read as text, so leading zeros are kept. In movements and artists,
    surrounding whitespace is stripped, accents are normalized (NFC), and blank cells
    are missing values.

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
        the current folder for a DataFrame. URLs, such as ``https://museum.example/1.jpg``
        (needs ``pip install skart[remote]``), refer to none.
    sep : str, default=None
        Separator of the columns of a CSV file. If None, it is detected.
    encoding : str, default="utf-8-sig"
        Encoding of a CSV file. The default reads UTF-8 with or without a byte order
        mark.

    Returns
    -------
    paintings : :class:`~sklearn.utils.Bunch`
        Same attributes as returned by :func:`load_image_folder`, in the order of the
        table. `frame` also has the columns of the table with other names. Movements
        that are whole numbers are integers.

    Raises
    ------
    FileNotFoundError
        If the table, or a file listed in it, does not exist. URLs are not tried.
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
    return read_catalogue(
        table,
        path=path,
        movement=movement,
        artist=artist,
        root=root,
        sep=sep,
        encoding=encoding,
    )


def read_catalogue(
    table, *, path, movement, artist, root, sep=None, encoding="utf-8-sig", least=2
):
    """Load a table of at least `least` movements."""
    is_file = not isinstance(table, pd.DataFrame)
    name, folder = "the catalogue", Path()
    if is_file:
        file = Path(table).expanduser()
        name, folder = repr(str(file)), file.parent
        table = read_table(file, sep, encoding)
    table = clean_names(table, name)
    columns = find_columns(table, name, path=path, movement=movement, artist=artist)
    frame = pd.DataFrame(
        {
            role: clean_column(table[column])
            for role, column in columns.items()
            if column is not None
        }
    ).reset_index(drop=True)
    if pd.api.types.is_integer_dtype(table[columns["movement"]]):
        frame["movement"] = frame["movement"].astype("Int64")
    elif is_file:
        frame["movement"] = as_numbers(frame["movement"])
    blank = np.flatnonzero(frame[["path", "movement"]].isna().any(axis=1))
    if len(blank):
        rows = [f"row {row + 1}" for row in blank]
        raise ValueError(
            f"{name} has rows without path or movement: {_join(rows)}. Complete or "
            "delete them."
        )
    folder = folder if root is None else Path(root).expanduser()
    given = table[columns["path"]].tolist()
    paths = [find_file(folder, str(value)) for value in given]
    missing = [
        f"row {row} ({value!r})"
        for row, (value, path) in enumerate(zip(given, paths, strict=True), start=1)
        if not is_found(path)
    ]
    if missing:
        raise FileNotFoundError(
            f"{name} lists files that don't exist in {str(folder)!r}: "
            f"{_join(missing)}. If paths refer to another folder, name it as root."
        )
    frame["path"] = pd.Series(paths, dtype=object)
    if "artist" not in frame:
        frame["artist"] = None
    others = table.drop(columns=[*columns, *columns.values()], errors="ignore")
    if is_file:
        others = others.apply(as_numbers)
    frame = pd.concat([frame, others.reset_index(drop=True)], axis=1)
    return make_bunch(frame, name, least=least, skipped={})


def find_file(folder, text):
    """Return the path in a cell, without blanks around it if there is no such file."""
    if is_url(text.strip()):
        return text.strip()
    given, stripped = (
        str(folder / os.path.expanduser(path)) for path in (text, text.strip())
    )
    return given if os.path.isfile(given) else stripped


def is_found(path):
    """Return whether a path is that of a file, or a URL, which is not asked yet."""
    return is_url(path) or os.path.isfile(path)


def _join(rows, most=3):
    """Return the first rows as text, and the number of the others."""
    rest = f" and {len(rows) - most} more" if len(rows) > most else ""
    return ", ".join(rows[:most]) + rest
