"""Features shared between machines: Parquet files on any folder or URL.

A file, a shard, never changes, and its name is the SHA-256 of its bytes. So nothing is
locked, any number of machines write at once, and what was read once is known for good.
"""

import contextlib
import functools
import hashlib
import io
import itertools
import json
import math
import os
import re
import typing
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from skart._utils._files import atomic_write
from skart.store._sqlite import StoreError, checksum

SHARD = re.compile(r"[0-9a-f]{64}\.parquet")
_SHARD_BYTES = 2**26
GROUP_BYTES = 2**24  # of a row group, the least that is read
_COLUMNS = ["digest", "checksum", "array"]

# URLs on which a file that is being written can be seen.
_WITH_PARTS = {"arrow_hdfs", "hdfs", "sftp", "smb", "ssh", "webhdfs"}

# What an upstream holds once something was pushed.
_OWN = re.compile(r"skart\.json|[0-9a-f]{32}")


class Upstream:
    """Files of a plain folder, or of a URL that fsspec can open."""

    def __init__(self, url):
        url = os.fspath(url).removeprefix("file://").rstrip("/")
        self.url = url if "://" in url else os.path.abspath(os.path.expanduser(url))
        self.name = _without_password(self.url)
        self._is_there = False

    def list(self, folder=""):
        """Return the names in a folder; FileNotFoundError if there is none."""
        with self._asking() as (files, root):
            path = f"{root}/{folder}".rstrip("/")
            files.invalidate_cache(path)
            return [
                str(name).rstrip("/").rpartition("/")[2]
                for name in files.ls(path, detail=False)
            ]

    def read(self, path):
        """Return the bytes of a file."""
        with self._asking() as (files, root):
            return files.cat_file(f"{root}/{path}")

    def open(self, path):
        """Return a file object that asks for the parts that are read only."""
        with self._asking() as (files, root):
            return _Parts(self, path, files.size(f"{root}/{path}"))

    def read_part(self, path, start, end):
        """Return bytes of a file."""
        with self._asking() as (files, root):
            part = files.cat_file(f"{root}/{path}", start=start, end=end)
            # Some web servers send the whole file.
            return part if len(part) <= end - start else part[start:end]

    def write(self, path, content):
        """Write a file that is whole as soon as it can be seen, where possible."""
        with self._asking() as (files, root):
            path = f"{root}/{path}"
            if self.url.partition(":")[0] not in _WITH_PARTS:
                files.pipe_file(path, content)
                return
            part = f"{path}.{os.urandom(8).hex()}.part"
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            files.pipe_file(part, content)
            files.mv(part, path)

    def delete(self, path):
        """Delete a file."""
        with self._asking() as (files, root), contextlib.suppress(FileNotFoundError):
            files.rm_file(f"{root}/{path}")

    def exists(self):
        """Return whether something was pushed to the folder."""
        # An empty one may be a share that is not mounted.
        try:
            return any(map(_OWN.fullmatch, self.list()))
        except FileNotFoundError:
            return False

    def check(self):
        """Raise StoreError if there is no upstream."""
        self._is_there = self._is_there or self.exists()
        if not self._is_there:
            raise StoreError(
                f"there is no upstream {self.name}. Check the address, or make it: "
                f"skart cache push {self.name}.{self._advise()}"
            )

    def _advise(self):
        """Return how to go on without the upstream, if the environment names one."""
        if not os.environ.get("SKART_UPSTREAM"):
            return ""
        return (
            " To compute the features that the local store lacks, unset SKART_UPSTREAM "
            "or pass upstream=False."
        )

    @contextlib.contextmanager
    def _asking(self):
        """Yield a file system and the folder in it; explain all that it raises."""
        try:
            yield self._open()
        except (StoreError, FileNotFoundError, ImportError):
            raise
        except Exception as error:  # object stores raise anything
            raise StoreError(
                f"the upstream {self.name} can't be used: {type(error).__name__}: "
                f"{_without_password(error)}. Check the address, the network and the "
                f"permissions.{self._advise()}"
            ) from error

    def _open(self):
        if "://" not in self.url:
            return _Folder(), self.url
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise ImportError(
                f"the upstream {self.name} needs fsspec, which is not installed. Run: "
                "pip install 'skart[remote,tables]'"
            ) from error
        # Each time: fsspec keeps its connections, and knows of forks.
        return url_to_fs(self.url)


class _Folder:
    """A plain folder with the methods of fsspec's file systems."""

    def invalidate_cache(self, path):
        """Do nothing: there is no cache."""

    def ls(self, path, detail):
        return os.listdir(path)

    def size(self, path):
        return os.path.getsize(path)

    def cat_file(self, path, start=0, end=None):
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(None if end is None else end - start)

    def pipe_file(self, path, content):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with atomic_write(path) as part:
            part.write_bytes(content)

    def rm_file(self, path):
        os.remove(path)


