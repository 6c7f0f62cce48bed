"""Which weights a backbone has, told by what is in their file."""

import functools
import hashlib
import os

from skart.networks._presets import list_files


def identify_weights(weights, random_state=0, backbone=""):
    """Say which weights a backbone has: what is equal for equal weights only.

    Parameters
    ----------
    weights : "imagenet", str, path or None
        That of :class:`skart.FeatureExtractor`.
    random_state : int, default=0
        Seed of random weights.
    backbone : str, default=""
        The network, which matters if a folder holds it.

    Returns
    -------
    identity : str
        ``"imagenet"``, the digest of the file, or ``"random 0"``; and the digest of a
        folder that holds the network.
    """
    identity = weights
    if weights is None:
        identity = f"random {random_state}"
    elif weights != "imagenet":
        weights = os.path.expanduser(weights)
        identity = _digest(weights, stamp(weights))
    files = list_files(backbone)
    if files is None:
        return identity
    whole = hashlib.sha256()
    for path in files:
        whole.update(
            f"{os.path.basename(path)} {_digest(path, stamp(path))}\n".encode()
        )
    return f"{identity} of {whole.hexdigest()}"


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
        If it is no file, or can't be read; or the backbone is no folder of a preset.
    """
    list_files(backbone)
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


def stamp_preset(backbone):
    """Tell a folder that holds a network from what it was before.

    Parameters
    ----------
    backbone : str
        That of :class:`skart.FeatureExtractor`.

    Returns
    -------
    stamp : tuple or None
        What changes with its files; None where it is none.
    """
    files = list_files(backbone)
    return None if files is None else tuple((path, stamp(path)) for path in files)


@functools.lru_cache
def _digest(path, stamp):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
