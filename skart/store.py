"""Features on disk: content-addressed, transactional, shared between processes.

An LMDB environment [1]_ holds three tables: ``paths`` (what a file's stat said when
its bytes were last digested), ``sections`` (one for each way of computing features:
its identity, shape and dtype) and ``arrays`` (section + digest of the image ->
checksum + array). Each write is one transaction, so a killed process leaves the
table as it was before the batch in hand.

References
----------
.. [1] Chu. "LMDB: Lightning Memory-Mapped Database". http://www.lmdb.tech/doc/
"""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import struct
import tempfile
import threading
import time
import warnings
import weakref
import zlib
from pathlib import Path

import filelock
import lmdb
import numpy as np

_FORMAT = b"skart store 1"
_CHECKSUM = struct.Struct("<I")

# An environment may be opened once in a process only, and LMDB forbids carrying it
# across a fork.
_environments = {}
_environments_lock = threading.Lock()


def _forget_environments():
    global _environments_lock
    _environments.clear()
    _environments_lock = threading.Lock()  # a thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_environments)


class StoreError(OSError):
    """A feature store that can't be opened, read or written."""


class FeatureStore:
    """Arrays on disk under the digest of what they were computed from.

    Several processes may use one store at once. It may be deleted at any time: what
    is missing is computed anew.

    Parameters
    ----------
    root : str or path
        Folder of the store, made when first needed; ``~`` is expanded.
    max_bytes : int, default=2**40
        Largest size the store may grow to, in bytes. Only address space is reserved,
        neither memory nor disk. The first one given in a process holds for it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skart import FeatureStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     section = FeatureStore(folder).section({"of": "example"})
    ...     section.write([b"digest of an image"], np.ones((1, 3), "float32"))
    ...     section.read([b"digest of an image", b"of another"])
    (array([[1., 1., 1.],
           [0., 0., 0.]], dtype=float32), array([ True, False]))
    """

    def __init__(self, root, *, max_bytes=2**40):
        self.root = Path(root).expanduser()
        self.max_bytes = max_bytes

    @classmethod
    def temporary(cls):
        """Make a store that is deleted with the object.

        Returns
        -------
        store : FeatureStore
            A store in the system's folder for temporary files.
        """
        store = cls(tempfile.mkdtemp(prefix="skart-"))
        weakref.finalize(store, shutil.rmtree, store.root, ignore_errors=True)
        return store

    def digest_files(self, paths):
        """Digest the bytes of files, rereading only those that changed.

        A file counts as unchanged while its size, inode, and times of modification and
        of status change are what they were; one that changed less than two seconds ago
        is always reread, since the clock of file systems is that coarse.

        Parameters
        ----------
        paths : iterable of str or path
            The files.

        Returns
        -------
        digests : list of bytes or None
            SHA-256 of each file's bytes; None where it can't be read.
        """
        paths = list(paths)
        digests, changed = [None] * len(paths), []
        with self._transaction() as (transaction, tables):
            for index, path in enumerate(paths):
                try:
                    seen = os.stat(path)
                    key = hashlib.sha256(os.fsencode(os.path.abspath(path))).digest()
                except (OSError, ValueError):  # no file can have such a name
                    continue
                if not stat.S_ISREG(seen.st_mode):  # a named pipe would never end
                    continue
                facts = _facts(seen)
                known = transaction.get(key, db=tables["paths"])
                if known is not None and known[: len(facts)] == facts:
                    digests[index] = known[len(facts) :]
                else:
                    changed.append((index, path, key))
        learned = {}
        for index, path, key in changed:
            try:
                with open(path, "rb") as file:
                    seen = os.fstat(file.fileno())
                    digests[index] = hashlib.file_digest(file, "sha256").digest()
            except OSError:
                continue
            if time.time() - max(seen.st_mtime, seen.st_ctime) > 2:
                learned[key] = _facts(seen) + digests[index]
        if learned:
            with self._transaction(write=True) as (transaction, tables):
                for key, known in learned.items():
                    transaction.put(key, known, db=tables["paths"])
        return digests

    def section(self, identity):
        """Open the part of the store that belongs to one way of computing.

        Parameters
        ----------
        identity : dict
            All that the arrays depend on beside the image, as plain values.

        Returns
        -------
        section : StoreSection
            Reads and writes arrays of this identity only.
        """
        return StoreSection(self, identity)

    def info(self):
        """Count what the store holds.

        Returns
        -------
        info : dict
            ``path``; ``bytes`` on disk; ``arrays`` stored; ``writes``, arrays ever
            written (more than ``arrays`` if some were computed more than once); and
            ``sections``, their identities.
        """
        with self._transaction() as (transaction, tables):
            cursor = transaction.cursor(tables["sections"])
            sections = [json.loads(value) for _, value in cursor]
            arrays = transaction.stat(tables["arrays"])["entries"]
        return {
            "path": str(self.root),
            "bytes": (self.root / "data.mdb").stat().st_size,
            "arrays": arrays,
            "writes": sum(section["writes"] for section in sections),
            "sections": [section["identity"] for section in sections],
        }

    @contextlib.contextmanager
    def _transaction(self, write=False):
        environment, tables = self._open()
        try:
            with environment.begin(write=write) as transaction:
                yield transaction, tables
        except lmdb.Error as error:
            raise _store_error(self.root, error) from error

    def _open(self):
        """Open the environment, or take the one that this process has open."""
        root = os.path.realpath(self.root)
        data = os.path.join(root, "data.mdb")
        with _environments_lock:
            known = _environments.get(root)
            if known is not None:
                inode, environment, tables = known
                try:
                    if os.stat(data).st_ino == inode:
                        return environment, tables
                except FileNotFoundError:
                    pass
                # The store was deleted under our hands. Readers in other threads may
                # still be at the old one, so it is left to the garbage collector.
                del _environments[root], environment, tables, known
            try:
                os.makedirs(root, exist_ok=True)
                environment = lmdb.open(root, map_size=self.max_bytes, max_dbs=3)
                tables = {
                    name: environment.open_db(name.encode())
                    for name in ("paths", "sections", "arrays")
                }
                with environment.begin(write=True) as transaction:
                    if not transaction.put(b"format", _FORMAT, overwrite=False):
                        found = bytes(transaction.get(b"format"))
                        if found != _FORMAT:
                            raise StoreError(
                                f"the feature store {root} has the format {found!r}; "
                                f"this version of skart reads {_FORMAT!r}. Delete the "
                                "folder, or name another as cache."
                            )
            except (NotADirectoryError, FileExistsError) as error:
                raise StoreError(
                    f"the feature store {root} can't be made: a file stands in its "
                    "place. Name a folder as cache."
                ) from error
            except lmdb.Error as error:
                raise _store_error(self.root, error) from error
            except StoreError:
                raise
            except OSError as error:
                raise StoreError(
                    f"the feature store {root} can't be made: {error.strerror}. Name "
                    "another folder as cache."
                ) from error
            inode = os.stat(data).st_ino
            _environments[root] = (inode, environment, tables)
            return environment, tables

    def __repr__(self):
        return f"FeatureStore({str(self.root)!r})"


