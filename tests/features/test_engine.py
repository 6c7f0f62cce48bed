import os
import pickle
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import joblib
import keras
import numpy as np
import pytest
from helpers import assert_near, finish, needs_bfloat16, start
from sklearn.base import clone

import skart
from skart import FeatureExtractor, FeatureStore
from skart.networks import load_backbone, preprocess

SIZE = 48


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)


def extractor(backbone, **parameters):
    options = {"weights": None, "verbose": False, "engine": "openvino"} | parameters
    return FeatureExtractor(backbone, **options)


def test_engines_compute_the_same(toy_backbone, images):
    settings = {"pooling": ["avg", "std"], "crops": 5, "crop_size": 32}
    for pixels in (images, images.astype(np.float32) / 2):
        found = extractor(toy_backbone, **settings).transform(pixels)
        keras_engine = extractor(toy_backbone, **settings, engine="keras")
        assert_near(found, keras_engine.transform(pixels))
    assert found.std(axis=0).mean() > 0.01


def test_maps_of_both_engines(toy_backbone, images, tmp_path):
    maps = [
        np.asarray(
            extractor(
                toy_backbone, pooling=None, cache=tmp_path, engine=engine
            ).transform(images)
        )
        for engine in ("openvino", "keras")
    ]
    assert_near(*maps)


def test_features_do_not_depend_on_the_batch(toy_backbone, images):
    together = extractor(toy_backbone).transform(images)
    alone = extractor(toy_backbone, batch_size=1).transform(images[::-1])
    np.testing.assert_array_equal(together, alone[::-1])


@needs_bfloat16
def test_bfloat16_is_less_exact(toy_backbone, images):
    exact = extractor(toy_backbone).transform(images)
    half = extractor(toy_backbone, dtype="bfloat16").transform(images)
    error = np.linalg.norm(half - exact) / np.linalg.norm(exact)
    assert 1e-4 < error < 0.1


def test_engines_do_not_share_stored_features(toy_backbone, images, tmp_path, n_passes):
    store = FeatureStore(tmp_path)
    for engine in ("openvino", "keras", "auto"):  # the last is the first
        extractor(toy_backbone, cache=store, engine=engine).transform(images)
    assert n_passes() == 2 * len(images)
    engines = [x["identity"].get("engine") for x in store.info()["sections"]]
    assert sorted(engines, key=str) == [None, "openvino"]


SCRIPT = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
import numpy as np
from skart import FeatureExtractor

