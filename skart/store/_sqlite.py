"""The SQLite file of a store: transactions, checksums, damage and errors.

SQLite reads damaged and truncated files without crashing, as long as it does not map
them into memory, but it does not notice all damage itself. Each value therefore has a
checksum of its key and its bytes.
"""

import contextlib
import functools
import os
import re
import sqlite3
import time
import warnings
import zlib

from skart.store._mounts import warn_if_network

# The number is that of the format: files of several formats can lie side by side.
_NAME = "features-1.sqlite"
# The journal, networks and exports for OpenVINO, and temporary files of atomic_write.
_BESIDE = (
    rf"{re.escape(_NAME)}-journal(\.damaged)?"
    r"|(export|network)-[0-9a-f]{64}\.openvino"
    r"|\.skart-[0-9a-f]{32}\.part"
)
_APPLICATION_ID = int.from_bytes(b"skar")  # in the header of a file of any format
_TABLE = "TABLE entries (key BLOB UNIQUE, value BLOB)"
_N_CHECKSUM = 4

# SQLITE_ERROR and the two after it are met where the schema or an index is damaged: the
# statements themselves are right.
_DAMAGE = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
}

# Errors of a file that was deleted while it was open, perhaps with its folder.
_REPLACED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}

_N_TRIES = 5


class StoreError(OSError):
    """A feature store that cannot be opened, read or written."""


class ReplacedStoreError(StoreError):
    """A store whose file was deleted or replaced meanwhile: worth another try."""


class DamagedStoreError(StoreError):
    """A store whose file, that with this inode, is damaged."""

    def __init__(self, message, inode):
        super().__init__(message)
        self.inode = inode


def retry(method):
    """Wrap a method: begin a damaged ``_database`` anew and run the method again."""

    @functools.wraps(method)
    def run(self, *args):
        for _ in range(_N_TRIES - 1):
            try:
                return method(self, *args)
            except ReplacedStoreError:
                time.sleep(0.05)
            except DamagedStoreError as error:
                self._database.set_aside(error.inode)
        return method(self, *args)

    return run


