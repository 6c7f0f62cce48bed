import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
)

from skart.evaluation import Evaluation, evaluate


@pytest.fixture(scope="module")
def collection():
    """Features of five movements, in which an artist's hand outweighs the movement."""
    generator = np.random.default_rng(0)
    artists = np.repeat(np.arange(30), 10)
    codes = artists // 6
    X = generator.normal(size=(5, 12))[codes] * 0.7
    X = X + generator.normal(size=(30, 12))[artists] * 1.5
    X = X + generator.normal(size=(300, 12)) * 0.5
    names = np.array(["Baroque", "Cubism", "Fauvism", "Realism", "Rococo"])
    order = generator.permutation(300)
    return X[order], names[codes[order]], artists[order]


@pytest.fixture(scope="module")
def evaluation(collection):
    X, y, artists = collection
    return evaluate(LogisticRegression(), X, y, groups=artists)


def test_predictions_are_those_of_scikit_learn(collection, evaluation):
    X, y, artists = collection
    for splitter, groups, found in (
        (StratifiedGroupKFold, artists, evaluation),
        (StratifiedKFold, None, evaluation.random_folds),
    ):
        expected = cross_val_predict(
            LogisticRegression(),
            X,
            y,
            groups=groups,
            cv=splitter(4, shuffle=True, random_state=0),
            method="predict_proba",
        )
        np.testing.assert_array_equal(found.probabilities, expected)


def test_metrics_are_those_of_scikit_learn(collection, evaluation):
    y = collection[1]
    probabilities = evaluation.probabilities
    labels = np.unique(y)
    predicted = labels[probabilities.argmax(axis=1)]
    expected = {
        "accuracy": accuracy_score(y, predicted),
        "balanced accuracy": balanced_accuracy_score(y, predicted),
        "macro F1": f1_score(y, predicted, average="macro"),
        "log loss": log_loss(y, probabilities),
        "top-3 accuracy": top_k_accuracy_score(y, probabilities, k=3),
        "most frequent": 0.2,
    }
    for name, value in expected.items():
        assert evaluation.metrics[name] == pytest.approx(value)
    assert set(evaluation.metrics.index) == {*expected, "calibration error"}
    np.testing.assert_array_equal(evaluation.confusion, confusion_matrix(y, predicted))


def test_probabilities_of_networks_are_of_single_precision():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(18), 500).astype(np.float32)
    y = generator.integers(0, 18, 500)
    found = Evaluation(y, probabilities, np.arange(18)).metrics["log loss"]
    rows = np.arange(500)
    assert found == pytest.approx(-np.log(probabilities[rows, y]).mean(), rel=1e-5)


def test_the_leakage_gap(evaluation):
    gap = evaluation.leakage_gap
    accuracy = gap.loc["accuracy"]
    assert accuracy["artists apart"] == evaluation.metrics["accuracy"]
    assert accuracy["random folds"] == evaluation.random_folds.metrics["accuracy"]
    assert accuracy["gap"] == accuracy["random folds"] - accuracy["artists apart"] > 0.2
    with pytest.raises(ValueError, match="needs artists: pass evaluate"):
        evaluation.random_folds.leakage_gap  # noqa: B018


def test_without_artists(collection):
    X, y, _ = collection
    evaluation = evaluate(LogisticRegression(), X, y)
    assert evaluation.random_folds is None and evaluation.groups is None
    assert evaluation.metrics["accuracy"] > 0.8


def test_scores_of_each_movement(collection, evaluation):
    y = collection[1]
    table = evaluation.per_movement(n_resamples=300)
    expected = precision_recall_fscore_support(y, evaluation.y_pred)
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        np.testing.assert_allclose(table[name], values)
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
    assert table["paintings"].tolist() == [60] * 5
    again = evaluation.per_movement(n_resamples=300)
    pd.testing.assert_frame_equal(table, again)


