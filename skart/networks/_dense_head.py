"""The report's head: dropout and fully connected layers in pairs."""

from skart.networks._keras import keras
from skart.networks._parts import check_dense, layer_seeds


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
    seeds = layer_seeds(seed)
    layers = [keras.Input((n_features,))]
    for width in check_dense(units, dropout):
        layers += [
            keras.layers.Dropout(dropout, seed=next(seeds)),
            keras.layers.Dense(
                width,
                activation="relu",
                kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            ),
        ]
    layers += [
        keras.layers.Dropout(dropout, seed=next(seeds)),
        keras.layers.Dense(
            n_classes,
            activation="softmax",
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            # Probabilities in float32 also where the rest computes in half precision.
            dtype="float32",
        ),
    ]
    return keras.Sequential(layers)
