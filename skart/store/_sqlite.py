"""One SQLite file of keys and values in which damage is found, told and mended.

SQLite [1]_ reads damaged and truncated files without crashing, which a database that
maps its file into memory can't; but it does not notice all damage itself. So each
value is sealed with a checksum of its place and itself.

References
----------
.. [1] "How To Corrupt An SQLite Database File".
   https://www.sqlite.org/howtocorrupt.html
"""

import contextlib
import os
import shutil
import sqlite3
import struct
import warnings
import zlib

from skart.store._errors import StoreError, explain, is_damage
from skart.store._mounts import warn_of_network
from skart.store._store_files import (
    APPLICATION_ID,
    DATA_FILES,
    FORMAT,
    MENDING_LOCK,
    TABLES,
    holds_store,
    is_not_folder,
    is_own,
    was_store,
)

_SIGN = f"PRAGMA application_id = {APPLICATION_ID}"
_CHECKSUM = struct.Struct("<I")

# So much is read in one transaction, which lets no other process write: some seconds
# even on a slow disk, where others wait a minute.
_SLICE = 2**22
_WHOLE = 2**28


class Database:
    """Tables ``paths``, ``sections`` and ``arrays`` in one file of a folder.

    Each transaction opens the file anew, which takes a tenth of a millisecond: so
    threads share nothing, forks are allowed, and the file may be deleted at any time.

    Parameters
    ----------
    root : Path
        The folder, made when first needed.
    max_bytes : int
        Largest size of the file.
    """

    def __init__(self, root, max_bytes):
        self.root = root
        self.max_bytes = max_bytes
        self.file = root / f"features-{FORMAT}.sqlite"
        self.is_temporary = False

    @property
    def read_only(self):
        """Whether the folder is there, but nothing can be written to it."""
        return any(
            os.path.exists(path) and not os.access(path, os.W_OK)
            for path in (self.root, self.file)
        )

    @contextlib.contextmanager
    def transaction(self, *, write=False, look=False):
        """Do all that follows, or nothing of it.

        Parameters
        ----------
        write : bool, default=False
            Whether anything is written.
        look : bool, default=False
            Whether nothing is made, not even a file: what is missing is empty.

        Yields
        ------
        transaction : Transaction
            Reads and writes.

        Raises
        ------
        DamagedStoreError
            If the file is damaged.
        StoreError
            If it can't be used otherwise, or is another program's.
        """
        is_new = not self.file.exists()
        inode = None
        self._refuse_other_programs()
        try:
            # What isn't committed is rolled back.
            with contextlib.closing(self._connect(look)) as connection:
                inode = self.inode()
                connection.execute(f"PRAGMA max_page_count = {self.max_bytes // 4096}")
                _prepare(connection, can_write=not (look or self.read_only))
                if is_new and not look:
                    self._warn_of_other_formats()
                if write and not self.is_temporary:
                    warn_of_network(self.root)
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                if write:
                    connection.execute(_SIGN)  # earlier code did not
                yield Transaction(connection, inode)
                connection.execute("COMMIT")
        # Texts of errors quote damaged names, which may be no UTF-8.
        except (sqlite3.Error, UnicodeDecodeError) as error:
            replaced = inode is not None and self.inode() != inode
            raise explain(error, self.root, inode, replaced=replaced) from error

    def check(self, inode):
        """Check how the file hangs together, unless that takes long.

        Parameters
        ----------
        inode : int or None
            The file that is meant.

        Returns
        -------
        problems : list of str
            Empty also for a large file, of which :meth:`scan` has to be enough.
        """
        with self._look_at(inode) as transaction:
            small = inode is None or self.file.stat().st_size <= _WHOLE
            return transaction.find_problems() if small else []

    def scan(self, table, inode):
        """Read a table in short transactions, between which others can write.

        Parameters
        ----------
        table : str
            Its name.
        inode : int or None
            The file that is meant.

        Yields
        ------
        key, value : object, bytes
            As :meth:`Transaction.get` gives them.
        is_indexed : bool
            Whether the row is found by its key.
        """
        after = -(2**63)
        with self._look_at(inode) as transaction:
            last = transaction.last_row(table)
        # What is written anew meanwhile gets a number behind it.
        while after < last:
            with self._look_at(inode) as transaction:
                rows, after = transaction.read_slice(table, after, last)
            yield from rows

    def mend(self, inode):
        """Put what can still be read into a new file, in the place of a damaged one.

        Parameters
        ----------
        inode : int
            The file that was found to be damaged. If it is no longer there, nothing is
            done.

        Returns
        -------
        n_arrays : int or None
            Arrays that could be saved; None if nothing was done.
        """
        if inode is None or self.inode() != inode:
            return None
        self._refuse_other_programs()
        if self.read_only:
            raise StoreError(
                f"the feature store {self.root} is damaged, and nothing can be written "
                "to it. Mend it where it can be (skart cache verify --repair), or name "
                "another folder as cache."
            )
        with self._mending_lock():
            if self.inode() != inode:  # another process has done it meanwhile
                return None
            new = self.file.with_name(f"{self.file.name}.new")
            for leftover in (new, new.with_name(f"{new.name}-journal")):
                leftover.unlink(missing_ok=True)
            try:
                n_arrays = self._salvage(new)
            except sqlite3.Error as error:
                new.unlink(missing_ok=True)
                raise explain(error, self.root) from error
            shutil.copymode(self.file, new)  # others may use it, too
            if not n_arrays and not was_store(self.file):
                aside = self.file.with_name(f"{self.file.name}.damaged")
                os.replace(self.file, aside)
                warnings.warn(
                    f"{self.file} holds nothing of a store; it is kept as {aside}",
                    stacklevel=4,
                )
            # It would be taken for the new file's.
            self.file.with_name(f"{self.file.name}-journal").unlink(missing_ok=True)
            os.replace(new, self.file)
        return n_arrays

    def other_files(self):
        """Find data of other formats, and what is not of a store.

        Returns
        -------
        formats : list of Path
            Data files of other versions of skart.
        strange : list of Path
            All that no skart has put there.
        """
        files = sorted(self.root.iterdir()) if self.root.is_dir() else []
        strange = [path for path in files if not is_own(path)]
        formats = [
            path
            for path in files
            if DATA_FILES.fullmatch(path.name) and path not in (self.file, *strange)
        ]
        return formats, strange

    def own_files(self):
        """List all that a skart has put into the folder."""
        files = sorted(self.root.iterdir()) if self.root.is_dir() else []
        return [path for path in files if is_own(path)]

    @contextlib.contextmanager
    def _mending_lock(self):
        """Hold a lock that one process or thread can have at a time."""
        try:
            lock = sqlite3.connect(
                self.root / MENDING_LOCK, timeout=600, isolation_level=None
            )
            with contextlib.closing(lock):
                lock.execute("BEGIN EXCLUSIVE")
                yield
        except sqlite3.Error as error:
            raise explain(error, self.root) from error

    def _refuse_other_programs(self):
        if holds_store(self.file) is False:
            raise StoreError(
                f"{self.file} is a database of another program, not a feature store. "
                "It was left as it is. Name another folder as cache, or move the file "
                "away."
            )

    def _connect(self, look):
        if look or self.read_only:
            # What a killed process half wrote, SQLite has to undo before it reads.
            journal = self.file.with_name(f"{self.file.name}-journal")
            mode = "rw" if journal.exists() and not self.read_only else "ro"
            return self._open(mode if self.file.exists() else "memory")
        try:
            os.makedirs(self.root, exist_ok=True)
        except (FileNotFoundError, NotADirectoryError, FileExistsError) as error:
            for path in (self.root, *self.root.parents):
                if is_not_folder(path):
                    raise StoreError(
                        f"the feature store {self.root} can't be made: {path} is not "
                        "a folder. Name a folder as cache."
                    ) from error
            # Another process has just deleted one of the folders.
            raise explain(None, self.root, replaced=True) from error
        except OSError as error:
            raise StoreError(
                f"the feature store {self.root} can't be made: {error.strerror}. Name "
                "another folder as cache."
            ) from error
        return self._open("rwc")

    def _open(self, mode):
        connection = sqlite3.connect(
            f"{self.file.as_uri()}?mode={mode}",
            uri=True,
            timeout=60,  # seconds that another process may hold the file
            isolation_level=None,
        )
        connection.text_factory = bytes  # damage makes texts that are no UTF-8
        return connection

    def _warn_of_other_formats(self):
        formats = self.other_files()[0]
        if formats:
            names = " and ".join(path.name for path in formats)
            warnings.warn(
                f"the feature store {self.root} holds features of another version of "
                f"skart, in {names}. They are left alone, and this version computes "
                f"its own. Delete {names} if no other version is in use.",
                stacklevel=5,
            )

    @contextlib.contextmanager
    def _look_at(self, inode):
        with self.transaction(look=True) as transaction:
            if transaction.inode != inode:
                raise explain(None, self.root, replaced=True)
            yield transaction

    def inode(self):
        """Give the number of the file; None where there is none."""
        try:
            return os.stat(self.file).st_ino
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _salvage(self, new):
        n_arrays = 0
        connection = sqlite3.connect(new, isolation_level=None)
        with contextlib.closing(connection):
            _prepare(connection)
            connection.execute("BEGIN")
            for table in TABLES:
                # From both ends, since rows can't be read past a damaged page.
                for order in ("ASC", "DESC"):
                    for row in self._readable_rows(table, order):
                        n_new = connection.execute(
                            f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", row
                        ).rowcount
                        n_arrays += n_new * (table == "arrays")
            connection.execute("COMMIT")
        return n_arrays

    def _readable_rows(self, table, order):
        try:
            with contextlib.closing(self._open("rw")) as connection:
                # Has SQLite read a file that is shorter than it should be.
                connection.execute("PRAGMA writable_schema = ON")
                rows = connection.execute(
                    f"SELECT key, value FROM {table} ORDER BY rowid {order}"
                )
                while row := rows.fetchone():
                    if _unseal(table, *row):
                        yield row
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if not is_damage(error):  # held by another process, for instance
                raise


