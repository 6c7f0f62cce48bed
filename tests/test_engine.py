import importlib.metadata
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import read_only, rewritten, start
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

from skart import (
    FeatureExtractor,
    FeatureStore,
    ImageLoader,
    ModelFileError,
    _engine,
    load_model,
    make_transfer_pipeline,
    model_info,
    save_model,
)
from skart._engine import digest_model, find_engine
from skart.cli import app
from skart.commands import prediction
from skart.commands.prediction import predict_images

pytest.importorskip("ai_edge_litert", reason="skart[litert] is not installed")

LABELS = ["Cubism", "Op Art", "Op Art"] * 4
SIZE = (64, 96)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of weights of a small backbone."""
    from skart.networks.backbone import build

    file = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    build("MobileNetV2", (*SIZE, 3), seed=0).save_weights(file)
    return file


def fitted(paths, weights, labels=LABELS, **parameters):
    defaults = {"backbone": "MobileNetV2", "size": SIZE, "verbose": False}
    defaults |= {"units": 8, "epochs": 3, "random_state": 0, "scale": True}
    defaults |= {"optimizer__learning_rate": 0.01}
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

    monkeypatch.setattr(prediction, "load_pipeline", refuse)


@pytest.mark.parametrize(
    "parameters",
    [
        {"scale": False, "optimizer__learning_rate": 1e-5},
        {"weights": None, "resize": "pad"},
        {"backbone": "VGG16", "weights": None, "layer": "block3_pool", "size": 32},
        {"backbone": "ResNet50V2", "weights": None, "units": (8, 8), "size": 64},
    ],
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


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_the_command_answers_the_same_without_tensorflow(
    form, model, image_paths, tmp_path, monkeypatch
):
    (tmp_path / "none.jpg").write_bytes(b"")
    paths = [*image_paths[5:8], str(tmp_path / "none.jpg")]
    arguments = [*("predict", str(model), *paths), *("--format", form, "--cache")]
    arguments.append(str(model.parent / "cache"))
    quick = start(PREDICT, *arguments)
    answer, told = quick.communicate()
    monkeypatch.setattr(prediction, "_FEW", 0)
    slow = CliRunner().invoke(app, arguments)
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


@pytest.mark.parametrize(
    "name", ["_ENGINE_VERSION", "DECODER_VERSION", "EXTRACTOR_VERSION"]
)
def test_graphs_of_other_versions_are_left_alone(name, model, monkeypatch):
    assert find(model) is not None
    monkeypatch.setattr(_engine, name, 1000)
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
    content = file.read_bytes()
    # In the middle of the graph of the backbone, by far the largest value.
    middle = len(content) // 2
    file.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])
    with pytest.warns(UserWarning, match="1 arrays in the feature store .* damaged"):
        found, _ = predict(model, image_paths)
    np.testing.assert_allclose(found, keras(model, image_paths), atol=1e-6)
    assert find(model) is not None


def test_cut_stores_are_mended(model, image_paths):
    file = model.parent / "cache" / "features-2.sqlite"
    file.write_bytes(file.read_bytes()[: 2**20])
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


@pytest.mark.parametrize("change", ["head", "dtype", "storage_dtype", "many", "litert"])
def test_all_else_takes_the_ordinary_way(
    change, weights, image_paths, tmp_path, monkeypatch
):
    paths = image_paths[:1]
    extractor = FeatureExtractor("MobileNetV2", weights=weights, verbose=False)
    pipe = fitted(image_paths, weights)
    if change == "head":
        pipe = make_pipeline(ImageLoader(SIZE), extractor, LogisticRegression())
        pipe.fit(image_paths, LABELS)
    elif change == "many":
        monkeypatch.setattr(prediction, "_FEW", 2)
        paths = image_paths[:3]
    elif change == "litert":

        def missing(name):
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(_engine.importlib.metadata, "version", missing)
    else:
        pipe.set_params(**{f"features__{change}": "float16"})
    model = tmp_path / "m.skart"
    save_model(pipe, model)
    found, _ = predict(model, paths)
    np.testing.assert_allclose(found, keras(model, paths), atol=1e-6)
    (section,) = FeatureStore(tmp_path / "cache").info()["sections"]
    assert "engine" not in section["identity"]


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
