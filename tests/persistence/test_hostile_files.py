"""Files of other kinds, and files made by attackers."""

import codecs
import io
import json
import marshal
import os
import pickle
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import joblib
import keras
import numpy as np
import pytest
import skops.io
from helpers import head, rewritten
from model_files import find, forged, forged_schema, node, places, read_schema, text
from PIL import Image
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from skart import FeatureExtractor, load_model, save_model
from skart.persistence import ModelFileError, model_info


def test_other_kinds_of_files_are_named(fitted, tmp_path):
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
        "joblib": "is a pickle, which can run code when it is opened; skart does not",
        "pickle": "is a pickle",
        "compressed": "is compressed, as pickles",
        "empty": "is empty",
        "text": "is not a model file",
        "folder": "is a folder",
        "a.keras": "is a Keras model",
        "a.weights.h5": "is an HDF5 file",
        "a.jpg": "is an image",
        "a.skops": "is a skops file without skart.json",
        "zip": "is a zip file",
        "deflated": "compressed",
    }.items():
        for function in (load_model, model_info):
            with pytest.raises(ModelFileError, match=f"{name}' .*{message}"):
                function(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="gone.*does not exist"):
        load_model(tmp_path / "gone")


# Files made by attackers. If its code ran, each would create a file, the marker.


def calls(marker):
    """Return values that would run code if skops trusted and constructed them."""
    command = f"touch {marker}"
    path = {"module_path": "os", "function": "system"}  # in protocol 0
    system = node("os", "system", "FunctionNode", content=path)
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
                content=[system],
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
                "func": system,
                "args": arguments,
                "kwds": text({}),
                "namespace": text({}),
            },
        ),
    }


@pytest.mark.parametrize("name", list(calls("")))
@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_calls_in_a_skops_file_are_not_run(name, protocol, tmp_path):
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
    if name.startswith("os.system") and protocol == 2:
        with pytest.warns(InconsistentVersionWarning):  # it records none
            skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
        assert marker.exists()  # it was armed


class Payload(BaseEstimator):
    def __init__(self, marker=None):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)

    def __setstate__(self, state):
        os.system(f"touch {state['marker']}")


def test_unsafe_values_in_a_skops_file_are_errors(tmp_path):
    marker = tmp_path / "marker"
    for value, message in [
        (make_pipeline(FunctionTransformer(os.system)), "was not loaded.*posix.system"),
        (make_pipeline(FunctionTransformer(subprocess.run)), "subprocess.run"),
        (make_pipeline(Payload(str(marker))), "Payload"),
        (head(callbacks=keras.callbacks.ModelCheckpoint), "ModelCheckpoint"),
        (head(compile__loss={"class_name": "Lambda"}), "compile__loss in it is not"),
        (head(compile__metrics=[{"class_name": "Lambda"}]), "compile__metrics in it"),
    ]:
        with pytest.raises(ModelFileError, match=message):
            load_model(forged(value, tmp_path / "forged"))
        assert not marker.exists()


def test_file_without_an_estimator_is_an_error(tmp_path):
    file = forged_schema(text(["no estimator"]), tmp_path / "forged")
    with pytest.raises(ModelFileError, match="a list is not an estimator"):
        load_model(file)


def test_pickles_are_not_opened(tmp_path):
    marker = tmp_path / "marker"
    file = tmp_path / "pickle"
    for protocol in (0, 2, 5):
        file.write_bytes(pickle.dumps(Payload(marker), protocol))
        for function in (load_model, model_info):
            with pytest.raises(ModelFileError, match="is a pickle|is not a model file"):
                function(file)
    assert not marker.exists()
    pickle.loads(file.read_bytes())
    assert marker.exists()  # it was armed


def test_pickled_arrays_are_not_loaded(fitted, tmp_path):
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
    found = {"backbone": "InceptionV3", "weights": "random 0", "file": None}
    recorded = [{"step": step, **found} for step in steps]
    loaded = load_model(forged(model, tmp_path / "forged", recorded))
    assert loaded.memory is None
    assert loaded[0].cache is None
    assert loaded.apart[0]["x"][0].cache is None


