import pickle
import random

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from helpers import head, needs_bfloat16
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import DenseHeadClassifier
from skart.classifiers import report_head
from skart.model_selection import head_search_space


@pytest.fixture(scope="module")
def fitted(blobs):
    """A fitted head; read only."""
    return head(validation_split=0.2).fit(*blobs)


def test_default_network_is_that_of_the_report_on_standardized_features():
    X = np.random.default_rng(0).normal(size=(40, 2048)).astype("f4")
    model = DenseHeadClassifier(epochs=1).fit(X, np.arange(40) % 18).model_
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Normalization", "Dropout", "Dense", "Dropout", "Dense"]
    n_trained = sum(np.prod(weight.shape) for weight in model.trainable_weights)
    assert n_trained == 2049 * 650 + 651 * 18
    assert model.layers[1].rate == 0.7


def test_report_head(blobs):
    made = report_head(epochs=3, random_state=0).fit(*blobs)
    kinds = [type(layer).__name__ for layer in made.model_.layers]
    assert kinds == ["Dropout", "Dense", "Dropout", "Dense"]
    assert float(made.model_.optimizer.learning_rate) == pytest.approx(1.95e-5)
    assert set(made.history_) == {"loss", "accuracy"}  # the rate is constant
    with pytest.raises(TypeError, match="Did you mean 'units'"):
        report_head(unit=3)


def shifted(blobs):
    """Features of very different means and scales, one of them constant; labels."""
    X, y = blobs
    X = X * np.logspace(-3, 5, X.shape[1]) + np.logspace(5, -3, X.shape[1])
    X[:, 3] = 7
    return X.astype("f4"), y


@pytest.mark.slow
@pytest.mark.parametrize("fast", [True, False])
def test_standardized_features_equal_those_of_standard_scaler(blobs, fast):
    X, y = shifted(blobs)
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    callbacks = None if fast else [keras.callbacks.Callback()]
    model = head(callbacks=callbacks).fit(X, y, sample_weight=weights)
    kept = weights > 0
    scaler = StandardScaler().fit(X[kept].astype(float), sample_weight=weights[kept])
    plain = head(standardize=False, callbacks=callbacks)
    plain.fit(scaler.transform(X), y, sample_weight=weights)
    assert model.score(X, y) > 0.9
    # The network rounds means to float32, as recent versions of scikit-learn do.
    np.testing.assert_allclose(
        model.predict_proba(X), plain.predict_proba(scaler.transform(X)), atol=2e-2
    )
    # A feature that was constant has no scale: a new value counts as it is.
    other = X.copy()
    other[:, 3] += 1e-3
    np.testing.assert_allclose(
        model.predict_proba(other), model.predict_proba(X), atol=1e-2
    )


def test_statistics_are_those_of_the_training_samples(blobs):
    X, y = shifted(blobs)
    X_val = X[:30] + 1e6
    model = head().fit(X, y, X_val=X_val, y_val=y[:30])
    alone = head().fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(X), alone.predict_proba(X), rtol=1e-4, atol=1e-6
    )
    # Class weights count as sample weights, and may be 0.
    weight = {"Baroque": 0, "Cubism": 1, "Fauvism": 2}
    by_class = head(class_weight=weight).fit(X, y)
    by_sample = head().fit(
        X, y, sample_weight=pd.Series(y).map(weight).to_numpy() + 1e-30
    )
    np.testing.assert_allclose(
        by_class.predict_proba(X), by_sample.predict_proba(X), atol=1e-3
    )


def test_continued_training_keeps_the_statistics(blobs):
    X, y = shifted(blobs)
    for model in (head(warm_start=True).fit(X, y), head().partial_fit(X, y)):
        before = model.model_.layers[0].get_weights()
        model.set_params(standardize=False)
        for _ in range(2):
            model.partial_fit(X * 2 + 1, y)
        after = model.model_.layers[0].get_weights()
        np.testing.assert_equal(after, before)


@pytest.mark.parametrize("power", [-38, 18, 36])
def test_features_at_the_ends_of_float32(blobs, power):
    X = (blobs[0] / np.abs(blobs[0]).max() * 10.0**power).astype("f4")
    model = head().fit(X, blobs[1])
    assert np.isfinite(model.predict_proba(X)).all()
    if power == 18:  # whose squares are float32 as well
        assert model.score(X, blobs[1]) > 0.9


