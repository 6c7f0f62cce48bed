"""Features to movements: the report's dropout and dense layers."""

from skart.classifiers._base import BaseKerasClassifier
from skart.networks.dense_head import dense_head


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
    optimizer : str, class or keras.optimizers.Optimizer, default="adam"
        Parameters of an optimizer that is given by name or class are set as
        ``optimizer__learning_rate``, ``optimizer__beta_1`` and so on.
    epochs : int, default=30
        Passes over the training samples, at most.
    batch_size : int, default=32
        Samples a gradient step, and a forward pass in prediction.
    validation_split : float, default=0.0
        Share of the samples held out to watch the loss on, stratified by class (and
        grouped by artist where ``fit`` is given ``groups``).
    patience : int, default=None
        Epochs without a better validation loss after which training stops; the best
        weights are restored. None trains all epochs.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss; ``"balanced"`` makes them inversely
        proportional to their frequencies.
    callbacks : list, dict or keras.callbacks.Callback, default=None
        Callbacks for training; classes take parameters as
        ``callbacks__0__monitor``.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights there are.
    random_state : int, RandomState or None, default=None
        Seed of weights, dropout, shuffling and the validation split. Global random
        state is left as it was.
    verbose : int, default=0
        1 prints a line an epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    model_ : keras.Model
        The trained network.
    history_ : dict of str to list of float
        ``loss`` and ``accuracy`` of each epoch, and ``val_loss`` and ``val_accuracy``
        with a validation split.
    n_features_in_ : int
        Length of the feature vectors.

    Notes
    -----
    Beside these parameters, ones that begin with ``optimizer__``, ``callbacks__``,
    ``compile__`` and ``fit__`` are passed on to the optimizer, to callbacks, and to
    ``compile`` and ``fit`` of the Keras model. They can be searched like any other.

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
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.patience = patience
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _build_network(self):
        return dense_head(
            self.n_features_in_,
            len(self.classes_),
            units=self.units,
            dropout=self.dropout,
        )
