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
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from skart.evaluation import Evaluation, evaluate


@pytest.fixture(scope="module")
def collection():
    """Features of five movements, in which artists differ more than movements."""
    generator = np.random.default_rng(0)
    artists = np.repeat(np.arange(30), 10)
    codes = artists // 6
    X = generator.normal(size=(5, 12))[codes] * 0.7
    X = X + generator.normal(size=(30, 12))[artists] * 1.5
    X = X + generator.normal(size=(300, 12)) * 0.5
    names = np.array(["Baroque", "Cubism", "Fauvism", "Realism", "Rococo"])
    order = generator.permutation(300)
    return X[order], names[codes[order]], artists[order]


def test_repr_tells_size_and_accuracy():
    evaluation = Evaluation(list("aabb"), y_pred=list("aaab"), groups=list("sstt"))
    assert repr(evaluation) == (
        "Evaluation(n_paintings=4, n_movements=2, n_artists=2, accuracy=0.750)"
    )
    evaluation = Evaluation(list("ab"), y_pred=list("ab"))
    assert repr(evaluation) == (
        "Evaluation(n_paintings=2, n_movements=2, accuracy=1.000)"
    )


@pytest.fixture(scope="module")
def evaluation(collection):
    X, y, artists = collection
    return evaluate(LogisticRegression(), X, y, groups=artists)


def test_predictions_equal_those_of_scikit_learn(collection, evaluation):
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


def test_metrics_equal_those_of_scikit_learn(collection, evaluation):
    y = collection[1]
    probabilities = evaluation.probabilities
    labels = np.unique(y)
    predicted = labels[probabilities.argmax(axis=1)]
    expected = {
        "accuracy": accuracy_score(y, predicted),
        "balanced_accuracy": balanced_accuracy_score(y, predicted),
        "macro_f1": f1_score(y, predicted, average="macro"),
        "log_loss": log_loss(y, probabilities),
        "top_3_accuracy": top_k_accuracy_score(y, probabilities, k=3),
        "most_frequent": 0.2,
    }
    for name, value in expected.items():
        assert evaluation.metrics[name] == pytest.approx(value)
    assert set(evaluation.metrics.index) == {*expected, "calibration_error"}
    np.testing.assert_array_equal(evaluation.confusion, confusion_matrix(y, predicted))


def test_log_loss_of_float32_probabilities():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(18), 500).astype(np.float32)
    y = generator.integers(0, 18, 500)
    found = Evaluation(y, probabilities=probabilities, classes=np.arange(18)).metrics[
        "log_loss"
    ]
    rows = np.arange(500)
    assert found == pytest.approx(-np.log(probabilities[rows, y]).mean(), rel=1e-5)


def test_leakage_gap(evaluation):
    gap = evaluation.leakage_gap
    accuracy = gap.loc["accuracy"]
    assert accuracy["artists_apart"] == evaluation.metrics["accuracy"]
    assert accuracy["random_folds"] == evaluation.random_folds.metrics["accuracy"]
    assert accuracy["gap"] == accuracy["random_folds"] - accuracy["artists_apart"] > 0.2
    with pytest.raises(ValueError, match="needs artists and random folds"):
        evaluation.random_folds.leakage_gap  # noqa: B018


def test_evaluate_without_groups(collection):
    X, y, _ = collection
    evaluation = evaluate(LogisticRegression(), X, y)
    assert evaluation.random_folds is None and evaluation.groups is None
    assert evaluation.metrics["accuracy"] > 0.8


def test_per_movement_equals_scikit_learn(collection, evaluation):
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


