"""Models that can't be saved safely, and errors of skart while loading."""

import copy
import pickle

import keras
import numpy as np
import pytest
from helpers import head
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skart import DenseHeadClassifier, HybridCNNClassifier, load_model, save_model


@keras.saving.register_keras_serializable("test_unsafe_models")
def brighter(images):
    return images + 1


class Embedding(BaseEstimator):
    """An estimator with a network that is not one of skart's."""

    def __init__(self, part=None):
        self.part = part

    def fit(self, X, y=None):
        self.network_ = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        return self

    def transform(self, X):
        return X


@pytest.fixture(scope="module")
def fitted_head(blobs):
    """Return a small fitted pipeline with a head; read only."""
    pipe = Pipeline([("scale", StandardScaler()), ("head", head(units=8, epochs=1))])
    return pipe.set_params(head__compile__loss_weights=None).fit(*blobs)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("callbacks", [keras.callbacks.Callback()], "=.*=None"),
        ("callbacks", keras.callbacks.TerminateOnNaN, "="),
        ("optimizer", keras.optimizers.SGD(), "=.* or a name"),
        ("optimizer", keras.optimizers.SGD, "="),
        (
            "optimizer__learning_rate",
            keras.optimizers.schedules.CosineDecay(0.1, 9),
            "=",
        ),
        (
            "compile__loss_weights",
            {"a": {"class_name": "Lambda", "config": {}}},
            "=",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_unsafe_parameters_are_not_saved(name, value, message, fitted_head, tmp_path):
    pipe = copy.copy(fitted_head)
    pipe.steps = [*pipe.steps[:-1], ("head", copy.copy(pipe[-1]))]
    setattr(pipe[-1], name, value)
    with pytest.raises(TypeError, match=f"head__{name}{message}"):
        save_model(pipe, tmp_path / "model.skart")
    assert list(tmp_path.iterdir()) == []
    setattr(pipe[-1], name, None)
    save_model(pipe, tmp_path / "model.skart")


@pytest.mark.parametrize(
    "model, error, message",
    [
        (
            make_pipeline(FunctionTransformer(keras.ops.tanh)),
            TypeError,
            "er__func=<function tanh",
        ),
        (
            Pipeline([("embed", Embedding())]),
            TypeError,
            "Embedding can't be saved.*embed__network_ holds keras",
        ),
        (
            RandomizedSearchCV(LogisticRegression(), {"C": [1, 2]}, n_iter=2),
            TypeError,
            "save its best_estimator_",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_unsafe_parts_are_not_saved(model, error, message, blobs, tmp_path):
    with pytest.raises(error, match=message):
        save_model(model.fit(*blobs), tmp_path / "model.skart")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_layers_that_run_code_are_not_saved(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    augment = keras.layers.Lambda(brighter, output_shape=(8, 8, 3))
    model = HybridCNNClassifier(augment=augment, epochs=1, compile__run_eagerly=True)
    model.fit(X, np.arange(8) % 2)
    with pytest.raises(TypeError, match="model_ can't be saved.*Lambda.*of your own"):
        save_model(model, tmp_path / "model.skart")
    del model.model_
    with pytest.raises(TypeError, match="part__augment can't be saved.*Lambda"):
        save_model(Embedding(part=model).fit(X), tmp_path / "model.skart")
    assert list(tmp_path.iterdir()) == []
    model.fit(X, np.arange(8) % 2)
    pickle.loads(pickle.dumps(model)).predict(X)  # pickles are trusted


def test_errors_of_skart_are_raised_unchanged(fitted_head, tmp_path, monkeypatch):
    file = tmp_path / "model.skart"
    save_model(fitted_head, file)

    def get_params(self, deep=True):
        return self.no_such_attribute

    monkeypatch.setattr(DenseHeadClassifier, "get_params", get_params)
    with pytest.raises(AttributeError, match="no_such_attribute"):
        load_model(file)
