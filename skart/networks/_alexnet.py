"""AlexNet, as a single tower."""

from skart.networks._keras import keras
from skart.networks._parts import classify, convolve, images_in, layer_seeds


def alexnet(
    input_shape,
    n_classes,
    *,
    pooling="avg",
    units=(4096, 4096),
    dropout=0.5,
    batch_norm=False,
    augment=None,
    max_weights=200_000_000,
    seed=None,
):
    """Build images -> class probabilities: AlexNet without its split over two GPUs.

    Five convolutions and dense layers of 4,096 units [1]_, without local response
    normalisation, as in later implementations. With ``pooling="flatten"``, images of
    227 x 227 and 1,000 classes there are 62,378,344 parameters.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels of the images, which hold 0-255.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max", "flatten"}, default="avg"
        How the 256 maps become a vector; the paper flattens them.
    units : int or tuple of int, default=(4096, 4096)
        Width of the hidden dense layer, or widths of several.
    dropout : float, default=0.5
        Share of the inputs dropped ahead of each dense layer while training.
    batch_norm : bool, default=False
        Whether convolutions are followed by batch normalisation; the report had none.
    augment : keras.Layer, default=None
        Layer that alters images in 0-255 while training.
    max_weights : int or None, default=200_000_000
        Most weights that the dense layers may have; more raise a ValueError.
    seed : int, default=None
        Seed of the initial weights and of dropout. If None, Keras draws them from
        Python's global generator.

    Returns
    -------
    model : keras.Model
        Not compiled.

    Raises
    ------
    ValueError
        If a parameter is not allowed or the images are smaller than 67 x 67.

    See Also
    --------
    skart.CNNClassifier : The classifier of images that is built on it.

    References
    ----------
    .. [1] Krizhevsky, Sutskever, Hinton. "ImageNet Classification with Deep
       Convolutional Neural Networks". NeurIPS 2012.

    Examples
    --------
    >>> from skart.networks import alexnet
    >>> alexnet((96, 96, 3), 10, units=64).output_shape
    (None, 10)
    """
    seeds = layer_seeds(seed)
    images, x = images_in(input_shape, augment, smallest=67, name="alexnet")
    pool = {"pool_size": 3, "strides": 2}
    x = convolve(x, 96, 11, batch_norm, strides=4, padding="valid", seeds=seeds)
    x = keras.layers.MaxPooling2D(**pool)(x)
    x = convolve(x, 256, 5, batch_norm, seeds=seeds)
    x = keras.layers.MaxPooling2D(**pool)(x)
    for n_filters in (384, 384, 256):
        x = convolve(x, n_filters, 3, batch_norm, seeds=seeds)
    x = keras.layers.MaxPooling2D(**pool)(x)
    return classify(
        images,
        x,
        n_classes,
        pooling=pooling,
        units=units,
        dropout=dropout,
        max_weights=max_weights,
        seeds=seeds,
        name="alexnet",
    )