class Transaction:
    """Reads and writes that happen together.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction.
    inode : int
        The file.
    """

    def __init__(self, connection, inode):
        self._connection = connection
        self.inode = inode

    def has(self, table, key):
        """Tell whether there is a value, sound or not."""
        query = f"SELECT 1 FROM {table} WHERE key = ?"
        return self._connection.execute(query, (key,)).fetchone() is not None

    def get(self, table, key):
        """Read a value.

        Returns
        -------
        value : bytes or None
            Empty where it is damaged; None where there is none.
        """
        query = f"SELECT value FROM {table} WHERE key = ?"
        row = self._connection.execute(query, (key,)).fetchone()
        return None if row is None else _unseal(table, key, row[0])

    def put(self, table, key, value):
        """Write a value, in the place of an earlier one; it must not be empty."""
        self._connection.execute(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?)",
            (key, _seal(table, key, value)),
        )

    def add(self, table, key, value):
        """Write a value unless the key has one; return whether it was written."""
        done = self._connection.execute(
            f"INSERT OR IGNORE INTO {table} VALUES (?, ?)",
            (key, _seal(table, key, value)),
        )
        return done.rowcount == 1

    def delete(self, table, key):
        """Delete a value."""
        self._connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))

    def scan(self, table):
        """Read all keys and values, as :meth:`get` gives them."""
        for key, value in self._connection.execute(f"SELECT key, value FROM {table}"):
            yield key, _unseal(table, key, value)

    def last_row(self, table):
        """Give the number of the last row; that before all others if there is none."""
        (number,) = self._connection.execute(
            f"SELECT max(rowid) FROM {table}"
        ).fetchone()
        return -(2**63) if number is None else number

    def read_slice(self, table, after, last):
        """Read some rows, and the number of the last: see :meth:`Database.scan`."""
        rows, n_bytes = [], 0
        for number, key, value, by_key in self._connection.execute(
            f"SELECT rowid, key, value, (SELECT rowid FROM {table} AS other "
            f"WHERE other.key = {table}.key) FROM {table} "
            "WHERE rowid > ? AND rowid <= ? ORDER BY rowid",
            (after, last),
        ):
            if number <= after:  # it would never end
                error = sqlite3.DatabaseError("rows are out of order")
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error
            after = number
            rows.append((key, _unseal(table, key, value), by_key == number))
            n_bytes += 8192 + len(rows[-1][1])  # which small ones may take to seek
            if n_bytes >= _SLICE:
                return rows, after
        return rows, last

    def measure_arrays(self):
        """Count arrays and their bytes.

        Returns
        -------
        sizes : dict of bytes to (int, int)
            By the first 16 bytes of their keys.
        """
        rows = self._connection.execute(
            "SELECT substr(key, 1, 16), count(*), sum(length(value)) FROM arrays "
            "GROUP BY 1"
        )
        return {key: (n, n_bytes) for key, n, n_bytes in rows}

    def find_problems(self):
        """Check how the file hangs together: a list of str."""
        rows = self._connection.execute("PRAGMA integrity_check")
        found = [row[0].decode(errors="replace") for row in rows]
        return [] if found == ["ok"] else found


