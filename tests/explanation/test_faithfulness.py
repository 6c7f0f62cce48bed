"""Heat is where the movement is, and deleting the hottest places changes decisions."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import (
    DenseHeadClassifier,
    FeatureExtractor,
    HandcraftedFeatures,
    make_transfer_pipeline,
)
from skart.explanation import grad_cam, occlusion, perturbation_curves


@pytest.fixture(scope="module")
def trained(located):
    """A transfer pipeline, and six pictures that it was not trained on, with masks."""
    X, y, masks = located
    pipe = make_transfer_pipeline(
        backbone="EfficientNetLite0",
        layer="style",
        epochs=60,
        random_state=0,
        verbose=False,
    ).fit(list(X[:60]), y[:60])
    test = np.flatnonzero(y[60:] != "plain") + 60
    assert (pipe.predict(list(X[test])) == y[test]).all()
    return pipe, X[test], masks[test]


@pytest.mark.parametrize("method", [grad_cam, occlusion])
def test_heat_is_where_the_movement_is(method, trained):
    pipe, X, masks = trained
    heat = np.maximum(method(pipe, list(X), verbose=False).heat, 0)
    # A quarter of the area.
    assert heat[masks].sum() > 0.8 * heat.sum()
