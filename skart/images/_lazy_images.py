"""Images that are decoded on access, and a temporary file of their pixels."""

import contextlib
import math
import os
import shutil
import tempfile
import threading
import warnings
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from skart._utils._files import file_stamp, is_url
from skart.images._decode import DECODER_VERSION, MAX_PIXELS, decode_image
from skart.images._elsewhere import is_elsewhere, stamp_elsewhere
from skart.images._formats import UNREADABLE, explain, format_failures, load_source
from skart.images._lazy import LazyArray

try:
    from os import pread as _pread
    from os import pwrite as _pwrite
except ImportError:  # on Windows, where no process is forked
    _lock = threading.Lock()

    def _pread(file, n_bytes, offset):
        with _lock:
            os.lseek(file, offset, os.SEEK_SET)
            return os.read(file, n_bytes)

    def _pwrite(file, data, offset):
        with _lock:
            os.lseek(file, offset, os.SEEK_SET)
            return os.write(file, data)


class UnreadableImageError(ValueError):
    """Exception raised if images can't be decoded.

    Parameters
    ----------
    failures : dict of str to str
        Reason for each unreadable path; also an attribute.
    n_images : int
        Number of images, readable or not; also an attribute.
    stored : bool, default=False
        Whether the features of all other images are stored; also an attribute.
    """

    def __init__(self, failures, n_images, stored=False):
        self.failures = dict(failures)
        self.n_images = n_images
        self.stored = stored
        kinds = {is_url(path) for path in self.failures}
        advice = "Repair the files, check the URLs"
        if len(kinds) == 1:
            advice = "Check these URLs" if kinds == {True} else "Repair them"
        if stored:
            advice = (
                f"Features of all others are stored, and not computed again. {advice}"
            )
        super().__init__(
            f"{len(self.failures)} of {n_images} images can't be read:\n"
            f"{format_failures(self.failures)}\n"
            f"{advice}, leave them out with skart.images.find_readable, or pass "
            "ImageLoader(on_error='blank') to replace each by a black image."
        )

    def __reduce__(self):
        return type(self), (self.failures, self.n_images, self.stored)