def test_intervals_of_recall_have_the_expected_width(collection):
    # Recall is a proportion, whose standard error is known.
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1], 400)
    correct = generator.random(800) < 0.7
    chosen = np.where(correct, y, 1 - y)
    evaluation = Evaluation(y, y_pred=chosen)
    table = evaluation.per_movement(level=0.9)
    width = (table["recall_high"] - table["recall_low"]).mean()
    assert width == pytest.approx(2 * 1.645 * np.sqrt(0.7 * 0.3 / 400), rel=0.1)
    # With ten equal results per artist, intervals are sqrt(10) times as wide.
    clusters = np.arange(800) // 10
    chosen = np.where(correct[clusters * 10], y, 1 - y)
    evaluation = Evaluation(y, y_pred=chosen, groups=clusters)
    grouped = evaluation.per_movement(level=0.9)
    wider = (grouped["recall_high"] - grouped["recall_low"]).mean()
    assert wider / width == pytest.approx(np.sqrt(10), rel=0.2)


def test_most_confused():
    y = np.array(["a"] * 4 + ["b"] * 10 + ["c"] * 2)
    predicted = np.array([*"abbc", *"bbbbbbbaaa", *"cc"])
    table = Evaluation(y, y_pred=predicted).most_confused(2)
    assert table.to_dict("records") == [
        {"movement": "b", "predicted": "a", "paintings": 3, "share": 0.3},
        {"movement": "a", "predicted": "b", "paintings": 2, "share": 0.5},
    ]


def test_reliability_equals_scikit_learn(evaluation):
    accuracy, confidence = calibration_curve(
        evaluation.y_pred == evaluation.y_true, evaluation.confidence, n_bins=8
    )
    table = evaluation.reliability(8)
    np.testing.assert_allclose(table["accuracy"], accuracy)
    np.testing.assert_allclose(table["confidence"], confidence)
    assert table["paintings"].sum() == 300
    table = evaluation.reliability()
    distance = (table["accuracy"] - table["confidence"]).abs()
    expected = (distance * table["paintings"]).sum() / 300
    assert evaluation.metrics["calibration_error"] == pytest.approx(expected)


