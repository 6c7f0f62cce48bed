"""The report's own network: VGG-like convolutions, then parallel branches."""

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
    """Build images -> class probabilities: VGG and Inception in one small network.

    Four 3 x 3 convolutions of 8, 16, 32 and 64 filters, a 2 x 2 max pool, three
    concatenated branches (1 x 1; 1 x 1, 3 x 3, 1 x 1; 1 x 1, 5 x 5, 1 x 1), and dense
    layers [1]_. Its convolutions have 47,016 parameters.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels of the images, which hold 0-255.
    n_classes : int
        Number of classes.
    pooling : {"avg", "max", "flatten"}, default="avg"
        How the 96 maps become a vector; the report does not say.
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
        If a parameter is not allowed or the images are smaller than 2 x 2.

    See Also
    --------
    skart.CNNClassifier : The classifier of images that is built on it.
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
