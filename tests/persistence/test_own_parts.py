"""Models with estimators, functions and layers of a user's own."""

import importlib
import json
import os
import pickle
import re
import subprocess
import sys
import types
from functools import partial

import keras
import numpy as np
import own_parts
import pytest
from helpers import head, hybrid, rewritten, shallow
from model_files import find, forged, places, read_schema
from own_parts import (
    Contrast,
    Holder,
    Nearest,
    Other,
    OwnHead,
    Shift,
    Slots,
    double,
    network,
    scale,
    subclassed_network,
    unregistered_network,
)
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from toy_backbone import CUT

from skart import CNNClassifier, FineTuneClassifier, ImageLoader, load_model, save_model
from skart.persistence import ModelFileError, model_info


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)


LABELS = np.arange(8) % 2


def saved(model, file):
    """Save a model with parts of one's own, and return the file."""
    with pytest.warns(UserWarning, match="pass trusted=.* to load_model"):
        save_model(model, file)
    return file


def contrast_model(blobs, folder):
    model = make_pipeline(Contrast(), LogisticRegression()).fit(*blobs)
    return saved(model, folder / "contrast.skart")


MODELS = [
    (make_pipeline(Contrast(3.0), LogisticRegression()), [Contrast]),
    (make_pipeline(StandardScaler(), Nearest()), [Nearest]),
    (make_pipeline(Contrast(), Nearest()), [Contrast, Nearest]),
    (OwnHead(units=8, epochs=2, random_state=0), [OwnHead]),
    (make_pipeline(FunctionTransformer(double), head(units=8, epochs=1)), [double]),
    (
        make_pipeline(FunctionTransformer(partial(scale, factor=2)), Nearest()),
        [partial, Nearest, scale],
    ),
    (make_pipeline(RandomForestClassifier(3)), ["sklearn.tree._tree.Tree"]),
    (
        make_pipeline(
            FunctionTransformer(Contrast().fit([[1.0]]).transform), Nearest()
        ),
        [Contrast, "own_parts.Contrast.transform", Nearest],
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("model, parts", MODELS, ids=lambda x: type(x).__name__)
def test_own_estimators_and_functions_are_saved(model, parts, blobs, tmp_path):
    X, y = blobs
    model = clone(model).fit(X, y)
    names = [
        part if isinstance(part, str) else f"{part.__module__}.{part.__qualname__}"
        for part in parts
    ]
    file = tmp_path / "model.skart"
    with pytest.warns(UserWarning) as warned:
        save_model(model, file)
    (warning,) = warned
    assert f"pass trusted={names} to load_model" in str(warning.message)
    assert "\n" not in str(warning.message)
    assert model_info(file)["untrusted"] == names
    with pytest.raises(ModelFileError) as error:
        load_model(file)
    assert f"it holds {', '.join(names)}, not known to be safe" in str(error.value)
    assert f"load_model({str(file)!r}, trusted={names})" in str(error.value)
    for trusted in (names, parts, {*names, "other.Name"}):
        loaded = load_model(file, trusted=trusted)
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert type(loaded) is type(model)
    clone(loaded).fit(X, y)
    saved(loaded, tmp_path / "again.skart")


def test_own_parameters_named_as_local_ones_are_kept(blobs, tmp_path):
    file = contrast_model(blobs, tmp_path)
    assert load_model(file, trusted=[Contrast])[0].cache == 3


def test_estimators_within_objects_are_found(image_paths, tmp_path):
    inner = shallow(cache=str(tmp_path / "cache"))
    model = make_pipeline(ImageLoader(32), Holder(inner), Nearest())
    model.fit(image_paths, np.arange(12) % 2)
    file = saved(model, tmp_path / "model.skart")
    (backbone,) = model_info(file)["backbones"]
    assert backbone["step"] == "holder__inner__0"
    loaded = load_model(file, trusted=[Holder, Nearest])
    assert loaded[1].inner[0].cache is None
    assert model[1].inner[0] is inner
    np.testing.assert_array_equal(
        loaded.predict(image_paths), model.predict(image_paths)
    )


def test_known_models_need_no_trust(fitted, tmp_path):
    save_model(fitted, tmp_path / "model.skart")  # warnings are errors
    assert model_info(tmp_path / "model.skart")["untrusted"] == []
    load_model(tmp_path / "model.skart", trusted=["own_parts.Contrast"])


def test_description_of_an_older_file_has_no_names(fitted, tmp_path):
    file = tmp_path / "model.skart"
    save_model(fitted, file)
    info = model_info(file)
    del info["untrusted"]
    old = rewritten(file, tmp_path / "old", {"skart.json": json.dumps(info)})
    assert model_info(old)["untrusted"] == []
    load_model(old)


@pytest.mark.slow
def test_own_networks_and_layers_are_saved(images, tmp_path):
    model = CNNClassifier(network, augment=Shift(5), epochs=1, random_state=0)
    model.fit(images, LABELS)
    file = saved(model, tmp_path / "model.skart")
    names = ["own_parts.Shift", "own_parts.network", "own_parts.squash"]
    assert sorted(model_info(file)["untrusted"]) == names
    for n in range(3):
        with pytest.raises(ModelFileError, match=names[n]):
            load_model(file, trusted=names[:n] + names[n + 1 :])
    loaded = load_model(file, trusted=names)
    np.testing.assert_array_equal(
        loaded.predict_proba(images), model.predict_proba(images)
    )
    assert loaded.network is network
    assert isinstance(loaded.augment, Shift) and loaded.augment.by == 5
    assert isinstance(loaded.model_.get_layer("own"), Shift)
    assert vars(loaded).keys() <= vars(model).keys()
    clone(loaded).fit(images, LABELS)
    assert isinstance(model.augment, Shift)


@pytest.mark.slow
def test_own_augmentation_of_fine_tuning_is_saved(toy_backbone, images, tmp_path):
    model = FineTuneClassifier(
        head(units=8, epochs=1),
        backbone="ToyNet",
        weights=None,
        unfreeze_from=CUT,
        augment=Shift(5),
        epochs=1,
        verbose=0,
    )
    file = saved(model.fit(images, LABELS), tmp_path / "model.skart")
    assert model_info(file)["untrusted"] == ["own_parts.Shift"]
    loaded = load_model(file, trusted=[Shift])
    assert loaded.augment.by == 5
    np.testing.assert_array_equal(
        loaded.predict_proba(images), model.predict_proba(images)
    )


@pytest.mark.slow
def test_layers_of_keras_need_no_trust(images, tmp_path):
    layer = keras.layers.Normalization()
    layer.adapt(images)
    augment = keras.Sequential([keras.layers.RandomFlip(seed=1), layer])
    augment.build((None, 16, 16, 3))
    model = hybrid(augment=augment, epochs=1).fit(images, LABELS)
    save_model(model, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart")
    np.testing.assert_allclose(
        loaded.predict_proba(images), model.predict_proba(images), rtol=1e-4
    )
    np.testing.assert_array_equal(loaded.augment(images), augment(images))


def adapted_network(input_shape, n_classes):
    inputs = keras.Input(input_shape)
    normalize = keras.layers.Normalization()
    normalize.adapt(np.random.default_rng(0).normal(100, 50, (8, *input_shape)))
    x = keras.layers.GlobalAveragePooling2D()(keras.Sequential([normalize])(inputs))
    return keras.Model(inputs, keras.layers.Dense(n_classes, activation="softmax")(x))


def test_adapted_layers_are_restored(images, tmp_path):
    model = CNNClassifier(adapted_network, epochs=1).fit(images, LABELS)
    model.network = "hybrid"
    save_model(model, tmp_path / "model.skart")
    for again in (
        load_model(tmp_path / "model.skart"),
        pickle.loads(pickle.dumps(model)),
    ):
        np.testing.assert_array_equal(
            again.predict_proba(images), model.predict_proba(images)
        )


IN_A_SCRIPT = """
import sys
import numpy as np
from own_parts import Nearest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from skart import save_model

class Here(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X

    def __sklearn_is_fitted__(self):
        return True

model = make_pipeline(Here(), Nearest()).fit(np.eye(4), np.arange(4) % 2)
try:
    save_model(model, sys.argv[1])
except TypeError as error:
    print(error)
"""


def run(script, *arguments):
    path = os.pathsep.join(sys.path)
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ).stdout


@pytest.mark.slow
def test_classes_of_a_script_are_not_saved(tmp_path):
    message = run(IN_A_SCRIPT, tmp_path / "model.skart")
    assert message.startswith("__main__.Here can't be saved")
    assert "Move it to the top level of a module" in message
    assert not any(tmp_path.iterdir())


def inner_contrast():
    class Inner(Contrast):
        pass

    return Inner()


@pytest.mark.parametrize(
    "transformer, name",
    [
        (FunctionTransformer(lambda X: X), "<lambda>"),
        (FunctionTransformer(partial(lambda X: X)), "<lambda>"),
        (inner_contrast(), "Inner"),
    ],
)
def test_parts_without_a_name_are_not_saved(transformer, name, blobs, tmp_path):
    model = make_pipeline(transformer, Nearest()).fit(*blobs)
    with pytest.raises(TypeError, match=f"{name} can't be saved.*Move it to the top"):
        save_model(model, tmp_path / "model.skart")
    assert not any(tmp_path.iterdir())


def test_parts_that_have_no_state_are_not_saved(blobs, tmp_path):
    model = make_pipeline(FunctionTransformer(Slots()), Nearest()).fit(*blobs)
    with pytest.raises(TypeError, match="functiontransformer__func=.*can't be saved"):
        save_model(model, tmp_path / "model.skart")


@pytest.mark.parametrize(
    "network, message",
    [
        (unregistered_network, "Unregistered, which is neither.*register"),
        (subclassed_network, "shape"),  # its weights would not fit
    ],
)
def test_layers_that_keras_cannot_restore_are_not_saved(
    network, message, images, tmp_path
):
    model = CNNClassifier(network, epochs=1).fit(images, LABELS)
    with pytest.raises(TypeError, match=f"model_ can't be saved.*{message}"):
        save_model(model, tmp_path / "model.skart")


MODULE = """
import pathlib
from sklearn.base import BaseEstimator, TransformerMixin

pathlib.Path({marker!r}).touch()


class Plain(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X
"""


def test_untrusted_modules_are_not_imported(blobs, tmp_path, monkeypatch):
    marker, folder = tmp_path / "marker", tmp_path / "modules"
    folder.mkdir()
    (folder / "own_module.py").write_text(MODULE.format(marker=str(marker)))
    with monkeypatch.context() as patch:
        patch.syspath_prepend(folder)
        module = importlib.import_module("own_module")
        model = make_pipeline(module.Plain(), Nearest()).fit(*blobs)
        file = saved(model, tmp_path / "model.skart")
        del sys.modules["own_module"]
        marker.unlink()
        for trusted in (None, [], [Nearest], ["own.Plain"]):
            with pytest.raises(ModelFileError, match=r"own_module\.Plain"):
                load_model(file, trusted=trusted)
        model_info(file)
        assert not marker.exists() and "own_module" not in sys.modules
        loaded = load_model(file, trusted=["own_module.Plain", Nearest])
        assert marker.exists()  # it was armed
        np.testing.assert_array_equal(loaded.predict(blobs[0]), model.predict(blobs[0]))
        del sys.modules["own_module"]
    with pytest.raises(ModelFileError, match="needs own_module.Plain.*No module named"):
        load_model(file, trusted=["own_module.Plain", Nearest])


@pytest.mark.parametrize(
    "trusted, error",
    [
        (True, TypeError),
        ("own_parts.Contrast", TypeError),
        (Contrast, TypeError),
        ([own_parts], TypeError),
        ([True], TypeError),
        (["*"], ValueError),
        (["own_parts.*"], ValueError),
        (["Contrast"], ValueError),
        ([""], ValueError),
        ([lambda X: X], ValueError),
    ],
)
def test_trust_is_a_list_of_names(trusted, error, blobs, tmp_path):
    file = contrast_model(blobs, tmp_path)
    with pytest.raises(error, match=r"trusted .*trusted=\['my_module.Name'"):
        load_model(file, trusted=trusted)


# Files made by attackers.


@pytest.fixture(scope="module")
def victim(images, tmp_path_factory):
    """Return the file of a network with an own layer, and a function that forges it."""
    folder = tmp_path_factory.mktemp("victim")
    model = CNNClassifier(network, epochs=1).fit(images, LABELS)
    file = saved(model, folder / "model.skart")
    schema = json.loads(read_schema(file))
    (content,) = (
        part
        for part in (find(schema, at) for at in places(schema))
        if isinstance(part, str) and "class_name" in part
    )

    def forge(change):
        """Change the description of each layer."""
        description = json.loads(json.loads(content))
        for layer in description["config"]["layers"]:
            change(layer)
        changed = json.dumps(json.dumps(json.dumps(description)))
        text = read_schema(file).replace(json.dumps(content), changed)
        return rewritten(file, folder / "forged", {"schema.json": text})

    return file, forge


TRUSTED = ["own_parts.Shift", "own_parts.network", "own_parts.squash"]


def test_only_trusted_layers_are_built(victim):
    file, forge = victim
    load_model(file, trusted=TRUSTED)
    load_model(forge(lambda layer: None), trusted=TRUSTED)

    def rename(layer, **changes):
        if layer["class_name"] == "Shift":
            layer.update(changes)

    for changes, message in {
        # A registered class that the user's process knows, but the user doesn't trust.
        ("Other", "own_parts>Other"): "own_parts.Other",
        ("Shift", "own_parts>Other"): "own_parts.Shift",
        ("Other", "own_parts>Shift"): "own_parts.Other",
        ("Lambda", None): "own_parts.Lambda",
    }.items():
        name, registered = changes
        change = partial(rename, class_name=name, registered_name=registered)
        with pytest.raises(ModelFileError, match=f"description names {message}"):
            load_model(forge(change), trusted=TRUSTED)

    def lambda_inside(layer):
        rename(layer, config={"activity_regularizer": {"class_name": "__lambda__"}})

    with pytest.raises(ModelFileError, match="description names None.__lambda__"):
        load_model(forge(lambda_inside), trusted=TRUSTED)


@pytest.mark.parametrize(
    "old, new, message",
    [
        # The name is not among those that are checked before anything is built.
        (
            r'"__class__": "Shift",(\s+)"__module__": "own_parts"',
            r'"__class__": "str",\1"__module__": "builtins"',
            "'str' is not registered",
        ),
        ('"_own_parts"', '"_other"', "description names own_parts.Shift"),
    ],
)
def test_layers_that_the_file_hides_are_not_built(old, new, message, victim, tmp_path):
    file, _ = victim
    text, n = re.subn(old, new, read_schema(file))
    assert n == 1
    hidden = rewritten(file, tmp_path / "forged", {"schema.json": text})
    with pytest.raises(ModelFileError, match=message):
        load_model(hidden, trusted=TRUSTED)


def test_another_class_of_a_trusted_name_is_not_built(victim, monkeypatch):
    file, _ = victim
    try:
        keras.saving.register_keras_serializable("own_parts", "Shift")(
            types.new_class("Shift", (Other,))
        )
        with pytest.raises(ModelFileError, match="'own_parts>Shift' is not registered"):
            load_model(file, trusted=TRUSTED)
    finally:
        keras.saving.register_keras_serializable("own_parts", "Shift")(Shift)


def test_trust_in_a_class_is_no_trust_in_a_layer_of_that_name(blobs, tmp_path):
    model = head(units=8, epochs=1).fit(*blobs)
    model._own_parts = [Contrast]
    file = forged(model, tmp_path / "forged")
    with pytest.raises(ModelFileError, match="'Contrast' is not registered"):
        load_model(file, trusted=[Contrast])
    model._own_parts = 1
    with pytest.raises(ModelFileError, match="can't be loaded"):
        load_model(forged(model, tmp_path / "forged"))
    del model._own_parts
    model.augment = ("{}", [])
    with pytest.raises(ModelFileError, match="can't be loaded"):
        load_model(forged(model, tmp_path / "forged"))


def test_calls_can_be_trusted_by_name_only(tmp_path):
    model = make_pipeline(FunctionTransformer(os.system)).fit([[1]])
    file = saved(model, tmp_path / "model.skart")
    with pytest.raises(ModelFileError, match=r"posix\.system, not known"):
        load_model(file, trusted=["own_parts.Contrast", "os.system"])
