"""A temporary file of decoded images, for those who read them many times."""

import contextlib
import math
import os
import shutil
import tempfile
import threading
import weakref

import numpy as np

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


class PixelFile:
    """Decoded images in a file without a name: no crash can leave it behind.

    It is read and written, not mapped, so that its pages don't count as memory of this
    process; and at given places, so that threads and forked processes can share it.

    Parameters
    ----------
    paths : iterable of str
        The images there may be.
    item_shape : (int, int, int)
        Height, width and channels of each.

    Raises
    ------
    OSError
        If the folder for temporary files has no room for all of them.
    """

    def __init__(self, paths, item_shape):
        self._item_shape = item_shape
        self._n_bytes = math.prod(item_shape)
        self._places = {path: place for place, path in enumerate(dict.fromkeys(paths))}
        self._written = np.zeros(len(self._places), bool)
        folder = tempfile.gettempdir()
        needed, free = len(self._places) * self._n_bytes, shutil.disk_usage(folder).free
        if needed > free:
            raise OSError(
                f"cache_pixels=True needs {needed / 1e9:.1f} GB for "
                f"{len(self._places)} images; {folder} has {free / 1e9:.1f} GB left. "
                "Set TMPDIR to a folder with more room, or pass a smaller size or "
                "cache_pixels=False."
            )
        self._file = tempfile.TemporaryFile(prefix="skart-", buffering=0)
        weakref.finalize(self, self._file.close)

    def read(self, path):
        """Read an image.

        Parameters
        ----------
        path : str
            One of the paths.

        Returns
        -------
        pixels : ndarray of shape (height, width, 3), dtype uint8
            The image; None if it is yet to be written.
        """
        place = self._places[path]
        if not self._written[place]:
            return None
        data = _pread(self._file.fileno(), self._n_bytes, place * self._n_bytes)
        return np.frombuffer(data, np.uint8).reshape(self._item_shape)

    def write(self, path, pixels):
        """Keep an image, unless the disk is full: it is then decoded again.

        Parameters
        ----------
        path : str
            One of the paths.
        pixels : ndarray of shape (height, width, 3), dtype uint8
            The image.
        """
        place = self._places[path]
        with contextlib.suppress(OSError):
            n_written = _pwrite(
                self._file.fileno(), pixels.tobytes(), place * self._n_bytes
            )
            self._written[place] = n_written == self._n_bytes
