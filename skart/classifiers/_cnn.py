"""Classifiers of images: convolutional networks trained from scratch."""

import inspect

from skart import networks
from skart._utils._validation import Interval, Real, StrOptions
from skart.classifiers._images import ImageClassifier
from skart.classifiers._training import derive_seed
from skart.networks._keras import dtype_policy, keras

NETWORKS = {
    "hybrid": networks.hybrid_cnn,
    "vgg_lite": networks.vgg_lite,
    "squeezenet": networks.squeezenet,
    "alexnet": networks.alexnet,
}


class CNNClassifier(ImageClassifier):
    """Classifier of images by a convolutional network trained from scratch.

    Parameters
    ----------
    network : {"hybrid", "vgg_lite", "squeezenet", "alexnet"} or callable, \
            default="hybrid"
        The network:

        - ``"hybrid"`` is the report's own, VGG and Inception in one [1]_;
        - ``"vgg_lite"`` is the report's baseline, a small VGG [1]_;
        - ``"squeezenet"`` is SqueezeNet v1.1 [2]_, with few parameters and no dense
          layers, for images of at least 31 x 31;
        - ``"alexnet"`` is AlexNet as a single tower [3]_, for images of at least
          67 x 67.

        A callable takes ``(input_shape, n_classes, **options)`` and returns an
        uncompiled Keras model that ends in a softmax, like the functions of
        ``skart.networks``. The options are ``pooling``, ``units``, ``dropout``,
        ``batch_norm``, ``max_weights``, ``augment`` (a Keras layer or None) and
        ``seed``; those that are not in its signature are not passed. With a ``seed``
        it builds the same network at each fit.
    pooling : {"avg", "max", "flatten"}, default="avg"
        Reduction of the maps of the last convolution to a vector. ``"flatten"`` needs
        many weights, and is not allowed for ``"squeezenet"``.
    units : int or tuple of int, default=None
        Widths of the hidden dense layers. If None, (256, 64) for ``"hybrid"`` and
        ``"vgg_lite"``, (4096, 4096) for ``"alexnet"``. SqueezeNet has no dense layers.
    dropout : float, default=None
        Share of the inputs that are dropped ahead of each dense layer, or of the last
        convolution of SqueezeNet, in training. If None, 0 for ``"hybrid"`` and
        ``"vgg_lite"``, 0.5 for the others.
    batch_norm : bool, default=False
        If True, batch normalization follows the convolutions. The report had none.
        With it, networks learn in far fewer epochs, each of which takes longer.
    augment : {"light", "strong"} or keras.Layer, default=None
        Random changes of the images in training, new in each epoch. ``"light"``
        flips, shifts, zooms and rotates them a little; ``"strong"`` also changes
        colours and applies RandAugment. A layer keeps its own seed. Its class must be
        registered by ``keras.saving.register_keras_serializable`` for cloning,
        searches, pickling and saving.
    test_time_augmentation : list of {"horizontal_flip", "crops"}, default=None
        Views of an image whose probabilities are averaged in prediction, beside the
        image itself: with ``["horizontal_flip"]``, its mirror image (twice the time);
        with ``["crops"]``, five windows of 7/8 of its sides, resized (6 times); with
        both, also the mirror images of the windows (12 times). It can be set after
        ``fit``.
    dtype : {"float32", "mixed_bfloat16", "mixed_float16"}, default="float32"
        Precision of computations; weights and probabilities are float32. Half
        precision is faster and needs less memory on processors that support it.
    max_weights : int or None, default=200_000_000
        Maximum number of weights in dense layers. A larger network is an error,
        raised before it is built. If None, there is no limit.
    optimizer : str, class or keras.optimizers.Optimizer, default="adam"
        The optimizer. Its parameters are set as ``optimizer__learning_rate`` and so on.
    learning_rate_schedule : {"cosine", "linear", "exponential"}, default=None
        Decay of the learning rate from epoch to epoch.
    epochs : int, default=30
        Maximum number of passes over the training samples.
    batch_size : int or None, default=None
        Number of samples in a gradient step, and in a forward pass of prediction. If
        None, it is 32, or fewer if the samples are large: 22 images of 299 x 299
        pixels, 8 of 500 x 500.
    validation_split : float, default=0.0
        Share of the samples that are held out to compute the validation loss, by class
        and, if ``groups`` is passed to ``fit``, by artist.
    patience : int, default=None
        Number of epochs without a better validation loss after which training stops
        and the best weights are restored.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss.
    callbacks : list, dict or keras.callbacks.Callback, default=None
        Callbacks for training.
    warm_start : bool, default=False
        If True, ``fit`` continues to train the fitted network.
    random_state : int, RandomState or None, default=None
        Seed of weights, dropout, shuffling, augmentation and the validation split.
    verbose : int, default=0
        0 is silent, 1 prints a line per epoch, 2 shows a progress bar per epoch.
    **routed : object
        Parameters with the prefix ``optimizer__``, ``callbacks__``, ``compile__`` or
        ``fit__``, which are passed on to Keras. For ``compile__loss``, see
        :class:`DenseHeadClassifier`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.
    model_ : keras.Model
        The trained network.
    history_ : dict of str to list of float
        Loss, accuracy and learning rate of each epoch.
    image_shape_ : tuple of int
        Height, width and channels of the images.

    See Also
    --------
    DenseHeadClassifier : Describes the parameters of training in full.
    FineTuneClassifier : Starts from a pretrained network.
    make_cnn_pipeline : Loads the images as well.
    skart.model_selection.cnn_search_space : The report's search space.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.
    .. [2] Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer. "SqueezeNet: AlexNet-level
       Accuracy with 50x Fewer Parameters". arXiv:1602.07360, 2016.
    .. [3] Krizhevsky, Sutskever, Hinton. "ImageNet Classification with Deep
       Convolutional Neural Networks". NeurIPS 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from skart import CNNClassifier
    >>> y = np.repeat(["Color Field", "Op Art"], 8)
    >>> X = np.full((16, 24, 24, 3), 200, np.uint8)
    >>> X[8:, ::2] = 0  # stripes
    >>> cnn = CNNClassifier("hybrid", epochs=8, batch_size=4, random_state=0)
    >>> cnn.fit(X, y).predict(X[[0, 15]]).tolist()
    ['Color Field', 'Op Art']
    """

    _parameter_constraints = {
        **ImageClassifier._parameter_constraints,
        "network": [StrOptions(set(NETWORKS)), callable],
        "max_weights": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        network="hybrid",
        *,
        pooling="avg",
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
        **routed,
    ):
        self.network = network
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
        self._set_routed(routed)

    def _validate_parameters(self):
        super()._validate_parameters()
        self._network_options(self.augment, seed=0)

    def build_network(self, n_classes, seed):
        """Build the network of a fit. Override it for a network of your own.

        Parameters
        ----------
        n_classes : int
            Number of classes.
        seed : int
            Seed of the fit, for the initializers and the dropout of the layers.

        Returns
        -------
        network : keras.Model
            Uncompiled network of images that ends in a softmax over the classes.
        """
        augment = self.augment
        if augment is not None:
            # The network's own seed would draw the same numbers in its layers.
            augment = networks.make_augmentation(augment, derive_seed(seed, 0))
        options = self._network_options(augment=augment, seed=seed)
        with dtype_policy(self.dtype):
            network = self._function()(self.image_shape_, n_classes, **options)
        if not isinstance(network, keras.Model):
            raise TypeError(f"network must return a Keras model; got {network!r}")
        if tuple(network.output_shape) != (None, n_classes):
            raise ValueError(
                f"network must return a model with outputs of shape (None, {n_classes}"
                f"), the probabilities of the classes; got {network.output_shape}"
            )
        return network

    def _function(self):
        return NETWORKS.get(self.network, self.network)

    def _network_options(self, augment, seed):
        """Return the options that the network takes; raise on others that are set."""
        taken = inspect.signature(self._function()).parameters
        takes_all = any(p.kind is p.VAR_KEYWORD for p in taken.values())
        defaults = inspect.signature(type(self)).parameters
        options = {"seed": seed, "augment": augment, "max_weights": self.max_weights}
        for name in ("pooling", "units", "dropout", "batch_norm"):
            if getattr(self, name) is not None:  # None is the default of the network
                options[name] = getattr(self, name)
        for name in [] if takes_all else sorted(options.keys() - taken.keys()):
            if name != "seed" and options[name] != defaults[name].default:
                raise ValueError(
                    f"network={self.network!r} takes no parameter {name!r}; got "
                    f"{name}={options[name]!r}. Leave it at its default, or choose "
                    "another network."
                )
            del options[name]
        return options


class HybridCNNClassifier(CNNClassifier):
    """Classifier of images by the report's own network, VGG and Inception in one.

    It is :class:`CNNClassifier` with ``network="hybrid"`` [1]_, and has the same
    parameters and attributes.

    See Also
    --------
    CNNClassifier : Describes all parameters, and has other networks.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from skart import HybridCNNClassifier
    >>> HybridCNNClassifier(batch_norm=True, optimizer__learning_rate=1e-4)
    HybridCNNClassifier(batch_norm=True, optimizer__learning_rate=0.0001)
    """

    _parameter_constraints = {
        **CNNClassifier._parameter_constraints,
        "network": [StrOptions({"hybrid"})],
    }
