"""Times of parts of a reproduction, measured on a sample of its paintings."""

import time

import numpy as np

from skart.images._lazy import auto_batch_size
from skart.reproduction._experiments import EpochTimer

_SECONDS = 5  # at least, of the epochs of a network after the first one


class BatchTimer(EpochTimer):
    """Measure the epochs of a network, and of all its batches but the first."""

    def __init__(self, X):
        super().__init__()
        self._n_rows, self._n_first = len(X), min(32, auto_batch_size(X))
        self._between, self._ends = [], []

    def on_train_batch_end(self, batch, logs=None):
        self._ends.append(time.monotonic())

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self._between.append(self._ends[-1] - self._ends[0])
        self._ends.clear()
        enough = len(self.seconds) > 2 and sum(self.seconds[1:]) > _SECONDS
        self.model.stop_training = enough

    def time_building(self, classifier, *samples, **validation):
        """Fit a classifier; return the seconds that are not those of its epochs."""
        seconds = time_call(lambda: classifier.fit(*samples, **validation))
        seconds += time_call(lambda: classifier.predict_proba(samples[0][:1]))
        return max(0, seconds - len(self.seconds) * self.epoch(self._n_rows))

    def epoch(self, n):
        """Return the seconds of an epoch of n paintings, after the first one."""
        epoch, n_more = np.mean(self.seconds[1:]), self._n_rows - self._n_first
        if n == self._n_rows or not n_more:
            return epoch * n / self._n_rows
        return epoch + (n - self._n_rows) * np.mean(self._between[1:]) / n_more


def time_call(function):
    """Return the seconds that a function takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started
