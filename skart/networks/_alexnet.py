"""AlexNet as a single tower."""

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
    """Build AlexNet, without its split over two GPUs.

    Five convolutions and dense layers of 4,096 units [1]_, without local response
    normalization, as in later implementations. With ``pooling="flatten"``, images of
    227 x 227 and 1,000 classes there are 62,378,344 parameters.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels of the images in 0-255.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max", "flatten"}, default="avg"
        Pooling of the 256 maps; the paper flattens them.
    units : int or tuple of int, default=(4096, 4096)
        Width of the hidden dense layer, or of several.
    dropout : float, default=0.5
        Dropout rate ahead of each dense layer.
    batch_norm : bool, default=False
        If True, add batch normalization after each convolution.
    augment : keras.Layer, default=None
        Layer that augments images in 0-255 in training.
    max_weights : int or None, default=200_000_000
        Maximum number of weights of the dense layers.
    seed : int, default=None
        Seed of initial weights and dropout. If None, Keras draws seeds from Python's
        global generator.

    Returns
    -------
    model : keras.Model
        Uncompiled model.

    Raises
    ------
    ValueError
        If a parameter is invalid, the dense layers have more than ``max_weights``, or
        the images are smaller than 67 x 67.

    See Also
    --------
    skart.CNNClassifier : The classifier built on it.

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
