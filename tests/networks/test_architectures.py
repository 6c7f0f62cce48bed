import keras
import numpy as np
import pytest

from skart.networks import alexnet, hybrid_cnn, make_augmentation, squeezenet, vgg_lite
from skart.networks._backbones import build
from skart.networks._folding import fold_batch_norm
from skart.networks._serialization import check_description, describe

NETWORKS = [hybrid_cnn, vgg_lite, squeezenet, alexnet]


def convolutional_parameters(model):
    return sum(
        layer.count_params()
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    )


def test_parameters_of_the_reports_hybrid():
    model = hybrid_cnn((500, 500, 3), 18)
    assert convolutional_parameters(model) == 47_016
    assert model.count_params() == 47_016 + 97 * 256 + 257 * 64 + 65 * 18


def test_vgg_lite():
    widths = [3, 32, 32, 64, 64, 128, 128, 256, 256]
    expected = sum(
        9 * before * after + after
        for before, after in zip(widths, widths[1:], strict=False)
    )
    model = vgg_lite((500, 500, 3), 18)
    assert convolutional_parameters(model) == expected
    assert model.count_params() == expected + 257 * 256 + 257 * 64 + 65 * 18


def test_squeezenet_has_the_published_parameters():
    assert squeezenet((227, 227, 3), 1000).count_params() == 1_235_496


def test_alexnet_has_the_parameters_of_the_single_tower():
    model = alexnet((227, 227, 3), 1000, pooling="flatten")
    assert model.count_params() == 62_378_344


@pytest.mark.parametrize("build", NETWORKS)
@pytest.mark.parametrize("pooling, batch_norm", [("avg", False), ("max", True)])
def test_probabilities(build, pooling, batch_norm):
    model = build((96, 80, 3), 4, pooling=pooling, batch_norm=batch_norm)
    images = np.random.default_rng(0).integers(0, 256, (3, 96, 80, 3), dtype=np.uint8)
    probabilities = np.asarray(model(images))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert ("BatchNormalization" in kinds) == batch_norm


def test_too_many_weights_raise_before_building():
    with pytest.raises(
        ValueError,
        match=r"1,536,017,536 weights in its dense layers, 24.6 GB.*max_weights",
    ):
        hybrid_cnn((500, 500, 3), 18, pooling="flatten")
    dense = 96 * 100 * 256 + 256 * 64 + 64 * 18
    options = {"input_shape": (20, 20, 3), "n_classes": 18, "pooling": "flatten"}
    with pytest.raises(ValueError, match=f"{dense:,} weights"):
        hybrid_cnn(**options, max_weights=dense - 1)
    for limit in (dense, None):
        assert hybrid_cnn(**options, max_weights=limit).count_params() > dense
    with pytest.raises(ValueError, match="pooling must be one of"):
        vgg_lite((64, 64, 3), 4, pooling="sum")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ConvNeXtTiny", "EfficientNetB0", "MobileNetV3Small"])
def test_layers_of_backbones_are_known(name):
    check_description(describe(build(name, (64, 64, 3))))


def test_layers_of_augmentations_are_known():
    augment = make_augmentation("strong")
    check_description(describe(hybrid_cnn((16, 16, 3), 2, augment=augment)))


@pytest.mark.usefixtures("toy_backbone")
@pytest.mark.parametrize(
    ("name", "n_left"),
    [
        ("ToyNet", 0),
        pytest.param("MobileNetV2", 0, marks=pytest.mark.slow),
        pytest.param("ResNet50", 0, marks=pytest.mark.slow),
        pytest.param("ResNet50V2", 17, marks=pytest.mark.slow),
        pytest.param("VGG16", 0, marks=pytest.mark.slow),
    ],
)
def test_folded_networks_compute_the_same(name, n_left):
    network = build(name, (64, 64, 3), seed=0)
    generator = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights(
                [generator.uniform(0.5, 2, w.shape) for w in layer.weights]
            )
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        exact = build(name, (64, 64, 3))
    finally:
        keras.config.set_dtype_policy(policy)
    exact.set_weights(network.get_weights())
    images = generator.uniform(-1, 1, (2, 64, 64, 3)).astype("f4")
    expected = exact.predict_on_batch(images)
    assert expected.dtype == np.float64

    folded = fold_batch_norm(network)
    left = [type(layer).__name__ for layer in folded.layers]
    assert left.count("BatchNormalization") == n_left
    assert (folded is network) == (name == "VGG16")
    assert not folded.trainable_variables
    # Both round at each layer, and the layers behind amplify it by what the weights
    # make of it: the error of the network itself measures that, on any processor. The
    # folded one has fewer roundings, but others.
    error, usual = (
        np.linalg.norm(x.predict_on_batch(images) - expected) for x in (folded, network)
    )
    eps = np.finfo(np.float32).eps
    assert error <= 8 * usual + eps * np.linalg.norm(expected)


def test_convolutions_with_other_uses_are_not_folded():
    inputs = keras.Input((8, 8, 3))
    shared, doubled, given = (keras.layers.Conv2D(4, 3)(inputs) for _ in range(3))
    active = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    lines = keras.layers.Conv2D(4, 3)(inputs)
    normalised = [
        keras.layers.BatchNormalization()(maps)
        for maps in (shared, doubled, given, active)
    ]
    normalised.append(keras.layers.BatchNormalization(axis=1)(lines))
    others = [keras.layers.ReLU()(shared), doubled * 2, given]
    network = keras.Model(inputs, normalised + others)
    assert fold_batch_norm(network) is network


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["light", "strong"])
def test_augmentation_keeps_colour(kind):
    images = np.full((8, 16, 16, 3), [180, 90, 40], np.float32)
    augment = make_augmentation(kind, seed=0)
    altered = np.concatenate([augment(images, training=True) for _ in range(20)])
    chroma = (altered.max(axis=-1) - altered.min(axis=-1)).mean()
    assert 0.8 * 140 < chroma < 1.2 * 140
