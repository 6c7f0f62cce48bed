"""Folds of `evaluate`, and predictions in them."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    LeaveOneGroupOut,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skart.evaluation import Evaluation, evaluate
from skart.model_selection import ArtistKFold


def test_few_artists_are_kept_apart_in_fewer_folds():
    y = np.repeat(["Cubism", "Rococo"], 30)
    artists = np.r_[np.arange(30) % 10, 10 + np.arange(30) % 2]
    X = np.random.default_rng(0).normal(size=(60, 2))
    evaluation = evaluate(GaussianNB(), X, y, groups=artists, random_folds=False)
    assert evaluation.artists_apart and len(evaluation.tested) == 60
    for fold in np.unique(evaluation.folds):
        assert set(y[evaluation.folds != fold]) == {"Cubism", "Rococo"}


def test_probability_is_zero_for_a_movement_absent_from_training():
    X, y = np.arange(12.0)[:, None], np.repeat(["a", "b", "c"], 4)
    folds = [(np.arange(8), np.arange(8, 12)), (np.arange(8, 12), np.arange(8))]
    with pytest.warns(UserWarning, match="without paintings of a, b, c"):
        evaluation = evaluate(DummyClassifier(), X, y, cv=folds)
    assert evaluation.probabilities[0].tolist() == [0, 0, 1]
    assert evaluation.probabilities[11].tolist() == [0.5, 0.5, 0]


def test_tested_artists_are_not_trained_on():
    # Artist 0 has also painted all paintings of a movement that is not tested.
    y = np.repeat(["Cubism", "Fauvism", "Rococo"], [30, 30, 6])
    artists = np.r_[np.arange(30) % 5, 5 + np.arange(30) % 5, np.zeros(6, int)]
    X = np.arange(66)[:, np.newaxis]
    trained_on = []

    class Recorder(DummyClassifier):
        def fit(self, X, y):
            trained_on.append(X.ravel())
            return super().fit(X, y)

    with pytest.warns(UserWarning, match="Rococo can't be tested"):
        evaluation = evaluate(Recorder(), X, y, groups=artists, random_folds=False)
    for fold, train in enumerate(trained_on):
        tested = evaluation.groups[evaluation.folds == fold]
        assert not set(artists[train]) & set(tested)


@pytest.mark.parametrize("scoring", ["roc_auc_ovr", ["roc_auc_ovr", "f1_weighted"]])
def test_score_that_needs_each_movement_is_nan_in_folds_without_one(scoring):
    y = np.repeat(["Cubism", "Fauvism", "Rococo"], [40, 40, 10])
    artists = np.r_[np.arange(40) % 8, 8 + np.arange(40) % 8, 16 + np.arange(10) % 2]
    X = np.random.default_rng(0).normal(size=(90, 2))
    told = (
        "'roc_auc_ovr' can't be computed in 2 of 4 folds, and is nan there: ValueError:"
        " Number of classes.*These hold no paintings of Rococo: pass fewer folds as cv"
    )
    with pytest.warns(UserWarning, match=told) as caught:
        evaluation = evaluate(GaussianNB(), X, y, groups=artists, cv=4, scoring=scoring)
    assert len(caught) == 1 and caught[0].filename == __file__
    scores = evaluation.fold_scores
    assert scores["roc_auc_ovr"].isna().sum() == 2
    assert scores["roc_auc_ovr"].dtype == float
    if len(scores.columns) > 1:
        assert scores["f1_weighted"].notna().all()
    assert evaluation.random_folds.fold_scores["roc_auc_ovr"].notna().all()


def test_scores_that_fail_elsewhere():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    n_calls = itertools.count()

    def score(estimator, X, y):
        if next(n_calls) == 1:
            raise KeyError("first line\nsecond line")
        return {"a": 0.5, "b": 1}

    told = "score '[ab]' can't .* in 1 of 4 folds, .*there: KeyError: .* Leave it"
    with pytest.warns(UserWarning, match=told) as caught:
        evaluation = evaluate(GaussianNB(), X, y, cv=4, scoring=score)
    assert len(caught) == 2
    assert evaluation.fold_scores.isna().sum().to_dict() == {"a": 1, "b": 1}
    for scoring in (lambda *_: 1 / 0, {"broken": lambda *_: 1 / 0}):
        with pytest.raises(ValueError, match="can't be computed: ZeroDivisionError: "):
            evaluate(GaussianNB(), X, y, cv=4, scoring=scoring)


def test_names_of_unknown_artists_that_are_shared_warn_once():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    artists = np.array([f"artist {i // 2}" for i in range(40)], object)
    artists[:3], artists[3:5], artists[5] = "Unknown", "anon.", "anonymous"
    shared = r"'Unknown' \(3 times\), 'anon.' \(2 times\)\. Give each of these"
    with pytest.warns(UserWarning, match=shared) as caught:
        evaluation = evaluate(GaussianNB(), X, y, groups=artists)
    assert len(caught) == 1 and caught[0].filename == __file__
    with pytest.warns(UserWarning, match=shared) as caught:
        Evaluation(y, y_pred=y, groups=artists)
    assert len(caught) == 1 and caught[0].filename == __file__
    # The names that loaders give are of one painting each, also if it is listed twice.
    artists[:5] = "unknown artist of a.jpg"
    assert evaluate(GaussianNB(), X, y, groups=artists).groups is not None
    assert evaluation.random_folds is not None


def test_predictions_are_those_of_predict():
    X, y = np.random.default_rng(0).normal(size=(80, 2)), np.arange(80) % 2
    model = FixedThresholdClassifier(
        GaussianNB(), threshold=0.9, response_method="predict_proba"
    )
    evaluation = evaluate(model, X, y, scoring="accuracy")
    assert (evaluation.y_pred == 0).mean() > 0.9
    assert evaluation.metrics["accuracy"] == evaluation.fold_scores["accuracy"].mean()
    rows = np.arange(80)
    np.testing.assert_array_equal(
        evaluation.confidence, evaluation.probabilities[rows, evaluation.y_pred]
    )


def test_splitter_receives_the_paths():
    paths = [f"{i}.jpg" for i in range(40)]
    X = pd.Series(paths)
    y = np.arange(40) % 2
    artists = {path: f"artist {i % 8}" for i, path in enumerate(paths)}
    model = make_pipeline(
        FunctionTransformer(lambda X: np.zeros((len(X), 1))), DummyClassifier()
    )
    evaluation = evaluate(model, X, y, cv=ArtistKFold(2, artists=artists))
    assert len(evaluation.y_pred) == 40


def test_folds_of_three_artists():
    y = np.repeat(["a", "b", "c"], 20)
    artists = np.r_[[1, 2] * 10, [2, 3] * 10, [1, 3] * 10]
    evaluation = evaluate(DummyClassifier(), np.zeros((60, 1)), y, groups=artists)
    assert evaluation.artists_apart and len(set(evaluation.folds)) == 3
    with pytest.warns(UserWarning, match="training sets without paintings of [abc]"):
        evaluate(DummyClassifier(), np.zeros((60, 1)), y, groups=artists, cv=2)


def test_as_many_folds_as_artists():
    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    evaluation = evaluate(
        GaussianNB(), X, y, groups=np.arange(60) // 2, cv=LeaveOneGroupOut()
    )
    assert len(set(evaluation.folds)) == 30
    assert len(set(evaluation.random_folds.folds)) == 30