@keras.saving.register_keras_serializable("test_persistence")
class Armed(keras.layers.Layer):
    """A layer that is registered by the user's code."""

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
    command = {"args": f"touch {marker}", "shell": True}
    own = "test_persistence>Armed"
    url = {"fname": str(marker), "origin": "file:///etc/hostname"}
    attack = eval(f"lambda x: [x, open({str(marker)!r}, 'w').close()][0]")
    function = {
        "code": codecs.encode(marshal.dumps(attack.__code__), "base64").decode(),
        "defaults": None,
        "closure": None,
    }
    return {
        "keras.layers.Lambda": layer(
            "keras.layers",
            "Lambda",
            {"function": {"class_name": "__lambda__", "config": function}},
        ),
        "None.__lambda__": {
            **dense,
            "config": {
                **dense["config"],
                "activation": {
                    "class_name": "__lambda__",
                    "config": {"value": function},
                },
            },
        },
        "subprocess.Popen": layer("subprocess", "Popen", command),
        "os.function": layer("os", "function", "system", "system"),
        "keras.utils.function": layer("keras.utils", "function", "get_file"),
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


@pytest.fixture(scope="module")
def victim(blobs, tmp_path_factory):
    """Return the file of a head and the description of its network; read only."""
    file = tmp_path_factory.mktemp("victim") / "head.skart"
    save_model(head(units=8, epochs=1).fit(*blobs), file)
    schema = json.loads(read_schema(file))
    (content,) = (
        part
        for part in map(partial(find, schema), places(schema))
        if isinstance(part, str) and "class_name" in part
    )
    return file, content


@pytest.fixture
def call_unsafely():
    """Return a function that calls another with Keras' safe mode disabled."""
    # The mode is a setting of the thread and can't be enabled again.
    switch_off = keras.config.enable_unsafe_deserialization
    with ThreadPoolExecutor(1, initializer=switch_off) as pool:
        yield lambda *args, **options: pool.submit(*args, **options).result()


@pytest.mark.parametrize("name", list(hostile_layers("")))
def test_unknown_layers_are_not_built(name, victim, tmp_path, call_unsafely):
    marker = tmp_path / "marker"
    file, content = victim
    description = json.loads(json.loads(content))
    description["config"]["layers"][1] = hostile_layers(marker)[name]
    hostile = json.dumps(description)
    schema = read_schema(file)
    forged = schema.replace(json.dumps(content), json.dumps(json.dumps(hostile)))
    assert forged != schema
    file = rewritten(file, tmp_path / "forged", {"schema.json": forged})
    marker.unlink(missing_ok=True)
    with pytest.raises(ModelFileError, match=f"network's description.*{name}"):
        call_unsafely(load_model, file)
    with pytest.raises(ValueError, match="network's description"):
        trusted = ["skart.classifiers.DenseHeadClassifier"]
        call_unsafely(skops.io.load, file, trusted=trusted)
    assert not marker.exists()
    if name == "keras.layers.Lambda":  # it was armed
        call_unsafely(keras.models.model_from_json, hostile)
        assert marker.exists()


def test_forged_number_of_support_vectors_is_an_error(tmp_path):
    machine = SVC().fit(np.eye(6), [0, 1] * 3)
    file = tmp_path / "sound.skart"
    save_model(machine, file)
    load_model(file)
    with zipfile.ZipFile(file) as archive:
        arrays = {
            name: np.load(io.BytesIO(archive.read(name)))
            for name in archive.namelist()
            if name.endswith(".npy")
        }
    counts = machine.n_support_
    (name,) = (name for name, x in arrays.items() if np.array_equal(x, counts))
    buffer = io.BytesIO()
    np.save(buffer, counts + np.array([-50_000_000, 50_000_000], counts.dtype))
    rewritten(file, tmp_path / "m.skart", {name: buffer.getvalue()})
    with pytest.raises(ModelFileError, match="as many support vectors as it claims"):
        load_model(tmp_path / "m.skart")
