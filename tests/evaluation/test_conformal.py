"""Prediction sets, of a classifier and of an evaluation."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GroupShuffleSplit,
    StratifiedGroupKFold,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skart import load_model, make_transfer_pipeline, save_model
from skart.datasets import load_image_folder, make_paintings
from skart.evaluation import ConformalClassifier, Evaluation, evaluate


def make_data(n_artists=60, n_per_artist=6, seed=0):
    """Return features of three movements whose artists differ, movements, artists."""
    generator = np.random.default_rng(seed)
    artists = np.repeat(np.arange(n_artists), n_per_artist)
    y = np.array(["Baroque", "Cubism", "Rococo"])[artists % 3]
    centers = 2 * np.eye(4)[artists % 3]
    manners = generator.normal(scale=1.5, size=(n_artists, 4))[artists]
    return centers + manners + generator.normal(size=(len(y), 4)), y, artists


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def evaluation(data):
    X, y, artists = data
    return evaluate(GaussianNB(), X, y, groups=artists)


def share_covered(sets, classes, y):
    return sets[np.arange(len(y)), np.searchsorted(classes, y)].mean()


def test_set_holds_what_its_definition_says(data):
    X, y, artists = data
    model = ConformalClassifier(GaussianNB(), allow_empty=True)
    model.fit(X, y, groups=artists)
    apart = evaluate(GaussianNB(), X, y, groups=artists)
    codes = np.searchsorted(apart.classes, apart.y_true)
    known = 1 - apart.probabilities[np.arange(len(y)), codes]
    scores = 1 - model.predict_proba(X[:20])
    for alpha in (0.03, 0.1, 0.4):
        expected = [
            [
                (1 + sum((known[artists == a] >= s).mean() for a in range(60))) / 61
                > alpha
                for s in row
            ]
            for row in scores
        ]
        assert model.predict_set(X[:20], alpha=alpha).tolist() == expected


@pytest.mark.parametrize("method", ["lac", "aps", "raps"])
@pytest.mark.parametrize("per_movement", [False, True])
def test_sets_cover_new_artists(method, per_movement):
    covered, sizes = [], []
    for seed in range(10):
        X, y, artists = make_data(90, seed=seed)
        new = artists >= 60
        model = ConformalClassifier(
            GaussianNB(), method=method, per_movement=per_movement, alpha=0.2
        ).fit(X[~new], y[~new], groups=artists[~new])
        sets = model.predict_set(X[new])
        covered.append(share_covered(sets, model.classes_, y[new]))
        sizes.append(sets.sum(axis=1).mean())
    assert 0.78 < np.mean(covered) < 0.9
    assert np.mean(sizes) < 2.5


def test_predictions_are_those_of_the_estimator(data):
    X, y, artists = data
    model = ConformalClassifier(GaussianNB()).fit(X, y, groups=artists)
    alone = GaussianNB().fit(X, y)
    assert (model.predict(X) == alone.predict(X)).all()
    np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(X))
    assert model.classes_.tolist() == alone.classes_.tolist()


def test_frozen_classifier_is_calibrated_on_other_paintings(data):
    X, y, artists = data
    seen = artists < 30
    trained = GaussianNB().fit(X[seen], y[seen])
    model = ConformalClassifier(FrozenEstimator(trained), alpha=0.2)
    model.fit(X[~seen], y[~seen], groups=artists[~seen])
    assert len(model.calibration_scores_) == (~seen).sum()
    np.testing.assert_array_equal(model.predict_proba(X), trained.predict_proba(X))
    sets = model.predict_set(X[~seen])
    assert share_covered(sets, model.classes_, y[~seen]) == pytest.approx(0.8, abs=0.05)
    # A movement that is absent from the paintings for calibration.
    some = ~seen & (y != "Rococo")
    model.fit(X[some], y[some], groups=artists[some])
    assert model.predict_set(X).shape == (len(X), 3)


def test_artists_weigh_the_same(data):
    X, y, artists = data
    model = GaussianNB().fit(X, y)
    calibrated = ConformalClassifier(FrozenEstimator(model), alpha=0.2)
    expected = calibrated.fit(X, y, groups=artists).predict_set(X)
    # Each painting of one artist ten times.
    rows = np.r_[
        np.flatnonzero(artists > 0), np.repeat(np.flatnonzero(artists == 0), 10)
    ]
    calibrated.fit(X[rows], y[rows], groups=artists[rows])
    np.testing.assert_array_equal(calibrated.predict_set(X), expected)


def test_sets_grow_with_the_coverage(data):
    X, y, artists = data
    for method in ("lac", "aps", "raps"):
        model = ConformalClassifier(GaussianNB(), method=method)
        model.fit(X, y, groups=artists)
        smaller = np.zeros((len(X), 3), bool)
        for alpha in (0.5, 0.3, 0.1, 0.05):
            sets = model.predict_set(X, alpha=alpha)
            assert (sets >= smaller).all()
            smaller = sets
        np.testing.assert_array_equal(
            model.predict_set(X), model.predict_set(X, alpha=0.1)
        )


@pytest.mark.parametrize("method", ["aps", "raps"])
def test_set_does_not_depend_on_the_other_paintings(data, method):
    X, y, artists = data
    model = ConformalClassifier(GaussianNB(), method=method, alpha=0.3)
    sets = model.fit(X, y, groups=artists).predict_set(X)
    rows = [7, 3, 200, 3]
    np.testing.assert_array_equal(model.predict_set(X[rows]), sets[rows])
    again = ConformalClassifier(GaussianNB(), method=method, alpha=0.3)
    again.fit(X, y, groups=artists)
    np.testing.assert_array_equal(again.predict_set(X), sets)
    folds = list(StratifiedGroupKFold(4).split(X, y, artists))
    found = [
        model.set_params(cv=folds, random_state=seed)
        .fit(X, y, groups=artists)
        .predict_set(X)
        for seed in (0, 1)
    ]
    assert (found[0] != found[1]).any()


@pytest.mark.parametrize("changed", [{"method": "aps"}, {"random_state": 5}])
def test_sets_are_scored_as_calibrated(data, changed):
    X, y, artists = data
    method = "lac" if "method" in changed else "raps"
    model = ConformalClassifier(GaussianNB(), method=method).fit(X, y, groups=artists)
    expected = model.predict_set(X)
    found = model.set_params(**changed).predict_set(X)
    np.testing.assert_array_equal(found, expected)
    again = model.fit(X, y, groups=artists).predict_set(X)
    assert (again != expected).any()


def test_empty_sets_get_the_most_probable_movement(data):
    X, y, artists = data
    model = ConformalClassifier(GaussianNB(), alpha=0.9, allow_empty=True)
    empty = ~model.fit(X, y, groups=artists).predict_set(X).any(axis=1)
    assert 0.2 < empty.mean() < 1
    sets = model.set_params(allow_empty=False).predict_set(X)
    assert (sets[empty].sum(axis=1) == 1).all()
    assert (model.classes_[sets[empty].argmax(axis=1)] == model.predict(X)[empty]).all()


def test_too_few_artists():
    X, y, artists = make_data(9)
    model = ConformalClassifier(GaussianNB(), cv=3).fit(X, y, groups=artists)
    assert not model.predict_set(X).all()
    message = "a coverage of 91 % needs 11 artists, and there are 9: each set holds all"
    with pytest.warns(UserWarning, match=message):
        assert model.predict_set(X, alpha=0.09).all()
    with pytest.warns(UserWarning, match=message):
        model.set_params(alpha=0.09).fit(X, y, groups=artists)
    with pytest.warns(UserWarning, match=r"At most 90 % can be promised"):
        model.predict_set(X, alpha=1e-300)
    message = r"coverage of 100 - 1e-298 % needs 1e\+300 artists"
    with pytest.warns(UserWarning, match=message):
        model.predict_set(X, alpha=1e-300)
    # Of each movement, there are three.
    message = "needs 9 artists of each movement, and there are fewer of Baroque, Cubism"
    with pytest.warns(UserWarning, match=message):
        model.set_params(alpha=0.1, per_movement=True).fit(X, y, groups=artists)
    assert model.predict_set(X).all()


@pytest.mark.parametrize("per_movement", [False, True])
def test_an_artist_is_not_counted_for_its_own_sets(per_movement):
    options = {"method": "lac", "per_movement": per_movement}
    for n_artists in (9, 10):
        y = np.repeat([*"abc"], n_artists)
        artists = np.arange(len(y)) if per_movement else np.arange(len(y)) % n_artists
        sure = Evaluation(
            y,
            probabilities=np.eye(3)[np.repeat([0, 1, 2], n_artists)],
            classes=[*"abc"],
            groups=artists,
        )
        if n_artists == 10:
            assert (sure.prediction_sets(0.1, **options).sum(axis=1) == 1).all()
            continue
        with pytest.warns(
            UserWarning, match="a coverage of 90 % needs 9 other artists"
        ):
            sets = sure.prediction_sets(0.1, **options)
        assert sets[np.eye(3, dtype=bool)[np.repeat([0, 1, 2], n_artists)]].all()
        assert per_movement or sets.all()


def test_movement_of_weight_0_is_not_calibrated_on(data):
    X, y, artists = data
    weights = (y != "Baroque").astype(float)
    model = ConformalClassifier(_Learned(), per_movement=True)
    model.fit(X, y, groups=artists, sample_weight=weights)
    assert model.classes_.tolist() == ["Cubism", "Rococo"]
    names = model.classes_[model.calibration_movements_]
    np.testing.assert_array_equal(names, y[weights > 0])
    assert len(set(model.calibration_artists_)) == 40
    assert len(model.calibration_scores_) == len(model.calibration_artists_) == 240


class _Learned(GaussianNB):
    """A classifier that leaves out samples of weight 0."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X[sample_weight > 0], y[sample_weight > 0])


