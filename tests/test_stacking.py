import numpy as np
import pytest
from sklearn.model_selection import RandomizedSearchCV, cross_val_score

from skart import (
    ArtistKFold,
    FeatureExtractor,
    FeatureStore,
    HeadSearch,
    make_stacked_pipeline,
    make_transfer_pipeline,
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


@pytest.fixture
def n_passes(monkeypatch):
    done = []
    forward = FeatureExtractor._forward

    def counting(self, images, outputs):
        done.append(len(images))
        return forward(self, images, outputs)

    monkeypatch.setattr(FeatureExtractor, "_forward", counting)
    return lambda: sum(done)


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
    with pytest.raises(ValueError, match="'Op Art' lie in one folder, 'Op Art'"):
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
        options={"weights": None, "size": 96, "verbose": False, "epochs": 2},
    )
    pipeline = search.pipeline
    if preset == "thorough":
        pipeline.set_params(features__crop_size=80)
    found = RandomizedSearchCV(
        pipeline, search.space, n_iter=8, cv=ArtistKFold(2), random_state=0
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
    with pytest.raises(ValueError, match="must be a list"):
        HeadSearch(layers="mixed5", cache="x")
    space = HeadSearch(cache="x").space
    kinds = {type(part["head"][0]).__name__ for part in space}
    assert kinds == {"DenseHeadClassifier", "LogisticRegression", "SVC"}
    assert ("mixed2", "mixed5", "mixed8") in space[0]["features__layer"]