def test_least_certain(collection, evaluation):
    table = evaluation.least_certain(n=7)
    ranked = np.sort(evaluation.probabilities, axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    np.testing.assert_allclose(table["margin"], np.sort(margins)[:7])
    for row in table.to_dict("records"):
        position = row["position"]
        assert row["movement"] == collection[1][position]
        assert row["predicted"] == evaluation.y_pred[position]
        assert row["confidence"] == evaluation.confidence[position]
        probabilities = dict(
            zip(evaluation.classes, evaluation.probabilities[position], strict=True)
        )
        assert row["predicted"] != row["runner_up"]
        assert probabilities[row["runner_up"]] == ranked[position, -2]
    assert len(evaluation.least_certain(n=1000)) == 300


def test_margin_is_negative_if_another_movement_is_predicted():
    evaluation = Evaluation(
        ["a", "b"],
        probabilities=[[0.5, 0.5], [0.75, 0.25]],
        classes=["a", "b"],
        y_pred=["a", "b"],
    )
    table = evaluation.least_certain()
    assert table["position"].tolist() == [1, 0]
    assert table["margin"].tolist() == [-0.5, 0]
    assert table["runner_up"].tolist() == ["a", "b"]


def test_per_artist():
    evaluation = Evaluation(
        ["a", "b", "b", "c", "c", "c", "a", "a"],
        y_pred=["b", "c", "a", "c", "c", "c", "a", "b"],
        groups=["X", "X", "X", "Y", "Y", "Y", "Z", "anonymous"],
    )
    table = evaluation.per_artist()
    assert table.index.name == "artist"
    assert list(table.itertuples(name=None)) == [
        ("X", 3, "b, a", 0.0, 3, "a"),
        ("Y", 3, "c", 1.0, 0, None),
        ("Z", 1, "a", 1.0, 0, None),
    ]
    assert table.columns.tolist() == [
        *("paintings", "movements", "accuracy", "mistakes", "mistake")
    ]


def test_per_artist_without_mistakes_or_artists():
    unknown = Evaluation([1, 2], y_pred=[1, 1], groups=["unknown", "?"])
    assert unknown.per_artist().empty
    perfect = Evaluation([1, 2], y_pred=[1, 2], groups=["X", "Y"])
    assert perfect.per_artist()["mistake"].tolist() == [None, None]
    with pytest.raises(ValueError, match="needs artists"):
        Evaluation([1, 2], y_pred=[1, 2]).per_artist()
    some = Evaluation([1, 2], y_pred=[2, 2], groups=["X", "Y"])
    assert list(map(str, some.per_artist()["mistake"])) == ["2", "None"]


def test_coverage(evaluation):
    table = evaluation.coverage()
    correct = evaluation.y_pred == evaluation.y_true
    assert table["coverage"].iloc[-1] == 1
    assert table["accuracy"].iloc[-1] == evaluation.metrics["accuracy"]
    for _, row in table.iloc[::40].iterrows():
        answered = evaluation.confidence >= row["threshold"]
        assert row["coverage"] == answered.mean()
        assert row["accuracy"] == pytest.approx(correct[answered].mean())
    ties = Evaluation(
        [0, 1, 1], probabilities=[[0.7, 0.3]] * 3, classes=[0, 1]
    ).coverage()
    assert ties.to_dict("list") == {
        "threshold": [0.7],
        "coverage": [1.0],
        "accuracy": [pytest.approx(1 / 3)],
    }


def test_chronology():
    y = np.array(["old", "old", "old", "new", "middle"])
    predicted = np.array(["old", "middle", "new", "middle", "middle"])
    evaluation = Evaluation(y, y_pred=predicted)
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
    y, predicted = (np.where(x == "old", "all", x) for x in (y, predicted))
    periods["all"] = periods.pop("old")
    again = Evaluation(y, y_pred=predicted).chronology(periods)
    assert again.index.tolist() == ["all", "new", "all"]
    assert again["mistakes"].tolist() == [2, 1, 3]
    with pytest.raises(ValueError, match="no years of new"):
        evaluation.chronology({"old": (1, 2), "middle": (3, 4)})


def test_invalid_data_raises(collection):
    X, y, artists = collection
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        evaluate(LogisticRegression(), X, y, groups=artists[:5])
    with pytest.raises(ValueError, match="'scoring' parameter"):
        evaluate(LogisticRegression(), X, y, scoring="acuracy")
    with pytest.raises(ValueError, match="no label for 1 of 300 .* position 2: label"):
        evaluate(LogisticRegression(), X, [*y[:2], None, *y[3:]])
    with pytest.raises(ValueError, match="a column for each of 2 classes"):
        Evaluation(["a", "b"], probabilities=[[1.0], [1.0]], classes=["a", "b"])
    with pytest.raises(ValueError, match="tested_mask must be bool; got"):
        Evaluation(["a", "b"], y_pred=["a", "b"], tested_mask=[3, 4])
    with pytest.raises(ValueError, match="y_true holds .'c'.; the classes"):
        Evaluation(["a", "c"], probabilities=np.eye(2), classes=["a", "b"])


def test_movement_of_a_single_artist_is_not_tested(collection):
    X, y, artists = collection
    artists = np.where(y == "Rococo", 99, artists)
    message = "Rococo can't be tested: all its paintings are by one artist, '99'"
    trained_on = []

    class Recorder(LogisticRegression):
        def fit(self, X, y):
            trained_on.append(y)
            return super().fit(X, y)

    with pytest.warns(UserWarning, match=message):
        evaluation = evaluate(Recorder(), X, y, groups=artists)
    n_rococo = (y == "Rococo").sum()
    assert all((labels == "Rococo").sum() == n_rococo for labels in trained_on)
    for one in (evaluation, evaluation.random_folds):
        np.testing.assert_array_equal(one.tested, np.flatnonzero(y != "Rococo"))
        np.testing.assert_array_equal(one.y_true, y[one.tested])
    np.testing.assert_array_equal(evaluation.groups, artists[evaluation.tested])
    row = evaluation.per_movement(n_resamples=10).loc["Rococo"]
    assert row["paintings"] == 0 and np.isnan(row["recall"])
    with pytest.raises(ValueError, match="fewer than two movements have two"):
        evaluate(Recorder(), X, y, groups=y)


def test_intervals_equal_scores_of_resampled_artists(collection, evaluation):
    table = evaluation.intervals(n_resamples=200)
    assert table.index.tolist() == [
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "leakage_gap",
    ]
    values = [*evaluation.metrics[:3], evaluation.leakage_gap.loc["accuracy", "gap"]]
    assert (table["low"] < values).all() and (values < table["high"]).all()
    # Scores of a resample equal scikit-learn's on the same paintings.
    drawn = np.random.RandomState(0).randint(30, size=30)
    rows = np.concatenate(
        [np.flatnonzero(pd.factorize(collection[2])[0] == unit) for unit in drawn]
    )
    true, predicted = collection[1][rows], evaluation.y_pred[rows]
    one = evaluation.intervals(n_resamples=1)["low"]
    assert one["accuracy"] == pytest.approx(accuracy_score(true, predicted))
    assert one["balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(true, predicted)
    )
    assert one["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert "leakage_gap" not in evaluation.random_folds.intervals(n_resamples=5).index


def test_interval_of_accuracy_has_the_expected_width():
    generator = np.random.default_rng(0)
    correct = generator.random(800) < 0.7
    chosen = np.where(correct, 0, 1)
    low, high = (
        Evaluation(np.zeros(800, int), y_pred=chosen)
        .intervals(level=0.9)
        .loc["accuracy"]
    )
    assert high - low == pytest.approx(2 * 1.645 * np.sqrt(0.21 / 800), rel=0.1)


def test_artists_apart(collection, evaluation):
    artists = collection[2]
    assert evaluation.artists_apart is True
    assert evaluation.random_folds.artists_apart is False
    assert np.unique(evaluation.folds).tolist() == [0, 1, 2, 3]
    y, probabilities = evaluation.y_true, evaluation.probabilities
    on_a_test_set = Evaluation(
        y, probabilities=probabilities, classes=np.unique(y), groups=artists
    )
    assert on_a_test_set.artists_apart is None


def test_resamples_without_a_movement_are_ignored():
    # All predictions are correct, but a resample may lack both artists of a movement.
    y = np.repeat(np.arange(6), 8)
    evaluation = Evaluation(y, y_pred=y, groups=np.arange(48) // 4)
    table = evaluation.per_movement(n_resamples=200)
    assert (table.filter(regex="_low|_high") == 1).all(axis=None)


def test_order_of_classes_does_not_matter():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(3), 60)
    y = generator.choice(["a", "b", "c"], 60)
    sorted_ = Evaluation(y, probabilities=probabilities, classes=["a", "b", "c"])
    turned = Evaluation(
        y, probabilities=probabilities[:, [1, 2, 0]], classes=["b", "c", "a"]
    )
    pd.testing.assert_series_equal(sorted_.metrics, turned.metrics)
    pd.testing.assert_frame_equal(sorted_.intervals(), turned.intervals())


def test_movement_without_paintings_has_no_recall():
    evaluation = Evaluation([0, 0, 1], y_pred=[0, 2, 1])
    table = evaluation.per_movement(n_resamples=10)
    for name in ("recall", "f1"):
        assert table[name].isna().tolist() == [False, False, True]
    assert evaluation.metrics["balanced_accuracy"] == 0.75
    assert evaluation.metrics["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert table["precision"].tolist() == [1, 1, 0]


def test_movement_that_is_never_predicted_has_no_precision():
    table = Evaluation([0, 0, 1], y_pred=[0, 0, 0]).per_movement(n_resamples=10)
    assert table["precision"].isna().tolist() == [False, True]
    assert table["f1"].tolist() == [0.8, 0]


def test_cv_is_a_number_of_folds_a_splitter_or_an_iterable(collection):
    X, y, artists = collection
    model = GaussianNB()
    by_number = evaluate(model, X, y, groups=artists, cv=3)
    splitter = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    folds = list(splitter.split(X, y, artists))
    for cv in (splitter, folds):
        found = evaluate(model, X, y, groups=artists, cv=cv)
        np.testing.assert_array_equal(found.probabilities, by_number.probabilities)
        np.testing.assert_array_equal(found.folds, by_number.folds)
        pd.testing.assert_frame_equal(found.leakage_gap, by_number.leakage_gap)
    mixed = evaluate(model, X, y, groups=artists, cv=StratifiedKFold(3).split(X, y))
    assert mixed.artists_apart is False and mixed.random_folds is None
    with pytest.raises(ValueError, match="exactly one test fold"):
        evaluate(model, X, y, cv=ShuffleSplit(2))
    everything = np.arange(300)
    with pytest.raises(ValueError, match="training and test set of fold 0 of cv"):
        evaluate(model, X, y, cv=[(everything, everything)])


def test_scoring_is_computed_in_each_fold(collection):
    X, y, artists = collection
    folds = list(StratifiedGroupKFold(3).split(X, y, artists))
    for scoring in ("accuracy", ["accuracy", "f1_macro"], {"mine": "neg_log_loss"}):
        found = evaluate(GaussianNB(), X, y, groups=artists, cv=folds, scoring=scoring)
        expected = cross_validate(GaussianNB(), X, y, cv=folds, scoring=scoring)
        for name in found.fold_scores:
            key = "score" if scoring == name else name
            np.testing.assert_allclose(found.fold_scores[name], expected[f"test_{key}"])
        assert found.random_folds.fold_scores.shape == found.fold_scores.shape
    assert evaluate(GaussianNB(), X, y, cv=folds).fold_scores is None


def test_classifier_without_probabilities(collection):
    X, y, artists = collection
    evaluation = evaluate(LinearSVC(), X, y, groups=artists)
    expected = cross_val_predict(
        LinearSVC(),
        X,
        y,
        groups=artists,
        cv=StratifiedGroupKFold(4, shuffle=True, random_state=0),
    )
    assert evaluation.y_pred.tolist() == expected.tolist()
    assert evaluation.probabilities is None and evaluation.confidence is None
    assert evaluation.metrics.index.tolist() == [
        *("accuracy", "balanced_accuracy", "macro_f1", "most_frequent")
    ]
    assert (
        evaluation.leakage_gap.index.tolist() == evaluation.metrics.index[:3].tolist()
    )
    for method in (
        evaluation.reliability,
        evaluation.coverage,
        evaluation.least_certain,
    ):
        with pytest.raises(ValueError, match="needs probabilities"):
            method()


def test_params_are_split_like_the_paintings(collection):
    X, y, _ = collection
    weights = np.linspace(0, 1, len(y))
    found = evaluate(GaussianNB(), X, y, params={"sample_weight": weights})
    expected = cross_val_predict(
        GaussianNB(),
        X,
        y,
        cv=StratifiedKFold(4, shuffle=True, random_state=0),
        method="predict_proba",
        params={"sample_weight": weights},
    )
    np.testing.assert_array_equal(found.probabilities, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": ["x", None, "z"]}, "names no artist for 1 of 3"),
        ({"classes": ["a", "a"]}, "hold one twice"),
        ({"classes": None}, "classes are required"),
        ({"probabilities": [[np.nan, 1], [0, 1], [1, 0]]}, "not finite"),
        ({"probabilities": None}, "pass probabilities, y_pred or both"),
        ({"y_pred": ["a", "b", "d"]}, "y_pred holds .'d'."),
        ({"probabilities": None, "y_pred": ["a", "b", "c"]}, "y_pred holds .'c'."),
    ],
)
def test_invalid_parameters_raise(changes, message):
    given = {"probabilities": np.eye(2)[[0, 1, 0]], "classes": ["a", "b"]} | changes
    with pytest.raises(ValueError, match=message):
        Evaluation(["a", "b", "a"], **given)
