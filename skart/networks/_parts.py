"""What the networks that are trained from scratch have in common."""

from skart._keras import keras
from skart._messages import check_choice

layers = keras.layers

POOLINGS = {
    "avg": layers.GlobalAveragePooling2D,
    "max": layers.GlobalMaxPooling2D,
    "flatten": layers.Flatten,
}


def images_in(input_shape, augment):
    """Begin a network: images in 0-255, altered while training, to -1..1.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels.
    augment : keras.Layer or None
        Alters images in 0-255 while training.

    Returns
    -------
    images, x : keras.KerasTensor
        The input, and what the first convolution takes.
    """
    images = keras.Input(input_shape)
    x = images if augment is None else augment(images)
    return images, layers.Rescaling(1 / 127.5, offset=-1)(x)


def convolve(x, n_filters, size, batch_norm=False, **options):
    """Add a convolution with ReLU, normalised by batch if wanted.

    Parameters
    ----------
    x : keras.KerasTensor
        Maps.
    n_filters, size : int
        Number and side of the filters.
    batch_norm : bool, default=False
        Whether batch normalisation stands between convolution and ReLU.
    **options : object
        For ``keras.layers.Conv2D``; padding is "same" unless given.

    Returns
    -------
    x : keras.KerasTensor
        Maps.
    """
    options = {"padding": "same", "kernel_initializer": "he_normal"} | options
    x = layers.Conv2D(n_filters, size, **options)(x)
    if batch_norm:
        x = layers.BatchNormalization()(x)
    return layers.ReLU()(x)


def classify(images, x, n_classes, *, pooling, units, dropout, max_weights, name):
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
    units : tuple of int
        Widths of the hidden dense layers.
    dropout : float
        Share of the inputs dropped ahead of each dense layer while training.
    max_weights : int
        Most weights that a dense layer may have.
    name : str
        Of the network.

    Returns
    -------
    model : keras.Model
        Not compiled.

    Raises
    ------
    ValueError
        If a dense layer would have more weights than ``max_weights``: nothing of it is
        built by then.
    """
    check_choice("pooling", pooling, tuple(POOLINGS))
    x = POOLINGS[pooling]()(x)
    n_inputs = x.shape[1]
    for width in (*units, n_classes):
        n_weights, n_inputs = n_inputs * width, width
        if n_weights > max_weights:
            raise ValueError(
                f"{name} with pooling={pooling!r} and images of {images.shape[1]} x "
                f"{images.shape[2]} would have a dense layer of {n_weights:,} weights, "
                f"{n_weights * 16 / 1e9:.1f} GB with their gradients and Adam's state; "
                f"at most max_weights={max_weights:,} are allowed. Use pooling='avg', "
                "smaller images or fewer units, or raise max_weights."
            )
    for width in units:
        x = layers.Dropout(dropout)(x)
        x = layers.Dense(width, activation="relu", kernel_initializer="he_normal")(x)
    x = layers.Dropout(dropout)(x)
    # Probabilities in float32 also where the rest computes in half precision.
    x = layers.Dense(n_classes, activation="softmax", dtype="float32")(x)
    return keras.Model(images, x, name=name)
