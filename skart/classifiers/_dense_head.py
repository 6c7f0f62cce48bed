"""A classifier of features: the report's dropout and dense layers."""

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

from skart._utils._validation import Integral, Interval, Real
from skart.classifiers._base import BaseKerasClassifier
from skart.classifiers._fast_training import can_run_epochs, run_epochs
from skart.networks import dense_head
from skart.networks._parts import check_dense, standardize


class DenseHeadClassifier(BaseKerasClassifier):
    """Classifier of features by pairs of dropout and dense layers.

    This is the head that the report puts on frozen InceptionV3 features [1]_:
    Dropout, Dense(ReLU), Dropout, Dense(softmax). The default width and dropout are its
    best ones. Unlike the report, the network standardizes the features first, and the
    learning rate decays; :func:`report_head` makes the report's own head.

    Parameters
    ----------
    units : int or tuple of int, default=650
        Width of the hidden layer, or widths of several hidden layers.
    dropout : float, default=0.7
        Share of the inputs that are dropped ahead of each dense layer in training.
    standardize : bool, default=True
        If True, the first layer of the network subtracts the mean of each feature and
        divides by its standard deviation, as
        :class:`sklearn.preprocessing.StandardScaler` does. They are those of the
        training samples, weighted as in the loss and without the validation set.
        ``partial_fit`` and ``warm_start=True`` keep those of the first call.
    optimizer : str, class or keras.optimizers.Optimizer, default="adam"
        The optimizer. Parameters of an optimizer that is passed by name or class are
        set as ``optimizer__learning_rate``, ``optimizer__beta_1`` and so on.
    learning_rate_schedule : {"cosine", "linear", "exponential"} or None, \
            default="cosine"
        Decay of the learning rate from epoch to epoch: to 0 along a half cosine or a
        line, or to a hundredth by a constant factor. If None, it is constant, or set by
        the optimizer or a callback of yours.
    epochs : int, default=100
        Maximum number of passes over the training samples.
    batch_size : int or None, default=32
        Number of samples in a gradient step, and in a forward pass of prediction. If
        None, it is 32, or fewer if the samples are large.
    validation_split : float, default=0.0
        Share of the samples that are held out to compute the validation loss,
        stratified by class (and grouped by artist if ``groups`` is passed to ``fit``).
    patience : int, default=None
        Number of epochs without a better validation loss after which training stops
        and the best weights are restored. If None, all epochs are trained, which is
        more accurate where the learning rate decays (``benchmarks/heads.py``): the loss
        may rise while the accuracy does.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss. ``"balanced"`` makes them inversely
        proportional to the class frequencies.
    callbacks : list, dict or keras.callbacks.Callback, default=None
        Callbacks for training. Classes take parameters as ``callbacks__0__monitor``.
    warm_start : bool, default=False
        If True, ``fit`` continues to train the fitted network; parameters of the
        architecture that were changed since are ignored. A changed optimizer starts
        with a new state.
    random_state : int, RandomState or None, default=None
        Seed of weights, dropout, shuffling and the validation split. A RandomState is
        copied, so that fits with the same one are equal. If None, a seed is drawn
        from NumPy's global generator. No global generator is seeded.
    verbose : int, default=0
        0 is silent, 1 prints a line per epoch, 2 shows a progress bar per epoch.
    **routed : object
        Parameters with the prefix ``optimizer__``, ``callbacks__``, ``compile__`` or
        ``fit__``, which are passed on to the optimizer, to callbacks, and to
        ``compile`` and ``fit`` of the Keras model. They can be searched like any other.
        ``compile__loss`` is a loss, such as ``"categorical_focal_crossentropy"`` or
        ``"categorical_crossentropy"``, and ``compile__loss__label_smoothing`` one of
        its parameters; Keras' losses of one-hot labels receive those.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.
    model_ : keras.Model
        The trained network.
    history_ : dict of str to list of float
        ``loss`` and ``accuracy`` of each epoch; ``val_loss`` and ``val_accuracy`` with
        a validation set; ``learning_rate`` with a schedule. Values that an epoch
        lacks are nan.
    n_features_in_ : int
        Length of the feature vectors.

    See Also
    --------
    FeatureExtractor : Computes the features.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017: 650 units, dropout 0.7, Adam with a learning rate of
       1.95e-5 were the best of a randomized search.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skart import DenseHeadClassifier
    >>> X, y = make_blobs(200, 8, centers=3, random_state=0)
    >>> head = DenseHeadClassifier(units=16, dropout=0.2, random_state=0).fit(X, y)
    >>> head.predict(X[:3]).shape
    (3,)
    >>> head.score(X, y) > 0.9
    True
    """

    _parameter_constraints = {
        **BaseKerasClassifier._parameter_constraints,
        "units": [Interval(Integral, 1, None, closed="left"), tuple, list],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "standardize": ["boolean"],
    }

    def __init__(
        self,
        units=650,
        *,
        dropout=0.7,
        standardize=True,
        optimizer="adam",
        learning_rate_schedule="cosine",
        epochs=100,
        batch_size=32,
        validation_split=0.0,
        patience=None,
        class_weight=None,
        callbacks=None,
        warm_start=False,
        random_state=None,
        verbose=0,
        **routed,
    ):
        self.units = units
        self.dropout = dropout
        self.standardize = standardize
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
        check_dense(self.units, self.dropout)

    def build_network(self, n_classes, seed):
        """Build the network of a fit. Override it for a head of your own.

        With ``standardize=True``, its inputs are the standardized features.

        Parameters
        ----------
        n_classes : int
            Number of classes.
        seed : int
            Seed of the fit, for the initializers and the dropout of the layers.

        Returns
        -------
        network : keras.Model
            Uncompiled network of ``n_features_in_`` features that ends in a softmax
            over the classes.
        """
        return dense_head(
            self.n_features_in_,
            n_classes,
            units=self.units,
            dropout=self.dropout,
            seed=seed,
        )

    def _initialize(self, training, validation):
        super()._initialize(training, validation)
        if self.standardize:
            self.model_ = standardize(self.model_, *_measure(training))

    def _fit_network(self, network, training, **options):
        routed = [
            name
            for name in self.get_params()
            if name.startswith(("fit__", "compile__", "callbacks__"))
        ]
        if (
            routed
            or self.callbacks
            # A subclass may build another kind of network.
            or type(self).build_network is not DenseHeadClassifier.build_network
            or not can_run_epochs(network)
        ):
            super()._fit_network(network, training, **options)
        else:
            run_epochs(network, training, **options)