class Database:
    """A table of keys and values in one file.

    Each transaction opens the file anew, which takes a tenth of a millisecond: threads
    share nothing, forks are allowed, and the file may be deleted at any time.
    """

    def __init__(self, root, max_bytes):
        self.root = root
        self.max_bytes = max_bytes
        self.file = root / _NAME
        self.is_temporary = False

    @property
    def read_only(self):
        """Whether the folder or the file exists, but cannot be written to."""
        # Twice: a file that is just being replaced is not writable for a moment.
        return all(
            any(
                not os.access(path, os.W_OK) and os.path.exists(path)
                for path in (self.root, self.file)
            )
            for _ in range(2)
        )

    @property
    def inode(self):
        """Inode of the file; None if there is no file."""
        try:
            return os.stat(self.file).st_ino
        except (FileNotFoundError, NotADirectoryError):
            return None

    @contextlib.contextmanager
    def transaction(self, *, write=False, create=True):
        """Yield a Transaction; without `create`, a file that is missing is empty."""
        inode = None
        if _is_foreign(self.file):
            raise self._foreign_error()
        try:
            # Changes that are not committed are rolled back.
            with contextlib.closing(self._connect(create)) as connection:
                inode = self.inode
                connection.execute(f"PRAGMA max_page_count = {self.max_bytes // 4096}")
                _prepare(connection, can_write=create and not self.read_only)
                if write and not self.is_temporary:
                    warn_if_network(self.root)
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield Transaction(connection)
                connection.execute("COMMIT")
        # UnicodeDecodeError: messages quote damaged names.
        except (sqlite3.Error, UnicodeDecodeError) as error:
            replaced = inode is not None and self.inode != inode
            raise self._explain(error, inode, replaced) from error

    def set_aside(self, inode):
        """Rename the damaged file and warn; return False if it is no longer there."""
        if inode is None or self.inode != inode:  # another process has renamed it
            return False
        if self.read_only:
            raise StoreError(
                f"the feature store {self.root} is damaged, and nothing can be written "
                "to it. Make its folder writable, or name another folder as cache."
            )
        # The journal first: SQLite would roll it back into the new file.
        for path in (f"{self.file}-journal", self.file):
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, f"{path}.damaged")
        warnings.warn(
            f"the feature store {self.root} was damaged: its file is kept as "
            f"{self.file}.damaged; features are computed anew",
            stacklevel=3,
        )
        return True

    def list_files(self):
        """Return the files of stores in the folder, and all other files."""
        files = sorted(self.root.iterdir()) if self.root.is_dir() else []
        own = [path for path in files if _is_own(path)]
        return own, [path for path in files if path not in own]

    def _connect(self, create):
        if not create or self.read_only:
            # SQLite has to roll back the journal of a killed process before it reads.
            journal = self.file.with_name(f"{self.file.name}-journal")
            mode = "rw" if journal.exists() and not self.read_only else "ro"
            mode = mode if self.file.exists() else "memory"
        else:
            mode = "rwc"
            self._make_folder()
        connection = sqlite3.connect(
            f"{self.file.as_uri()}?mode={mode}",
            uri=True,
            timeout=60,  # seconds to wait for another process
            isolation_level=None,
        )
        connection.text_factory = bytes  # damaged texts may be no UTF-8
        return connection

    def _make_folder(self):
        start = f"the feature store {self.root} cannot be made"
        try:
            os.makedirs(self.root, exist_ok=True)
        except OSError as error:
            folders = (self.root, *self.root.parents)
            nearest = next(path for path in folders if os.path.lexists(path))
            reason = error.strerror
            if not nearest.is_dir():
                reason = f"{nearest} is not a folder"
            elif isinstance(
                error, (FileNotFoundError, FileExistsError, NotADirectoryError)
            ):
                # Another process has just deleted or made one of the folders.
                raise ReplacedStoreError(f"{start}: {reason}. Run again.") from error
            raise StoreError(
                f"{start}: {reason}. Name another folder as cache."
            ) from error

    def _foreign_error(self):
        return StoreError(
            f"{self.file} is no feature store: another program's file, or a store "
            "whose first page is lost. It was left as it is. Name another folder as "
            "cache, or move the file away."
        )

    def _explain(self, error, inode, replaced):
        """Return a StoreError for an error of SQLite."""
        code = getattr(error, "sqlite_errorcode", 0)
        kind = code & 0xFF
        start = f"the feature store {self.root}"
        if replaced:
            return ReplacedStoreError(
                f"{start} was deleted or made anew while it was used. Run again."
            )
        if isinstance(error, UnicodeDecodeError) or {code, kind} & _DAMAGE:
            if _is_foreign(self.file, damaged=True):
                return self._foreign_error()
            return DamagedStoreError(
                f"{start} is damaged: {error}. Run skart cache verify --repair, or "
                "delete it: features are computed anew.",
                inode,
            )
        # Quotas and limits of a file's size are met as errors of writing.
        if code == sqlite3.SQLITE_IOERR_WRITE or kind == sqlite3.SQLITE_FULL:
            return StoreError(
                f"{start} has no room to grow: {error}. Stored features are kept. Make "
                "room on the disk, raise max_bytes, or name another folder as cache; "
                "then run again."
            )
        if kind == sqlite3.SQLITE_BUSY:
            return StoreError(
                f"{start} has been locked by another process for a minute or longer. "
                "Wait for that process or end it, or name another folder as cache."
            )
        return (ReplacedStoreError if kind in _REPLACED else StoreError)(
            f"{start} cannot be used: {error}. Check its permissions and its disk, or "
            "name another folder as cache."
        )


