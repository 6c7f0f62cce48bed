"""Networks as JSON, rebuilt from known layers only."""

import contextlib
import json

from skart.networks import _augmentation, _tail  # noqa: F401  they register layers
from skart.networks._keras import keras

# Private: Keras has no public way to switch its safe mode on again.
from keras.src.saving.serialization_lib import SafeModeScope  # isort: skip

# Parts of networks that any file may name: layers of keras.applications and skart, and
# others of Keras that compute only. None runs code, reads files or names functions; a
# layer that does must not be added.
_BUILDING_BLOCKS = {
    "keras": {"DTypePolicy", "Sequential"},
    "keras.constraints": {"MaxNorm", "NonNeg", "UnitNorm"},
    "keras.initializers": {
        "Constant",
        "GlorotNormal",
        "GlorotUniform",
        "HeNormal",
        "HeUniform",
        "LecunNormal",
        "LecunUniform",
        "Ones",
        "RandomNormal",
        "RandomUniform",
        "TruncatedNormal",
        "VarianceScaling",
        "Zeros",
    },
    "keras.layers": {
        "Activation",
        "Add",
        "Average",
        "AveragePooling2D",
        "BatchNormalization",
        "CenterCrop",
        "Concatenate",
        "Conv2D",
        "Conv2DTranspose",
        "Cropping2D",
        "Dense",
        "DepthwiseConv2D",
        "Dropout",
        "ELU",
        "Flatten",
        "GaussianDropout",
        "GaussianNoise",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "GroupNormalization",
        "Identity",
        "InputLayer",
        "LayerNormalization",
        "LeakyReLU",
        "MaxPooling2D",
        "Maximum",
        "MultiHeadAttention",
        "Multiply",
        "Normalization",
        "PReLU",
        "Permute",
        "RandAugment",
        "RandomBrightness",
        "RandomColorJitter",
        "RandomContrast",
        "RandomCrop",
        "RandomErasing",
        "RandomFlip",
        "RandomGaussianBlur",
        "RandomGrayscale",
        "RandomRotation",
        "RandomShear",
        "RandomTranslation",
        "RandomZoom",
        "ReLU",
        "Rescaling",
        "Reshape",
        "Resizing",
        "SeparableConv2D",
        "Softmax",
        "SpatialDropout2D",
        "Subtract",
        "UnitNormalization",
        "UpSampling2D",
        "ZeroPadding2D",
    },
    "keras.regularizers": {"L1", "L1L2", "L2"},
    "keras.src.applications.convnext": {"LayerScale"},
    "keras.src.applications.inception_resnet_v2": {"CustomScaleLayer"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.ops.numpy": {"Add", "Multiply"},
    "skart.networks": {"Preprocess", "WhileTraining"},
}
_REGISTERED = ("skart>WhileTraining", "skart>Preprocess")


def describe(network):
    """Return a network or a layer as JSON, without weights."""

    def forget(part):
        part.pop("compile_config", None)
        # Keras finds registered layers by their names, whatever their module.
        if str(part.get("registered_name")).startswith("skart>"):
            part["module"] = "skart.networks"
        return part

    config = keras.saving.serialize_keras_object(network)
    return json.dumps(json.loads(json.dumps(config), object_hook=forget))


def rebuild(description, weights, own=(), *, trusted=False):
    """Build a network or a layer; allow only known and `own` parts unless trusted."""
    if not trusted:
        check_description(description, own)
    with contextlib.nullcontext() if trusted else SafeModeScope(safe_mode=True):
        network = keras.saving.deserialize_keras_object(json.loads(description))
    if not isinstance(network, keras.Layer):
        raise ValueError("a network's description is not one of a layer")
    set_weights(network, weights)
    return network


def set_weights(network, weights):
    """Set all weights of a network or a layer."""
    network.set_weights(weights)
    # Normalization computes with copies of its weights. Private: Keras has no public
    # way to the layers within layers.
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def find_own(description):
    """Return the registered classes and functions of others in a description."""
    found = {}

    def look(value):
        if isinstance(value, str) and ">" in value and value not in _REGISTERED:
            own = keras.saving.get_registered_object(value)
            if own is not None:
                found[value] = own
        elif isinstance(value, (dict, list)):
            for part in value.values() if isinstance(value, dict) else value:
                look(part)

    look(json.loads(description))
    return list(found.values())


def check_description(description, own=()):
    """Raise ValueError unless all parts are known, or among the classes in `own`."""
    registered = {keras.saving.get_registered_name(one): one for one in own}
    for name, one in registered.items():
        # Another class may have been registered under the same name.
        if ">" not in name or keras.saving.get_registered_object(name) is not one:
            raise ValueError(f"{name!r} is not registered with Keras")
    _check(json.loads(description), registered)


def _check(part, own):
    if isinstance(part, dict):
        if "class_name" in part:
            _check_object(part, own)
        if part.get("compile_config"):
            raise ValueError("a network's description tells how it was compiled")
        for name, value in part.items():
            _check(name, own)
            _check(value, own)
    elif isinstance(part, list):
        for value in part:
            _check(value, own)
    elif isinstance(part, str) and ">" in part:
        # Keras looks these up among the classes and functions that were registered.
        if part not in _REGISTERED and part not in own:
            raise ValueError(f"a network's description names {part!r}")


def _check_object(part, own):
    module, name = part.get("module"), part["class_name"]
    registered = part.get("registered_name")
    if name == "__keras_tensor__" and set(part) == {"class_name", "config"}:
        return
    if name == "function":
        value = part.get("config")
        known = isinstance(value, str) and value in own and registered == name
    elif isinstance(registered, str) and registered in own:
        one = own[registered]
        known = (module, name) == (one.__module__, one.__name__)
    else:
        known = isinstance(module, str) and name in _BUILDING_BLOCKS.get(module, ())
        # A class that is registered under this name has precedence.
        known = known and registered in (None, name, f"skart>{name}")
    if not known:
        function = f" {part.get('config')!r}" if name == "function" else ""
        raise ValueError(
            f"a network's description names {module}.{name}{function}, which is "
            "neither a known layer nor decorated with "
            "@keras.saving.register_keras_serializable()"
        )
