import importlib.metadata
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import read_only, rewritten, save_image, start
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import skart
from skart import (
    FeatureExtractor,
    FeatureStore,
    ImageLoader,
    load_model,
    make_transfer_pipeline,
    save_model,
)
from skart.cli import app
from skart.cli._predict import predict_images
from skart.persistence import ModelFileError, model_info
from skart.persistence._engine import digest_model, find_engine

pytest.importorskip("ai_edge_litert", reason="skart[litert] is not installed")

LABELS = ["Cubism", "Op Art", "Op Art"] * 4
SIZE = (64, 96)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of weights of a small backbone."""
    from skart.networks._backbones import build

    file = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    build("MobileNetV2", (*SIZE, 3), seed=0).save_weights(file)
    return file


def fitted(paths, weights, labels=LABELS, **parameters):
    defaults = {"backbone": "MobileNetV2", "size": SIZE, "verbose": False}
    defaults |= {"units": 8, "epochs": 3, "random_state": 0, "scale": True}
    # A network that is cut early is converted in a moment.
    defaults |= {"optimizer__learning_rate": 0.01, "layer": "expanded_conv_project"}
    pooling = parameters.pop("pooling", "avg")
    pipe = make_transfer_pipeline(weights=weights, **(defaults | parameters))
    return pipe.set_params(features__pooling=pooling).fit(paths, labels)


@pytest.fixture(scope="module")
def kept(weights, image_paths, tmp_path_factory):
    """A model and a store that has its graphs; to be copied."""
    folder = tmp_path_factory.mktemp("kept")
    save_model(fitted(image_paths, weights), folder / "m.skart")
    predict(folder / "m.skart", image_paths[:1])
    return folder


@pytest.fixture
def model(kept, tmp_path):
    """The model's file, beside its ``cache``."""
    shutil.copytree(kept, tmp_path / "copy")
    return tmp_path / "copy" / "m.skart"


def find(model, weights=None):
    store = FeatureStore(model.parent / "cache")
    return find_engine(digest_model(model), store, model, weights)


def predict(model, paths, **options):
    """Predict, in the order of the classes."""
    predictions, failures = predict_images(
        model, paths, cache=model.parent / "cache", **options
    )
    return np.array([[p for _, p in sorted(x)] for x in predictions.values()]), failures


def keras(model, paths):
    return load_model(model).predict_proba(paths)


@pytest.fixture
def no_keras(monkeypatch):
    """Let prediction fail that loads the model itself."""

    def refuse(*args, **kwargs):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("skart.persistence.load_model", refuse)


@pytest.mark.parametrize(
    "parameters",
    [
        {"scale": False, "optimizer__learning_rate": 1e-5},
        *(
            pytest.param(parameters, marks=pytest.mark.slow)
            for parameters in (
                {"weights": None, "resize": "pad", "units": (8, 8)},
                {"layer": None},
                {
                    "backbone": "VGG16",
                    "weights": None,
                    "layer": "block3_pool",
                    "size": 32,
                },
                {"backbone": "ResNet50V2", "weights": None, "layer": None, "size": 64},
            )
        ),
    ],
    ids=["unscaled", "pad", "MobileNetV2", "VGG16", "ResNet50V2"],
)
def test_the_graphs_give_what_keras_gives(parameters, weights, image_paths, tmp_path):
    resize = parameters.pop("resize", "crop")
    pipe = fitted(image_paths, **({"weights": weights} | parameters))
    pipe.set_params(load__resize=resize)
    model = tmp_path / "m.skart"
    save_model(pipe, model)
    assert find(model) is None
    expected, _ = predict(model, image_paths[:2])
    engine = find(model)
    assert engine.classes == ["Cubism", "Op Art"]
    found, failures = engine.predict_proba(image_paths)
    np.testing.assert_allclose(found, keras(model, image_paths), atol=1e-4)
    np.testing.assert_allclose(found[:2], expected, atol=1e-4)
    assert np.ptp(found[:, 0]) > 1e-3 and failures == {}


def test_the_graphs_are_used(model, image_paths, tmp_path, no_keras):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(Path(image_paths[0]).read_bytes()[:300])
    paths = [*image_paths[:3], str(broken), str(tmp_path / "none.jpg"), image_paths[4]]
    found, failures = predict(model, paths)
    expected = keras(model, image_paths)[[0, 1, 2, 4]]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    images = ImageLoader(SIZE, on_error="blank").transform(paths)
    with pytest.warns(UserWarning, match="can't be read"):
        np.asarray(images)
    assert failures == images.failures and list(failures) == paths[3:5]


