"""Parts of training: seeds, learning-rate schedules, optimizers."""

import copy
import math

import numpy as np
import tensorflow as tf
from sklearn.utils import check_random_state

from skart.networks._keras import keras

# Share of the learning rate that is left after a share of the epochs.
SCHEDULES = {
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "linear": lambda done: 1 - done,
    "exponential": lambda done: 0.01**done,
}

# Keras prints a line per epoch with verbose=2 and a bar with verbose=1.
VERBOSITY = {0: 0, 1: 2, 2: 1}


class DivergedError(ValueError):
    """The loss or the weights are no longer finite."""


class OneHotLoss(keras.losses.Loss):
    """Loss of integer labels, by a loss of one-hot labels."""

    def __init__(self, loss):
        super().__init__(loss.name, loss.reduction, loss.dtype)
        self.loss = loss

    def call(self, codes, probabilities):
        codes = keras.ops.cast(keras.ops.reshape(codes, (-1,)), "int32")
        one_hot = keras.ops.one_hot(codes, probabilities.shape[-1])
        return self.loss.call(one_hot, probabilities)


class StopAtNaN(keras.callbacks.Callback):
    """Stop training when the loss is not finite, without Keras' printed line."""

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite((logs or {}).get("loss", 0)):
            self.model.stop_training = True


def has_schedule(callbacks):
    """Return whether one of the callbacks sets the learning rate."""
    kinds = keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau
    return any(isinstance(callback, kinds) for callback in callbacks)


def derive_seed(random_state, epochs_done):
    """Compute the seed of a fit; a continued fit has a seed of its own."""
    seed = check_random_state(copy.deepcopy(random_state)).randint(2**31)
    return int(np.random.SeedSequence([seed, epochs_done]).generate_state(1)[0] >> 1)


def bind_optimizer(optimizer, network, scale_loss):
    """Create the state of an optimizer for a network; return the optimizer."""
    # In TensorFlow 2.21, a network and its optimizer's state are not freed if the
    # training graph sums gradients over replicas, or makes variables. Without a
    # strategy there is nothing to sum, and Keras has no public switch for it.
    if not tf.distribute.has_strategy():
        optimizer._all_reduce_sum_gradients = list
    optimizer.build(network.trainable_variables)
    # Keras scales the loss itself if the outermost network computes in half precision.
    return keras.optimizers.LossScaleOptimizer(optimizer) if scale_loss else optimizer


def release(network, callbacks):
    """Drop references that would keep the network or its data in memory."""
    for callback in callbacks:
        if type(callback).set_model is keras.callbacks.Callback.set_model:
            callback.set_model(None)
    # After an error in validation, Keras keeps its iterator, and X with it.
    network.__dict__.pop("_eval_epoch_iterator", None)