class StoreSection:
    """The arrays of one identity in a :class:`FeatureStore`; made by its ``section``.

    Parameters
    ----------
    store : FeatureStore
        Where the arrays are kept.
    identity : dict
        All that the arrays depend on beside the image.

    """

    def __init__(self, store, identity):
        self.store = store
        self.identity = identity
        self.key = hashlib.sha256(
            json.dumps(identity, sort_keys=True).encode()
        ).digest()[:16]

    @property
    def shape(self):
        """Shape of one array: a tuple of int; None until the first is stored."""
        return self._form[0]

    @property
    def dtype(self):
        """Dtype of the arrays; None until the first is stored."""
        return self._form[1]

    def lock(self):
        """Lock the section against other processes and threads that compute for it.

        Returns
        -------
        lock : filelock.BaseFileLock
            A context manager. The system takes the lock back from a killed process.
        """
        self.store._open()  # makes the folder
        return filelock.FileLock(self.store.root / f"{self.key.hex()[:16]}.lock")

    def missing(self, digests):
        """Find the arrays that are yet to be computed.

        Parameters
        ----------
        digests : list of bytes or None
            Digests of images; None is always missing.

        Returns
        -------
        missing : ndarray of bool, shape (len(digests),)
            Where nothing is stored.
        """
        with self.store._transaction() as (transaction, tables):
            cursor = transaction.cursor(tables["arrays"])
            return np.array(
                [
                    not (digest and cursor.set_key(self.key + digest))
                    for digest in digests
                ]
            )

    def read(self, digests):
        """Read arrays, checking each against its checksum.

        Parameters
        ----------
        digests : list of bytes or None
            Digests of images; None is never found.

        Returns
        -------
        arrays : ndarray of shape (len(digests), *shape)
            The arrays, zeros where there is none; None while nothing is stored.
        found : ndarray of bool, shape (len(digests),)
            Where there is one. Damaged arrays are deleted, with a warning.
        """
        found = np.zeros(len(digests), bool)
        shape, dtype = self._form
        if shape is None:
            return None, found
        arrays = np.zeros((len(digests), *shape), dtype)
        damaged = []
        with self.store._transaction() as (transaction, tables):
            for index, (array, digest) in enumerate(zip(arrays, digests, strict=True)):
                value = digest and transaction.get(
                    self.key + digest, db=tables["arrays"]
                )
                if not value:
                    continue
                data = value[_CHECKSUM.size :]
                (checksum,) = _CHECKSUM.unpack_from(value)
                if len(data) == array.nbytes and zlib.crc32(data) == checksum:
                    array.reshape(-1)[:] = np.frombuffer(data, dtype)
                    found[index] = True
                else:
                    damaged.append(digest)
        if damaged:
            with self.store._transaction(write=True) as (transaction, tables):
                for digest in damaged:
                    transaction.delete(self.key + digest, db=tables["arrays"])
            warnings.warn(
                f"{len(damaged)} arrays in the feature store {self.store.root} are "
                "damaged and will be computed anew",
                stacklevel=2,
            )
        return arrays, found

    def write(self, digests, arrays):
        """Store arrays in one transaction: all of them or, if it is killed, none.

        Parameters
        ----------
        digests : list of bytes
            Digests of images.
        arrays : ndarray of shape (len(digests), *shape)
            What was computed from them.

        Raises
        ------
        StoreError
            If the disk or ``max_bytes`` is full; the store stays as it was.
        """
        with self.store._transaction(write=True) as (transaction, tables):
            for digest, array in zip(digests, arrays, strict=True):
                data = array.tobytes()
                value = _CHECKSUM.pack(zlib.crc32(data)) + data
                transaction.put(self.key + digest, value, db=tables["arrays"])
            known = transaction.get(self.key, db=tables["sections"])
            section = {
                "identity": self.identity,
                "shape": arrays.shape[1:],
                "dtype": arrays.dtype.name,
                "writes": len(digests) + (json.loads(known)["writes"] if known else 0),
            }
            value = json.dumps(section).encode()
            transaction.put(self.key, value, db=tables["sections"])

    @property
    def _form(self):
        with self.store._transaction() as (transaction, tables):
            known = transaction.get(self.key, db=tables["sections"])
        if known is None:
            return None, None
        section = json.loads(known)
        return tuple(section["shape"]), np.dtype(section["dtype"])


def _facts(seen):
    """Pack what changes whenever a file's bytes do."""
    return struct.pack(
        "<QqqQ", seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino
    )


def _store_error(root, error):
    if isinstance(error, (lmdb.MapFullError, lmdb.DiskError)):
        remedy = (
            "Make room, raise max_bytes in a new process, or name another folder as "
            "cache"
        )
    else:
        remedy = "If it is damaged, delete the folder: features are computed anew"
    return StoreError(f"the feature store {root} can't be used: {error}. {remedy}.")
