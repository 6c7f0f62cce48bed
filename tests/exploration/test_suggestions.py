import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from skart.exploration import suggest_paintings


@pytest.fixture(scope="module")
def groups():
    """Features of six separate groups."""
    return make_blobs(300, 10, centers=6, cluster_std=0.5, random_state=0)


def test_without_probabilities_each_group_is_represented(groups):
    X, y = groups
    selected = suggest_paintings(X, n_paintings=6, random_state=0)
    assert sorted(y[selected]) == [0, 1, 2, 3, 4, 5]
    # Each is a typical one: nearer to its centre than most.
    for i in selected:
        distances = np.linalg.norm(X[y == y[i]] - X[y == y[i]].mean(axis=0), axis=1)
        distance = np.linalg.norm(X[i] - X[y == y[i]].mean(axis=0))
        assert distance < np.median(distances)


def test_uncertain_paintings_are_preferred_but_differ(groups):
    X, y = groups
    probabilities = np.where(np.isin(y, [1, 4])[:, None], [0.5, 0.5], [0.999, 0.001])
    selected = suggest_paintings(X, probabilities, n_paintings=8, random_state=0)
    uncertain = np.isin(y[selected], [1, 4])
    assert uncertain.sum() >= 4 > 8 * np.isin(y, [1, 4]).mean()
    assert set(y[selected][uncertain]) == {1, 4}
    assert uncertain[:2].all()  # the most useful come first


@pytest.mark.parametrize("n_paintings", [1, 10, 300, 400])
def test_positions_differ_and_have_the_number(groups, n_paintings):
    X, y = groups
    probabilities = LogisticRegression().fit(X, y).predict_proba(X)
    for given in (None, probabilities):
        selected = suggest_paintings(X, given, n_paintings=n_paintings, random_state=0)
        assert len(set(selected.tolist())) == len(selected) == min(n_paintings, 300)


def test_equal_features_and_certain_predictions():
    X = np.repeat(np.eye(3), 4, axis=0)
    certain = np.tile([0.0, 1.0], (12, 1))
    for given in (None, certain):
        selected = suggest_paintings(X, given, n_paintings=5, random_state=0)
        assert len(set(selected.tolist())) == 5
        assert set(selected[:3] // 4) == {0, 1, 2}  # one of each first
    assert len(suggest_paintings(np.ones((4, 2)), n_paintings=3)) == 3


def test_same_seed_same_paintings(groups):
    first, again = (
        suggest_paintings(groups[0], n_paintings=20, random_state=3) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_labels_of_suggested_paintings_help_more_than_random_ones():
    # Most paintings belong to one movement: random choice rarely finds the others.
    generator = np.random.default_rng(0)
    y = generator.choice(6, 600, p=[0.9, *[0.02] * 5])
    X = generator.normal(size=(6, 20))[y] * 2 + generator.normal(size=(600, 20))
    suggested, random = [], []
    for seed in range(5):
        selected = suggest_paintings(X, n_paintings=30, random_state=seed)
        suggested.append(len(set(y[selected])))
        random.append(len(set(y[generator.choice(600, 30, replace=False)])))
    assert np.mean(suggested) > np.mean(random)


def test_errors(groups):
    X, _ = groups
    with pytest.raises(ValueError, match="'n_paintings' parameter.*Got 0"):
        suggest_paintings(X, n_paintings=0)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        suggest_paintings(X, np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match="Input probabilities contains NaN"):
        suggest_paintings(X, np.full((300, 2), np.nan))
    with pytest.raises(ValueError, match="between 0 and 1; got values from -2 to 3"):
        suggest_paintings(X, np.tile([3, -2], (300, 1)))
    with pytest.raises(ValueError, match="minimum of 2"):
        suggest_paintings(X, np.ones((300, 1)))
    with pytest.raises(ValueError, match="2D array"):
        suggest_paintings(X[0])
