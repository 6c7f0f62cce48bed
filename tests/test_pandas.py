"""Frames of pandas keep their index through all transformers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import FeatureExtractor, HandcraftedFeatures, ImageLoader


def pipeline(kind, cache=None):
    features = HandcraftedFeatures("luminance", cache=cache, verbose=False)
    if kind == "network":
        features = FeatureExtractor(
            "MobileNetV2", weights=None, layer="Conv1", cache=cache, verbose=False
        )
    return make_pipeline(ImageLoader(32), features)


@pytest.fixture
def frame(image_paths):
    table = pd.DataFrame({"path": image_paths, "year": range(len(image_paths))})
    return table.sample(frac=1, random_state=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["network", "hand-crafted"])
@pytest.mark.parametrize("with_cache", [True, False])
@pytest.mark.parametrize("column", ["path", ["path"]])
def test_features_of_a_shuffled_frame(frame, tmp_path, kind, with_cache, column):
    cache = tmp_path if with_cache else None
    expected = pipeline(kind, cache).fit_transform(frame["path"])
    columns = ColumnTransformer(
        [("image", pipeline(kind, cache), column), ("n", "passthrough", ["year"])]
    ).set_output(transform="pandas")
    found = columns.fit_transform(frame)
    assert found.index.equals(frame.index)
    np.testing.assert_array_equal(found["n__year"], frame["year"])
    np.testing.assert_array_equal(found.drop(columns="n__year"), expected)


@pytest.mark.slow
def test_union_has_the_rows_of_the_frame(frame):
    union = FeatureUnion([(kind, pipeline(kind)) for kind in ("network", "hand-made")])
    union.set_output(transform="pandas")
    found = union.fit_transform(frame["path"])
    assert found.index.equals(frame.index) and found.notna().all(axis=None)
    part = union.transform(frame["path"].iloc[[3, 1]])
    assert part.index.tolist() == frame.index[[3, 1]].tolist()
    np.testing.assert_allclose(part, found.loc[part.index], rtol=1e-4, atol=1e-5)


def test_folds_of_a_frame(frame):
    columns = ColumnTransformer(
        [
            ("image", pipeline("hand-crafted"), "path"),
            ("year", StandardScaler(), ["year"]),
        ]
    ).set_output(transform="pandas")
    model = make_pipeline(columns, LogisticRegression())
    y = frame["year"] % 2
    found = cross_val_predict(model, frame, y, cv=2)
    plain = make_pipeline(ColumnTransformer(columns.transformers), LogisticRegression())
    np.testing.assert_array_equal(found, cross_val_predict(plain, frame, y, cv=2))


def test_one_column_of_two_dimensions(frame):
    pipe = make_pipeline(pipeline("hand-crafted"), LogisticRegression())
    y = frame["year"] % 2
    expected = pipe.fit(frame["path"], y).predict_proba(frame["path"])
    for X in (frame[["path"]], frame[["path"]].to_numpy()):
        np.testing.assert_array_equal(pipe.fit(X, y).predict_proba(X), expected)
    bagging = BaggingClassifier(pipe, n_estimators=2, random_state=0)
    X = frame[["path"]].to_numpy()
    assert bagging.fit(X, y).predict_proba(X).shape == (len(X), 2)
    with pytest.raises(ValueError, match="one column of images; got shape .*, 2"):
        pipe.fit(frame, y)