@pytest.mark.slow
def test_own_network_receives_standardized_features(blobs):
    X, y = shifted(blobs)

    class Linear(DenseHeadClassifier):
        def build_network(self, n_classes, seed):
            layer = keras.layers.Dense(n_classes, "softmax", name="own")
            inputs = keras.Input((self.n_features_in_,))
            return keras.Model(inputs, layer(inputs))

    model = Linear(epochs=20, optimizer__learning_rate=0.01, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9


def test_tags_alone_and_in_a_pipeline():
    assert is_classifier(DenseHeadClassifier())
    assert is_classifier(make_pipeline(StandardScaler(), DenseHeadClassifier()))


def test_cross_validation_is_stratified(blobs):
    # Without stratification, each fold would lack a class, and scores would be near 0.
    assert cross_val_score(head(), *blobs, cv=3).min() > 0.9


def test_probabilities_are_in_the_order_of_classes(blobs, fitted):
    X, y = blobs
    assert fitted.classes_.tolist() == ["Baroque", "Cubism", "Fauvism"]
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (120, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (fitted.classes_[probabilities.argmax(axis=1)] == fitted.predict(X)).all()
    assert fitted.score(X, y) > 0.9


@pytest.mark.parametrize(
    "convert",
    [
        list,
        pd.Series,
        lambda y: np.array(y, dtype=object),
        lambda y: pd.Series(y, dtype="category"),
        lambda y: np.unique(y, return_inverse=True)[1] * 7 - 3,
    ],
)
def test_kinds_of_labels(blobs, convert):
    X, y = blobs[0], convert(blobs[1])
    model = head().fit(pd.DataFrame(X).rename(columns=str), y)
    assert set(model.predict(pd.DataFrame(X).rename(columns=str))) == set(y)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc_ovr", "roc_auc_ovo"])
def test_scores_from_probabilities(blobs, scoring):
    scores = cross_val_score(head(), *blobs, cv=3, scoring=scoring)
    assert (scores > (-0.4 if scoring == "neg_log_loss" else 0.95)).all()


@pytest.mark.slow
def test_binary_roc_auc(blobs):
    X, y = blobs[0][:80], blobs[1][:80]
    assert cross_val_score(head(), X, y, cv=3, scoring="roc_auc").min() > 0.95
    assert head().fit(X, y).predict_proba(X).shape == (80, 2)


@pytest.mark.slow
def test_meta_estimators(blobs):
    X, y = blobs
    stack = StackingClassifier(
        [("head", head()), ("linear", LogisticRegression())], cv=2
    ).fit(X, y)
    assert stack.score(X, y) > 0.9
    calibrated = CalibratedClassifierCV(head(), cv=2).fit(X, y)
    assert calibrated.score(X, y) > 0.9
    frozen = CalibratedClassifierCV(FrozenEstimator(head().fit(X, y))).fit(X, y)
    assert frozen.score(X, y) > 0.9
    assert cross_val_predict(head(), X, y, cv=2, method="predict_proba").shape == (
        120,
        3,
    )


@pytest.mark.slow
def test_search_over_routed_parameters(blobs):
    search = RandomizedSearchCV(
        head(),
        head_search_space(prefix="") | {"units": [8, 16]},
        n_iter=3,
        cv=2,
        random_state=0,
    ).fit(*blobs)
    best = search.best_estimator_
    rate = search.best_params_["optimizer__learning_rate"]
    assert float(best.model_.optimizer.learning_rate) == pytest.approx(rate)
    assert best.model_.optimizer.beta_1 == search.best_params_["optimizer__beta_1"]


def test_clone_and_fit_keep_parameters(blobs):
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=3)
    optimizer = keras.optimizers.SGD(0.1)
    model = DenseHeadClassifier(
        16, epochs=2, optimizer=optimizer, callbacks=[stop], fit__steps_per_epoch=2
    )
    parameters = model.get_params()
    assert parameters["fit__steps_per_epoch"] == 2
    model.fit(*blobs)
    assert model.get_params() == parameters
    assert parameters["optimizer"] is optimizer and not optimizer.built
    cloned = clone(head(optimizer__beta_1=0.8))
    assert cloned.get_params() == head(optimizer__beta_1=0.8).get_params()


def test_misspelt_parameters(blobs):
    with pytest.raises(TypeError, match="'droput'. Did you mean 'dropout'"):
        DenseHeadClassifier(droput=0.5)
    with pytest.raises(TypeError, match="optimiser__learning_rate"):
        DenseHeadClassifier(optimiser__learning_rate=0.5)
    with pytest.raises(ValueError, match="'unit'. Did you mean 'units'"):
        DenseHeadClassifier().set_params(unit=3)
    with pytest.raises(ValueError, match="learning_rat"):
        DenseHeadClassifier(optimizer__learning_rat=0.5).fit(*blobs)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"epochs": 0}, "'epochs' parameter .* must be an int"),
        ({"learning_rate_schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"batch_size": 0}, "'batch_size' parameter .* or None"),
        ({"validation_split": 1.0}, "'validation_split' parameter .* must be"),
        ({"patience": 3}, "pass validation_split"),
        ({"optimizer": "adamm"}, "adamm"),
        ({"units": 0}, "units"),
        ({"units": (8, 0)}, "units must be"),
        ({"random_state": "x"}, "'random_state' parameter"),
        ({"optimizer": 3}, "'optimizer' parameter"),
        ({"dropout": 1.5}, "dropout"),
    ],
)
def test_bad_parameters(blobs, parameters, message):
    with pytest.raises(ValueError, match=message):
        head(**parameters).fit(*blobs)


