"""Models that can't be saved safely, and errors in skart while saving."""

import copy
import pickle

import keras
import numpy as np
import pytest
from helpers import head
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skart
from skart import DenseHeadClassifier, HybridCNNClassifier, load_model, save_model


@keras.saving.register_keras_serializable("test_saving_refused")
class Shift(keras.layers.Layer):
    def call(self, images):
        return images + 1


class Own(BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X


def double(X):
    return 2 * X


@pytest.fixture(scope="module")
def fitted_head(blobs):
    """A small pipeline with a head; read only."""
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
def test_parameters_that_are_not_safe(name, value, message, fitted_head, tmp_path):
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
            make_pipeline(FunctionTransformer(double)),
            TypeError,
            "er__func=<function do",
        ),
        (make_pipeline(Own()), TypeError, "test_saving_refused.Own"),
        (
            Pipeline([("forest", RandomForestClassifier(2))]),
            TypeError,
            r"forest__estimators___0__tree_ holds sklearn.tree._tree.Tree",
        ),
        (
            RandomizedSearchCV(LogisticRegression(), {"C": [1, 2]}, n_iter=2),
            TypeError,
            "save its best_estimator_",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parts_that_are_not_safe(model, error, message, blobs, tmp_path):
    with pytest.raises(error, match=message):
        save_model(model.fit(*blobs), tmp_path / "model.skart")
    assert list(tmp_path.iterdir()) == []


def test_layers_of_the_user(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    model = HybridCNNClassifier(augment=Shift(), epochs=1, compile__run_eagerly=True)
    model.fit(X, np.arange(8) % 2)
    with pytest.raises(TypeError, match="augment=<Shift"):
        save_model(model, tmp_path / "model.skart")
    with pytest.raises(TypeError, match="model_ can't be saved.*Shift.*augment='light"):
        save_model(model.set_params(augment=None), tmp_path / "model.skart")
    assert list(tmp_path.iterdir()) == []
    pickle.loads(pickle.dumps(model)).predict(X)  # who unpickles trusts it


def test_errors_of_skart_pass_as_they_are(fitted_head, tmp_path, monkeypatch):
    file = tmp_path / "model.skart"
    save_model(fitted_head, file)

    def get_params(self, deep=True):
        return self.no_such_attribute

    monkeypatch.setattr(DenseHeadClassifier, "get_params", get_params)
    with pytest.raises(AttributeError, match="no_such_attribute"):
        load_model(file)


def test_errors_of_skart_are_no_refusals(fitted, tmp_path, monkeypatch):
    file = tmp_path / "model.skart"
    save_model(fitted, file)
    monkeypatch.setattr(
        skart.classifiers, "CNNClassifier", None
    )  # which files may hold
    with pytest.raises(AttributeError, match="'NoneType' object has no"):
        load_model(file)
    with pytest.raises(AttributeError, match="'NoneType' object has no"):
        save_model(fitted, file)
