"""Labels that are probably wrong."""

import numpy as np
import pandas as pd
import pytest
from helpers import save_image
from sklearn.datasets import make_blobs
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import FeatureExtractor, ImageLoader
from skart.audit import find_label_issues
from skart.evaluation import Evaluation, evaluate
from skart.exploration import PaintingIndex

MOVEMENTS = np.array(["Cubism", "Dada", "Fauvism", "Op Art"])


@pytest.fixture
def collection():
    """Features of four movements by eight artists each, of whom 10 have wrong labels.

    An artist lies apart from others of the movement, so that only the artist's other
    paintings tell the movement.
    """
    generator = np.random.default_rng(0)
    codes = np.repeat(np.arange(4), 40)
    artists = np.repeat(np.arange(32), 5)
    places = generator.normal(scale=3, size=(4, 12))[codes]
    places += generator.normal(scale=2.5, size=(32, 12))[artists]
    X = places + generator.normal(scale=0.7, size=places.shape)
    wrong = np.sort(generator.choice(160, 10, replace=False))
    codes[wrong] = (codes[wrong] + generator.integers(1, 4, 10)) % 4
    return X, MOVEMENTS[codes], artists.astype(str), wrong


def recall(table, wrong):
    """Return the share of the wrong labels among as many suspects."""
    return np.isin(wrong, table["position"][: len(wrong)]).mean()


def test_wrong_labels_come_first(collection):
    X, y, artists, wrong = collection
    table = find_label_issues(GaussianNB(), X, y, artists)
    assert recall(table, wrong) >= 0.9
    assert sorted(table["position"]) == list(range(160))
    assert (np.diff(table["score"]) <= 0).all()
    assert table["score"].between(0, 1).all()
    issues = table.loc[table["issue"], "position"]
    assert np.isin(issues, wrong).mean() >= 0.9 and len(issues) >= 8
    np.testing.assert_array_equal(table["movement"], y[table["position"]])
    assert (table["suggested"] != table["movement"]).all()


def test_label_with_the_most_evidence_is_no_issue():
    # The last but one reaches the threshold of the other movement only.
    p = np.array([0.99, 0.98, 0.97, 0.6, 0.05, 0.6, 0.65, 0.7])
    y = np.repeat(["a", "b"], [5, 3])
    evaluation = Evaluation(
        y, probabilities=np.column_stack([p, 1 - p]), classes=["a", "b"]
    )
    table = find_label_issues(evaluation)
    assert table.loc[table["issue"], "position"].tolist() == [4]


def test_artists_are_evidence(collection):
    X, y, artists, wrong = collection
    # The classifier has learnt nothing.
    blank = Evaluation(y, probabilities=np.full((160, 4), 0.25), classes=MOVEMENTS)
    known = find_label_issues(blank, artists=artists)
    assert recall(known, wrong) >= 0.9
    assert recall(find_label_issues(blank), wrong) < 0.5
    first = known.iloc[0]
    place = first["position"]
    others = y[(artists == artists[place]) & (np.arange(160) != place)]
    assert first["artist_paintings"] == 4
    assert first["artist_agreement"] == (others == y[place]).mean()
    n = (others == first["suggested"]).sum()
    text = f"{n} of 4 other paintings by {artists[place]}: {first['suggested']}"
    assert text in first["reason"]


def test_without_artists_the_lowest_probability_is_first():
    p = np.array([1e-9, 1e-12, 0, 0.3, 1e-7])
    evaluation = Evaluation(
        ["a"] * 5, probabilities=np.column_stack([p, 1 - p]), classes=["a", "b"]
    )
    table = find_label_issues(evaluation)
    assert table["position"].tolist() == [2, 1, 0, 4, 3]
    np.testing.assert_allclose(table["score"], 1 - np.sort(p), atol=1e-15)


