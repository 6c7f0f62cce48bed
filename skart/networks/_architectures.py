"""Networks trained from scratch: four for images, and a head for features."""

from skart._utils._validation import check_choice
from skart.networks._keras import keras
from skart.networks._parts import (
    REDUCTIONS,
    check_dense,
    check_dropout,
    classify,
    convolve,
    dense_layers,
    images_in,
    layer_seeds,
)

layers = keras.layers


def hybrid_cnn(
    input_shape,
    n_classes,
    *,
    pooling="avg",
    units=(256, 64),
    dropout=0.0,
    batch_norm=False,
    augment=None,
    max_weights=200_000_000,
    seed=None,
):
    """Build the report's hybrid of VGG and Inception, with few parameters.

    Four 3 x 3 convolutions of 8, 16, 32 and 64 filters, a 2 x 2 max pool, three
    concatenated branches (1 x 1; 1 x 1, 3 x 3, 1 x 1; 1 x 1, 5 x 5, 1 x 1), and dense
    layers [1]_. Its convolutions have 47,016 parameters.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels of the images in 0-255; at least 2 x 2.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max", "flatten"}, default="avg"
        Pooling of the maps of the last convolution; the report doesn't give it.
    units : int or tuple of int, default=(256, 64)
        Width of the hidden dense layer, or of several.
    dropout : float, default=0.0
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
        If a parameter is invalid, the images are too small, or the dense layers have
        more than ``max_weights``.

    See Also
    --------
    skart.CNNClassifier : The classifier built on it.
    vgg_lite : The report's baseline.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from skart.networks import hybrid_cnn
    >>> network = hybrid_cnn((500, 500, 3), n_classes=18)
    >>> convolutions = [x for x in network.layers if x.name.startswith("conv")]
    >>> sum(layer.count_params() for layer in convolutions)
    47016
    """
    seeds = layer_seeds(seed)
    images, x = images_in(input_shape, augment, smallest=2, name="hybrid_cnn")
    for n_filters in (8, 16, 32, 64):
        x = convolve(x, n_filters, 3, batch_norm, seeds=seeds)
    trunk = layers.MaxPooling2D(2)(x)
    branches = []
    for steps in (
        [(32, 1)],
        [(16, 1), (64, 3), (32, 1)],
        [(8, 1), (32, 5), (32, 1)],
    ):
        branch = trunk
        for n_filters, size in steps:
            branch = convolve(branch, n_filters, size, batch_norm, seeds=seeds)
        branches.append(branch)
    x = layers.Concatenate()(branches)
    return classify(
        images, x, n_classes, pooling, units, dropout, max_weights, seeds, "hybrid_cnn"
    )


def vgg_lite(
    input_shape,
    n_classes,
    *,
    pooling="avg",
    units=(256, 64),
    dropout=0.0,
    batch_norm=False,
    augment=None,
    max_weights=200_000_000,
    seed=None,
):
    """Build the report's baseline, a small VGG.

    Eight 3 x 3 convolutions of 32, 32, 64, 64, 128, 128, 256 and 256 filters, a 2 x 2
    max pool after each pair, and dense layers [1]_, after VGG [2]_.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels of the images in 0-255; at least 16 x 16.
    n_classes : int
        Number of classes.
    pooling, units, dropout, batch_norm, augment, max_weights, seed : optional
        As in :func:`hybrid_cnn`.

    Returns
    -------
    model : keras.Model
        Uncompiled model.

    See Also
    --------
    skart.CNNClassifier : The classifier built on it.
    hybrid_cnn : The report's own network.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.
    .. [2] Simonyan, Zisserman. "Very Deep Convolutional Networks for Large-Scale Image
       Recognition". ICLR 2015.

    Examples
    --------
    >>> from skart.networks import vgg_lite
    >>> vgg_lite((96, 96, 3), 10).output_shape
    (None, 10)
    """
    seeds = layer_seeds(seed)
    images, x = images_in(input_shape, augment, smallest=16, name="vgg_lite")
    for n_filters in (32, 64, 128, 256):
        x = convolve(x, n_filters, 3, batch_norm, seeds=seeds)
        x = convolve(x, n_filters, 3, batch_norm, seeds=seeds)
        x = layers.MaxPooling2D(2)(x)
    return classify(
        images, x, n_classes, pooling, units, dropout, max_weights, seeds, "vgg_lite"
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
        Height, width and channels of the images in 0-255; at least 31 x 31.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max"}, default="avg"
        Pooling of the map of each class.
    dropout : float, default=0.5
        Dropout rate ahead of the last convolution.
    batch_norm, augment, seed : optional
        As in :func:`hybrid_cnn`.

    Returns
    -------
    model : keras.Model
        Uncompiled model.

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
    x = REDUCTIONS[pooling]()(x)
    x = layers.Softmax(dtype="float32")(x)
    return keras.Model(images, x, name="squeezenet")


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
        Height, width and channels of the images in 0-255; at least 67 x 67.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max", "flatten"}, default="avg"
        Pooling of the maps of the last convolution; the paper flattens them.
    units, dropout, batch_norm, augment, max_weights, seed : optional
        As in :func:`hybrid_cnn`.

    Returns
    -------
    model : keras.Model
        Uncompiled model.

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
    x = convolve(x, 96, 11, batch_norm, strides=4, padding="valid", seeds=seeds)
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = convolve(x, 256, 5, batch_norm, seeds=seeds)
    x = layers.MaxPooling2D(3, strides=2)(x)
    for n_filters in (384, 384, 256):
        x = convolve(x, n_filters, 3, batch_norm, seeds=seeds)
    x = layers.MaxPooling2D(3, strides=2)(x)
    return classify(
        images, x, n_classes, pooling, units, dropout, max_weights, seeds, "alexnet"
    )


def dense_head(n_features, n_classes, *, units=650, dropout=0.7, seed=None):
    """Build the report's head: dropout and dense layers in pairs.

    Dropout, Dense(ReLU), Dropout, Dense(softmax): "two sets of dropout and fully
    connected layer pairs" [1]_.

    Parameters
    ----------
    n_features : int
        Length of the feature vectors.
    n_classes : int
        Number of classes.
    units : int or tuple of int, default=650
        Width of the hidden layer, or of several, each with dropout ahead of it.
    dropout : float, default=0.7
        Dropout rate ahead of each dense layer.
    seed : int, default=None
        Seed of initial weights and dropout. If None, Keras draws seeds from Python's
        global generator.

    Returns
    -------
    model : keras.Model
        Uncompiled model, ``(n, n_features)`` -> ``(n, n_classes)``.

    Raises
    ------
    ValueError
        If a width is not positive, or the dropout rate is not in [0, 1).

    See Also
    --------
    skart.DenseHeadClassifier : The classifier built on it.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from skart.networks import dense_head
    >>> dense_head(2048, 18).count_params()
    1343568
    """
    widths = check_dense(units, dropout)
    hidden = dense_layers(widths, n_classes, dropout, layer_seeds(seed))
    return keras.Sequential([keras.Input((n_features,)), *hidden])