def test_groups_are_requested_with_metadata_routing(data):
    X, y, artists = data
    with config_context(enable_metadata_routing=True):
        scores = cross_validate(
            ConformalClassifier(GaussianNB()),
            X,
            y,
            params={"groups": artists},
            cv=StratifiedGroupKFold(2),
            return_estimator=True,
        )
    for model in scores["estimator"]:
        assert len(set(model.calibration_artists_)) == 30


def test_unknown_artists(data):
    X, y, _ = data
    model = ConformalClassifier(GaussianNB(), alpha=0.2).fit(X[::6], y[::6])
    assert len(set(model.calibration_artists_)) == len(X[::6])
    with pytest.warns(UserWarning, match="there are 60: each set"):
        model.set_params(alpha=0.01).fit(X[::6], y[::6])
    with pytest.warns(UserWarning, match="needs 999 paintings"):
        model.predict_set(X[:1], alpha=0.001)
    artists = np.arange(60)  # of one painting each
    model.set_params(alpha=0.2).fit(X[::6], y[::6], groups=artists)
    with pytest.warns(UserWarning, match="needs 999 artists"):
        model.predict_set(X[:1], alpha=0.001)


def test_missing_labels_raise(data):
    X, y, artists = data
    y = y.astype(object)
    y[[3, 5]] = None
    message = "holds no label for 2 of 360 samples, first at position 3: label them"
    for model in (GaussianNB(), FrozenEstimator(GaussianNB().fit(*data[:2]))):
        with pytest.raises(ValueError, match=f"y {message}"):
            ConformalClassifier(model).fit(X, y, groups=artists)
    with pytest.raises(ValueError, match=f"y {message}"):
        evaluate(GaussianNB(), X, y)
    for labels in ({"y_pred": data[1], "y_true": y}, {"y_pred": y, "y_true": data[1]}):
        with pytest.raises(ValueError, match=f"y_(true|pred) {message}"):
            Evaluation(**labels)


