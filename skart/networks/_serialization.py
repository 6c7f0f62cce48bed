"""Networks as JSON, rebuilt from known layers only."""

import json

from skart.networks import _augmentation, _tail  # noqa: F401  they register layers
from skart.networks._keras import keras

# Private: Keras has no public way to switch its safe mode on again.
from keras.src.saving.serialization_lib import SafeModeScope  # isort: skip

# Layers of networks of keras.applications and skart. None runs code, reads files or
# names functions; a layer that does must not be added.
_BUILDING_BLOCKS = {
    "keras": {"DTypePolicy", "Sequential"},
    "keras.initializers": {
        "GlorotUniform",
        "HeNormal",
        "Ones",
        "VarianceScaling",
        "Zeros",
    },
    "keras.layers": {
        "Activation",
        "Add",
        "AveragePooling2D",
        "BatchNormalization",
        "Concatenate",
        "Conv2D",
        "Cropping2D",
        "Dense",
        "DepthwiseConv2D",
        "Dropout",
        "Flatten",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "Identity",
        "InputLayer",
        "LayerNormalization",
        "MaxPooling2D",
        "Multiply",
        "Normalization",
        "RandAugment",
        "RandomColorJitter",
        "RandomFlip",
        "RandomRotation",
        "RandomTranslation",
        "RandomZoom",
        "ReLU",
        "Rescaling",
        "Reshape",
        "SeparableConv2D",
        "Softmax",
        "ZeroPadding2D",
    },
    "keras.src.applications.convnext": {"LayerScale"},
    "keras.src.applications.inception_resnet_v2": {"CustomScaleLayer"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.ops.numpy": {"Add", "Multiply"},
    "skart.networks": {"Preprocess", "WhileTraining"},
}


def describe(network):
    """Return the layers of a network as JSON, without weights."""

    def forget(part):
        part.pop("compile_config", None)
        # Keras finds registered layers by their names, whatever their module.
        if str(part.get("registered_name")).startswith("skart>"):
            part["module"] = "skart.networks"
        return part

    return json.dumps(json.loads(network.to_json(), object_hook=forget))


def rebuild(description, *, trusted=False):
    """Build a network from its description; allow only known layers unless trusted."""
    if trusted:
        return keras.models.model_from_json(description)
    check_description(description)
    with SafeModeScope(safe_mode=True):
        return keras.models.model_from_json(description)


def check_description(description):
    """Raise ValueError unless a network consists of known layers."""
    _check(json.loads(description))


def _check(part):
    if isinstance(part, dict):
        if "class_name" in part:
            _check_object(part)
        if part.get("compile_config"):
            raise ValueError("a network's description tells how it was compiled")
        for name, value in part.items():
            _check(name)
            _check(value)
    elif isinstance(part, list):
        for value in part:
            _check(value)
    elif isinstance(part, str) and ">" in part:
        # Keras looks these up among the classes and functions that were registered.
        if part not in ("skart>WhileTraining", "skart>Preprocess"):
            raise ValueError(f"a network's description names {part!r}")


def _check_object(part):
    module, name = part.get("module"), part["class_name"]
    if name == "__keras_tensor__" and set(part) == {"class_name", "config"}:
        return
    known = isinstance(module, str) and name in _BUILDING_BLOCKS.get(module, ())
    # A class that is registered under this name has precedence.
    registered = part.get("registered_name") in (None, name, f"skart>{name}")
    if not (known and registered):
        raise ValueError(
            f"a network's description names {module}.{name}, which is not a layer "
            "of keras.applications or skart"
        )