class _Parts(io.RawIOBase):
    """A file of an upstream for random access."""

    def __init__(self, upstream, path, size):
        self._upstream, self._path, self._size, self._place = upstream, path, size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self._place

    def seek(self, offset, whence=os.SEEK_SET):
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def readinto(self, buffer):
        end = min(self._place + len(buffer), self._size)
        if end <= self._place:
            return 0
        part = self._upstream.read_part(self._path, self._place, end)
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)


class DamagedFormError(StoreError):
    """A section.json that can't be read, or that of another section."""


class DamagedShardError(Exception):
    """A shard that can't be read, or is not what its name says."""


class RemoteSection:
    """The part of an upstream that belongs to one section of a store."""

    def __init__(self, upstream, key):
        self.upstream = upstream
        self.folder = key.hex()
        self.name = f"{upstream.name}/{self.folder}"
        self.identity = None  # known with the form
        self._prefix = b"A" + key
        self._form = None
        self._absent = as_digests([])  # of what the last listing was for in vain
        self._bad = set()  # names of shards that can't be read
        self._index = _Index.of({})

    @property
    def digests(self):
        """Digests that are there, as listed last: a sorted array."""
        return self._index.digests

    def form(self):
        """Return shape and dtype of the arrays; None if there are none."""
        if self._form is None:
            try:
                content = self.upstream.read(f"{self.folder}/section.json")
            except FileNotFoundError:
                self.upstream.check()
                return None
            self._form = self._parse(content)
        return self._form

    def _parse(self, content):
        file = f"{self.name}/section.json"
        try:
            known = json.loads(content)
            identity, dtype = known["identity"], np.dtype(known["dtype"])
            shape = tuple(int(length) for length in known["shape"])
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedFormError(
                f"{file} can't be read: {error!r}. Delete it; the next skart cache "
                "push writes it anew."
            ) from error
        if section_key(identity).hex() != self.folder or dtype.kind not in "biuf":
            raise DamagedFormError(
                f"{file} belongs to another folder or another version of skart. Delete "
                "it; the next skart cache push writes it anew."
            )
        self.identity = identity
        return shape, dtype

    def refresh(self):
        """List the shards, and read the digests of those that are new."""
        found = []
        if self.form() is not None:
            names = self.upstream.list(self.folder)
            found = sorted(name for name in names if SHARD.fullmatch(name))
        known = _digests_of_shards(self.upstream.url, self.folder)
        new = [name for name in found if name not in known and name not in self._bad]
        with ThreadPoolExecutor(8) as pool:
            parts = list(pool.map(self._read_digests, new))
        for name, digests in zip(new, parts, strict=True):
            if isinstance(digests, DamagedShardError):
                self._bad.add(name)
                self._pass_over(name, digests)
            else:
                known[name] = digests
        self._index = _Index.of({name: known[name] for name in found if name in known})

    def fetch(self, wanted, *, whole=False):
        """Yield digests and arrays that are there, a row group at a time.

        Shards are listed again only for digests that are unknown and that the last
        listing was not for. If `whole`, the SHA-256 of each shard is checked.
        """
        wanted = np.unique(as_digests(wanted))
        if not (contains(self.digests, wanted) | contains(self._absent, wanted)).all():
            self.refresh()
        index = self._index  # another thread may replace it
        while len(wanted):
            here = contains(index.digests, wanted)
            self._absent = np.union1d(self._absent, wanted[~here])
            rows = index.rows[np.searchsorted(index.digests, wanted[here])]
            lost = [np.empty(0, int)]
            for number in np.unique(np.searchsorted(index.starts, rows, "right") - 1):
                start, end = index.starts[number : number + 2]
                inside = np.sort(rows[(start <= rows) & (rows < end)] - start)
                name, reason = index.names[number], "checksums are wrong"
                try:
                    for numbers, sound, *part in self.read(name, inside, whole=whole):
                        inside = np.setdiff1d(inside, numbers[sound])
                        yield part
                except DamagedShardError as error:
                    reason = error
                if len(inside):
                    self._pass_over(name, f"{len(inside)} rows, {reason}")
                    lost.append(start + inside)
            # Another shard may have the same arrays.
            bad = np.isin(index.rows, np.concatenate(lost))
            wanted = np.unique(index.digests[bad])
            if len(wanted):
                found = index.digests[~bad], index.rows[~bad]
                self._index = index = _Index(index.names, index.starts, *found)

    def read(self, name, rows=None, *, whole=False):
        """Yield rows of a shard, which of them are sound, their digests and arrays."""
        shape, dtype = self.form()
        n_bytes, start = math.prod(shape) * dtype.itemsize, 0
        with self._open(name, whole) as shard:
            for group in range(shard.num_row_groups):
                n_rows = shard.metadata.row_group(group).num_rows
                inside = np.arange(start, start + n_rows)
                inside = inside if rows is None else np.intersect1d(inside, rows)
                if len(inside):
                    table = shard.read_row_group(group, _COLUMNS).take(inside - start)
                    columns = [column.to_pylist() for column in table]
                    sound = [
                        len(value) == n_bytes and self.checksum(digest, value) == number
                        for digest, number, value in zip(*columns, strict=True)
                    ]
                    digests, _, values = (
                        list(itertools.compress(column, sound)) for column in columns
                    )
                    arrays = np.frombuffer(b"".join(values), dtype)
                    arrays = arrays.reshape(len(values), *shape)
                    yield inside, sound, digests, arrays
                start += n_rows

    def checksum(self, digest, value):
        """Return the checksum of a row, which a local store has, too."""
        return int.from_bytes(checksum(self._prefix + digest, value), "little")

    def write(self, rows):
        """Write shards of batches (digests, arrays); yield rows and bytes of each."""
        import_pyarrow()
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = pa.binary(), pa.uint32(), pa.binary()
        schema = pa.schema(list(zip(_COLUMNS, kinds, strict=True)))
        rows = iter(rows)
        while True:
            content, n_rows = io.BytesIO(), 0
            with pq.ParquetWriter(
                content,
                schema,
                compression="zstd",
                use_dictionary=False,
                write_statistics=False,
            ) as writer:
                for digests, arrays in rows:
                    values = [array.tobytes() for array in arrays]
                    checksums = list(map(self.checksum, digests, values))
                    writer.write(pa.table([digests, checksums, values], schema=schema))
                    n_rows += len(digests)
                    if content.tell() >= _SHARD_BYTES:
                        break
            if not n_rows:
                return
            content = content.getvalue()
            name = f"{hashlib.sha256(content).hexdigest()}.parquet"
            self.upstream.write(f"{self.folder}/{name}", content)
            yield n_rows, len(content)

    def write_form(self, identity, shape, dtype):
        """Write the description of the section, unless it is there."""
        if self.form() is None:
            known = {"identity": identity, "shape": shape, "dtype": dtype.name}
            content = json.dumps(known, sort_keys=True).encode()
            self.upstream.write(f"{self.folder}/section.json", content)

    @contextlib.contextmanager
    def _open(self, name, whole=False):
        """Yield a shard as a ParquetFile; its errors become DamagedShardError."""
        import_pyarrow()
        import pyarrow.parquet as pq

        path = f"{self.folder}/{name}"
        try:
            if whole:
                file = io.BytesIO(self.upstream.read(path))
                if hashlib.sha256(file.getbuffer()).hexdigest() not in name:
                    raise ValueError("its SHA-256 is not that of its name")
            else:
                file = self.upstream.open(path)
            yield pq.ParquetFile(file, pre_buffer=True)
        except (StoreError, ImportError):
            raise
        except Exception as error:  # pyarrow's, on damaged files
            reason = str(error) or type(error).__name__
            raise DamagedShardError(reason.splitlines()[0]) from error

    def _read_digests(self, name):
        """Return the digests in a shard; DamagedShardError, not raised, if damaged."""
        try:
            with self._open(name) as shard:
                return as_digests(shard.read(["digest"])["digest"].to_pylist())
        except DamagedShardError as error:
            return error

    def _pass_over(self, name, reason):
        warnings.warn(
            f"{self.name}/{name} is damaged and passed over: "
            f"{reason}. Features are computed as if it were not there; skart cache "
            f"verify {self.upstream.name} --repair deletes it.",
            stacklevel=5,
        )


