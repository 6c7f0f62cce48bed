"""What can go wrong with a feature store, and what to do then."""

import functools
import sqlite3
import time
import warnings

# Errors that say so, and those of statements, which are right unless the schema is
# damaged.
_DAMAGE = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
}

# What a file gives that was deleted, with its folder perhaps, while it was open.
_UNSETTLED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}

_N_TRIES = 5


class StoreError(OSError):
    """A feature store that can't be opened, read or written."""


class UnsettledStoreError(StoreError):
    """A feature store that can't be used now: it was deleted meanwhile, perhaps."""


class DamagedStoreError(StoreError):
    """A feature store whose file is damaged.

    Parameters
    ----------
    message : str
        What was found.
    inode : int
        The file that was open.
    """

    def __init__(self, message, inode):
        super().__init__(message)
        self.inode = inode


def is_damage(error):
    """Tell whether an error says that a file is damaged.

    Parameters
    ----------
    error : sqlite3.Error or UnicodeDecodeError
        What SQLite said, or that it can't be read.

    Returns
    -------
    is_damage : bool
        False where the file can't be had now, for instance.
    """
    code = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, UnicodeDecodeError) or bool({code, code & 0xFF} & _DAMAGE)


def explain(error, root, inode=None, *, replaced=False):
    """Give the error of a store for one of its database.

    Parameters
    ----------
    error : sqlite3.Error or UnicodeDecodeError
        What SQLite said, or that it can't be read.
    root : Path
        Folder of the store.
    inode : int, default=None
        The file that was open.
    replaced : bool, default=False
        Whether it was deleted, or another is in its place.

    Returns
    -------
    error : StoreError
        What happened, and what to do.
    """
    code = getattr(error, "sqlite_errorcode", 0)
    start = f"the feature store {root}"
    if replaced:
        return UnsettledStoreError(
            f"{start} was deleted, or made anew, while it was used. Run again."
        )
    if is_damage(error):
        return DamagedStoreError(
            f"{start} is damaged: {error}. Mend it by skart cache verify --repair, "
            "or delete it: features are computed anew.",
            inode,
        )
    # Quotas and limits of a file's size are met as errors of writing.
    if code == sqlite3.SQLITE_IOERR_WRITE or code & 0xFF == sqlite3.SQLITE_FULL:
        return StoreError(
            f"{start} has no room to grow: {error}. What is stored is kept. Make "
            "room on the disk, raise max_bytes, or name another folder as cache; "
            "then run again."
        )
    if code & 0xFF == sqlite3.SQLITE_BUSY:
        return StoreError(
            f"{start} has been held by another process for a minute or longer. Wait "
            "for it or end it, or name another folder as cache."
        )
    unsettled = code & 0xFF in _UNSETTLED
    return (UnsettledStoreError if unsettled else StoreError)(
        f"{start} can't be used: {error}. See to its permissions and its disk, or "
        "name another folder as cache."
    )


def mended(method):
    """Have a method mend the ``_database`` it uses, if damaged, and begin again.

    Parameters
    ----------
    method : callable
        Reads or writes the database.

    Returns
    -------
    method : callable
        The same, but for damage, and for what is over at one of the next tries.
    """

    @functools.wraps(method)
    def run(self, *args):
        for _ in range(_N_TRIES - 1):
            try:
                return method(self, *args)
            except UnsettledStoreError:
                time.sleep(0.05)
            except DamagedStoreError as error:
                n_arrays = self._database.mend(error.inode)
                if n_arrays is not None:
                    warnings.warn(
                        f"the feature store {self._database.root} was damaged: "
                        f"{n_arrays} of its arrays could be saved, others will be "
                        "computed anew",
                        stacklevel=3,
                    )
        return method(self, *args)

    return run
