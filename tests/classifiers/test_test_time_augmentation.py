import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from toy_backbone import CUT

from skart import (
    FineTuneClassifier,
    HybridCNNClassifier,
    ImageLoader,
    load_model,
    make_cnn_pipeline,
    save_model,
)

pytestmark = pytest.mark.usefixtures("toy_backbone")

SMALL = {"epochs": 2, "batch_size": 5, "random_state": 0}


def make_classifier(kind, **parameters):
    """A small network."""
    if kind == "hybrid":
        return HybridCNNClassifier(units=8, **SMALL, **parameters)
    cut = {"head": None, "maps": CUT, "images": "input"}[kind]
    return FineTuneClassifier(
        backbone="ToyNet",
        weights=None,
        unfreeze_from=cut,
        verbose=0,
        **SMALL,
        **parameters,
    )


def load(paths):
    """Lazy images, not square, of two movements."""
    return ImageLoader((40, 48)).transform(paths), np.array(["Cubism", "Rococo"] * 6)


_SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("maps", "images")]


@pytest.fixture(scope="module", params=["hybrid", "head", *_SLOW])
def fitted(request, image_paths, tmp_path_factory, toy_backbone):
    """A fitted classifier; each test sets `test_time_augmentation`."""
    model = make_classifier(request.param)
    if request.param == "maps":
        model.set_params(cache=tmp_path_factory.mktemp("store"))
    return model.fit(*load(image_paths))


def predict(model, kind, X):
    return model.set_params(test_time_augmentation=kind).predict_proba(X)


def views_by_hand(images):
    """The image, and its center and corners of 35 x 42, resized to 40 x 48."""
    parts = [
        images[:, top : top + 35, left : left + 42].astype(np.float32)
        for top, left in [(2, 3), (0, 0), (0, 6), (5, 0), (5, 6)]
    ]
    return [images, *(keras.ops.image.resize(x, (40, 48)).numpy() for x in parts)]


def test_flipped_images_have_the_same_probabilities(fitted, image_paths):
    images = np.asarray(load(image_paths)[0])
    mirrored = images[:, :, ::-1]
    alone = predict(fitted, None, images)
    assert np.abs(predict(fitted, None, mirrored) - alone).max() > 1e-4
    for kind in (["horizontal_flip"], ["horizontal_flip", "crops"]):
        one, other = (predict(fitted, kind, X) for X in (images, mirrored))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
        assert np.abs(one - alone).max() > 1e-4


def test_probabilities_are_the_mean_over_views(fitted, image_paths):
    lazy = load(image_paths)[0]
    views = views_by_hand(np.asarray(lazy))
    alone = [predict(fitted, None, view) for view in views]
    mirrored = [predict(fitted, None, view[:, :, ::-1]) for view in views]
    expected = {
        (): alone[0],
        ("horizontal_flip",): np.mean([alone[0], mirrored[0]], axis=0),
        ("crops",): np.mean(alone, axis=0),
        ("horizontal_flip", "crops"): np.mean(alone + mirrored, axis=0),
    }
    for kind, probabilities in expected.items():
        found = predict(fitted, [*kind], lazy)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, probabilities, rtol=0, atol=1e-5)
        labels = fitted.classes_[found.argmax(axis=1)]
        assert fitted.predict(lazy).tolist() == labels.tolist()


@pytest.mark.slow
def test_training_does_not_depend_on_views(image_paths):
    X, y = load(image_paths)
    # Tracing a graph would take longer than a few steps of a small network.
    plain = make_classifier("hybrid", compile__run_eagerly=True)
    other = clone(plain).set_params(test_time_augmentation=["crops"]).fit(X, y)
    plain.fit(X, y)
    assert other.history_ == plain.history_
    np.testing.assert_array_equal(predict(other, None, X), predict(plain, None, X))


@pytest.mark.parametrize(
    "kind, message",
    [
        ("crops", "must be None or a list of 'horizontal_flip' and 'crops'; got 'cro"),
        (["crop"], "test_time_augmentation holds 'crop'. Did you mean 'crops'"),
    ],
)
def test_invalid_views(fitted, image_paths, kind, message):
    X, y = load(image_paths)
    with pytest.raises(ValueError, match=message):
        make_classifier("hybrid", test_time_augmentation=kind).fit(X, y)
    with pytest.raises(ValueError, match=message):
        predict(fitted, kind, X)


@pytest.mark.parametrize("kind", [None, ["horizontal_flip", "crops"]])
def test_each_file_is_decoded_once(fitted, image_paths, count_decodes, kind):
    predict(fitted, kind, load(image_paths)[0])
    if kind is None and getattr(fitted, "cache", None):
        assert count_decodes == []  # the maps are stored
    else:
        assert sorted(count_decodes) == sorted(image_paths)


@pytest.mark.slow
def test_pickles_and_model_files(fitted, image_paths, tmp_path):
    X = load(image_paths)[0]
    expected = predict(fitted, ["horizontal_flip", "crops"], X)
    pickled = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(pickled.predict_proba(X), expected)
    pipe = Pipeline([("load", ImageLoader((40, 48))), ("model", fitted)])
    save_model(pipe, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart")
    assert loaded[-1].test_time_augmentation == ["horizontal_flip", "crops"]
    np.testing.assert_allclose(
        loaded.predict_proba(image_paths), expected, rtol=0, atol=1e-5
    )


def test_pipelines_pass_views_on():
    pipe = make_cnn_pipeline(test_time_augmentation=["crops"])
    assert pipe[-1].test_time_augmentation == ["crops"]
