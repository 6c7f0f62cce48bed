"""Exported models, and the exports that `skart predict` keeps in its cache."""

import json
import os
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import head, read_only, rewritten, save_image, start
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from toy_backbone import CUT
from typer.testing import CliRunner

from skart import (
    FeatureExtractor,
    FineTuneClassifier,
    HybridCNNClassifier,
    ImageLoader,
    load_model,
    save_model,
)
from skart.cli import app
from skart.persistence import ExportError, ModelFileError, export_model, model_info

pytest.importorskip("ai_edge_litert", reason="skart[export] is not installed")
pytestmark = pytest.mark.usefixtures("toy_backbone")

MOVEMENTS = ["Cubism", "Op Art", "Rococo"] * 4
SIZE = (40, 56)
SUFFIXES = {"litert": ".tflite", "onnx": ".onnx"}


def needs(format):
    if format == "onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")


def extractor(**parameters):
    return FeatureExtractor(
        **({"backbone": "ToyNet", "weights": None, "verbose": False} | parameters)
    )


def make(kind):
    """Return an unfitted pipeline of a kind that can be exported."""
    load = ImageLoader(SIZE)
    train = {"epochs": 2, "random_state": 0}
    last = head(units=8, optimizer__learning_rate=0.01, **train)
    if kind == "head":
        return make_pipeline(load, extractor(), StandardScaler(), last)
    if kind == "layers":
        features = extractor(
            layer=["relu1", "relu3"], pooling="avg+std", storage_dtype="float16"
        )
        return make_pipeline(load, features, "passthrough", last)
    if kind == "constants":
        features = extractor(backbone="EfficientNetB0", layer="stem_conv")
        return make_pipeline(load, features, StandardScaler(), last)
    if kind == "crops":
        features = extractor(crops=5, crop_size=32, mirror=True, join="max")
        load = ImageLoader(SIZE, resize="pad")
        return make_pipeline(load, features, StandardScaler(with_mean=False), last)
    if kind == "cnn":
        load = ImageLoader(24)
        return make_pipeline(load, HybridCNNClassifier(augment="light", **train))
    cut = {"fine_tuned": CUT, "fine_tuned_from_input": "input"}[kind]
    model = FineTuneClassifier(
        last, backbone="ToyNet", weights=None, unfreeze_from=cut, verbose=0, **train
    )
    return make_pipeline(load, model)


SLOW = ("layers", "constants", "fine_tuned_from_input")
KINDS = [
    *("head", "crops", "fine_tuned", "cnn"),
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in SLOW),
]


@pytest.fixture(scope="module")
def models(image_paths, toy_backbone):
    """Fitted pipelines by kind; read only."""
    fitted = {}

    def get(kind):
        if kind not in fitted:
            fitted[kind] = make(kind).fit(image_paths, MOVEMENTS)
        return fitted[kind]

    return get


@pytest.fixture(scope="module")
def exported(models, tmp_path_factory):
    """Exported files of the pipeline "head" by format; read only."""
    folder = tmp_path_factory.mktemp("exported")

    def get(format):
        needs(format)
        file = folder / f"model{SUFFIXES[format]}"
        if not file.exists():
            export_model(models("head"), file, format)
        return file

    return get


