"""Features on disk: content-addressed, transactional, shared between processes.

A database has three tables: ``paths`` (what a file's stat said when its bytes were last
digested), ``sections`` (one for each way of computing features: its identity, shape and
dtype) and ``arrays`` (section + digest of the image -> array). Each write is one
transaction, so a killed process leaves the tables as they were before the batch in
hand. Each value has a checksum.
"""

import hashlib
import json
import os
import shutil
import stat
import struct
import tempfile
import time
import weakref
from pathlib import Path

from skart.store._errors import DamagedStoreError, StoreError, mended
from skart.store._section import StoreSection
from skart.store._sqlite import Database

__all__ = ["FeatureStore", "StoreError", "StoreSection"]


class FeatureStore:
    """Arrays on disk under the digest of what they were computed from.

    Several processes may use one store at once. It may be deleted at any time: what
    is missing is computed anew, and so is what turns out to be damaged, with a warning.
    What can't be written to is read, and what it lacks is kept in a temporary folder
    as long as it is used, with a warning.

    Parameters
    ----------
    root : str or path
        Folder of the store, made when first needed; ``~`` is expanded.
    max_bytes : int, default=2**40
        Largest size the store may grow to, in bytes.

    See Also
    --------
    FeatureExtractor : Keeps features in it, with ``cache``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skart import FeatureStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     section = FeatureStore(folder).section({"of": "example"})
    ...     n = section.write([b"digest of an image"], np.ones((1, 3), "float32"))
    ...     section.read([b"digest of an image", b"of another"])
    (array([[1., 1., 1.],
           [0., 0., 0.]], dtype=float32), array([ True, False]))
    """

    def __init__(self, root, *, max_bytes=2**40):
        # Absolute, so that it is the same folder wherever the process goes.
        self.root = Path(root).expanduser().absolute()
        self.max_bytes = int(max_bytes)
        if self.max_bytes < 2**16:
            raise ValueError(f"max_bytes must be at least {2**16}; got {max_bytes!r}")
        self._database = Database(self.root, self.max_bytes)

    @classmethod
    def temporary(cls):
        """Make a store that is deleted with the object.

        Returns
        -------
        store : FeatureStore
            A store in the system's folder for temporary files.
        """
        store = cls(tempfile.mkdtemp(prefix="skart-"))
        store._database.is_temporary = True
        weakref.finalize(store, shutil.rmtree, store.root, ignore_errors=True)
        return store

    @property
    def read_only(self):
        """Whether the folder is there, but can't be written to."""
        return self._database.read_only

    def exists(self):
        """Tell whether there is anything of a store, of whichever version of skart.

        Returns
        -------
        exists : bool
            Whether the folder has such files.
        """
        return self._database.file.exists() or bool(self._database.other_files()[0])

    @mended
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
        with self._database.transaction() as transaction:
            for index, path in enumerate(paths):
                try:
                    seen = os.stat(path)
                    key = hashlib.sha256(os.fsencode(os.path.abspath(path))).digest()
                except (OSError, ValueError):  # no file can have such a name
                    continue
                if not stat.S_ISREG(seen.st_mode):  # a named pipe would never end
                    continue
                facts = _facts(seen)
                known = transaction.get("paths", key)
                if known and known[: len(facts)] == facts:
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
        if learned and not self.read_only:
            with self._database.transaction(write=True) as transaction:
                for key, known in learned.items():
                    transaction.put("paths", key, known)
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

    @mended
    def info(self):
        """Count what the store holds; nothing is made, changed or mended.

        Returns
        -------
        info : dict
            ``path``; ``bytes`` on disk; ``arrays`` stored; ``writes``, arrays ever
            written (more than ``arrays`` if some were computed more than once);
            ``sections``, a dict each: ``identity``, and its ``arrays`` and ``bytes``;
            ``other_formats``, files of other versions of skart, which this one leaves
            alone; and ``problems`` of the file that were met, a list of str: if there
            are any, it isn't known what it holds.
        """
        sizes, sections, problems = {}, [], []
        try:
            with self._database.transaction(look=True) as transaction:
                rows = list(transaction.scan("sections"))
                sizes = transaction.measure_arrays()
            sections = [(key, json.loads(value)) for key, value in rows if value]
        except DamagedStoreError as error:
            sizes, problems = {}, [str(error.__cause__)]
        file = self._database.file
        return {
            "path": str(self.root),
            "bytes": file.stat().st_size if file.exists() else 0,
            "arrays": sum(n_arrays for n_arrays, _ in sizes.values()),
            "writes": sum(section["writes"] for _, section in sections),
            "sections": [
                dict(
                    zip(("arrays", "bytes"), sizes.get(key, (0, 0)), strict=True),
                    identity=section["identity"],
                )
                for key, section in sections
            ],
            "other_formats": [str(path) for path in self._database.other_files()[0]],
            "problems": problems,
        }

    def verify(self, *, repair=False):
        """Read everything, and compare it with its checksums.

        Others may write meanwhile; what they write is not looked at. Nothing is made or
        changed without ``repair``. In a file of more than 256 MB all rows are checked,
        and that they are found by their keys, but neither unused pages nor what an
        index holds beyond them.

        Parameters
        ----------
        repair : bool, default=False
            Whether what is damaged is removed, so that it is computed anew.

        Returns
        -------
        report : dict
            ``path``; ``arrays`` that are sound; ``damaged``, a list of the ``identity``
            (None if unknown) and ``digest`` (hexadecimal, of the image) of each that is
            not; ``problems`` of the file itself, a list of str; and ``repaired``.

        Raises
        ------
        StoreError
            If the store can't be read for another reason, or can't be repaired because
            nothing can be written to it.

        Examples
        --------
        >>> import tempfile
        >>> from skart import FeatureStore
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = FeatureStore(folder).verify()
        >>> report["damaged"], report["problems"]
        ([], [])
        """
        n_sound, damaged, problems, identities = 0, [], [], {}
        n_others = n_lost = 0
        inode = self._database.inode()
        try:
            problems += self._database.check(inode)
            for table in ("sections", "paths", "arrays"):
                for key, value, is_indexed in self._database.scan(table, inode):
                    n_lost += not is_indexed
                    if table == "arrays":
                        n_sound += bool(value)
                        damaged += [] if value else [key]
                    elif not value:
                        n_others += 1
                    elif table == "sections":
                        identities[key] = json.loads(value)["identity"]
        except DamagedStoreError as error:
            problems.append(str(error.__cause__))
        if n_others:
            problems.append(f"{n_others} rows that are no arrays are damaged")
        if n_lost:
            problems.append(f"{n_lost} rows are not found by their keys")
        repaired = repair and bool(problems or damaged)
        if repaired and problems:
            n_saved = self._database.mend(inode)
            repaired = n_saved is not None  # else another process has done it
            n_sound = n_saved or 0
        elif repaired:
            with self._database.transaction(write=True) as transaction:
                for key in damaged:
                    if not transaction.get("arrays", key):  # still
                        transaction.delete("arrays", key)
        return {
            "path": str(self.root),
            "arrays": n_sound,
            "damaged": [
                {"identity": identities.get(key[:16]), "digest": key[16:].hex()}
                for key in damaged
                if isinstance(key, bytes)
            ],
            "problems": problems,
            "repaired": repaired,
        }

    def clear(self):
        """Delete what the store holds, of every version of skart.

        Returns
        -------
        n_bytes : int
            The room that was made.

        Raises
        ------
        StoreError
            If the folder holds anything else: nothing is deleted then.

        Examples
        --------
        >>> import tempfile
        >>> from skart import FeatureStore
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = FeatureStore(folder)
        ...     digests = store.digest_files([])
        ...     _ = store.clear()
        ...     store.info()["arrays"]
        0
        """
        strange = self._database.other_files()[1]
        if strange:
            raise StoreError(
                f"{self.root} holds what is no part of a feature store: "
                f"{_some(path.name for path in strange)}. Nothing was deleted. Name "
                "the store's own folder, or delete by hand."
            )
        n_bytes = 0
        for path in self._database.own_files():
            n_bytes += path.stat().st_size
            path.unlink()
        return n_bytes

    def __repr__(self):
        return f"FeatureStore({str(self.root)!r})"


def _facts(seen):
    """Pack what changes whenever a file's bytes do."""
    return struct.pack(
        "<QqqQ", seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino
    )


def _some(names, n_most=3):
    """List a few names."""
    names = [repr(name) for name in names]
    more = [f"{len(names) - n_most} more"] if len(names) > n_most else []
    return ", ".join(names[:n_most] + more)
