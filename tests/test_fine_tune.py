import copy
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline

import skart.features
from skart import (
    DenseHeadClassifier,
    FeatureExtractor,
    FeatureStore,
    FineTuneClassifier,
    ImageLoader,
)
from skart.networks import load_tail

CUT = "block_16_project_BN"  # MobileNetV2's last block but one layer


def head(**parameters):
    defaults = {"units": 16, "dropout": 0.2, "epochs": 8, "random_state": 0}
    return DenseHeadClassifier(**(defaults | parameters))


def fine_tune(**parameters):
    """A network that is quickly trained."""
    defaults = {
        "head": head(),
        "backbone": "MobileNetV2",
        "weights": None,
        "unfreeze_from": CUT,
        "epochs": 2,
        "optimizer__learning_rate": 1e-4,
        "random_state": 0,
        "verbose": 0,
    }
    return FineTuneClassifier(**(defaults | parameters))


@pytest.fixture(scope="module")
def stripes():
    """24 images of noise and of stripes, as an array; read only."""
    X = np.random.default_rng(0).integers(0, 100, (24, 40, 40, 3), np.uint8)
    X[12:, ::4] += 150
    return X, np.repeat(["plain", "striped"], 12)


@pytest.fixture
def count_forward_passes(monkeypatch):
    """Count images that run through a backbone, by the layer where it is cut."""
    passed = {}
    forward = FeatureExtractor._forward

    def counting(self, images, outputs):
        passed[self.layer] = passed.get(self.layer, 0) + len(images)
        return forward(self, images, outputs)

    monkeypatch.setattr(FeatureExtractor, "_forward", counting)
    return passed


@pytest.mark.parametrize(
    "parameters, message",
    [
        (
            {"unfreeze_from": "mixed9"},
            "MobileNetV2 can't be cut at 'mixed9'.* input, Co",
        ),
        ({"unfreeze_from": "block_16_projectBN"}, f"Did you mean '{CUT}'"),
        ({"unfreeze_from": "block_2_expand"}, "can't be cut"),  # beside a shortcut
        ({"unfreeze_from": []}, "must name one cut or more"),
        ({"unfreeze_from": ["block_15_add", CUT]}, "each deeper than the last"),
        ({"unfreeze_from": 3}, "unfreeze_from=3: MobileNetV2 can't be cut at 3"),
        ({"optimizer": "adamm"}, "adamm"),
        ({"optimizer__learning_rat": 1}, "learning_rat"),
        ({"head": head(dropout=2)}, "dropout must be"),
        ({"head": head(patience=2)}, "pass validation_split"),
        ({"head": head(optimizer="adamm")}, "adamm"),
        (
            {"class_weight": "balanced", "head": head(class_weight="balanced")},
            "class_weight is for both",
        ),
        ({"dtype": "bfloat16"}, "dtype must be one of .*mixed_bfloat16"),
        ({"storage_dtype": "int8"}, "storage_dtype must be one of"),
        ({"augment": "lite"}, "augment must be"),
        ({"backbone": "MobileNetV9"}, "backbone must name a network"),
    ],
)
def test_bad_parameters(stripes, count_forward_passes, parameters, message):
    with pytest.raises(ValueError, match=message):
        fine_tune(**parameters).fit(*stripes)
    assert not count_forward_passes  # before any long work


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"unfreeze_from": None},
        {"unfreeze_from": "input"},
        {"unfreeze_from": [None, CUT]},
        {"augment": "light"},
        {"dtype": "mixed_bfloat16"},
        {"dtype": "mixed_float16"},
    ],
    ids=str,
)
def test_stage_two_starts_where_stage_one_ended(stripes, parameters):
    X, y = stripes
    seen = []

    def compare(logs):
        if not seen:
            ahead_of_head = keras.Sequential(
                [keras.Input(model.model_.input_shape[1:]), *model.model_.layers[:-1]]
            )
            inputs = np.concatenate(list(model._iter_inputs(X, 8)))
            features = ahead_of_head.predict_on_batch(inputs)
            seen.append((model.predict_proba(X), model.head_.predict_proba(features)))

    callback = keras.callbacks.LambdaCallback(on_train_begin=compare)
    model = fine_tune(callbacks=callback, **parameters)
    model.fit(X, y)
    start, expected = seen[0]
    np.testing.assert_allclose(start, expected, atol=1e-4)
    assert np.abs(model.predict_proba(X) - start).max() > 2e-5
    if parameters == {"dtype": "mixed_float16"}:
        optimizer = model.model_.optimizer
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def test_stage_two_starts_from_exactly_the_weights_of_the_head(stripes):
    X, y = stripes
    model = fine_tune(optimizer__learning_rate=0.0).fit(X, y)
    trunk = FeatureExtractor(
        "MobileNetV2",
        weights=None,
        layer=CUT,
        pooling=None,
        storage_dtype="float16",
        verbose=False,
    )
    features = model.model_.get_layer("tail").predict_on_batch(
        np.asarray(trunk.transform(X))
    )
    np.testing.assert_allclose(
        model.predict_proba(X), model.head_.predict_proba(features), atol=1e-4
    )
    assert model.history_["stage"] == [1] * 8 + [2] * 2


