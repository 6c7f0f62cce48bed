"""Training in all classifiers, tested on the dense head, which is the fastest."""

import copy
import pickle
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import sklearn
from helpers import head
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skart import DenseHeadClassifier
from skart.classifiers._data import split_validation


class EpochCounter(keras.callbacks.Callback):
    """Count epochs."""

    def __init__(self):
        super().__init__()
        self.epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1


def test_validation_split_respects_classes_and_groups(blobs):
    X, y = blobs
    artists = np.repeat(np.arange(24), 5)
    codes = np.repeat(np.arange(3), 40)
    training, validation = split_validation(codes, 0.25)
    assert np.bincount(codes[validation]).tolist() == [10, 10, 10]
    for share in (0.25, 0.75):
        training, validation = split_validation(codes, share, groups=artists)
        assert not set(artists[training]) & set(artists[validation])
        assert set(codes[training]) == {0, 1, 2}
        assert sorted([*training, *validation]) == list(range(120))
        assert len(validation) == pytest.approx(120 * share, abs=6)
    # Half of the paintings share an artist, such as "unknown".
    unknown = np.arange(120)
    unknown[::2] = -1
    for share in (0.1, 0.25):
        training, validation = split_validation(codes, share, groups=unknown)
        assert 0 < len(validation) <= 120 * share
    with pytest.warns(UserWarning, match="holds out .* of 120 samples: groups are"):
        split_validation(codes, 0.1, groups=np.arange(120) % 2)
    # Two artists a movement: as many folds as there are artists.
    split_validation(codes[::10], 0.1, groups=np.repeat(np.arange(6), 2))
    model = head(validation_split=0.25).fit(X, y, groups=artists)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y, groups=np.arange(1000))
    with pytest.raises(ValueError, match="each class has a single group"):
        head(validation_split=0.5).fit(X[:80], y[:80], groups=codes[:80])
    with pytest.raises(ValueError, match="can't be made"):
        model.fit(X[[0, 1, 2, 50, 90]], y[[0, 1, 2, 50, 90]])


def test_validation_set(blobs):
    X, y = blobs
    held_out = np.arange(120) % 4 == 0
    train, test = (X[~held_out], y[~held_out]), (X[held_out], y[held_out])
    validation = {"X_val": test[0], "y_val": test[1]}
    model = head(patience=2).fit(*train, **validation)
    without = head().fit(*train)
    n_epochs = len(model.history_["loss"])
    np.testing.assert_allclose(
        model.history_["loss"], without.history_["loss"][:n_epochs], rtol=1e-4
    )
    # The last loss is that of the validation set, with the final weights.
    model = head().fit(*train, **validation)
    chosen = model.predict_proba(test[0])[np.arange(30), np.repeat([0, 1, 2], 10)]
    assert model.history_["val_loss"][-1] == pytest.approx(
        -np.log(chosen).mean(), rel=1e-4
    )
    model.set_params(patience=2).partial_fit(*train)
    assert np.isnan(model.history_["val_loss"][-1])


def test_class_weights_hold_for_the_validation_set(blobs):
    X, y = blobs
    weight = {"Baroque": 4, "Cubism": 4, "Fauvism": 4}
    model = head(epochs=1, class_weight=weight).fit(X, y, X_val=X, y_val=y)
    chosen = model.predict_proba(X)[np.arange(120), np.repeat([0, 1, 2], 40)]
    expected = -4 * np.log(chosen).mean()
    assert model.history_["val_loss"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda X, y: {"X_val": X}, "must be passed together"),
        (lambda X, y: {"y_val": y}, "must be passed together"),
        (lambda X, y: {"X_val": X[:5], "y_val": y}, "inconsistent numbers of samples"),
        (lambda X, y: {"X_val": X[:, :2], "y_val": y}, "expecting .* features"),
        (lambda X, y: {"X_val": X[:0], "y_val": y[:0]}, "0 sample"),
        (
            lambda X, y: {"X_val": X[:2], "y_val": ["Cubism", "Dada"]},
            "y_val holds .'Dada'., but the classes are .'Baroque'",
        ),
        (
            lambda X, y: {"X_val": X[:2], "y_val": [None, "Dada"]},
            "y_val holds no label",
        ),
    ],
)
def test_invalid_validation_set(blobs, change, message):
    X, y = blobs
    with pytest.raises(ValueError, match=message):
        head().fit(X, y, **change(X, y))


def test_validation_set_and_validation_split_exclude_each_other(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="validation_split=0.2 and X_val exclude each"):
        head(validation_split=0.2).fit(X, y, X_val=X, y_val=y)


def test_pipeline_transforms_the_validation_set_if_asked_to(blobs):
    X, y = blobs
    with sklearn.config_context(enable_metadata_routing=True):
        step = head().set_fit_request(X_val=True, y_val=True)
        pipe = Pipeline(
            [("scale", StandardScaler()), ("head", step)], transform_input=["X_val"]
        ).fit(X, y, X_val=X, y_val=y)
    scaled = StandardScaler().fit_transform(X)
    by_hand = head().fit(scaled, y, X_val=scaled, y_val=y)
    assert pipe[-1].history_ == by_hand.history_


