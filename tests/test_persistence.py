import io
import json
import os
import pickle
import subprocess
import sys
import warnings
import zipfile

import joblib
import keras
import numpy as np
import pytest
import skops.io
from helpers import head
from PIL import Image
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
from skart.networks import hybrid_cnn, make_augmentation
from skart.networks.backbone import build
from skart.networks.description import check_description, describe
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
        y = np.repeat([1, 2], 6)
        assert clone(loaded).fit(image_paths, y).classes_.tolist() == [1, 2]
        assert loaded.fit(image_paths, y).classes_.tolist() == [1, 2]
        assert model.classes_.tolist() != [1, 2]


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
        caches = [cached[1].cache, cached["load"].cache]
        assert caches == [None if name == "cnn" else tmp_path, None]


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
        CalibratedClassifierCV(head(epochs=1), method="isotonic", cv=2),
        CalibratedClassifierCV(head(epochs=1), method="temperature", cv=2),
        StackingClassifier([("a", head(epochs=1)), ("b", LogisticRegression())], cv=2),
        VotingClassifier([("a", head(epochs=1)), ("b", LogisticRegression())]),
        make_pipeline(
            FeatureUnion([("raw", "passthrough"), ("scaled", StandardScaler())]),
            FunctionTransformer(np.arctan),
            head(epochs=1),
        ),
    ],
    ids=str,
)
def test_with_scikit_learn(model, blobs, tmp_path):
    X, y = blobs
    model = clone(model).fit(X, y)
    save_model(model, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X)) if hasattr(
        model, "transform"
    ) else None


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
        (head(optimizer=keras.optimizers.SGD()), "head__optimizer=.* or a name"),
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
    ids=str,
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
    ids=str,
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
    older = {**info["versions"], "keras": "3.0.5", "scikit-learn": "1.0"}
    with pytest.warns(UserWarning, match=r"keras 3\.0\.5 \(here .*scikit-learn 1\.0 "):
        load_model(changed_info(file, tmp_path / "b", versions=older))
    with pytest.raises(
        ModelFileError, match=f"saved by skart {skart.__version__}.*Upd"
    ):
        load_model(changed_info(file, tmp_path / "c", format_version=2))
    # scikit-learn itself warns of patch releases.
    schema = member(file, "schema.json").replace(b"1.", b"1.", 0)
    state = json.loads(schema)
    with pytest.raises(ModelFileError, match="can't be loaded.*format"):
        model_info(changed_info(file, tmp_path / "d", format="other"))
    assert state["_skops_version"]


def member(file, name):
    with zipfile.ZipFile(file) as archive:
        return archive.read(name)


