"""Exports that `skart predict` keeps in its cache folder."""

import json
import os
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from exported_models import MOVEMENTS, SIZE, extractor, make, predict
from helpers import read_only, rewritten, run, save_image, start
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import (
    FeatureExtractor,
    ImageLoader,
    load_model,
    save_model,
)
from skart.persistence import export_model, model_info

pytest.importorskip("openvino", reason="skart[openvino] is not installed")
pytestmark = pytest.mark.usefixtures("toy_backbone")


@pytest.fixture(scope="module")
def saved(exportable, image_paths, tmp_path_factory):
    """A model file beside a cache with its export; to be copied."""
    folder = tmp_path_factory.mktemp("saved")
    save_model(exportable("head"), folder / "model.skart")
    predict(folder / "model.skart", image_paths[:1], "--cache", folder / "cache")
    return folder


@pytest.fixture
def model(saved, tmp_path):
    """A model file beside its ``cache``."""
    shutil.copytree(saved, tmp_path / "copy")
    return tmp_path / "copy" / "model.skart"


def cached(model):
    """Return the exports in a model's cache."""
    return sorted((model.parent / "cache").glob("export-*.openvino"))


def predict_cached(model, paths, *options):
    return predict(model, paths, "--cache", model.parent / "cache", *options)


@pytest.fixture
def no_keras(monkeypatch):
    """Make loading a model fail."""

    def fail(*args, **kwargs):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("skart.persistence.load_model", fail)


