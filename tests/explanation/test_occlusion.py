"""Occlusion of any classifier."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skart import (
    DenseHeadClassifier,
    Encoder,
    FeatureExtractor,
    FeatureStore,
    FineTuneClassifier,
    HandcraftedFeatures,
    ImageLoader,
    make_stacked_classifier,
)
from skart.explanation import occlusion

LABELS = ["Cubism", "Rococo"] * 6


class Corner(ClassifierMixin, BaseEstimator):
    """The probability of "bright" is the brightness of the upper left quarter."""

    seen = []  # numbers of images

    def fit(self, X=None, y=None):
        self.classes_ = np.array(["bright", "dark"])
        self.seen.clear()
        return self

    def predict_proba(self, X):
        self.seen.append(len(X))
        height, width = X.shape[1] // 2, X.shape[2] // 2
        bright = X[:, :height, :width].mean(axis=(1, 2, 3)) / 255
        return np.stack([bright, 1 - bright], axis=1)


@pytest.fixture
def spot():
    """An image that is bright in its upper left quarter."""
    image = np.zeros((1, 64, 64, 3), np.uint8)
    image[:, :32, :32] = 255
    return image


def test_drop_is_shared_by_change_and_distance_to_the_middle():
    model, image = Corner().fit(), np.full((1, 32, 32, 3), 128, np.uint8)
    image[0, 4:8, 4:10] = 255
    image[0, 4:8, 8:10] = 178
    options = {"patch_size": 0.5, "stride": 1, "fill": "grey"}
    found = occlusion(model, image, **options)
    # One of the four patches covers the spot, the others change nothing.
    assert model.seen == [1, 1]
    drop = found.probabilities[0, 0] - 128 / 255
    assert found.movements.tolist() == ["bright"] and drop > 0.01
    tent = 1 - np.abs(np.arange(16) - 7.5) / 8
    shares = np.outer(tent, tent) * np.abs(image[0, :16, :16, 0] - 128.0)
    expected = np.zeros((32, 32))
    expected[:16, :16] = shares / shares.sum() * drop / 4 * 32**2
    np.testing.assert_allclose(found.heat[0], expected, rtol=1e-4)
    against = occlusion(model, image, movements="dark", **options)
    np.testing.assert_allclose(against.heat, -found.heat, atol=1e-5)


@pytest.mark.parametrize(("fill", "colour"), [("mean", 64), ("grey", 128)])
def test_mean_of_the_heat_is_the_mean_drop(spot, fill, colour):
    model = Corner().fit()
    found = occlusion(model, spot, patch_size=0.5, stride=1, fill=fill)
    # Of the four patches, only the first covers what the model sees.
    assert found.heat.mean() == pytest.approx((1 - colour / 255) / 4, rel=1e-4)
    assert (found.heat[0, 32:] == 0).all() and (found.heat[0, :, 32:] == 0).all()


def test_heat_of_several_sizes_is_averaged(spot):
    model = Corner().fit()
    sizes = (0.25, 0.5)
    alone = [occlusion(model, spot, patch_size=size).heat for size in sizes]
    found = occlusion(model, spot)
    np.testing.assert_allclose(found.heat, np.mean(alone, axis=0), atol=1e-6)
    assert found.heat.shape == (1, 64, 64) and found.heat.dtype == np.float32
    # 64 and 16 patches; plain ones are not predicted.
    model.seen.clear()
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    occlusion(model, noise)
    assert sum(model.seen) == 1 + 64 + 16
    wide = occlusion(model, np.concatenate([spot, spot], axis=2))
    assert wide.heat.shape == (1, 64, 128)


def test_nothing_is_predicted_twice(spot):
    model, plain = Corner().fit(), np.full((1, 64, 64, 3), 99, np.uint8)
    occlusion(model, plain)
    assert model.seen == [1]  # no patch changes it
    model.seen.clear()
    once = occlusion(model, spot)
    n_once = sum(model.seen)
    model.seen.clear()
    images = np.concatenate([spot, plain, spot])
    found = occlusion(model, images, batch_size=16)
    assert sum(model.seen) == n_once + 1 and max(model.seen) <= 16
    np.testing.assert_array_equal(found.heat[[0, 2]], once.heat[[0, 0]])
    assert (found.heat[1] == 0).all()
    both = occlusion(model, spot[[0, 0]], movements=["bright", "dark"])
    np.testing.assert_allclose(both.heat[0], -both.heat[1], atol=1e-6)


def encode(images):
    return images[:, ::8, ::8].reshape(len(images), -1).astype(np.float32)


def make_estimators(cache):
    def make(features, size=32):
        return make_pipeline(
            ImageLoader(size, cache_pixels=True), features, LogisticRegression()
        )

    encoder = FeatureExtractor(Encoder(encode, name="rows"), cache=cache)
    return {
        "handcrafted": make(HandcraftedFeatures("hsv", cache=cache)),
        "encoder": make(encoder),
        "search": GridSearchCV(
            make(encoder), {"logisticregression__C": [0.1, 1]}, cv=2
        ),
        "network": make_pipeline(
            ImageLoader(32),
            FeatureExtractor(
                "ToyNet", weights=None, crops=5, crop_size=24, cache=cache
            ),
            DenseHeadClassifier(units=4, epochs=1, random_state=0),
        ),
        "fine-tuned": make_pipeline(
            ImageLoader(32),
            FineTuneClassifier(
                DenseHeadClassifier(units=4, epochs=1),
                backbone="ToyNet",
                weights=None,
                unfreeze_from="relu3",
                epochs=1,
                cache=cache,
                compile__run_eagerly=True,
            ),
        ),
        "stack": make_stacked_classifier(
            backbone="ToyNet",
            weights=None,
            layers=["relu1", "relu3"],
            descriptors=["hsv"],
            size=32,
            cv=2,
            cache=cache,
        ),
    }


@pytest.mark.slow
@pytest.mark.usefixtures("toy_backbone")
@pytest.mark.parametrize(
    "name", ["handcrafted", "encoder", "search", "network", "fine-tuned", "stack"]
)
def test_estimators_are_explained_and_their_stores_left_alone(
    name, image_paths, tmp_path
):
    estimator = make_estimators(tmp_path / "cache")[name].fit(image_paths, LABELS)
    expected = estimator.predict_proba(image_paths[:3])
    stored = FeatureStore(tmp_path / "cache").info()
    found = occlusion(estimator, image_paths[:3], patch_size=0.5, verbose=False)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-4)
    assert found.images.shape == (3, 32, 32, 3)
    assert np.abs(found.heat).max() > 0
    assert FeatureStore(tmp_path / "cache").info() == stored
    again = estimator.predict_proba(image_paths[:3])
    np.testing.assert_array_equal(again, expected)


def test_wrong_input(spot, image_paths):
    with pytest.raises(TypeError, match="a LinearSVC that predicts no probabilities"):
        occlusion(LinearSVC(), spot)
    model = Corner().fit()
    with pytest.raises(ValueError, match="movements holds 'brite'"):
        occlusion(model, spot, movements="brite")
    for patch_size in (0, 1.5, [0.5, 2], "x", []):
        with pytest.raises(ValueError, match="'patch_size' parameter of occlusion"):
            occlusion(model, spot, patch_size=patch_size)
    with pytest.raises(ValueError, match="'fill' .* Did you mean 'blur'"):
        occlusion(model, spot, fill="blurr")
    with pytest.raises(ValueError, match="put ImageLoader"):
        occlusion(model, image_paths)
