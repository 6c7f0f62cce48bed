"""Features to movements: the report's dropout and dense layers."""

from skart.classifiers._base import BaseKerasClassifier
from skart.classifiers._epochs import can_run_epochs, run_epochs
from skart.networks import dense_head
from skart.networks._parts import check_dense


class DenseHeadClassifier(BaseKerasClassifier):
    """Features to movement: dropout and fully connected layers in pairs.

    The head that the report puts on frozen InceptionV3 features [1]_, with its best
    width and dropout as defaults: Dropout, Dense(ReLU), Dropout, Dense(softmax).

    Parameters
    ----------
    units : int or tuple of int, default=650
        Width of the hidden layer, or widths of several.
    dropout : float, default=0.7
        Share of the inputs dropped ahead of each dense layer while training.
    <parameters of training>

    Attributes
    ----------
    <attributes>
    n_features_in_ : int
        Length of the feature vectors.

    Notes
    -----
    <routed parameters>

    See Also
    --------
    FeatureExtractor : Makes the features.

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

    def __init__(
        self,
        units=650,
        *,
        dropout=0.7,
        optimizer="adam",
        learning_rate_schedule=None,
        epochs=30,
        batch_size=32,
        validation_split=0.0,
        patience=None,
        class_weight=None,
        callbacks=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.units = units
        self.dropout = dropout
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

    def _check_parameters(self):
        super()._check_parameters()
        check_dense(self.units, self.dropout)

    def _build_network(self, n_classes, seed):
        return dense_head(
            self.n_features_in_,
            n_classes,
            units=self.units,
            dropout=self.dropout,
            seed=seed,
        )

    def _fit_network(self, network, training, **options):
        routed = [
            name
            for name in self.get_params()
            if name.startswith(("fit__", "compile__", "callbacks__"))
        ]
        if (
            routed
            or self.callbacks
            # A subclass may build what is no plain head.
            or type(self)._build_network is not DenseHeadClassifier._build_network
            or not can_run_epochs(network)
        ):
            super()._fit_network(network, training, **options)
        else:
            run_epochs(network, training, **options)
