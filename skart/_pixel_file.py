"""A temporary file of decoded images, for those who read them many times."""

import math
import shutil
import tempfile
import threading
import weakref

import numpy as np


class PixelFile:
    """Decoded images in a file without a name: no crash can leave it behind.

    It is read and written, not mapped, so that its pages don't count as memory of this
    process. In another process, a copy of it starts empty.

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
        self._lock = threading.Lock()
        folder = tempfile.gettempdir()
        needed, free = len(self._places) * self._n_bytes, shutil.disk_usage(folder).free
        if needed > free:
            raise OSError(
                f"cache='disk' needs {needed / 1e9:.1f} GB for {len(self._places)} "
                f"images; {folder} has {free / 1e9:.1f} GB left. Set TMPDIR to a "
                "folder with more room, or pass a smaller size or cache=None."
            )
        self._file = tempfile.TemporaryFile(prefix="skart-")
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
        pixels = np.empty(self._item_shape, np.uint8)
        with self._lock:
            self._file.seek(place * self._n_bytes)
            self._file.readinto(pixels)
        return pixels

    def write(self, path, pixels):
        """Keep an image.

        Parameters
        ----------
        path : str
            One of the paths.
        pixels : ndarray of shape (height, width, 3), dtype uint8
            The image.
        """
        place = self._places[path]
        with self._lock:
            self._file.seek(place * self._n_bytes)
            self._file.write(pixels.tobytes())
            self._written[place] = True

    def __reduce__(self):
        return type(self), (list(self._places), self._item_shape)
