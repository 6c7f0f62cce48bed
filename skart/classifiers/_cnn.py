"""Images to movements: networks trained from scratch."""

from skart import networks
from skart.classifiers._image_classifier import ImageClassifier
from skart.classifiers._training import derive_seed
from skart.networks._keras import dtype_policy


class _FromScratch(ImageClassifier):
    """An image classifier over ``_network``, a plain function of skart.networks.

    Defaults of an architecture stand there and nowhere else: None is not passed on.
    """

    def __init__(
        self,
        pooling="avg",
        *,
        units=None,
        dropout=None,
        batch_norm=False,
        augment=None,
        test_time_augmentation=None,
        dtype="float32",
        max_weights=200_000_000,
        optimizer="adam",
        learning_rate_schedule=None,
        epochs=30,
        batch_size=None,
        validation_split=0.0,
        patience=None,
        class_weight=None,
        callbacks=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.pooling = pooling
        self.units = units
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.augment = augment
        self.test_time_augmentation = test_time_augmentation
        self.dtype = dtype
        self.max_weights = max_weights
        self.optimizer = optimizer
        self.learning_rate_schedule = learning_rate_schedule
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.patience = patience
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _build_network(self, n_classes, seed):
        augment = self.augment
        if augment is not None:
            # Not the seed of the network, whose layers would draw the same numbers.
            augment = networks.make_augmentation(augment, derive_seed(seed, 0))
        options = self._dense_layers()
        if self.dropout is not None:
            options["dropout"] = self.dropout
        with dtype_policy(self.dtype):
            return self._network(
                self.image_shape_,
                n_classes,
                pooling=self.pooling,
                batch_norm=self.batch_norm,
                augment=augment,
                seed=seed,
                **options,
            )

    def _dense_layers(self):
        options = {"max_weights": self.max_weights}
        if self.units is not None:
            options["units"] = self.units
        return options


class HybridCNNClassifier(_FromScratch):
    """Images to movement: the report's own network, VGG and Inception in one.

    Four 3 x 3 convolutions of 8, 16, 32 and 64 filters, a 2 x 2 max pool, three
    concatenated branches, and dense layers [1]_. Its convolutions have 47,016
    parameters; the report reached 35.8 % on the 18 movements of Pandora18K.

    Parameters
    ----------
    pooling : {"avg", "max", "flatten"}, default="avg"
        How the 96 maps of the last convolution become a vector; the report does not
        say. ``"flatten"`` gives 1.5 billion weights at 500 x 500, and is refused.
    units : int or tuple of int, default=None
        Widths of the hidden dense layers; None for the report's (256, 64).
    dropout : float, default=None
        Share of the inputs dropped ahead of each dense layer while training; None for
        0, as in the report.
    <parameters of the network>
    <limit of weights>
    <parameters of training>

    Attributes
    ----------
    <attributes>
    <attributes of image classifiers>

    Notes
    -----
    Images are decoded in threads while the network trains and are never all in
    memory; ``ImageLoader(cache="disk")`` decodes each of them only once.

    <routed parameters>

    See Also
    --------
    VGGLiteClassifier : The report's baseline.
    cnn_search_space : What the report searched.
    skart.networks._hybrid_cnn : The network as a plain function.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skart import HybridCNNClassifier
    >>> y = np.repeat(["Color Field", "Op Art"], 8)
    >>> X = np.full((16, 24, 24, 3), 200, np.uint8)
    >>> X[8:, ::2] = 0  # stripes
    >>> cnn = HybridCNNClassifier(epochs=8, batch_size=4, random_state=0).fit(X, y)
    >>> cnn.predict(X[[0, 15]]).tolist()
    ['Color Field', 'Op Art']
    """

    _network = staticmethod(networks.hybrid_cnn)


class VGGLiteClassifier(_FromScratch):
    """Images to movement: the report's baseline, a small VGG network.

    Eight 3 x 3 convolutions of 32, 32, 64, 64, 128, 128, 256 and 256 filters, a 2 x 2
    max pool after each pair, and dense layers [1]_; the report reached 31.2 % with it.

    Parameters
    ----------
    pooling : {"avg", "max", "flatten"}, default="avg"
        How the 256 maps of the last convolution become a vector; the report does not
        say.
    units : int or tuple of int, default=None
        Widths of the hidden dense layers; None for (256, 64).
    dropout : float, default=None
        Share of the inputs dropped ahead of each dense layer while training; None for
        0, as in the report.
    <parameters of the network>
    <limit of weights>
    <parameters of training>

    Attributes
    ----------
    <attributes>
    <attributes of image classifiers>

    Notes
    -----
    <routed parameters>

    See Also
    --------
    HybridCNNClassifier : The report's own network.
    skart.networks._vgg_lite : The network as a plain function.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from sklearn.pipeline import Pipeline
    >>> from skart import ImageLoader
    >>> from skart.classifiers import VGGLiteClassifier
    >>> pipe = Pipeline([("load", ImageLoader(500)), ("cnn", VGGLiteClassifier())])
    >>> pipe.set_params(cnn__optimizer__learning_rate=1e-3, cnn__batch_norm=True)
    Pipeline(...)
    """

    _network = staticmethod(networks.vgg_lite)


class AlexNetClassifier(_FromScratch):
    """Images to movement: AlexNet as a single tower.

    Five convolutions and two dense layers of 4,096 units [1]_, which the report names
    as a next step. Images have to be at least 67 x 67; the paper's are 227 x 227.

    Parameters
    ----------
    pooling : {"avg", "max", "flatten"}, default="avg"
        How the 256 maps of the last convolution become a vector; the paper flattens
        them.
    units : int or tuple of int, default=None
        Widths of the hidden dense layers; None for the paper's (4096, 4096).
    dropout : float, default=None
        Share of the inputs dropped ahead of each dense layer while training; None for
        the paper's 0.5.
    <parameters of the network>
    <limit of weights>
    <parameters of training>

    Attributes
    ----------
    <attributes>
    <attributes of image classifiers>

    Notes
    -----
    <routed parameters>

    See Also
    --------
    SqueezeNetClassifier : A fiftieth of the parameters.
    skart.networks._alexnet : The network as a plain function.

    References
    ----------
    .. [1] Krizhevsky, Sutskever, Hinton. "ImageNet Classification with Deep
       Convolutional Neural Networks". NeurIPS 2012.

    Examples
    --------
    >>> from skart.classifiers import AlexNetClassifier
    >>> AlexNetClassifier("flatten", augment="light", optimizer__learning_rate=1e-4)
    AlexNetClassifier(augment='light', optimizer__learning_rate=0.0001,
                      pooling='flatten')
    """

    _network = staticmethod(networks.alexnet)


class SqueezeNetClassifier(_FromScratch):
    """Images to movement: SqueezeNet v1.1, small through fire modules.

    Its last convolution gives one map a movement, and there are no dense layers [1]_.
    The report names it as a next step. Images have to be at least 31 x 31; the
    paper's are 227 x 227.

    Parameters
    ----------
    pooling : {"avg", "max"}, default="avg"
        How the map of a movement becomes its score.
    dropout : float, default=None
        Share of the inputs of the last convolution dropped while training; None for
        the paper's 0.5.
    <parameters of the network>
    <parameters of training>

    Attributes
    ----------
    <attributes>
    <attributes of image classifiers>

    Notes
    -----
    <routed parameters>

    See Also
    --------
    AlexNetClassifier : What it was measured against.
    skart.networks._squeezenet : The network as a plain function.

    References
    ----------
    .. [1] Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer. "SqueezeNet: AlexNet-level
       Accuracy with 50x Fewer Parameters". arXiv:1602.07360, 2016.

    Examples
    --------
    >>> from skart.classifiers import SqueezeNetClassifier
    >>> SqueezeNetClassifier("max", batch_norm=True, learning_rate_schedule="cosine")
    SqueezeNetClassifier(batch_norm=True, learning_rate_schedule='cosine',
                         pooling='max')
    """

    _network = staticmethod(networks.squeezenet)

    def __init__(
        self,
        pooling="avg",
        *,
        dropout=None,
        batch_norm=False,
        augment=None,
        test_time_augmentation=None,
        dtype="float32",
        optimizer="adam",
        learning_rate_schedule=None,
        epochs=30,
        batch_size=None,
        validation_split=0.0,
        patience=None,
        class_weight=None,
        callbacks=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.pooling = pooling
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.augment = augment
        self.test_time_augmentation = test_time_augmentation
        self.dtype = dtype
        self.optimizer = optimizer
        self.learning_rate_schedule = learning_rate_schedule
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.patience = patience
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _dense_layers(self):
        return {}  # it ends in a convolution
