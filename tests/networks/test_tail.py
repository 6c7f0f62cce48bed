import keras
import numpy as np
import pytest

from skart import DenseHeadClassifier, FineTuneClassifier
from skart.networks import cut_points, load_backbone, preprocess

slow = pytest.mark.slow


def fit_tail(backbone, cut, side):
    """Return the layers after a cut, fine-tuned at a learning rate of 0."""
    model = FineTuneClassifier(
        DenseHeadClassifier(units=2, epochs=1),
        backbone=backbone,
        weights=None,
        unfreeze_from=cut,
        epochs=1,
        optimizer__learning_rate=0.0,
        compile__run_eagerly=True,
    )
    X = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    return model.fit(X, [0, 1]).model_.get_layer("tail")


def test_cut_points_of_a_network_with_a_shortcut(toy_backbone):
    # Behind relu1, maps also flow past conv2.
    names = ["conv1", "norm1", "relu1", "add", "conv3", "norm3", "relu3"]
    assert cut_points(toy_backbone) == (*names, "conv4", "norm4", "relu4")


@slow
def test_cut_points_of_inception():
    cuts = cut_points("InceptionV3")
    assert cuts[-11:] == tuple(f"mixed{i}" for i in range(11))
    assert cuts[0] == "conv2d" and "max_pooling2d_1" in cuts
    # Branches of a module are no place where everything flows.
    assert "conv2d_5" not in cuts and "mixed9_0" not in cuts


@pytest.mark.usefixtures("toy_backbone")
@pytest.mark.parametrize(
    "backbone",
    [
        "ToyNet",
        pytest.param("VGG16", marks=slow),
        pytest.param("EfficientNetB0", marks=slow),
        pytest.param("ConvNeXtTiny", marks=slow),
    ],
)
def test_trunk_and_tail_compute_the_network(backbone):
    cuts = cut_points(backbone)
    options = {"input_shape": (40, 40, 3), "weights": None}
    network = load_backbone(backbone, **options)
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3))
    images = preprocess(backbone, images)
    expected = network.predict_on_batch(images)
    for cut in (cuts[1], cuts[len(cuts) // 2], cuts[-1]):
        trunk = load_backbone(backbone, layer=cut, pooling=None, **options)
        tail = fit_tail(backbone, cut, 40)
        maps = trunk.predict_on_batch(images)
        np.testing.assert_allclose(
            tail.predict_on_batch(maps),
            expected,
            rtol=1e-3,
            atol=1e-4 * np.abs(expected).max(),
        )


def count_parameters(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


@pytest.mark.usefixtures("toy_backbone")
@pytest.mark.parametrize(
    "backbone, cut",
    [
        ("ToyNet", "add"),
        ("ToyNet", "relu3"),
        pytest.param("InceptionV3", "mixed9", marks=slow),
        pytest.param("InceptionV3", "mixed7", marks=slow),
    ],
)
def test_trainable_parameters_are_those_of_keras(backbone, cut):
    network = getattr(keras.applications, backbone)(
        include_top=False, weights=None, input_shape=(75, 75, 3)
    )
    names = [layer.name for layer in network.layers]
    for place, layer in enumerate(network.layers):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = place > names.index(cut) and not normalises
    expected = count_parameters(network.trainable_weights)
    assert expected > 0
    tail = fit_tail(backbone, cut, 75)
    assert count_parameters(tail.trainable_weights) == expected


@slow
def test_layer_names_do_not_depend_on_earlier_networks():
    for _ in range(2):
        tail = fit_tail("InceptionV3", "conv2d_4", 75)
        assert {"conv2d_5", "conv2d_93", "mixed9"} <= {x.name for x in tail.layers}
