"""Keras' setting of the order of channels, which skart does not change."""

import keras
import numpy as np
import pytest
from helpers import head, hybrid
from toy_backbone import CUT

from skart import FeatureExtractor, FineTuneClassifier, networks

X = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
y = np.arange(12) % 2
raises_clearly = pytest.raises(
    RuntimeError,
    match=r"image_data_format\(\) is 'channels_first', but .* Call "
    r"keras.config.set_image_data_format\('channels_last'\)",
)


@pytest.fixture
def set_format():
    yield keras.config.set_image_data_format
    keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize(
    "build",
    [
        lambda toy: networks.load_backbone(toy, weights=None),
        lambda toy: networks.preprocess("InceptionV3", X),
        lambda toy: networks.hybrid_cnn((32, 32, 3), 2),
        lambda toy: networks.vgg_lite((32, 32, 3), 2),
        lambda toy: networks.squeezenet((32, 32, 3), 2),
        lambda toy: networks.alexnet((96, 96, 3), 2),
        lambda toy: networks.make_augmentation("light"),
        lambda toy: FeatureExtractor(toy, weights=None).fit_transform(X),
        lambda toy: hybrid().fit(X, y),
        lambda toy: hybrid(network=networks.hybrid_cnn, augment="strong").fit(X, y),
        lambda toy: hybrid(
            units=None,
            network=lambda shape, n: keras.Sequential(
                [
                    keras.Input(shape),
                    keras.layers.Conv2D(4, 3),
                    keras.layers.Flatten(),
                    keras.layers.Dense(n, "softmax"),
                ]
            ),
        ).fit(X, y),
        lambda toy: FineTuneClassifier(
            backbone=toy, weights=None, unfreeze_from=CUT
        ).fit(X, y),
    ],
)
def test_channels_first_raises(set_format, toy_backbone, build):
    set_format("channels_first")
    with raises_clearly:
        build(toy_backbone)


@pytest.mark.slow
def test_networks_in_memory_do_not_compute_with_channels_first(
    set_format, toy_backbone
):
    # OpenVINO knows no such setting.
    extractor = FeatureExtractor(
        "MobileNetV2", weights=None, engine="keras", verbose=False
    ).fit(X)
    expected = extractor.transform(X[:2])
    cnn = hybrid(epochs=1, test_time_augmentation=["crops"]).fit(X, y)
    set_format("channels_first")
    with raises_clearly:
        extractor.transform(X[2:])
    with raises_clearly:
        cnn.predict(X)
    set_format("channels_last")
    np.testing.assert_array_equal(extractor.transform(X[:2]), expected)


def test_heads_compute_with_channels_first(set_format, blobs):
    expected = head(epochs=1).fit(*blobs).predict_proba(blobs[0])
    set_format("channels_first")
    found = head(epochs=1).fit(*blobs).predict_proba(blobs[0])
    np.testing.assert_array_equal(found, expected)
