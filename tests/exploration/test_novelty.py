import pickle

import numpy as np
import pandas as pd
import pytest
from helpers import save_image
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skart import HandcraftedFeatures, ImageLoader, load_model, save_model
from skart.exploration import NoveltyDetector


def paint(n_artists, seed):
    """Return features of paintings, movements and artists, who have their own style."""
    generator = np.random.default_rng(seed)
    movements = np.repeat(np.arange(n_artists) % 3, 10)
    artists = np.repeat([f"artist {seed} {i}" for i in range(n_artists)], 10)
    style = np.repeat(generator.normal(scale=2, size=(n_artists, 12)), 10, axis=0)
    means = np.random.default_rng(0).normal(scale=4, size=(3, 12))
    noise = generator.normal(size=(len(movements), 12))
    return means[movements] + style + noise, movements, artists


@pytest.fixture(scope="module")
def paintings():
    return paint(30, seed=1)


@pytest.fixture(scope="module")
def detector(paintings):
    return NoveltyDetector().fit(*paintings[:2], artists=paintings[2])


@pytest.mark.parametrize("labelled", [True, False])
def test_scores_are_distances_to_the_nearest_movement(paintings, labelled):
    X, movements, artists = paintings
    movements = movements if labelled else np.zeros(len(X), int)
    detector = NoveltyDetector().fit(
        X, movements if labelled else None, artists=artists
    )
    new = paint(6, seed=2)[0]
    X, queries = (np.sign(x) * np.sqrt(np.abs(x)) for x in (X, new))
    means = np.array([X[movements == i].mean(axis=0) for i in np.unique(movements)])
    np.testing.assert_allclose(detector.means_, means)
    residuals = X - means[movements]
    scale = residuals.std(axis=0)
    reference = LedoitWolf(assume_centered=True).fit(residuals / scale)
    distances = [reference.mahalanobis((queries - mean) / scale) for mean in means]
    expected = -np.sqrt(np.min(distances, axis=0))
    np.testing.assert_allclose(detector.score_samples(new), expected, rtol=1e-5)
    np.testing.assert_allclose(
        detector.decision_function(new), expected - detector.offset_, atol=1e-5
    )
    known = np.where(expected < detector.offset_, -1, 1)
    np.testing.assert_array_equal(detector.predict(new), known)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_the_stated_share_of_paintings_by_new_artists_is_refused(paintings, rate):
    X, movements, artists = paintings
    new = paint(300, seed=3)[0]
    detector = NoveltyDetector(refusal_rate=rate).fit(X, movements, artists=artists)
    refused = np.mean(detector.predict(new) == -1)
    assert 0.4 * rate < refused < 1.6 * rate
    # Without artists, each painting is compared with others by the same artist.
    random = NoveltyDetector(refusal_rate=rate).fit(X, movements)
    assert np.mean(random.predict(new) == -1) > 1.5 * refused
    assert np.mean(detector.scores_ < detector.offset_) == pytest.approx(rate, abs=0.01)
    assert (detector.predict(new + 50) == -1).all()


def test_no_painting_is_scored_by_its_own_artist(paintings, detector):
    X, movements, artists = paintings
    changed = X.copy()
    changed[1:10] += 5  # the others by the first artist
    again = NoveltyDetector().fit(changed, movements, artists=artists)
    assert again.scores_[0] == pytest.approx(detector.scores_[0])
    assert (again.scores_[1:10] < detector.scores_[1:10]).all()
    random = NoveltyDetector().fit(X, movements)
    changed = NoveltyDetector().fit(changed, movements)
    assert changed.scores_[0] != pytest.approx(random.scores_[0])


def test_movements_by_a_single_artist_do_not_set_the_threshold(paintings, detector):
    X, movements, artists = paintings
    X, movements = np.vstack([X, X[:5] + 30]), np.append(movements, [7] * 5)
    artists = np.append(artists, ["alone"] * 5)
    more = NoveltyDetector().fit(X, movements, artists=artists)
    assert np.isnan(more.scores_[-5:]).all() and not np.isnan(more.scores_[:-5]).any()
    assert more.predict(X[-5:]).tolist() == [1] * 5
    assert detector.predict(X[-5:]).tolist() == [-1] * 5
    # The two artists of a movement are never left out together.
    two = np.where(np.isin(artists, [artists[0], artists[30]]), "two", "rest")
    assert not np.isnan(NoveltyDetector().fit(X, two, artists=artists).scores_).any()