def test_groups_are_passed_on_in_a_pipeline_and_to_the_estimator(data):
    X, y, artists = data
    received = []

    class Recorder(GaussianNB):
        def fit(self, X, y, groups=None):
            received.append((len(X), groups))
            return super().fit(X, y)

    pipe = make_pipeline(StandardScaler(), ConformalClassifier(Recorder()))
    pipe.fit(X, y, conformalclassifier__groups=artists)
    assert [n for n, _ in received[:4]] == [len(groups) for _, groups in received[:4]]
    np.testing.assert_array_equal(received[4][1], artists)
    assert pipe[-1].predict_set(pipe[:-1].transform(X)).shape == (len(X), 3)
    weights = np.ones(len(X))
    model = ConformalClassifier(GaussianNB())
    model.fit(X, y, groups=artists, sample_weight=weights)


def test_saved_classifier_predicts_the_same_sets(data, tmp_path):
    X, y, artists = data
    model = ConformalClassifier(GaussianNB(), method="aps", per_movement=True)
    model.fit(X, y, groups=artists)
    save_model(model, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart")
    np.testing.assert_array_equal(loaded.predict_set(X), model.predict_set(X))


def test_columns_of_a_table(data):
    X, y, artists = data
    frozen = FrozenEstimator(GaussianNB().fit(X, y))
    table = pd.DataFrame({"movement": y, "artist": artists}, index=range(7, 367))
    for estimator in (GaussianNB(), frozen):
        expected = ConformalClassifier(estimator).fit(X, y, groups=artists)
        model = ConformalClassifier(estimator)
        with pytest.warns(match="column-vector y"):
            model.fit(X, table[["movement"]], groups=table[["artist"]])
        np.testing.assert_array_equal(model.predict_set(X), expected.predict_set(X))


def test_warning_names_paintings_if_artists_are_unknown(data):
    X, y, artists = data
    for groups, count in ((None, "paintings, and there are 360"), (artists, "artists")):
        model = ConformalClassifier(GaussianNB()).fit(X, y, groups=groups)
        with pytest.warns(match=f"needs 999 {count}"):
            model.predict_set(X, alpha=0.001)


def test_errors(data):
    X, y, artists = data
    with pytest.raises(ValueError, match="Did you mean 'lac'"):
        ConformalClassifier(GaussianNB(), method="lacc").fit(X, y)
    with pytest.raises(ValueError, match="'estimator' parameter"):
        ConformalClassifier(LinearSVC()).fit(X, y)
    model = ConformalClassifier(GaussianNB()).fit(X, y, groups=artists)
    with pytest.raises(ValueError, match="'alpha' parameter of predict_set"):
        model.predict_set(X, alpha=1)
    with pytest.raises(ValueError, match="random_folds=True needs an evaluation"):
        evaluate(GaussianNB(), X, y).prediction_sets(random_folds=True)
    with pytest.raises(ValueError, match="prediction_sets needs probabilities"):
        Evaluation(y, y_pred=y).prediction_sets()


@pytest.mark.parametrize("per_movement", [False, True])
def test_sets_of_an_evaluation_are_calibrated_on_other_artists(
    evaluation, per_movement
):
    sets = evaluation.prediction_sets(0.2, per_movement=per_movement)
    for artist in (0, 7):
        own = evaluation.groups == artist
        # The artist's own probabilities can be anything.
        probabilities = evaluation.probabilities.copy()
        probabilities[own] = 1 / 3
        others = Evaluation(
            evaluation.y_true[~own],
            probabilities=probabilities[~own],
            classes=evaluation.classes,
            groups=evaluation.groups[~own],
        )
        model = ConformalClassifier(
            FrozenEstimator(_Given(others)), alpha=0.2, per_movement=per_movement
        ).fit(others.probabilities, others.y_true, groups=others.groups)
        np.testing.assert_array_equal(
            model.predict_set(evaluation.probabilities[own]), sets[own]
        )


class _Given(GaussianNB):
    """A classifier whose samples are probabilities."""

    def __init__(self, evaluation=None):
        self.evaluation = evaluation
        self.classes_ = None if evaluation is None else evaluation.classes

    def predict_proba(self, X):
        return X


def test_sets_per_movement(evaluation):
    table = evaluation.sets_per_movement(0.2)
    assert table.index.tolist() == ["Baroque", "Cubism", "Rococo", "all"]
    sets = evaluation.prediction_sets(0.2)
    frame = pd.DataFrame(
        {
            "covered": sets[
                np.arange(360), np.searchsorted(evaluation.classes, evaluation.y_true)
            ],
            "size": sets.sum(axis=1),
            "artist": evaluation.groups,
            "movement": evaluation.y_true,
        }
    )
    for name in ("covered", "size"):
        means = frame.groupby(["movement", "artist"])[name].mean()
        expected = means.groupby("movement").mean()
        assert table[name][:3].to_list() == pytest.approx(expected.to_list())
        assert table.loc["all", name] == pytest.approx(means.mean())
    assert table["paintings"].tolist() == [120, 120, 120, 360]
    assert table.loc["all", "covered"] == pytest.approx(0.8, abs=0.02)
    random = evaluation.prediction_sets(0.2, random_folds=True)
    assert table.loc["all", "random_size"] == pytest.approx(random.sum(axis=1).mean())
    # Artists are recognised: with random folds, probabilities are too good.
    assert table.loc["all", "random_covered"] < table.loc["all", "covered"] - 0.05
    alone = evaluation.random_folds.sets_per_movement(0.2)
    assert alone.columns.tolist() == ["paintings", "covered", "size"]


def test_movement_without_paintings_has_no_share():
    evaluation = Evaluation(
        list("ab" * 10), probabilities=np.full((20, 3), 1 / 3), classes=list("abc")
    )
    table = evaluation.sets_per_movement()
    assert table.loc["c", "paintings"] == 0
    assert table.loc["c", ["covered", "size"]].isna().all()


@pytest.mark.slow
def test_sets_cover_new_painters_of_drawn_paintings(tmp_path):
    """Within 2 points of the promise, the mean of 20 splits; random folds miss it."""
    paintings = load_image_folder(
        make_paintings(
            tmp_path / "paintings",
            n_artists=12,
            n_per_artist=6,
            size_range=(96, 160),
            random_state=0,
            verbose=False,
        )
    )
    pipe = make_transfer_pipeline(backbone="EfficientNetLite0", verbose=0)
    X = pipe[:-1].fit_transform(paintings.paths)
    y, artists = paintings.labels, paintings.artists
    classifier = make_pipeline(PCA(20, random_state=0), GaussianNB())
    covered = {"apart": [], "random": []}
    splitter = GroupShuffleSplit(20, test_size=0.4, random_state=0)
    for train, test in splitter.split(X, y, artists):
        for name, groups in {"apart": artists[train], "random": None}.items():
            # Without empty sets, at least those of all correct predictions would hold
            # the movement.
            model = ConformalClassifier(classifier, alpha=0.1, allow_empty=True)
            model.fit(X[train], y[train], groups=groups)
            sets = model.predict_set(X[test])
            covered[name].append(share_covered(sets, model.classes_, y[test]))
    assert np.mean(covered["apart"]) == pytest.approx(0.9, abs=0.02)
    assert np.mean(covered["random"]) < 0.85