def report_head(**params):
    """Make the report's best head, with its settings of training.

    It has 650 units, a dropout of 0.7, and Adam with a constant learning rate of
    1.95e-5, on features that are not standardized [1]_. The report doesn't give the
    number of epochs: 100 is ours.

    Parameters
    ----------
    **params : dict
        Parameters of :class:`DenseHeadClassifier` that differ or are not named here.

    Returns
    -------
    head : DenseHeadClassifier
        Unfitted head.

    See Also
    --------
    DenseHeadClassifier : Its defaults are more accurate.
    skart.make_transfer_pipeline : The pipeline around a head.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from skart import make_transfer_pipeline
    >>> from skart.classifiers import report_head
    >>> pipe = make_transfer_pipeline().set_params(head=report_head(random_state=0))
    >>> pipe[-1].optimizer__learning_rate
    1.95e-05
    """
    settings = {
        "units": 650,
        "dropout": 0.7,
        "standardize": False,
        "learning_rate_schedule": None,
        "epochs": 100,
        "optimizer__learning_rate": 1.95e-5,
    }
    if not isinstance(params.get("optimizer", "adam"), str):
        del settings["optimizer__learning_rate"]  # an optimizer has its own
    return DenseHeadClassifier(**(settings | params))


def _measure(samples):
    """Compute mean and variance of each feature; the variance of a constant is 1."""
    scaler = StandardScaler()
    # A class may have the weight 0, but the weights of a block must have a sum.
    weights = np.maximum(samples.weights, np.finfo(np.float32).tiny)
    for block in gen_batches(len(samples.rows), 1024):
        rows = samples.rows[block]
        X = np.asarray(samples.X[rows], dtype=np.float64)
        scaler.partial_fit(X, sample_weight=weights[rows])
    return scaler.mean_, np.minimum(scaler.scale_**2, np.finfo(np.float32).max)
