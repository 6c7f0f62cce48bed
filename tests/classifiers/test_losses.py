"""Losses of one-hot labels, such as label smoothing, for the classes of a fit."""

import pickle

import keras
import numpy as np
import pytest
from helpers import head, hybrid
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from toy_backbone import CUT

from skart import FineTuneClassifier, load_model, save_model

losses = keras.losses
SMOOTH = {
    "compile__loss": "categorical_crossentropy",
    "compile__loss__label_smoothing": 0.1,
}
FOCAL = {
    "compile__loss": "categorical_focal_crossentropy",
    "compile__loss__gamma": 3.0,
    "compile__loss__alpha": 0.5,
}
NOTHING_LEARNED = {"epochs": 1, "optimizer__learning_rate": 0.0}
parametrize_losses = pytest.mark.parametrize(
    ("parameters", "loss"),
    [
        (SMOOTH, losses.CategoricalCrossentropy(label_smoothing=0.1)),
        (FOCAL, losses.CategoricalFocalCrossentropy(gamma=3.0, alpha=0.5)),
        ({"compile__loss": "mse"}, losses.MeanSquaredError()),
        (
            {"compile__loss": "sparse_categorical_crossentropy"},
            losses.CategoricalCrossentropy(),
        ),
    ],
    ids=["smooth", "focal", "mse", "default"],
)


def compute_loss(loss, classifier, X, y, weights):
    """Compute Keras' own loss on one-hot labels."""
    one_hot = (y[:, None] == classifier.classes_).astype("f4")
    return float(loss(one_hot, classifier.predict_proba(X), sample_weight=weights))


def check_losses(classifier, loss, X, y):
    # Rows are of all classes, half of them for validation.
    parts = [slice(0, None, 2), slice(1, None, 2)]
    (X, X_val), (y, y_val) = [X[p] for p in parts], [y[p] for p in parts]
    weights = np.linspace(0.5, 2, len(y), dtype="f4")
    factors = {name: 1.0 + i for i, name in enumerate(np.unique(y))}
    classifier.set_params(class_weight=factors)
    classifier.fit(X, y, sample_weight=weights, X_val=X_val, y_val=y_val)
    by_class, by_class_val = [
        np.array([factors[label] for label in part], "f4") for part in (y, y_val)
    ]
    expected = compute_loss(loss, classifier, X, y, weights * by_class)
    assert classifier.history_["loss"][-1] == pytest.approx(expected, rel=1e-4)
    expected = compute_loss(loss, classifier, X_val, y_val, by_class_val)
    assert classifier.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-4)
    accuracy = classifier.score(X, y)
    assert classifier.history_["accuracy"][-1] == pytest.approx(accuracy)


@pytest.mark.slow
@parametrize_losses
def test_loss_of_a_head_is_that_of_keras(blobs, parameters, loss):
    model = head(dropout=0.0, batch_size=7, **NOTHING_LEARNED, **parameters)
    check_losses(model, loss, *blobs)


@pytest.mark.slow
@parametrize_losses
def test_loss_of_a_cnn_is_that_of_keras(stripes, parameters, loss):
    check_losses(hybrid(**NOTHING_LEARNED, **parameters), loss, *stripes)


@pytest.mark.slow
@pytest.mark.parametrize("augment", [None, "light"])
def test_loss_of_fine_tuning_is_that_of_keras(stripes, toy_backbone, augment):
    model = FineTuneClassifier(
        head(units=4, epochs=1, dropout=0.0),
        backbone=toy_backbone,
        weights=None,
        unfreeze_from=CUT,
        storage_dtype="float32",
        augment=augment,
        compile__run_eagerly=True,
        random_state=0,
        **NOTHING_LEARNED,
        **FOCAL,
    )
    loss = losses.CategoricalFocalCrossentropy(gamma=3.0, alpha=0.5)
    if augment is None:
        check_losses(model, loss, *stripes)
    else:
        X, y = stripes
        model.fit(X, y, X_val=X, y_val=y)
        expected = compute_loss(loss, model, X, y, None)
        assert model.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_loss_by_name_class_instance_and_function(blobs):
    histories = [
        head(epochs=1, **parameters).fit(*blobs).history_
        for parameters in (
            FOCAL,
            FOCAL | {"compile__loss": "CategoricalFocalCrossentropy"},
            FOCAL | {"compile__loss": losses.CategoricalFocalCrossentropy},
            FOCAL | {"compile__loss": losses.categorical_focal_crossentropy},
            {"compile__loss": losses.CategoricalFocalCrossentropy(0.5, 3.0)},
        )
    ]
    assert all(history == histories[0] for history in histories)


@pytest.mark.slow
def test_other_losses_receive_integer_labels(blobs):
    def loss(codes, probabilities):
        assert len(codes.shape) == 1 or codes.shape[1] == 1
        return losses.sparse_categorical_crossentropy(codes, probabilities)

    own = head(epochs=1, compile__loss=loss).fit(*blobs)
    default = head(epochs=1).fit(*blobs)
    assert own.history_["loss"] == pytest.approx(default.history_["loss"], rel=1e-4)
    generalized = head(compile__loss=losses.CategoricalGeneralizedCrossEntropy())
    assert generalized.fit(*blobs).score(*blobs) > 0.9


@pytest.mark.slow
def test_smoothed_head_can_be_copied_searched_and_saved(blobs, tmp_path):
    X, y = blobs
    smooth = head(epochs=5, **SMOOTH).fit(X, y)
    assert smooth.score(X, y) > 0.9
    assert smooth.history_ == clone(smooth).fit(X, y).history_
    assert smooth.history_ == pickle.loads(pickle.dumps(smooth)).fit(X, y).history_
    save_model(smooth, tmp_path / "head.skart")
    assert smooth.history_ == load_model(tmp_path / "head.skart").fit(X, y).history_
    # Compiled anew, with another loss.
    sharp = smooth.set_params(warm_start=True, compile__loss__label_smoothing=0.0)
    assert sharp.fit(X, y).history_["loss"][-1] < sharp.history_["loss"][1]
    grid = {"compile__loss__label_smoothing": [0.0, 0.2]}
    search = GridSearchCV(head(epochs=1, **SMOOTH), grid, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"compile__loss": "categorical_crossentropi"},
            "got 'categorical_crossentropi'. Did you mean 'categorical_crossentropy'",
        ),
        (
            {"compile__loss__label_smoothing": 0.1},
            "compile__loss='sparse_categorical_crossentropy' can't be made with "
            "compile__loss__label_smoothing: .*Name a loss that takes them",
        ),
        (
            FOCAL | {"compile__loss": losses.CategoricalFocalCrossentropy()},
            "compile__loss__gamma.*it is neither a name nor a class. Name a loss",
        ),
        ({"compile__loss": losses.Huber, "compile__loss__gamma": 1}, "gamma"),
    ],
)
def test_invalid_losses(stripes, parameters, message):
    with pytest.raises(ValueError, match=message):
        hybrid(**parameters).fit(*stripes)
