"""Sentences of the report, and its model card."""

import pandas as pd

from skart.datasets._folder import is_unknown_artist


def count(number, noun):
    """Return a number with a noun: ``"1 painting"``, ``"1,200 paintings"``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def with_interval(value, low, high):
    """Return a share with its interval, ``"72.3% (61.0–80.2)"``, or a dash for nan."""
    if pd.isna(value):
        return "–"
    return f"{value:.1%} ({100 * low:.1f}–{100 * high:.1f})"


def summarize(evaluation, intervals, scores):
    """Return the paragraphs of the summary."""
    paragraphs = [
        f"{_describe_accuracy(evaluation, intervals)} "
        f"{_compare_with_guessing(evaluation, intervals)}",
        describe_method(evaluation),
    ]
    if evaluation.random_folds is not None:
        paragraphs.append(_describe_gap(evaluation, intervals.loc["leakage_gap"]))
    paragraphs.append(_describe_extremes(evaluation, scores))
    return paragraphs


def describe_method(evaluation):
    """Return how the classifier was evaluated."""
    paintings = count(len(evaluation.y_true), "painting")
    artists = ""
    if evaluation.groups is not None:
        artists = f" by {count(len(set(evaluation.groups)), 'artist')}"
    if evaluation.folds is None:
        return f"It was evaluated on a test set of {paintings}{artists}."
    folds = count(len(set(evaluation.folds)), "fold")
    if evaluation.artists_apart:
        return (
            f"It was cross-validated with {folds} and artists kept apart: each of the "
            f"{paintings}{artists} was classified by a model that was not trained on "
            "any painting by the same artist."
        )
    text = (
        f"It was cross-validated with {folds} that do not keep artists apart: each of "
        f"the {paintings}{artists} was classified by a model that was not trained on "
        "it, but possibly on other paintings by the same artist. "
    )
    if evaluation.groups is None:
        text += "The artists are unknown. "
    return f"{text}On new artists, the accuracy will probably be lower."


def describe_confidence(evaluation, intervals):
    """Return how far the confidence can be trusted."""
    if evaluation.confidence is None:
        return "The classifier returns no probabilities, so its confidence is unknown."
    confidence, accuracy = evaluation.confidence.mean(), evaluation.metrics["accuracy"]
    low, high = intervals.loc["accuracy"]
    verdict = "the mean confidence is within the confidence interval of the accuracy"
    if not low <= confidence <= high:
        verdict = "overconfident" if confidence > accuracy else "underconfident"
        verdict = f"the classifier is {verdict}"
    text = (
        f"The mean confidence is {confidence:.1%} and the accuracy {accuracy:.1%}: "
        f"{verdict}. The expected calibration error, the mean difference between "
        "confidence and accuracy over ten bins of confidence, is "
        f"{evaluation.metrics['calibration_error']:.1%}."
    )
    table = evaluation.coverage()
    within = table[table["coverage"] <= 0.8]
    if within.empty:
        return (
            f"{text} More than 80% of the paintings have the same confidence, so that "
            "no threshold separates the least certain predictions."
        )
    row = within.iloc[-1]
    return (
        f"{text} If the {1 - row['coverage']:.0%} of the paintings with the lowest "
        f"confidence are left to a person, the accuracy on the others is "
        f"{row['accuracy']:.1%}. Their confidence is at least {row['threshold']:.0%}."
    )


def make_model_card(evaluation, intervals, files, steps=None, notes=None):
    """Return the entries of a model card as a dict."""
    movements = count(len(evaluation.classes), "movement")
    paintings = count(len(evaluation.y_true), "painting")
    training_data = (
        "Other paintings than the test set listed below."
        if evaluation.folds is None
        else f"The {paintings} listed below. In each fold, the paintings that were "
        "tested were left out."
    )
    return {
        **({"Model": steps} if steps else {}),
        "Intended use": f"Suggest one of {movements} for a digital image of a painting "
        "to a person who can judge the suggestion. It is not intended to attribute, "
        "date or value a work.",
        "Training data": training_data,
        "Performance": f"{_describe_accuracy(evaluation, intervals)} "
        f"{describe_method(evaluation)}",
        "Limitations": " ".join(_list_limitations(evaluation, files)),
        "Ethical considerations": "Labels and selection reflect the judgement of the "
        "people who made the collection, and movements that they left out are never "
        "predicted. Do not base a decision about a work or its maker on the classifier "
        "alone.",
        **({"Notes": notes} if notes else {}),
    }


def _describe_accuracy(evaluation, intervals):
    """Return the accuracy with its interval."""
    low, high = intervals.loc["accuracy"]
    return (
        f"The classifier recognises the movement of "
        f"{evaluation.metrics['accuracy']:.1%} of the paintings (95% confidence "
        f"interval {100 * low:.1f}–{100 * high:.1f}%)."
    )


def _compare_with_guessing(evaluation, intervals):
    """Return the accuracy of always predicting the same movement."""
    most_frequent = pd.Series(evaluation.y_true).mode()
    guess = "the same movement"
    if len(most_frequent) == 1:
        guess = f"{most_frequent[0]}, the most frequent movement,"
    accuracy = evaluation.metrics["most_frequent"]
    text = f"Always predicting {guess} has an accuracy of {accuracy:.1%}"
    if intervals.loc["accuracy", "low"] <= accuracy:
        return f"{text}, and the classifier may be no better."
    return f"{text}."


def _describe_gap(evaluation, interval):
    """Return the leakage gap with its interval."""
    gap = evaluation.leakage_gap.loc["accuracy"]
    low, high = 100 * interval
    text = (
        "With random folds, where training and test set share artists, the accuracy is "
        f"{gap['random_folds']:.1%}: a difference of {100 * gap['gap']:+.1f} points "
        f"(95% confidence interval {low:+.1f} to {high:+.1f})."
    )
    if low > 0:
        return (
            f"{text} This part of the accuracy depends on paintings of the same artist "
            "or from the same camera in the training set, and is lost on new artists."
        )
    return f"{text} There is no clear sign that the classifier recognises artists."


def _describe_extremes(evaluation, scores):
    """Return the movements that are recognised and confused most often."""
    recall = scores.loc[scores["paintings"] > 0, "recall"]
    best, worst = recall.idxmax(), recall.idxmin()
    if recall[best] == recall[worst]:
        text = f"It recognises {recall[best]:.1%} of the paintings of each movement."
    else:
        text = (
            f"It recognises {best} best, with {recall[best]:.1%} of the paintings, and "
            f"{worst} worst, with {recall[worst]:.1%}."
        )
    confused = evaluation.most_confused(1)
    if confused.empty:
        return f"{text} No movements are confused."
    pair = confused.iloc[0]
    total = scores.loc[pair["movement"], "paintings"]
    return (
        f"{text} The most frequent mistake is to classify {pair['movement']} as "
        f"{pair['predicted']}: {pair['paintings']:,} of {count(total, 'painting')}."
    )


def _list_limitations(evaluation, files):
    """Yield the limitations of the model card."""
    yield "Movements are conventions: a painting may belong to two, or to none."
    yield (
        f"A painting of any other movement is classified as one of these "
        f"{len(evaluation.classes)}."
    )
    if evaluation.folds is None:
        yield (
            "This page cannot show whether artists of the test set are in the training "
            "set."
        )
    elif not evaluation.artists_apart:
        yield "The accuracy on new artists was not measured."
    longer = files[["width", "height"]].max(axis=1).dropna()
    sizes = ""
    if len(longer):
        sizes = f" ({longer.min():,} to {longer.max():,} pixels on the longer side)"
    yield (
        f"The images are reproductions{sizes}, and the classifier may have learned "
        "features of the camera, the light and the crop."
    )
    sizes = pd.Series(evaluation.y_true).value_counts()
    yield (
        f"{sizes.index[-1]} has only {count(sizes.iloc[-1], 'painting')}, and its "
        "scores are the least certain."
        if sizes.iloc[-1] < sizes.iloc[0]
        else f"Each movement has {count(sizes.iloc[0], 'painting')}."
    )
    if evaluation.confidence is not None:
        mistakes = evaluation.y_pred != evaluation.y_true
        confident = (mistakes & (evaluation.confidence >= 0.9)).sum()
        yield (
            f"Of {count(mistakes.sum(), 'mistake')}, {confident:,} "
            f"{'has' if confident == 1 else 'have'} a confidence of 90% or more."
        )


def describe_mistake(evaluation, row):
    """Return the predicted and the true movement of a painting as lines."""
    predicted = f"{evaluation.y_pred[row]}?"
    if evaluation.confidence is not None:
        predicted += f" {evaluation.confidence[row]:.0%}"
    lines = [predicted, f"is {evaluation.y_true[row]}"]
    if evaluation.groups is not None and not is_unknown_artist(evaluation.groups[row]):
        lines.append(f"by {evaluation.groups[row]}")
    return lines