PREDICT = """
import sys
from skart.cli import main
try:
    main()
finally:
    heavy = {"keras", "tensorflow", "sklearn", "pandas", "scipy"} & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "form",
    ["json", *(pytest.param(x, marks=pytest.mark.slow) for x in ("table", "csv"))],
)
def test_the_command_answers_the_same_without_tensorflow(
    form, model, image_paths, tmp_path
):
    (tmp_path / "none.jpg").write_bytes(b"")
    paths = [*image_paths[5:8], str(tmp_path / "none.jpg")]
    arguments = [*("predict", str(model), *paths), *("--format", form, "--cache")]
    quick = start(PREDICT, *arguments, model.parent / "cache")
    answer, told = quick.communicate()
    slow = CliRunner().invoke(app, [*arguments, str(tmp_path / "no graphs yet")])
    assert quick.returncode == slow.exit_code == 1, told
    assert told == slow.stderr and told.count("\n") == 1
    # Numbers differ by rounding.
    pattern = r"\d*\.\d+(?:e-\d+)?"
    assert re.sub(pattern, "", answer) == re.sub(pattern, "", slow.stdout)
    numbers = [re.findall(pattern, text) for text in (answer, slow.stdout)]
    np.testing.assert_allclose(*np.array(numbers, float), atol=1e-4)


def test_another_model_of_the_same_name(model, weights, image_paths):
    before = predict(model, image_paths)[0]
    save_model(fitted(image_paths, weights, LABELS[::-1]), model)
    assert find(model) is None
    found, _ = predict(model, image_paths)
    np.testing.assert_allclose(found, keras(model, image_paths), atol=1e-6)
    assert np.abs(found - before).max() > 0.01
    # Its graph is kept beside that of the backbone, which both share.
    sections = FeatureStore(model.parent / "cache").info()["sections"]
    assert sum("engine" in section["identity"] for section in sections) == 3
    assert find(model) is not None


@pytest.mark.slow
def test_another_pooling_has_a_graph_of_its_own(model, weights, image_paths):
    """Its features are as many."""
    other = model.with_name("other.skart")
    save_model(fitted(image_paths, weights, pooling="max"), other)
    predict(other, image_paths[:1])
    for file in (model, other):
        found, _ = find(file).predict_proba(image_paths)
        np.testing.assert_allclose(found, keras(file, image_paths), atol=1e-4)


def test_other_weights_are_refused_as_ever(model, weights, image_paths, tmp_path):
    moved = shutil.move(weights, tmp_path / "moved.weights.h5")
    try:
        with pytest.raises(ModelFileError, match="Name the file that holds them"):
            predict(model, image_paths[:1])
        found, _ = predict(model, image_paths[:1], weights=moved)
        np.testing.assert_array_equal(
            found, find(model, moved).predict_proba(image_paths[:1])[0]
        )
        changed = bytearray(moved.read_bytes())
        changed[-1] ^= 1
        Path(weights).write_bytes(changed)
        with pytest.raises(ModelFileError, match="Name the file that holds them"):
            predict(model, image_paths[:1])
        with pytest.raises(ModelFileError, match="Name the file that holds them"):
            predict(model, image_paths[:1], weights=weights)
        with pytest.raises(FileNotFoundError, match="no file of backbone weights"):
            predict(model, image_paths[:1], weights=tmp_path / "none")
    finally:
        shutil.move(moved, weights)


@pytest.mark.parametrize("package", ["skart", "ai-edge-litert"])
def test_graphs_of_other_versions_are_left_alone(package, model, monkeypatch):
    assert find(model) is not None
    installed = importlib.metadata.version
    if package == "skart":
        monkeypatch.setattr(skart, "__version__", "1000")
    else:
        monkeypatch.setattr(
            importlib.metadata,
            "version",
            lambda name: "1000" if name == package else installed(name),
        )
    assert find(model) is None


def test_other_versions_are_told_as_ever(model, image_paths):
    info = model_info(model)
    info["versions"]["keras"] = "2.0.0"
    members = {"skart.json": json.dumps(info)}
    other = rewritten(model, model.with_name("other.skart"), members)
    for predicts in (predict, predict, lambda file, _: find(file).classes):
        with pytest.warns(UserWarning, match="saved with keras 2.0.0"):
            predicts(other, image_paths[:1])


def test_damaged_graphs_are_made_again(model, image_paths):
    file = model.parent / "cache" / "features-2.sqlite"
    content = bytearray(file.read_bytes())
    graphs = [match.start() for match in re.finditer(b"TFL3", content)]
    assert graphs
    for start_of_graph in graphs:
        content[start_of_graph + 100] ^= 0x41
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="arrays in the feature store .* damaged"):
        found, _ = predict(model, image_paths)
    np.testing.assert_allclose(found, keras(model, image_paths), atol=1e-6)
    assert find(model) is not None


@pytest.mark.slow
def test_cut_stores_are_mended(model, image_paths):
    file = model.parent / "cache" / "features-2.sqlite"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.warns(UserWarning, match="was damaged"):
        found, _ = predict(model, image_paths[:1])
    np.testing.assert_allclose(found, keras(model, image_paths[:1]), atol=1e-6)
    assert find(model) is not None


def test_a_store_that_is_read_only(model, weights, image_paths, tmp_path):
    """Its graphs are used; none are made."""
    new = model.with_name("new.skart")
    save_model(fitted(image_paths, weights, LABELS[::-1]), new)
    with read_only(model.parent / "cache"):
        assert find(model) is not None
        with pytest.warns(UserWarning, match="nothing can be written") as told:
            predict(new, image_paths[1:2])
        assert len(told) == 1 and find(new) is None


def test_nothing_is_made_where_there_is_no_store(model, tmp_path):
    shutil.rmtree(model.parent / "cache")
    assert find(model) is None
    assert digest_model(tmp_path) is digest_model(tmp_path / "none") is None
    assert not (model.parent / "cache").exists()


@pytest.mark.parametrize(
    "change",
    [
        "head",
        pytest.param("dtype", marks=pytest.mark.slow),
        "storage_dtype",
        "many",
        "litert",
    ],
)
def test_all_else_takes_the_ordinary_way(
    change, weights, image_paths, tmp_path, monkeypatch
):
    paths = image_paths[:1]
    installed = importlib.metadata.version
    extractor = FeatureExtractor(
        "MobileNetV2", weights=weights, layer="Conv1", verbose=False
    )
    pipe = fitted(image_paths, weights)
    if change == "head":
        pipe = make_pipeline(ImageLoader(SIZE), extractor, LogisticRegression())
        pipe.fit(image_paths, LABELS)
    elif change == "many":
        paths = [save_image(tmp_path / f"{i}.png", (20, 20), i) for i in range(33)]
    elif change == "litert":

        def missing(name):
            if name == "ai-edge-litert":
                raise importlib.metadata.PackageNotFoundError(name)
            return installed(name)

        monkeypatch.setattr(importlib.metadata, "version", missing)
    else:
        pipe.set_params(**{f"features__{change}": "float16"})
    model = tmp_path / "m.skart"
    save_model(pipe, model)
    found, _ = predict(model, paths)
    np.testing.assert_allclose(found, keras(model, paths), atol=1e-6)
    (section,) = FeatureStore(tmp_path / "cache").info()["sections"]
    assert "engine" not in section["identity"]


def test_network_that_cannot_be_converted_is_reported(
    weights, image_paths, tmp_path, monkeypatch
):
    import tensorflow as tf

    class Converter:
        def convert(self):
            raise RuntimeError("no such op\nand more")

    monkeypatch.setattr(
        tf.lite.TFLiteConverter,
        "from_concrete_functions",
        lambda functions, weights: Converter(),
    )
    model = tmp_path / "m.skart"
    save_model(fitted(image_paths, weights), model)
    with pytest.warns(
        UserWarning, match=r"m.skart' can't be kept as a graph.*such op\)"
    ):
        found, _ = predict(model, image_paths[:1])
    np.testing.assert_allclose(found, keras(model, image_paths[:1]), atol=1e-6)
    assert find(model) is None


@pytest.mark.parametrize("method", ["allocate_tensors", "invoke"])
def test_graph_that_cannot_be_run_is_reported(method, model, image_paths, monkeypatch):
    from ai_edge_litert.interpreter import Interpreter

    def fail(self):
        raise RuntimeError("no such op\nand more")

    if method == "invoke":
        shutil.rmtree(model.parent / "cache")
    monkeypatch.setattr(Interpreter, method, fail)
    with pytest.warns(UserWarning, match=r"LiteRT can't run it: .*no such op\)"):
        found, _ = predict(model, image_paths[:1])
    np.testing.assert_allclose(found, keras(model, image_paths[:1]), atol=1e-6)


def test_errors_of_skart_in_a_conversion_pass(
    weights, image_paths, tmp_path, monkeypatch
):
    model = tmp_path / "m.skart"
    save_model(fitted(image_paths, weights), model)

    def network(self, shape):
        raise AttributeError("a bug")

    monkeypatch.setattr(FeatureExtractor, "network", network)
    load_model(model).predict(image_paths[:1])  # does without
    with pytest.raises(AttributeError, match="a bug"):
        predict(model, image_paths[:1])


def test_the_store_knows_its_graphs(model):
    def cache(*arguments):
        folder = str(model.parent / "cache")
        return CliRunner().invoke(app, ["cache", *arguments, "--cache", folder])

    lines = cache("info").stdout.splitlines()
    assert any(line.endswith("float32, as a graph") for line in lines)
    assert any(f"the head of the model {digest_model(model)[:16]}" in x for x in lines)
    assert cache("verify").exit_code == 0
    assert cache("clear", "--yes").exit_code == 0
    assert list((model.parent / "cache").iterdir()) == []
