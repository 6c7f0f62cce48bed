import copy
import pickle

import keras
import numpy as np
import pytest
from helpers import needs_bfloat16
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from toy_backbone import CUT, N_FEATURES

from skart import (
    DenseHeadClassifier,
    FeatureExtractor,
    FeatureStore,
    FineTuneClassifier,
    ImageLoader,
)

pytestmark = pytest.mark.usefixtures("toy_backbone")


def head(**parameters):
    defaults = {"units": 16, "dropout": 0.2, "epochs": 8, "random_state": 0}
    return DenseHeadClassifier(**(defaults | parameters))


def fine_tune(**parameters):
    """A small network."""
    defaults = {
        "head": head(),
        "backbone": "ToyNet",
        "weights": None,
        "unfreeze_from": CUT,
        "epochs": 2,
        "optimizer__learning_rate": 1e-4,
        "random_state": 0,
        "verbose": 0,
        # Tracing a graph would take longer than a few steps of a small network.
        "compile__run_eagerly": True,
    }
    return FineTuneClassifier(**(defaults | parameters))


@pytest.fixture(scope="module")
def stripes():
    """24 images of noise and of stripes, as an array; read only."""
    X = np.random.default_rng(0).integers(0, 100, (24, 40, 40, 3), np.uint8)
    X[12:, ::4] += 150
    return X, np.repeat(["plain", "striped"], 12)


def features_of(X, **parameters):
    """Compute features by the frozen network."""
    return FeatureExtractor(
        "ToyNet", weights=None, verbose=False, **parameters
    ).transform(X)


