"""Layers, statistics and crops: features that carry style."""

import keras
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from skart import FeatureExtractor, FeatureStore, ImageLoader
from skart.networks._pooling import POOLINGS, GramPooling2D
from skart.networks._style_layers import default_size

SIZE = 64
LAYERS = ["block1_conv1", "block1_pool", "block2_conv1"]
WIDTH = 64  # of the features of block1_pool


def extractor(**parameters):
    """The first layers of a network, with random weights."""
    defaults = {"weights": None, "layer": "block1_pool", "verbose": False}
    return FeatureExtractor("VGG16", **(defaults | parameters))


@pytest.fixture(scope="module")
def images(image_paths):
    return np.asarray(ImageLoader(SIZE).transform(image_paths[:6]))


def maps_of(images, layer):
    return np.asarray(extractor(layer=layer, pooling=None).transform(images))


@pytest.mark.slow
def test_statistics_of_maps(images):
    maps = maps_of(images, LAYERS[2])
    expected = {
        "avg": maps.mean((1, 2)),
        "max": maps.max((1, 2)),
        "std": maps.std((1, 2)),
    }
    both = np.hstack([expected["avg"], expected["std"]])
    for pooling, values in [*expected.items(), (["avg", "std"], both)]:
        got = extractor(layer=LAYERS[2], pooling=pooling).transform(images)
        np.testing.assert_allclose(got, values, rtol=1e-3, atol=1e-5)


