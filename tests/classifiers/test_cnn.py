import json
import pickle
import re

import keras
import numpy as np
import pytest
from helpers import draw, hybrid, needs_bfloat16
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GroupShuffleSplit,
)
from sklearn.pipeline import Pipeline

from skart import CNNClassifier, HybridCNNClassifier, ImageLoader, networks
from skart.images import UnreadableImageError


def test_layers_have_different_seeds(stripes):
    model = hybrid(augment="light", epochs=1).fit(*stripes).model_
    seeds = re.findall(r'"seed": (\d+)', json.dumps(model.get_config()))
    assert len(seeds) > 8 and len(set(seeds)) == len(seeds)


@pytest.mark.slow
def test_cnn_generalizes_to_other_artists(tmp_path):
    paintings = draw(tmp_path, 6)
    splitter = GroupShuffleSplit(1, test_size=0.3, random_state=0)
    train, test = next(splitter.split(paintings.paths, groups=paintings.artists))
    pipe = Pipeline(
        [
            ("load", ImageLoader(48, cache_pixels=True)),
            (
                "cnn",
                HybridCNNClassifier(
                    batch_norm=True,
                    epochs=15,
                    batch_size=8,
                    learning_rate_schedule="cosine",
                    optimizer__learning_rate=2e-3,
                    random_state=0,
                ),
            ),
        ]
    )
    pipe.fit(paintings.paths[train], paintings.labels[train])
    assert (
        pipe.score(paintings.paths[test], paintings.labels[test]) > 0.6
    )  # chance: 0.33


@pytest.mark.slow
def test_lazy_images_train_as_arrays(paintings):
    images = ImageLoader(32).transform(paintings.paths)
    model = hybrid(validation_split=0.2, augment="light", compile__run_eagerly=False)
    streamed = model.fit(images, paintings.labels, groups=paintings.artists)
    streamed = streamed.model_.get_weights(), streamed.history_
    for X in (np.asarray(images), np.asarray(images, np.float32)):
        model.fit(X, paintings.labels, groups=paintings.artists)
        assert model.history_ == streamed[1]
        for one, other in zip(streamed[0], model.model_.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("cache_pixels", [False, True])
def test_decoding_in_training(paintings, count_decodes, cache_pixels):
    # One thread, so that the order is that of the batches.
    loader = ImageLoader(24, cache_pixels=cache_pixels, n_threads=1)
    images = loader.transform(paintings.paths)
    model = hybrid(epochs=3).fit(images, paintings.labels)
    paths = count_decodes
    if not cache_pixels:
        # Keras reads two batches beforehand, for their shape.
        assert len(paths) <= 3 * len(images) + 3 * model.batch_size
        first = paths[-2 * len(images) : -len(images)]
        second = paths[-len(images) :]
        assert sorted(first) == sorted(second) == sorted(paintings.paths)
        assert first != second  # shuffled anew
    else:
        assert sorted(paths) == sorted(paintings.paths)


@pytest.mark.slow
def test_unreadable_files(paintings, tmp_path):
    broken = [tmp_path / f"{name}.jpg" for name in "ab"]
    for path in broken:
        path.write_bytes(b"no image")
    paths = [str(broken[0]), *paintings.paths, str(broken[1])]
    labels = ["Op Art", *paintings.labels, "Op Art"]
    with pytest.raises(UnreadableImageError, match="2 of 38 images") as caught:
        hybrid().fit(ImageLoader(24).transform(paths), labels)
    assert set(caught.value.failures) == set(map(str, broken))
    images = ImageLoader(24, on_error="blank").transform(paths)
    with pytest.warns(UserWarning, match="can't be read") as warned:
        hybrid().fit(images, labels)
    reported = [str(warning.message) for warning in warned]
    for path in broken:  # once, not at each epoch
        assert sum(str(path) in message for message in reported) == 1


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda X: X / 255, "looks like 0-1"),
        (lambda X: X.astype(int) * 2, "must lie in 0-255; got values in 0-"),
        (lambda X: X - 128.0, "must lie in 0-255"),
        (lambda X: X[0], r"shape \(n, height, width, 3\)"),
        (lambda X: X[..., :1], r"shape \(n, height, width, 3\)"),
        (lambda X: X.reshape(24, -1), r"shape \(n, height, width, 3\)"),
        (lambda X: np.array(["a.jpg"] * 24), "put ImageLoader"),
        (lambda X: X[:5], "inconsistent numbers of samples"),
        (lambda X: X[:, :1], "hybrid_cnn needs images of at least 2 x 2"),
    ],
)
def test_bad_images(stripes, make, message):
    X, y = stripes
    with pytest.raises(ValueError, match=message):
        hybrid().fit(make(X), y)