@pytest.mark.parametrize(
    "parameters, message",
    [
        (
            {"unfreeze_from": "mixed9"},
            "ToyNet can't be cut at 'mixed9'.* input, conv1",
        ),
        ({"unfreeze_from": "relu_3"}, f"Did you mean '{CUT}'"),
        ({"unfreeze_from": "conv2"}, "can't be cut"),  # beside a shortcut
        ({"unfreeze_from": []}, "must be one cut, or a list"),
        ({"unfreeze_from": ["add", CUT]}, "each is deeper than the last"),
        ({"unfreeze_from": 3}, "unfreeze_from=3: ToyNet can't be cut at 3"),
        ({"optimizer": "adamm"}, "adamm"),
        ({"optimizer__learning_rat": 1}, "learning_rat"),
        ({"head": head(dropout=2)}, "'dropout' parameter of DenseHead"),
        ({"head": head(patience=2)}, "pass validation_split"),
        ({"head": head(optimizer="adamm")}, "adamm"),
        (
            {"class_weight": "balanced", "head": head(class_weight="balanced")},
            "class_weight is for both",
        ),
        ({"dtype": "bfloat16"}, "Did you mean 'mixed_bfloat16'"),
        ({"storage_dtype": "int8"}, "'storage_dtype' parameter"),
        ({"augment": "lite"}, "augment must be"),
        ({"backbone": "MobileNetV9"}, "backbone must name a network"),
    ],
)
def test_bad_parameters(stripes, n_passes, parameters, message):
    with pytest.raises(ValueError, match=message):
        fine_tune(**parameters).fit(*stripes)
    assert n_passes() == 0  # before any long work


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"unfreeze_from": None},
        {"unfreeze_from": "input"},
        {"unfreeze_from": [None, CUT]},
        {"augment": "light"},
    ],
    ids=str,
)
def test_stage_two_starts_where_stage_one_ended(stripes, parameters):
    X, y = stripes
    starts = []

    def predict(logs):
        starts.append(model.predict_proba(X))

    model = fine_tune(
        storage_dtype="float32",
        compile__run_eagerly=False,
        callbacks=keras.callbacks.LambdaCallback(on_train_begin=predict),
        **parameters,
    )
    model.fit(X, y)
    expected = model.head_.predict_proba(features_of(X))
    np.testing.assert_allclose(starts[0], expected, atol=1e-5)
    assert np.abs(model.predict_proba(X) - expected).max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype", [pytest.param("mixed_bfloat16", marks=needs_bfloat16), "mixed_float16"]
)
def test_half_precision(stripes, dtype):
    X, y = stripes
    model = fine_tune(
        dtype=dtype,
        optimizer__learning_rate=0.0,
        epochs=1,
        compile__run_eagerly=False,
    ).fit(X, y)
    half = dtype.removeprefix("mixed_")
    tail = model.model_.get_layer("tail")
    assert tail.get_layer("conv4").compute_dtype == half
    assert {x.dtype for x in model.model_.trainable_weights} == {"float32"}
    assert model.model_.layers[-1].layers[0].compute_dtype == "float32"
    scaled = isinstance(model.model_.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (half == "float16")
    # Trunk and tail round maps to 8 bits (bfloat16) or 11, at each of eight layers:
    # features and probabilities have errors of a few per cent.
    expected = model.head_.predict_proba(features_of(X))
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("augment", [None, "light"])
@pytest.mark.parametrize("cut", [CUT, None, "input"])
def test_only_layers_behind_the_cut_change(stripes, cut, augment):
    X, y = stripes
    features = features_of(X)
    # With a learning rate of 0 the weights do not change.
    unchanged = fine_tune(
        unfreeze_from=cut, augment=augment, optimizer__learning_rate=0.0
    ).fit(X, y)
    model = fine_tune(unfreeze_from=cut, augment=augment).fit(X, y)
    np.testing.assert_array_equal(features_of(X), features)
    if cut is None:
        assert all(not layer.weights for layer in model.model_.layers[:-1])
    else:
        before, after = (x.model_.get_layer("tail").layers for x in (unchanged, model))
        changed = {
            layer.name
            for old, layer in zip(before, after, strict=True)
            for one, other in zip(old.get_weights(), layer.get_weights(), strict=True)
            if not np.array_equal(one, other)
        }
        # Batch normalization does not change.
        convolutions = {"conv1", "conv2", "conv3", "conv4"}
        assert changed == (convolutions if cut == "input" else {"conv4"})
    head_before, head_after = model.head_.model_, model.model_.layers[-1]
    for one, other in zip(head_before.weights, head_after.weights, strict=True):
        # The means and deviations of the features do not change.
        assert np.array_equal(one, other) == (not one.trainable)


@pytest.mark.slow
def test_each_stage_trains_the_layers_behind_its_cut(stripes):
    trained = []

    def note(logs):
        weights = model.model_.get_layer("tail").trainable_weights
        trained.append(len(weights))

    callback = keras.callbacks.LambdaCallback(on_train_begin=note)
    cuts = [None, CUT, "add", "input"]
    model = fine_tune(unfreeze_from=cuts, epochs=1, callbacks=callback)
    model.fit(*stripes)
    assert trained == [0, 1, 2, 4]  # kernels of convolutions


@pytest.mark.slow
def test_trunk_computes_each_image_once(stripes, tmp_path, n_passes):
    X, y = stripes
    model = fine_tune(cache=tmp_path).fit(X, y)
    assert n_passes() == 24
    model.set_params(optimizer__learning_rate=1e-3, head__units=8, epochs=1).fit(X, y)
    model.predict(X[:7])
    assert n_passes() == 24
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == info["writes"] == 24
    assert info["sections"][0]["identity"]["storage_dtype"] == "float16"
    model.set_params(unfreeze_from="add").fit(X, y)
    assert n_passes() == 48
    assert FeatureStore(tmp_path).info()["arrays"] == 48


@pytest.mark.slow
def test_search_computes_maps_once_for_each_cut(image_paths, tmp_path):
    y = ["Rococo", "Baroque"] * 6
    pipe = Pipeline(
        [("load", ImageLoader(40)), ("model", fine_tune(cache=tmp_path, epochs=1))]
    )
    space = {"model__unfreeze_from": [CUT, "add"], "model__head__units": [4, 8]}
    search = GridSearchCV(pipe, space, cv=2).fit(image_paths, y)
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == info["writes"] == 12 * 2
    best = search.best_params_
    assert search.best_estimator_[-1].head_.units == best["model__head__units"]


@pytest.mark.slow
def test_interrupted_fit_resumes_with_stored_maps(tmp_path, monkeypatch, n_passes):
    # Large images, of which a batch holds eight.
    shades = np.random.default_rng(0).integers(0, 256, (24, 1, 1, 3), np.uint8)
    X, y = np.broadcast_to(shades, (24, 500, 500, 3)), np.arange(24) % 2
    model = fine_tune(cache=tmp_path, epochs=1)
    predict = keras.Model.predict_on_batch

    def interrupted(network, images):
        if n_passes() >= 8:
            raise KeyboardInterrupt
        return predict(network, images)

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "predict_on_batch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, y)
    assert FeatureStore(tmp_path).info()["arrays"] == 8
    model.fit(X, y)
    assert n_passes() == 24


def test_temporary_maps_are_deleted(stripes, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = fine_tune(epochs=1).fit(*stripes)
    model.predict(stripes[0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_disk_space_of_maps(stripes, tmp_path, monkeypatch, capsys, n_passes):
    X, y = stripes
    fine_tune(cache=tmp_path / "one", verbose=1, epochs=1).fit(X, y)
    told = capsys.readouterr().err
    assert f"ToyNet up to {CUT}: maps of 24 paintings take" in told
    assert n_passes() == 24
    free = type("Usage", (), {"free": 24 * 1024})
    monkeypatch.setattr("shutil.disk_usage", lambda path: free)
    with pytest.raises(OSError, match=r"24 paintings don't fit the disk.*two"):
        fine_tune(cache=tmp_path / "two").fit(X, y)
    assert n_passes() == 24
    # Maps of predicted images are not stored then.
    monkeypatch.undo()
    model = fine_tune(cache=tmp_path / "one").fit(X, y)
    expected = model.predict_proba(255 - X)
    monkeypatch.setattr("shutil.disk_usage", lambda path: free)
    model.set_params(cache=tmp_path / "two")
    with pytest.warns(UserWarning, match="computed but not stored: maps of 24"):
        found = model.predict_proba(255 - X)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "side, n_images, n_steps", [(24, 33, 2), (500, 9, 2), (1500, 2, 2)]
)
def test_batches_are_smaller_for_larger_images(side, n_images, n_steps):
    steps = []
    callback = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: steps.append(callback.params["steps"])
    )
    X = np.broadcast_to(np.uint8(0), (n_images, side, side, 3))
    model = fine_tune(unfreeze_from="input", epochs=1, callbacks=callback)
    model.fit(X, np.arange(n_images) % 2)
    assert steps == [n_steps]


def test_labels_are_validated_before_maps_are_computed(stripes, n_passes):
    X, y = stripes
    with pytest.raises(ValueError, match="validation_split=0.01 can't be made"):
        fine_tune(validation_split=0.01).fit(X, y)
    with pytest.raises(ValueError, match="no label"):
        fine_tune().fit(X, [None, *y[1:]])
    assert n_passes() == 0


@pytest.mark.slow
def test_fitted_heads(stripes, tmp_path):
    X, y = stripes
    features = features_of(X)
    fitted = head().fit(features, y)
    before = fitted.model_.get_weights()
    for given in (fitted, FrozenEstimator(fitted)):
        model = fine_tune(head=given, cache=tmp_path).fit(X, y)
        assert model.head_ is fitted
        for one, other in zip(before, fitted.model_.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match=f"vectors of 3; ToyNet gives {N_FEATURES}"):
        fine_tune(head=head().fit(features[:, :3], y), cache=tmp_path).fit(X, y)
    with pytest.raises(ValueError, match=r"classes \['plain', 'striped'\]; y holds"):
        fine_tune(head=fitted, cache=tmp_path).fit(X, np.repeat([0, 1], 12))
    with pytest.raises(TypeError, match="head must be a DenseHeadClassifier"):
        fine_tune(head="dense").fit(X, y)


def test_both_stages_have_the_same_validation_set(stripes):
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters", [{}, {"unfreeze_from": "input"}, {"augment": "light"}], ids=str
)
def test_validation_set(stripes, parameters):
    X, y = stripes
    train, test = np.arange(24) % 3 > 0, np.arange(24) % 3 == 0
    model = fine_tune(
        head=head(patience=3), patience=1, optimizer__learning_rate=0.0, **parameters
    )
    model.fit(X[train], y[train], X_val=X[test], y_val=y[test])
    expected = -np.log(
        model.predict_proba(X[test])[np.arange(8), (y[test] == "striped") * 1]
    )
    assert model.history_["val_loss"][-1] == pytest.approx(expected.mean(), rel=1e-3)
    n_head = model.history_["stage"].count(1)
    assert not np.isnan(model.history_["val_loss"][:n_head]).any()


def test_partial_fit_ignores_patience(stripes):
    model = fine_tune(head=head(patience=3), patience=1)
    assert len(model.partial_fit(*stripes).history_["loss"]) == 9


def test_parameters_of_the_head():
    model = fine_tune(head=None)
    with pytest.raises(ValueError, match="head is not an estimator. Pass one"):
        model.set_params(head__units=3)
    model.set_params(head=head(), head__units=3, head__optimizer__learning_rate=0.1)
    assert model.head.units == 3
    assert model.get_params()["head__optimizer__learning_rate"] == 0.1
    with pytest.raises(ValueError, match="Did you mean 'units'"):
        model.set_params(head__unit=3)
    with pytest.raises(TypeError, match="no parameter 'head__units'"):
        FineTuneClassifier(head__units=3)


@pytest.mark.slow
def test_default_learning_rate(stripes):
    model = FineTuneClassifier(
        head(), backbone="ToyNet", weights=None, unfreeze_from=None, epochs=1
    )
    assert rate(model.set_params(verbose=0).fit(*stripes)) == pytest.approx(1e-5)
    model.set_params(optimizer="sgd", optimizer__momentum=0.9)
    assert rate(model.fit(*stripes)) == pytest.approx(1e-5)
    model.set_params(optimizer__learning_rate=1e-3)
    assert rate(model.fit(*stripes)) == pytest.approx(1e-3)


def rate(model):
    return float(model.model_.optimizer.learning_rate)


@pytest.mark.slow
def test_pickle_checks_the_weights_of_the_trunk(stripes, tmp_path):
    X, y = stripes
    network = keras.applications.ToyNet()
    file = tmp_path / "toy.weights.h5"
    network.save_weights(file)
    model = fine_tune(weights=file).fit(X, y)
    expected = model.predict_proba(X)
    pickled = pickle.dumps(model)
    # The pickle holds the tail but not the trunk.
    (trained,) = model.model_.get_layer("tail").get_layer("conv4").get_weights()
    (frozen,) = network.get_layer("conv3").get_weights()
    assert trained.tobytes() in pickled and frozen.tobytes() not in pickled
    np.testing.assert_array_equal(pickle.loads(pickled).predict_proba(X), expected)

    moved = file.rename(tmp_path / "moved.weights.h5")
    loaded = pickle.loads(pickled)
    with pytest.raises(FileNotFoundError, match="toy.*Pass a file of ToyNet"):
        loaded.predict(X)
    loaded.set_params(weights=moved)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)

    network.layers[1].set_weights([x + 1 for x in network.layers[1].get_weights()])
    network.save_weights(file)
    with pytest.raises(ValueError, match="was trained on ToyNet with the weights"):
        pickle.loads(pickled)
    with pytest.raises(ValueError, match="was trained on ToyNet with the weights"):
        copy.copy(loaded).set_params(weights=file).predict(X)