def test_gram_of_few_channels_is_exact():
    maps = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")
    gram = np.einsum("nhwc,nhwd->ncd", maps, maps) / 35
    vectors = np.asarray(GramPooling2D()(maps))
    assert vectors.shape == (2, 6)
    np.testing.assert_allclose(vectors[:, 0], gram[:, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(vectors[:, 1], np.sqrt(2) * gram[:, 0, 1], rtol=1e-5)
    # The distance between vectors is that between matrices.
    distance = np.linalg.norm(vectors[0] - vectors[1])
    np.testing.assert_allclose(distance, np.linalg.norm(gram[0] - gram[1]), rtol=1e-5)


def test_gram_of_many_channels_keeps_distances():
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(8, 20, 300)) / 5  # eight kinds of texture
    maps = np.maximum(generator.normal(size=(8, 10, 10, 20)) @ mixing[:, None], 0)
    grams = np.einsum("nhwc,nhwd->ncd", maps, maps).reshape(8, -1) / 100
    vectors = np.asarray(GramPooling2D()(maps.astype("float32")))
    assert vectors.shape == (8, 2080)
    pairs = np.triu_indices(8, 1)

    def distances(x):
        return np.linalg.norm(x[:, None] - x[None], axis=-1)[pairs]

    ratio = distances(vectors) / distances(grams)
    assert 0.6 < ratio.min() and ratio.max() < 1.7
    again = np.asarray(GramPooling2D()(maps.astype("float32")))
    np.testing.assert_array_equal(vectors, again)


def test_gram_separates_textures_of_equal_means():
    stripes = np.zeros((1, 8, 8, 2), "float32")
    stripes[:, ::2, :, 0] = stripes[:, ::2, :, 1] = 1  # both channels in the same rows
    apart = stripes.copy()
    apart[..., 1] = 1 - apart[..., 1]  # in different rows
    for pooling in ("avg", "max", "std"):
        layer = POOLINGS[pooling]()
        np.testing.assert_allclose(layer(stripes), layer(apart))
    layer = GramPooling2D()
    assert np.abs(np.subtract(layer(stripes), layer(apart))).max() > 0.5


@pytest.mark.slow
def test_several_layers_are_computed_in_one_pass(images, n_passes, tmp_path):
    joined = extractor(layer=LAYERS[:3], pooling=["avg", "std"], cache=tmp_path)
    features = joined.transform(images)
    assert n_passes() == 6
    names = joined.get_feature_names_out()
    assert len(names) == len(set(names)) == features.shape[1]
    assert names[0] == f"vgg16_{LAYERS[0]}_avg_0"
    for layer in LAYERS[:3]:  # found, each on its own
        for pooling in ("avg", "std"):
            alone = extractor(layer=layer, pooling=pooling, cache=tmp_path)
            columns = np.char.startswith(names.astype(str), f"vgg16_{layer}_{pooling}_")
            np.testing.assert_array_equal(alone.transform(images), features[:, columns])
    assert n_passes() == 6
    np.testing.assert_allclose(
        joined.set_params(cache=None).transform(images), features, rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_precompute_serves_a_search_over_layers_poolings_and_crops(
    image_paths, tmp_path, n_passes
):
    loader, features = ImageLoader(48), extractor(cache=tmp_path, crop_size=32)
    steps = [
        ("load", loader),
        ("features", features),
        ("head", KNeighborsClassifier(1)),
    ]
    pipe = Pipeline(steps)
    everything = extractor(
        layer=LAYERS,
        pooling=["avg", "max", "std"],
        crops=5,
        crop_size=32,
        cache=tmp_path,
    )
    everything.precompute(loader.transform(image_paths))
    space = {
        "features__layer": [LAYERS[0], tuple(LAYERS[1:])],
        "features__pooling": ["max", ("avg", "std")],
        "features__crops": [5, 1],
        "features__crop_pooling": ["mean", "concat"],
    }
    y = np.arange(12) % 2
    search = GridSearchCV(pipe, space, cv=2, refit=False).fit(image_paths, y)
    assert len(search.cv_results_["params"]) == 2 * 2 * 2 * 2
    assert n_passes() == 12 * 5  # paintings x windows
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == info["writes"] == 12 * 5 * len(LAYERS) * 3


def test_crops_are_windows_of_the_image(images):
    large = np.asarray(images)
    size = 40
    corners = [large[:, :size, :size], large[:, :size, -size:]]
    corners += [large[:, -size:, :size], large[:, -size:, -size:]]
    middle = large[:, 12:52, 12:52]
    alone = [extractor().transform(window) for window in [middle, *corners]]
    one = extractor(crops=1, crop_size=size).transform(images)
    np.testing.assert_allclose(one, alone[0], rtol=1e-4, atol=1e-6)
    joined = {
        "mean": np.mean(alone, 0),
        "max": np.max(alone, 0),
        "concat": np.hstack(alone),
    }
    for join, values in joined.items():
        five = extractor(crops=5, crop_size=size, crop_pooling=join)
        np.testing.assert_allclose(five.transform(images), values, rtol=1e-4, atol=1e-5)
    assert len(set(five.get_feature_names_out())) == 5 * WIDTH
    assert five.get_feature_names_out()[WIDTH] == "vgg16_block1_pool_avg_top_left_0"


@pytest.mark.slow
def test_nine_crops_contain_five(image_paths, tmp_path, n_passes):
    lazy = ImageLoader(48).transform(image_paths)
    counts = []
    for crops, flip in [(1, False), (5, False), (9, False), (9, True), (None, False)]:
        extractor(
            crops=crops, crop_size=32, horizontal_flip=flip, cache=tmp_path
        ).transform(lazy)
        counts.append(n_passes() // 12)
    assert counts == [1, 5, 9, 18, 19]


def test_horizontal_flip(images):
    both = extractor(horizontal_flip=True, crop_pooling="concat").transform(images)
    np.testing.assert_allclose(
        both[:, WIDTH:], extractor().transform(images[:, :, ::-1]), rtol=1e-4, atol=1e-6
    )
    symmetric = np.concatenate([images, images[:, :, ::-1]], axis=2)
    both = extractor(horizontal_flip=True, crop_pooling="concat").transform(symmetric)
    np.testing.assert_allclose(both[:, WIDTH:], both[:, :WIDTH], rtol=1e-4, atol=1e-6)


def test_single_full_crop_equals_the_image(images, tmp_path, n_passes):
    whole = extractor(cache=tmp_path).transform(images)
    crop = extractor(crops=1, crop_size=SIZE, cache=tmp_path).transform(images)
    np.testing.assert_array_equal(whole, crop)
    five = extractor(crops=5, crop_size=SIZE, crop_pooling="concat", cache=tmp_path)
    np.testing.assert_array_equal(five.transform(images), np.hstack([whole] * 5))
    assert len(five.get_feature_names_out()) == 5 * WIDTH
    assert n_passes() == 6


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"pooling": "mean"}, ValueError, "pooling must be one of"),
        ({"pooling": ["avg", "avg"]}, ValueError, "a list of different names"),
        ({"layer": []}, ValueError, "layer must be one name, or a list"),
        ({"layer": [3]}, TypeError, "layer must be the name of a layer"),
        ({"layer": LAYERS[:2], "pooling": None}, ValueError, "pass one layer"),
        ({"crops": 4}, ValueError, "'crops'.*1, 5, 9} or None. Got 4 instead"),
        ({"crops": 5}, ValueError, "224 x 224 pixels don't fit images of 64 x 64"),
        ({"crops": 5, "crop_size": "all"}, ValueError, "crop_size must be"),
        ({"crop_pooling": "man"}, ValueError, "'crop_pooling'.*Did you mean 'mean'"),
        ({"pooling": ["av"]}, ValueError, "pooling must be.*Did you mean 'avg'"),
        ({"horizontal_flip": "no"}, ValueError, "'horizontal_flip' parameter"),
    ],
)
def test_invalid_parameters_raise(images, parameters, error, message):
    with pytest.raises(error, match=message):
        extractor(**parameters).transform(images)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["InceptionV3", "MobileNetV2", "EfficientNetB1"])
def test_default_sizes(name):
    network = getattr(keras.applications, name)(weights=None)
    assert network.input_shape[1:3] == (default_size(name),) * 2