def rewritten(file, target, members, compression=zipfile.ZIP_STORED):
    """Copy a model file with other members."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            content = members.get(name, source.read(name))
            archive.writestr(name, content, compression)
    return target


def changed_info(file, target, **changes):
    info = {**model_info(file), **changes}
    return rewritten(file, target, {"skart.json": json.dumps(info)})


def test_other_files(fitted, files, blobs, tmp_path):
    save_model(fitted, tmp_path / "model.skart")
    joblib.dump(fitted, tmp_path / "joblib")
    joblib.dump(fitted, tmp_path / "compressed", compress=3)
    (tmp_path / "pickle").write_bytes(pickle.dumps(fitted))
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("a model")
    (tmp_path / "folder").mkdir()
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    network.save(tmp_path / "a.keras")
    network.save_weights(tmp_path / "a.weights.h5")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    skops.io.dump(fitted, tmp_path / "a.skops")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a", "b")
    rewritten(tmp_path / "model.skart", tmp_path / "deflated", {}, zipfile.ZIP_DEFLATED)
    for name, message in {
        "joblib": "is a pickle, which can run code when opened; skart does not open",
        "pickle": "is a pickle",
        "compressed": "is compressed, as pickles",
        "empty": "is empty",
        "text": "is no model",
        "folder": "is a folder",
        "a.keras": "is a Keras model",
        "a.weights.h5": "is an HDF5 file",
        "a.jpg": r"is an image \(JPEG\)",
        "a.skops": "is a skops file without skart.json",
        "zip": "is a zip file",
        "deflated": "compressed",
    }.items():
        for function in (load_model, model_info):
            with pytest.raises(ModelFileError, match=f"{name}' .*{message}"):
                function(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="gone.*does not exist"):
        load_model(tmp_path / "gone")


def test_damage(fitted, blobs, tmp_path):
    file, damaged = tmp_path / "model.skart", tmp_path / "damaged"
    save_model(fitted, file)
    content = file.read_bytes()
    expected = fitted.predict_proba(blobs[0])
    for end in {*range(1, len(content), len(content) // 40), len(content) - 1}:
        damaged.write_bytes(content[:end])
        with pytest.raises(ModelFileError, match="damaged"):
            load_model(damaged)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    inside = [
        member.header_offset + 30 + len(member.filename) + member.file_size // 2
        for member in members
    ]
    for place in inside:
        damaged.write_bytes(flipped(content, place))
        with pytest.raises(ModelFileError, match="damaged"):
            load_model(damaged)
    # Some bytes between members mean nothing, times for instance.
    others = np.random.default_rng(0).integers(0, len(content), 60).tolist()
    for place in [*others, *range(len(content) - 160, len(content), 3)]:
        damaged.write_bytes(flipped(content, place))
        try:
            loaded = load_model(damaged)
        except ModelFileError:
            continue
        np.testing.assert_array_equal(loaded.predict_proba(blobs[0]), expected)


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :]


# Files of attackers. Each would make a file, the marker, if its code ran.


def forged(value, target, backbones=()):
    """Write a file of skops with any value, as a model file."""
    skops.io.dump(value, target)
    info = json.loads(INFO) | {"backbones": list(backbones)}
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("skart.json", json.dumps(info))
    return target


def forged_schema(schema, target):
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("schema.json", json.dumps({"protocol": 2, **schema}))
        archive.writestr("skart.json", INFO)
    return target


@pytest.fixture(scope="module", autouse=True)
def info_of_a_file(blobs, tmp_path_factory):
    global INFO
    file = tmp_path_factory.mktemp("info") / "model.skart"
    save_model(LogisticRegression().fit(*blobs), file)
    INFO = member(file, "skart.json")


def node(module, name, loader, **more):
    return {"__module__": module, "__class__": name, "__loader__": loader, **more}


def text(value):
    return node("builtins", "str", "JsonNode", content=json.dumps(value), is_json=True)


def calls(marker):
    """Values that run code when skops builds them, were they trusted."""
    command = f"touch {marker}"
    arguments = node("builtins", "tuple", "TupleNode", content=[text(command)])
    shell = node(
        "builtins",
        "tuple",
        "TupleNode",
        content=[text(["touch", str(marker)])],
    )
    return {
        "os.system": node(
            "os", "system", "ConstructorFromReduceNode", content=arguments
        ),
        "subprocess.Popen": node(
            "subprocess", "Popen", "ConstructorFromReduceNode", content=shell
        ),
        "os.system by keys": node(
            "builtins",
            "dict",
            "DictNode",
            content={command: text(1)},
            key_types=node(
                "builtins",
                "list",
                "ListNode",
                content=[node("os", "system", "FunctionNode")],
            ),
        ),
        "operator.methodcaller": node(
            "operator", "methodcaller", "OperatorFuncNode", attrs=arguments
        ),
        "functools.partial": node(
            "functools",
            "partial",
            "PartialNode",
            content={
                "func": node("os", "system", "FunctionNode"),
                "args": arguments,
                "kwds": text({}),
                "namespace": text({}),
            },
        ),
    }


@pytest.mark.parametrize("name", list(calls("")))
@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_calls_in_a_skops_file(name, protocol, tmp_path):
    marker = tmp_path / "marker"
    call = calls(marker)[name]
    state = node(
        "builtins",
        "dict",
        "DictNode",
        content={"steps": call},
        key_types=node(
            "builtins",
            "list",
            "ListNode",
            content=[node("builtins", "str", "TypeNode")],
        ),
    )
    schema = node("sklearn.pipeline", "Pipeline", "ObjectNode", content=state)
    file = forged_schema({**schema, "protocol": protocol}, tmp_path / "forged")
    with pytest.raises(ModelFileError, match=name.split(" ")[0]):
        load_model(file)
    assert not marker.exists()


class Payload(BaseEstimator):
    def __init__(self, marker=None):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)

    def __setstate__(self, state):
        os.system(f"touch {state['marker']}")


def test_values_in_a_skops_file(tmp_path):
    marker = tmp_path / "marker"
    for value, message in [
        (make_pipeline(FunctionTransformer(os.system)), "was not loaded.*posix.system"),
        (make_pipeline(FunctionTransformer(subprocess.run)), "subprocess.run"),
        (make_pipeline(Payload(str(marker))), "Payload"),
        (head(callbacks=keras.callbacks.ModelCheckpoint), "ModelCheckpoint"),
        (["no estimator"], "a list is no estimator"),
        (head(compile__loss={"class_name": "Lambda"}), "compile__loss in it is not"),
        (head(compile__metrics=[{"class_name": "Lambda"}]), "compile__metrics in it"),
    ]:
        with pytest.raises(ModelFileError, match=message):
            load_model(forged(value, tmp_path / "forged"))
        assert not marker.exists()


def test_pickles_are_not_opened(tmp_path):
    marker = tmp_path / "marker"
    file = tmp_path / "pickle"
    for protocol in (0, 2, 5):
        file.write_bytes(pickle.dumps(Payload(marker), protocol))
        for function in (load_model, model_info):
            with pytest.raises(ModelFileError, match="is a pickle|is no model"):
                function(file)
    assert not marker.exists()
    pickle.loads(file.read_bytes())
    assert marker.exists()  # it was armed


def test_arrays_of_pickles(fitted, tmp_path):
    marker = tmp_path / "marker"
    save_model(fitted, tmp_path / "model.skart")
    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload(marker)], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "model.skart") as archive:
        arrays = [name for name in archive.namelist() if name.endswith(".npy")]
    members = dict.fromkeys(arrays, buffer.getvalue())
    file = rewritten(tmp_path / "model.skart", tmp_path / "forged", members)
    with pytest.raises(ModelFileError, match="allow_pickle=False"):
        load_model(file)
    assert not marker.exists()


def test_folders_in_a_file_are_ignored(tmp_path):
    hidden = FeatureExtractor(weights=None, cache=str(tmp_path / "a"))
    model = make_pipeline(hidden, head(), memory=str(tmp_path / "b"))
    model.apart = [{"x": np.array([clone(hidden), None])}]
    steps = ("featureextractor", "apart__0__x__0")
    recorded = [{"step": step, "weights": "random 0"} for step in steps]
    loaded = load_model(forged(model, tmp_path / "forged", recorded))
    assert loaded.memory is None
    assert loaded[0].cache is None
    assert loaded.apart[0]["x"][0].cache is None


@keras.saving.register_keras_serializable("test_persistence")
class Armed(keras.layers.Layer):
    """A layer that the user's own code registered."""

    def __init__(self, marker, **options):
        super().__init__(**options)
        self.marker = marker
        os.system(f"touch {marker}")

    def get_config(self):
        return {**super().get_config(), "marker": self.marker}