@pytest.mark.slow
def test_partial_fit_with_changed_augmentation(stripes):
    X, y = stripes
    model = fine_tune(epochs=1).fit(X, y)
    for augment in ("light", None, "light"):
        model.set_params(augment=augment).partial_fit(X, y)
    assert model.history_["stage"] == [1] * 8 + [2] * 4


@pytest.mark.slow
def test_warm_start_and_partial_fit_continue_the_last_stage(stripes):
    X, y = stripes
    model = fine_tune(unfreeze_from=[None, CUT], warm_start=True).fit(X, y)
    model.partial_fit(X, y).fit(X, y)
    assert model.history_["stage"] == [1] * 8 + [2] * 2 + [3] * (2 + 1 + 2)
    with pytest.raises(ValueError, match="ends in another cut"):
        model.set_params(unfreeze_from="input").fit(X, y)


def test_partial_fit_with_classes_that_y_lacks(stripes):
    X, y = stripes
    model = fine_tune(unfreeze_from=None)
    model.partial_fit(X, y, classes=["plain", "spotted", "striped"])
    assert model.predict_proba(X).shape == (24, 3)
    assert model.head_.classes_.tolist() == ["plain", "spotted", "striped"]


def test_fine_tuning_improves_on_the_head(inception_weights, tmp_path):
    from skart.datasets import load_image_folder, make_paintings

    root = make_paintings(
        tmp_path / "paintings",
        movements=["Impressionism", "Pointillism", "Cubism", "Ukiyo-e"],
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
