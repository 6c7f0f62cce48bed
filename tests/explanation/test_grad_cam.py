"""Grad-CAM of transfer, fine-tuned and CNN pipelines."""

import numpy as np
import pytest
from helpers import assert_near
from PIL import Image
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toy_backbone import CUT

from skart import (
    CNNClassifier,
    DenseHeadClassifier,
    Encoder,
    FeatureExtractor,
    FineTuneClassifier,
    HandcraftedFeatures,
    ImageLoader,
)
from skart.classifiers import CachedClassifier
from skart.evaluation import ConformalClassifier
from skart.explanation import grad_cam
from skart.networks import load_backbone, preprocess
from skart.plotting import ExplanationDisplay

pytestmark = pytest.mark.usefixtures("toy_backbone")

LABELS = np.array(["Cubism", "Rococo", "Op Art"] * 4)


@pytest.fixture(scope="module")
def images():
    """Twelve noisy images with a brighter part; read only."""
    generator = np.random.default_rng(0)
    X = generator.integers(0, 120, (12, 32, 48, 3), np.uint8)
    for row, image in enumerate(X):
        image[:16, 16 * (row % 3) : 16 * (row % 3) + 16] += 120
    return X


def make_head(**parameters):
    defaults = {"units": 16, "dropout": 0.2, "epochs": 10, "random_state": 0}
    return DenseHeadClassifier(**(defaults | parameters))


def make_transfer(images, **parameters):
    features = FeatureExtractor("ToyNet", weights=None, verbose=False, **parameters)
    return make_pipeline(features, make_head()).fit(images, LABELS)


def log_odds(probabilities):
    p = probabilities.astype(float)
    return np.log(p / (p.sum(axis=1, keepdims=True) - p))


@pytest.mark.slow
def test_heat_is_a_derivative_of_the_log_odds(images):
    pipe = make_transfer(images)
    found = grad_cam(pipe, images[:2], movements="Rococo")
    network = load_backbone(
        "ToyNet", input_shape=(32, 48, 3), weights=None, pooling=None
    )
    for image, heat in zip(images, found.heat, strict=False):
        (maps,) = network.predict_on_batch(preprocess("ToyNet", image[None]))
        features = maps.mean(axis=(0, 1))
        steps = 1e-3 * np.eye(len(features), dtype=np.float32)
        column = list(pipe.classes_).index("Rococo")
        up, down = (
            log_odds(pipe[-1].predict_proba(features + x))[:, column]
            for x in (steps, -steps)
        )
        expected = (maps - features) @ ((up - down) / 2e-3)
        expected = Image.fromarray(expected.astype(np.float32))
        expected = np.asarray(expected.resize((48, 32), Image.Resampling.BILINEAR))
        np.testing.assert_allclose(heat, expected, atol=0.02 * np.abs(expected).max())
    assert found.movements.tolist() == ["Rococo"] * 2
    assert_near(found.probabilities, pipe.predict_proba(images[:2]))


@pytest.mark.slow
def test_heat_of_layers_is_added(images):
    pipe = make_transfer(images, layer=["relu1", "relu3"], pooling=["avg", "max"])
    both = grad_cam(pipe, images)
    alone = [grad_cam(pipe, images, layer=layer).heat for layer in ("relu1", "relu3")]
    assert np.abs(alone).max(axis=(1, 2, 3)).min() > 0
    np.testing.assert_allclose(both.heat, sum(alone), atol=1e-4)
    assert both.movements.tolist() == pipe.predict(images).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["max", "std", "gram"])