PREDICT = """
import sys
from skart.cli import main
try:
    main()
finally:
    heavy = {"keras", "tensorflow", "sklearn", "pandas", "scipy"} & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.mark.parametrize("kind", ["cached", "exported"])
@pytest.mark.parametrize(
    "form",
    ["json", *(pytest.param(x, marks=pytest.mark.slow) for x in ("table", "csv"))],
)
def test_prediction_imports_no_heavy_package(
    form, kind, model, exportable, image_paths, tmp_path
):
    (tmp_path / "none.jpg").write_bytes(b"")
    file = model
    if kind == "exported":
        file = tmp_path / "model.openvino"
        export_model(exportable("head"), file)
    options = [*image_paths[5:8], str(tmp_path / "none.jpg"), "--format", form]
    cache = ["--cache", str(model.parent / "cache")]
    quick = start(PREDICT, "predict", str(file), *options, *cache)
    answer, messages = quick.communicate()
    slow = run("predict", model, *options, "--cache", tmp_path / "empty")
    assert quick.returncode == slow.exit_code == 1, messages
    assert messages == slow.stderr and messages.count("\n") == 1
    # Numbers differ by rounding.
    pattern = r"\d*\.\d+(?:e-\d+)?"
    assert re.sub(pattern, "", answer) == re.sub(pattern, "", slow.stdout)
    numbers = [re.findall(pattern, text) for text in (answer, slow.stdout)]
    np.testing.assert_allclose(*np.array(numbers, float), atol=1e-4)


@pytest.mark.usefixtures("no_keras")
def test_cached_export_predicts_without_the_model(model, exportable, image_paths):
    found = predict_cached(model, image_paths)
    expected = exportable("head").predict_proba(image_paths)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_cached_export_is_of_the_very_file(model, exportable, image_paths):
    other = make("head").set_params(denseheadclassifier__random_state=1)
    save_model(other.fit(image_paths, MOVEMENTS[::-1]), model)
    found = predict_cached(model, image_paths)
    np.testing.assert_allclose(found, other.predict_proba(image_paths), atol=1e-6)
    assert len(cached(model)) == 2


def test_damaged_cached_export_is_replaced(model, exportable, image_paths):
    (file,) = cached(model)
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0x41
    file.write_bytes(content)
    found = predict_cached(model, image_paths[:2])
    expected = exportable("head").predict_proba(image_paths[:2])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert file.read_bytes() != content and cached(model) == [file]


@pytest.mark.filterwarnings("always:.*was saved with keras")
def test_cached_export_warns_of_other_versions(model, image_paths):
    info = model_info(model)
    info["versions"]["keras"] = "2.0.0"
    other = rewritten(
        model, model.with_name("other.skart"), {"skart.json": json.dumps(info)}
    )
    for _ in range(2):
        done = run("predict", other, image_paths[0], "--cache", model.parent / "cache")
        assert "saved with keras 2.0.0" in done.stderr
    assert len(cached(model)) == 2


@pytest.mark.parametrize("case", ["head", "many", "runtime"])
def test_other_predictions_keep_no_export(
    case, model, exportable, image_paths, tmp_path, monkeypatch
):
    shutil.rmtree(model.parent / "cache")
    paths = image_paths[:1]
    if case == "head":
        pipe = make_pipeline(ImageLoader(SIZE), extractor(), LogisticRegression())
        save_model(pipe.fit(image_paths, MOVEMENTS), model)
    elif case == "many":
        paths = [save_image(tmp_path / f"{i}.png", (20, 20), i) for i in range(33)]
    else:
        import importlib.metadata

        installed = importlib.metadata.version

        def version(name):
            if name == "openvino":
                raise importlib.metadata.PackageNotFoundError(name)
            return installed(name)

        monkeypatch.setattr(importlib.metadata, "version", version)
    found = predict_cached(model, paths)
    expected = load_model(model).predict_proba(paths)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert cached(model) == []


@pytest.mark.filterwarnings("always:.*can't be exported to OpenVINO")
def test_failed_export_is_a_warning(model, image_paths, monkeypatch):
    import tensorflow as tf

    def fail(*args, **kwargs):
        raise RuntimeError("no such op")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    shutil.rmtree(model.parent / "cache")
    options = ["--cache", model.parent / "cache"]
    done = run("predict", model, image_paths[0], *options)
    assert done.exit_code == 0 and done.stdout
    assert "can't be exported to OpenVINO (a layer can't be conv" in done.stderr
    assert "no such op" in done.stderr
    assert cached(model) == []


def test_errors_of_skart_in_an_export_are_raised(model, image_paths, monkeypatch):
    calls, network = [], FeatureExtractor.network

    def fail_in_export(self, input_shape):
        calls.append(input_shape)
        if len(calls) > 2 * n_calls:  # after the prediction of the command
            raise AttributeError("a bug")
        return network(self, input_shape)

    shutil.rmtree(model.parent / "cache")
    n_calls = 1
    monkeypatch.setattr(FeatureExtractor, "network", fail_in_export)
    load_model(model).predict(image_paths[:1])
    n_calls = len(calls)
    with pytest.raises(AttributeError, match="a bug"):
        run("predict", model, image_paths[0], "--cache", model.parent / "cache")


@pytest.mark.slow
def test_weights_file_is_not_needed_by_a_cached_export(image_paths, tmp_path):
    weights, model = tmp_path / "toy.weights.h5", tmp_path / "model.skart"
    keras.applications.ToyNet().save_weights(weights)
    pipe = make("head").set_params(featureextractor__weights=str(weights))
    save_model(pipe.fit(image_paths, MOVEMENTS), model)
    moved = weights.rename(tmp_path / "moved.weights.h5")
    done = run("predict", model, image_paths[0], "--cache", tmp_path / "cache")
    assert done.exit_code == 2 and "Name their file" in done.stderr
    found = predict_cached(model, image_paths[:1], "--weights", moved)
    np.testing.assert_allclose(predict_cached(model, image_paths[:1]), found, atol=1e-4)
    moved.write_bytes(b"other")
    options = ["--weights", moved, "--cache", tmp_path / "cache"]
    done = run("predict", model, image_paths[0], *options)
    assert done.exit_code == 2 and "Name their file" in done.stderr


@pytest.mark.filterwarnings("always:.*nothing can be written")
def test_read_only_cache_is_used(model, exportable, image_paths):
    cache = "--cache", model.parent / "cache"
    other = model.with_name("other.skart")
    save_model(exportable("head"), other, notes={"other": True})
    with read_only(model.parent / "cache"):
        assert not run("predict", model, image_paths[0], *cache).stderr
        done = run("predict", other, image_paths[1], *cache)
    assert done.exit_code == 0 and done.stderr.count("warning") == 1
    assert "nothing can be written" in done.stderr and len(cached(model)) == 1


def test_old_cached_exports_are_removed(model, exportable, image_paths):
    (latest,) = cached(model)
    for number in range(10):
        shutil.copy(latest, latest.with_name(f"export-{number:064x}.openvino"))
        os.utime(latest.with_name(f"export-{number:064x}.openvino"), (number, number))
    save_model(exportable("head"), model, notes={"other": True})
    predict_cached(model, image_paths[:1])
    assert len(cached(model)) == 8 and latest in cached(model)
    folder = str(model.parent / "cache")
    kept = list(Path(folder).glob("*.openvino"))  # also the converted network
    done = run("cache", "info", "--cache", folder)
    assert f"{len(kept)} " in done.stdout and "files of OpenVINO" in done.stdout
    done = run("cache", "info", "--cache", folder, "--format", "json")
    n_bytes = sum(path.stat().st_size for path in kept)
    assert json.loads(done.stdout)["openvino"] == {"files": len(kept), "bytes": n_bytes}
    assert run("cache", "clear", "--yes", "--cache", folder).exit_code == 0
    assert list(Path(folder).iterdir()) == []