def test_images_of_another_size(stripes):
    model = hybrid(epochs=1).fit(*stripes)
    assert model.image_shape_ == (24, 24, 3)
    with pytest.raises(ValueError, match="trained on images of 24 x 24 pixels; got 20"):
        model.predict(stripes[0][:, :20])


@pytest.mark.parametrize(
    "network, smallest", [("vgg_lite", 16), ("squeezenet", 31), ("alexnet", 67)]
)
def test_images_that_are_too_small(network, smallest):
    X = np.zeros((4, smallest - 1, 100, 3), np.uint8)
    message = f"at least {smallest} x {smallest} pixels; got {smallest - 1} x 100"
    with pytest.raises(ValueError, match=message):
        CNNClassifier(network).fit(X, [0, 0, 1, 1])


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"pooling": "sum"}, "pooling must be one of"),
        ({"units": 0}, "units must be"),
        ({"dropout": 1}, "dropout must be"),
        ({"augment": "lite"}, "augment must be .* Did you mean 'light'"),
        ({"dtype": "bfloat16"}, "'dtype' .*Did you mean 'mixed_bfloat16'"),
        ({"pooling": "flatten", "max_weights": 1000}, "at most max_weights=1,000"),
        ({"max_weights": "many"}, "'max_weights' parameter .* must be"),
        ({"units": (2000, 200_000)}, "400,592,000 weights in its dense layers"),
        ({"batch_norm": "no"}, "batch_norm must be"),
        ({"batch_size": 0}, "'batch_size' parameter .* must be"),
        ({"patience": 1.5, "validation_split": 0.2}, "'patience' parameter"),
        ({"validation_split": "0.2"}, "'validation_split' parameter .* must be"),
        ({"class_weight": "balance"}, "'class_weight' .* Did you mean 'balanced'"),
        ({"class_weight": {"plain": -1}}, "class_weight of 'plain' must be"),
        ({"verbose": 3}, "'verbose' parameter .* must be"),
        (
            {
                "optimizer__learning_rate": keras.optimizers.schedules.CosineDecay(
                    1, 9
                ),
                "learning_rate_schedule": "cosine",
            },
            "pass learning_rate_schedule=None",
        ),
    ],
)
def test_bad_parameters(stripes, parameters, message):
    with pytest.raises(ValueError, match=message):
        hybrid(**parameters).fit(*stripes)


@pytest.mark.slow
def test_parameters_of_the_network(stripes):
    model = hybrid(pooling="flatten", units=(8, 4), dropout=0.3, epochs=1).fit(*stripes)
    kinds = [type(layer).__name__ for layer in model.model_.layers]
    assert "Flatten" in kinds
    dense = [x for x in model.model_.layers if isinstance(x, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [8, 4, 2]
    rates = [x.rate for x in model.model_.layers if isinstance(x, keras.layers.Dropout)]
    assert rates == [0.3, 0.3, 0.3]
    default = CNNClassifier(epochs=1).fit(*stripes).model_
    assert [x.units for x in default.layers if isinstance(x, keras.layers.Dense)] == [
        256,
        64,
        2,
    ]


def tiny(input_shape, n_classes, *, units=3, augment=None, seed=None):
    """A network of one dense layer."""
    initializer = keras.initializers.GlorotUniform(seed)
    images = keras.Input(input_shape)
    x = keras.layers.GlobalAveragePooling2D()(augment(images) if augment else images)
    x = keras.layers.Dense(units, kernel_initializer=initializer)(x)
    x = keras.layers.Dense(
        n_classes, activation="softmax", kernel_initializer=initializer
    )(x)
    return keras.Model(images, x)


@pytest.mark.slow
def test_network_by_a_callable(stripes):
    X, y = stripes
    model = hybrid(network=tiny, units=5, augment="light").fit(X, y)
    assert [x.units for x in model.model_.layers[-2:]] == [5, 2]
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    pickled = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(pickled.predict_proba(X), model.predict_proba(X))
    assert hybrid(network=tiny, units=None).fit(X, y).model_.layers[-2].units == 3
    named = hybrid(network=networks.hybrid_cnn).fit(X, y)
    np.testing.assert_array_equal(
        named.predict_proba(X), hybrid().fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"network": "vgg-lite"}, "'network' .* Did you mean 'vgg_lite'"),
        ({"network": 3}, "'network' parameter of CNNClassifier must be"),
        ({"network": "squeezenet"}, "'squeezenet' takes no parameter 'units'"),
        (
            {"network": "squeezenet", "units": None, "max_weights": 9},
            "takes no parameter 'max_weights'",
        ),
        ({"network": tiny, "batch_norm": True}, "takes no parameter 'batch_norm'"),
        ({"network": lambda shape, n: None, "units": None}, "must return a Keras"),
        (
            {"network": lambda shape, n: tiny(shape, 3), "units": None},
            r"outputs of shape \(None, 2\)",
        ),
    ],
)
def test_invalid_networks(stripes, parameters, message):
    with pytest.raises((TypeError, ValueError), match=message):
        hybrid(**parameters).fit(*stripes)


