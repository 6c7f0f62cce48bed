import json
import zipfile

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import (
    FeatureStore,
    load_model,
    make_stacked_classifier,
    make_transfer_pipeline,
    save_model,
)
from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import ArtistKFold, StackedClassifier

LAYERS = ["Conv1", "expanded_conv_project"]


class RecordingKFold(ArtistKFold):
    """An ArtistKFold that keeps the paths and folds it was asked for."""

    splits = []

    def split(self, X, y, groups=None):
        for train, test in super().split(X, y, groups):
            self.splits.append((X[train], X[test]))
            yield train, test


def make_stack(artists, store, cv=ArtistKFold):
    return make_stacked_classifier(
        backbone="MobileNetV2",
        weights=None,
        layers=LAYERS,
        descriptors=["hsv"],
        pooling="avg",
        size=32,
        cv=cv(2, artists=artists),
        cache=store,
        verbose=False,
    )


@pytest.fixture(scope="module")
def stack(paintings, artists, tmp_path_factory):
    """A fitted stack; read only."""
    stack = make_stack(artists, tmp_path_factory.mktemp("store"))
    return stack.fit(paintings.paths, paintings.labels)


def test_inner_folds_keep_artists_apart(paintings, artists, stack, monkeypatch):
    monkeypatch.setattr(RecordingKFold, "splits", [])
    store = stack.estimators[0][1]["features"].cache
    make_stack(artists, store, RecordingKFold).fit(paintings.paths, paintings.labels)
    assert len(RecordingKFold.splits) == 2 * len(stack.estimators)
    for train, test in RecordingKFold.splits:
        assert not {artists[path] for path in train} & {artists[path] for path in test}


def test_each_view_has_a_head(paintings, stack):
    assert [name for name, _ in stack.estimators] == [*LAYERS, "handcrafted"]
    probabilities = stack.predict_proba(paintings.paths[:5])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    # The last head weighs each of three views' probabilities of three movements.
    assert stack.final_estimator_.coef_.shape == (3, 9)
    # Each painting was run once, for both layers and all folds.
    info = FeatureStore(stack.estimators[0][1]["features"].cache).info()
    assert info["writes"] == info["arrays"] == 3 * len(paintings.paths)


def test_stack_computes_each_painting_once(paintings, artists, tmp_path, n_passes):
    train, test = paintings.paths[::2], paintings.paths[1::2]
    stack = make_stack(artists, tmp_path).fit(train, paintings.labels[::2])
    assert n_passes() == len(train)  # both layers, in all folds
    stack.predict(test)
    assert n_passes() == len(train) + len(test)


def test_stack_of_other_estimators():
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    members = [("linear", linear), ("plain", LogisticRegression()), ("left", "drop")]
    stack = StackedClassifier(members, cv=2).fit(X, y)
    expected = StackingClassifier(members, cv=2).fit(X, y)
    np.testing.assert_array_equal(stack.predict_proba(X), expected.predict_proba(X))


def test_saved_stack_contains_no_artists(paintings, artists, stack, tmp_path):
    file = tmp_path / "stack.skart"
    save_model(stack, file)
    assert stack.cv.artists == artists  # the model itself isn't changed
    with zipfile.ZipFile(file) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    for text in (paintings.paths[0], paintings.artists[0]):
        assert json.dumps(str(text)).strip('"').encode() not in content
    store = stack.estimators[0][1]["features"].cache
    loaded = load_model(file, cache=store)
    np.testing.assert_array_equal(
        loaded.predict_proba(paintings.paths), stack.predict_proba(paintings.paths)
    )
    assert loaded.cv.n_splits == 2 and loaded.cv.artists is None
    with pytest.raises(ValueError, match="ArtistKFold needs the artist of each paint"):
        loaded.fit(paintings.paths, paintings.labels)
    loaded.set_params(cv=ArtistKFold(2, artists=artists))
    loaded.fit(paintings.paths, paintings.labels)
    np.testing.assert_array_equal(
        loaded.predict_proba(paintings.paths), stack.predict_proba(paintings.paths)
    )
    save_model(loaded, file)  # once more


def test_calibration_with_artists_apart(paintings, artists, tmp_path):
    pipe = make_stack(artists, None).estimators[-1][1]  # hand-made features
    calibrated = CalibratedClassifierCV(pipe, cv=ArtistKFold(2, artists=artists))
    calibrated.fit(paintings.paths, paintings.labels)
    save_model(calibrated, tmp_path / "calibrated.skart")
    loaded = load_model(tmp_path / "calibrated.skart")
    assert loaded.cv.artists is None
    np.testing.assert_array_equal(
        loaded.predict_proba(paintings.paths), calibrated.predict_proba(paintings.paths)
    )


@pytest.mark.slow
def test_stack_learns(tmp_path):
    root = make_paintings(
        tmp_path / "paintings",
        movements=["Neoplasticism", "Op Art", "Pointillism"],
        n_artists=4,
        n_per_artist=4,
        size_range=(120, 200),
        verbose=False,
    )
    paintings = load_image_folder(root)
    artists = dict(zip(paintings.paths, paintings.artists, strict=True))
    stack = make_stacked_classifier(
        backbone="MobileNetV2",
        weights=None,
        layers=["block_3_expand", "block_6_expand"],
        descriptors=["hsv", "lbp"],
        size=96,
        cv=ArtistKFold(3, artists=artists),
        cache=tmp_path / "store",
        verbose=False,
    )
    scores = cross_val_score(
        stack, paintings.paths, paintings.labels, cv=ArtistKFold(4, artists=artists)
    )
    # Chance is a third; of 48 paintings, one in a million guesses gets 34 right.
    assert scores.mean() * 48 >= 34


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"layers": "mixed5"}, TypeError, "layers must be a list"),
        ({"layers": [("mixed2", "mixed5")]}, TypeError, "layers must be a list"),
        ({"layers": ["mixed5", "mixed5"]}, ValueError, "'mixed5' can't be the name"),
        ({"layers": [], "descriptors": None}, ValueError, "nothing to stack"),
        ({"layers": ["a__b"]}, ValueError, "'a__b' can't be the name"),
        ({"backbones": ["VGG16"]}, TypeError, "backbones must be a dict"),
        (
            {"layers": [None], "backbones": {"InceptionV3": None}},
            ValueError,
            "'InceptionV3' can't be the name",
        ),
    ],
)
def test_invalid_views_raise(parameters, error, message):
    with pytest.raises(error, match=message):
        make_stacked_classifier(**parameters)


def test_further_backbones(tmp_path):
    stack = make_stacked_classifier(
        backbone="NASNetMobile",
        weights=None,
        backbones={"MobileNetV2": None},
        descriptors=None,
    )
    pipes = dict(stack.estimators)
    assert list(pipes) == ["NASNetMobile", "MobileNetV2"]
    assert pipes["MobileNetV2"][1].backbone == "MobileNetV2"
    assert pipes["NASNetMobile"][0].size == 224
    assert make_transfer_pipeline(crops=5)[0].size == 398
    assert make_transfer_pipeline()[0].size == 299
