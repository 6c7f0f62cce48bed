"""Files written by `export_model`, and running them by `skart predict`."""

import json
import os
import zipfile

import numpy as np
import pytest
from exported_models import SIZE, extractor, make, predict
from helpers import head, rewritten, run
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skart import (
    HybridCNNClassifier,
    ImageLoader,
    load_model,
    save_model,
)
from skart.persistence import ExportError, ModelFileError, export_model, model_info

pytest.importorskip("openvino", reason="skart[openvino] is not installed")
pytestmark = pytest.mark.usefixtures("toy_backbone")

SUFFIXES = {"openvino": ".openvino", "onnx": ".onnx"}


def needs(format):
    if format == "onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")


SLOW = ("layers", "constants", "fine_tuned_from_input")
KINDS = [
    *("head", "crops", "fine_tuned", "cnn"),
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in SLOW),
]


@pytest.fixture(scope="module")
def exported(exportable, tmp_path_factory):
    """Exported files of the pipeline "head" by format; read only."""
    folder = tmp_path_factory.mktemp("exported")

    def get(format):
        needs(format)
        file = folder / f"model{SUFFIXES[format]}"
        if not file.exists():
            export_model(exportable("head"), file, format=format)
        return file

    return get


both_formats = pytest.mark.parametrize(
    "format", ["openvino", pytest.param("onnx", marks=pytest.mark.slow)]
)


@pytest.mark.slow
@both_formats
@pytest.mark.parametrize("kind", KINDS)
def test_exported_probabilities_are_those_of_the_pipeline(
    kind, format, exportable, image_paths, tmp_path
):
    needs(format)
    file = tmp_path / f"model{SUFFIXES[format]}"
    export_model(exportable(kind), file)
    found = predict(file, image_paths)
    expected = exportable(kind).predict_proba(image_paths)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(expected, axis=0).max() > 1e-3
    assert os.listdir(tmp_path) == [file.name]


def test_openvino_file_describes_itself(exported, exportable, image_paths):
    """As documented: other programs read it so."""
    import openvino

    with zipfile.ZipFile(exported("openvino")) as archive:
        info = json.loads(archive.read("skart.json"))
        parts = [archive.read(f"network.{kind}") for kind in ("xml", "bin")]
    check_description(info)
    graph = openvino.Core().read_model(*parts)
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    graph = openvino.Core().compile_model(graph, "CPU", options)
    pixels = ImageLoader(SIZE).transform(image_paths[:1])
    found = graph({"images": np.asarray(pixels)})["probabilities"]
    expected = exportable("head").predict_proba(image_paths[:1])
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_onnx_file_describes_itself(exported, exportable, image_paths):
    """As documented: other programs read it so. It takes any number of images."""
    file = exported("onnx")
    import onnxruntime

    graph = onnxruntime.InferenceSession(file)
    metadata = graph.get_modelmeta().custom_metadata_map
    check_description(json.loads(metadata["skart.json"]))
    pixels = np.asarray(ImageLoader(SIZE).transform(image_paths))
    (found,) = graph.run(["probabilities"], {"images": pixels})
    expected = exportable("head").predict_proba(image_paths)
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
    ],
)
def test_models_that_cannot_be_exported(model, message, tmp_path):
    with pytest.raises(ExportError, match=f"{message}.*can be exported: ImageLoader"):
        export_model(model, tmp_path / "model.openvino")
    assert os.listdir(tmp_path) == []


def test_export_model_validates_its_parameters(exportable, tmp_path, monkeypatch):
    model = exportable("head")
    with pytest.raises(ValueError, match="'format' parameter .* Did you mean 'onnx'"):
        export_model(model, tmp_path / "model.onnx", format="onn")
    with pytest.raises(ValueError, match="must end in .onnx"):
        export_model(model, tmp_path / "model.openvino", format="onnx")
    with pytest.raises(ValueError, match="must end in .openvino or .onnx"):
        export_model(model, tmp_path / "model.skart")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        export_model(model, tmp_path / "nowhere" / "model.openvino")
    with pytest.raises(ValueError, match="not fitted"):
        export_model(make("head"), tmp_path / "model.openvino")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="onnx needs tf2onnx and onnxruntime. Run"):
        export_model(model, tmp_path / "model.onnx")
    assert os.listdir(tmp_path) == []