def test_bad_data(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="two classes"):
        head().fit(X[:40], y[:40])
    with pytest.raises(ValueError, match="NaN"):
        head().fit(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="16 features"):
        head().fit(X, y).predict(X[:, :5])
    with pytest.raises(ValueError, match="no label for 1 of 120 .* position 0"):
        head().fit(X, [None, *y[1:]])
    with pytest.raises(TypeError, match="callbacks must be"):
        head(callbacks=[print]).fit(X, y)


def test_history_and_early_stopping(blobs):
    noisy = blobs[0], np.random.default_rng(0).permutation(blobs[1])
    options = {"validation_split": 0.25, "learning_rate_schedule": None}
    model = head(epochs=60, patience=2, **options).fit(*noisy)
    assert set(model.history_) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    losses = model.history_["val_loss"]
    assert 3 <= len(losses) < 60
    assert len(losses) - 1 - np.argmin(losses) == 2
    # The best weights are restored.
    again = head(epochs=int(np.argmin(losses)) + 1, **options).fit(*noisy)
    np.testing.assert_allclose(
        model.predict_proba(blobs[0]), again.predict_proba(blobs[0]), rtol=1e-5
    )


@pytest.mark.parametrize("way", ["pickle", "joblib"])
def test_round_trips(blobs, fitted, tmp_path, way):
    X, y = blobs
    if way == "pickle":
        data = pickle.dumps(fitted)
        again = pickle.loads(data)
        weights = sum(weight.nbytes for weight in fitted.model_.get_weights())
        assert len(data) < 2 * weights + 10_000  # no optimizer's state, no data
    else:
        joblib.dump(fitted, tmp_path / "head.joblib")
        again = joblib.load(tmp_path / "head.joblib")
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert again.history_ == fitted.history_
    state = random.getstate()
    twin = pickle.loads(pickle.dumps(fitted))
    assert random.getstate() == state
    for model in (again, twin):  # dropout is seeded, too
        model.partial_fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), twin.predict_proba(X))
    # Parameters that are changed after fit do not change predictions.
    changed = pickle.loads(pickle.dumps(again)).set_params(units=99)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(changed)).predict_proba(X), again.predict_proba(X)
    )


def test_several_layers(blobs):
    model = head(units=(16, 8)).fit(*blobs)
    assert [layer.units for layer in model.model_.layers[2::2]] == [16, 8, 3]


