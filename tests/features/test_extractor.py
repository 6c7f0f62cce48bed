import os
import shutil
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import assert_near, finish, needs_bfloat16, save_image, shallow, start
from PIL import ImageFile
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline

from skart import FeatureExtractor, FeatureStore, ImageLoader
from skart.datasets import load_image_folder
from skart.features import LazyFeatures
from skart.images import UnreadableImageError
from skart.networks import load_backbone
from skart.networks._weights import short_name

SIZE = 64


def extractor(**parameters):
    """A small network with random weights."""
    defaults = {"weights": None, "verbose": False}
    return FeatureExtractor("MobileNetV2", **(defaults | parameters))


def load(paths, **parameters):
    return ImageLoader(SIZE, **parameters).transform(paths)


@pytest.fixture(scope="module")
def expected(image_paths):
    """Features by plain Keras, from the same pixels."""
    network = load_backbone("MobileNetV2", input_shape=(SIZE, SIZE, 3), weights=None)
    pixels = np.asarray(load(image_paths), np.float32)
    inputs = keras.applications.mobilenet_v2.preprocess_input(pixels)
    return network.predict(inputs, verbose=0)


@pytest.mark.slow
def test_features_equal_plain_keras(image_paths, expected, tmp_path):
    features = extractor().fit_transform(load(image_paths))
    assert features.shape == (12, 1280) and features.dtype == np.float32
    assert_near(features, expected)
    stored = extractor(cache=tmp_path, batch_size=5).fit_transform(load(image_paths))
    assert_near(stored, expected)
    assert expected.std(axis=0).mean() > 0.01  # random weights tell images apart


@pytest.mark.slow
def test_features_equal_keras_with_real_weights(image_paths, inception_weights):
    images = ImageLoader(299).transform(image_paths)
    features = FeatureExtractor(weights=inception_weights).transform(images)
    reference = keras.applications.InceptionV3(
        include_top=False, weights=inception_weights, pooling="avg"
    ).predict(
        keras.applications.inception_v3.preprocess_input(np.asarray(images, "f4")),
        verbose=0,
    )
    assert abs(features - reference).max() / abs(reference).max() < 1e-4
    cosine = np.sum(features * reference, 1) / np.prod(
        [np.linalg.norm(a, axis=1) for a in (features, reference)], axis=0
    )
    assert cosine.min() > 0.99999


@pytest.mark.slow
def test_stored_features_are_not_computed_again(image_paths, tmp_path, work):
    first = extractor(cache=tmp_path).fit_transform(load(image_paths))
    assert work() == (12, 12)
    again = extractor(cache=str(tmp_path)).fit_transform(load(image_paths[::-1]))
    assert work() == (12, 12)
    np.testing.assert_array_equal(again, first[::-1])
    more = extractor(cache=FeatureStore(tmp_path)).transform(load(image_paths[:3] * 2))
    np.testing.assert_array_equal(more, first[[0, 1, 2] * 2])
    assert work() == (12, 12)


@pytest.mark.slow
def test_equal_files_are_computed_once(folder_of_images, tmp_path, work):
    copy = tmp_path / "copy of it.jpg"
    shutil.copy(folder_of_images[0], copy)
    paths = [folder_of_images[0], str(copy), folder_of_images[1], folder_of_images[0]]
    features = extractor(cache=tmp_path / "store", batch_size=2).transform(load(paths))
    assert work()[1] == 2
    np.testing.assert_array_equal(features[0], features[1])
    np.testing.assert_array_equal(features[0], features[3])
    assert not np.allclose(features[0], features[2])
    moved = tmp_path / "moved.jpg"
    Path(folder_of_images[1]).rename(moved)
    again = extractor(cache=tmp_path / "store").transform(load([moved]))
    np.testing.assert_array_equal(again[0], features[2])
    assert work()[1] == 2


@pytest.mark.slow
def test_replaced_file_is_computed_again(folder_of_images, tmp_path):
    path = folder_of_images[0]
    before = extractor(cache=tmp_path / "store").transform(load([path]))
    replaced = ImageLoader(SIZE).transform(folder_of_images[1:2])
    Path(path).write_bytes(Path(folder_of_images[1]).read_bytes())
    after = extractor(cache=tmp_path / "store").transform(load([path]))
    assert not np.allclose(after, before)
    assert_near(after, extractor().transform(replaced))


def test_keras_hub_presets_are_identified_by_their_full_name(tmp_path):
    names = ["hf://alice/dino", "hf://bob/dino", "dino", "kaggle://a/b/2"]
    names = [f"keras_hub:{name}" for name in names]
    assert [short_name(name) for name in names] == names
    (tmp_path / "dino").mkdir()
    assert short_name(f"keras_hub:{tmp_path / 'dino'}") == "keras_hub:dino"


