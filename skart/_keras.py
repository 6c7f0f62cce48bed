"""Keras, imported without its backend's chatter.

TensorFlow writes notices about oneDNN and missing GPUs to file descriptor 2 before
any of its log levels applies, so the descriptor itself is held back while Keras is
imported and its devices are listed for the first time. If that fails, all that was
held back is shown.
"""

import contextlib
import logging
import os

from skart._stderr import stderr_held_back

# Messages of later sessions of the C++ runtime ("end of sequence", thread pools).
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with stderr_held_back():
    import keras

    keras.distribution.list_devices()

# Each network and each size of a last batch is traced once; TensorFlow counts these
# across networks and advises against it.
logging.getLogger("tensorflow").addFilter(
    lambda record: "triggered tf.function retracing" not in str(record.msg)
)


_home = os.getpid()


def check_process():
    """Refuse to compute in a forked process, where TensorFlow would wait forever.

    Raises
    ------
    RuntimeError
        If this process was forked from one that had loaded Keras.
    """
    if os.getpid() != _home:
        raise RuntimeError(
            "TensorFlow can't compute in a process that was forked from one that has "
            "loaded it. Start fresh ones: joblib's default backend 'loky' does, and "
            "multiprocessing's start method 'spawn'."
        )


@contextlib.contextmanager
def dtype_policy(name):
    """Build layers under a dtype policy of Keras, and put back the one there was.

    Parameters
    ----------
    name : str
        ``"float32"``, ``"mixed_bfloat16"`` or ``"mixed_float16"``.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


__all__ = ["check_process", "dtype_policy", "keras"]
