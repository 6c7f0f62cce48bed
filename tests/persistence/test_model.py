import copy
import inspect
import io
import json
import os
import re
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import sklearn
from helpers import head, rewritten
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skart
from skart import (
    FeatureExtractor,
    FineTuneClassifier,
    HybridCNNClassifier,
    ImageLoader,
    load_model,
    save_model,
)
from skart.classifiers import CachedClassifier
from skart.networks._backbones import build
from skart.persistence import ModelFileError, model_info


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return a file of MobileNetV2 weights, in a folder of its own."""
    file = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    build("MobileNetV2", (40, 40, 3), seed=1).save_weights(file)
    return file


class Made(dict):
    """A dict whose values are made on first access."""

    def __init__(self, make):
        self.make = make

    def __missing__(self, key):
        self[key] = self.make(key)
        return self[key]


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("cnn", "fine_tuned")]
by_kind = pytest.mark.parametrize("kind", ["head", "file", *SLOW])


@pytest.fixture(scope="module")
def models(image_paths, weights, tmp_path_factory):
    """Return fitted pipelines that take paths, by kind; read only."""
    folder = tmp_path_factory.mktemp("cache")
    movements = np.repeat(["Baroque", "Cubism", "Rococo"], 4)
    load = ("load", ImageLoader(32, cache_pixels=True))
    backbone = {"backbone": "MobileNetV2", "cache": folder}

    def make(kind):
        if kind == "cnn":
            cnn = HybridCNNClassifier(
                batch_norm=True,
                augment="light",
                dtype="mixed_bfloat16",
                epochs=1,
                random_state=0,
            )
            pipe = Pipeline([load, ("cnn", cnn)])
            return pipe.fit(image_paths, np.arange(12) // 6 + 7)
        if kind == "fine_tuned":
            extractor = FeatureExtractor(weights=None, verbose=False, **backbone)
            vectors = extractor.transform(load[1].transform(image_paths))
            model = FineTuneClassifier(
                FrozenEstimator(head(epochs=2).fit(vectors, movements)),
                weights=weights,
                unfreeze_from="block_16_project_BN",
                epochs=1,
                random_state=np.random.RandomState(0),
                verbose=0,
                **backbone,
            )
            return Pipeline([load, ("model", model)]).fit(image_paths, movements)
        extractor = FeatureExtractor(
            weights=weights if kind == "file" else None,
            layer="Conv1",
            verbose=False,
            **backbone,
        )
        last = head(units=8) if kind == "head" else LogisticRegression()
        steps = [load, ("features", extractor), ("scale", StandardScaler())]
        pipe = Pipeline([*steps, ("model", last)], memory=str(folder))
        return pipe.fit(image_paths, movements)

    return Made(make)


@pytest.fixture(scope="module")
def files(models, tmp_path_factory):
    """Return the files of the fitted pipelines, by kind; read only."""
    folder = tmp_path_factory.mktemp("files")

    def make(kind):
        save_model(models[kind], folder / f"{kind}.skart", notes={"of": kind})
        return folder / f"{kind}.skart"

    return Made(make)


PREDICT = """
import sys
import numpy as np
from skart import load_model

