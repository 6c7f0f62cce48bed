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
    """Build images -> class probabilities: VGG, made lighter.

    Eight 3 x 3 convolutions of 32, 32, 64, 64, 128, 128, 256 and 256 filters, a 2 x 2
    max pool after each pair, and dense layers [1]_, in the manner of VGG [2]_.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels of the images, which hold 0-255.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max", "flatten"}, default="avg"
        How the 256 maps become a vector; the report does not say.
    units : int or tuple of int, default=(256, 64)
        Width of the hidden dense layer, or widths of several.
    dropout : float, default=0.0
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
        If a parameter is not allowed or the images are smaller than 16 x 16.

    See Also
    --------
    skart.CNNClassifier : The classifier of images that is built on it.
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