def command(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def predict(file, paths, *options):
    """Return the probabilities that the command predicts."""
    done = command("predict", file, *paths, "--format", "json", *options)
    assert done.exit_code == 0, done.stderr
    return np.array(
        [
            [
                x["probability"]
                for x in sorted(row["predictions"], key=lambda x: x["movement"])
            ]
            for row in json.loads(done.stdout)
        ]
    )


both_formats = pytest.mark.parametrize(
    "format", ["litert", pytest.param("onnx", marks=pytest.mark.slow)]
)


@both_formats
@pytest.mark.parametrize("kind", KINDS)
def test_exported_probabilities_are_those_of_the_pipeline(
    kind, format, models, image_paths, tmp_path
):
    needs(format)
    file = tmp_path / f"model{SUFFIXES[format]}"
    export_model(models(kind), file, format)
    found = predict(file, image_paths)
    expected = models(kind).predict_proba(image_paths)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(expected, axis=0).max() > 1e-3
    assert os.listdir(tmp_path) == [file.name]


def test_litert_file_describes_itself(exported, models, image_paths):
    """As documented: other programs read it so."""
    import zipfile

    from ai_edge_litert.interpreter import Interpreter

    file = exported("litert")
    with zipfile.ZipFile(file) as archive:
        info = json.loads(archive.read("skart.json"))
    check_description(info)
    graph = Interpreter(model_path=str(file))
    graph.allocate_tensors()
    pixels = ImageLoader(SIZE).transform(image_paths[:1])
    graph.set_tensor(graph.get_input_details()[0]["index"], np.asarray(pixels))
    graph.invoke()
    found = graph.get_tensor(graph.get_output_details()[0]["index"])
    expected = models("head").predict_proba(image_paths[:1])
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_onnx_file_describes_itself(exported, models, image_paths):
    """As documented: other programs read it so. It takes any number of images."""
    file = exported("onnx")
    import onnxruntime

    graph = onnxruntime.InferenceSession(file)
    metadata = graph.get_modelmeta().custom_metadata_map
    check_description(json.loads(metadata["skart.json"]))
    pixels = np.asarray(ImageLoader(SIZE).transform(image_paths))
    (found,) = graph.run(["probabilities"], {"images": pixels})
    expected = models("head").predict_proba(image_paths)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def check_description(info):
    assert info["classes"] == ["Cubism", "Op Art", "Rococo"]
    assert info["steps"][0] == "ImageLoader"
    assert {"skart", "keras", "tensorflow"} < set(info["versions"])
    image = info["image"]
    assert (image["height"], image["width"], image["resize"]) == (*SIZE, "crop")
    assert "sRGB" in image["preprocessing"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LogisticRegression(), "it is a LogisticRegression, not a pipeline"),
        (
            make_pipeline(ImageLoader(), extractor(), LogisticRegression()),
            "its steps are ImageLoader, FeatureExtractor, LogisticRegression",
        ),
        (
            make_pipeline(ImageLoader(), extractor(), MinMaxScaler(), head()),
            "its steps are ImageLoader, FeatureExtractor, MinMaxScaler, Dense",
        ),
        (make_pipeline(extractor(), head()), "its steps are FeatureExtractor, Dense"),
        (
            make_pipeline(ImageLoader(), extractor(dtype="bfloat16"), head()),
            "FeatureExtractor computes in bfloat16",
        ),
        (
            make_pipeline(ImageLoader(), HybridCNNClassifier(dtype="mixed_float16")),
            "HybridCNNClassifier computes in mixed_float16",
        ),
        (
            make_pipeline(
                ImageLoader(), HybridCNNClassifier(test_time_augmentation="crops")
            ),
            "has a test_time_augmentation",
        ),
        (
            make_pipeline(ImageLoader(), extractor(backbone="keras_hub:vit"), head()),
            "keras_hub:vit is a network of keras-hub",
        ),
    ],
)
def test_models_that_cannot_be_exported(model, message, tmp_path):
    with pytest.raises(ExportError, match=f"{message}.*can be exported: ImageLoader"):
        export_model(model, tmp_path / "model.tflite")
    assert os.listdir(tmp_path) == []


def test_export_model_validates_its_parameters(models, tmp_path, monkeypatch):
    model = models("head")
    with pytest.raises(ValueError, match="'format' parameter .* Did you mean 'onnx'"):
        export_model(model, tmp_path / "model.onnx", "onn")
    with pytest.raises(ValueError, match="must end in .onnx"):
        export_model(model, tmp_path / "model.tflite", "onnx")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        export_model(model, tmp_path / "nowhere" / "model.tflite")
    with pytest.raises(ValueError, match="not fitted"):
        export_model(make("head"), tmp_path / "model.tflite")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExportError, match="onnx needs tf2onnx and onnxruntime. Run"):
        export_model(model, tmp_path / "model.onnx", "onnx")
    assert os.listdir(tmp_path) == []


def test_failed_export_leaves_the_old_file(models, tmp_path, monkeypatch):
    import tensorflow as tf

    def fail(*args):
        raise RuntimeError("no such op\nand more")

    file = tmp_path / "model.tflite"
    file.write_bytes(b"old")
    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_concrete_functions", fail)
    with pytest.raises(ExportError, match="can't be converted .*: no such op$"):
        export_model(models("head"), file)
    assert file.read_bytes() == b"old"


