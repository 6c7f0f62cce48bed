"""Sections on the classifier: metrics, confidence and training."""

import numpy as np
import pandas as pd

from skart.evaluation._evaluation_sets import name_promise, tabulate_sets
from skart.plotting import (
    ConfusionDisplay,
    CoverageDisplay,
    HistoryDisplay,
    ReliabilityDisplay,
    SearchDisplay,
)
from skart.report._text import count, describe_confidence, with_interval

_ALPHA = 0.1  # of the prediction sets
_MAX_ARTISTS = 20
_METRICS = {
    "accuracy": ("accuracy", "share of the paintings that are classified correctly"),
    "balanced_accuracy": (
        "balanced accuracy",
        "mean recall: each movement has the same weight",
    ),
    "macro_f1": ("macro F1", "mean of F1: each movement has the same weight"),
    "top_3_accuracy": (
        "top-3 accuracy",
        "share with the true movement among the three most probable",
    ),
    "log_loss": ("log loss", "error of the probabilities; 0 is best"),
    "calibration_error": (
        "calibration error",
        "mean difference between confidence and accuracy; 0 is best",
    ),
    "most_frequent": (
        "most frequent",
        "accuracy of always predicting the most frequent movement",
    ),
}


def fill_results(section, evaluation, intervals, scores, *, periods=None):
    """Add metrics, scores of each movement, and mistakes by movement."""
    section.table(
        _tabulate_metrics(evaluation, intervals),
        caption="All paintings, with 95% confidence intervals in brackets: "
        f"{'paintings' if evaluation.groups is None else 'artists'} resampled 1,000 "
        "times with replacement",
    )
    if evaluation.fold_scores is not None:
        section.table(
            evaluation.fold_scores.rename_axis("fold").reset_index(),
            caption="Additional scores of each fold",
        )
    table = scores[["paintings"]].copy()
    for name in ("recall", "precision", "f1"):
        columns = (scores[name], scores[f"{name}_low"], scores[f"{name}_high"])
        table["F1" if name == "f1" else name] = [
            with_interval(*row) for row in zip(*columns, strict=True)
        ]
    section.table(
        table,
        caption="Each movement. Recall: share of its paintings that are recognised. "
        "Precision: share of the paintings classified as this movement that belong to "
        "it. F1: their harmonic mean.",
    )
    section.figure(
        ConfusionDisplay.from_evaluation(evaluation),
        alt=f"Confusion matrix of {len(evaluation.classes)} movements",
        caption="Confusion matrix: predicted movement (column) of the paintings of "
        "each true movement (row), in percent of the row.",
    )
    confused = evaluation.most_confused()
    if len(confused):
        section.table(
            confused.rename(columns={"share": "share of the movement"}),
            caption="Most confused movements",
            formats={"share of the movement": ".1%"},
        )
    if evaluation.groups is not None:
        _add_artists(section, evaluation.per_artist())
    if periods is not None and len(confused):
        section.table(
            evaluation.chronology(periods).rename(
                columns={"years": "years apart", "by_chance": "by chance"}
            ),
            caption="Mistakes and time: mean distance in years between the true and "
            "the predicted movement, and the distance to expect if mistakes were "
            "spread evenly over the other movements",
            formats={"years apart": ".0f", "by chance": ".0f"},
        )


def fill_confidence(section, evaluation, intervals, sets):
    """Add calibration, coverage and prediction sets, by default of the evaluation."""
    section.text(describe_confidence(evaluation, intervals))
    if evaluation.confidence is None:
        return
    section.figure(
        ReliabilityDisplay.from_evaluation(evaluation),
        alt="Reliability diagram: accuracy against confidence",
        caption="Accuracy against confidence. On the dotted line, both are equal. "
        "Grey: number of paintings with that confidence.",
    )
    section.figure(
        CoverageDisplay.from_evaluation(evaluation),
        alt="Accuracy against the share of the paintings with the highest confidence",
        caption="Accuracy if only the paintings with the highest confidence are "
        "classified.",
    )
    _add_sets(section, evaluation, sets)


