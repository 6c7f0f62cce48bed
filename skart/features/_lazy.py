"""Maps: features that are too large for memory, and stay on disk."""

import math
import shutil
import tempfile

import numpy as np

from skart.images._lazy import LazyArray
from skart.store import StoreError


class LazyFeatures(LazyArray):
    """Features that stay on disk until they are read.

    It has the length, shape and indexing of an array of shape ``(n, *shape)``: an
    integer reads one item; a slice, an index array or a mask gives another
    LazyFeatures; ``np.asarray`` reads all of it. :class:`FeatureExtractor` makes it.

    Parameters
    ----------
    section : StoreSection
        Where the features are.
    digests : array-like of bytes
        Which of them, in order.
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


def check_room(shape, dtype, n_images, store):
    """Tell how much room maps take, before it is taken.

    Parameters
    ----------
    shape : tuple of int
        Of one image's maps.
    dtype : str
        What they are stored in.
    n_images : int
        How many images are to be computed.
    store : FeatureStore
        Where they are going to be.

    Returns
    -------
    told : str
        A sentence for the user.

    Raises
    ------
    OSError
        If there is too little room on the disk.
    """
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    needed = n_images * (n_bytes + n_bytes // 1000 + 4096)  # with pages half full
    folder = tempfile.gettempdir() if store.read_only else store.root
    free = shutil.disk_usage(folder).free
    sizes = (
        f"{n_bytes / 1024:,.0f} KiB each, {needed / 1e6:,.0f} MB together; "
        f"{folder} has {free / 1e6:,.0f} MB left"
    )
    if needed > free:
        raise OSError(
            f"maps of {n_images} paintings don't fit the disk: {sizes}. Name a "
            "folder with more room as cache (or as TMPDIR, without a cache), or "
            "take a later layer or smaller images."
        )
    return f"maps of {n_images} paintings take {sizes}"
