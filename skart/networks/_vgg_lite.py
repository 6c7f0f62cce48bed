"""The report's baseline: a VGG network of four pairs of convolutions."""

from skart.networks._keras import keras
from skart.networks._parts import classify, convolve, images_in, layer_seeds


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
        Height, width and channels of the images in 0-255.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max", "flatten"}, default="avg"
        Pooling of the 256 maps; the report doesn't give it.
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
        If a parameter is invalid, the dense layers have more than ``max_weights``, or
        the images are smaller than 16 x 16.

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
        x = keras.layers.MaxPooling2D(2)(x)
    return classify(
        images,
        x,
        n_classes,
        pooling=pooling,
        units=units,
        dropout=dropout,
        max_weights=max_weights,
        seeds=seeds,
        name="vgg_lite",
    )
