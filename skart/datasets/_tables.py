"""Tables of paintings as people export them: text, columns and names."""

import contextlib
import csv
import io
import itertools
import unicodedata
import warnings
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from skart._utils._files import expand
from skart._utils._validation import suggest

# Texts that programs write for a missing value.
_MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>"]
_SEPARATORS = ",;\t|"
# Usual names of the columns, the most specific first. Case, spaces, underscores and
# hyphens are ignored.
_COLUMNS = {
    "path": ["path", "filepath", "imagepath", "filename", "file", "image", "img"],
    "movement": ["movement", "artmovement", "style", "label", "class"],
    "artist": ["artist", "artistname", "painter", "author", "creator", "maker"],
}
# First bytes of compressed files: gzip, bzip2, xz, zstd and 7z.
_COMPRESSED = (
    *(b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"),
    b"7z\xbc\xaf\x27\x1c",
)
_ZIP = b"PK\x03\x04"
# Packages with which pandas reads other tables than text files.
PACKAGES = {".xlsx": "openpyxl", ".parquet": "pyarrow"}


def read_table(file, sep=None, encoding=None, content=None):
    """Return a CSV, Excel or Parquet file as a table; cells of the first two are texts.

    Blank rows are left out, but counted in the index. If `encoding` is None, the file
    is read as UTF-8, and errors don't suggest another encoding, for functions that have
    no such parameter. If the bytes of its `content` are given, the file is a URL.
    """
    codec = encoding or "utf-8-sig"
    if content is None:
        raw = file = expand(file)
        if not file.is_file():
            raise FileNotFoundError(f"there is no table {str(file)!r}")
        kind = file.suffix.lower()
    else:
        raw = io.BytesIO(content)
        kind = Path(urlsplit(str(file)).path).suffix.lower()
    options = {"dtype": str, "keep_default_na": False, "na_values": _MISSING}
    try:
        if kind == ".parquet":
            return drop_blank_rows(_read_parquet(raw).reset_index(drop=True))
        if kind == ".xlsx":
            return _read_excel(raw, options)
        _check_is_text(raw)
        sep = sep or _detect_separator(raw, codec)
        blank, n_below = _find_blank_lines(raw, codec)
        options |= {"skiprows": blank, "skip_blank_lines": False, "index_col": False}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", pd.errors.ParserWarning)
            table = pd.read_csv(raw, sep=sep, encoding=codec, **options)
        if caught and len(sep) == 1:
            _check_surplus(raw, sep, codec)
        table.index += n_below
        return drop_blank_rows(table)
    except pd.errors.EmptyDataError as error:
        raise ValueError(f"the table {str(file)!r} is empty") from error
    except ImportError as error:
        raise ImportError(
            f"{str(file)!r} needs {PACKAGES[kind]}, which is not installed. Run: pip "
            "install 'skart[tables]'"
        ) from error
    except UnicodeDecodeError as error:
        shown = "UTF-8" if codec.lower() in ("utf-8-sig", "utf-8") else codec
        hint = ", or pass its encoding, such as encoding='latin-1'" if encoding else ""
        raise ValueError(
            f"{str(file)!r} is not a table in the encoding {shown}. Save it as UTF-8"
            f"{hint}."
        ) from error
    except (ValueError, KeyError, OSError, csv.Error, zipfile.BadZipFile) as error:
        raise ValueError(f"{str(file)!r} can't be read as a table: {error}") from error


def _read_excel(file, options):
    """Return the first sheet of an Excel file, and in `attrs` what others there are."""
    with pd.ExcelFile(file, engine=PACKAGES[".xlsx"]) as book:
        table = drop_blank_rows(pd.read_excel(book, **options))
        first, *others = map(repr, book.sheet_names)
    if others:
        table.attrs["sheets"] = (
            f" Only its first sheet is read, {first}, not {', '.join(others)}: put the "
            "table first."
        )
    return table


def drop_blank_rows(table):
    """Leave out the rows in which all cells are blank, and keep the index of others."""
    rows = np.arange(len(table))
    for place in range(table.shape[1]):
        cells = table.iloc[rows, place]
        rows = rows[cells.isna() | cells.astype(str).str.strip().eq("")]
    return table.drop(index=table.index[rows]) if len(rows) else table


def _read_parquet(file):
    """Return the columns of a Parquet file but those of images."""
    from pyarrow import parquet

    with parquet.ParquetFile(file) as opened:
        images = bytes_columns(opened.schema_arrow)
        columns = [x for x in opened.schema_arrow.names if x not in images]
    return pd.read_parquet(file, columns=columns if images else None)


def bytes_columns(schema):
    """Return the columns of bytes, and those of Hugging Face's bytes and paths."""
    from pyarrow import types

    def holds_bytes(kind):
        if types.is_struct(kind):
            place = kind.get_field_index("bytes")
            return place >= 0 and holds_bytes(kind.field(place).type)
        return str(kind) in ("binary", "large_binary", "binary_view")

    return [field.name for field in schema if holds_bytes(field.type)]


def find_image_column(file):
    """Return the column of images of a Parquet file without paths; None for others."""
    file = expand(file)
    # A file that was fetched has no suffix.
    with contextlib.suppress(OSError), open(file, "rb") as raw:
        if raw.read(4) != b"PAR1":
            return None
    with contextlib.suppress(ImportError):
        from pyarrow import ArrowException, parquet

        with contextlib.suppress(OSError, ArrowException):
            return _choose_images(parquet.read_schema(file), repr(str(file)))
    return None  # what is wrong is told where the file is read


def _choose_images(schema, name):
    """Return the column of images of a schema without paths, or None."""
    images = bytes_columns(schema)
    others = pd.DataFrame(columns=[x for x in schema.names if x not in images])
    if find_usual(others, "path") is not None:
        return None
    if "image" in images:
        return "image"
    if len(images) > 1:
        raise ValueError(
            f"{name} has several columns of bytes, {', '.join(map(repr, images))}: "
            "name that of the images as image of load_table"
        )
    return next(iter(images), None)


def clean_names(table, name):
    """Return a table with clean names of columns, which must differ."""
    table = table.rename(columns=lambda column: " ".join(str(column).split()))
    twice = table.columns[table.columns.duplicated()].tolist()
    if twice:
        raise ValueError(f"{name} has several columns {twice[0]!r}: rename them")
    return table


def clean_column(column):
    """Return a column with one spelling of blanks and accents, None for blank cells.

    Floats become integers if all are whole numbers.
    """
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    return pd.Series(map(_clean, column), column.index, dtype=object)


def _clean(value):
    if isinstance(value, str):
        # Bytes of file names that are no UTF-8 become escapes.
        value = value.encode("utf-8", "backslashreplace").decode()
        return unicodedata.normalize("NFC", " ".join(value.split())) or None
    return None if pd.isna(value) else value


def find_columns(table, name, **wanted):
    """Return the columns of path, movement and artist; None for no artist."""
    found = {}
    for role, column in wanted.items():
        if column is None:
            column = find_usual(table, role)
            if column is None and role != "artist":
                raise ValueError(
                    f"{name} has no column that looks like the {role}. Its columns are "
                    f"{', '.join(map(repr, table.columns))}: name one as {role}."
                    f"{table.attrs.get('sheets', '')}"
                )
        elif column is False and role == "artist":
            pass
        elif column not in table:
            raise ValueError(
                f"{name} has no column {column!r}, named as {role}."
                f"{suggest(column, map(str, table.columns))}"
                f"{table.attrs.get('sheets', '')}"
            )
        found[role] = column or None
    return found


def find_usual(table, role):
    """Return the first column with a usual name of a role, or None."""
    by_key = {}
    for column in table.columns:
        key = "".join(sign for sign in str(column).casefold() if sign.isalnum())
        by_key.setdefault(key, column)
    return next((by_key[key] for key in _COLUMNS[role] if key in by_key), None)


def as_numbers(column):
    """Return a column of whole numbers as int if no digit is lost, else unchanged."""
    texts = column.dropna()
    if len(texts) and texts.astype(str).str.fullmatch(r"-?[1-9]\d{0,17}|0").all():
        return column.astype("Int64" if column.isna().any() else "int64")
    return column


def _read_bytes(file):
    """Return the content of a file, or of bytes in memory."""
    return file.getvalue() if hasattr(file, "getvalue") else file.read_bytes()


def _open_text(file, encoding):
    """Open a file, or bytes in memory, as text."""
    return io.TextIOWrapper(io.BytesIO(_read_bytes(file)), encoding, newline="")


def _check_is_text(file):
    """Raise ValueError if a file, or bytes in memory, is compressed."""
    content = _read_bytes(file)
    if content.startswith(_ZIP):
        raise ValueError(
            "it is a spreadsheet or ZIP file. Save the table in it as .xlsx or CSV"
        )
    if content.startswith(_COMPRESSED):
        raise ValueError("it is compressed. Unpack it, and pass the file in it")


def _check_surplus(file, sep, encoding):
    """Raise ValueError if a row has more fields than the first, unless they are blank.

    Lines may end in a separator.
    """
    with _open_text(file, encoding) as raw:
        rows = csv.reader(raw, delimiter=sep)
        header = next(row for row in rows if "".join(row).strip())
        for number, row in enumerate(rows, start=1):
            if any(value.strip() for value in row[len(header) :]):
                raise ValueError(
                    f"row {number} has {len(row)} fields, and there are {len(header)} "
                    f"columns. Put a value that contains {sep!r} in double quotes."
                )


def _find_blank_lines(file, encoding):
    """Return the blank lines around the header of a CSV file, and how many are below.

    Below the header, pandas would take the fields of a blank line as the most allowed.
    """
    blank, header = [], None
    with _open_text(file, encoding) as raw:
        for number, line in enumerate(raw):
            if not line.strip():
                blank.append(number)
            # A header with an open quote goes on in the next line.
            elif header is None and line.count('"') % 2 == 0:
                header = number
            else:
                break
    return blank, sum(header is not None and number > header for number in blank)


def _detect_separator(file, encoding):
    """Return the separator with the most fields in each of the first lines.

    Raise ValueError if the file is JSON.
    """
    with _open_text(file, encoding) as raw:
        read = list(itertools.islice(raw, 20))
    lines = [line for line in read if line.strip()]

    if lines and lines[0].lstrip().startswith(("{", "[")):
        raise ValueError(
            "it is JSON. A IIIF manifest goes into a column of a table, named as "
            "manifest; load_iiif loads it without a table"
        )

    def count_fields(sep):
        counts = []
        with contextlib.suppress(csv.Error):  # a cell that is longer than csv reads
            for row in csv.reader(lines, delimiter=sep):
                counts.append(len(row))
        if len(read) == 20:  # the last row may go on
            counts = counts[:-1] or counts
        return min(counts, default=0)

    return max(_SEPARATORS, key=count_fields)
