"""The engines that run a backbone: Keras, and OpenVINO on a processor."""

import glob
import importlib.util
import sys
import warnings

import numpy as np
from tqdm.auto import tqdm

from skart.features._encoder import Encoder
from skart.networks._openvino import ConversionError, load_converted
from skart.networks._weights import identify_weights, short_name

# Devices that a GPU has on Linux: of NVIDIA, of AMD, and in Windows' subsystem.
_GPU_DEVICES = ("/dev/nvidia[0-9]*", "/dev/kfd", "/dev/dxg")


def check_engine(engine, dtype):
    """Raise an error if "openvino" is not installed or doesn't compute in `dtype`."""
    if engine != "openvino":
        return
    if dtype == "float16":
        raise ValueError(
            "engine='openvino' computes in float32 or bfloat16; got dtype='float16'. "
            "Pass one of these, or engine='keras'"
        )
    if not _is_installed():
        raise ImportError(
            "engine='openvino' needs OpenVINO, which is not installed. Run: pip "
            "install 'skart[openvino]', or pass engine='auto' or 'keras'"
        )


def prefers_openvino(extractor):
    """Return whether OpenVINO should compute, if it can convert the network."""
    if isinstance(extractor.backbone, Encoder):
        return False
    if extractor.engine == "auto":
        return extractor.dtype != "float16" and _is_installed() and not _sees_gpu()
    return extractor.engine == "openvino"


def list_engines(extractor, upstream):
    """Return parts of identities: of the engine, then of one that is as good.

    Where an upstream has features by the other engine only, these are used.
    """
    engines = [{"engine": "openvino"}, {}]  # Keras is not named
    if not prefers_openvino(extractor):
        engines.reverse()
    both = (
        upstream is not None
        and extractor.engine == "auto"
        and not isinstance(extractor.backbone, Encoder)
    )
    return engines if both else engines[:1]


def can_run(section):
    """Return whether the engine of stored features is installed; if not, warn."""
    if "engine" not in section.identity or _is_installed():
        return True
    warnings.warn(
        f"{section.store.upstream} has features that OpenVINO computed, which is not "
        "installed here: Keras computes them anew. To use them, run: pip install "
        "'skart[openvino]'",
        stacklevel=4,
    )
    return False


def load_openvino(extractor, shape, folder=None):
    """Return the network of an extractor for images of a shape, run by OpenVINO."""
    identity = [
        short_name(extractor.backbone),
        identify_weights(extractor.weights, extractor.random_state, extractor.backbone),
        extractor._outputs,
        shape,
    ]
    try:
        return load_converted(
            identity,
            dtype=extractor.dtype,
            folder=folder,
            build=lambda: _build(extractor, shape),
        )
    except ConversionError as error:
        raise ConversionError(
            f"OpenVINO can't run {extractor.backbone} ({error}); pass engine='keras'"
        ) from error


def can_convert(extractor, shape, folder):
    """Return whether OpenVINO can run a network; if not, print why, or raise it."""
    try:
        load_openvino(extractor, shape, folder)
    except ModuleNotFoundError:  # no TensorFlow: what it has stored can still be read
        if extractor.engine == "openvino":
            raise
        return False
    except ConversionError as error:
        if extractor.engine == "openvino":
            raise
        if extractor.verbose:
            tqdm.write(
                f"{extractor.backbone} is run by Keras, since OpenVINO can't convert "
                f"it ({error.__cause__})",
                file=sys.stderr,
            )
        return False
    return True


def round_features(features, extractor, name):
    """Convert features to the storage dtype; raise ValueError if they don't fit it."""
    features = features.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):
        stored = features.astype(extractor.storage_dtype, copy=False)
    if not np.isfinite(features).all():
        raise ValueError(
            f"features of {name} are not finite with dtype="
            f"{extractor.dtype!r}; pass dtype='float32', or other weights"
        )
    if not np.isfinite(stored).all():
        raise ValueError(
            f"features of {name} up to {np.abs(features).max():.3g} "
            "don't fit float16; pass storage_dtype='float32'"
        )
    return stored


def _build(extractor, shape):
    """Return a function from images to features, their shape, and the weights."""
    import keras

    from skart.networks._backbones import preprocess_input

    # OpenVINO reduces the precision itself.
    network = extractor._load_network(shape, "float32")
    preprocess = preprocess_input(extractor.backbone)

    def compute(images):
        return keras.tree.flatten(network(preprocess(images), training=False))

    return compute, shape, [weight.value for weight in network.weights]


def _is_installed():
    return importlib.util.find_spec("openvino") is not None


def _sees_gpu():
    """Return whether TensorFlow has a GPU; import it only if there may be one."""
    if sys.platform == "linux" and not any(map(glob.glob, _GPU_DEVICES)):
        return False
    if importlib.util.find_spec("tensorflow") is None:
        return False
    import tensorflow as tf

    return bool(tf.config.get_visible_devices("GPU"))