def test_unknown_artists_are_no_evidence(collection):
    X, y, _, _ = collection
    unknown = find_label_issues(GaussianNB(), X, y, ["unknown"] * 160)
    assert (unknown["artist_paintings"] == 0).all()
    assert unknown["artist_agreement"].isna().all()
    assert not unknown["reason"].str.contains("other paintings by").any()
    index = PaintingIndex().fit(X)
    for artist in ("unknown", np.nan):
        groups = np.full(160, artist, object)
        groups[:5] = "Ann"
        table = find_label_issues(GaussianNB(), X, y, groups, index=index)
        known = table["reason"].str.contains("nearest by other artists: ")
        assert sorted(table.loc[known, "position"]) == [0, 1, 2, 3, 4]
    missing = find_label_issues(GaussianNB(), X, y, [None] * 160)
    pd.testing.assert_frame_equal(missing, unknown)


def test_evaluation_gives_what_its_estimator_gives(collection):
    X, y, artists, _ = collection
    expected = find_label_issues(GaussianNB(), X, y, artists, n_neighbors=0)
    evaluation = evaluate(GaussianNB(), X, y)
    found = find_label_issues(evaluation, artists=artists)
    pd.testing.assert_frame_equal(found, expected)
    # Of both evaluations, the one with random folds is used.
    evaluation = evaluate(GaussianNB(), X, y, groups=artists)
    pd.testing.assert_frame_equal(find_label_issues(evaluation), expected)


def test_folds_of_a_splitter_are_used(collection):
    X, y, artists, _ = collection
    cv = StratifiedGroupKFold(4)
    found = find_label_issues(GaussianNB(), X, y, artists, cv=cv)
    evaluation = evaluate(GaussianNB(), X, y, groups=artists, cv=cv, random_folds=False)
    assert evaluation.artists_apart
    pd.testing.assert_frame_equal(found, find_label_issues(evaluation))


def test_untested_movements_keep_their_positions():
    X, y = make_blobs(120, 6, centers=3, random_state=0)
    artists = np.where(y == 0, 0, 1 + np.arange(120) % 7)
    with pytest.warns(UserWarning, match="0 can't be tested"):
        evaluation = evaluate(GaussianNB(), X, y, groups=artists)
    table = find_label_issues(evaluation, X)
    assert sorted(table["position"]) == np.flatnonzero(y > 0).tolist()
    # Positions refer to what is passed.
    table = find_label_issues(evaluation, X[y > 0])
    assert sorted(table["position"]) == list(range((y > 0).sum()))
    # A classifier is cross-validated with random folds, which test every movement.
    assert len(find_label_issues(GaussianNB(), X, y, artists)) == 120
    for n in (20, 119):
        message = f"X holds {n} paintings, and the evaluation 8"
        with pytest.raises(ValueError, match=message):
            find_label_issues(evaluation, X[:n])
    # So are those of an index.
    table = find_label_issues(evaluation, index=PaintingIndex().fit(X))
    again = find_label_issues(evaluation, X[y > 0], index=PaintingIndex().fit(X[y > 0]))
    tested = np.flatnonzero(y > 0)
    assert table["neighbors"][0] == tuple(tested[[*again["neighbors"][0]]])


def test_neighbors_are_by_other_artists(collection):
    X, y, artists, _ = collection
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    table = find_label_issues(pipe, X, y, artists, n_neighbors=3)
    for one in table.itertuples():
        near = list(one.neighbors)
        assert len(near) == 3 and artists[one.position] not in artists[near]
        assert one.neighbor_movements == tuple(y[near])
    n = table["neighbor_movements"][0].count(table["suggested"][0])
    text = f"{n} of the 3 nearest by other artists: {table['suggested'][0]}"
    assert text in table["reason"][0]
    # An index of one's own, and none.
    index = PaintingIndex().fit(StandardScaler().fit_transform(X))
    again = find_label_issues(pipe, X, y, artists, index=index, n_neighbors=3)
    assert again["neighbors"].tolist() == table["neighbors"].tolist()
    assert set(find_label_issues(GaussianNB(), X, y)["neighbors"]) == {()}
    with pytest.raises(ValueError, match="index holds 9 paintings, and the .* 160"):
        few = PaintingIndex().fit(X[:9])
        find_label_issues(pipe, X, y, index=few)
    with pytest.raises(NotFittedError):
        find_label_issues(pipe, X, y, index=PaintingIndex())