def test_intervals_have_their_width(collection):
    # The recall of one class is a proportion, of which the standard error is known.
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1], 400)
    correct = generator.random(800) < 0.7
    chosen = np.where(correct, y, 1 - y)
    evaluation = Evaluation(y, np.eye(2)[chosen], [0, 1])
    table = evaluation.per_movement(level=0.9)
    width = (table["recall_high"] - table["recall_low"]).mean()
    assert width == pytest.approx(2 * 1.645 * np.sqrt(0.7 * 0.3 / 400), rel=0.1)
    # Ten paintings of an artist that are all right or all wrong are one piece of
    # evidence, not ten: intervals are sqrt(10) as wide.
    clusters = np.arange(800) // 10
    chosen = np.where(correct[clusters * 10], y, 1 - y)
    evaluation = Evaluation(y, np.eye(2)[chosen], [0, 1], groups=clusters)
    grouped = evaluation.per_movement(level=0.9)
    wider = (grouped["recall_high"] - grouped["recall_low"]).mean()
    assert wider / width == pytest.approx(np.sqrt(10), rel=0.2)


def test_the_most_confused_pairs():
    y = np.array(["a"] * 4 + ["b"] * 10 + ["c"] * 2)
    predicted = np.array([*"abbc", *"bbbbbbbaaa", *"cc"])
    probabilities = (predicted[:, None] == np.array(["a", "b", "c"])) * 1.0
    table = Evaluation(y, probabilities, ["a", "b", "c"]).most_confused(2)
    assert table.to_dict("records") == [
        {"movement": "b", "predicted": "a", "paintings": 3, "share": 0.3},
        {"movement": "a", "predicted": "b", "paintings": 2, "share": 0.5},
    ]


def test_calibration_agrees_with_scikit_learn(evaluation):
    accuracy, confidence = calibration_curve(
        evaluation.correct, evaluation.confidence, n_bins=8
    )
    table = evaluation.reliability(8)
    np.testing.assert_allclose(table["accuracy"], accuracy)
    np.testing.assert_allclose(table["confidence"], confidence)
    assert table["paintings"].sum() == 300
    shares = table["paintings"].to_numpy() / 300
    expected = np.sum(np.abs(accuracy - confidence) * shares)
    assert evaluation.calibration_error(8) == pytest.approx(expected)


def test_declining_to_answer(evaluation):
    table = evaluation.coverage()
    assert table["coverage"].iloc[-1] == 1
    assert table["accuracy"].iloc[-1] == evaluation.metrics["accuracy"]
    for _, row in table.iloc[::40].iterrows():
        answered = evaluation.confidence >= row["threshold"]
        assert row["coverage"] == answered.mean()
        assert row["accuracy"] == pytest.approx(evaluation.correct[answered].mean())
    ties = Evaluation([0, 1, 1], [[0.7, 0.3]] * 3, [0, 1]).coverage()
    assert ties.to_dict("list") == {
        "threshold": [0.7],
        "coverage": [1.0],
        "accuracy": [pytest.approx(1 / 3)],
    }


def test_chronology():
    y = np.array(["old", "old", "old", "new", "middle"])
    predicted = np.array(["old", "middle", "new", "middle", "middle"])
    classes = ["middle", "new", "old"]
    probabilities = (predicted[:, None] == np.array(classes)) * 1.0
    evaluation = Evaluation(y, probabilities, classes)
    periods = {"old": (1490, 1510), "middle": (1690, 1710), "new": (1790, 1810)}
    table = evaluation.chronology(periods)
    assert table.index.tolist() == ["new", "old", "all"]
    assert table["mistakes"].tolist() == [1, 2, 3]
    assert table["years"].tolist() == [100, 250, 200]
    assert table["by_chance"].tolist() == [200, 250, pytest.approx(700 / 3)]
    frame = pd.DataFrame(
        [(name, *years) for name, years in periods.items()],
        columns=["movement", "start", "end"],
    )
    pd.testing.assert_frame_equal(evaluation.chronology(frame), table)
    with pytest.raises(ValueError, match="no years of new"):
        evaluation.chronology({"old": (1, 2), "middle": (3, 4)})


def test_bad_input(collection):
    X, y, artists = collection
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        evaluate(LogisticRegression(), X, y, groups=artists[:5])
    with pytest.raises(ValueError, match="no label at position 2"):
        evaluate(LogisticRegression(), X, [*y[:2], None, *y[3:]])
    with pytest.raises(ValueError, match="a column for each of 2 classes"):
        Evaluation(["a", "b"], [[1.0], [1.0]], ["a", "b"])
    with pytest.raises(ValueError, match="y_true holds .'c'.; the classes"):
        Evaluation(["a", "c"], np.eye(2), ["a", "b"])


