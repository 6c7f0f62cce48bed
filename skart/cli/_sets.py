"""Prediction sets in commands: calibrating a trained model, and sets of images."""

import textwrap

from skart.cli._app import say
from skart.persistence._calibration import (
    find_sets,
    name_calibrated,
    promise_coverage,
    read_notes,
    warn_of_few_artists,
)

_N_FOLDS = 4
_ALPHA = 0.1  # of the sets in an evaluation


def calibrate(pipe, collection, seed):
    """Cross-validate a trained pipeline; return notes for its file.

    They suffice for prediction sets of any coverage. `interval` is the 95 % interval of
    the accuracy. The other lists have an item for each tested painting: the number of
    its artist (None if artists are unknown), the position of its movement in the
    model's classes, the movement's probability by a model that was not trained on the
    artist, and the highest probability.
    """
    import copy
    import warnings

    import numpy as np
    from sklearn.base import clone

    from skart.cli._evaluate import cross_validate
    from skart.evaluation._evaluation_sets import number_artists

    say(f"Calibration: {_N_FOLDS} folds, new fits")
    with warnings.catch_warnings():  # the first fit has named them
        warnings.filterwarnings("ignore", r"\d+ of \d+ images can't be read")
        evaluation, method = cross_validate(
            clone(pipe), copy.copy(collection), _N_FOLDS, seed, random_folds=False
        )
    artists = None
    if evaluation.artists_apart:
        artists = number_artists(evaluation.groups, len(evaluation.y_true)).tolist()
    codes = np.searchsorted(evaluation.classes, evaluation.y_true)
    probability = evaluation.probabilities[np.arange(len(codes)), codes]
    return {
        "method": method,
        "accuracy": float(evaluation.metrics["accuracy"]),
        "interval": _round(evaluation.intervals().loc["accuracy"]),
        "artists": artists,
        "movements": codes.tolist(),
        "probability": _round(probability),
        "confidence": _round(evaluation.confidence),
    }


def _round(values):
    """Return floats of six digits, which take less room in a file."""
    return [float(f"{value:.6g}") for value in values]


def summarize(calibration):
    """Return a calibration without the lists of paintings."""
    artists_apart = calibration["artists"] is not None
    names = "method", "accuracy", "interval"
    return {"artists_apart": artists_apart} | {x: calibration[x] for x in names}


def describe(summary):
    """Return the accuracy of a calibration, and on which artists, as a line."""
    which = "other paintings by the same artists"
    if summary["artists_apart"]:
        which = "new artists"
    low, high = summary["interval"]
    return (
        f"accuracy on {which} {summary['accuracy']:.1%} (95 % interval {low:.0%} to "
        f"{high:.0%}): {summary['method']}"
    )


def require_calibration(model, option, hint=""):
    """Return the calibration that an option needs; raise ValueError without one."""
    notes = read_notes(model)
    if not notes.get("calibration"):
        advice = (
            "train it again by `skart train --calibrate`, and export it again if it is "
            f"an exported one{hint}"
        )
        if reason := notes.get("not_calibrated"):
            advice = f"{reason.rstrip('.')}. Then {advice}"
        raise ValueError(
            f"{option} needs a calibrated model, and {str(model)!r} isn't calibrated: "
            f"{advice}"
        )
    return notes["calibration"]


def keep_sets(predictions, calibration, coverage):
    """Return the movements in the set of each image, and what is promised.

    `predictions` has all movements and probabilities by path, the best first.
    """
    import numpy as np

    warn_of_few_artists(coverage, calibration)
    if predictions:
        ranked = np.array([[p for _, p in one] for one in predictions.values()])
        sets = find_sets(ranked, calibration, 1 - coverage)
        predictions = {
            path: [pair for pair, is_in in zip(one, row, strict=True) if is_in]
            for (path, one), row in zip(predictions.items(), sets, strict=True)
        }
    return predictions, promise_coverage(coverage, calibration)


def tabulate_sets(evaluation, calibration):
    """Return how often sets hold the movement: those of a calibration, if given."""
    from skart.evaluation import _evaluation_sets

    if calibration is None:
        return _evaluation_sets.tabulate_sets(evaluation, _ALPHA)
    sets = find_sets(evaluation.probabilities, calibration, _ALPHA)
    return _evaluation_sets.count_sets(evaluation, {"": sets})


def describe_sets(evaluation, calibration=None):
    """Return how often the sets of an evaluation hold the movement, and their sizes."""
    if evaluation.probabilities is None:
        return None
    table = tabulate_sets(evaluation, calibration)
    return {
        "coverage": 1 - _ALPHA,
        "calibrated_in_training": calibration is not None,
        "all": table.iloc[-1].to_dict(),
        "movements": table.iloc[:-1].reset_index().to_dict("records"),
    }


def list_sets(evaluation, calibration=None):
    """Return the same as lines of a table."""
    if evaluation.probabilities is None:
        return []
    from skart.evaluation._evaluation_sets import name_promise

    table = tabulate_sets(evaluation, calibration).drop(columns="paintings")
    for name in table.filter(like="covered"):
        table[name] *= 100
    table.columns = ["holds %", "size", "random: holds %", "size"][: table.shape[1]]
    whose, how = name_promise(evaluation), ""
    if calibration is not None:
        whose, how = name_calibrated(calibration), ", calibrated in training"
    lines = textwrap.wrap(
        f"prediction sets for {1 - _ALPHA:.0%} of {whose}{how}: how many hold the "
        "movement, and the mean number of movements in them"
        + ("" if evaluation.groups is None else "; artists have equal weight")
        + ("; also if calibrated by random folds" if table.shape[1] > 2 else ""),
        80,
    )
    shares = dict.fromkeys(table.filter(like="holds"), "{:.0f}".format)
    text = table.to_string(
        index_names=False, na_rep="-", float_format="{:.1f}".format, formatters=shares
    )
    return ["", *lines, text]