@both_formats
def test_damaged_exports_are_errors(format, exported, image_paths, tmp_path):
    content = exported(format).read_bytes()
    expected = predict(exported(format), image_paths[:1])
    damaged = tmp_path / f"damaged{SUFFIXES[format]}"
    for end in (20, len(content) // 2, len(content) - 1):
        damaged.write_bytes(content[:end])
        done = command("predict", damaged, image_paths[0])
        assert done.exit_code == 2 and "damaged" in done.stderr
    description = content.index(b'"height"')
    places = np.random.default_rng(0).integers(8, len(content), 60).tolist()
    for place in [*places, *range(description, len(content), 31)]:
        flipped = bytes([content[place] ^ 0x41])
        damaged.write_bytes(content[:place] + flipped + content[place + 1 :])
        done = command("predict", damaged, image_paths[0])
        if done.exit_code == 0:  # some bytes of a zip are not used
            np.testing.assert_array_equal(predict(damaged, image_paths[:1]), expected)
        else:
            assert done.exit_code == 2 and "damaged" in done.stderr, place


def test_exports_of_other_programs_and_versions(exported, image_paths, tmp_path):
    content = exported("litert").read_bytes()
    file = tmp_path / "other.tflite"
    file.write_bytes(content[: content.index(b"PK\3\4")])
    assert "not written by skart export" in command("predict", file, "a").stderr
    info = b'"format_version": '
    newer = content.replace(info + b"1", info + b"2")
    # The zip has a checksum of its own.
    rewritten(exported("litert"), file, {"skart.json": _member(newer)})
    file.write_bytes(content[: content.index(b"PK\3\4")] + file.read_bytes())
    assert "Update skart" in command("predict", file, "a").stderr


def _member(content):
    return content[content.index(b"{\n") : content.rindex(b"}") + 1]


def test_load_model_names_an_export(exported):
    for function in (load_model, model_info):
        with pytest.raises(ModelFileError, match="is an exported model, which skart"):
            function(exported("litert"))


def test_an_export_needs_its_runtime(exported, image_paths, monkeypatch):
    file = exported("litert")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = command("predict", file, image_paths[0])
    assert done.exit_code == 2
    assert "needs ai_edge_litert, which is not installed" in done.stderr


# The command.


@pytest.fixture(scope="module")
def saved(models, image_paths, tmp_path_factory):
    """A model file beside a cache with its export; to be copied."""
    folder = tmp_path_factory.mktemp("saved")
    save_model(models("head"), folder / "model.skart")
    predict(folder / "model.skart", image_paths[:1], "--cache", folder / "cache")
    return folder


@pytest.fixture
def model(saved, tmp_path):
    """A model file beside its ``cache``."""
    shutil.copytree(saved, tmp_path / "copy")
    return tmp_path / "copy" / "model.skart"


def cached(model):
    """Return the exports in a model's cache."""
    return sorted((model.parent / "cache").glob("export-*.tflite"))


def predict_cached(model, paths, *options):
    return predict(model, paths, "--cache", model.parent / "cache", *options)


@pytest.fixture
def no_keras(monkeypatch):
    """Make loading a model fail."""

    def fail(*args, **kwargs):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("skart.persistence.load_model", fail)


def test_export_command(model, image_paths, tmp_path):
    done = command("export", model)
    assert done.exit_code == 0, done.stderr
    file = model.with_suffix(".tflite")
    assert done.stdout.startswith(f"{file}: ") and "3 movements" in done.stdout
    expected = load_model(model).predict_proba(image_paths[:2])
    np.testing.assert_allclose(predict(file, image_paths[:2]), expected, atol=1e-4)
    for options, message in [
        ([], "exists already. Pass --force"),
        (["--out", tmp_path / "model.onnx"], "must end in .tflite"),
        (["--to", "onnx", "--out", tmp_path / "no" / "model.onnx"], "does not exist"),
    ]:
        done = command("export", model, *options)
        assert done.exit_code == 2 and message in done.stderr
    assert command("export", model, "--force").exit_code == 0
    done = command("predict", file, image_paths[0], "--weights", image_paths[0])
    assert done.exit_code == 2 and "leave out --weights" in done.stderr


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
    form, kind, model, exported, image_paths, tmp_path
):
    (tmp_path / "none.jpg").write_bytes(b"")
    file = model if kind == "cached" else exported("litert")
    options = [*image_paths[5:8], str(tmp_path / "none.jpg"), "--format", form]
    cache = ["--cache", str(model.parent / "cache")]
    quick = start(PREDICT, "predict", str(file), *options, *cache)
    answer, messages = quick.communicate()
    slow = command("predict", model, *options, "--cache", tmp_path / "empty")
    assert quick.returncode == slow.exit_code == 1, messages
    assert messages == slow.stderr and messages.count("\n") == 1
    # Numbers differ by rounding.
    pattern = r"\d*\.\d+(?:e-\d+)?"
    assert re.sub(pattern, "", answer) == re.sub(pattern, "", slow.stdout)
    numbers = [re.findall(pattern, text) for text in (answer, slow.stdout)]
    np.testing.assert_allclose(*np.array(numbers, float), atol=1e-4)