class Transaction:
    """Reads and writes of one transaction. A key begins with the letter of its kind."""

    def __init__(self, connection):
        self._execute = connection.execute

    def has(self, key):
        """Return whether a key has a value, damaged or not."""
        rows = self._execute("SELECT 1 FROM entries WHERE key = ?", (key,))
        return rows.fetchone() is not None

    def get(self, key):
        """Return a value: None if there is none, b"" if it is damaged."""
        rows = self._execute("SELECT value FROM entries WHERE key = ?", (key,))
        row = rows.fetchone()
        return None if row is None else _unseal(key, row[0])

    def put(self, key, value):
        """Write a value, which must not be empty, over an earlier one."""
        row = key, checksum(key, value) + value
        self._execute("INSERT OR REPLACE INTO entries VALUES (?, ?)", row)

    def add(self, key, value):
        """Write a value unless the key has one; return whether it was written."""
        row = key, checksum(key, value) + value
        done = self._execute("INSERT OR IGNORE INTO entries VALUES (?, ?)", row)
        return done.rowcount == 1

    def delete(self, key):
        """Delete a value."""
        self._execute("DELETE FROM entries WHERE key = ?", (key,))

    def scan(self, kind=None):
        """Yield keys and values, as `get` returns them, of one kind or of all."""
        query, bounds = "SELECT key, value FROM entries", ()
        if kind is not None:
            query += " WHERE key >= ? AND key < ?"
            bounds = kind, bytes([kind[0] + 1])
        for key, value in self._execute(query, bounds):
            yield key, _unseal(key, value)

    def keys(self, prefix):
        """Return the keys that begin with a prefix, sorted."""
        query = "SELECT key FROM entries WHERE key >= ? AND key < ? ORDER BY key"
        bounds = prefix, prefix + b"\xff" * 64
        return [key for (key,) in self._execute(query, bounds)]

    def measure(self, kind, n_key):
        """Return {first `n_key` bytes of keys of a kind: (number, bytes of values)}."""
        rows = self._execute(
            "SELECT substr(key, 1, ?), count(*), sum(length(value)) FROM entries "
            "WHERE substr(key, 1, 1) = ? GROUP BY 1",
            (n_key, kind),
        )
        return {key: (n, n_bytes) for key, n, n_bytes in rows}

    def check(self):
        """Return the problems that SQLite finds in the file, a list of str."""
        rows = self._execute("PRAGMA integrity_check")
        found = [row[0].decode(errors="replace") for row in rows]
        return [] if found == ["ok"] else found


def _is_foreign(file, *, damaged=False):
    """Return whether a file is no store; files that SQLite can't read: if `damaged`."""
    # A file is opened as a plain file only if it is damaged: closing it releases the
    # locks that other threads have on it. "immutable" creates no files beside it.
    try:
        if not file.exists():
            return False
        with contextlib.closing(
            sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)
        ) as connection:
            connection.text_factory = bytes
            connection.execute("PRAGMA writable_schema = ON")  # reads truncated files
            connection.execute("BEGIN")  # another process may be creating the file
            (number,) = connection.execute("PRAGMA application_id").fetchone()
            (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
            if number == _APPLICATION_ID or not n_pages:
                return False
            rows = connection.execute("SELECT sql FROM sqlite_master").fetchall()
        made = {sql for (sql,) in rows if sql is not None}  # indexes have none
        return made != {f"CREATE {_TABLE}".encode()}
    except OSError:  # explained when SQLite opens it
        return False
    except (sqlite3.Error, UnicodeDecodeError):
        if not damaged:
            return False
    try:
        with open(file, "rb") as opened:
            page = opened.read(4096)
    except OSError:
        return False
    is_store = page[68:72] == _APPLICATION_ID.to_bytes(4) or _TABLE.encode() in page
    return bool(page.strip(b"\0")) and not is_store  # zeros: a crashed file system


def _is_own(path):
    """Return whether a file belongs to a store, by its name and content."""
    if re.fullmatch(_BESIDE, path.name):
        return path.is_file()
    named = re.fullmatch(r"features-\d+\.sqlite(\.damaged)?", path.name)
    return bool(named) and path.is_file() and not _is_foreign(path, damaged=True)


def _prepare(connection, *, can_write):
    """Create the table if there is none: in memory if nothing can be written."""
    connection.execute("PRAGMA mmap_size = 0")  # reading a truncated map is a SIGBUS
    connection.execute("PRAGMA cell_size_check = ON")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return
    if not can_write:
        connection.execute(f"CREATE TEMPORARY {_TABLE}")
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"CREATE {_TABLE}".replace("TABLE", "TABLE IF NOT EXISTS"))
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute("COMMIT")


def _unseal(key, sealed):
    """Return a value without its checksum; b"" if it does not match."""
    if not isinstance(key, bytes) or not isinstance(sealed, bytes):
        return b""
    value = sealed[_N_CHECKSUM:]
    return value if checksum(key, value) == sealed[:_N_CHECKSUM] else b""


def checksum(key, value):
    """Return the checksum of a value, and of its key: pages may be swapped."""
    return zlib.crc32(value, zlib.crc32(key)).to_bytes(_N_CHECKSUM, "little")