file, out, *paths = sys.argv[1:]
model = load_model(file)
np.savez(out, probabilities=model.predict_proba(paths), labels=model.predict(paths))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["head", *SLOW])
def test_new_process_predicts_the_same(kind, models, files, image_paths, tmp_path):
    out = tmp_path / "predicted.npz"
    subprocess.run(
        [sys.executable, "-c", PREDICT, files[kind], out, *image_paths],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with np.load(out) as predicted:
        expected = models[kind].predict_proba(image_paths)
        np.testing.assert_array_equal(predicted["probabilities"], expected)
        labels = predicted["labels"]
        np.testing.assert_array_equal(labels, models[kind].predict(image_paths))
        assert labels.dtype == models[kind].classes_.dtype
    assert [path.name for path in tmp_path.iterdir()] == ["predicted.npz"]


@pytest.mark.slow
@by_kind
def test_a_loaded_model_can_be_saved_and_fitted(
    kind, models, files, image_paths, tmp_path
):
    model, loaded = models[kind], load_model(files[kind])
    expected = loaded.predict_proba(image_paths)
    np.testing.assert_array_equal(model.predict_proba(image_paths), expected)
    save_model(loaded, tmp_path / kind)
    again = load_model(tmp_path / kind)
    np.testing.assert_array_equal(again.predict_proba(image_paths), expected)
    assert clone(loaded).get_params().keys() == model.get_params().keys()
    y = np.resize(model.classes_, len(image_paths))
    refitted = loaded.fit(image_paths, y)
    assert not np.array_equal(refitted.predict_proba(image_paths), expected)
    np.testing.assert_array_equal(model.predict_proba(image_paths), expected)


def test_network_from_scratch_is_saved(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (8, 24, 24, 3), np.uint8)
    # An eager step takes less time than tracing.
    model = HybridCNNClassifier(epochs=1, compile__run_eagerly=True, random_state=0)
    model.fit(X, np.arange(8) % 2)
    save_model(model, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart")
    # The loaded network does not run eagerly and sums in another order.
    np.testing.assert_allclose(
        loaded.predict_proba(X), model.predict_proba(X), rtol=1e-4
    )


def test_saving_does_not_change_the_model(models, tmp_path):
    network = models["head"][-1].model_
    save_model(models["head"], tmp_path / "head.skart")
    assert models["head"].memory is not None
    assert models["head"]["features"].cache is not None
    assert models["head"][-1].model_ is network


@by_kind
def test_local_folders_are_not_saved(kind, files, tmp_path):
    for key, value in load_model(files[kind]).get_params().items():
        assert value is None or not key.endswith(("cache", "memory")), key
    cached = load_model(files[kind], cache=tmp_path)
    assert cached["load"].cache_pixels is False
    assert getattr(cached[1], "cache", tmp_path) == tmp_path


@pytest.mark.parametrize(
    "kind, step",
    [
        ("file", "features"),
        pytest.param("fine_tuned", "model", marks=pytest.mark.slow),
    ],
)
def test_model_info(kind, step, files, weights):
    info = model_info(files[kind])
    assert info["notes"] == {"of": kind}
    assert info["classes"] == ["Baroque", "Cubism", "Rococo"]
    assert info["versions"]["keras"] == keras.__version__
    assert info["versions"]["skart"] == skart.__version__
    assert info["parameters"]["load__size"] == "32"
    (backbone,) = info["backbones"]
    assert backbone["step"] == step
    assert backbone["backbone"] == "MobileNetV2"
    assert backbone["file"] == str(weights)
    assert len(backbone["weights"]) == 64


def test_model_info_of_random_weights(files):
    assert model_info(files["head"])["backbones"] == [
        {
            "step": "features",
            "backbone": "MobileNetV2",
            "weights": "random 0",
            "file": None,
        }
    ]


@pytest.mark.slow
def test_model_info_of_a_network_from_scratch(files):
    assert model_info(files["cnn"])["classes"] == [7, 8]
    assert model_info(files["cnn"])["parameters"]["cnn__epochs"] == "1"
    assert model_info(files["cnn"])["backbones"] == []


def test_model_info_reads_only_the_description(files, tmp_path):
    file = rewritten(files["head"], tmp_path / "info", {"schema.json": b"damaged"})
    assert model_info(file) == model_info(files["head"])
    with pytest.raises(ModelFileError):
        load_model(file)


@by_kind
def test_files_contain_no_pickles(kind, files):
    with zipfile.ZipFile(files[kind]) as archive:
        names = set(archive.namelist())
        assert {"schema.json", "skart.json"} < names
        for name in names - {"schema.json", "skart.json"}:
            np.load(io.BytesIO(archive.read(name)), allow_pickle=False)


@pytest.mark.parametrize(
    "kind, step",
    [
        ("file", "features"),
        pytest.param("fine_tuned", "model", marks=pytest.mark.slow),
    ],
)
def test_moved_or_changed_weights_are_errors(
    kind, step, models, files, weights, image_paths, tmp_path
):
    model, file, head_file = models[kind], files[kind], files["head"]
    expected = model.predict_proba(image_paths)
    moved = tmp_path / "moved.weights.h5"
    weights.rename(moved)
    try:
        with pytest.raises(ModelFileError, match="mobilenet.*not a file.*weights="):
            load_model(file)
        # Another file has the same name.
        weights.write_bytes(b"others")
        recorded = model_info(file)["backbones"][0]["weights"]
        with pytest.raises(ModelFileError, match=f"{recorded}.*Here .*mobilenet.* is "):
            load_model(file)
        loaded = load_model(file, weights=[moved])
        np.testing.assert_array_equal(loaded.predict_proba(image_paths), expected)
        assert loaded[step].weights == str(moved)
        with pytest.raises(FileNotFoundError, match="weights='gone' is not a file"):
            load_model(file, weights="gone")
        with pytest.raises(ModelFileError, match="are not of a backbone.*'random 0'"):
            load_model(head_file, weights=moved)
    finally:
        moved.rename(weights)


def test_saving_needs_the_weights_file(files, tmp_path):
    model = load_model(files["file"])
    model["features"].set_params(weights=tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="gone.*is not a readable file"):
        save_model(model, tmp_path / "model.skart")


@pytest.mark.slow
def test_inception_is_saved(inception_weights, image_paths, tmp_path):
    extractor = FeatureExtractor(weights=inception_weights, verbose=False)
    model = make_pipeline(ImageLoader(80), extractor, head())
    model.fit(image_paths, np.arange(12) % 2)
    save_model(model, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart", weights=inception_weights)
    np.testing.assert_array_equal(
        loaded.predict_proba(image_paths), model.predict_proba(image_paths)
    )


@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(head(units=8, epochs=1), cv=2),
        CalibratedClassifierCV(LogisticRegression(), method="isotonic", cv=2),
        CalibratedClassifierCV(LogisticRegression(), method="temperature", cv=2),
        pytest.param(
            StackingClassifier(
                [("a", head(units=8, epochs=1)), ("b", LogisticRegression())], cv=2
            ),
            marks=pytest.mark.slow,
        ),
        StackingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], cv=2),
        VotingClassifier(
            [("a", GaussianNB()), ("b", LogisticRegression())], voting="soft"
        ),
        make_pipeline(
            FeatureUnion([("raw", "passthrough"), ("scaled", StandardScaler())]),
            FunctionTransformer(np.arctan),
            LogisticRegression(),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_estimators_of_scikit_learn_are_saved(model, blobs, tmp_path):
    X, y = blobs
    model = clone(model).fit(X, y)
    save_model(model, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    for method in ("predict_proba", "transform"):
        if hasattr(model, method):
            np.testing.assert_array_equal(
                getattr(loaded, method)(X), getattr(model, method)(X)
            )


def test_save_model_validates_its_parameters(fitted, tmp_path):
    with pytest.raises(NotFittedError):
        save_model(head(), tmp_path / "model.skart")
    with pytest.raises(NotFittedError):
        save_model(clone(fitted), tmp_path / "model.skart")
    with pytest.raises(TypeError, match="model must be a fitted pipeline"):
        save_model("model", tmp_path / "model.skart")
    with pytest.raises(FileNotFoundError, match="nowhere' does not exist"):
        save_model(fitted, tmp_path / "nowhere" / "model.skart")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        save_model(fitted, tmp_path)
    with pytest.raises(TypeError, match="notes must be a dict"):
        save_model(fitted, tmp_path / "model.skart", notes="mine")
    with pytest.raises(TypeError, match="notes must be serializable as JSON.*Path"):
        save_model(fitted, tmp_path / "model.skart", notes={"at": tmp_path})
    assert list(tmp_path.iterdir()) == []
    cached = CachedClassifier(fitted, memory=tmp_path / "fits")
    cached.estimator_, cached.classes_ = fitted, fitted.classes_
    with pytest.raises(TypeError, match="save its estimator_"):
        save_model(cached, tmp_path / "model.skart")


def test_saving_is_atomic(fitted, blobs, tmp_path, monkeypatch):
    file = tmp_path / "model.skart"
    save_model(fitted, file, notes={"number": 1})
    save_model(fitted, file, notes={"number": 2})
    monkeypatch.setattr("os.fsync", lambda number: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_model(fitted, file, notes={"number": 3})
    assert list(tmp_path.iterdir()) == [file]
    assert model_info(file)["notes"] == {"number": 2}
    np.testing.assert_array_equal(
        load_model(file).predict_proba(blobs[0]), fitted.predict_proba(blobs[0])
    )


def test_other_versions_are_warnings(fitted, tmp_path):
    file = tmp_path / "model.skart"
    save_model(fitted, file)
    info = model_info(file)
    patched = {**info["versions"], "keras": info["versions"]["keras"] + "1"}
    load_model(changed_info(file, tmp_path / "a", versions=patched))
    with zipfile.ZipFile(file) as archive:
        schema = archive.read("schema.json")
    schema = schema.replace(sklearn.__version__.encode(), b"1.0.2")
    load_model(rewritten(file, tmp_path / "a", {"schema.json": schema}))
    older = {**info["versions"], "keras": "3.0.5", "scikit-learn": "1.0"}
    with pytest.warns(UserWarning, match=r"keras 3\.0\.5 \(here .*scikit-learn 1\.0 "):
        load_model(changed_info(file, tmp_path / "b", versions=older))
    with pytest.raises(
        ModelFileError, match=f"saved by skart {skart.__version__}.*Upd"
    ):
        load_model(changed_info(file, tmp_path / "c", format_version=2))
    with pytest.raises(ModelFileError, match="can't be loaded.*format"):
        model_info(changed_info(file, tmp_path / "d", format="other"))


def changed_info(file, target, **changes):
    info = {**model_info(file), **changes}
    return rewritten(file, target, {"skart.json": json.dumps(info)})


def test_new_parameters_get_their_defaults(files, models, image_paths, tmp_path):
    with zipfile.ZipFile(files["head"]) as archive:
        schema = archive.read("schema.json").decode()
    assert '"crop_size":' in schema
    old = schema.replace('"crop_size":', '"of_old":').encode()
    file = rewritten(files["head"], tmp_path / "old.skart", {"schema.json": old})
    loaded = load_model(file)
    assert loaded["features"].crop_size is None
    np.testing.assert_array_equal(
        loaded.predict(image_paths), models["head"].predict(image_paths)
    )


def test_classes_are_recorded_by_their_public_names(files):
    with zipfile.ZipFile(files["head"]) as archive:
        schema = archive.read("schema.json").decode()
    names = re.findall(r'"__class__": "(\w+)",\s+"__module__": "(skart[\w.]*)"', schema)
    assert set(names) == {
        ("ImageLoader", "skart.images"),
        ("FeatureExtractor", "skart.features"),
        ("DenseHeadClassifier", "skart.classifiers"),
    }


def all_estimators():
    for package in ("classifiers", "features", "images", "model_selection"):
        for name in getattr(skart, package).__all__:
            one = getattr(getattr(skart, package), name)
            if inspect.isclass(one) and issubclass(one, BaseEstimator):
                yield one


@pytest.mark.parametrize(
    "kind", [kind for kind in all_estimators() if kind is not CachedClassifier]
)
def test_all_estimators_can_be_saved(kind, fitted, tmp_path):
    model = copy.deepcopy(fitted)
    required = {
        name: None
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind is not parameter.VAR_KEYWORD
    }
    model[0].part = kind(**required)
    save_model(model, tmp_path / "model.skart")
    assert type(load_model(tmp_path / "model.skart")[0].part) is kind