@pytest.mark.usefixtures("no_keras")
def test_cached_export_predicts_without_the_model(model, models, image_paths):
    found = predict_cached(model, image_paths)
    expected = models("head").predict_proba(image_paths)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_cached_export_is_of_the_very_file(model, models, image_paths):
    other = make("head").set_params(denseheadclassifier__random_state=1)
    save_model(other.fit(image_paths, MOVEMENTS[::-1]), model)
    found = predict_cached(model, image_paths)
    np.testing.assert_allclose(found, other.predict_proba(image_paths), atol=1e-6)
    assert len(cached(model)) == 2


def test_damaged_cached_export_is_replaced(model, models, image_paths):
    (file,) = cached(model)
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0x41
    file.write_bytes(content)
    found = predict_cached(model, image_paths[:2])
    expected = models("head").predict_proba(image_paths[:2])
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
        done = command(
            "predict", other, image_paths[0], "--cache", model.parent / "cache"
        )
        assert "saved with keras 2.0.0" in done.stderr
    assert len(cached(model)) == 2


@pytest.mark.parametrize("case", ["head", "many", "runtime"])
def test_other_predictions_keep_no_export(
    case, model, models, image_paths, tmp_path, monkeypatch
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
            if name == "ai-edge-litert":
                raise importlib.metadata.PackageNotFoundError(name)
            return installed(name)

        monkeypatch.setattr(importlib.metadata, "version", version)
    found = predict_cached(model, paths)
    expected = load_model(model).predict_proba(paths)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert cached(model) == []


@pytest.mark.filterwarnings("always:.*can't be exported to LiteRT")
def test_failed_export_is_a_warning(model, image_paths, monkeypatch):
    import tensorflow as tf

    def fail(*args):
        raise RuntimeError("no such op")

    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_concrete_functions", fail)
    shutil.rmtree(model.parent / "cache")
    options = ["--cache", model.parent / "cache"]
    done = command("predict", model, image_paths[0], *options)
    assert done.exit_code == 0 and done.stdout
    assert "can't be exported to LiteRT" in done.stderr and "no such op" in done.stderr
    assert cached(model) == []


def test_errors_of_skart_in_an_export_are_raised(model, image_paths, monkeypatch):
    def network(self, input_shape):
        raise AttributeError("a bug")

    shutil.rmtree(model.parent / "cache")
    monkeypatch.setattr(FeatureExtractor, "network", network)
    load_model(model).predict(image_paths[:1])  # which does not call it
    done = command("predict", model, image_paths[0], "--cache", model.parent / "cache")
    assert str(done.exception) == "a bug"


def test_weights_file_is_not_needed_by_a_cached_export(image_paths, tmp_path):
    weights, model = tmp_path / "toy.weights.h5", tmp_path / "model.skart"
    keras.applications.ToyNet().save_weights(weights)
    pipe = make("head").set_params(featureextractor__weights=str(weights))
    save_model(pipe.fit(image_paths, MOVEMENTS), model)
    moved = weights.rename(tmp_path / "moved.weights.h5")
    done = command("predict", model, image_paths[0], "--cache", tmp_path / "cache")
    assert done.exit_code == 2 and "Name their file" in done.stderr
    found = predict_cached(model, image_paths[:1], "--weights", moved)
    np.testing.assert_allclose(predict_cached(model, image_paths[:1]), found, atol=1e-4)
    moved.write_bytes(b"other")
    options = ["--weights", moved, "--cache", tmp_path / "cache"]
    done = command("predict", model, image_paths[0], *options)
    assert done.exit_code == 2 and "Name their file" in done.stderr


@pytest.mark.filterwarnings("always:.*nothing can be written")
def test_read_only_cache_is_used(model, models, image_paths):
    cache = "--cache", model.parent / "cache"
    other = model.with_name("other.skart")
    save_model(models("head"), other, notes={"other": True})
    with read_only(model.parent / "cache"):
        assert not command("predict", model, image_paths[0], *cache).stderr
        done = command("predict", other, image_paths[1], *cache)
    assert done.exit_code == 0 and done.stderr.count("warning") == 1
    assert "nothing can be written" in done.stderr and len(cached(model)) == 1


def test_old_cached_exports_are_removed(model, models, image_paths):
    (latest,) = cached(model)
    for number in range(10):
        shutil.copy(latest, latest.with_name(f"export-{number:064x}.tflite"))
        os.utime(latest.with_name(f"export-{number:064x}.tflite"), (number, number))
    save_model(models("head"), model, notes={"other": True})
    predict_cached(model, image_paths[:1])
    assert len(cached(model)) == 8 and latest in cached(model)
    folder = str(model.parent / "cache")
    assert command("cache", "clear", "--yes", "--cache", folder).exit_code == 0
    assert list(Path(folder).iterdir()) == []
