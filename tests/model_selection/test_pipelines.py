import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    RandomizedSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
)

from skart import (
    FeatureStore,
    make_cnn_pipeline,
    make_fine_tune_pipeline,
    make_transfer_pipeline,
)
from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import head_search_space


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """Thirty-six drawn paintings of three movements; read only."""
    root = make_paintings(
        tmp_path_factory.mktemp("paintings"),
        movements=["Neoplasticism", "Op Art", "Pointillism"],
        n_artists=3,
        n_per_artist=4,
        size_range=(64, 96),
        verbose=False,
    )
    return load_image_folder(root)


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    return make_transfer_pipeline(
        backbone="MobileNetV2",
        size=64,
        layer="expanded_conv_project",
        weights=None,
        cache=tmp_path_factory.mktemp("features"),
        verbose=False,
        units=8,
        dropout=0.2,
        epochs=2,
        random_state=0,
    )


@pytest.mark.slow
@pytest.mark.parametrize("convert", [list, np.array, pd.Series])
@pytest.mark.parametrize("integers", [False, True])
def test_fit_and_predict_on_paths(pipe, paintings, convert, integers):
    labels = paintings.labels
    if integers:
        labels = np.unique(labels, return_inverse=True)[1]
    pipe = clone(pipe).fit(convert(paintings.paths), convert(labels))
    assert pipe.classes_.tolist() == np.unique(labels).tolist()
    probabilities = pipe.predict_proba(convert(paintings.paths))
    np.testing.assert_array_equal(
        pipe.predict(convert(paintings.paths)), pipe.classes_[probabilities.argmax(1)]
    )
    again = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(again.predict_proba(paintings.paths), probabilities)


@pytest.mark.slow
def test_pipelines_learn(paintings, tmp_path):
    pipe = make_transfer_pipeline(
        size=128,
        layer="mixed0",
        weights=None,
        cache=tmp_path,
        verbose=False,
        units=64,
        dropout=0.2,
        epochs=20,
        random_state=0,
    )
    pipe.fit(paintings.paths, paintings.labels)
    assert pipe.score(paintings.paths, paintings.labels) > 0.8


@pytest.mark.slow
def test_folds_with_artists_apart(pipe, paintings):
    scores = cross_val_score(
        pipe,
        paintings.paths,
        paintings.labels,
        groups=paintings.artists,
        cv=StratifiedGroupKFold(3),
    )
    assert len(scores) == 3 and np.isfinite(scores).all()


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_search(pipe, paintings, n_jobs, tmp_path):
    pipe = clone(pipe).set_params(features__cache=tmp_path)
    search = RandomizedSearchCV(
        pipe,
        head_search_space() | {"head__units": [8, 16]},
        n_iter=2,
        cv=StratifiedGroupKFold(2),
        n_jobs=n_jobs,
        random_state=0,
    ).fit(paintings.paths, paintings.labels, groups=paintings.artists)
    assert set(search.best_params_) == set(head_search_space())
    info = FeatureStore(tmp_path).info()
    # Processes that start together may compute some paintings twice.
    assert info["arrays"] == 36 <= info["writes"] <= 36 * n_jobs


@pytest.mark.slow
def test_stacking_and_calibration_over_paths(pipe, paintings):
    linear = clone(pipe).set_params(head=LogisticRegression())
    stack = StackingClassifier([("dense", pipe), ("linear", linear)], cv=2)
    stack.fit(paintings.paths, paintings.labels)
    assert stack.predict_proba(paintings.paths).shape == (36, 3)
    assert set(stack.predict(paintings.paths)) <= set(paintings.labels)
    calibrated = CalibratedClassifierCV(linear, cv=2).fit(
        paintings.paths, paintings.labels
    )
    assert calibrated.predict_proba(paintings.paths).shape == (36, 3)


@pytest.mark.slow
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
    assert FeatureStore(tmp_path).info()["writes"] == 3 * 29  # of each layer for style


@pytest.mark.parametrize(
    ("make", "parameters", "message"),
    [
        (make_transfer_pipeline, {"poolin": "max"}, "'poolin'. Did you mean 'pooling'"),
        (
            make_transfer_pipeline,
            {"qq": 8},
            "validation_split, verbose, warm_start, we",
        ),
        (make_transfer_pipeline, {"unit": 8}, "'unit'. Did you mean 'units'"),
        (make_fine_tune_pipeline, {"siz": 8}, "'siz'. Did you mean 'size'"),
        (make_cnn_pipeline, {"cache_pixel": True}, "Did you mean 'cache_pixels'"),
    ],
)
def test_unknown_parameters_are_named(make, parameters, message):
    with pytest.raises(TypeError, match=f"{make.__name__} has no parameter.*{message}"):
        make(**parameters)


def test_fine_tune_pipeline_follows_the_backbone():
    small = make_fine_tune_pipeline(backbone="EfficientNetLite0")
    assert (small[0].size, small[1].unfreeze_from) == (224, "block14")
    inception = make_fine_tune_pipeline()
    assert (inception[0].size, inception[1].unfreeze_from) == (299, "mixed9")
    named = make_fine_tune_pipeline(backbone="EfficientNetLite0", unfreeze_from=None)
    assert named[1].unfreeze_from is None