@pytest.mark.parametrize("random_state", [0, None])
def test_validation_split_is_that_of_the_first_fit(blobs, random_state):
    # Nothing is learned: the loss differs if other samples are held out.
    model = head(
        epochs=1,
        validation_split=0.25,
        warm_start=True,
        optimizer__learning_rate=0.0,
        random_state=random_state,
    )
    model.fit(*blobs).fit(*blobs)
    model.partial_fit(*blobs)  # has no validation set
    model = pickle.loads(pickle.dumps(model)).fit(*blobs)
    first, second, third, fourth = model.history_["val_loss"]
    assert first == second == fourth
    assert np.isnan(third)


def test_callbacks(blobs):
    counter = EpochCounter()
    head(
        callbacks=[counter, keras.callbacks.EarlyStopping], callbacks__1__monitor="loss"
    ).fit(*blobs)
    assert counter.epochs == 6
    assert counter.model is None  # the callback does not keep the network in memory


@pytest.mark.slow
def test_sample_and_class_weights(blobs):
    X, y = blobs
    few = np.r_[0:5, 40:80, 80:120]
    base = head(epochs=4)
    plain = base.fit(X[few], y[few]).predict_proba(X[few])[:, 0].mean()
    balanced = clone(base).set_params(class_weight="balanced").fit(X[few], y[few])
    assert balanced.predict_proba(X[few])[:, 0].mean() > plain
    weights = np.where(y == "Baroque", 50.0, 1.0)
    heavy = clone(base).fit(X, y, sample_weight=weights)
    light = clone(base).fit(X, y)
    assert (
        heavy.predict_proba(X)[:, 0].mean() > light.predict_proba(X)[:, 0].mean() + 0.05
    )
    # "balanced" ignores samples of weight 0.
    mask = np.r_[np.ones(60), np.zeros(60)]
    balanced = clone(base).set_params(class_weight="balanced")
    np.testing.assert_allclose(
        clone(balanced).fit(X, y, sample_weight=mask).predict_proba(X),
        clone(balanced).fit(X[:60], y[:60]).predict_proba(X),
        rtol=1e-4,
    )
    with pytest.raises(ValueError, match="needs all samples at once"):
        balanced.partial_fit(X, y)
    with pytest.raises(ValueError, match="class_weight names 'Dada'"):
        clone(base).set_params(class_weight={"Dada": 2}).fit(X, y)
    ignored = clone(base).set_params(class_weight={"Baroque": 0}).fit(X, y)
    assert len(ignored.classes_) == 3
    as_dict = clone(base).set_params(class_weight={"Baroque": 50, "Cubism": 1})
    as_dict.partial_fit(X[40:], y[40:], classes=np.unique(y))  # no Baroque
    np.testing.assert_allclose(
        as_dict.fit(X, y).predict_proba(X), heavy.predict_proba(X), rtol=1e-5
    )
    # Samples of weight 0 are left out.
    kept = y != "Cubism"
    without = clone(base).fit(X, y, sample_weight=kept)
    assert without.classes_.tolist() == ["Baroque", "Fauvism"]


def test_partial_fit(blobs):
    X, y = blobs
    order = np.random.default_rng(0).permutation(120)
    model = head()
    for epoch in range(8):
        model.partial_fit(X[order], y[order], classes=np.unique(y))
        assert len(model.history_["loss"]) == epoch + 1
    assert model.score(X, y) > 0.9
    assert model.history_["loss"][-1] < model.history_["loss"][0]
    by_class = head().partial_fit(
        X[:40], y[:40], classes=["Fauvism", "Cubism", "Baroque"]
    )
    assert by_class.partial_fit(X[40:], y[40:]).predict_proba(X).shape == (120, 3)
    with pytest.raises(ValueError, match="'Naive Art'"):
        model.partial_fit(X[:2], ["Naive Art", "Cubism"])
    with pytest.raises(ValueError, match="classes=.* differ"):
        model.partial_fit(X, y, classes=["Baroque", "Cubism"])


def test_warm_start(blobs):
    model = head(epochs=2, warm_start=True).fit(*blobs)
    first = model.history_["loss"].copy()
    model.fit(*blobs)
    assert model.history_["loss"][:2] == first and len(model.history_["loss"]) == 4
    assert model.history_["loss"][2] < first[1]
    # A changed learning rate takes effect.
    weights = model.model_.get_weights()
    model.set_params(optimizer__learning_rate=1e-12).fit(*blobs)
    for before, after in zip(weights, model.model_.get_weights(), strict=True):
        np.testing.assert_allclose(before, after, atol=1e-6)