@pytest.mark.slow
@needs_bfloat16
def test_parameters_that_change_features_have_separate_sections(image_paths, tmp_path):
    ways = [
        ({}, {}),
        ({"layer": "block1_conv1"}, {}),
        ({"pooling": "max"}, {}),
        ({"random_state": 1}, {}),
        ({"dtype": "bfloat16"}, {}),
        ({"storage_dtype": "float16"}, {}),
        ({"backbone": "VGG19"}, {}),
        ({}, {"size": 40}),
        ({}, {"size": (32, 40)}),
        ({}, {"resize": "pad"}),
        ({}, {"resize": "stretch"}),
    ]
    store = FeatureStore(tmp_path / "store")
    for n, (how, loading) in enumerate(ways, start=1):
        images = ImageLoader(**({"size": 32} | loading)).transform(image_paths[:2])
        stored = shallow(cache=store).set_params(**how).transform(images)
        assert store.info()["arrays"] == store.info()["writes"] == 2 * n
        plain = shallow().set_params(**how).transform(images)
        # Half precision keeps 11 bits.
        np.testing.assert_allclose(stored, plain, rtol=2**-10, atol=1e-6)


@pytest.mark.slow
def test_changed_weights_file_is_noticed(image_paths, tmp_path):
    weights = tmp_path / "mine.weights.h5"
    store = FeatureStore(tmp_path / "store")
    images = ImageLoader(32).transform(image_paths[:2])
    inputs = keras.applications.vgg16.preprocess_input(np.asarray(images, "f4"))
    network = keras.applications.VGG16(include_top=False, weights=None)
    first = network.get_layer("block1_conv1")
    maps = keras.Model(network.input, network.get_layer("block1_pool").output)
    for n in (1, 2):
        first.set_weights([n * weight for weight in first.get_weights()])
        network.save_weights(weights)
        found = shallow(cache=store, weights=weights).transform(images)
        expected = np.asarray(maps(inputs)).mean(axis=(1, 2))
        assert_near(found, expected)
        assert store.info()["arrays"] == store.info()["writes"] == 2 * n


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_search_computes_each_painting_once(image_paths, tmp_path, n_jobs):
    pipe = Pipeline(
        [
            ("load", ImageLoader(32)),
            ("features", shallow(cache=tmp_path, batch_size=2)),
            ("head", LogisticRegression()),
        ]
    )
    search = RandomizedSearchCV(
        pipe,
        {"head__C": np.logspace(-3, 3, 10)},
        n_iter=4,
        cv=StratifiedKFold(3),
        n_jobs=n_jobs,
        random_state=0,
    )
    search.fit(np.array(image_paths), ["a", "b"] * 6)
    assert len(search.cv_results_["params"]) == 4
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == 12
    # Workers that need an image at the same moment may each compute it, and no worker
    # does so twice.
    assert 12 <= info["writes"] <= 12 * n_jobs


@pytest.mark.slow
def test_store_may_be_deleted_at_any_time(image_paths, tmp_path, expected):
    images = load(image_paths)
    for _ in range(2):
        features = extractor(cache=tmp_path / "store").transform(images)
        assert_near(features, expected)
        shutil.rmtree(tmp_path / "store")


@pytest.mark.slow
def test_damaged_vector_is_computed_again(image_paths, tmp_path, expected, work):
    cache = tmp_path / "store"
    features = extractor(cache=cache).transform(load(image_paths))
    data = bytearray((cache / "features-1.sqlite").read_bytes())
    data[data.index(features[4][300:310].tobytes()) + 3] ^= 0xFF  # sign and exponent
    (cache / "features-1.sqlite").write_bytes(data)
    with pytest.warns(UserWarning, match="damaged"):
        again = extractor(cache=cache).transform(load(image_paths))
    assert_near(again, expected)
    assert work()[1] == 13


