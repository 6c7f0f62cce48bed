import copy
import pickle
import random
import subprocess
import sys

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import DenseHeadClassifier, head_search_space
from skart.classifiers._batches import Batches
from skart.classifiers._validation import split_validation


def head(**parameters):
    """A head that is quickly trained."""
    defaults = {"units": 16, "dropout": 0.1, "epochs": 6, "random_state": 0}
    return DenseHeadClassifier(
        **(defaults | {"optimizer__learning_rate": 0.01} | parameters)
    )


@pytest.fixture(scope="module")
def fitted(blobs):
    """A fitted head; read only."""
    return head(validation_split=0.2).fit(*blobs)


def test_the_network_is_the_reports():
    X = np.random.default_rng(0).normal(size=(40, 2048)).astype("f4")
    model = DenseHeadClassifier(epochs=1).fit(X, np.arange(40) % 18).model_
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Dropout", "Dense", "Dropout", "Dense"]
    assert model.count_params() == 2049 * 650 + 651 * 18
    assert model.layers[0].rate == 0.7


def test_it_is_a_classifier_alone_and_in_a_pipeline():
    assert is_classifier(DenseHeadClassifier())
    assert is_classifier(make_pipeline(StandardScaler(), DenseHeadClassifier()))


def test_class_sorted_folders_are_cross_validated_in_strata(blobs):
    # Without stratified folds each fold would lack a class, and the scores be near 0.
    assert cross_val_score(head(), *blobs, cv=3).min() > 0.9


def test_probabilities_follow_the_classes(blobs, fitted):
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


def test_binary_roc_auc(blobs):
    X, y = blobs[0][:80], blobs[1][:80]
    assert cross_val_score(head(), X, y, cv=3, scoring="roc_auc").min() > 0.95
    assert head().fit(X, y).predict_proba(X).shape == (80, 2)


