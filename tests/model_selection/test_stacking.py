import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    RandomizedSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
)

from skart import (
    FeatureStore,
    load_model,
    make_stacked_pipeline,
    make_transfer_pipeline,
    save_model,
)
from skart.datasets import load_image_folder, make_paintings
from skart.model_selection import ArtistKFold, HeadSearch

LAYERS = ["Conv1", "expanded_conv_project"]


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """Twenty-four drawn paintings of three movements; read only."""
    root = make_paintings(
        tmp_path_factory.mktemp("paintings"),
        movements=["Neoplasticism", "Op Art", "Pointillism"],
        n_artists=4,
        n_per_artist=2,
        size_range=(64, 80),
        verbose=False,
    )
    return load_image_folder(root)


@pytest.fixture(scope="module")
def artists(paintings):
    """The artist of each path."""
    return dict(zip(paintings.paths, paintings.artists, strict=True))


class RecordingKFold(ArtistKFold):
    """An ArtistKFold that keeps the paths and folds it was asked for."""

    splits = []

    def split(self, X, y, groups=None):
        for train, test in super().split(X, y, groups):
            self.splits.append((X[train], X[test]))
            yield train, test


def make_stack(artists, store, cv=ArtistKFold):
    return make_stacked_pipeline(
        backbone="MobileNetV2",
        weights=None,
        layers=LAYERS,
        kinds=["hsv"],
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


@pytest.mark.parametrize("as_path", [str, Path])
def test_artist_kfold_keeps_artists_apart(paintings, artists, as_path):
    y = paintings.labels
    folds = ArtistKFold(4, artists={as_path(p): x for p, x in artists.items()})
    tested = []
    for train, test in folds.split([as_path(p) for p in paintings.paths], y):
        assert not set(paintings.artists[train]) & set(paintings.artists[test])
        assert set(y[test]) == set(y)
        tested += test.tolist()
    assert sorted(tested) == list(range(len(y)))


def test_artist_kfold_is_stratified_group_kfold_of_artists(paintings, artists):
    X, y = paintings.paths, paintings.labels
    parameters = {"n_splits": 3, "shuffle": True, "random_state": 1}
    expected = StratifiedGroupKFold(**parameters).split(X, y, paintings.artists)
    found = ArtistKFold(**parameters, artists=artists).split(X, y)
    for pair in zip(expected, found, strict=True):
        np.testing.assert_equal(*pair)


def test_artist_kfold_prefers_groups(paintings, artists):
    X, y = paintings.paths, paintings.labels
    groups = np.arange(len(X)) % 8
    for folds in (ArtistKFold(2, artists=artists), ArtistKFold(2)):
        for train, test in folds.split(X, y, groups):
            assert not set(groups[train]) & set(groups[test])


def test_artist_kfold_ignores_folders():
    # As in a catalogue: folders are years, and each artist is in all of them.
    numbers = np.tile(np.arange(6), 4)
    paths = [f"{1900 + i // 6}/{number}.jpg" for i, number in enumerate(numbers)]
    with pytest.raises(ValueError, match="ArtistKFold needs the artist of each paint"):
        ArtistKFold(2).split(paths, numbers % 2)
    folds = ArtistKFold(2, artists=dict(zip(paths, numbers, strict=True)))
    for train, test in folds.split(paths, numbers % 2):
        assert not set(numbers[train]) & set(numbers[test])


def test_artist_kfold_with_an_artist_in_two_movements():
    paths = [f"{i}.jpg" for i in range(12)]
    artists = np.repeat(["Gris", "Picasso", "Dali", "Picasso"], 3)
    for seed in range(5):
        folds = ArtistKFold(
            2,
            artists=dict(zip(paths, artists, strict=True)),
            shuffle=True,
            random_state=seed,
        )
        for train, test in folds.split(paths, ["Cubism"] * 6 + ["Surrealism"] * 6):
            assert not set(artists[train]) & set(artists[test])


PATHS = ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]


@pytest.mark.parametrize(
    ("artists", "X", "error", "message"),
    [
        (None, PATHS, ValueError, "needs the artist of each painting: pass artists="),
        (PATHS, PATHS, TypeError, "must be a dict of artists by path.*got list"),
        (
            {"1.jpg": "Gris"},
            PATHS,
            ValueError,
            "for 4 of 5 paths: '2.jpg', .*'4.jpg', ",
        ),
        (
            dict.fromkeys(PATHS, "Gris") | {"2.jpg": None, "3.jpg": " "},
            PATHS,
            ValueError,
            "for 2 of 5 paths: '2.jpg', '3.jpg'. Its keys must be the paths as",
        ),
        (
            dict(
                zip(PATHS, ["Gris", "Gris", "Derain", "Dufy", "Marquet"], strict=True)
            ),
            PATHS,
            ValueError,
            "paintings of movement Cubism are by one artist, 'Gris'",
        ),
        (dict.fromkeys(PATHS, "Gris"), np.eye(5), ValueError, "X must be a 1-D array"),
        (dict.fromkeys(PATHS, "Gris"), range(5), TypeError, "X must hold paths"),
    ],
)
def test_artist_kfold_errors(artists, X, error, message):
    with pytest.raises(error, match=message):
        ArtistKFold(2, artists=artists).split(X, ["Cubism"] * 2 + ["Fauvism"] * 3)


def test_artist_kfold_errors_of_groups():
    y = ["Cubism"] * 2 + ["Fauvism"] * 3
    with pytest.raises(ValueError, match="groups names no artist for 1 of 5"):
        ArtistKFold(2).split(PATHS, y, ["a", "b", "c", None, "d"])
    with pytest.raises(ValueError, match="movement Cubism are by one artist, 'a'"):
        ArtistKFold(2).split(PATHS, y, list("aabbc"))