cache, file = sys.argv[1:]
images = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 3), np.uint8)
extractor = FeatureExtractor("ToyNet", weights=None, cache=cache, engine="openvino")
np.save(file, extractor.transform(images))
"""


@pytest.mark.slow
def test_converted_network_is_kept_beside_the_features(toy_backbone, images, tmp_path):
    expected = extractor(toy_backbone).transform(images)
    store, file = FeatureStore(tmp_path / "store"), tmp_path / "features.npy"
    extractor(toy_backbone, cache=store).transform(images[:2])
    (kept,) = store.root.glob("network-*.openvino")
    finish(start(SCRIPT, store.root, file))
    assert_near(np.load(file), expected)
    store.clear()
    assert not kept.exists()


def test_damaged_network_is_converted_again(toy_backbone, images, tmp_path):
    first, second = FeatureStore(tmp_path / "first"), FeatureStore(tmp_path / "second")
    expected = extractor(toy_backbone, cache=first).transform(images)
    (kept,) = first.root.glob("network-*.openvino")
    second.root.mkdir()
    damaged = second.root / kept.name
    damaged.write_bytes(kept.read_bytes()[:-100])
    found = extractor(toy_backbone, cache=second).transform(images)
    np.testing.assert_array_equal(found, expected)
    with zipfile.ZipFile(damaged) as archive:
        assert archive.testzip() is None


def test_network_of_another_keras_is_converted_again(toy_backbone, images, tmp_path):
    first, second = FeatureStore(tmp_path / "first"), FeatureStore(tmp_path / "second")
    extractor(toy_backbone, cache=first).transform(images)
    (kept,) = first.root.glob("network-*.openvino")
    second.root.mkdir()
    other = second.root / kept.name
    shutil.copy(kept, other)
    with zipfile.ZipFile(other, "a") as archive:
        assert archive.comment == keras.__version__.encode()
        archive.comment = b"3.0.0"
    extractor(toy_backbone, cache=second).transform(images)
    with zipfile.ZipFile(other) as archive:
        assert archive.comment == keras.__version__.encode()


def test_float16_is_computed_by_keras(toy_backbone, images, tmp_path):
    with pytest.raises(ValueError, match="engine='openvino' computes in float32 or"):
        extractor(toy_backbone, dtype="float16").transform(images)
    half = extractor(toy_backbone, dtype="float16", engine="auto", cache=tmp_path)
    half.transform(images)
    (section,) = FeatureStore(tmp_path).info()["sections"]
    assert "engine" not in section["identity"]


def test_near_names_are_suggested(toy_backbone, images):
    with pytest.raises(ValueError, match="Did you mean 'openvino'"):
        extractor(toy_backbone, engine="openvin").fit(images)


def test_without_openvino(toy_backbone, images, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match="pip install 'skart\\[openvino\\]'"):
        extractor(toy_backbone).transform(images)
    found = extractor(toy_backbone, engine="auto").transform(images)
    expected = extractor(toy_backbone, engine="keras").transform(images)
    np.testing.assert_array_equal(found, expected)


class Unconvertible(keras.layers.Layer):
    """A layer with an operation that only TensorFlow has."""

    def call(self, inputs):
        import tensorflow as tf

        outputs = tf.numpy_function(lambda x: x, [inputs], tf.float32)
        return tf.ensure_shape(outputs, inputs.shape)


def test_network_that_cannot_be_converted(toy_backbone, images, capsys, monkeypatch):
    build = keras.applications.ToyNet

    def build_other(**options):
        network = build(**options)
        return keras.Model(network.input, Unconvertible()(network.output))

    build_other.__module__ = build.__module__
    monkeypatch.setattr(sys.modules[build.__module__], "OtherNet", build_other, False)
    monkeypatch.setattr(keras.applications, "OtherNet", build_other, False)
    found = extractor("OtherNet", engine="auto", verbose=True).transform(images)
    expected = extractor("OtherNet", engine="keras").transform(images)
    np.testing.assert_array_equal(found, expected)
    assert "OtherNet is run by Keras" in capsys.readouterr().err
    with pytest.raises(ValueError, match="OpenVINO can't run OtherNet.*engine='keras'"):
        extractor("OtherNet").transform(images)


def test_threads_workers_clones_and_copies(toy_backbone, images):
    one = extractor(toy_backbone)
    expected = one.transform(images)
    found = {"clone": clone(one).transform(images)}
    found["copy"] = pickle.loads(pickle.dumps(one)).transform(images)

    def compute(number):
        found[number] = one.transform(images)

    threads = [threading.Thread(target=compute, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for features in found.values():
        np.testing.assert_array_equal(features, expected)
    assert len(found) == 5


NAMES = ["ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0"]
NAMES += ["MobileNet", "MobileNetV3Small", "NASNetMobile", "ResNet50", "ResNet50V2"]
NAMES += ["VGG16", "Xception", "EfficientNetLite0"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_networks_compute_what_keras_does(name):
    shape = (2, 80, 80, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    network = load_backbone(name, input_shape=shape[1:], weights=None)
    expected = network.predict(preprocess(name, images), verbose=0)
    found = extractor(name).transform(images)
    assert np.linalg.norm(found - expected) < 1e-3 * np.linalg.norm(expected)


@pytest.mark.slow
def test_workers(images):
    one = extractor("MobileNet")
    tasks = [joblib.delayed(one.transform)(images)] * 2
    for features in joblib.Parallel(2)(tasks):
        assert_near(features, one.transform(images))


def test_openvino_reports_nothing(tmp_path):
    code = "from skart.networks._openvino import import_openvino; import_openvino()"
    # Without CI, in which OpenVINO reports nothing anyway.
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    source = str(Path(skart.__file__).parents[1])
    environment = kept | {"HOME": str(tmp_path), "PYTHONPATH": source}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert not list(tmp_path.iterdir())