def test_verbose_prints_a_line_an_epoch(blobs, capsys):
    head(epochs=2).fit(*blobs)
    assert capsys.readouterr() == ("", "")
    head(epochs=2, verbose=1).fit(*blobs)
    assert capsys.readouterr().out.count("loss") >= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"validation_split": 0.2, "patience": 2, "learning_rate_schedule": "cosine"},
        {"units": (12, 8), "dropout": 0.0, "class_weight": "balanced"},
        {"batch_size": 50, "optimizer__beta_1": 0.8, "optimizer__epsilon": 1e-3},
        {"standardize": False, "validation_split": 0.2},
    ],
    ids=["plain", "validation", "deep", "adam", "raw"],
)
def test_fast_training_equals_keras(blobs, parameters):
    X, y = blobs
    weights = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    fast = head(epochs=8, **parameters).fit(X, y, sample_weight=weights)
    # With a callback of the user, Keras trains.
    keras_own = head(epochs=8, callbacks=[keras.callbacks.Callback()], **parameters)
    keras_own.fit(X, y, sample_weight=weights)
    assert fast.model_.train_function is None
    assert keras_own.model_.train_function is not None
    assert list(fast.history_) == list(keras_own.history_)
    for name, values in fast.history_.items():
        np.testing.assert_allclose(values, keras_own.history_[name], atol=1e-3)
    if "class_weight" not in parameters:  # both continue training
        fast.partial_fit(X, y)
        keras_own.partial_fit(X, y)
    np.testing.assert_allclose(
        fast.predict_proba(X), keras_own.predict_proba(X), atol=1e-3
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"optimizer": "adamw"},
        {"optimizer__clipnorm": 1.0},
        {
            "optimizer__learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 9),
            "learning_rate_schedule": None,
        },
        {"compile__loss": keras.losses.SparseCategoricalCrossentropy(reduction="sum")},
        {"optimizer__learning_rate": lambda: 1e-3, "learning_rate_schedule": None},
        {"fit__steps_per_epoch": 2},
    ],
    ids=["optimizer", "clipped", "schedule", "loss", "callable", "fit"],
)
def test_training_by_keras_where_fast_training_cannot(blobs, parameters):
    trained = head(units=4, epochs=1, **parameters).fit(*blobs)
    assert trained.model_.train_function is not None


@needs_bfloat16
def test_half_precision_is_trained_by_keras(blobs):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        trained = head(units=4, epochs=1).fit(*blobs)
    finally:
        keras.config.set_dtype_policy(before)
    # The last layer still computes in float32.
    assert trained.model_.train_function is not None


@pytest.mark.slow
def test_fast_training_on_large_features_equals_keras(capsys):
    # 40 MB: more than one call of the graph.
    X = np.random.default_rng(0).normal(size=(600, 16_384)).astype("f4")
    y = np.arange(600) % 3
    options = {"epochs": 2, "validation_split": 0.3, "optimizer__learning_rate": 1e-4}
    parts = head(verbose=1, **options).fit(X, y)
    n_steps = -(-420 // parts.batch_size)
    assert capsys.readouterr().out.count(f"{n_steps}/{n_steps} - ") == 2
    keras_own = head(callbacks=[keras.callbacks.Callback()], **options).fit(X, y)
    assert parts.model_.train_function is None
    assert keras_own.model_.train_function is not None
    for name, values in keras_own.history_.items():
        np.testing.assert_allclose(parts.history_[name], values, rtol=1e-3)


def test_diverged_training_is_an_error(blobs):
    diverging = head(epochs=5, optimizer__learning_rate=1e30)
    with pytest.raises(ValueError, match="diverged: after epoch 1 the loss"):
        diverging.fit(blobs[0] * 1e20, blobs[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.5),
        keras.callbacks.ReduceLROnPlateau(),
    ],
)
def test_callback_and_schedule_exclude_each_other(blobs, callback):
    head = DenseHeadClassifier(units=4, epochs=1, callbacks=[callback])
    with pytest.raises(ValueError, match="pass learning_rate_schedule=None, or leave"):
        head.fit(*blobs)
    head.set_params(learning_rate_schedule=None, validation_split=0.2).fit(*blobs)


def test_report_head_with_another_optimizer(blobs):
    head = report_head(optimizer=keras.optimizers.SGD(0.1), epochs=1).fit(*blobs)
    assert head.history_["loss"][0] > 0
    assert report_head(optimizer="sgd").optimizer__learning_rate == 1.95e-5


@pytest.mark.slow
def test_a_width_is_traced_once(monkeypatch):
    tf = pytest.importorskip("tensorflow")
    traced = []

    class Tape(tf.GradientTape):
        def __init__(self):
            super().__init__()
            traced.append(self)

    monkeypatch.setattr(tf, "GradientTape", Tape)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)).astype(np.float32), np.arange(20) % 2
    widths = [*range(3, 15)]  # of which each occurs twice
    for units in [*rng.permutation(widths), *rng.permutation(widths)]:
        DenseHeadClassifier(units=int(units), epochs=1, random_state=0).fit(X, y)
    assert len(traced) == len(widths)
