import io
import json
import os
import pickle
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
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skart
from skart import (
    DenseHeadClassifier,
    FeatureExtractor,
    FineTuneClassifier,
    HybridCNNClassifier,
    ImageLoader,
    ModelFileError,
    load_model,
    model_info,
    save_model,
)
from skart.networks.backbone import build
from skart.persistence._trust import ESTIMATORS


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of MobileNetV2 weights, in a folder of its own."""
    file = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    build("MobileNetV2", (40, 40, 3), seed=1).save_weights(file)
    return file


@pytest.fixture(scope="module")
def models(image_paths, weights, tmp_path_factory):
    """Three fitted pipelines of paths, by name; read only."""
    folder = tmp_path_factory.mktemp("cache")
    movements = np.repeat(["Baroque", "Cubism", "Rococo"], 4)
    backbone = {"backbone": "MobileNetV2", "verbose": False}
    extractor = FeatureExtractor(weights=None, cache=folder, **backbone)
    load = ("load", ImageLoader(40, cache="disk"))
    cnn = HybridCNNClassifier(
        batch_norm=True,
        augment="light",
        dtype="mixed_bfloat16",
        epochs=2,
        random_state=0,
    )
    fine_tuned = FineTuneClassifier(
        FrozenEstimator(
            head(epochs=2).fit(
                extractor.transform(load[1].transform(image_paths)), movements
            )
        ),
        weights=weights,
        unfreeze_from="block_16_project_BN",
        epochs=1,
        random_state=np.random.RandomState(0),
        cache=folder,
        **{**backbone, "verbose": 0},
    )
    models = {
        "head": Pipeline(
            [
                load,
                ("features", extractor),
                ("scale", StandardScaler()),
                ("head", head()),
            ],
            memory=str(folder),
        ).fit(image_paths, movements),
        "cnn": Pipeline([load, ("cnn", cnn)]).fit(image_paths, np.arange(12) // 6 + 7),
        "fine_tuned": Pipeline([load, ("model", fine_tuned)]).fit(
            image_paths, movements
        ),
    }
    return models


@pytest.fixture(scope="module")
def files(models, tmp_path_factory):
    """The same, saved."""
    folder = tmp_path_factory.mktemp("files")
    for name, model in models.items():
        save_model(model, folder / f"{name}.skart", notes={"of": name})
    return {name: folder / f"{name}.skart" for name in models}


@pytest.fixture(scope="module")
def fitted(blobs):
    """A small pipeline, without a network, and what it was fitted on."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(*blobs)


PREDICT = """
import sys
import numpy as np
from skart import load_model

folder, out, *paths = sys.argv[1:]
names = ("head", "cnn", "fine_tuned")
models = {name: load_model(f"{folder}/{name}.skart") for name in names}
np.savez(
    out,
    **{name: model.predict_proba(paths) for name, model in models.items()},
    **{f"labels of {name}": model.predict(paths) for name, model in models.items()},
)
"""


