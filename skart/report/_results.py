"""Sections on the classifier: how good it is, how sure, and how it was trained."""

import numpy as np
import pandas as pd

from skart.plotting import (
    HistoryDisplay,
    SearchDisplay,
    plot_confusion_matrix,
    plot_coverage,
    plot_reliability,
)
from skart.report._text import count, how_sure, with_interval

_MEANINGS = {
    "accuracy": "share of the paintings whose movement it names",
    "balanced accuracy": "mean share recognised, each movement counting alike",
    "macro F1": "mean of F1, each movement counting alike",
    "top-3 accuracy": "share with the true movement among its first three answers",
    "log loss": "distance of its probabilities from the truth; 0 is best",
    "calibration error": "mean distance of confidence and accuracy; 0 is best",
    "most frequent": "accuracy of always answering the most frequent movement",
}


def fill_results(section, evaluation, intervals, scores, *, periods=None):
    """Show how good it is, as a whole and on each movement.

    Parameters
    ----------
    section : Section
        Where to.
    evaluation : Evaluation
        Of the classifier.
    intervals : DataFrame
        Its ``intervals()``.
    scores : DataFrame
        Its ``per_movement()``.
    periods : DataFrame or dict, default=None
        See :meth:`skart.evaluation.Evaluation.chronology`.
    """
    metrics = evaluation.metrics
    compared = evaluation.random_folds is not None
    shown = evaluation.leakage_gap if compared else metrics.to_frame()
    shown = shown.reindex([name for name in _MEANINGS if name in metrics])
    table = pd.DataFrame(index=shown.index.rename("measure"))
    for column in shown:
        sign = "+" if column == "gap" else ""
        table[column] = [
            _metric(name, value, sign) for name, value in shown[column].items()
        ]
    main = "artists apart" if compared else "value"
    table.loc["most frequent", main] = _metric("", metrics["most frequent"])
    for name in ("accuracy", "balanced accuracy", "macro F1"):
        table.loc[name, main] = with_interval(metrics[name], *intervals.loc[name])
    table["what it says"] = table.index.map(_MEANINGS)
    section.table(
        table, caption=f"The whole; in brackets, 95% intervals: {_drawn(evaluation)}"
    )
    table = scores[["paintings"]].copy()
    for name in ("recall", "precision", "f1"):
        columns = (scores[name], scores[f"{name}_low"], scores[f"{name}_high"])
        table["F1" if name == "f1" else name] = [
            with_interval(*row) for row in zip(*columns, strict=True)
        ]
    table.loc[table["paintings"] == 0, ["recall", "F1"]] = "–"
    section.table(
        table,
        caption="Each movement. Recall: how many of its paintings are recognised. "
        "Precision: how many that are taken for it belong to it. F1: their harmonic "
        "mean.",
    )
    section.figure(
        plot_confusion_matrix(evaluation.y_true, evaluation.y_pred),
        alt=f"Confusion matrix of {len(evaluation.classes)} movements",
        caption="What the paintings of each movement (row) were taken for (column), in "
        "percent of the row.",
    )
    confused = evaluation.most_confused()
    if len(confused):
        confused["share"] = confused["share"].map("{:.1%}".format)
        section.table(
            confused.rename(
                columns={"predicted": "taken for", "share": "of the movement"}
            ),
            caption="Most confused",
        )
    if periods is not None and not evaluation.correct.all():
        table = evaluation.chronology(periods)
        section.table(
            table.rename(columns={"years": "years apart", "by_chance": "by chance"}),
            caption="Mistakes and time: how many years lie between the middles of the "
            "true and the predicted movement, and how many would if mistakes fell on "
            "the other movements at random",
            formats={"years apart": ".0f", "by chance": ".0f"},
        )


def fill_confidence(section, evaluation, intervals):
    """Show how far its confidence can be trusted.

    Parameters
    ----------
    section : Section
        Where to.
    evaluation : Evaluation
        Of the classifier.
    intervals : DataFrame
        Its ``intervals()``.
    """
    section.text(how_sure(evaluation, intervals))
    section.figure(
        plot_reliability(evaluation.correct, evaluation.confidence),
        alt="Reliability diagram: accuracy against confidence",
        caption="How often it is right (line) against how sure it is; on the dotted "
        "line, both are the same. Grey: how many paintings were answered with that "
        "confidence.",
    )
    section.figure(
        plot_coverage(evaluation).figure,
        alt="Accuracy against the share of the paintings that are answered",
        caption="How often it is right where it answers only those paintings of which "
        "it is surest.",
    )


def fill_training(section, *, history=None, search=None):
    """Show how it was trained.

    Parameters
    ----------
    section : Section
        Where to.
    history : dict, default=None
        See :class:`skart.plotting.HistoryDisplay`.
    search : RandomizedSearchCV or its like, or dict, default=None
        Fitted, or its ``cv_results_``.
    """
    if history is not None:
        section.figure(
            HistoryDisplay(history).plot(),
            alt="Learning curves: loss and accuracy against epoch",
            caption="Loss and accuracy, epoch by epoch; the best of the validation is "
            "marked.",
        )
    if search is not None:
        results = getattr(search, "cv_results_", search)
        scores = results["mean_test_score"]
        section.figure(
            SearchDisplay(results).plot(),
            alt="Score of each candidate against each parameter that was searched",
            caption=f"{count(len(scores), 'candidate')}; the best scored "
            f"{np.nanmax(scores):.3f} on average over its folds, which chose it and so "
            "flatter it.",
        )


def _metric(name, value, sign=""):
    if pd.isna(value):
        return "–"
    return format(value, f"{sign}.3f" if name == "log loss" else f"{sign}.1%")


def _drawn(evaluation):
    units = "paintings" if evaluation.groups is None else "artists"
    return f"{units} drawn anew with replacement, 1,000 times"