class Interrupt(keras.callbacks.Callback):
    """Raise KeyboardInterrupt at the start of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", [0, 2])
def test_interrupted_fit_keeps_finished_epochs(blobs, epoch):
    interrupt = Interrupt(epoch)
    model = head(epochs=5, callbacks=interrupt, warm_start=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*blobs)
    assert interrupt.model is None
    if epoch:
        assert len(model.history_["loss"]) == epoch
        model.predict(blobs[0])
    else:
        with pytest.raises(NotFittedError):
            model.predict(blobs[0])
    model.set_params(callbacks=None).fit(*blobs)
    assert len(model.history_["loss"]) == epoch + 5


def test_invalid_fit_leaves_the_last_one_unchanged(blobs):
    X, y = blobs
    model = head().fit(X, y)
    before = model.predict_proba(X)
    model.set_params(validation_split=0.5)
    with pytest.raises(ValueError, match="each class has a single group"):
        model.fit(X[:80], np.repeat([1, 2], 40), groups=np.repeat([1, 2], 40))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    with pytest.raises(ValueError, match="at least two classes"):
        model.set_params(validation_split=0).fit(X[:, :3], np.zeros(120))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    for name, value, error, message in (
        ("units", 0, ValueError, "'units' parameter"),
        ("optimizer", "adamm", ValueError, "adamm"),
        ("callbacks", [print], TypeError, "callbacks must be"),
    ):
        with pytest.raises(error, match=message):
            clone(model).set_params(**{name: value}).fit(X, y)
        refitted = copy.copy(model).set_params(**{name: value})
        with pytest.raises(error, match=message):
            refitted.fit(X, y)
        np.testing.assert_array_equal(refitted.predict_proba(X), before)


@pytest.mark.parametrize(
    "parameters, error, message",
    [
        ({"callbacks": [print]}, TypeError, "callbacks must be"),
        ({"optimizer": "adamm"}, ValueError, "adamm"),
        ({"optimizer__learning_rat": 1}, ValueError, "learning_rat"),
    ],
)
def test_fit_with_invalid_parameters_fails_again(blobs, parameters, error, message):
    model = head(warm_start=True, **parameters)
    for _ in range(2):
        with pytest.raises(error, match=message):
            model.fit(*blobs)
        with pytest.raises(NotFittedError):
            model.predict(blobs[0])
    model = head().fit(*blobs).set_params(**parameters)
    for _ in range(2):
        with pytest.raises(error, match=message):
            model.partial_fit(*blobs)


def test_validation_split_leaves_out_samples_of_weight_zero(blobs):
    X, y = blobs
    artists = np.arange(120) // 5
    weights = np.ones(120)
    weights[::7] = 0
    model = head(epochs=2, validation_split=0.25, random_state=0)
    weighted = clone(model).fit(X, y, sample_weight=weights, groups=artists)
    kept = weights > 0
    without = clone(model).fit(X[kept], y[kept], groups=artists[kept])
    for name, values in without.history_.items():
        np.testing.assert_allclose(weighted.history_[name], values, rtol=1e-5)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "exponential"])
def test_learning_rate_schedules(blobs, schedule):
    model = head(epochs=4, learning_rate_schedule=schedule, warm_start=True)
    rates = model.fit(*blobs).history_["learning_rate"]
    done = np.arange(4) / 4
    expected = {
        "cosine": (1 + np.cos(np.pi * done)) / 2,
        "linear": 1 - done,
        "exponential": 0.01**done,
    }
    np.testing.assert_allclose(rates, 0.01 * expected[schedule], rtol=1e-5)
    model.fit(*blobs)  # restarts
    np.testing.assert_allclose(model.history_["learning_rate"], rates * 2, rtol=1e-5)


def test_reserved_arguments_of_keras_are_rejected():
    with pytest.raises(TypeError, match="sets 'optimizer' itself"):
        DenseHeadClassifier(compile__optimizer="sgd")
    with pytest.raises(ValueError, match="sets 'epochs' itself"):
        DenseHeadClassifier().set_params(fit__epochs=3)


@pytest.mark.slow
def test_random_state(blobs, global_generators):
    X, y = blobs
    random.seed(1)
    np.random.seed(2)
    states = random.getstate(), np.random.get_state()[1].copy()
    one = head(random_state=5).fit(X, y).predict_proba(X)
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
    two = head(random_state=5).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(one, two)
    generator = np.random.RandomState(5)
    three = head(random_state=generator).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(one, three)
    assert not np.allclose(one, head(random_state=6).fit(X, y).predict_proba(X))
    # With None, the seed comes from NumPy's global generator, as in scikit-learn.
    np.random.seed(9)
    four = head(random_state=None).fit(X, y).predict_proba(X)
    five = head(random_state=None).fit(X, y).predict_proba(X)
    np.random.seed(9)
    assert not np.allclose(four, five)
    np.testing.assert_array_equal(
        four, head(random_state=None).fit(X, y).predict_proba(X)
    )


@pytest.mark.slow
def test_fitted_network_can_be_trained_by_keras():
    code = """
import numpy as np
from skart import DenseHeadClassifier
X, y = np.zeros((8, 4)), np.arange(8) % 2
model = DenseHeadClassifier(4, epochs=1).fit(X, y).model_
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(X, y, shuffle=True, verbose=0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_metadata_routing_of_groups(blobs):
    artists = np.repeat(np.arange(24), 5)
    with sklearn.config_context(enable_metadata_routing=True):
        model = head(validation_split=0.25).set_fit_request(groups=True)
        scores = cross_val_score(
            model, *blobs, cv=GroupKFold(3), params={"groups": artists}
        )
    assert scores.mean() > 0.8