def test_unknown_artists_are_different_persons(paintings):
    X, movements, _ = paintings
    expected = NoveltyDetector().fit(X, movements)
    for unknown in (None, "unknown", np.nan):
        artists = pd.Series(
            [unknown] * len(X), dtype=object, index=range(5, len(X) + 5)
        )
        found = NoveltyDetector().fit(X, movements, artists=artists)
        np.testing.assert_allclose(found.scores_, expected.scores_)


def test_names_of_movements_make_no_difference(paintings, detector):
    X, movements, artists = paintings
    for names in (["b", "c", "a"], [2.5, 1.5, 0.5]):
        y = [names[i] for i in movements]
        for labels in (y, pd.Series(y, dtype="category", index=range(5, len(y) + 5))):
            found = NoveltyDetector().fit(X, labels, artists=artists)
            np.testing.assert_allclose(found.scores_, detector.scores_)


def test_few_paintings_refuse_what_is_further_than_all():
    X = np.arange(8.0).reshape(4, 2)
    detector = NoveltyDetector(refusal_rate=0.01).fit(X)
    assert detector.offset_ == detector.scores_.min()


def test_equal_paintings():
    detector = NoveltyDetector().fit(np.ones((6, 3)))
    assert detector.predict([[1, 1, 1], [1, 1, 1.1]]).tolist() == [1, -1]


def test_more_features_than_paintings():
    generator = np.random.default_rng(0)
    X, new = generator.normal(size=(2, 40, 300)).astype(np.float32)
    detector = NoveltyDetector().fit(X)
    assert np.mean(detector.predict(new) == 1) > 0.7
    assert (detector.predict(new + 2) == -1).all()


def test_fit_predict(paintings, detector):
    found = NoveltyDetector().fit_predict(*paintings[:2], artists=paintings[2])
    np.testing.assert_array_equal(found, detector.predict(paintings[0]))


def test_bad_input_is_named(paintings, detector):
    X, movements, artists = paintings
    for rate in (0, 0.6, "5 %", None):
        with pytest.raises(ValueError, match="'refusal_rate' parameter"):
            NoveltyDetector(refusal_rate=rate).fit(X)
    with pytest.raises(
        ValueError, match="two or more artists; got n_samples=300 by one"
    ):
        NoveltyDetector().fit(X, movements, artists=["Monet"] * 300)
    with pytest.raises(ValueError, match="each is by one. Pass y=None"):
        NoveltyDetector().fit(X, artists, artists=artists)
    with pytest.raises(ValueError, match="no movement for 2 of 300.*at position 4"):
        NoveltyDetector().fit(X, ["a"] * 4 + [None, np.nan] + ["a"] * 294)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        NoveltyDetector().fit(X, movements[:5])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        NoveltyDetector().fit(X, movements, artists=artists[:5])
    with pytest.raises(ValueError, match="X has 3 features"):
        detector.predict(X[:, :3])
    with pytest.raises(NotFittedError):
        NoveltyDetector().predict(X)


def test_it_can_be_cloned_and_pickled(paintings, detector):
    again = pickle.loads(pickle.dumps(detector))
    scores = again.score_samples(paintings[0])
    np.testing.assert_array_equal(scores, detector.score_samples(paintings[0]))
    copy = clone(NoveltyDetector(refusal_rate=0.1))
    assert copy.get_params() == {
        "extractor": None,
        "refusal_rate": 0.1,
        "verbose": True,
    }


def test_it_can_be_saved(paintings, detector, tmp_path):
    save_model(detector, tmp_path / "detector.skart")
    loaded = load_model(tmp_path / "detector.skart")
    np.testing.assert_array_equal(
        loaded.decision_function(paintings[0]), detector.decision_function(paintings[0])
    )


def test_features_come_from_an_extractor(tmp_path):
    paths = [save_image(tmp_path / f"{i}.png", (40, 30), seed=i) for i in range(8)]
    extractor = make_pipeline(
        ImageLoader(24), HandcraftedFeatures("color_layout", verbose=False)
    )
    features = extractor.fit_transform(paths)
    detector = NoveltyDetector(extractor).fit(paths, artists=[*"AABBCCDD"])
    expected = NoveltyDetector().fit(features, artists=[*"AABBCCDD"])
    np.testing.assert_allclose(
        detector.score_samples(paths), expected.score_samples(features)
    )
    np.testing.assert_allclose(detector.scores_, expected.scores_)
    assert detector.predict(paths[:2]).shape == (2,)
    save_model(detector, tmp_path / "detector.skart")
    loaded = load_model(tmp_path / "detector.skart")
    np.testing.assert_array_equal(loaded.predict(paths), detector.predict(paths))
