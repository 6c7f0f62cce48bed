"""Identity of a backbone's weights."""

import functools
import hashlib
import os

from skart._utils._files import file_digest, file_stamp
from skart.networks._presets import list_files


def identify_weights(weights, random_state=0, backbone=""):
    """Return a str that is equal for equal weights: a digest, name or seed."""
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
    """Raise FileNotFoundError unless a weights file can be read."""
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
    """Return the stamp of a weights file; None for "imagenet" and None."""
    return None if weights in ("imagenet", None) else file_stamp(weights)


def stamp_preset(backbone):
    """Return paths and stamps of the files of a preset's folder, or None."""
    files = list_files(backbone)
    return None if files is None else tuple((path, stamp(path)) for path in files)


@functools.lru_cache
def _digest(path, stamp):
    return file_digest(path).hex()
