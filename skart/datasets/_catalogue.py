"""Labelled paintings from a table."""

import os
import unicodedata
import warnings
from pathlib import Path

import pandas as pd

from skart._utils._files import expand, file_stamp, unescape
from skart._utils._remote import fetch_document, is_url
from skart._utils._validation import check_choice
from skart.datasets._folder import make_bunch
from skart.datasets._links import Links
from skart.datasets._manifests import Reader, read_manifests, tabulate
from skart.datasets._tables import (
    as_numbers,
    clean_column,
    clean_names,
    drop_blank_rows,
    find_columns,
    find_image_column,
    find_usual,
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
    manifest=None,
    longer_side=600,
    on_error="raise",
):
    r"""Load labelled paintings from a table with one row per painting.

    Cells are read as text, so leading zeros are kept, and rows in which all are blank
    are left out. In movements and artists, surrounding whitespace is stripped, accents
    are normalized (NFC), and blank cells are missing values. Paths are taken as they
    are; if there is no such file, accents may be composed or decomposed, folders
    separated by ``\``, and bytes that are no UTF-8 written as escapes, such as
    ``\udce9``, as in the tables that skart writes. In messages, the first row below the
    header is row 1, and blank rows count.

    Parameters
    ----------
    table : str, path or DataFrame
        CSV file with a header line, Excel (``.xlsx``, its first sheet) or Parquet file
        (with ``pip install 'skart[tables]'``), the URL of one, or a DataFrame. Paths in
        a table at a URL are relative to it, or public addresses of http or https.
    path, movement : str, default=None
        Names of the columns. If None, a column with a usual name is taken, in any case:
        path, file or image; movement, style, label or class.
    artist : str or False, default=None
        Name of the column. If None, a column with a usual name is taken, in any case:
        artist, painter, author, creator or maker. Without such a column, or if False,
        the artists are unknown.
    root : str or path, default=None
        Folder to which relative paths refer. If None, it is the folder of the file, or
        the current folder for a DataFrame. URLs, such as ``https://museum.example/1.jpg``
        (needs ``pip install 'skart[remote]'``), refer to none.
    sep : str, default=None
        Separator of the columns of a CSV file. If None, it is detected.
    encoding : str, default="utf-8-sig"
        Encoding of a CSV file. The default reads UTF-8 with or without a byte order
        mark.
    manifest : str, default=None
        Column of IIIF manifests, as URLs or JSON files, instead of a column of paths.
        All images of a manifest get the movement and the artist of its row. Its
        metadata become columns of `frame` if the table has none of that name.
    longer_side : int, default=600
        Longer side of the images of manifests in pixels, as in :func:`load_iiif`.
    on_error : {"raise", "skip"}, default="raise"
        What happens with files that don't exist, rows without a manifest, and manifests
        that can't be read. "raise": an error names them. "skip": they are left out, and
        a warning names them.

    Returns
    -------
    paintings : :class:`~sklearn.utils.Bunch`
        Same attributes as returned by :func:`load_image_folder`, in the order of the
        table. `frame` also has the columns of the table with other names. Movements
        that are whole numbers are integers.

    Raises
    ------
    FileNotFoundError
        If the table, or a file listed in it, does not exist (the latter unless
        ``on_error="skip"`` and another file exists). URLs are not tried.
    OSError
        If the table or a manifest can't be fetched.
    ImportError
        If a package to read the table is missing.
    ValueError
        If the file is not a table, a column does not exist, a row has no path or no
        movement, or there are fewer than two movements.

    Warns
    -----
    UserWarning
        If artists or movements differ only in case or spaces, or a movement is
        "unknown" or "?", as by :func:`load_image_folder`.

    See Also
    --------
    load_image_folder : Load labelled paintings from a folder.
    load_table : Load a table that holds the images themselves.
    load_iiif : Load a IIIF manifest or collection.
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
        manifest=manifest,
        longer_side=longer_side,
        on_error=on_error,
    )


def read_catalogue(
    table,
    *,
    path,
    movement,
    artist,
    root=None,
    sep=None,
    encoding="utf-8-sig",
    manifest=None,
    longer_side=600,
    on_error="raise",
    name="the catalogue",
    skipped=None,
    least=2,
):
    """Load a table of at least `least` movements."""
    check_choice("on_error", on_error, ("raise", "skip"))
    is_file = not isinstance(table, pd.DataFrame)
    folder, base, hint = Path(), None, ""
    if is_file:
        name = repr(str(table))
        if path is manifest is None and (image := find_image_column(str(table))):
            raise ValueError(
                f"{name} has no column of paths, but one of images, {image!r}: load it "
                "by load_table"
            )
        table, folder, base = read_any_table(table, sep, encoding)
    else:
        table = drop_blank_rows(table.reset_index(drop=True))
    folder = folder if root is None else expand(root)
    table = clean_names(table, name)
    if manifest is not None:
        if path is not None:
            raise ValueError(f"pass path={path!r} or manifest={manifest!r}, not both")
        table, columns, skipped = follow_manifests(
            table,
            find_columns(table, name, manifest=manifest)["manifest"],
            {"movement": movement, "artist": artist},
            name=name,
            folder=folder,
            base=base,
            reader=Reader(longer_side),
            on_error=on_error,
        )
        path, movement, artist = "path", *columns.values()
        hint = (
            " All images of a manifest get the movement in its row; only in a table "
            "without movements, that in their own metadata."
        )
    columns = find_columns(table, name, path=path, movement=movement, artist=artist)
    frame = pd.DataFrame(
        {
            role: clean_column(table[column])
            for role, column in columns.items()
            if column is not None
        }
    )
    if pd.api.types.infer_dtype(frame["movement"]) == "integer":
        frame["movement"] = frame["movement"].astype("Int64")
    elif is_file:
        frame["movement"] = as_numbers(frame["movement"])
    blank = frame[["path", "movement"]].isna().any(axis=1)
    if blank.any():
        rows = [f"row {row + 1}" for row in frame.index[blank]]
        raise ValueError(
            f"{name} has rows without path or movement: {join_first(rows)}. Complete "
            "or delete them."
        )
    paths = find_paths(table[columns["path"]], folder, base, name, on_error)
    frame["path"] = pd.Series(paths, frame.index, dtype=object)
    if "artist" not in frame:
        frame["artist"] = None
    others = table.drop(columns=[*columns, *columns.values()], errors="ignore")
    if is_file:
        others = others.apply(as_numbers)
    frame = pd.concat([frame, others], axis=1)
    frame = frame[frame["path"].notna()].reset_index(drop=True)
    return make_bunch(frame, name, hint, least=least, skipped=skipped or {})


def read_any_table(table, sep=None, encoding="utf-8-sig"):
    """Read a file or URL; return the table, its folder, and its URL or None."""
    if is_url(table):
        try:
            content, base = fetch_document(str(table), timeout=120)
        except OSError as error:
            raise OSError(f"the table {table} can't be fetched: {error}") from None
        return read_table(table, sep, encoding, content), Path(), base
    file = expand(table)
    return read_table(file, sep, encoding), file.parent, None


def find_paths(given, folder, base, name, on_error):
    """Return the paths and URLs in a column of a table, which is at the URL `base`.

    With ``on_error="skip"``, files that don't exist are None, but one must exist.
    """
    rows, given = given.index + 1, given.tolist()
    if base is not None:
        links = Links()
        try:
            return [links.resolve(str(cell), base) for cell in given]
        except OSError as error:
            raise ValueError(f"{name} can't be used: {error}") from None
    paths = [find_file(folder, str(cell)) for cell in given]
    missing = [
        f"row {row} ({cell!r})"
        for row, cell, path in zip(rows, given, paths, strict=True)
        if not is_found(path)
    ]
    if missing:
        text = (
            f"{name} lists files that don't exist in {str(folder)!r}: "
            f"{join_first(missing)}. "
        )
        hint = "If paths refer to another folder, name it as root."
        if on_error == "raise":
            raise FileNotFoundError(
                f"{text}{hint} Else correct or delete these rows, or pass "
                "on_error='skip' to leave them out."
            )
        if len(missing) == len(given):
            raise FileNotFoundError(f"{text}{hint}")
        warnings.warn(f"{text}They are left out.", stacklevel=4)
    return [path if is_found(path) else None for path in paths]


def follow_manifests(
    table, column, wanted, *, name, folder, on_error, base=None, reader=None
):
    """Return a table of the images of manifests, columns of roles, and the skipped."""
    given = clean_column(table[column])
    is_blank = given.isna().to_numpy()
    if is_blank.any():
        rows = join_first([f"row {row + 1}" for row in table.index[is_blank]])
        text = f"{name} has rows without a manifest: {rows}."
        if on_error == "raise":
            raise ValueError(
                f"{text} Complete or delete them, or pass on_error='skip' to leave "
                "them out."
            )
        warnings.warn(f"{text} They are left out.", stacklevel=4)
        table, given = table[~is_blank].reset_index(drop=True), given[~is_blank]
    if base is None:
        given = [x if is_url(x) else str(folder / expand(x)) for x in given]
    found, skipped = read_manifests(
        list(given),
        reader or Reader(),
        base=base,
        on_error=on_error,
        max_manifests=len(table) + 1000,
    )
    if not found:
        raise ValueError(f"the manifests in {name} have no images")
    rows, metadata, renamed = tabulate(found)
    columns = {
        role: find_usual(table, role) if value is None else value
        for role, value in wanted.items()
    }
    table = table.iloc[[place for place, _, _ in found]].reset_index(drop=True)
    table = table.drop(columns="path", errors="ignore")
    known = {str(column).casefold() for column in table}
    metadata = metadata.drop(columns=[x for x in metadata if x.casefold() in known])
    for role, column in columns.items():
        if column is None:
            label = find_usual(metadata, role)
            columns[role] = renamed.get(label, label)
    rows = rows.drop(columns=[x for x in rows if x in known])
    return (
        pd.concat([table, rows, metadata.rename(columns=renamed)], axis=1),
        columns,
        skipped,
    )


def find_file(folder, text):
    """Return the path in a cell, in another spelling if there is no such file.

    The others are without blanks around it, with composed or decomposed accents, with
    / for the separators of Windows, and with the bytes that tables of skart escape.
    """
    stripped = text.strip()
    if is_url(stripped):
        return stripped
    spellings = [text, stripped]
    for spelling in (stripped, stripped.replace("\\", "/")):
        spellings += [unicodedata.normalize(form, spelling) for form in ("NFC", "NFD")]
    spellings += [unescape(spelling) for spelling in spellings[:2]]
    paths = [str(folder / os.path.expanduser(spelling)) for spelling in spellings]
    return next((path for path in paths if file_stamp(path)), paths[1])


def is_found(path):
    """Return whether a path is that of a file or of a row, or a URL, not asked yet."""
    return is_url(path) or file_stamp(path) is not None


def join_first(rows, most=3):
    """Return the first rows as text, and the number of the others."""
    rest = f" and {len(rows) - most} more" if len(rows) > most else ""
    return ", ".join(rows[:most]) + rest
