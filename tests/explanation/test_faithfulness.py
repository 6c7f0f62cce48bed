"""Heat is where the movement is, and deleting the hottest places changes decisions."""

import copy

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import HandcraftedFeatures, make_transfer_pipeline
from skart.explanation import grad_cam, occlusion, perturbation_curves


@pytest.fixture(scope="module")
def trained(located):
    """A transfer pipeline, and 12 pictures that it was not trained on, with masks."""
    X, y, masks = located
    pipe = make_transfer_pipeline(
        backbone="EfficientNetLite0",
        layer="style",
        epochs=60,
        random_state=0,
        verbose=False,
    ).fit(list(X[:80]), y[:80])
    test = np.flatnonzero(y[80:] != "plain") + 80
    assert (pipe.predict(list(X[test])) == y[test]).all()
    return pipe, X[test], masks[test]


@pytest.mark.slow
@pytest.mark.parametrize("method", [grad_cam, occlusion])
def test_heat_is_where_the_movement_is(method, trained):
    pipe, X, masks = trained
    heat = np.maximum(method(pipe, list(X), verbose=False).heat, 0)
    # A quarter of the area.
    assert heat[masks].sum() > 0.8 * heat.sum()


@pytest.mark.slow
def test_deletion_of_the_heat_beats_chance(trained):
    pipe, X, _ = trained
    X = X[::3]
    # As coarse as heat maps are: noise in single pixels would make another picture.
    noise = np.random.default_rng(0).random((len(X), 8, 8))
    noise = noise.repeat(28, axis=1).repeat(28, axis=2)

    def curves(heat):
        return perturbation_curves(pipe, list(X), heat, n_steps=8, verbose=False)

    chance = curves(noise)
    for method in (grad_cam, occlusion):
        found = curves(method(pipe, list(X), verbose=False).heat)
        assert found.deletion.mean() < chance.deletion.mean() - 0.05


@pytest.mark.slow
def test_heat_depends_on_the_weights(trained):
    # The sanity check of Adebayo et al.: edges alone would not.
    pipe, X, _ = trained
    other = copy.deepcopy(pipe[-1])
    generator = np.random.default_rng(0)
    for layer in other.model_.layers[1:]:
        layer.set_weights(
            [generator.normal(0, x.std() + 1e-3, x.shape) for x in layer.get_weights()]
        )
    random = make_pipeline(*pipe[:-1], other)
    found = grad_cam(pipe, list(X))
    again = grad_cam(random, list(X), movements=found.movements)
    ranks = [
        spearmanr(a.ravel(), b.ravel()).statistic
        for a, b in zip(found.heat, again.heat, strict=True)
    ]
    assert np.mean(ranks) < 0.5


def test_curves_delete_and_insert_the_hottest_pixels():
    images = np.zeros((6, 32, 32, 3), np.uint8)
    images[::2, :, :16] = 250
    features = HandcraftedFeatures("hsv", verbose=False)
    pipe = make_pipeline(features, LogisticRegression()).fit(images, ["a", "b"] * 3)
    heat = np.zeros((2, 32, 32))
    heat[:, :, :16] = 1
    curves = perturbation_curves(
        pipe, images[:2], heat, movements="a", n_steps=2, fill="grey"
    )
    assert curves.shares.tolist() == [0, 0.5, 1]
    expected = np.full((3, 32, 32, 3), 128, np.uint8)
    expected[0], expected[1, :, 16:] = images[0], images[0, :, 16:]
    np.testing.assert_allclose(
        curves.deletion[0], pipe.predict_proba(expected)[:, 0], atol=1e-6
    )
    expected[1] = 128
    expected[1, :, :16] = images[0, :, :16]
    np.testing.assert_allclose(
        curves.insertion[0], pipe.predict_proba(expected[::-1])[:, 0], atol=1e-6
    )
    both = pd.Series(["a", "b"], index=[5, 6])
    found = perturbation_curves(
        pipe, images[:2], heat, movements=both, n_steps=2, fill="grey"
    )
    np.testing.assert_array_equal(found.deletion[0], curves.deletion[0])
    np.testing.assert_allclose(found.deletion[1], 1 - curves.deletion[1], atol=1e-6)
    with pytest.raises(ValueError, match="one for each of 2 images; got 1"):
        perturbation_curves(pipe, images[:2], heat, movements=["a"])
    with pytest.raises(ValueError, match="heat must have the shape"):
        perturbation_curves(pipe, images, np.zeros((6, 16, 16)))
    with pytest.raises(ValueError, match="'n_steps' parameter"):
        perturbation_curves(pipe, images[:2], heat, n_steps=0)
