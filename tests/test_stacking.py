import numpy as np
import pytest
from sklearn.model_selection import RandomizedSearchCV, cross_val_score

from skart import (
    ArtistKFold,
    FeatureStore,
    HeadSearch,
    load_model,
    make_stacked_pipeline,
    make_transfer_pipeline,
    save_model,
)
from skart.datasets import load_image_folder, make_paintings

LAYERS = ["block_3_expand", "block_6_expand"]


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """Forty-eight drawn paintings of three movements; read only."""
    root = make_paintings(
        tmp_path_factory.mktemp("paintings"),
        movements=["Neoplasticism", "Op Art", "Pointillism"],
        n_artists=4,
        n_per_artist=4,
        size_range=(120, 200),
        verbose=False,
    )
    return load_image_folder(root)


def test_artists_are_kept_apart_by_their_folders(paintings):
    X, y = paintings.paths, paintings.labels
    tested = []
    for train, test in ArtistKFold(4).split(X, y):
        assert not set(paintings.artists[train]) & set(paintings.artists[test])
        assert set(y[test]) == set(y)
        tested += test.tolist()
    assert sorted(tested) == list(range(len(X)))
    groups = np.arange(len(X)) % 8
    for train, test in ArtistKFold(2).split(X, y, groups):
        assert not set(groups[train]) & set(groups[test])


def test_movements_in_one_folder_each(paintings):
    flat = [f"Op Art/{i}.jpg" for i in range(6)] + [
        f"Pop Art/{i}.jpg" for i in range(6)
    ]
    with pytest.raises(ValueError, match="lie in one folder, 'Op Art'"):
        next(ArtistKFold(2).split(flat, ["Op Art"] * 6 + ["Pop Art"] * 6))


def test_a_stack_on_paths(paintings, tmp_path, n_passes):
    stack = make_stacked_pipeline(
        backbone="MobileNetV2",
        weights=None,
        layers=LAYERS,
        kinds=["hsv", "lbp"],
        size=96,
        cv=ArtistKFold(3),
        cache=tmp_path,
        verbose=False,
    )
    assert [name for name, _ in stack.estimators] == [*LAYERS, "handcrafted"]
    scores = cross_val_score(
        stack, paintings.paths, paintings.labels, cv=ArtistKFold(4)
    )
    assert scores.mean() > 0.5  # chance is a third
    assert n_passes() == len(paintings.paths)  # for both layers and all folds
    stack.fit(paintings.paths, paintings.labels)
    assert n_passes() == len(paintings.paths)
    probabilities = stack.predict_proba(paintings.paths[:5])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    # The last head weighs each of three views' probabilities of three movements.
    assert stack.final_estimator_.coef_.shape == (3, 9)


def test_an_artist_in_two_movements_is_one_group():
    paths = [f"{a}/{i}.jpg" for a in ("A/Gris", "A/Picasso") for i in range(3)]
    paths += [f"{a}/{i}.jpg" for a in ("B/Dali", "B/Picasso") for i in range(3)]
    artists = np.array([path.split("/")[1] for path in paths])
    y = ["A"] * 6 + ["B"] * 6
    for seed in range(5):
        folds = ArtistKFold(2, shuffle=True, random_state=seed)
        for train, test in folds.split(paths, y):
            assert not set(artists[train]) & set(artists[test])


def test_a_stack_is_saved(paintings, tmp_path):
    stack = make_stacked_pipeline(
        backbone="MobileNetV2",
        weights=None,
        layers=LAYERS,
        kinds="hsv",
        size=64,
        cv=ArtistKFold(2),
        cache=tmp_path / "store",
        verbose=False,
    ).fit(paintings.paths, paintings.labels)
    save_model(stack, tmp_path / "stack.skart")
    loaded = load_model(tmp_path / "stack.skart", cache=tmp_path / "store")
    assert loaded.estimators_[0]["features"].keep is None
    np.testing.assert_array_equal(
        loaded.predict_proba(paintings.paths), stack.predict_proba(paintings.paths)
    )


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


@pytest.mark.parametrize("preset", ["layers", "style", "thorough"])
def test_a_search_runs_each_painting_once(paintings, tmp_path, n_passes, preset):
    search = HeadSearch(
        preset=preset,
        backbone="MobileNetV2",
        layers=LAYERS,
        cache=tmp_path,
        options={
            "weights": None,
            "size": 96,
            "crop_size": 80,
            "verbose": False,
            "epochs": 2,
        },
    )
    found = RandomizedSearchCV(
        search.pipeline, search.space, n_iter=8, cv=ArtistKFold(2), random_state=0
    ).fit(paintings.paths, paintings.labels)
    drawn = found.cv_results_["params"]
    windows = max(candidate.get("features__crops", 1) for candidate in drawn)
    assert n_passes() == windows * len(paintings.paths)
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == info["writes"]
    assert len({str(candidate["features__layer"]) for candidate in drawn}) > 1
    assert found.best_score_ > 0.4


def test_what_a_search_can_not_know():
    with pytest.raises(ValueError, match="layers of ResNet50 must be named"):
        HeadSearch(backbone="ResNet50", cache="x")
    with pytest.raises(ValueError, match="preset must be one of"):
        HeadSearch(preset="all", cache="x")
    with pytest.raises(ValueError, match="options can't hold crops"):
        HeadSearch(cache="x", options={"crops": 5})
    with pytest.raises(ValueError, match="must be a list"):
        HeadSearch(layers="mixed5", cache="x")
    with pytest.raises(ValueError, match="layer of InceptionV3; got 'mixd5'. Did you"):
        HeadSearch(layers=["mixed2", "mixd5"], cache="x").pipeline  # noqa: B018
    with pytest.raises(TypeError, match="cache must be a folder or a FeatureStore"):
        HeadSearch(cache=None)
    space = HeadSearch(cache="x").space
    kinds = {type(part["head"][0]).__name__ for part in space}
    assert kinds == {"DenseHeadClassifier", "LogisticRegression", "SVC"}
    assert ("mixed2", "mixed5", "mixed8") in space[0]["features__layer"]