@pytest.mark.parametrize("augment", [None, "light"])
@pytest.mark.parametrize("cut", [CUT, None, "input"])
def test_only_what_follows_the_cut_changes(stripes, cut, augment):
    X, y = stripes
    network = load_tail("MobileNetV2", "input", input_shape=(40, 40, 3), weights=None)
    before = {layer.name: layer.get_weights() for layer in network.layers}
    trainable = {
        layer.name
        for layer in network.layers
        if layer.weights and not isinstance(layer, keras.layers.BatchNormalization)
    }
    trunk = FeatureExtractor(
        "MobileNetV2",
        weights=None,
        layer=None if cut == "input" else cut,
        pooling="avg" if cut in (None, "input") else None,
        verbose=False,
    )
    network = trunk.network((40, 40, 3))
    shared_before = network.get_weights()
    model = fine_tune(unfreeze_from=cut, augment=augment).fit(X, y)
    if cut != "input":
        assert model._extractor().network((40, 40, 3)) is network
    for one, other in zip(shared_before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    changed = set()
    if cut is not None:
        tail = model.model_.get_layer("tail")
        assert len(tail.layers) > 4
        for layer in tail.layers:
            for old, new in zip(
                before.get(layer.name, []), layer.get_weights(), strict=True
            ):
                if not np.array_equal(old, new):
                    changed.add(layer.name)
    expected = {None: set(), CUT: {"Conv_1"}, "input": trainable}
    assert changed == expected[cut]
    head_before, head_after = model.head_.model_, model.model_.layers[-1]
    for one, other in zip(
        head_before.get_weights(), head_after.get_weights(), strict=True
    ):
        assert not np.array_equal(one, other)


def test_the_trunk_runs_once(stripes, tmp_path, count_forward_passes):
    X, y = stripes
    model = fine_tune(cache=tmp_path).fit(X, y)
    assert count_forward_passes == {CUT: 24}
    model.set_params(optimizer__learning_rate=1e-3, head__units=8, epochs=1).fit(X, y)
    model.predict(X[:7])
    assert count_forward_passes == {CUT: 24}
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == info["writes"] == 24
    assert info["sections"][0]["identity"]["storage_dtype"] == "float16"
    model.set_params(unfreeze_from="block_15_add").fit(X, y)
    assert count_forward_passes == {CUT: 24, "block_15_add": 24}


def test_a_search_computes_each_trunk_once(image_paths, tmp_path):
    y = ["Rococo", "Baroque"] * 6
    pipe = Pipeline(
        [("load", ImageLoader(40)), ("model", fine_tune(cache=tmp_path, epochs=1))]
    )
    search = RandomizedSearchCV(
        pipe,
        {
            "model__unfreeze_from": [CUT, "block_15_add", None],
            "model__optimizer__learning_rate": [1e-5, 1e-4],
            "model__head__units": [4, 8],
        },
        n_iter=6,
        cv=2,
        random_state=0,
    ).fit(image_paths, y)
    tried = set(search.cv_results_["param_model__unfreeze_from"])
    assert len(tried) > 1
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == info["writes"] == 12 * len(tried)
    best = search.best_params_
    assert search.best_estimator_[-1].head_.units == best["model__head__units"]


def test_a_killed_run_goes_on_where_it_was(stripes, tmp_path, monkeypatch):
    X, y = stripes
    forward = FeatureExtractor._forward
    passed = []

    def killed(self, images, outputs):
        if sum(passed) >= 8:
            raise KeyboardInterrupt
        passed.append(len(images))
        return forward(self, images, outputs)

    monkeypatch.setattr(skart.features, "fitting_batch_size", lambda X: 4)
    monkeypatch.setattr(FeatureExtractor, "_forward", killed)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(cache=tmp_path).fit(X, y)
    assert FeatureStore(tmp_path).info()["arrays"] == 8
    passed.clear()
    monkeypatch.setattr(
        FeatureExtractor,
        "_forward",
        lambda self, images, outputs: (
            passed.append(len(images)) or forward(self, images, outputs)
        ),
    )
    fine_tune(cache=tmp_path).fit(X, y)
    assert sum(passed) == 16


def test_nothing_is_left_in_the_temporary_folder(stripes, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = fine_tune(epochs=1).fit(*stripes)
    model.predict(stripes[0])
    assert list(tmp_path.iterdir()) == []


def test_room_on_the_disk(stripes, tmp_path, monkeypatch, capsys, count_forward_passes):
    X, y = stripes
    fine_tune(cache=tmp_path / "one", verbose=1, epochs=1).fit(X, y)
    told = capsys.readouterr().err
    assert f"MobileNetV2 runs to {CUT}; maps of 24 paintings take" in told
    count_forward_passes.clear()
    free = type("Usage", (), {"free": 24 * 1024})
    monkeypatch.setattr("shutil.disk_usage", lambda path: free)
    with pytest.raises(OSError, match=r"24 paintings don't fit the disk.*two"):
        fine_tune(cache=tmp_path / "two").fit(X, y)
    assert not count_forward_passes
    # What is predicted is not kept then.
    monkeypatch.undo()
    model = fine_tune(cache=tmp_path / "one").fit(X, y)
    expected = model.predict_proba(255 - X)
    monkeypatch.setattr("shutil.disk_usage", lambda path: free)
    model.set_params(cache=tmp_path / "two")
    with pytest.warns(UserWarning, match="computed without being kept: maps of 24"):
        found = model.predict_proba(255 - X)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_labels_are_checked_before_the_trunk_runs(stripes, count_forward_passes):
    X, y = stripes
    with pytest.raises(ValueError, match="validation_split=0.01 can't be made"):
        fine_tune(validation_split=0.01).fit(X, y)
    with pytest.raises(ValueError, match="no label"):
        fine_tune().fit(X, [None, *y[1:]])
    assert not count_forward_passes


def test_fitted_heads(stripes, tmp_path):
    X, y = stripes
    features = FeatureExtractor("MobileNetV2", weights=None, verbose=False).transform(X)
    fitted = head().fit(features, y)
    before = fitted.model_.get_weights()
    for given in (fitted, FrozenEstimator(fitted)):
        model = fine_tune(head=given, cache=tmp_path).fit(X, y)
        assert model.head_ is fitted
        for one, other in zip(before, fitted.model_.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="vectors of 3; MobileNetV2 gives 1280"):
        fine_tune(head=head().fit(features[:, :3], y), cache=tmp_path).fit(X, y)
    with pytest.raises(ValueError, match=r"classes \['plain', 'striped'\]; y holds"):
        fine_tune(head=fitted, cache=tmp_path).fit(X, np.repeat([0, 1], 12))
    with pytest.raises(TypeError, match="head must be a DenseHeadClassifier"):
        fine_tune(head="dense").fit(X, y)


def test_both_stages_hold_out_the_same(stripes):
    X, y = stripes
    groups = np.repeat(np.arange(8), 3)
    model = fine_tune(
        head=head(patience=2, epochs=40, optimizer__learning_rate=0.05),
        validation_split=0.25,
        optimizer__learning_rate=0.0,
        epochs=1,
    )
    model.fit(X, y, groups=groups)
    history = model.history_
    assert set(history) >= {"loss", "val_loss", "val_accuracy", "stage"}
    n_head = history["stage"].count(1)
    assert n_head < 40
    assert len({len(values) for values in history.values()}) == 1
    # Nothing is learned in stage two: the loss is that of the head's best epoch.
    assert history["val_loss"][-1] == pytest.approx(
        min(history["val_loss"][:n_head]), abs=1e-4
    )
    assert model.head_.validation_split == 0.25
    assert model.head.validation_split == 0.0


def test_heads_to_search():
    model = fine_tune(head=None)
    with pytest.raises(ValueError, match="head is no estimator. Pass one"):
        model.set_params(head__units=3)
    model.set_params(head=head(), head__units=3, head__optimizer__learning_rate=0.1)
    assert model.head.units == 3
    assert model.get_params()["head__optimizer__learning_rate"] == 0.1
    with pytest.raises(ValueError, match="Did you mean 'units'"):
        model.set_params(head__unit=3)
    with pytest.raises(TypeError, match="no parameter 'head__units'"):
        FineTuneClassifier(head__units=3)


def test_the_learning_rate_is_very_low_unless_given(stripes):
    model = FineTuneClassifier(
        head(), backbone="MobileNetV2", weights=None, unfreeze_from=None, epochs=1
    )
    assert rate(model.set_params(verbose=0).fit(*stripes)) == pytest.approx(1e-5)
    model.set_params(optimizer="sgd", optimizer__momentum=0.9)
    assert rate(model.fit(*stripes)) == pytest.approx(1e-5)
    model.set_params(optimizer__learning_rate=1e-3)
    assert rate(model.fit(*stripes)) == pytest.approx(1e-3)


def rate(model):
    return float(model.model_.optimizer.learning_rate)


def test_pickles_and_weights_that_changed(stripes, tmp_path):
    X, y = stripes
    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(40, 40, 3)
    )
    file = tmp_path / "mobilenet.weights.h5"
    network.save_weights(file)
    model = fine_tune(weights=file).fit(X, y)
    expected = model.predict_proba(X)
    pickled = pickle.dumps(model)
    # Of the network's 2.2 million parameters, tail and head have 0.4 million.
    assert len(pickled) < 4 * network.count_params() / 3
    np.testing.assert_array_equal(pickle.loads(pickled).predict_proba(X), expected)

    moved = file.rename(tmp_path / "moved.weights.h5")
    loaded = pickle.loads(pickled)
    with pytest.raises(FileNotFoundError, match="mobilenet.*Pass a file of MobileNet"):
        loaded.predict(X)
    loaded.set_params(weights=moved)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)

    network.layers[1].set_weights([x + 1 for x in network.layers[1].get_weights()])
    network.save_weights(file)
    with pytest.raises(ValueError, match="was trained on MobileNetV2 with the weights"):
        pickle.loads(pickled)
    with pytest.raises(ValueError, match="was trained on MobileNetV2 with the weights"):
        copy.copy(loaded).set_params(weights=file).predict(X)


