"""Training samples by the batch, for Keras."""

import dataclasses

import numpy as np

from skart.images._lazy import iter_batches
from skart.networks._keras import keras


@dataclasses.dataclass
class Samples:
    """What a fit has checked, in two parts.

    Parameters
    ----------
    X : ndarray or LazyArray
        What a network takes; a lazy array is read by the batch, beside training.
    codes : ndarray of int, shape (n_samples,)
        Places of the labels among the classes.
    weights : ndarray of shape (n_samples,)
        Weights in the loss.
    groups : ndarray of shape (n_samples,) or None
        Artists.
    training : ndarray of int
        Rows to train on.
    validation : ndarray of int or None
        Rows that are held out.
    """

    X: object
    codes: np.ndarray
    weights: np.ndarray
    groups: np.ndarray | None
    training: np.ndarray
    validation: np.ndarray | None


class Batches(keras.utils.PyDataset):
    """Some samples by the batch, in a new order each epoch.

    Keras reads batches ahead in another thread while the network trains.

    Parameters
    ----------
    samples : Samples
        Where they are from.
    rows : ndarray of int
        Which samples.
    batch_size : int
        Samples a batch; the last may have fewer.
    generator : numpy.random.Generator, default=None
        Shuffles them; None keeps their order.
    """

    def __init__(self, samples, rows, batch_size, generator=None):
        super().__init__()
        self.samples = samples
        self.rows = rows
        self.batch_size = batch_size
        self.generator = generator
        self.error = None
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index):
        try:
            return self.read(index, index)
        except Exception as error:
            self.error = error  # of which the backend would pass on the text alone
            raise

    def read(self, first, last):
        """Read several batches at once.

        Parameters
        ----------
        first : int
            The first batch.
        last : int
            The last one.

        Returns
        -------
        X, codes, weights : ndarray
            Of their samples.
        """
        rows = self.rows[first * self.batch_size : (last + 1) * self.batch_size]
        samples = self.samples
        return np.asarray(samples.X[rows]), samples.codes[rows], samples.weights[rows]

    def on_epoch_end(self):
        if self.generator is not None:
            self.rows = self.generator.permutation(self.rows)

    def close(self):
        """Release the samples."""
        self.samples = None  # TensorFlow keeps what it was given to iterate over

    def find_error(self):
        """Find what went wrong when X was read: an exception, or None."""
        if self.error is None:
            return None
        try:  # reading all of X names every unreadable file, not the first only
            for _ in iter_batches(self.samples.X, self.batch_size):
                pass
        except Exception as error:
            return error
        return self.error
