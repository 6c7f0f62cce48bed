"""Searches and cross-validations with scikit-learn's metadata routing enabled."""

import numpy as np
import pytest
import sklearn
from helpers import head
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    RandomizedSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skart import (
    CNNClassifier,
    FeatureExtractor,
    FineTuneClassifier,
    ImageLoader,
    load_model,
    make_head_search,
    save_model,
)
from skart.evaluation import evaluate
from skart.model_selection import ArtistKFold, StackedClassifier, head_search_space


@pytest.fixture(autouse=True)
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def pipe(toy_backbone, tmp_path):
    features = FeatureExtractor(
        toy_backbone, weights=None, cache=tmp_path, verbose=False
    )
    steps = [("load", ImageLoader(size=32)), ("features", features)]
    return Pipeline([*steps, ("head", head(units=4, epochs=1))])


@pytest.mark.slow
def test_search_and_cross_validation_keep_artists_apart(paintings, pipe):
    X, y, artists = paintings.paths, paintings.labels, paintings.artists
    folds = StratifiedGroupKFold(3)
    scores = cross_val_score(pipe, X, y, params={"groups": artists}, cv=folds)
    with sklearn.config_context(enable_metadata_routing=False):
        expected = cross_val_score(pipe, X, y, groups=artists, cv=folds)
    np.testing.assert_array_equal(scores, expected)
    search = RandomizedSearchCV(
        pipe, head_search_space(), n_iter=2, cv=folds, error_score="raise"
    )
    evaluation = evaluate(
        search.fit(X, y, groups=artists),
        X,
        y,
        groups=artists,
        cv=2,
        params={"groups": artists},
    )
    assert evaluation.artists_apart


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["layers", "style"])
def test_head_search(paintings, pipe, toy_backbone, tmp_path, preset):
    search = make_head_search(
        preset,
        backbone=toy_backbone,
        layers=["relu1", "relu3"],
        weights=None,
        size=32,
        cache=tmp_path,
        n_iter=6,  # heads that take groups, and others
        cv=StratifiedGroupKFold(2),
        random_state=0,
        units=4,
        epochs=1,
        verbose=False,
    ).set_params(error_score="raise")
    search.fit(paintings.paths, paintings.labels, groups=paintings.artists)
    kinds = {type(head).__name__ for head in search.cv_results_["param_head"]}
    # Linear heads are pipelines, since they don't standardize.
    assert ("Pipeline" in kinds) == (preset == "style")


@pytest.mark.slow
def test_stack(paintings, pipe):
    X, y, artists = paintings.paths, paintings.labels, paintings.artists
    folds = ArtistKFold(2, artists=dict(zip(X, artists, strict=True)))
    linear = sklearn.clone(pipe).set_params(head=LogisticRegression())
    stack = StackedClassifier(
        [("dense", pipe), ("linear", linear), ("none", "drop")], cv=folds
    )
    scores = cross_val_score(
        stack,
        X,
        y,
        params={"groups": artists},
        cv=StratifiedGroupKFold(2),
        error_score="raise",
    )
    assert len(scores) == 2
    calibrated = CalibratedClassifierCV(pipe, cv=ArtistKFold(2))
    assert calibrated.fit(X, y, groups=artists).predict_proba(X).shape == (36, 3)


def test_groups_of_the_folds_are_those_of_the_validation_split(blobs):
    X, y = blobs
    artists = np.repeat(np.arange(24), 5)
    pipe = Pipeline([("scale", StandardScaler()), ("head", head(epochs=2))])
    pipe.set_params(head__validation_split=0.25)
    routed = pipe.fit(X, y, groups=artists)["head"].history_
    alone = pipe.fit(X, y)["head"].history_
    with sklearn.config_context(enable_metadata_routing=False):
        expected = pipe.fit(X, y, head__groups=artists)["head"].history_
    assert routed == expected != alone


def test_validation_set_needs_no_request(blobs):
    X, y = blobs
    steps = [("scale", StandardScaler()), ("head", head(epochs=1))]
    pipe = Pipeline(steps, transform_input=["X_val"]).fit(X, y, X_val=X, y_val=y)
    scaled = StandardScaler().fit_transform(X)
    by_hand = head(epochs=1).fit(scaled, y, X_val=scaled, y_val=y)
    assert pipe["head"].history_ == by_hand.history_


@pytest.mark.parametrize("kind", [CNNClassifier, FineTuneClassifier])
def test_requests_of_classifiers_of_images(kind):
    requests = kind().get_metadata_routing().fit.requests
    assert requests["groups"] is True
    assert requests["sample_weight"] is None


def test_models_with_requests_can_be_saved(blobs, tmp_path):
    X, y = blobs
    step = head(epochs=1).set_fit_request(groups=False, sample_weight=True)
    pipe = Pipeline([("scale", StandardScaler()), ("head", step)])
    pipe.fit(X, y)
    save_model(pipe, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart")
    np.testing.assert_array_equal(loaded.predict_proba(X), pipe.predict_proba(X))
    assert pipe["head"].get_metadata_routing().fit.requests["sample_weight"]
