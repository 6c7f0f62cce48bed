import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    RandomizedSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
)

from skart import FeatureStore, head_search_space, make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """Thirty-six drawn paintings of three movements; read only."""
    root = make_paintings(
        tmp_path_factory.mktemp("paintings"),
        movements=["Neoplasticism", "Op Art", "Pointillism"],
        n_artists=3,
        n_per_artist=4,
        size_range=(150, 300),
        verbose=False,
    )
    return load_image_folder(root)


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    return make_transfer_pipeline(
        size=128,
        layer="mixed0",
        weights=None,
        scale=True,
        cache=tmp_path_factory.mktemp("features"),
        verbose=False,
        units=64,
        dropout=0.2,
        epochs=20,
        random_state=0,
    )


@pytest.mark.parametrize("convert", [list, np.array, pd.Series])
@pytest.mark.parametrize("integers", [False, True])
def test_fit_and_predict_on_paths(pipe, paintings, convert, integers):
    labels = paintings.labels
    if integers:
        labels = np.unique(labels, return_inverse=True)[1]
    pipe.fit(convert(paintings.paths), convert(labels))
    assert pipe.score(convert(paintings.paths), labels) > 0.8
    again = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(
        again.predict_proba(paintings.paths), pipe.predict_proba(paintings.paths)
    )


def test_folds_with_artists_apart(pipe, paintings):
    scores = cross_val_score(
        pipe,
        paintings.paths,
        paintings.labels,
        groups=paintings.artists,
        cv=StratifiedGroupKFold(3),
    )
    assert scores.mean() > 0.6  # chance is 0.33


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_search(pipe, paintings, n_jobs):
    search = RandomizedSearchCV(
        pipe,
        head_search_space() | {"head__units": [16, 32]},
        n_iter=2,
        cv=StratifiedGroupKFold(2),
        n_jobs=n_jobs,
        random_state=0,
    ).fit(paintings.paths, paintings.labels, groups=paintings.artists)
    assert set(search.best_params_) == set(head_search_space())
    info = FeatureStore(pipe["features"].cache).info()
    assert info["arrays"] == info["writes"] == 36


def test_stacking_and_calibration_over_paths(pipe, paintings):
    linear = make_transfer_pipeline(
        size=128,
        layer="mixed0",
        weights=None,
        scale=True,
        cache=pipe["features"].cache,
        verbose=False,
    ).set_params(head=LogisticRegression())
    stack = StackingClassifier([("dense", pipe), ("linear", linear)], cv=2)
    assert (
        stack.fit(paintings.paths, paintings.labels).score(
            paintings.paths, paintings.labels
        )
        > 0.8
    )
    calibrated = CalibratedClassifierCV(pipe, cv=2).fit(
        paintings.paths, paintings.labels
    )
    assert calibrated.predict_proba(paintings.paths).shape == (36, 3)


def test_real_weights_and_paintings(inception_weights, tmp_path):
    import os

    folder = os.environ.get("SKART_PAINTINGS")
    if not folder:
        pytest.skip("SKART_PAINTINGS names no folder of real paintings")
    real = load_image_folder(folder)
    pipe = make_transfer_pipeline(
        weights=inception_weights,
        cache=tmp_path,
        verbose=False,
        units=64,
        random_state=0,
    )
    pipe.fit(real.paths, real.labels)
    again = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(again.predict(real.paths), pipe.predict(real.paths))
    assert FeatureStore(tmp_path).info()["writes"] == 29