def test_going_on_with_other_images(stripes):
    X, y = stripes
    model = fine_tune(epochs=1).fit(X, y)
    for augment in ("light", None, "light"):
        model.set_params(augment=augment).partial_fit(X, y)
    assert model.history_["stage"] == [1] * 8 + [2] * 4


def test_going_on(stripes):
    X, y = stripes
    model = fine_tune(unfreeze_from=[None, CUT], warm_start=True).fit(X, y)
    model.partial_fit(X, y).fit(X, y)
    assert model.history_["stage"] == [1] * 8 + [2] * 2 + [3] * (2 + 1 + 2)
    with pytest.raises(ValueError, match="ends in another cut"):
        model.set_params(unfreeze_from="input").fit(X, y)


def test_classes_that_come_later(stripes):
    X, y = stripes
    model = fine_tune(unfreeze_from=None)
    model.partial_fit(X, y, classes=["plain", "spotted", "striped"])
    assert model.predict_proba(X).shape == (24, 3)
    assert model.head_.classes_.tolist() == ["plain", "spotted", "striped"]


TRAIN = """
import sys
from pathlib import Path
import keras
import numpy as np
from skart import DenseHeadClassifier, FineTuneClassifier

def anonymous():  # what is mapped from the store can be given back at any time
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024

used = []
shades = np.random.default_rng(0).integers(0, 256, ({n}, 1, 1, 3), np.uint8)
X = np.broadcast_to(shades, ({n}, 64, 64, 3))
FineTuneClassifier(
    DenseHeadClassifier(units=8, epochs=1),
    backbone="MobileNetV2",
    weights=None,
    unfreeze_from="Conv1_relu",
    cache=sys.argv[1],
    epochs=1,
    verbose=0,
    callbacks=keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: used.append(anonymous())
    ),
).fit(X, np.arange({n}) % 2)
print(max(used))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_memory_does_not_grow_with_the_paintings(tmp_path):
    used = []
    for n in (200, 1600):
        done = subprocess.run(
            [sys.executable, "-c", TRAIN.format(n=n), str(tmp_path / str(n))],
            capture_output=True,
            text=True,
            check=True,
        )
        used.append(float(done.stdout.split()[-1]))
    # Maps of the larger set are 100 MiB in float16 and 200 in float32; its vectors 8.
    assert used[1] - used[0] < 70


def test_fine_tuning_improves_on_the_head(inception_weights, tmp_path):
    from skart.datasets import load_image_folder, make_paintings

    root = make_paintings(
        tmp_path / "paintings",
        movements=["Impressionism", "Pointillism", "Cubism"],
        n_artists=6,
        n_per_artist=6,
        size_range=(100, 200),
        verbose=False,
    )
    paintings = load_image_folder(root)
    model = fine_tune(
        head=head(units=64, patience=3, epochs=30),
        backbone="InceptionV3",
        weights=inception_weights,
        unfreeze_from="mixed8",
        validation_split=0.3,
        epochs=3,
        batch_size=16,
    )
    pipe = Pipeline([("load", ImageLoader(107)), ("model", model)])
    pipe.fit(paintings.paths, paintings.labels, model__groups=paintings.artists)
    stage = np.array(model.history_["stage"])
    val_loss = np.array(model.history_["val_loss"])
    assert val_loss[stage == 2].min() < val_loss[stage == 1].min()