class LazyImages(LazyArray):
    """Array of images that are decoded on access.

    An integer index returns one decoded image; a slice, an index array or a mask
    returns another LazyImages and decodes nothing; ``np.asarray`` decodes all images.
    Use :class:`ImageLoader` to create one.

    Parameters
    ----------
    paths : list of str
        Paths or URLs of the images, in order; or images in memory, as
        :class:`ImageLoader` makes them.
    size : (int, int)
        Height and width in pixels.
    resize : {"crop", "pad", "stretch"}, default="crop"
        See :class:`ImageLoader`.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    n_threads : int, default=1
        Number of threads that fetch and decode.
    cache_pixels : bool, default=False
        See :class:`ImageLoader`. Slices of an array share its file.
    max_pixels : int, default=200_000_000
        See :class:`ImageLoader`.
    keep : str or path, default=None
        See :class:`ImageLoader`.
    timeout : float, default=30
        See :class:`ImageLoader`.
    index : pandas.Index, default=None
        Index of the paths, which the features get as well.

    Attributes
    ----------
    digests : dict of str to (tuple of 4 int, bytes)
        Stamp and SHA-256 of the bytes of each image that was decoded so far and is no
        local file, by its name, as ``FeatureStore.remember_digests`` takes them.
    failures : dict of str to str
        Reason for each path found unreadable so far, also in slices of the array.

    See Also
    --------
    ImageLoader : Transform paths to LazyImages.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        paths,
        *,
        size,
        resize="crop",
        on_error="raise",
        n_threads=1,
        cache_pixels=False,
        max_pixels=MAX_PIXELS,
        keep=None,
        timeout=30,
        index=None,
    ):
        super().__init__(paths, index)
        self.size = tuple(size)
        self.resize = resize
        self.on_error = on_error  # or "defer": yield all batches, and raise then
        self.n_threads = n_threads
        self.max_pixels = max_pixels
        self.keep = keep
        self.timeout = timeout
        self.digests = {}
        self.failures = {}
        self.n_all = None  # number of images of which these are a part, in warnings
        self._pixel_file = _PixelFile(paths, self.item_shape) if cache_pixels else None

    @property
    def paths(self):
        """Paths or URLs of the images, in order: an array of str."""
        return self._items

    @property
    def item_shape(self):
        """Shape of one image: ``(height, width, 3)``."""
        return (*self.size, 3)

    @property
    def identity(self):
        """Settings that determine the pixels of a file: a dict of plain values."""
        size = list(self.size)
        return {"size": size, "resize": self.resize, "decoder": DECODER_VERSION}

    def iter_batches(self, batch_size):
        """Iterate over decoded batches. Threads decode a few images ahead.

        Parameters
        ----------
        batch_size : int
            Number of images in a batch; the last batch may have fewer.

        Yields
        ------
        batch : ndarray of shape (<= batch_size, height, width, 3), dtype uint8
            Decoded images, in order.

        Raises
        ------
        UnreadableImageError
            If ``on_error="raise"`` and images can't be decoded. It is raised after all
            images were tried; the batches before the first failure are yielded.

        Warns
        -----
        UserWarning
            If ``on_error="blank"`` and images can't be decoded that no warning named
            before.
        """
        failures, named = {}, set(self.failures)
        decoded = self._decode_ahead(batch_size + self.n_threads)
        try:
            for start in range(0, len(self), batch_size):
                n_images = min(batch_size, len(self) - start)
                batch = np.zeros((n_images, *self.item_shape), self.dtype)
                for image in batch:
                    path, pixels, reason = next(decoded)
                    name = str(path)
                    if reason is None:
                        image[:] = pixels
                        self.failures.pop(name, None)
                    else:
                        failures[name] = self.failures[name] = reason
                if not failures or self.on_error != "raise":
                    yield batch
        finally:
            decoded.close()
            # If the caller stops early, too: no later iteration names these images.
            unnamed = {
                path: reason for path, reason in failures.items() if path not in named
            }
            if unnamed and self.on_error == "blank":
                n_images = self.n_all or len(self)
                warnings.warn(
                    f"{len(unnamed)} of {n_images} images can't be read; each is "
                    f"replaced by a black image:\n{format_failures(unnamed)}",
                    stacklevel=2,
                )
        if failures and self.on_error != "blank":
            raise UnreadableImageError(failures, len(self))

    def _decode_ahead(self, n_ahead):
        """Decode in threads; yield what `_decode` returns, in order."""
        if len(self) == 1:  # decoded in less time than a thread takes to start
            yield self._decode(self.paths[0])
            return
        pool = ThreadPoolExecutor(self.n_threads)
        try:
            paths, pending = iter(self.paths), deque()
            for _ in range(len(self)):
                for path in islice(paths, n_ahead - len(pending)):
                    pending.append(pool.submit(self._decode, path))
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _decode(self, path):
        """Return a path, its pixels or None, and None or the reason for the failure."""
        pixels = None if self._pixel_file is None else self._pixel_file.read(path)
        if pixels is not None:
            return path, pixels, None
        stamp = _stamp(path) if is_elsewhere(path) else None  # before it is read
        try:
            source = load_source(path, self.keep, self.timeout)
            pixels = decode_image(source, self.size, self.resize, self.max_pixels)
        except UNREADABLE as error:
            return path, None, explain(error)
        if stamp is not None:
            self.digests[path] = stamp, source.digest
        if self._pixel_file is not None:
            self._pixel_file.write(path, pixels)
        return path, pixels, None

    def _read(self):
        images, start = np.empty(self.shape, self.dtype), 0
        for batch in self.iter_batches(batch_size=32):
            images[start : start + len(batch)] = batch
            start += len(batch)
        return images

    def __getstate__(self):
        # The copy gets a pixel file of its own. The stamps are for joblib.Memory, which
        # hashes this state: a file that was changed is another image.
        return {
            **vars(self),
            "_pixel_file": self._pixel_file is not None,
            "digests": {},
            "_stamps": [_stamp(x) for x in self._items if isinstance(x, str)],
        }

    def __setstate__(self, state):
        vars(self).update(state)
        del self._stamps
        cached = state["_pixel_file"]
        self._pixel_file = _PixelFile(self.paths, self.item_shape) if cached else None


def _stamp(path):
    return stamp_elsewhere(path) if is_elsewhere(path) else file_stamp(path)


class _PixelFile:
    """Decoded images in a temporary file."""

    # Without a name, the file does not outlive a crash. It is not mapped, since its
    # pages would count as memory of the process. Threads and forks share it.

    def __init__(self, paths, item_shape):
        self._item_shape = item_shape
        self._n_bytes = math.prod(item_shape)
        self._rows = {path: row for row, path in enumerate(dict.fromkeys(paths))}
        self._written = np.zeros(len(self._rows), bool)
        folder = tempfile.gettempdir()
        needed, free = len(self._rows) * self._n_bytes, shutil.disk_usage(folder).free
        if needed > free:
            raise OSError(
                f"cache_pixels=True needs {needed / 1e9:.1f} GB for {len(self._rows)} "
                f"images; {folder} has {free / 1e9:.1f} GB left. Set TMPDIR to a "
                "folder with more room, or pass a smaller size or cache_pixels=False."
            )
        self._file = tempfile.TemporaryFile(prefix="skart-", buffering=0)
        weakref.finalize(self, self._file.close)

    def read(self, path):
        """Return the pixels of an image, or None if they were not written."""
        row = self._rows[path]
        if not self._written[row]:
            return None
        data = _pread(self._file.fileno(), self._n_bytes, row * self._n_bytes)
        return np.frombuffer(data, np.uint8).reshape(self._item_shape)

    def write(self, path, pixels):
        """Write the pixels of an image."""
        row = self._rows[path]
        # If the disk is full, the image is decoded again the next time.
        with contextlib.suppress(OSError):
            n_written = _pwrite(
                self._file.fileno(), pixels.tobytes(), row * self._n_bytes
            )
            self._written[row] = n_written == self._n_bytes
