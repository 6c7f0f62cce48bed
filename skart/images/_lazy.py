"""What images and features on demand have in common: an array's face."""

import math
import numbers

import numpy as np


class LazyArray:
    """An array whose first axis is a list of items that are read when needed.

    An integer index reads one item; a slice, an index array or a mask gives another
    lazy array without reading; ``np.asarray`` reads all. Subclasses define
    ``item_shape``, ``dtype`` and ``_read``.

    Parameters
    ----------
    items : sequence
        What each row is read from.
    """

    def __init__(self, items):
        self._items = np.asarray(items, dtype=object)

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
                    f"got {key!r}. np.asarray reads it all."
                )
            key = key[0]
        if isinstance(key, numbers.Integral):
            return self._view(self._items[[key]])._read()[0]
        if not isinstance(key, slice):
            key = np.asarray(key)
            if key.size == 0:
                key = key.astype(int)
        return self._view(self._items[key])

    def _view(self, items):
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__, _items=items)
        return view

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError(
                f"{type(self).__name__} is read anew each time: copy=False can't be met"
            )
        return self._read().astype(dtype or self.dtype, copy=False)

    def __repr__(self):
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype.name})"


def iter_batches(X, batch_size):
    """Iterate over an array, or over a lazy one that may read ahead.

    Parameters
    ----------
    X : ndarray or LazyArray
        Rows.
    batch_size : int
        Rows a batch; the last may have fewer.

    Returns
    -------
    batches : generator of ndarray
        The rows in order.
    """
    if hasattr(X, "iter_batches"):
        return X.iter_batches(batch_size)
    starts = range(0, len(X), batch_size)
    return (np.asarray(X[start : start + batch_size]) for start in starts)


def auto_batch_size(X):
    """Count the rows that a network can take at once with little memory.

    Larger batches are no faster on a CPU, and need memory in proportion.

    Parameters
    ----------
    X : ndarray or LazyArray
        Rows.

    Returns
    -------
    n_rows : int
        Rows of six million numbers together, at least 1: images of two million pixels,
        22 at 299 x 299 and 8 at 500 x 500.
    """
    return max(1, 6_000_000 // math.prod(X.shape[1:]))