@pytest.mark.slow
def test_maps_have_no_neighbors(image_paths, toy_backbone):
    loader, y = ImageLoader(48), ["a", "b"] * 6
    options = {"weights": None, "verbose": False}
    for pooling, n in (("avg", 5), (None, 0)):
        extractor = FeatureExtractor(toy_backbone, pooling=pooling, **options)
        pipe = make_pipeline(loader, extractor, DummyClassifier())
        table = find_label_issues(pipe, image_paths, y, duplicates=False)
        assert {*table["neighbors"].map(len)} == {n}


def test_near_duplicates_with_other_labels(tmp_path):
    paths = [save_image(tmp_path / f"{i}.jpg", seed=i) for i in range(5)]
    paths.append(save_image(tmp_path / "copy.jpg", (240, 180), seed=2))
    labels = ["Dada", "Dada", "Dada", "Cubism", "Cubism", "Cubism"]
    evaluation = Evaluation(
        labels, probabilities=[[0.5, 0.5]] * 6, classes=["Cubism", "Dada"]
    )
    table = find_label_issues(evaluation, paths, verbose=False)
    table = table.set_index("position").sort_index()
    assert table["duplicates"].tolist() == [(), (), (5,), (), (), (2,)]
    assert table["duplicate_movements"][5] == ("Dada",)
    assert table["reason"][5].endswith("near duplicate: Dada")
    table = find_label_issues(evaluation, paths, duplicates=False)
    assert set(table["duplicates"]) == {()}


def test_two_movements_and_hostile_names(tmp_path):
    labels = ["a\n</script>", "b; \u202ec"] * 4
    evaluation = Evaluation(
        labels, probabilities=[[0.3, 0.7]] * 8, classes=labels[:2], groups=["x\ty"] * 8
    )
    table = find_label_issues(evaluation)
    assert table["movement"][0] == "a\n</script>"
    assert all(len(reason.splitlines()) == 1 for reason in table["reason"])
    assert "x\\ty" in table["reason"][0] and "\u202e" not in table["reason"][0]


def test_labels_of_an_evaluation_may_be_passed_again():
    labels = ["a", "b"] * 4
    evaluation = Evaluation(labels, probabilities=[[0.3, 0.7]] * 8, classes=["a", "b"])
    table = find_label_issues(evaluation, y=labels)
    pd.testing.assert_frame_equal(table, find_label_issues(evaluation))


def test_classes_that_no_painting_has():
    evaluation = Evaluation(
        ["a", "b"], probabilities=[[0.1, 0.2, 0.7]] * 2, classes=["a", "b", "c"]
    )
    table = find_label_issues(evaluation)
    assert table["suggested"].tolist() == ["c", "c"]


def test_errors_name_what_is_wrong(collection):
    X, y, artists, _ = collection
    evaluation = Evaluation(y, y_pred=y)
    with pytest.raises(ValueError, match="find_label_issues needs probabilities"):
        find_label_issues(evaluation)
    with pytest.raises(ValueError, match="two or more movements; .* \\['a'\\]"):
        find_label_issues(Evaluation(["a"], probabilities=[[1]], classes=["a"]))
    with pytest.raises(TypeError, match="RidgeClassifier has no predict_proba"):
        find_label_issues(RidgeClassifier(), X, y)
    with pytest.raises(TypeError, match="must be an Evaluation or a classifier"):
        find_label_issues(X, y)
    with pytest.raises(TypeError, match="X and y, paintings and labels, are required"):
        find_label_issues(GaussianNB(), X)
    with pytest.raises(TypeError, match="cv can't be passed with an Evaluation"):
        find_label_issues(evaluation, X, cv=3)
    with pytest.raises(ValueError, match="y differs from the labels of the Evalu"):
        find_label_issues(evaluation, X, y[::-1])
    with pytest.raises(ValueError, match="n_neighbors"):
        find_label_issues(GaussianNB(), X, y, n_neighbors=-1)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        find_label_issues(GaussianNB(), X, y, artists[:9])
