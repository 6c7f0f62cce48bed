"""What the networks that are trained from scratch have in common."""

import itertools
import numbers

import numpy as np

from skart._utils._validation import check_choice
from skart.networks._keras import keras

layers = keras.layers

POOLINGS = {
    "avg": layers.GlobalAveragePooling2D,
    "max": layers.GlobalMaxPooling2D,
    "flatten": layers.Flatten,
}


def layer_seeds(seed):
    """Iterate over seeds for the layers of a network.

    Parameters
    ----------
    seed : int or None
        Seed of the network.

    Yields
    ------
    seed : int or None
        Seed of the next initialiser or random layer; None if ``seed`` is None, where
        Keras draws one from Python's global generator.
    """
    generator = None if seed is None else np.random.default_rng(seed)
    while True:
        yield None if seed is None else int(generator.integers(2**31))


def check_dense(units, dropout):
    """Check the parameters of dense layers.

    Parameters
    ----------
    units : int or tuple of int
        Width of the hidden layer, or widths of several.
    dropout : float
        Share of the inputs dropped ahead of each layer.

    Returns
    -------
    widths : list of int
        Widths of the hidden layers.

    Raises
    ------
    ValueError
        If a width is not positive or the dropout not in [0, 1).
    """
    widths = units if isinstance(units, (tuple, list)) else (units,)
    if not all(isinstance(width, numbers.Integral) and width > 0 for width in widths):
        raise ValueError(f"units must be a positive int or several; got {units!r}")
    check_dropout(dropout)
    return [int(width) for width in widths]


def check_dropout(dropout):
    """Check that a share can be dropped.

    Parameters
    ----------
    dropout : float
        Share of the inputs dropped ahead of a layer.

    Raises
    ------
    ValueError
        If it is not in [0, 1).
    """
    if not isinstance(dropout, numbers.Real) or not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1); got {dropout!r}")


def images_in(input_shape, augment, *, smallest, name):
    """Begin a network: images in 0-255, altered while training, to -1..1.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels.
    augment : keras.Layer or None
        Alters images in 0-255 while training.
    smallest : int
        Height and width of which one pixel is left after the last pooling.
    name : str
        Of the network.

    Returns
    -------
    images, x : keras.KerasTensor
        The input, and what the first convolution takes.

    Raises
    ------
    ValueError
        If the images are smaller.
    """
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
    """Add a convolution with ReLU, normalised by batch if wanted.

    Parameters
    ----------
    x : keras.KerasTensor
        Maps.
    n_filters, size : int
        Number and side of the filters.
    batch_norm : bool, default=False
        Whether batch normalisation stands between convolution and ReLU.
    seeds : iterator of int or None
        By :func:`layer_seeds`.
    **options : object
        For ``keras.layers.Conv2D``; padding is "same" unless given.

    Returns
    -------
    x : keras.KerasTensor
        Maps.
    """
    check_choice("batch_norm", batch_norm, (True, False))
    options = {"padding": "same"} | options
    options["kernel_initializer"] = keras.initializers.HeNormal(next(seeds))
    x = layers.Conv2D(n_filters, size, **options)(x)
    if batch_norm:
        # Keras' momentum of 0.99 takes hundreds of steps to forget the first ones:
        # a thousand paintings give 32 an epoch.
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x)


def classify(
    images, x, n_classes, *, pooling, units, dropout, max_weights, seeds, name
):
    """End a network: maps to a vector, dense layers, softmax.

    Parameters
    ----------
    images : keras.KerasTensor
        The network's input.
    x : keras.KerasTensor
        Maps of the last convolution.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max", "flatten"}
        How maps become a vector.
    units : int or tuple of int
        Width of the hidden dense layer, or widths of several, or ``()`` for none.
    dropout : float
        Share of the inputs dropped ahead of each dense layer while training.
    max_weights : int or None
        Most weights that the dense layers may have together; None for no limit.
    seeds : iterator of int or None
        By :func:`layer_seeds`.
    name : str
        Of the network.

    Returns
    -------
    model : keras.Model
        Not compiled.

    Raises
    ------
    ValueError
        If a parameter is not allowed, or the dense layers would have more weights than
        ``max_weights``: they are not built then.
    """
    check_choice("pooling", pooling, tuple(POOLINGS))
    if max_weights is not None and not isinstance(max_weights, numbers.Real):
        raise ValueError(f"max_weights must be a number or None; got {max_weights!r}")
    widths = check_dense(units, dropout)
    x = POOLINGS[pooling]()(x)
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
    for width in widths:
        x = layers.Dropout(dropout, seed=next(seeds))(x)
        initializer = keras.initializers.HeNormal(next(seeds))
        x = layers.Dense(width, activation="relu", kernel_initializer=initializer)(x)
    x = layers.Dropout(dropout, seed=next(seeds))(x)
    x = layers.Dense(
        n_classes,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        # Probabilities in float32 also where the rest computes in half precision.
        dtype="float32",
    )(x)
    return keras.Model(images, x, name=name)
