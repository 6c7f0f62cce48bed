"""Layers that are recommended for style."""

import keras
import numpy as np
import pytest

from skart import FeatureExtractor
from skart.networks import load_backbone, style_layers

APPLICATIONS = sorted(x for x in vars(keras.applications) if x[0].isupper())

# Of each family, one that is quickly built.
BUILT = [
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetMobile",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "Xception",
]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_each_network_has_layers(name):
    layers = style_layers(name)
    assert layers == [None] or len(set(layers)) == len(layers) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT)
def test_layers_exist_and_have_maps_of_several_sizes(name):
    outputs = [(layer, None) for layer in style_layers(name)]
    network = load_backbone(
        name, input_shape=(224, 224, 3), weights=None, outputs=outputs
    )
    heights = [output.shape[1] for output in network.outputs]
    assert heights == sorted(heights, reverse=True)
    assert len(heights) == 1 or len(set(heights)) >= 3


@pytest.mark.slow
def test_extractor_joins_the_layers():
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    style = FeatureExtractor("EfficientNetLite0", layer="style").fit(images)
    layers = ["block4", "block7", "block10", "block14"]
    named = FeatureExtractor("EfficientNetLite0", layer=layers)
    np.testing.assert_array_equal(style.transform(images), named.transform(images))
    names = style.get_feature_names_out()
    assert len(names) == 424
    assert names[0] == "efficientnetlite0_block4_avg_0"


def test_unknown_backbone():
    with pytest.raises(ValueError, match="Did you mean 'ResNet50'"):
        style_layers("Resnet50")