@pytest.mark.slow
def test_unreadable_images(image_paths, tmp_path, work):
    bad = [tmp_path / "text.jpg", tmp_path / "same text.jpg", tmp_path / "missing.jpg"]
    bad[0].write_text("a letter")
    bad[1].write_text("a letter")
    paths = [*image_paths[:4], bad[0], image_paths[4], bad[1], bad[2]]
    cache = tmp_path / "store"
    with pytest.raises(UnreadableImageError) as caught:
        extractor(cache=cache, batch_size=2).transform(load(paths))
    assert sorted(caught.value.failures) == sorted(map(str, bad))
    assert caught.value.stored and "Features of all others" in str(caught.value)
    assert FeatureStore(cache).info()["arrays"] == 5  # all others, also those behind

    blank = load(paths, on_error="blank")
    with pytest.warns(UserWarning, match="3 of 8 images"):
        features = extractor(cache=cache).transform(blank)
    assert sorted(blank.failures) == sorted(map(str, bad))
    black = extractor().transform(np.zeros((1, SIZE, SIZE, 3), np.uint8))
    for row in (4, 6, 7):
        assert_near(features[row], black[0])
    # Blanks are found again, and never handed to a loader that wants errors.
    forwarded = work()[1]
    with pytest.warns(UserWarning, match="3 of 8 images"):
        extractor(cache=cache).transform(load(paths, on_error="blank"))
    assert work()[1] == forwarded
    with pytest.raises(UnreadableImageError):
        extractor(cache=cache).transform(load(paths))


