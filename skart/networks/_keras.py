"""Keras, and functions around its calls.

Importing this module neither initialises TensorFlow's runtime nor hides its messages.
"""

import contextlib
import gc
import logging
import os
import threading

import numpy as np

try:
    import keras
    from tensorflow.python.eager import context
except ModuleNotFoundError as error:
    if error.name not in ("keras", "tensorflow"):
        raise
    raise ModuleNotFoundError(
        "this needs TensorFlow, which is not installed. Run: pip install "
        "'tensorflow>=2.19' 'scikeras>=0.13'",
        name=error.name,
    ) from None

_home = os.getpid()


def predict_batch(network, batch):
    """Compute the outputs of a network for one batch, as NumPy arrays."""
    with without_retracing_advice():
        outputs = network.predict_on_batch(batch)
    # Under a tf.distribute strategy, each replica predicts the whole batch, and the
    # outputs are joined.
    return keras.tree.map_structure(lambda x: np.asarray(x)[: len(batch)], outputs)


def free_networks():
    """Free the memory (also of a GPU) of networks that are no longer used."""
    # Networks are held in reference cycles.
    gc.collect()
    # TensorFlow keeps what it compiled for a network, about 3 MiB, after that is freed.
    # The public way to its cache, keras.utils.clear_session, also resets the names of
    # layers and other state of the process.
    context.context().clear_kernel_cache()


@contextlib.contextmanager
def without_retracing_advice():
    """Hide TensorFlow's warning about retracing in this thread."""
    # It counts tracings across networks, and so warns in every cross-validation.
    thread = threading.get_ident()

    def is_shown(record):
        text = record.getMessage()
        return record.thread != thread or "tf.function retracing" not in text

    logger = logging.getLogger("tensorflow")
    logger.addFilter(is_shown)
    try:
        yield
    finally:
        logger.removeFilter(is_shown)


def check_process():
    """Raise RuntimeError in a forked process, in which TensorFlow would hang."""
    if os.getpid() != _home:
        raise RuntimeError(
            "TensorFlow can't compute in a process that was forked from one that has "
            "loaded it. Start fresh ones: joblib's default backend 'loky' does, and "
            "multiprocessing's start method 'spawn'."
        )


def check_image_data_format():
    """Raise RuntimeError if Keras' setting is not the order of skart's images."""
    # Setting it here would change it for all threads.
    found = keras.config.image_data_format()
    if found != "channels_last":
        raise RuntimeError(
            f"keras.config.image_data_format() is {found!r}, but skart's images are "
            "'channels_last': (height, width, channels). Call "
            "keras.config.set_image_data_format('channels_last'), or set "
            '"image_data_format" in ~/.keras/keras.json.'
        )


@contextlib.contextmanager
def dtype_policy(name):
    """Build layers under a Keras dtype policy, and restore the previous one."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
