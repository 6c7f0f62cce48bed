"""Functions of a user's own as backbones."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_near
from sklearn.base import clone
from sklearn.model_selection import RandomizedSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skart import (
    Encoder,
    FeatureExtractor,
    FeatureStore,
    FineTuneClassifier,
    ImageLoader,
    make_head_search,
    make_stacked_classifier,
    make_transfer_pipeline,
)
from skart.features import LazyFeatures

SIZE = 32
LABELS = np.arange(12) % 2
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "features.md"


def mean_colour(images):
    return images.mean(axis=(1, 2))


def as_maps(images):
    return images[:, ::4, ::4] / 255


class Counting:
    """Compute mean colours, and note the number of images of each call."""

    def __init__(self):
        self.seen = []

    def __call__(self, images):
        self.seen.append(len(images))
        return mean_colour(images)


class Tensor:
    """A result that NumPy converts, or not, as a tensor of torch on a GPU."""

    def __init__(self, values, on_gpu=False):
        self.values, self.on_gpu = values, on_gpu

    def __array__(self, dtype=None, copy=None):
        if self.on_gpu:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return self.values


def extractor(function=mean_colour, *, name="mine", version="1", **parameters):
    encoder = Encoder(function, name=name, version=version, size=SIZE)
    return FeatureExtractor(encoder, **({"verbose": False} | parameters))


@pytest.fixture(scope="module")
def images(image_paths):
    return ImageLoader(SIZE).transform(image_paths)


@pytest.fixture(scope="module")
def pixels(images):
    return np.asarray(images)


def test_vectors_are_those_of_the_function(images, pixels, tmp_path):
    for parameters in ({}, {"cache": tmp_path}, {"batch_size": 5, "pooling": ["avg"]}):
        features = extractor(**parameters).fit_transform(images)
        assert features.dtype == np.float32
        np.testing.assert_array_equal(features, np.float32(mean_colour(pixels)))
    names = extractor().get_feature_names_out().tolist()
    assert names == ["mine_0", "mine_1", "mine_2"]
    framed = extractor().set_output(transform="pandas").fit_transform(images)
    assert framed.columns.tolist() == names


def test_function_gets_uint8_images_that_it_may_change(pixels):
    def invert(images):
        assert images.dtype == np.uint8 and images.flags.c_contiguous
        np.subtract(255, images, out=images)
        return mean_colour(images)

    before = pixels.copy()
    for X in (pixels, pixels.astype(np.float32)):
        features = extractor(invert, horizontal_flip=True).transform(X)
        np.testing.assert_allclose(features, 255 - mean_colour(pixels), rtol=1e-5)
    np.testing.assert_array_equal(pixels, before)


def test_preprocess_comes_before_the_function(pixels):
    encoder = Encoder(mean_colour, name="x", preprocess=lambda images: images / 255)
    np.testing.assert_allclose(
        encoder(pixels), mean_colour(pixels) / 255, rtol=1e-5, atol=1e-6
    )


def test_crops_and_mirror_images(images, pixels, tmp_path):
    crops = {"crops": 5, "crop_size": 16, "horizontal_flip": True}
    mean = extractor(cache=tmp_path, **crops).transform(images)
    joined = extractor(cache=tmp_path, crop_pooling="concat", **crops)
    features = joined.transform(images)
    np.testing.assert_array_equal(
        features[:, 3:6], np.float32(mean_colour(pixels[:, :16, :16]))
    )
    assert_near(features.reshape(12, 10, 3).mean(axis=1), mean)
    names = joined.get_feature_names_out()
    assert names[3] == "mine_top_left_0" and len(names) == features.shape[1] == 30


def test_statistics_of_maps(images, pixels):
    maps = np.float32(as_maps(pixels))
    statistics = ["avg", "max", "std", "gram"]
    pooled = extractor(as_maps, pooling=statistics)
    features = pooled.transform(images)
    gram = np.einsum("nhwc,nhwd->ncd", maps, maps) / 64
    rows, columns = np.triu_indices(3)
    gram = gram[:, rows, columns] * np.where(rows == columns, 1, np.sqrt(2))
    expected = [f(maps, axis=(1, 2)) for f in (np.mean, np.max, np.std)]
    assert_near(features, np.concatenate([*expected, gram], axis=1))
    names = pooled.get_feature_names_out().tolist()
    assert names[:4] == ["mine_avg_0", "mine_avg_1", "mine_avg_2", "mine_max_0"]
    assert len(names) == features.shape[1] == 15
    lazy = pooled.set_params(pooling=None).transform(images)
    assert isinstance(lazy, LazyFeatures)
    np.testing.assert_array_equal(np.asarray(lazy), maps)


def test_images_are_computed_once_for_a_name_and_version(images, tmp_path):
    counting = Counting()
    first = extractor(counting, cache=tmp_path).transform(images)
    extractor(counting, cache=tmp_path).transform(images[::-1])
    assert sum(counting.seen) == 12
    # The store knows functions by their names only.
    other = extractor(lambda images: counting(images) + 1, cache=tmp_path)
    np.testing.assert_array_equal(other.transform(images), first)
    assert sum(counting.seen) == 12
    other.set_params(backbone__version=2)
    np.testing.assert_allclose(other.transform(images), first + 1, rtol=1e-6)
    other.set_params(backbone__name="other")
    other.transform(images)
    assert sum(counting.seen) == 36
    assert FeatureStore(tmp_path).info()["arrays"] == 36


def test_encoder_named_as_a_network_has_features_of_its_own(
    images, toy_backbone, tmp_path
):
    network = FeatureExtractor(toy_backbone, weights=None, cache=tmp_path)
    network.transform(images)
    named = extractor(name=toy_backbone, version="random 0", cache=tmp_path)
    assert named.transform(images).shape == (12, 3)


def test_failure_keeps_the_features_of_earlier_batches(images, tmp_path):
    counting = Counting()

    def fail_once(images):
        if len(counting.seen) == 2:
            counting.seen.append(0)
            raise OSError("the network is gone")
        return counting(images)

    with pytest.raises(OSError, match="the network is gone"):
        extractor(fail_once, cache=tmp_path, batch_size=4).transform(images)
    extractor(fail_once, cache=tmp_path, batch_size=4).transform(images)
    assert counting.seen == [4, 4, 0, 4]


def test_parameters_of_scikit_learn():
    counting = Counting()
    encoder = Encoder(counting, name="mine", version="2")
    assert repr(encoder).endswith("name='mine', version='2')")
    model = clone(FeatureExtractor(encoder))
    assert model.backbone is not encoder
    assert model.backbone.function is counting
    model.set_params(backbone__size=(48, 64), backbone__name="other")
    assert model.get_params()["backbone__size"] == (48, 64)
    assert encoder.name == "mine" and encoder.size == 224
    value = object()  # nothing is validated before it is used
    names = ["function", "name", "version", "size", "preprocess"]
    assert Encoder(**dict.fromkeys(names, value)).get_params() == dict.fromkeys(
        names, value
    )
    with pytest.raises(TypeError, match="name"):
        Encoder(mean_colour)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"backbone__name": ""}, "name and version of an Encoder must not be empty"),
        ({"backbone__name": 3}, "'name' parameter of Encoder must be"),
        ({"backbone__version": None}, "'version' parameter of Encoder must be"),
        ({"backbone__function": "x"}, "'function' parameter of Encoder must be"),
        ({"backbone__preprocess": 1}, "'preprocess' parameter of Encoder must be"),
        ({"backbone__size": 2.5}, "size must be a positive int"),
        ({"backbone": mean_colour}, r"pass Encoder\(function, name=...\)"),
        ({"layer": "mixed5"}, "layer='mixed5' is for networks of Keras"),
        ({"layer": ["a", "b"]}, "the backbone is the encoder 'mine'"),
        ({"weights": None}, "weights=None is for networks of Keras"),
        ({"dtype": "bfloat16"}, "leave it at 'float32'"),
        ({"pooling": "std"}, "encoder 'mine' returns vectors: pass pooling='avg'"),
        ({"pooling": ["avg", "max"]}, "encoder 'mine' returns vectors"),
        ({"pooling": None}, "encoder 'mine' returns vectors"),
    ],
)
def test_invalid_parameters(parameters, message, images):
    with pytest.raises((TypeError, ValueError), match=message):
        extractor().set_params(**parameters).transform(images)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: None, "must return an array of numbers; got a NoneType"),
        (lambda x: {"a": 1}, "must return an array of numbers; got a dict"),
        (lambda x: [[1], [1, 2]], "must return an array of numbers; got a list"),
        (lambda x: Tensor(0, on_gpu=True), r"got a Tensor \(can't convert cuda:0"),
        (lambda x: x.mean((1, 2, 3)), r"got shape \(12,\)"),
        (lambda x: x[:, :, :, 0], r"got shape \(12, 32, 32\)"),
        (lambda x: x[:, 0, :0, 0], r"got shape \(12, 0\)"),
        (lambda x: x[:3, 0, :, 0], "got 3 rows for 12 images"),
        (lambda x: x[:, 0, :, 0] / np.float32("nan"), "for 12 of 12 images"),
        (lambda x: 1e300 * np.eye(len(x)), "not finite in float32, for 12 of 12"),
    ],
)
def test_invalid_results_name_the_encoder(function, message, images):
    with pytest.raises((TypeError, ValueError), match="encoder 'mine'.*" + message):
        extractor(function).transform(images)


def test_results_that_numpy_converts_are_arrays(images, pixels):
    features = extractor(lambda x: Tensor(mean_colour(x))).transform(images)
    np.testing.assert_array_equal(features, np.float32(mean_colour(pixels)))


@pytest.mark.parametrize("is_stored", [False, True])
def test_features_of_another_length_are_an_error(is_stored, images, tmp_path):
    calls = []

    def wider(x):
        calls.append(x)
        return x[:, 0, : 2 + len(calls), 0]

    model = extractor(wider, batch_size=6, cache=tmp_path if is_stored else None)
    message = r"mine returned features of shape \(4,\) .* and \(3,\) for others"
    with pytest.raises(ValueError, match=message):
        model.transform(images)


def test_what_needs_a_network_of_keras_says_so(images, tmp_path):
    encoder = Encoder(mean_colour, name="mine")
    with pytest.raises(TypeError, match="the backbone is the encoder 'mine'"):
        FeatureExtractor(encoder).network((SIZE, SIZE, 3))
    with pytest.raises(TypeError, match="which can be cut and trained; got Encoder"):
        FineTuneClassifier(backbone=encoder).fit(images, LABELS)
    with pytest.raises(TypeError, match="whose layers are searched; got Encoder"):
        make_head_search(cache=tmp_path, backbone=encoder)


def test_pipelines_load_images_of_its_size():
    encoder = Encoder(mean_colour, name="mine", size=(24, 48))
    assert make_transfer_pipeline(backbone=encoder)["load"].size == (24, 48)
    pipe = make_transfer_pipeline(backbone=encoder, crops=5)
    assert pipe["load"].size == (32, 64)


def test_stack_has_a_head_on_it(image_paths):
    stack = make_stacked_classifier(
        backbone=Encoder(mean_colour, name="mine", size=SIZE),
        pooling="avg",
        descriptors=["hsv"],
        cv=2,
        verbose=False,
    )
    stack.fit(image_paths, LABELS)
    assert [name for name, _ in stack.estimators] == ["mine", "handcrafted"]
    assert stack.predict_proba(image_paths).shape == (12, 2)


def make_model(function, **parameters):
    return make_pipeline(
        ImageLoader(SIZE), extractor(function, **parameters), KNeighborsClassifier(2)
    )


def test_folds_and_candidates_share_features(image_paths, tmp_path):
    counting = Counting()
    model = make_model(counting, cache=tmp_path)
    assert np.isfinite(cross_val_score(model, image_paths, LABELS, cv=2)).all()
    space = {
        "kneighborsclassifier__n_neighbors": [1, 2],
        "featureextractor__crops": [1, None],
    }
    search = RandomizedSearchCV(model, space, n_iter=2, cv=2, random_state=0)
    search.fit(image_paths, LABELS)
    # The crop of an encoder's size is the whole image.
    assert sum(counting.seen) == 12


@pytest.mark.slow
def test_worker_processes(image_paths, tmp_path):
    model = make_model(lambda images: images.mean(axis=(1, 2)), cache=tmp_path)
    scores = cross_val_score(model, image_paths, LABELS, cv=3, n_jobs=2)
    expected = cross_val_score(model, image_paths, LABELS, cv=3)
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.slow
def test_vectors_need_no_tensorflow():
    code = (
        "import sys, numpy as np; from skart import Encoder, FeatureExtractor; "
        "encoder = Encoder(lambda images: images.mean(axis=(1, 2)), name='mine'); "
        "images = np.zeros((2, 32, 32, 3), np.uint8); "
        "extractor = FeatureExtractor(encoder, crops=1, crop_size=16); "
        "assert extractor.fit_transform(images).shape == (2, 3); "
        "assert len(extractor.get_feature_names_out()) == 3; "
        "heavy = {'keras', 'tensorflow'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def recipes():
    """Return the code of the guide that needs other packages."""
    return re.findall(r"```py\n(.*?)```", GUIDE.read_text("utf-8"), flags=re.S)


@pytest.mark.skipif(not GUIDE.exists(), reason="the guide is not installed")
def test_recipes_of_the_guide_compile():
    assert len(recipes()) == 7
    for code in recipes():
        compile(code, GUIDE.name, "exec")


@pytest.mark.slow
@pytest.mark.skipif(not GUIDE.exists(), reason="the guide is not installed")
def test_onnx_recipes_of_the_guide_run(images, pixels, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    tf2onnx = pytest.importorskip("tf2onnx")
    import keras
    import tensorflow as tf

    network = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    signature = [tf.TensorSpec((None, SIZE, SIZE, 3), "float32", name="images")]
    file = tmp_path / "network.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tf2onnx.convert.from_function(
            tf.function(lambda images: {"features": network(images)}, signature),
            signature,
            inputs_as_nchw=["images"],
            output_path=str(file),
        )
    monkeypatch.chdir(tmp_path)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    scaled = np.float32(pixels) / 255
    inputs = {"session =": (scaled - mean) / std, "class OnnxEncoder": scaled}
    for start, batch in inputs.items():
        (code,) = (code for code in recipes() if f"\n{start}" in code)
        variables = {"Encoder": Encoder}
        exec(compile(code, GUIDE.name, "exec"), variables)
        features = FeatureExtractor(variables["encoder"]).transform(images)
        assert_near(features, np.asarray(network(np.float32(batch))))


def test_result_may_be_written_to_the_same_array():
    images = np.arange(6, dtype=np.uint8).repeat(48 * 48 * 3).reshape(6, 48, 48, 3)
    result = np.empty((2, 3), np.float32)

    def mean(batch):
        return np.mean(batch, axis=(1, 2), out=result[: len(batch)])

    extractor = FeatureExtractor(Encoder(mean, name="reuse"), batch_size=2)
    np.testing.assert_allclose(extractor.fit_transform(images)[:, 0], np.arange(6))
