"""The parameters of training, which all classifiers share."""

import copy
import math
import numbers

import numpy as np
from sklearn.utils import check_random_state

from skart._utils._validation import check_choice
from skart.networks._keras import keras

# Share of the learning rate after a share of the epochs.
SCHEDULES = {
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "linear": lambda done: 1 - done,
    "exponential": lambda done: 0.01**done,
}

# Keras calls a line an epoch 2 and a bar 1.
VERBOSITY = {0: 0, 1: 2, 2: 1}


class DivergedError(ValueError):
    """Training after which the loss or the weights are no longer finite."""


class StopAtNaN(keras.callbacks.Callback):
    """Stop when the loss is no longer finite; Keras' own also prints a line."""

    def on_train_batch_end(self, batch, logs=None):
        """Look at the loss.

        Parameters
        ----------
        batch : int
            Number of the batch.
        logs : dict
            Of training so far.
        """
        if not math.isfinite((logs or {}).get("loss", 0)):
            self.model.stop_training = True


def make_scheduler(name, rate, epochs_done, n_epochs):
    """Make the callback that lowers the learning rate.

    Parameters
    ----------
    name : str
        One of SCHEDULES.
    rate : float
        Learning rate of the first epoch.
    epochs_done : int
        Number of the first epoch.
    n_epochs : int
        How many there are.

    Returns
    -------
    scheduler : keras.callbacks.LearningRateScheduler
        Sets the rate ahead of each epoch.
    """
    share_left = SCHEDULES[name]
    return keras.callbacks.LearningRateScheduler(
        lambda epoch, _: rate * share_left((epoch - epochs_done) / n_epochs)
    )


def check_training(classifier):
    """Check the parameters of training.

    Parameters
    ----------
    classifier : BaseKerasClassifier
        Whose they are.

    Raises
    ------
    TypeError
        If the optimizer is none.
    ValueError
        If another parameter is not allowed.
    """
    if not _is_positive_int(classifier.epochs):
        raise ValueError(f"epochs must be a positive int; got {classifier.epochs!r}")
    if classifier.batch_size is not None and not _is_positive_int(
        classifier.batch_size
    ):
        raise ValueError(
            f"batch_size must be a positive int or None; got {classifier.batch_size!r}"
        )
    check_choice("verbose", classifier.verbose, tuple(VERBOSITY))
    if not isinstance(classifier.optimizer, (str, type, keras.optimizers.Optimizer)):
        raise TypeError(
            "optimizer must be the name of a Keras optimizer, its class or an "
            f"instance; got {classifier.optimizer!r}"
        )
    check_choice(
        "learning_rate_schedule",
        classifier.learning_rate_schedule,
        (*SCHEDULES, None),
    )
    if not isinstance(classifier.validation_split, numbers.Real) or not (
        0 <= classifier.validation_split < 1
    ):
        raise ValueError(
            f"validation_split must be in [0, 1); got {classifier.validation_split!r}"
        )
    if classifier.patience is not None and not _is_positive_int(classifier.patience):
        raise ValueError(
            f"patience must be a positive int or None; got {classifier.patience!r}"
        )
    if classifier.patience is not None and not classifier.validation_split:
        raise ValueError(
            f"patience={classifier.patience!r} stops training by the validation loss: "
            "pass validation_split=0.1, for instance, or patience=None"
        )
    if classifier.learning_rate_schedule is not None:
        given = classifier.get_params().get("optimizer__learning_rate")
        if isinstance(given, keras.optimizers.schedules.LearningRateSchedule):
            raise ValueError(
                "the learning rate follows either learning_rate_schedule="
                f"{classifier.learning_rate_schedule!r} or optimizer__learning_rate="
                f"{given!r}; pass one of them"
            )


def derive_seed(random_state, epochs_done):
    """Compute the seed of a fit; one that continues another gets a seed of its own.

    Parameters
    ----------
    random_state : int, RandomState or None
        That of the classifier. It is copied, not drawn from.
    epochs_done : int
        Epochs that its network has been trained for.

    Returns
    -------
    seed : int
        In [0, 2**31).
    """
    seed = check_random_state(copy.deepcopy(random_state)).randint(2**31)
    return int(np.random.SeedSequence([seed, epochs_done]).generate_state(1)[0] >> 1)


def _is_positive_int(value):
    return isinstance(value, numbers.Integral) and value >= 1
