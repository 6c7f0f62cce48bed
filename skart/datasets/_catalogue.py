"""Labelled paintings from a table."""

import csv as _csv
import os
from pathlib import Path

import numpy as np
import pandas as pd

from skart._utils._validation import suggest
from skart.datasets._folder import make_bunch


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
    r"""Load labelled paintings from a table with one row per painting.

    Parameters
    ----------
    csv : str, path or DataFrame
        CSV file with a header line, or a DataFrame.
    path, movement, artist : str, default="path", "movement", "artist"
        Names of the columns. If ``artist=None``, or if there is no column "artist", the
        artists are unknown.
    root : str or path, default=None
        Folder to which relative paths refer. If None, it is the folder of the file, or
        the current folder for a DataFrame.
    sep : str, default=None
        Separator of the columns. If None, it is detected.
    encoding : str, default="utf-8-sig"
        Encoding of the file. The default reads UTF-8 with or without a byte order mark.

    Returns
    -------
    paintings : :class:`~sklearn.utils.Bunch`
        Same attributes as returned by :func:`load_image_folder`, in the order of the
        table. `frame` has all other columns of the table, too. Movements that are
        integers remain integers.

    Raises
    ------
    FileNotFoundError
        If the table, or a file listed in it, does not exist.
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
    ...     _ = table.write_text("file;style\na.png;Op Art\nb.png;Pop Art")
    ...     paintings = load_catalogue(table, path="file", movement="style")
    >>> paintings.labels.tolist()
    ['Op Art', 'Pop Art']
    """
    if isinstance(csv, pd.DataFrame):
        table, name, folder = csv, "the catalogue", Path()
    else:
        file = Path(csv).expanduser()
        table, name = _read_table(file, sep, encoding), repr(str(file))
        folder = file.parent
    if artist == "artist" and artist not in table:
        artist = None
    columns = {"path": path, "movement": movement, "artist": artist}
    for parameter, column in columns.items():
        if column is not None and column not in table:
            raise ValueError(
                f"{name} has no column {column!r}; rename a column, or pass "
                f"{parameter}= with the name of one."
                f"{suggest(column, map(str, table.columns))}"
            )
    blank = np.flatnonzero(table[path].isna() | table[movement].isna())
    if len(blank):
        rows = [f"row {row + 1}" for row in blank]
        raise ValueError(
            f"{name} has rows without path or movement: {_join(rows)}. Complete or "
            "delete them."
        )
    folder = folder if root is None else Path(root).expanduser()
    paths = [str(folder / str(value)) for value in table[path]]
    missing = [
        f"row {row} ({value!r})"
        for row, value in enumerate(paths, start=1)
        if not os.path.isfile(value)
    ]
    if missing:
        raise FileNotFoundError(
            f"{name} lists files that don't exist: {_join(missing)}. Relative paths "
            f"refer to {str(folder)!r}; pass root= for another folder."
        )
    frame = pd.DataFrame({"path": paths, "movement": table[movement].to_numpy()})
    frame["artist"] = None if artist is None else table[artist].to_numpy(dtype=object)
    others = table.drop(columns=[*columns, *columns.values()], errors="ignore")
    frame = pd.concat([frame, others.reset_index(drop=True)], axis=1)
    return make_bunch(frame, name, skipped={})


def _read_table(csv, sep, encoding):
    if not csv.is_file():
        raise FileNotFoundError(f"there is no catalogue {str(csv)!r}")
    engine = "python" if sep is None else None  # only this one detects separators
    try:
        return pd.read_csv(csv, sep=sep, encoding=encoding, engine=engine)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{str(csv)!r} is not a table in the encoding {encoding}: {error}. Save it "
            "as UTF-8, or pass its encoding=, 'latin-1' for instance."
        ) from error
    except (_csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{str(csv)!r} can't be read as a table: {error}") from error


def _join(rows, most=10):
    """Return the first rows as text, and the number of the others."""
    rest = f" and {len(rows) - most} more" if len(rows) > most else ""
    return ", ".join(rows[:most]) + rest
