"""Images that are rows of a Parquet file, read in order as far as possible."""

import bisect
import functools
import itertools
import os
import threading
from collections import OrderedDict

from skart._utils._files import file_stamp, parse_row

# Bytes of the batches that are kept, and of one batch. The writer of a file decides
# what is read at least: a page, which is a row group in many files.
_MOST_BYTES = 256 * 2**20
_BATCH_BYTES = 32 * 2**20
# The bytes of a row group say little if it holds many equal images.
_BATCH_ROWS = 128
# Row groups that are open at once.
_MOST_OPEN = 2


def read_row(name):
    """Return the bytes of an image ``file.parquet#column=row``; raise OSError."""
    try:
        return _reader(os.getpid()).read(*parse_row(name))
    except (OSError, MemoryError):
        raise
    except Exception as error:  # of pyarrow, which has exceptions of many kinds
        raise OSError(f"a damaged table ({error})") from error


@functools.lru_cache(maxsize=1)
def _reader(pid):
    """Return the reader of a process: forks must not share files and locks."""
    return _Reader()


class _Reader:
    """Read rows; keep the last batches, so that rows in order are read once."""

    def __init__(self):
        self._lock = threading.Lock()
        self._find_groups = functools.lru_cache(8)(_find_groups)
        self._open = OrderedDict()  # file and iterator of batches, by row group
        self._kept = OrderedDict()  # batches, by row group and rows
        self._n_bytes = 0

    def read(self, file, column, row):
        """Return the bytes of an image."""
        with self._lock:
            stamp = file_stamp(file)
            if stamp is None:
                raise OSError(f"there is no table {file!r}")
            ends = self._find_groups(file, stamp)
            if row >= ends[-1]:
                raise OSError(f"the table has rows 0 to {ends[-1] - 1}")
            group = bisect.bisect_right(ends, row)
            first = ends[group - 1] if group else 0
            key = file, stamp, column, group
            content = self._find(key, row - first, ends[group] - first).as_py()
        if content is None:
            raise OSError(
                "the row has no bytes; if the table has a path instead, load the files "
                "by load_catalogue"
            )
        if not isinstance(content, bytes):
            raise OSError(f"the column {column!r} holds no bytes")
        return content

    def _find(self, key, place, n_rows):
        """Return the cell at a place in a row group of several rows."""
        for kept, batch in self._kept.items():
            if kept[0] == key and place in kept[1]:
                self._kept.move_to_end(kept)
                return batch[place - kept[1].start]
        table, batches, n_read = self._open.pop(key, (None, None, 0))
        if table is None or place < n_read:
            table, batches = _open_group(*key)
            n_read = 0
        # An error leaves no open group behind.
        for batch in batches:
            rows = range(n_read, n_read + len(batch))
            n_read += len(batch)
            self._keep((key, rows), batch)
            if place in rows:
                self._open[key] = table, batches, n_read
                # An open row group holds memory.
                if n_read == n_rows or len(self._open) > _MOST_OPEN:
                    self._open.popitem(last=n_read == n_rows)[1][0].close()
                return batch[place - rows.start]
        raise OSError("the table ends before this row")

    def _keep(self, key, batch):
        """Keep a batch, and drop those used least recently if there are too many."""
        previous = self._kept.pop(key, None)
        self._n_bytes += batch.nbytes - (previous.nbytes if previous else 0)
        self._kept[key] = batch
        while self._n_bytes > _MOST_BYTES and len(self._kept) > 1:
            self._n_bytes -= self._kept.popitem(last=False)[1].nbytes


def open_table(file, **options):
    """Open a Parquet file, or raise OSError if a package is missing."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise OSError(
            "a row of a Parquet file; to read it, run pip install 'skart[tables]'"
        ) from None
    # Read piece by piece, not a row group at once.
    return parquet.ParquetFile(file, pre_buffer=False, buffer_size=2**20, **options)


def _find_groups(file, stamp):
    """Return the number of rows up to the end of each row group."""
    with open_table(file) as table:
        metadata = table.metadata
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    return list(itertools.accumulate(sizes)) or [0]


def _open_group(file, stamp, column, group):
    """Open a file of its own for a row group: readers of one file share settings."""
    from pyarrow import types

    with open_table(file) as table:
        place = table.schema_arrow.get_field_index(column)
        if place < 0:
            raise OSError(f"the table has no column {column!r}")
        is_struct = types.is_struct(table.schema_arrow.field(place).type)
        path = f"{column}.bytes" if is_struct else column
        metadata = table.metadata
        rows = metadata.row_group(group)
    chunks = (rows.column(i) for i in range(rows.num_columns))
    sizes = [x.total_uncompressed_size for x in chunks if x.path_in_schema == path]
    if not sizes:
        raise OSError(f"the column {column!r} holds no bytes")
    n_rows = rows.num_rows * _BATCH_BYTES // max(sizes[0], 1)
    # Equal images take memory once, as in the file: a tiny file may have a thousand
    # equal images of 100 MB.
    table = open_table(file, metadata=metadata, read_dictionary=[path])
    batches = table.iter_batches(
        min(max(n_rows, 1), _BATCH_ROWS), [group], [path], use_threads=False
    )
    return table, (_images(batch.column(column)) for batch in batches)


def _images(cells):
    """Return a column of bytes, also of Hugging Face's struct of bytes and path."""
    return cells.flatten()[0] if hasattr(cells, "field") else cells
