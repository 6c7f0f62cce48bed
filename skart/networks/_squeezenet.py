"""SqueezeNet, small by fire modules."""

from skart._utils._validation import check_choice
from skart.networks._keras import keras
from skart.networks._parts import (
    POOLINGS,
    check_dropout,
    convolve,
    images_in,
    layer_seeds,
)


def squeezenet(
    input_shape,
    n_classes,
    *,
    pooling="avg",
    dropout=0.5,
    batch_norm=False,
    augment=None,
    seed=None,
):
    """Build SqueezeNet v1.1.

    Fire modules squeeze maps by 1 x 1 convolutions and expand them by parallel 1 x 1
    and 3 x 3 convolutions [1]_. The last convolution has one map per class, so there
    are no dense layers. With 1,000 classes there are 1,235,496 parameters.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels of the images in 0-255.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max"}, default="avg"
        Pooling of the map of each class.
    dropout : float, default=0.5
        Dropout rate ahead of the last convolution.
    batch_norm : bool, default=False
        If True, add batch normalization after each convolution.
    augment : keras.Layer, default=None
        Layer that augments images in 0-255 in training.
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
        If a parameter is invalid, or the images are smaller than 31 x 31.

    See Also
    --------
    skart.CNNClassifier : The classifier built on it.

    References
    ----------
    .. [1] Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer. "SqueezeNet: AlexNet-level
       Accuracy with 50x Fewer Parameters". arXiv:1602.07360, 2016; version 1.1 of its
       authors' repository.

    Examples
    --------
    >>> from skart.networks import squeezenet
    >>> squeezenet((96, 96, 3), 10).output_shape
    (None, 10)
    """
    check_choice("pooling", pooling, ("avg", "max"))
    check_dropout(dropout)
    layers = keras.layers
    seeds = layer_seeds(seed)
    images, x = images_in(input_shape, augment, smallest=31, name="squeezenet")
    x = convolve(x, 64, 3, batch_norm, strides=2, padding="valid", seeds=seeds)
    for n_squeezed, n_expanded in ((16, 64), (32, 128), (48, 192), (64, 256)):
        if n_squeezed != 64:
            x = layers.MaxPooling2D(3, strides=2)(x)
        for _ in range(2):
            squeezed = convolve(x, n_squeezed, 1, batch_norm, seeds=seeds)
            expanded = [
                convolve(squeezed, n_expanded, size, batch_norm, seeds=seeds)
                for size in (1, 3)
            ]
            x = layers.Concatenate()(expanded)
    x = layers.Dropout(dropout, seed=next(seeds))(x)
    x = convolve(x, n_classes, 1, seeds=seeds)
    x = POOLINGS[pooling]()(x)
    x = layers.Softmax(dtype="float32")(x)
    return keras.Model(images, x, name="squeezenet")
