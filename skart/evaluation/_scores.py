"""Scores computed from a confusion matrix or from confidences."""

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skart.datasets._folder import is_unknown_artist


def resample_confusion(true, predicted, n_classes, units, n_resamples, random_state):
    """Yield confusion matrices of bootstrap samples of `units`, such as artists."""
    cells = true * n_classes + predicted
    generator = check_random_state(random_state)
    n_units = units.max() + 1
    for _ in range(n_resamples):
        drawn = np.bincount(generator.randint(n_units, size=n_units), minlength=n_units)
        counts = np.bincount(cells, weights=drawn[units], minlength=n_classes**2)
        yield counts.reshape(n_classes, n_classes)


def score_classes(confusion):
    """Compute precision, recall and F1 of each class; nan where undefined."""
    hits = np.diag(confusion)
    totals = confusion.sum(axis=0), confusion.sum(axis=1)
    totals = (*totals, (totals[0] + totals[1]) / 2)
    return [
        np.divide(hits, total, out=np.full(len(hits), np.nan), where=total > 0)
        for total in totals
    ]


def score_all(confusion):
    """Compute accuracy, balanced accuracy and macro F1."""
    # A class without samples has no recall and no F1.
    _, recall, f1 = score_classes(confusion)
    present = confusion.sum(axis=1) > 0
    return {
        "accuracy": np.trace(confusion) / confusion.sum(),
        "balanced_accuracy": recall[present].mean(),
        "macro_f1": f1[present].mean(),
    }


def compute_reliability(correct, confidence, n_bins):
    """Compute mean confidence, accuracy and number of paintings of each bin."""
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.digitize(confidence, edges[1:-1], right=True)
    paintings = pd.DataFrame({"confidence": confidence, "accuracy": correct})
    table = paintings.groupby(bins).mean()
    table["paintings"] = paintings.groupby(bins).size()
    table.index = pd.IntervalIndex.from_breaks(edges, name="bin")[table.index]
    return table


def compute_coverage(correct, confidence):
    """Compute coverage and accuracy at each threshold of confidence."""
    order = np.argsort(-confidence, kind="stable")
    n_answered = np.arange(1, len(order) + 1)
    table = pd.DataFrame(
        {
            "threshold": confidence[order],
            "coverage": n_answered / len(order),
            "accuracy": np.cumsum(correct[order]) / n_answered,
        }
    )
    # Paintings of equal confidence are above a threshold together or not at all.
    return table.drop_duplicates("threshold", keep="last").reset_index(drop=True)


def find_runner_up(probabilities, predicted):
    """Return the most probable other class, and by how much it is less probable.

    The difference is negative if another class than the most probable is predicted.
    """
    rows = np.arange(len(probabilities))
    others = probabilities.copy()
    others[rows, predicted] = -np.inf
    runner_up = others.argmax(axis=1)
    return runner_up, probabilities[rows, predicted] - probabilities[rows, runner_up]


def score_artists(y_true, y_pred, artists):
    """Compute accuracy and the most frequent mistake of each artist."""
    frame = pd.DataFrame({"artist": artists, "movement": y_true, "predicted": y_pred})
    frame = frame[~frame["artist"].map(is_unknown_artist).astype(bool)]
    frame["correct"] = frame["movement"] == frame["predicted"]
    grouped = frame.groupby("artist")
    table = grouped.agg(paintings=("correct", "size"), accuracy=("correct", "mean"))
    table.insert(1, "movements", grouped["movement"].agg(_join_by_frequency))
    table["mistakes"] = (~frame["correct"]).groupby(frame["artist"]).sum()
    wrong = frame[~frame["correct"]].groupby("artist")["predicted"]
    mistakes = wrong.agg(lambda names: _by_frequency(names)[0])
    table["mistake"] = mistakes.astype(object).reindex(table.index)
    table["mistake"] = table["mistake"].where(table["mistakes"] > 0, None)
    return table.sort_values(
        ["mistakes", "accuracy"], ascending=[False, True], kind="stable"
    )


def _by_frequency(names):
    """Return the different names, the most frequent first, equals in their order."""
    counts = names.value_counts(sort=False).sort_index()
    return counts.sort_values(ascending=False, kind="stable").index.tolist()


def _join_by_frequency(names):
    """Return the different names as one text, the most frequent first."""
    return ", ".join(map(str, _by_frequency(names)))
