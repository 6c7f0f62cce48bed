"""Training samples by the batch, for Keras."""

import numpy as np

from skart._keras import keras
from skart._lazy import iter_batches


class Batches(keras.utils.PyDataset):
    """Some rows of X by the batch, in a new order each epoch; X may be lazy.

    Parameters
    ----------
    X : ndarray or LazyArray
        Samples; a lazy array is read by the batch, beside training.
    codes : ndarray of int, shape (n_samples,)
        Places of the labels among the classes.
    weights : ndarray of shape (n_samples,)
        Weights in the loss.
    rows : ndarray of int
        Which samples.
    batch_size : int
        Samples a batch; the last may have fewer.
    generator : numpy.random.Generator, default=None
        Shuffles them; None keeps their order.
    """

    def __init__(self, X, codes, weights, rows, batch_size, generator=None):
        super().__init__()
        self.X = X
        self.codes = codes
        self.weights = weights
        self.rows = rows
        self.batch_size = batch_size
        self.generator = generator
        self.error = None
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index):
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        try:
            X = np.asarray(self.X[rows])
        except Exception as error:
            self.error = error  # of which the backend would pass on the text alone
            raise
        return X, self.codes[rows], self.weights[rows]

    def on_epoch_end(self):
        if self.generator is not None:
            self.rows = self.generator.permutation(self.rows)

    def raise_error(self):
        """Raise what went wrong when X was read, if anything did."""
        if self.error is not None:
            for _ in iter_batches(self.X, self.batch_size):
                pass  # reading all of X names every unreadable file, not the first only
            raise self.error