def test_failed_export_leaves_the_old_file(exportable, tmp_path, monkeypatch):
    import tensorflow as tf

    def fail(*args, **kwargs):
        raise RuntimeError("no such op")

    file = tmp_path / "model.openvino"
    file.write_bytes(b"old")
    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(ExportError, match="can't be converted .*: no such op$"):
        export_model(exportable("head"), file)
    assert file.read_bytes() == b"old"


@pytest.mark.slow
@both_formats
def test_damaged_exports_are_errors(format, exported, image_paths, tmp_path):
    content = exported(format).read_bytes()
    expected = predict(exported(format), image_paths[:1])
    damaged = tmp_path / f"damaged{SUFFIXES[format]}"
    for end in (20, len(content) // 2, len(content) - 1):
        damaged.write_bytes(content[:end])
        done = run("predict", damaged, image_paths[0])
        assert done.exit_code == 2 and "damaged" in done.stderr
    description = content.index(b'"height"')
    places = np.random.default_rng(0).integers(8, len(content), 60).tolist()
    for place in [*places, *range(description, len(content), 31)]:
        flipped = bytes([content[place] ^ 0x41])
        damaged.write_bytes(content[:place] + flipped + content[place + 1 :])
        done = run("predict", damaged, image_paths[0])
        if done.exit_code == 0:  # some bytes of a zip are not used
            np.testing.assert_array_equal(predict(damaged, image_paths[:1]), expected)
        else:
            assert done.exit_code == 2 and "damaged" in done.stderr, place


def test_exports_of_other_programs_and_versions(exported, tmp_path):
    file = tmp_path / "other.openvino"
    with zipfile.ZipFile(exported("openvino")) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    text = content.pop("skart.json")
    version = b'"format_version": '
    newer = {"skart.json": text.replace(version + b"1", version + b"2")}
    for members, message in [
        (content, "not written by skart export"),
        (content | newer, "Update skart"),
        (content | {"skart.json": b"[]"}, "damaged"),
        (newer, "not written by skart export"),
    ]:
        with zipfile.ZipFile(file, "w") as archive:
            for name, value in members.items():
                archive.writestr(name, value)
        assert message in run("predict", file, "a").stderr
    rewritten(exported("openvino"), file, {}, zipfile.ZIP_DEFLATED)
    assert "it is compressed" in run("predict", file, "a").stderr


def test_load_model_names_an_export(exported):
    for function in (load_model, model_info):
        with pytest.raises(ModelFileError, match="is an exported model, which skart"):
            function(exported("openvino"))
        with pytest.raises(ModelFileError, match="is an ONNX model, which skart pred"):
            function(exported("onnx"))


def test_an_export_needs_its_runtime(exported, image_paths, monkeypatch):
    file = exported("openvino")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = run("predict", file, image_paths[0])
    assert done.exit_code == 2
    assert "needs openvino, which is not installed" in done.stderr


def test_export_command(exportable, image_paths, tmp_path):
    model = tmp_path / "model.skart"
    save_model(exportable("head"), model)
    done = run("export", model)
    assert done.exit_code == 0, done.stderr
    file = model.with_suffix(".openvino")
    assert done.stdout.startswith(f"{file}: ") and "3 movements" in done.stdout
    expected = load_model(model).predict_proba(image_paths[:2])
    np.testing.assert_allclose(predict(file, image_paths[:2]), expected, atol=1e-4)
    for options, message in [
        ([], "exists already. Pass --force"),
        (["--out", tmp_path / "model.zip"], "must end in .openvino"),
        (["--to", "onnx", "--out", tmp_path / "no" / "model.onnx"], "does not exist"),
    ]:
        done = run("export", model, *options)
        assert done.exit_code == 2 and message in done.stderr
    assert run("export", model, "--force").exit_code == 0
    done = run("predict", file, image_paths[0], "--weights", image_paths[0])
    assert done.exit_code == 2 and "leave out --weights" in done.stderr


def test_export_command_takes_the_format_from_the_suffix(exportable, tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    save_model(exportable("head"), tmp_path / "model.skart")
    out = tmp_path / "served.onnx"
    done = run("export", tmp_path / "model.skart", "--out", out, code=0)
    assert done.stdout.startswith(f"{out}: ")