def test_a_new_process_predicts_the_same(models, files, image_paths, tmp_path):
    out = tmp_path / "predicted.npz"
    subprocess.run(
        [sys.executable, "-c", PREDICT, files["head"].parent, out, *image_paths],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with np.load(out) as predicted:
        for name, model in models.items():
            expected = model.predict_proba(image_paths)
            np.testing.assert_array_equal(predicted[name], expected, err_msg=name)
            labels = predicted[f"labels of {name}"]
            np.testing.assert_array_equal(labels, model.predict(image_paths))
            assert labels.dtype == model.classes_.dtype
    assert [path.name for path in tmp_path.iterdir()] == ["predicted.npz"]


def test_what_was_loaded_goes_on(models, files, image_paths, tmp_path):
    for name, model in models.items():
        loaded = load_model(files[name])
        expected = loaded.predict_proba(image_paths)
        save_model(loaded, tmp_path / name)
        again = load_model(tmp_path / name)
        np.testing.assert_array_equal(again.predict_proba(image_paths), expected)
        assert clone(loaded).get_params().keys() == model.get_params().keys()
        y = np.resize(model.classes_, len(image_paths))
        refitted = loaded.set_params(**{f"{loaded.steps[-1][0]}__epochs": 1})
        refitted.fit(image_paths, y)
        assert not np.array_equal(refitted.predict_proba(image_paths), expected)
        np.testing.assert_array_equal(model.predict_proba(image_paths), expected)


def test_folders_of_the_machine_stay_on_it(models, files, tmp_path):
    network = models["head"][-1].model_
    save_model(models["head"], tmp_path / "head.skart")
    assert models["head"].memory is not None
    assert models["head"]["features"].cache is not None
    assert models["head"][-1].model_ is network
    for name in files:
        for key, value in load_model(files[name]).get_params().items():
            assert value is None or not key.endswith(("cache", "memory")), key
        cached = load_model(files[name], cache=tmp_path)
        assert cached["load"].cache is None
        assert getattr(cached[1], "cache", tmp_path) == tmp_path


def test_info(files, weights):
    info = model_info(files["fine_tuned"])
    assert info["notes"] == {"of": "fine_tuned"}
    assert info["classes"] == ["Baroque", "Cubism", "Rococo"]
    assert info["versions"]["keras"] == keras.__version__
    assert info["versions"]["skart"] == skart.__version__
    assert info["parameters"]["model__epochs"] == "1"
    assert info["parameters"]["load__size"] == "40"
    (backbone,) = info["backbones"]
    assert backbone["step"] == "model"
    assert backbone["backbone"] == "MobileNetV2"
    assert backbone["file"] == str(weights)
    assert len(backbone["weights"]) == 64
    assert model_info(files["head"])["backbones"] == [
        {
            "step": "features",
            "backbone": "MobileNetV2",
            "weights": "random 0",
            "file": None,
        }
    ]
    assert model_info(files["cnn"])["classes"] == [7, 8]


def test_info_needs_nothing_else(files, tmp_path):
    file = rewritten(files["head"], tmp_path / "info", {"schema.json": b"damaged"})
    assert model_info(file) == model_info(files["head"])
    with pytest.raises(ModelFileError):
        load_model(file)


def test_files_hold_no_pickles(files):
    for file in files.values():
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            assert {"schema.json", "skart.json"} < names
            for name in names - {"schema.json", "skart.json"}:
                np.load(io.BytesIO(archive.read(name)), allow_pickle=False)


def test_weights_that_moved_or_changed(models, files, weights, image_paths, tmp_path):
    expected = models["fine_tuned"].predict_proba(image_paths)
    moved = tmp_path / "moved.weights.h5"
    weights.rename(moved)
    try:
        with pytest.raises(ModelFileError, match=r"mobilenet.*no file.*weights='file"):
            load_model(files["fine_tuned"])
        # Another file has its name by now.
        build("MobileNetV2", (40, 40, 3), seed=2).save_weights(weights)
        recorded = model_info(files["fine_tuned"])["backbones"][0]["weights"]
        with pytest.raises(ModelFileError, match=f"{recorded}.*Here .*mobilenet.* is "):
            load_model(files["fine_tuned"])
        loaded = load_model(files["fine_tuned"], weights=[moved])
        np.testing.assert_array_equal(loaded.predict_proba(image_paths), expected)
        assert loaded[-1].weights == str(moved)
        with pytest.raises(FileNotFoundError, match="weights='gone' is no file"):
            load_model(files["fine_tuned"], weights="gone")
        with pytest.raises(ModelFileError, match="are not of a backbone.*'random 0'"):
            load_model(files["head"], weights=moved)
    finally:
        moved.rename(weights)


def test_weights_from_a_file_are_found_by_extractors(weights, image_paths, tmp_path):
    extractor = FeatureExtractor("MobileNetV2", weights=weights, verbose=False)
    model = make_pipeline(ImageLoader(40), extractor, LogisticRegression())
    model.fit(image_paths, np.arange(12) % 2)
    save_model(model, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart")
    assert loaded[1].weights == str(weights)
    np.testing.assert_array_equal(
        loaded.predict_proba(image_paths), model.predict_proba(image_paths)
    )
    model[1].set_params(weights=tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="gone.*is no file"):
        save_model(model, tmp_path / "model.skart")


def test_inception(inception_weights, image_paths, tmp_path):
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
        CalibratedClassifierCV(head(epochs=1), cv=2),
        CalibratedClassifierCV(LogisticRegression(), method="isotonic"),
        CalibratedClassifierCV(LogisticRegression(), method="temperature"),
        StackingClassifier([("a", head(epochs=1)), ("b", LogisticRegression())], cv=2),
        VotingClassifier([("a", head(epochs=1)), ("b", LogisticRegression())]),
        make_pipeline(
            FeatureUnion([("raw", "passthrough"), ("scaled", StandardScaler())]),
            FunctionTransformer(np.arctan),
            head(epochs=1),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_with_scikit_learn(model, blobs, tmp_path):
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


@keras.saving.register_keras_serializable("test_persistence")
class Shift(keras.layers.Layer):
    def call(self, images):
        return images + 1


class Own(BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X


def double(X):
    return 2 * X


@pytest.mark.parametrize(
    "model, message",
    [
        (head(callbacks=[keras.callbacks.Callback()]), r"head__callbacks=.*=None"),
        (head(callbacks=keras.callbacks.TerminateOnNaN), "head__callbacks="),
        (
            DenseHeadClassifier(4, epochs=1, optimizer=keras.optimizers.SGD()),
            "head__optimizer=.* or a name",
        ),
        (head(optimizer=keras.optimizers.SGD), "head__optimizer="),
        (
            DenseHeadClassifier(
                4,
                epochs=1,
                optimizer__learning_rate=keras.optimizers.schedules.CosineDecay(0.1, 9),
            ),
            "head__optimizer__learning_rate=",
        ),
        (
            head(compile__loss_weights={"a": {"class_name": "Lambda", "config": {}}}),
            "head__compile__loss_weights=",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parameters_that_are_not_safe(model, message, blobs, tmp_path):
    pipe = Pipeline([("scale", StandardScaler()), ("head", model)])
    if "loss_weights" not in message:
        pipe.fit(*blobs)
    else:
        pipe.set_params(head__compile__loss_weights=None)
        pipe.fit(*blobs).set_params(**{"head__compile__loss_weights": {}})
        pipe[-1].compile__loss_weights = model.compile__loss_weights
    with pytest.raises(TypeError, match=message):
        save_model(pipe, tmp_path / "model.skart")
    assert list(tmp_path.iterdir()) == []
    name = message.split("=")[0]
    save_model(pipe.set_params(**{name: None}), tmp_path / "model.skart")


@pytest.mark.parametrize(
    "model, error, message",
    [
        (
            make_pipeline(FunctionTransformer(double)),
            TypeError,
            "er__func=<function do",
        ),
        (make_pipeline(Own()), TypeError, "test_persistence.Own"),
        (
            Pipeline([("forest", RandomForestClassifier(2))]),
            TypeError,
            r"forest__estimators___0__tree_ holds sklearn.tree._tree.Tree",
        ),
        (
            RandomizedSearchCV(LogisticRegression(), {"C": [1, 2]}, n_iter=2),
            TypeError,
            "save its best_estimator_",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parts_that_are_not_safe(model, error, message, blobs, tmp_path):
    with pytest.raises(error, match=message):
        save_model(model.fit(*blobs), tmp_path / "model.skart")
    assert list(tmp_path.iterdir()) == []


def test_layers_of_the_user(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    model = HybridCNNClassifier(augment=Shift(), epochs=1).fit(X, np.arange(8) % 2)
    with pytest.raises(TypeError, match="augment=<Shift"):
        save_model(model, tmp_path / "model.skart")
    with pytest.raises(TypeError, match="model_ can't be saved.*Shift.*augment='light"):
        save_model(model.set_params(augment=None), tmp_path / "model.skart")
    assert list(tmp_path.iterdir()) == []
    pickle.loads(pickle.dumps(model)).predict(X)  # who unpickles trusts it


def test_arguments_of_save_model(fitted, tmp_path):
    with pytest.raises(NotFittedError):
        save_model(head(), tmp_path / "model.skart")
    with pytest.raises(NotFittedError):
        save_model(clone(fitted), tmp_path / "model.skart")
    with pytest.raises(TypeError, match="model must be a fitted pipeline"):
        save_model("model", tmp_path / "model.skart")
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        save_model(fitted, tmp_path / "nowhere" / "model.skart")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        save_model(fitted, tmp_path)
    with pytest.raises(TypeError, match="notes must be a dict"):
        save_model(fitted, tmp_path / "model.skart", notes="mine")
    with pytest.raises(TypeError, match="notes must hold .*Path"):
        save_model(fitted, tmp_path / "model.skart", notes={"at": tmp_path})
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_replaced_or_stays(fitted, blobs, tmp_path, monkeypatch):
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


def test_versions(fitted, tmp_path):
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


def test_files_from_before_a_parameter_was_there(files, models, image_paths, tmp_path):
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


def test_all_estimators_can_be_saved():
    public = [getattr(skart, name) for name in skart.__all__]
    names = [
        one.__name__
        for one in public
        if isinstance(one, type) and issubclass(one, BaseEstimator)
    ]
    assert sorted(names) == sorted(ESTIMATORS)
