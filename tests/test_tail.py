import keras
import numpy as np
import pytest

import skart.features
from skart.networks import cut_points, load_tail, unfreeze


def test_where_inception_can_be_cut():
    cuts = cut_points("InceptionV3")
    assert cuts[-11:] == tuple(f"mixed{i}" for i in range(11))
    assert cuts[0] == "conv2d" and "max_pooling2d_1" in cuts
    # Branches of a module are no place where everything flows.
    assert "conv2d_5" not in cuts and "mixed9_0" not in cuts


@pytest.mark.parametrize("backbone", ["VGG16", "EfficientNetB0", "ConvNeXtTiny"])
def test_a_network_is_its_trunk_and_its_tail(backbone):
    cuts = cut_points(backbone)
    options = {"input_shape": (40, 40, 3), "weights": None}
    network = skart.networks.load_backbone(backbone, **options)
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3))
    images = skart.networks.preprocess(backbone, images)
    expected = network.predict_on_batch(images)
    for cut in (cuts[1], cuts[len(cuts) // 2], cuts[-1]):
        trunk = skart.networks.load_backbone(
            backbone, layer=cut, pooling=None, **options
        )
        tail = load_tail(backbone, cut, **options)
        maps = trunk.predict_on_batch(images)
        np.testing.assert_allclose(
            tail.predict_on_batch(maps),
            expected,
            rtol=1e-3,
            atol=1e-4 * np.abs(expected).max(),
        )


@pytest.mark.parametrize("cut", ["mixed9", "mixed8", "mixed7"])
def test_trainable_parameters_are_those_of_keras(cut):
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(75, 75, 3)
    )
    names = [layer.name for layer in network.layers]
    for place, layer in enumerate(network.layers):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = place > names.index(cut) and not normalises
    expected = sum(int(np.prod(x.shape)) for x in network.trainable_weights)
    assert expected > 0
    tail = load_tail("InceptionV3", cut, input_shape=(75, 75, 3), weights=None)
    unfreeze(tail, cut)
    trainable = sum(int(np.prod(x.shape)) for x in tail.trainable_weights)
    assert trainable == expected
    unfreeze(tail, None)
    assert not tail.trainable_weights


def test_what_can_be_cut_does_not_depend_on_what_was_built_before():
    for _ in range(2):
        tail = load_tail(
            "InceptionV3", "conv2d_4", input_shape=(75, 75, 3), weights=None
        )
        assert {"conv2d_5", "conv2d_93", "mixed9"} <= {x.name for x in tail.layers}
