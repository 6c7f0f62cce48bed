"""Parts that the networks trained from scratch share."""

import itertools
import numbers

import numpy as np

from skart._utils._validation import check_choice
from skart.networks._keras import check_image_data_format, keras

layers = keras.layers

# How the maps of the last convolution become a vector.
REDUCTIONS = {
    "avg": layers.GlobalAveragePooling2D,
    "max": layers.GlobalMaxPooling2D,
    "flatten": layers.Flatten,
}


def layer_seeds(seed):
    """Yield seeds for the layers of a network; None without a seed."""
    generator = None if seed is None else np.random.default_rng(seed)
    while True:
        yield None if seed is None else int(generator.integers(2**31))


def check_dense(units, dropout):
    """Validate the parameters of dense layers."""
    widths = units if isinstance(units, (tuple, list)) else (units,)
    if not all(isinstance(width, numbers.Integral) and width > 0 for width in widths):
        raise ValueError(f"units must be a positive int or several; got {units!r}")
    check_dropout(dropout)
    return [int(width) for width in widths]


def check_dropout(dropout):
    """Validate a dropout rate."""
    if not isinstance(dropout, numbers.Real) or not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1); got {dropout!r}")


def images_in(input_shape, augment, *, smallest, name):
    """Return the input, images in 0-255, and the same augmented and scaled to -1..1."""
    check_image_data_format()
    height, width, _ = input_shape
    if min(height, width) < smallest:
        raise ValueError(
            f"{name} needs images of at least {smallest} x {smallest} pixels; got "
            f"{height} x {width}. Pass ImageLoader a larger size."
        )
    images = keras.Input(input_shape)
    x = images if augment is None else augment(images)
    return images, layers.Rescaling(1 / 127.5, offset=-1)(x)


def convolve(x, n_filters, size, batch_norm=False, *, seeds, **options):
    """Apply a convolution, optional batch normalization, and ReLU."""
    check_choice("batch_norm", batch_norm, (True, False))
    options = {"padding": "same"} | options
    options["kernel_initializer"] = keras.initializers.HeNormal(next(seeds))
    x = layers.Conv2D(n_filters, size, **options)(x)
    if batch_norm:
        # Keras' momentum of 0.99 takes hundreds of steps to forget the first ones:
        # an epoch of a thousand paintings has 32.
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x)


def classify(images, x, n_classes, pooling, units, dropout, max_weights, seeds, name):
    """Add pooling, dense layers and softmax; return the model."""
    check_choice("pooling", pooling, tuple(REDUCTIONS))
    if max_weights is not None and not isinstance(max_weights, numbers.Real):
        raise ValueError(f"max_weights must be a number or None; got {max_weights!r}")
    widths = check_dense(units, dropout)
    x = REDUCTIONS[pooling]()(x)
    sides = [x.shape[1], *widths, n_classes]
    n_weights = sum(one * next_ for one, next_ in itertools.pairwise(sides))
    if max_weights is not None and n_weights > max_weights:
        raise ValueError(
            f"{name} with pooling={pooling!r} and images of {images.shape[1]} x "
            f"{images.shape[2]} would have {n_weights:,} weights in its dense layers, "
            f"{n_weights * 16 / 1e9:.1f} GB with their gradients and Adam's state; at "
            f"most max_weights={max_weights:,} are allowed. Use pooling='avg', smaller "
            "images or fewer units, or raise max_weights (None for no limit)."
        )
    for layer in dense_layers(
        widths, n_classes, dropout, seeds, keras.initializers.HeNormal
    ):
        x = layer(x)
    return keras.Model(images, x, name=name)


def standardize(network, mean, variance):
    """Return the network with a layer ahead of it that standardizes features."""
    # In float32: squares and large values overflow in half precision.
    layer = layers.Normalization(dtype="float32")
    layer.build((None, len(mean)))
    layer.set_weights([mean, variance, np.int64(0)])
    layer.finalize_state()  # it computes with copies of its weights
    parts = network.layers if type(network) is keras.Sequential else [network]
    return keras.Sequential([keras.Input((len(mean),)), layer, *parts])


def dense_layers(
    widths, n_classes, dropout, seeds, initializer=keras.initializers.GlorotUniform
):
    """Return pairs of dropout and dense layers; the last one computes probabilities."""
    pairs = []
    for width in widths:
        pairs += [
            layers.Dropout(dropout, seed=next(seeds)),
            layers.Dense(
                width, activation="relu", kernel_initializer=initializer(next(seeds))
            ),
        ]
    return [
        *pairs,
        layers.Dropout(dropout, seed=next(seeds)),
        layers.Dense(
            n_classes,
            activation="softmax",
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            # Probabilities in float32 also where the rest computes in half precision.
            dtype="float32",
        ),
    ]