def test_a_movement_of_one_artist(collection):
    X, y, artists = collection
    artists = np.where(y == "Rococo", 99, artists)
    with pytest.warns(UserWarning, match="Rococo: a single artist"):
        evaluation = evaluate(
            LogisticRegression(), X, y, groups=artists, random_folds=False
        )
    assert evaluation.per_movement(n_resamples=10).loc["Rococo", "recall"] == 0


def test_intervals_of_the_whole(collection, evaluation):
    table = evaluation.intervals(n_resamples=200)
    assert table.index.tolist() == [
        "accuracy",
        "balanced accuracy",
        "macro F1",
        "leakage gap",
    ]
    values = [*evaluation.metrics[:3], evaluation.leakage_gap.loc["accuracy", "gap"]]
    assert (table["low"] < values).all() and (values < table["high"]).all()
    # Each resample's figures are scikit-learn's for the paintings that it drew.
    drawn = np.random.RandomState(0).randint(30, size=30)
    rows = np.concatenate(
        [np.flatnonzero(pd.factorize(collection[2])[0] == unit) for unit in drawn]
    )
    true, predicted = collection[1][rows], evaluation.y_pred[rows]
    one = evaluation.intervals(n_resamples=1)["low"]
    assert one["accuracy"] == pytest.approx(accuracy_score(true, predicted))
    assert one["balanced accuracy"] == pytest.approx(
        balanced_accuracy_score(true, predicted)
    )
    assert one["macro F1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert "leakage gap" not in evaluation.random_folds.intervals(n_resamples=5).index


def test_an_interval_of_accuracy_has_its_width():
    generator = np.random.default_rng(0)
    correct = generator.random(800) < 0.7
    chosen = np.where(correct, 0, 1)
    low, high = (
        Evaluation(np.zeros(800, int), np.eye(2)[chosen], [0, 1])
        .intervals(level=0.9)
        .loc["accuracy"]
    )
    assert high - low == pytest.approx(2 * 1.645 * np.sqrt(0.21 / 800), rel=0.1)


def test_folds_tell_whether_artists_are_apart(collection, evaluation):
    artists = collection[2]
    assert evaluation.artists_apart is True
    assert evaluation.random_folds.artists_apart is False
    assert np.unique(evaluation.folds).tolist() == [0, 1, 2, 3]
    y, probabilities = evaluation.y_true, evaluation.probabilities
    on_a_test_set = Evaluation(y, probabilities, np.unique(y), groups=artists)
    assert on_a_test_set.artists_apart is None


def test_samples_without_a_movement_say_nothing_of_it():
    # Two artists a movement, all right: a sample may lack both, but is never wrong.
    y = np.repeat(np.arange(6), 8)
    evaluation = Evaluation(y, np.eye(6)[y], np.arange(6), groups=np.arange(48) // 4)
    table = evaluation.per_movement(n_resamples=200)
    assert (table.filter(regex="_low|_high") == 1).all(axis=None)


def test_the_order_of_classes_is_of_no_matter():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(3), 60)
    y = generator.choice(["a", "b", "c"], 60)
    sorted_ = Evaluation(y, probabilities, ["a", "b", "c"])
    turned = Evaluation(y, probabilities[:, [1, 2, 0]], ["b", "c", "a"])
    pd.testing.assert_series_equal(sorted_.metrics, turned.metrics)
    pd.testing.assert_frame_equal(sorted_.intervals(), turned.intervals())


def test_a_movement_without_paintings_has_no_recall():
    evaluation = Evaluation([0, 0, 1], np.eye(3)[[0, 2, 1]], [0, 1, 2])
    assert evaluation.per_movement(n_resamples=10)["recall"].isna().tolist() == [
        *(False, False, True)
    ]
    assert evaluation.metrics["balanced accuracy"] == 0.75


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": ["x", None, "z"]}, "names no artist for 1 of 3"),
        ({"classes": ["a", "a"]}, "hold one twice"),
        ({"probabilities": [[np.nan, 1], [0, 1], [1, 0]]}, "not finite"),
    ],
)
def test_what_no_figures_can_be_made_of(changes, message):
    given = {"probabilities": np.eye(2)[[0, 1, 0]], "classes": ["a", "b"]} | changes
    with pytest.raises(ValueError, match=message):
        Evaluation(["a", "b", "a"], **given)