def test_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    path = save_image(tmp_path / "a.jpg", seed=1)
    prepare = ImageFile.ImageFile.load_prepare

    def replace_and_prepare(image):
        save_image(tmp_path / "a.jpg", seed=2)
        return prepare(image)

    with monkeypatch.context() as patch:
        patch.setattr(ImageFile.ImageFile, "load_prepare", replace_and_prepare)
        with pytest.raises(OSError, match="a.jpg.* changed while it was read"):
            shallow(cache=tmp_path / "store").transform(load([path]))
    features = shallow(cache=tmp_path / "store").transform(load([path]))
    np.testing.assert_allclose(
        features, shallow().transform(load([path])), rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("cached", [True, False])
def test_maps_stay_on_disk(image_paths, tmp_path, work, cached):
    maps = extractor(
        pooling=None, layer="block_6_expand", cache=tmp_path if cached else None
    ).transform(load(image_paths))
    assert isinstance(maps, LazyFeatures)
    assert maps.shape == (12, 8, 8, 192) and maps.dtype == np.float32
    pooled = extractor(layer="block_6_expand").transform(load(image_paths))
    assert_near(np.asarray(maps).mean(axis=(1, 2)), pooled)
    view = maps[[5, 0]]
    assert isinstance(view, LazyFeatures)
    np.testing.assert_array_equal(np.asarray(view), np.asarray(maps)[[5, 0]])
    np.testing.assert_array_equal(maps[7], np.asarray(maps)[7])


@pytest.mark.slow
def test_arrays_of_images(image_paths, tmp_path, expected, work):
    array = np.asarray(load(image_paths))
    for X in (array, array.astype(float), list(array)):
        features = extractor(cache=tmp_path).transform(X)
        assert_near(features, expected)
    assert work()[1] == 24  # uint8 and float pixels


@pytest.mark.parametrize(
    "parameters, error, message",
    [
        ({"backbone": "InceptonV3"}, ValueError, "Did you mean 'InceptionV3'"),
        ({"layer": "block_6_expnd"}, ValueError, "Did you mean 'block_6_expand'"),
        ({"pooling": "mean"}, ValueError, "pooling must be one of"),
        ({"dtype": "int8"}, ValueError, "'dtype' parameter.*must be"),
        ({"batch_size": 0}, ValueError, "'batch_size' parameter.*must be"),
        ({"weights": "nowhere.h5"}, FileNotFoundError, "nowhere.h5"),
        ({"weights": __file__}, ValueError, "don't fit MobileNetV2"),
        ({"layer": "global_average"}, ValueError, "layer must name"),
    ],
)
def test_invalid_parameters_raise(image_paths, parameters, error, message):
    with pytest.raises(error, match=message):
        extractor().set_params(**parameters).fit_transform(load(image_paths[:1]))


def test_images_too_small_for_the_network(image_paths):
    images = ImageLoader(40).transform(image_paths[:1])
    with pytest.raises(ValueError, match="75"):
        FeatureExtractor(weights=None).transform(images)


def test_unavailable_imagenet_weights_raise(image_paths, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def no_network(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr("socket.getaddrinfo", no_network)
    with pytest.raises(OSError, match="Put that file into") as caught:
        extractor(weights="imagenet").transform(load(image_paths[:1]))
    assert "https://" in str(caught.value)
    assert "weights" in str(caught.value)


@pytest.mark.slow
def test_feature_names_and_conventions(image_paths):
    transformer = extractor(layer="block_6_expand")
    names = transformer.get_feature_names_out()
    assert names[0] == "mobilenetv2_block_6_expand_avg_0" and len(set(names)) == 192
    parameters = transformer.get_params()
    transformer.fit_transform(load(image_paths[:1]))
    assert transformer.get_params() == parameters
    assert clone(transformer).get_params() == parameters
    assert not transformer.__sklearn_tags__().requires_fit


MEMORY = """
import sys, numpy as np
from skart import FeatureExtractor, ImageLoader

def peak():
    with open("/proc/self/status") as status:
        (line,) = (line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024

n_images, path = int(sys.argv[1]), sys.argv[2]
extractor = FeatureExtractor("VGG16", weights=None, layer="block1_pool", verbose=False)
loader = ImageLoader(300)
extractor.transform(loader.transform([path] * 60))
before = peak()
assert extractor.transform(loader.transform([path] * n_images)).shape[1] == 64
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs Linux's /proc"
)
def test_memory_does_not_grow_with_the_images(image_paths):
    """They are streamed: more of them need a fraction of the room of all."""
    n_images = 600
    grown = int(finish(start(MEMORY, n_images, image_paths[0])))
    assert grown < n_images * 300 * 300 * 3 / 2


@pytest.mark.slow
def test_ukiyo_e_prints_are_similar(inception_weights, tmp_path):
    folder = os.environ.get("SKART_PAINTINGS")
    if not folder:
        pytest.skip("SKART_PAINTINGS names no folder of real paintings")
    paintings = load_image_folder(folder)
    features = FeatureExtractor(
        weights=inception_weights, layer="mixed5", cache=tmp_path, verbose=False
    ).transform(ImageLoader(299).transform(paintings.paths))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    nearness = features @ features.T
    np.fill_diagonal(nearness, -1)
    prints = paintings.labels == "Ukiyo-e"
    nearest = paintings.labels[nearness.argmax(axis=1)]
    assert prints.sum() == 9
    assert np.sum(nearest[prints] == "Ukiyo-e") >= 6


@pytest.mark.slow
def test_verbose_false_prints_nothing(image_paths, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extractor().transform(load(image_paths))
    assert capfd.readouterr() == ("", "")


def test_random_weights_need_an_int_seed(image_paths):
    with pytest.raises(ValueError, match="random_state must be an int .* got None"):
        extractor(random_state=None).transform(load(image_paths[:2]))


@pytest.mark.slow
def test_arrays_of_different_shapes_are_different_images(tmp_path):
    store = FeatureStore(tmp_path)
    for shape in ((1, 32, 48, 3), (1, 48, 32, 3)):
        shallow(cache=store).transform(np.zeros(shape, np.uint8))
    assert store.info()["arrays"] == 2


@pytest.mark.slow
def test_unreadable_files_count_in_the_progress_bar(folder_of_images, tmp_path):
    paths, cache = folder_of_images, tmp_path / "store"
    extractor(cache=cache).transform(load(paths[:3]))
    Path(paths[4]).write_bytes(b"no image")
    with pytest.raises(UnreadableImageError, match="1 of 6 images"):
        extractor(cache=cache).transform(load(paths))


@pytest.mark.slow
def test_half_precision_on_disk(image_paths, tmp_path):
    images = load(image_paths)
    options = {"layer": "block_5_add", "pooling": None}
    store = FeatureStore(tmp_path)
    halves = extractor(cache=store, storage_dtype="float16", **options)
    maps = halves.transform(images)
    assert maps.dtype == np.asarray(maps).dtype == np.float32
    exact = np.asarray(extractor(**options).transform(images))
    # Half precision keeps 11 bits.
    np.testing.assert_allclose(maps, exact, rtol=2**-10, atol=1e-3)
    assert np.abs(np.asarray(maps) - exact).max() > 0
    # Without a store, they are the same.
    streamed = np.concatenate(
        list(halves.set_params(cache=None).iter_transform(images))
    )
    np.testing.assert_allclose(streamed, maps, rtol=2e-3, atol=1e-3)
    assert store.info()["sections"][0]["identity"]["storage_dtype"] == "float16"


def test_half_precision_overflow_raises(image_paths, monkeypatch):
    huge = extractor(storage_dtype="float16", engine="keras")
    network = huge.network((SIZE, SIZE, 3))
    monkeypatch.setattr(
        type(network),
        "predict_on_batch",
        lambda self, batch: np.full((len(batch), 4), 1e6, np.float32),
    )
    with pytest.raises(
        ValueError, match="1e[+]06 don't fit float16; pass storage_dtype"
    ):
        huge.transform(load(image_paths[:2]))


def test_keras_hub_presets_need_keras_hub(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)  # not to be imported
    hub = FeatureExtractor("keras_hub:dinov2_base", verbose=False)
    with pytest.raises(
        ImportError, match=r"needs keras-hub.*pip install 'skart\[hub\]'"
    ):
        hub.transform(np.zeros((1, SIZE, SIZE, 3), np.uint8))
