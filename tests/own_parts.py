"""Estimators, functions and layers of a user, in a module of their own."""

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin

from skart import DenseHeadClassifier


class Contrast(TransformerMixin, BaseEstimator):
    """Scale features; its `cache` is no folder."""

    def __init__(self, factor=2.0, cache=3):
        self.factor = factor
        self.cache = cache

    def fit(self, X, y=None):
        self.mean_ = np.mean(X, axis=0)
        return self

    def transform(self, X):
        return (X - self.mean_) * self.factor


class Nearest(ClassifierMixin, BaseEstimator):
    """Predict the class of the nearest centre."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.centres_ = np.stack([X[y == name].mean(axis=0) for name in self.classes_])
        return self

    def predict(self, X):
        distances = ((X[:, None] - self.centres_) ** 2).sum(axis=2)
        return self.classes_[distances.argmin(axis=1)]


class Holder:
    """A transformer that is no estimator of scikit-learn's, but holds one."""

    def __init__(self, inner):
        self.inner = [inner]

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return self.inner[0].transform(X)


class OwnHead(DenseHeadClassifier):
    """A head with other defaults, as a subclass may have."""


def double(X):
    return 2 * X


def scale(X, factor):
    return factor * X


class Bright:
    """An encoder that loads its network on first use, and does not pickle it."""

    def __init__(self, factor):
        self.factor = factor
        self.network = None
        self.n_loaded = 0

    def __call__(self, images):
        if self.network is None:
            self.network = lambda images: self.factor * flatten(images)
            self.n_loaded += 1
        return self.network(images)

    def __getstate__(self):
        return {**vars(self), "network": None, "n_loaded": 0}


class Slots:
    """What skops can't write."""

    def __reduce__(self):
        raise TypeError("not this one")

    def __call__(self, X):
        return X


@keras.saving.register_keras_serializable("own_parts")
class Shift(keras.layers.Layer):
    """Add a number to images."""

    def __init__(self, by=1, **options):
        super().__init__(**options)
        self.by = by

    def call(self, images):
        return images + self.by

    def get_config(self):
        return {**super().get_config(), "by": self.by}


@keras.saving.register_keras_serializable("own_parts")
class Other(Shift):
    """Another registered layer."""


class Unregistered(keras.layers.Layer):
    """A layer that Keras can't find."""

    def call(self, images):
        return images


@keras.saving.register_keras_serializable("own_parts")
def squash(x):
    return keras.ops.tanh(x) * 2


def network(input_shape, n_classes, *, augment=None, seed=None, layer=Shift):
    """A small network with a layer and an activation of one's own."""
    inputs = keras.Input(input_shape)
    x = inputs if augment is None else augment(inputs)
    x = layer(name="own")(x)
    x = keras.layers.Conv2D(4, 3, activation=squash, kernel_regularizer="l2")(x)
    x = keras.layers.LeakyReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(n_classes, activation="softmax")(x))


def unregistered_network(input_shape, n_classes):
    return network(input_shape, n_classes, layer=Unregistered)


def subclassed_network(input_shape, n_classes):
    model = Subclassed(n_classes)
    model.build((None, *input_shape))
    return model


@keras.saving.register_keras_serializable("own_parts")
class Subclassed(keras.Model):
    """A network with a wrong get_config."""

    def __init__(self, n_classes=5, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(n_classes, activation="softmax")

    def build(self, shape):
        self.dense.build((None, shape[-1]))
        self.output_shape = (None, self.dense.units)

    def call(self, images):
        return self.dense(keras.ops.mean(keras.ops.cast(images, "float32"), (1, 2)))

    def get_config(self):
        return {"name": self.name}


def flatten(images):
    return np.stack([image.mean(axis=(0, 1)) for image in images])