def fill_training(section, *, history=None, search=None):
    """Add learning curves and the results of a search."""
    if history is not None:
        section.figure(
            HistoryDisplay(history=history).plot(),
            alt="Learning curves: loss and accuracy against epoch",
            caption="Loss and accuracy of each epoch. The best value on the validation "
            "set is marked.",
        )
    results = getattr(search, "cv_results_", search) or {}
    scores = results.get("mean_test_score", ())
    if len(scores) > 1:
        section.figure(
            SearchDisplay(results=results).plot(),
            alt="Score of each candidate of the search against each parameter",
            caption=f"{count(len(scores), 'candidate')}. The best has a mean score of "
            f"{np.nanmax(scores):.3f} over its folds. This score is optimistic, "
            "because the candidate was selected by it.",
        )


def _add_sets(section, evaluation, sets):
    """Add how often prediction sets hold the movement, and their sizes."""
    whose = "the paintings"
    how = "The sets are those of the model, which was calibrated before."
    if sets is None:
        sets, whose = tabulate_sets(evaluation, _ALPHA), name_promise(evaluation)
        how = "The sets of an artist are calibrated on the paintings of the others."
    table = sets.drop(columns="paintings")
    names = {"covered": "hold the movement", "size": "mean size"}
    titles = names | {f"random_{x}": f"{y}, random folds" for x, y in names.items()}
    caption = (
        "Prediction sets: the movements that are in the running, so that the sets of "
        f"{1 - _ALPHA:.0%} of {whose} hold the true movement. The table shows how many "
        "do, and the mean number of movements in a set; all artists have the same "
        f"weight. {how}"
    )
    if "random_size" in table:
        caption += (
            " Random folds: the same, calibrated on predictions with random folds."
        )
    section.table(
        table.rename(columns=titles),
        caption=caption,
        formats={
            title: ".1f" if "size" in title else ".1%" for title in titles.values()
        },
    )


def _add_artists(section, table):
    """Add the accuracy on the paintings of each artist."""
    if table.empty:
        return
    shown = table[:_MAX_ARTISTS]
    others = ""
    if len(shown) < len(table):
        others = f", the {len(shown)} with the most mistakes of {len(table):,}"
    section.table(
        shown.rename(columns={"mistake": "often taken for"}),
        caption=f"Artists{others}. Movements: those of the artist's paintings, the "
        "most frequent first",
        formats={"accuracy": ".1%"},
    )
    if others:
        section.download("artists.csv", table.reset_index(), text="All artists:")


def _tabulate_metrics(evaluation, intervals):
    """Return the metrics as text, with intervals and meanings."""
    metrics = evaluation.metrics
    compared = evaluation.random_folds is not None
    shown = evaluation.leakage_gap if compared else metrics.to_frame()
    shown = shown.reindex([name for name in _METRICS if name in metrics])
    table = pd.DataFrame(index=shown.index)
    for column in shown:
        sign = "+" if column == "gap" else ""
        table[column] = [
            _format_metric(name, value, sign) for name, value in shown[column].items()
        ]
    main = "artists_apart" if compared else "value"
    table.loc["most_frequent", main] = f"{metrics['most_frequent']:.1%}"
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        table.loc[name, main] = with_interval(metrics[name], *intervals.loc[name])
    table["meaning"] = [_METRICS[name][1] for name in table.index]
    table.index = pd.Index([_METRICS[name][0] for name in table.index], name="metric")
    return table.rename(columns=lambda name: name.replace("_", " "))


def _format_metric(name, value, sign):
    """Return a metric as text: percent, except for the log loss."""
    if pd.isna(value):
        return "–"
    return format(value, f"{sign}.3f" if name == "log_loss" else f"{sign}.1%")