class _Index(typing.NamedTuple):
    """Digests of several shards, for a binary search."""

    names: list  # of the shards
    starts: np.ndarray  # number of the first row of each, and of all rows
    digests: np.ndarray  # sorted
    rows: np.ndarray  # number of the row of each digest

    @classmethod
    def of(cls, shards):
        """Return the index of a dict of digests by shard."""
        digests = np.concatenate([as_digests([]), *shards.values()])
        starts = np.cumsum([0, *map(len, shards.values())])
        rows = np.argsort(digests, kind="stable")
        return cls(list(shards), starts, digests[rows], rows)


@functools.lru_cache(maxsize=64)
def _digests_of_shards(url, folder):
    """Return a dict for digests of each shard, which never change, in this process."""
    return {}


def _without_password(text):
    """Return a text without what stands before the host in its URLs."""
    return re.sub(r"//[^/@\s]*@", "//", str(text))


def section_key(identity):
    """Return the key of a section, 16 bytes."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).digest()[:16]


def as_digests(digests):
    """Return digests as an array of 32 bytes each."""
    return np.array(digests, "S32")


def contains(known, wanted):
    """Return which digests are among sorted ones."""
    places = np.searchsorted(known, wanted)
    places[places == len(known)] = 0
    return known[places] == wanted if len(known) else np.zeros(len(wanted), bool)


def import_pyarrow():
    """Raise ImportError with advice if pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "features are shared as Parquet files, which needs pyarrow. Run: pip "
            "install 'skart[tables]', or 'skart[remote,tables]' for URLs"
        ) from error
