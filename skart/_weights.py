"""Which weights a backbone has, told by what is in their file."""

import functools
import hashlib
import os


def identify_weights(weights, random_state=0):
    """Say which weights a backbone has: what is equal for equal weights only.

    Parameters
    ----------
    weights : "imagenet", str, path or None
        That of :class:`skart.FeatureExtractor`.
    random_state : int, default=0
        Seed of random weights.

    Returns
    -------
    identity : str
        ``"imagenet"``, the digest of the file, or ``"random 0"``.
    """
    if weights is None:
        return f"random {random_state}"
    if weights == "imagenet":
        return weights
    weights = os.path.expanduser(weights)
    return _digest(weights, stamp(weights))


def check_weights(weights, backbone):
    """Refuse a file of weights that can't be read.

    Parameters
    ----------
    weights : "imagenet", str, path or None
        That of :class:`skart.FeatureExtractor`.
    backbone : str
        What they are for.

    Raises
    ------
    FileNotFoundError
        If it is no file, or can't be read.
    """
    if weights in ("imagenet", None):
        return
    path = os.path.expanduser(weights)
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise FileNotFoundError(
            f"weights={path!r} is no file that can be read. Pass a file of {backbone} "
            "weights without the top (.weights.h5), 'imagenet', or None for random "
            "weights."
        )


def stamp(weights):
    """Tell a file of weights from one that took its name later.

    Parameters
    ----------
    weights : "imagenet", str, path or None
        That of :class:`skart.FeatureExtractor`.

    Returns
    -------
    stamp : tuple of int or None
        What changes with the file; None where it is none.
    """
    if weights in ("imagenet", None):
        return None
    seen = os.stat(weights)
    return seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino


@functools.lru_cache
def _digest(path, stamp):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
