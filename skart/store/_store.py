"""The feature store: a folder whose arrays are found by content."""

import hashlib
import json
import os
import shutil
import struct
import tempfile
import time
import weakref

from skart._utils._files import expand, file_digest, file_stamp
from skart.store._section import StoreSection
from skart.store._sharing import pull, push
from skart.store._sqlite import DamagedStoreError, Database, StoreError, retry
from skart.store._upstream import RemoteSection, Upstream

_STAMP = struct.Struct("<QqqQ")

# Keys of the table: b"F" + digest of a path -> stamp and digest of the file;
# b"S" + key of a section -> identity, shape, dtype and number of writes, as JSON;
# b"A" + key of a section + digest of an image -> array.
_N_SECTION_KEY = 1 + 16


class FeatureStore:
    """Arrays on disk, addressed by the digest of the image they were computed from.

    Any number of processes and threads may use a store at once, and it may be deleted
    at any time. With a warning, damaged arrays are deleted, a damaged file is renamed
    to ``*.damaged``, and new arrays of a read-only store go to a temporary one.

    Parameters
    ----------
    root : str or path
        Folder of the store, created when first needed; ``~`` is expanded.
    max_bytes : int, default=2**40
        Largest size of the store in bytes.
    upstream : str, path or False, default=None
        Folder, or URL for fsspec, that several machines share. Arrays that only the
        upstream has are copied to the store when they are looked for. If None, the
        environment variable ``SKART_UPSTREAM``, if it is set. If False, no upstream.

    See Also
    --------
    FeatureExtractor : Keeps features in a store, with ``cache``.

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

    def __init__(self, root, *, max_bytes=2**40, upstream=None):
        # Absolute, so that it stays the same folder if the working directory changes.
        self.root = expand(root).absolute()
        self.max_bytes = int(max_bytes)
        if self.max_bytes < 2**16:
            raise ValueError(f"max_bytes must be at least {2**16}; got {max_bytes!r}")
        if upstream is None:
            upstream = os.environ.get("SKART_UPSTREAM") or False
        self._upstream = Upstream(upstream) if upstream else None
        self._remote_sections = {}
        self._database = Database(self.root, self.max_bytes)

    @classmethod
    def temporary(cls):
        """Create a store that is deleted with the object.

        Returns
        -------
        store : FeatureStore
            A store in the system's folder for temporary files.
        """
        store = cls(tempfile.mkdtemp(prefix="skart-"), upstream=False)
        store._database.is_temporary = True
        weakref.finalize(store, shutil.rmtree, store.root, ignore_errors=True)
        return store

    @property
    def read_only(self):
        """Whether the folder exists but is not writable: a bool."""
        return self._database.read_only

    @property
    def upstream(self):
        """Folder or URL of the upstream, a str; None if there is none."""
        return self._upstream and self._upstream.url

    def exists(self):
        """Return whether the folder has the file of a store.

        Returns
        -------
        exists : bool
            True also for a damaged file, and for one of another version of skart.
        """
        return self._database.file.exists() or bool(self._database.list_files()[0])

    def digest_files(self, paths):
        """Compute the digests of files; read only those that have changed.

        A file counts as unchanged if its size, inode, modification time and status
        change time are the same, unless it changed less than two seconds ago.

        Parameters
        ----------
        paths : iterable of str or path
            Paths of the files.

        Returns
        -------
        digests : list of (bytes or None)
            SHA-256 of each file; None for a file that cannot be read.
        """
        paths = list(paths)
        stamps = [file_stamp(path) for path in paths]
        digests = self.recall_digests(paths, stamps)
        learned = {}
        for index, (path, stamp) in enumerate(zip(paths, stamps, strict=True)):
            if stamp is None or digests[index]:
                continue
            try:
                digests[index] = file_digest(path)
            except OSError:
                continue
            _, mtime, ctime, _ = stamp
            # Timestamps of file systems can be as coarse as two seconds.
            settled = time.time() - max(mtime, ctime) / 1e9 > 2
            if settled and file_stamp(path) == stamp:
                learned[path] = stamp, digests[index]
        self.remember_digests(learned)
        return digests

    @retry
    def recall_digests(self, names, stamps):
        """Return remembered digests without reading the images.

        Parameters
        ----------
        names : list of str or path
            Paths of files, or other names of images.
        stamps : list of (tuple of 4 int, or None)
            Stamp of each, as returned by ``file_stamp``; None is never found.

        Returns
        -------
        digests : list of (bytes or None)
            SHA-256 of each image; None if it is unknown or the stamp has changed.
        """
        digests = [None] * len(names)
        with self._database.transaction() as transaction:
            for index, (name, stamp) in enumerate(zip(names, stamps, strict=True)):
                known = stamp and transaction.get(_name_key(name))
                if known and known[: _STAMP.size] == _STAMP.pack(*stamp):
                    digests[index] = known[_STAMP.size :]
        return digests

    @retry
    def remember_digests(self, learned):
        """Remember digests; a read-only store is left as it is.

        Parameters
        ----------
        learned : dict of {str or path: (tuple of 4 int, bytes)}
            Stamp and digest of each image, by name.
        """
        if learned and not self.read_only:
            with self._database.transaction(write=True) as transaction:
                for name, (stamp, digest) in learned.items():
                    transaction.put(_name_key(name), _STAMP.pack(*stamp) + digest)

    def section(self, identity):
        """Return the arrays of one way of computing features.

        Parameters
        ----------
        identity : dict
            Everything that decides on the arrays besides the image, as plain values.

        Returns
        -------
        section : StoreSection
            Reads and writes arrays of this identity only.
        """
        return StoreSection(self, identity)

    def _remote_section(self, key):
        """Return the part of the upstream for a section, shared by its objects."""
        if self._upstream is None:
            return None
        return self._remote_sections.setdefault(key, RemoteSection(self._upstream, key))

    @retry
    def _sections(self):
        """Return all sections that are stored here."""
        with self._database.transaction(create=False) as transaction:
            known = [value for _, value in transaction.scan(b"S") if value]
        return [self.section(json.loads(value)["identity"]) for value in known]

    def push(self, url=None, *, section="", verbose=True):
        """Write the arrays that an upstream lacks to it, as files that never change.

        Nothing is locked: any number of machines may push and read at once.

        Parameters
        ----------
        url : str or path, default=None
            Folder or URL, made if needed. If None, the upstream of the store.
        section : str, default=""
            First characters of the keys of the sections, see :meth:`info`. By default,
            all sections.
        verbose : bool, default=True
            If True, show a progress bar after a second.

        Returns
        -------
        done : dict
            Numbers of ``sections`` that were compared, and of ``arrays``, ``shards``
            (files) and ``bytes`` that were written.

        Raises
        ------
        StoreError
            If the store or the upstream can't be used, or their arrays of a section
            differ in shape or dtype.
        ValueError
            If there is no upstream, or no such section.
        ImportError
            If pyarrow, or what the URL needs, is not installed.
        """
        return push(self, self._find_upstream(url), section, verbose)

    def pull(self, url=None, *, section="", verbose=True):
        """Copy the arrays that the store lacks from an upstream.

        Parameters
        ----------
        url : str or path, default=None
            Folder or URL. If None, the upstream of the store.
        section : str, default=""
            First characters of the keys of the sections. By default, all sections.
        verbose : bool, default=True
            If True, show a progress bar after a second.

        Returns
        -------
        done : dict
            Numbers of ``sections`` that were compared, and of ``arrays`` that are new.

        Raises
        ------
        StoreError
            If the store or the upstream can't be used, or their arrays of a section
            differ in shape or dtype.
        ValueError
            If there is no upstream, or no such section.
        ImportError
            If pyarrow, or what the URL needs, is not installed.

        Warns
        -----
        UserWarning
            If a file of the upstream is damaged, which is passed over.
        """
        return pull(self, self._find_upstream(url), section, verbose)

    def _find_upstream(self, url):
        if url is None and self._upstream is None:
            raise ValueError(
                "there is no upstream: pass url, a folder or a URL, or set "
                "SKART_UPSTREAM"
            )
        return self._upstream if url is None else Upstream(url)

    @retry
    def info(self):
        """Count the arrays of the store; nothing is created, changed or repaired.

        Returns
        -------
        info : dict
            ``path``; ``bytes`` on disk; ``arrays`` stored; ``writes``, arrays ever
            written (more than ``arrays`` if some were computed more than once);
            ``sections``, a dict each: ``key``, ``identity``, ``arrays`` and ``bytes``;
            and ``problems``, a list of str: if the file is damaged, all counts are 0.
        """
        try:
            with self._database.transaction(create=False) as transaction:
                sizes = transaction.measure(b"A", _N_SECTION_KEY)
                sections = [
                    (key[1:], sizes.get(b"A" + key[1:], (0, 0)), json.loads(value))
                    for key, value in transaction.scan(b"S")
                    if value
                ]
            problems = []
        except DamagedStoreError as error:
            sizes, sections, problems = {}, [], [str(error.__cause__)]
        file = self._database.file
        return {
            "path": str(self.root),
            "bytes": file.stat().st_size if file.exists() else 0,
            "arrays": sum(n_arrays for n_arrays, _ in sizes.values()),
            "writes": sum(section["writes"] for *_, section in sections),
            "sections": [
                {
                    "key": key.hex(),
                    "arrays": n,
                    "bytes": n_bytes,
                    "identity": section["identity"],
                }
                for key, (n, n_bytes), section in sections
            ],
            "problems": problems,
        }

    def verify(self, *, repair=False):
        """Read the whole store and compare every value with its checksum.

        Meanwhile, other processes can read, but not write.

        Parameters
        ----------
        repair : bool, default=False
            If True, delete damaged arrays. If the file itself is damaged, rename it to
            ``*.damaged``, with a warning, and begin anew.

        Returns
        -------
        report : dict
            ``path``; ``arrays``, the number of undamaged arrays that are kept;
            ``damaged``, a list of the ``identity`` (None if unknown) and ``digest``
            (hexadecimal, of the image) of each damaged array; ``problems`` of the file
            itself, a list of str; and ``repaired``.

        Raises
        ------
        StoreError
            If the store cannot be read for another reason, or cannot be repaired
            because it is read-only.
        """
        n_arrays, damaged, problems, identities = 0, [], [], {}
        inode = self._database.inode
        try:
            with self._database.transaction(create=False) as transaction:
                problems += transaction.check()
                for key, value in transaction.scan():
                    if not isinstance(key, bytes):
                        problems.append(f"the key {key!r} is no bytes")
                    elif not value:
                        damaged.append(key)
                    elif key[:1] == b"S":
                        identities[key[1:]] = json.loads(value)["identity"]
                    elif key[:1] == b"A":
                        n_arrays += 1
        except DamagedStoreError as error:
            problems.append(str(error.__cause__))
        repaired = False
        if repair and problems:
            repaired = self._database.set_aside(inode)
            n_arrays = 0
        elif repair and damaged:
            repaired = True
            with self._database.transaction(write=True) as transaction:
                for key in damaged:
                    if not transaction.get(key):  # not written anew meanwhile
                        transaction.delete(key)
        arrays = [key for key in damaged if key[:1] == b"A"]
        if len(arrays) < len(damaged):
            n_others = len(damaged) - len(arrays)
            problems.append(f"{n_others} values that are no arrays are damaged")
        return {
            "path": str(self.root),
            "arrays": n_arrays,
            "damaged": [
                {
                    "identity": identities.get(key[1:_N_SECTION_KEY]),
                    "digest": key[_N_SECTION_KEY:].hex(),
                }
                for key in arrays
            ],
            "problems": problems,
            "repaired": repaired,
        }

    def clear(self):
        """Delete the store, of every version of skart.

        Returns
        -------
        n_bytes : int
            Number of bytes that were freed.

        Raises
        ------
        StoreError
            If the folder has any other file: nothing is deleted then.
        """
        own, others = self._database.list_files()
        if others:
            names = ", ".join(repr(path.name) for path in others[:3])
            more = f", {len(others) - 3} more" if len(others) > 3 else ""
            raise StoreError(
                f"{self.root} has files that are no part of a feature store: {names}"
                f"{more}. Nothing was deleted. Name the store's own folder, or delete "
                "files by hand."
            )
        n_bytes = 0
        for path in own:
            n_bytes += path.stat().st_size
            path.unlink()
        return n_bytes

    def __getstate__(self):
        # What was learned of the upstream is learned anew in another process.
        upstream = self._upstream and Upstream(self._upstream.url)
        return {**vars(self), "_upstream": upstream, "_remote_sections": {}}

    def __repr__(self):
        return f"FeatureStore({str(self.root)!r})"


def _name_key(name):
    """Return the key of a stamp and a digest: of an absolute path, or of a URL."""
    name = os.fspath(name)
    if "://" not in name:
        name = os.path.abspath(name)
    return b"F" + hashlib.sha256(os.fsencode(name)).digest()
