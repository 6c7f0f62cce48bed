"""Base class of lazy arrays, and batches of arrays of either kind."""

import math
import numbers

import numpy as np


class LazyArray:
    """An array that reads its rows on access.

    An integer index reads one row; a slice, an index array or a mask returns another
    lazy array and reads nothing; ``np.asarray`` reads all rows. Subclasses define
    `item_shape`, `dtype` and `_read`, which returns all rows as an ndarray.
    """

    def __init__(self, items, index=None):
        # The source of each row. Not np.array, which would look into the items.
        self._items = np.empty(len(items), dtype=object)
        self._items[:] = items
        self.index = index  # of pandas, or None

    @property
    def shape(self):
        """Shape of the array: ``(n, *item_shape)``."""
        return (len(self), *self.item_shape)

    @property
    def ndim(self):
        """Number of axes."""
        return len(self.shape)

    def __len__(self):
        return len(self._items)

    def __getitem__(self, key):
        if isinstance(key, tuple):  # scikit-learn indexes rows with X[key, ...]
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError(
                    f"{type(self).__name__} can be indexed along the first axis only; "
                    f"got {key!r}. Convert it with np.asarray to index other axes."
                )
            key = key[0]
        if isinstance(key, numbers.Integral):
            return self._view([key])._read()[0]
        if not isinstance(key, slice):
            key = np.asarray(key)
            if key.size == 0:  # an empty list is an array of floats
                key = key.astype(int)
        return self._view(key)

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError(
                f"{type(self).__name__} is not in memory: a conversion always copies. "
                "Pass copy=None or copy=True."
            )
        return self._read().astype(dtype or self.dtype, copy=False)

    def __repr__(self):
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype.name})"

    def _view(self, key):
        view = object.__new__(type(self))
        index = None if self.index is None else self.index[key]
        view.__dict__.update(self.__dict__, _items=self._items[key], index=index)
        return view


def iter_batches(X, batch_size):
    """Return an iterator over the rows of an array, or of a lazy one, in batches."""
    if hasattr(X, "iter_batches"):  # which reads ahead
        return X.iter_batches(batch_size)
    starts = range(0, len(X), batch_size)
    return (np.asarray(X[start : start + batch_size]) for start in starts)


def auto_batch_size(X):
    """Return a number of rows that a network can process at once in little memory."""
    # 22 images of 299 x 299 pixels. Larger batches are no faster on a CPU.
    return max(1, 6_000_000 // math.prod(X.shape[1:]))