def test_meta_estimators(blobs):
    X, y = blobs
    stack = StackingClassifier(
        [("head", head()), ("linear", LogisticRegression())], cv=3
    ).fit(X, y)
    assert stack.score(X, y) > 0.9
    calibrated = CalibratedClassifierCV(head(), cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.9
    frozen = CalibratedClassifierCV(FrozenEstimator(head().fit(X, y))).fit(X, y)
    assert frozen.score(X, y) > 0.9
    assert cross_val_predict(head(), X, y, cv=3, method="predict_proba").shape == (
        120,
        3,
    )


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


def test_clone_keeps_and_fit_changes_no_parameter(blobs):
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
        ({"epochs": 0}, "epochs must be"),
        ({"learning_rate_schedule": "cosin"}, "learning_rate_schedule must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"validation_split": 1.0}, "validation_split must be"),
        ({"patience": 3}, "pass validation_split"),
        ({"optimizer": "adamm"}, "adamm"),
        ({"units": 0}, "units"),
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
    model = head(epochs=60, validation_split=0.25, patience=2).fit(*noisy)
    assert set(model.history_) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    losses = model.history_["val_loss"]
    assert 3 <= len(losses) < 60
    assert len(losses) - 1 - np.argmin(losses) == 2
    # The best weights are back.
    again = head(epochs=int(np.argmin(losses)) + 1, validation_split=0.25).fit(*noisy)
    np.testing.assert_allclose(
        model.predict_proba(blobs[0]), again.predict_proba(blobs[0]), rtol=1e-5
    )


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


def held_out(monkeypatch):
    """Record the validation rows of each fit."""
    seen = []

    def record(*args, **kwargs):
        training, validation = split_validation(*args, **kwargs)
        seen.append(validation.tolist())
        return training, validation

    monkeypatch.setattr("skart.classifiers._base.split_validation", record)
    return seen


@pytest.mark.parametrize("random_state", [0, None])
def test_what_is_held_out_stays_so(blobs, monkeypatch, random_state):
    seen = held_out(monkeypatch)
    model = head(
        epochs=1, validation_split=0.25, warm_start=True, random_state=random_state
    )
    model.fit(*blobs).fit(*blobs)
    assert seen[0] == seen[1]
    model.partial_fit(*blobs)  # holds nothing out
    assert len(seen) == 2
    assert np.isnan(model.history_["val_loss"]).tolist() == [False, False, True]
    pickle.loads(pickle.dumps(model)).fit(*blobs)
    assert seen[2] == seen[0]


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
    base = head(epochs=1, random_state=0)
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
    for name, value in {"units": 0, "optimizer": "adamm", "callbacks": [print]}.items():
        with pytest.raises((ValueError, TypeError)):
            clone(model).set_params(**{name: value}).fit(X, y)
        refitted = copy.copy(model).set_params(**{name: value})
        with pytest.raises((ValueError, TypeError)):
            refitted.fit(X, y)
        np.testing.assert_array_equal(refitted.predict_proba(X), before)


@pytest.mark.parametrize(
    "parameters, error",
    [
        ({"callbacks": [print]}, TypeError),
        ({"optimizer": "adamm"}, ValueError),
        ({"optimizer__learning_rat": 1}, ValueError),
    ],
)
def test_a_fit_that_fails_fails_again(blobs, parameters, error):
    model = head(warm_start=True, **parameters)
    for _ in range(2):
        with pytest.raises(error):
            model.fit(*blobs)
        with pytest.raises(NotFittedError):
            model.predict(blobs[0])
    model = head().fit(*blobs).set_params(**parameters)
    for _ in range(2):
        with pytest.raises(error):
            model.partial_fit(*blobs)


def test_groups_of_samples_that_count(blobs):
    X, y = blobs
    artists = np.arange(120) // 5
    weight = np.ones(120)
    weight[::7] = 0
    expected = split_validation(
        y[weight > 0],
        0.25,
        groups=artists[weight > 0],
        seed=head(random_state=0).fit(X, y)._split_seed,
    )
    seen = []
    original = Batches.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Batches,
            "__init__",
            lambda self, samples, rows, *rest, **options: (
                seen.append(rows) or original(self, samples, rows, *rest, **options)
            ),
        )
        model = head(validation_split=0.25, random_state=0)
        model.fit(X, y, sample_weight=weight, groups=artists)
    for rows, part in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(rows, np.flatnonzero(weight)[part])


@pytest.mark.parametrize("schedule", ["cosine", "linear", "exponential"])
def test_learning_rate_schedules(blobs, schedule):
    model = head(epochs=4, learning_rate_schedule=schedule, warm_start=True)
    rates = model.fit(*blobs).history_["learning_rate"]
    expected = {
        "cosine": [1, 0.8536, 0.5, 0.1464],
        "linear": [1, 0.75, 0.5, 0.25],
        "exponential": [1, 0.3162, 0.1, 0.0316],
    }
    np.testing.assert_allclose(rates, 0.01 * np.array(expected[schedule]), rtol=1e-3)
    model.fit(*blobs)  # begins anew
    np.testing.assert_allclose(model.history_["learning_rate"], rates * 2, rtol=1e-6)


def test_what_we_set_is_not_passed_on():
    with pytest.raises(TypeError, match="sets 'optimizer' itself"):
        DenseHeadClassifier(compile__optimizer="sgd")
    with pytest.raises(ValueError, match="sets 'epochs' itself"):
        DenseHeadClassifier().set_params(fit__epochs=3)


def test_threads_take_turns(blobs):
    fits = [head(epochs=2, random_state=seed) for seed in range(4)]
    alone = [clone(model).fit(*blobs).predict_proba(blobs[0]) for model in fits]
    together = joblib.Parallel(n_jobs=4, backend="threading")(
        joblib.delayed(model.fit)(*blobs) for model in fits
    )
    for expected, model in zip(alone, together, strict=True):
        np.testing.assert_array_equal(model.predict_proba(blobs[0]), expected)


def test_seeds(blobs):
    X, y = blobs
    random.seed(1)
    np.random.seed(2)
    keras.utils.set_random_seed(3)
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
    for model in (again, twin):  # dropout, too, is that of the seed
        model.partial_fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), twin.predict_proba(X))
    # A parameter that was changed after the fit does not bend what was learned.
    changed = pickle.loads(pickle.dumps(again)).set_params(units=99)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(changed)).predict_proba(X), again.predict_proba(X)
    )


def test_groups_through_metadata_routing(blobs):
    import sklearn

    artists = np.repeat(np.arange(24), 5)
    with sklearn.config_context(enable_metadata_routing=True):
        model = head(validation_split=0.25).set_fit_request(groups=True)
        scores = cross_val_score(
            model, *blobs, cv=GroupKFold(3), params={"groups": artists}
        )
    assert scores.mean() > 0.8


def test_several_layers(blobs):
    model = head(units=(16, 8)).fit(*blobs)
    assert [layer.units for layer in model.model_.layers[1::2]] == [16, 8, 3]


def test_verbose_prints_a_line_an_epoch(blobs, capsys):
    head(epochs=2).fit(*blobs)
    assert capsys.readouterr() == ("", "")
    head(epochs=2, verbose=1).fit(*blobs)
    assert capsys.readouterr().out.count("loss") >= 2


def test_memory_does_not_grow_with_fits():
    from pathlib import Path

    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs Linux's /proc")
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(64, 4096)).astype("f4"), np.arange(64) % 4
    used = []
    for _ in range(8):
        DenseHeadClassifier(512, epochs=1, random_state=0).fit(X, y)
        used.append(int(statm.read_text().split()[1]) * 4096 / 2**20)
    # Weights and Adam's state are 24 MiB a fit.
    assert used[-1] - used[2] < 24
