"""Training, which all classifiers share, on the quickest of them."""

import copy
import pickle
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import head
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GroupKFold,
    cross_val_score,
)

from skart import DenseHeadClassifier
from skart.classifiers._validation import split_validation


class Seen(keras.callbacks.Callback):
    """Keep what is trained on."""

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
    # One of many names, as "unknown" is in many collections.
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
    with pytest.raises(ValueError, match="nothing left"):
        head(validation_split=0.5).fit(X[:80], y[:80], groups=codes[:80])
    with pytest.raises(ValueError, match="can't be made"):
        model.fit(X[[0, 1, 2, 50, 90]], y[[0, 1, 2, 50, 90]])


def test_a_validation_set_of_ones_own(blobs):
    X, y = blobs
    held_out = np.arange(120) % 4 == 0
    model = head(validation_split=0.5, patience=2).fit(X, y, held_out=held_out)
    apart = head().fit(X[~held_out], y[~held_out])
    n_epochs = len(model.history_["loss"])
    np.testing.assert_allclose(
        model.history_["loss"], apart.history_["loss"][:n_epochs], rtol=1e-4
    )
    # Its last loss is that of the samples held out, with the weights of then.
    model = head().fit(X, y, held_out=held_out)
    chosen = model.predict_proba(X[held_out])[np.arange(30), np.repeat([0, 1, 2], 10)]
    assert model.history_["val_loss"][-1] == pytest.approx(
        -np.log(chosen).mean(), rel=1e-4
    )
    for wrong, message in (
        (held_out[:5], "inconsistent numbers of samples"),
        (held_out.astype(int), "True or False"),
        (np.zeros(120, bool), "holds out no sample"),
        (y == "Cubism", "nothing of .'Cubism'."),
    ):
        with pytest.raises(ValueError, match=message):
            head().fit(X, y, held_out=wrong)


@pytest.mark.parametrize("random_state", [0, None])
def test_the_validation_set_stays_the_same(blobs, random_state):
    # Nothing is learned: the loss differs if other samples are held out.
    model = head(
        epochs=1,
        validation_split=0.25,
        warm_start=True,
        optimizer__learning_rate=0.0,
        random_state=random_state,
    )
    model.fit(*blobs).fit(*blobs)
    model.partial_fit(*blobs)  # holds nothing out
    model = pickle.loads(pickle.dumps(model)).fit(*blobs)
    first, second, third, fourth = model.history_["val_loss"]
    assert first == second == fourth
    assert np.isnan(third)


def test_callbacks(blobs):
    seen = Seen()
    head(
        callbacks=[seen, keras.callbacks.EarlyStopping], callbacks__1__monitor="loss"
    ).fit(*blobs)
    assert seen.epochs == 6
    assert seen.model is None  # the network is not kept alive


def test_weights(blobs):
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
    # "balanced" looks at the samples that count only.
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
    # Samples of weight 0 are as good as absent.
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
    # A new learning rate holds from then on.
    weights = model.model_.get_weights()
    model.set_params(optimizer__learning_rate=1e-12).fit(*blobs)
    for before, after in zip(weights, model.model_.get_weights(), strict=True):
        np.testing.assert_allclose(before, after, atol=1e-6)


class Interrupt(keras.callbacks.Callback):
    """Stop as Ctrl-C does, in the first batch of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", [0, 2])
def test_what_an_interrupted_fit_learned_is_kept(blobs, epoch):
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


def test_a_fit_that_fails_early_leaves_the_last_one(blobs):
    X, y = blobs
    model = head().fit(X, y)
    before = model.predict_proba(X)
    model.set_params(validation_split=0.5)
    with pytest.raises(ValueError, match="nothing left"):
        model.fit(X[:80], np.repeat([1, 2], 40), groups=np.repeat([1, 2], 40))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    with pytest.raises(ValueError, match="at least two classes"):
        model.set_params(validation_split=0).fit(X[:, :3], np.zeros(120))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    for name, value, error, message in (
        ("units", 0, ValueError, "units must be"),
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
def test_a_fit_that_fails_fails_again(blobs, parameters, error, message):
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


def test_samples_of_weight_zero_are_absent_from_the_split(blobs):
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
    model.fit(*blobs)  # begins anew
    np.testing.assert_allclose(model.history_["learning_rate"], rates * 2, rtol=1e-5)


def test_what_we_set_is_not_passed_on():
    with pytest.raises(TypeError, match="sets 'optimizer' itself"):
        DenseHeadClassifier(compile__optimizer="sgd")
    with pytest.raises(ValueError, match="sets 'epochs' itself"):
        DenseHeadClassifier().set_params(fit__epochs=3)


def test_seeds(blobs, global_generators):
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
    # Without a seed of its own, NumPy's global one decides, as in scikit-learn.
    np.random.seed(9)
    four = head(random_state=None).fit(X, y).predict_proba(X)
    five = head(random_state=None).fit(X, y).predict_proba(X)
    np.random.seed(9)
    assert not np.allclose(four, five)
    np.testing.assert_array_equal(
        four, head(random_state=None).fit(X, y).predict_proba(X)
    )


@pytest.mark.slow
def test_plain_keras_works_on_after_a_fit():
    code = """
import numpy as np
from skart import DenseHeadClassifier
X, y = np.zeros((8, 4)), np.arange(8) % 2
model = DenseHeadClassifier(4, epochs=1).fit(X, y).model_
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(X, y, shuffle=True, verbose=0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_groups_through_metadata_routing(blobs):
    import sklearn

    artists = np.repeat(np.arange(24), 5)
    with sklearn.config_context(enable_metadata_routing=True):
        model = head(validation_split=0.25).set_fit_request(groups=True)
        scores = cross_val_score(
            model, *blobs, cv=GroupKFold(3), params={"groups": artists}
        )
    assert scores.mean() > 0.8
