"""Lazy array of feature maps on disk."""

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