@keras.saving.register_keras_serializable("test_persistence")
def armed(shape, dtype=None):
    raise AssertionError


def layer(module, name, config, registered=None):
    return {
        "module": module,
        "class_name": name,
        "config": config,
        "registered_name": registered,
    }


def hostile_layers(marker):
    dense = keras.saving.serialize_keras_object(keras.layers.Dense(2))
    legacy = {name: dense[name] for name in ("class_name", "config")}
    function = "function"
    command = {"args": f"touch {marker}", "shell": True}
    own = "test_persistence>Armed"
    url = {"fname": str(marker), "origin": "file:///etc/hostname"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = keras.saving.serialize_keras_object(
            keras.layers.Lambda(
                lambda x, path=str(marker): [x, open(path, "w").close()][0]
            )
        )
    return {
        "keras.layers.Lambda": code,
        "None.__lambda__": {
            **dense,
            "config": {**dense["config"], "activation": code["config"]["function"]},
        },
        "subprocess.Popen": layer("subprocess", "Popen", command),
        "os.function": layer("os", function, "system", "system"),
        "keras.utils.function": layer("keras.utils", function, "get_file"),
        "keras.utils.get_file": layer("keras.utils", "get_file", url),
        "keras.layers.TFSMLayer": layer(
            "keras.layers", "TFSMLayer", {"filepath": str(marker)}
        ),
        "keras.layers.StringLookup": layer(
            "keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}
        ),
        "test_persistence.Armed": layer(
            "test_persistence", "Armed", {"marker": 1}, own
        ),
        "keras.layers.Dense, which": {**dense, "registered_name": own},
        "'test_persistence>armed'": {
            **dense,
            "config": {
                **dense["config"],
                "kernel_initializer": "test_persistence>armed",
            },
        },
        "None.Dense": legacy,
        "__typespec__": {
            **layer("tensorflow", "__typespec__", []),
            "spec_name": "x",
        },
        "how it was compiled": {**dense, "compile_config": {"optimizer": "adam"}},
    }


@pytest.fixture
def unsafe_keras():
    """Keras with its safe mode switched off."""
    from keras.src.backend.common import global_state

    keras.config.enable_unsafe_deserialization()
    yield
    global_state.set_global_attribute("safe_mode_saving", None)


@pytest.mark.parametrize("name", list(hostile_layers("")))
def test_networks_of_attackers(name, blobs, tmp_path, monkeypatch, unsafe_keras):
    marker = tmp_path / "marker"
    model = head(epochs=1).fit(*blobs)
    description = json.loads(describe(model.model_))
    description["config"]["layers"][1] = hostile_layers(marker)[name]
    monkeypatch.setattr(
        "skart.classifiers._base.describe", lambda network: json.dumps(description)
    )
    file = forged(model, tmp_path / "forged")
    marker.unlink(missing_ok=True)
    with pytest.raises(ModelFileError, match=f"network's description.*{name}"):
        load_model(file)
    with pytest.raises(ValueError, match="network's description"):
        skops.io.load(file, trusted=[DenseHeadClassifier])
    assert not marker.exists()
    if name == "keras.layers.Lambda":  # it was armed
        keras.models.model_from_json(json.dumps(description))
        assert marker.exists()


@pytest.mark.parametrize("name", ["ConvNeXtTiny", "EfficientNetB0", "MobileNetV3Small"])
def test_layers_of_backbones_are_known(name):
    check_description(describe(build(name, (64, 64, 3))))


def test_layers_of_augmentations_are_known():
    augment = make_augmentation("strong")
    check_description(describe(hybrid_cnn((16, 16, 3), 2, augment=augment)))


def test_all_estimators_can_be_saved():
    public = [getattr(skart, name) for name in skart.__all__]
    names = [
        one.__name__
        for one in public
        if isinstance(one, type) and issubclass(one, BaseEstimator)
    ]
    assert sorted(names) == sorted(ESTIMATORS)