@pytest.mark.slow
def test_hybrid_cnn_classifier_is_the_reports_network(stripes):
    X, y = stripes
    parameters = {"units": 8, "epochs": 1, "random_state": 0}
    one = HybridCNNClassifier(**parameters).fit(X, y)
    other = CNNClassifier("hybrid", **parameters).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    with pytest.raises(ValueError, match="'network' parameter"):
        HybridCNNClassifier("alexnet").fit(X, y)


@pytest.mark.slow
def test_validation_set_of_lazy_images(paintings):
    images = ImageLoader(24).transform(paintings.paths)
    model = hybrid(patience=1, epochs=3)
    model.fit(images[:24], ["a", "b"] * 12, X_val=images[24:], y_val=["a", "b"] * 6)
    assert "val_loss" in model.history_
    with pytest.raises(ValueError, match="trained on images of 24 x 24"):
        X_val = ImageLoader(20).transform(paintings.paths[:2])
        model.fit(images[:24], ["a", "b"] * 12, X_val=X_val, y_val=["a", "b"])


@keras.saving.register_keras_serializable(package="tests")
class Black(keras.layers.Layer):
    """Return black images in training."""

    def call(self, images, training=False):
        return images * 0 if training else images


@pytest.mark.parametrize(
    "augment",
    [
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("light", "strong")),
        Black(),
    ],
)
@needs_bfloat16
def test_augmentation(stripes, augment):
    X, y = stripes
    model = hybrid(
        augment=augment, dtype="mixed_bfloat16", compile__run_eagerly=False
    ).fit(X, y)
    layer = model.model_.layers[1]
    images = np.random.default_rng(0).integers(0, 256, (8, 24, 24, 3))
    images = images.astype(np.float32)
    altered = np.asarray(layer(images, training=True))
    assert altered.min() >= 0 and altered.max() <= 255
    assert np.abs(altered - images).mean() > 1
    assert layer.compute_dtype == "float32"
    np.testing.assert_array_equal(layer(images, training=False), images)
    probabilities = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X), probabilities)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), probabilities)
    assert type(again.model_.layers[1]) is type(layer)
    if isinstance(augment, Black):
        assert layer is not augment
        np.testing.assert_allclose(altered, 0)


def test_invalid_augmentation(stripes):
    with pytest.raises(TypeError, match="augment must be a Keras layer"):
        hybrid(augment=3).fit(*stripes)
    with pytest.raises(
        TypeError, match="(?s)augment=.* can't be copied.* @keras.saving"
    ):
        hybrid(augment=keras.layers.Lambda(lambda x: x)).fit(*stripes)
    with pytest.raises(ValueError, match="augment must keep the shape of images"):
        hybrid(augment=keras.layers.Resizing(20, 20)).fit(*stripes)


def test_augmentation_by_a_layer_without_training_mode(stripes):
    X, y = stripes
    model = hybrid(augment=keras.layers.Rescaling(0.0)).fit(X, y)
    probabilities = model.predict_proba(X)
    assert np.ptp(probabilities[:, 0]) > 0  # all images were black in training


@pytest.mark.slow
def test_augmentation_by_an_adapted_layer(stripes):
    X, y = stripes
    adapted = keras.layers.Normalization()
    adapted.adapt(X.astype(np.float32))
    model = hybrid(augment=adapted).fit(X, y)
    copied = model.model_.layers[1].layer
    np.testing.assert_allclose(copied.mean, adapted.mean)