def _prepare(connection, *, can_write=True):
    """Make the tables, unless they are there; empty ones in memory to read only."""
    connection.execute("PRAGMA mmap_size = 0")  # a truncated map is a crash
    connection.execute("PRAGMA cell_size_check = ON")
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if n_tables and not can_write or n_tables >= len(TABLES):
        return
    kind = "TABLE IF NOT EXISTS" if can_write else "TEMPORARY TABLE"
    connection.execute("BEGIN IMMEDIATE" if can_write else "BEGIN")
    for statement in TABLES.values():
        connection.execute(statement.replace("TABLE", kind))
    if can_write:
        connection.execute(_SIGN)
    connection.execute("COMMIT")


def _seal(table, key, value):
    """Put a checksum in front, also of the place: pages may be taken for others'."""
    return _checksum(table, key, value) + value


def _unseal(table, key, sealed):
    """Give a value without its checksum; empty if it is not as it was written there."""
    if not isinstance(key, bytes) or not isinstance(sealed, bytes):
        return b""
    value = sealed[_CHECKSUM.size :]
    sound = _checksum(table, key, value) == sealed[: _CHECKSUM.size]
    return value if sound else b""


def _checksum(table, key, value):
    return _CHECKSUM.pack(zlib.crc32(value, zlib.crc32(key + table.encode())))
