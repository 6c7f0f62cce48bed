"""Lazy array of feature maps on disk."""

import math
import shutil
import tempfile

import numpy as np

from skart.images._lazy import LazyArray
from skart.store import StoreError


class LazyFeatures(LazyArray):
    """Lazy array of features, which are read from disk on access.

    An integer reads one item; a slice, an index array or a mask returns another
    LazyFeatures; ``np.asarray`` reads all items. :class:`FeatureExtractor` returns it
    for ``pooling=None``.

    Parameters
    ----------
    section : StoreSection
        Section of the store that contains the features.
    digests : array-like of bytes
        Digests of the images, in order.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, section, digests):
        super().__init__(digests)
        self.section = section
        self.item_shape = section.shape

    def _read(self):
        arrays, found = self.section.read(self._items)
        if not found.all():
            raise StoreError(
                f"{np.sum(~found)} of {len(found)} features are no longer in the store "
                f"{self.section.store.root}, which was deleted or damaged since they "
                "were computed. Transform the images again."
            )
        return arrays.astype(np.float32, copy=False)


def check_disk_space(store, n_images, shape, dtype):
    """Return the size of maps as text; raise OSError if they don't fit the disk."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    needed = n_images * (n_bytes + n_bytes // 1000 + 4096)  # pages are half full
    folder = tempfile.gettempdir() if store.read_only else store.root
    free = shutil.disk_usage(folder).free
    sizes = (
        f"{n_bytes / 1024:,.0f} KiB each, {needed / 1e6:,.0f} MB together; "
        f"{folder} has {free / 1e6:,.0f} MB free"
    )
    if needed > free:
        raise OSError(
            f"maps of {n_images} paintings don't fit the disk: {sizes}. Pass a cache "
            "folder with more space (or set TMPDIR, without a cache), a later layer or "
            "smaller images."
        )
    return f"maps of {n_images} paintings take {sizes}"