def test_a_stack_keeps_artists_apart_inside(paintings, artists, stack, monkeypatch):
    monkeypatch.setattr(RecordingKFold, "splits", [])
    store = stack.estimators[0][1]["features"].cache
    make_stack(artists, store, RecordingKFold).fit(paintings.paths, paintings.labels)
    assert len(RecordingKFold.splits) == 2 * len(stack.estimators)
    for train, test in RecordingKFold.splits:
        assert not {artists[path] for path in train} & {artists[path] for path in test}


def test_a_stack_has_a_head_for_each_view(paintings, stack):
    assert [name for name, _ in stack.estimators] == [*LAYERS, "handcrafted"]
    probabilities = stack.predict_proba(paintings.paths[:5])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    # The last head weighs each of three views' probabilities of three movements.
    assert stack.final_estimator_.coef_.shape == (3, 9)
    # Each painting was run once, for both layers and all folds.
    info = FeatureStore(stack.estimators[0][1]["features"].cache).info()
    assert info["writes"] == info["arrays"] == 3 * len(paintings.paths)


def test_a_saved_stack_leaves_artists_out(paintings, artists, stack, tmp_path):
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
def test_a_stack_learns(tmp_path):
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
    stack = make_stacked_pipeline(
        backbone="MobileNetV2",
        weights=None,
        layers=["block_3_expand", "block_6_expand"],
        kinds=["hsv", "lbp"],
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
        ({"layers": "mixed5"}, TypeError, "layers must be a sequence"),
        ({"layers": [("mixed2", "mixed5")]}, TypeError, "layers must be a sequence"),
        ({"layers": ["mixed5", "mixed5"]}, ValueError, "'mixed5' can't be the name"),
        ({"layers": [], "kinds": None}, ValueError, "nothing to stack"),
        ({"layers": ["a__b"]}, ValueError, "'a__b' can't be the name"),
        ({"backbones": ["VGG16"]}, TypeError, "backbones must be a dict"),
        (
            {"layers": [None], "backbones": {"InceptionV3": None}},
            ValueError,
            "'InceptionV3' can't be the name",
        ),
    ],
)
def test_bad_views(parameters, error, message):
    with pytest.raises(error, match=message):
        make_stacked_pipeline(**parameters)


def test_further_backbones(tmp_path):
    stack = make_stacked_pipeline(
        backbone="VGG16", weights=None, backbones={"MobileNetV2": None}, kinds=None
    )
    pipes = dict(stack.estimators)
    assert list(pipes) == ["VGG16", "MobileNetV2"]
    assert pipes["MobileNetV2"][1].backbone == "MobileNetV2"
    assert pipes["VGG16"][0].size == 224
    assert make_transfer_pipeline(crops=5)[0].size == 398
    assert make_transfer_pipeline()[0].size == 299


@pytest.mark.parametrize(
    ("preset", "n_iter"),
    [
        ("layers", 3),
        pytest.param("layers", 8, marks=pytest.mark.slow),
        pytest.param("style", 8, marks=pytest.mark.slow),
        pytest.param("thorough", 8, marks=pytest.mark.slow),
    ],
)
def test_a_search_runs_each_painting_once(
    paintings, artists, tmp_path, n_passes, preset, n_iter
):
    search = HeadSearch(
        preset=preset,
        backbone="MobileNetV2",
        layers=LAYERS,
        cache=tmp_path,
        options={
            "weights": None,
            "size": 48,
            "crop_size": 40,
            "verbose": False,
            "epochs": 1,
        },
    )
    pipe, space = search.pipeline, search.space
    if n_iter == 3:  # layers alone, under a head that is quickly trained
        pipe.set_params(head=LogisticRegression())
        (space,) = space
        space = {x: space[x] for x in space if x.startswith("features__")}
    folds = ArtistKFold(2, artists=artists)
    found = RandomizedSearchCV(
        pipe, space, n_iter=n_iter, cv=folds, random_state=0
    ).fit(paintings.paths, paintings.labels)
    drawn = found.cv_results_["params"]
    windows = max(candidate.get("features__crops", 1) for candidate in drawn)
    assert n_passes() == windows * len(paintings.paths)
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == info["writes"]
    assert len({str(candidate["features__layer"]) for candidate in drawn}) > 1


def test_what_a_search_can_not_know():
    with pytest.raises(ValueError, match="layers of ResNet50 must be named"):
        HeadSearch(backbone="ResNet50", cache="x")
    with pytest.raises(ValueError, match="preset must be one of"):
        HeadSearch(preset="all", cache="x")
    with pytest.raises(ValueError, match="options can't hold crops"):
        HeadSearch(cache="x", options={"crops": 5})
    with pytest.raises(ValueError, match="must be a list"):
        HeadSearch(layers="mixed5", cache="x")
    with pytest.raises(ValueError, match="layer of MobileNetV2; got 'Conv2'. Did you"):
        HeadSearch(  # noqa: B018
            backbone="MobileNetV2", layers=["Conv1", "Conv2"], cache="x"
        ).pipeline
    with pytest.raises(TypeError, match="cache must be a folder or a FeatureStore"):
        HeadSearch(cache=None)
    space = HeadSearch(cache="x").space
    kinds = {type(part["head"][0]).__name__ for part in space}
    assert kinds == {"DenseHeadClassifier", "LogisticRegression", "SVC"}
    assert ("mixed2", "mixed5", "mixed8") in space[0]["features__layer"]