def test_every_pooling_has_heat(pooling, images):
    heat = grad_cam(make_transfer(images, pooling=pooling), images).heat
    assert heat.dtype == np.float32 and np.isfinite(heat).all()
    assert (heat.max(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize("crop_pooling", ["mean", "max"])
def test_heat_of_mirror_images_is_mirrored(crop_pooling, images):
    pipe = make_transfer(
        images, crops=5, crop_size=24, horizontal_flip=True, crop_pooling=crop_pooling
    )
    found, mirrored = (grad_cam(pipe, X) for X in (images, images[:, :, ::-1]))
    assert_near(found.probabilities, mirrored.probabilities)
    scale = np.abs(found.heat).max()
    np.testing.assert_allclose(found.heat, mirrored.heat[:, :, ::-1], atol=1e-3 * scale)


def test_heat_lies_inside_the_crop(images):
    pipe = make_transfer(images, crops=1, crop_size=16, crop_pooling="concat")
    heat = grad_cam(pipe, images).heat
    inside = np.zeros(heat.shape[1:], bool)
    inside[8:24, 16:32] = True
    assert (heat[:, ~inside] == 0).all() and (heat[:, inside] != 0).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cut", "views"), [(CUT, ["horizontal_flip"]), (None, None), ("input", None)]
)
def test_fine_tuned_networks(cut, views, images, tmp_path):
    model = FineTuneClassifier(
        make_head(),
        backbone="ToyNet",
        weights=None,
        unfreeze_from=cut,
        test_time_augmentation=views,
        epochs=1,
        cache=tmp_path,
        random_state=0,
        compile__run_eagerly=True,
    )
    pipe = make_pipeline(model).fit(images, LABELS)
    found = grad_cam(pipe, images)
    assert_near(found.probabilities, pipe.predict_proba(images))
    assert (found.heat.max(axis=(1, 2)) > 0).all()
    if views:
        mirrored = grad_cam(pipe, images[:, :, ::-1]).heat[:, :, ::-1]
        scale = np.abs(mirrored).max()
        np.testing.assert_allclose(found.heat, mirrored, atol=1e-3 * scale)
    if cut == CUT:
        last = grad_cam(pipe, images, layer="relu4").heat
        np.testing.assert_array_equal(found.heat, last)
        assert not np.array_equal(grad_cam(pipe, images, layer="conv4").heat, last)


@pytest.mark.slow
def test_networks_from_scratch(images):
    model = CNNClassifier("vgg_lite", epochs=1, random_state=0)
    pipe = make_pipeline(model).fit(images, LABELS)
    found = grad_cam(pipe, images)
    assert found.heat.shape == images.shape[:3]
    assert_near(found.probabilities, pipe.predict_proba(images))
    with pytest.raises(ValueError, match="layer must name layers with maps; got 'x'"):
        grad_cam(pipe, images, layer="x")


@pytest.mark.slow
def test_the_pipeline_in_a_wrapper_is_explained(images, tmp_path):
    frozen = FrozenEstimator(make_transfer(images))
    conformal = ConformalClassifier(frozen, alpha=0.3).fit(images, LABELS)
    expected = grad_cam(frozen.estimator, images[:2])
    found = grad_cam(conformal, images[:2])
    np.testing.assert_array_equal(found.heat, expected.heat)
    pipe = clone(frozen.estimator).set_params(denseheadclassifier__epochs=1)
    cached = CachedClassifier(pipe, memory=tmp_path)
    grid = {"estimator__denseheadclassifier__units": [4]}
    search = GridSearchCV(cached, grid, cv=2).fit(images, LABELS)
    display = ExplanationDisplay.from_estimator(search, images[:2])  # by "auto"
    expected = grad_cam(search.best_estimator_.estimator_, images[:2])
    np.testing.assert_array_equal(display.heat, expected.heat)


@pytest.mark.slow
def test_others_are_pointed_to_occlusion(images):
    def explain(*steps):
        grad_cam(make_pipeline(*steps).fit(images, LABELS), images)

    features = FeatureExtractor("ToyNet", weights=None, verbose=False)
    with pytest.raises(TypeError, match="its head is a LogisticRegression. Use occl"):
        explain(features, LogisticRegression())
    with pytest.raises(TypeError, match="its steps are FeatureExtractor, StandardSc"):
        explain(features, StandardScaler(), make_head())
    with pytest.raises(TypeError, match="its steps are HandcraftedFeatures"):
        explain(HandcraftedFeatures("hsv", verbose=False), make_head())
    encoder = Encoder(lambda x: x.mean(axis=(1, 2)).astype(np.float32), name="colour")
    with pytest.raises(TypeError, match="its network is the encoder 'colour'"):
        explain(FeatureExtractor(encoder, verbose=False), make_head())
    with pytest.raises(TypeError, match="it is no Pipeline but a DenseHeadClassifier"):
        grad_cam(make_head().fit(np.eye(12), LABELS), images)


@pytest.mark.slow
def test_wrong_movements_and_layers(images):
    pipe = make_transfer(images)
    with pytest.raises(
        ValueError, match="'Rokoko', which the model does not know. Did"
    ):
        grad_cam(pipe, images, movements="Rokoko")
    numbers = clone(pipe).set_params(denseheadclassifier__epochs=1)
    numbers.fit(images, np.arange(12) % 3)
    with pytest.raises(ValueError, match="holds '1', .* Did you mean 1 of type int"):
        grad_cam(numbers, images, movements="1")
    with pytest.raises(ValueError, match="one for each of 12 images; got 2"):
        grad_cam(pipe, images, movements=["Rococo", "Cubism"])
    with pytest.raises(ValueError, match="layers of the FeatureExtractor; got 'relu1'"):
        grad_cam(pipe, images, layer="relu1")


@pytest.mark.slow
def test_paths_and_batches(image_paths):
    labels = ["a", "b"] * 6
    features = FeatureExtractor("ToyNet", weights=None, verbose=False)
    pipe = make_pipeline(ImageLoader(32), features, make_head())
    pipe.fit(image_paths, labels)
    whole = grad_cam(pipe, image_paths, movements=labels)
    parts = grad_cam(pipe, image_paths, movements=labels, batch_size=5)
    np.testing.assert_array_equal(whole.images, pipe[0].transform(image_paths))
    np.testing.assert_allclose(whole.heat, parts.heat, atol=1e-5)
    assert parts.movements.tolist() == labels
