"""Which files are those of a feature store, and which are other programs'."""

import contextlib
import os
import re
import sqlite3
import stat

# Raise it when older code would misread what is stored: it is in the file's name, so
# that files of several formats lie side by side. The first was no SQLite file.
FORMAT = 2

# In the header of each SQLite file of a store, of every format from the second on.
APPLICATION_ID = int.from_bytes(b"skar")

# What the tables are made by, as SQLite keeps it; a file without the number in its
# header, of code that did not write it yet, is known by them.
TABLES = {
    name: f"CREATE TABLE {name} (key BLOB UNIQUE, value BLOB)"
    for name in ("paths", "sections", "arrays")
}
MENDING_LOCK = "mending.lock"

# Files of a store, those of other formats and what a killed process leaves. Earlier
# versions made a file [0-9a-f]{16}.lock for each section. Exported models are kept in
# the same folder.
_OWN_FILES = re.compile(
    r"(?P<data>features-\d+\.sqlite)(-journal|\.new|\.new-journal)?|"
    rf"[0-9a-f]{{16}}\.lock|{MENDING_LOCK}|(data|lock)\.mdb|"
    r"export-[0-9a-f]{64}\.tflite|\.skart-[0-9a-f]{32}\.part"
)
DATA_FILES = re.compile(r"features-\d+\.sqlite|data\.mdb")


def holds_store(file):
    """Tell whether a SQLite file is one of a feature store.

    Parameters
    ----------
    file : Path
        The file, which may be in use, damaged or missing; nothing is done to it.

    Returns
    -------
    holds_store : bool or None
        False if it is another program's; None if it is no SQLite file, or is empty.
    """
    schema = []
    try:
        if file.stat().st_size < 100:  # the size of a header
            return None
        # Not opened as a plain file: closing that would lose the locks which other
        # threads have on it. "Immutable" makes no files beside it, and reads none.
        with contextlib.closing(
            sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)
        ) as connection:
            connection.text_factory = bytes
            # Has SQLite read a file that is shorter than it should be.
            connection.execute("PRAGMA writable_schema = ON")
            (number,) = connection.execute("PRAGMA application_id").fetchone()
            if number == APPLICATION_ID:
                return True
            with contextlib.suppress(sqlite3.Error, UnicodeDecodeError):
                schema = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    except (OSError, sqlite3.Error):
        return None
    made = {sql for (sql,) in schema if sql is not None}  # indexes have none
    return bool(made) and made <= {sql.encode() for sql in TABLES.values()}


def was_store(file):
    """Tell a damaged store from what merely has its name, by its first page.

    Parameters
    ----------
    file : Path
        A file that SQLite can't read.

    Returns
    -------
    was_store : bool
        True also if it is empty; False also if that page is lost.
    """
    with open(file, "rb") as damaged:
        page = damaged.read(4096)
    return (
        not page
        or page[68:72] == APPLICATION_ID.to_bytes(4)
        or any(sql.encode() in page for sql in TABLES.values())
    )


def is_not_folder(path):
    """Return whether a path exists and is not a folder.

    Parameters
    ----------
    path : Path
        A path, which other processes may make or delete at the same time.

    Returns
    -------
    is_not_folder : bool
        True also for a broken link.
    """
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return path.is_symlink()


def is_own(path):
    """Tell whether a skart, of whichever version, has put a file into a store.

    Parameters
    ----------
    path : Path
        A file in the folder of a store.

    Returns
    -------
    is_own : bool
        False also for other programs' files of such names.
    """
    match = _OWN_FILES.fullmatch(path.name)
    if not match or not path.is_file():
        return False
    if match["data"]:
        data = path.with_name(match["data"])
        if not data.exists():  # what a killed process left of it
            return match["data"] == f"features-{FORMAT}.sqlite"
        held = holds_store(data)
        return held or held is None and was_store(data)
    if path.suffix != ".mdb":
        return True
    # The first format had names that other programs use, too.
    data = path.with_name("data.mdb")
    if not data.is_file():
        return False
    with open(data, "rb") as file:
        return any(
            b"skart store 1" in part for part in iter(lambda: file.read(1 << 20), b"")
        )
