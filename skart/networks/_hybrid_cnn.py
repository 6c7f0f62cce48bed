"""The report's hybrid network: VGG-like convolutions, then parallel branches."""

from skart.networks._keras import keras
from skart.networks._parts import classify, convolve, images_in, layer_seeds


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
        Height, width and channels of the images in 0-255.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max", "flatten"}, default="avg"
        Pooling of the 96 maps; the report doesn't give it.
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
        the images are smaller than 2 x 2.

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
    trunk = keras.layers.MaxPooling2D(2)(x)
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
    return classify(
        images,
        keras.layers.Concatenate()(branches),
        n_classes,
        pooling=pooling,
        units=units,
        dropout=dropout,
        max_weights=max_weights,
        seeds=seeds,
        name="hybrid_cnn",
    )
