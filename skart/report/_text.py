"""What the numbers of an evaluation say, in sentences."""

import pandas as pd


def in_short(evaluation, intervals, scores):
    """Say what a curator needs to know.

    Parameters
    ----------
    evaluation : Evaluation
        Of the classifier.
    intervals : DataFrame
        Its ``intervals()``.
    scores : DataFrame
        Its ``per_movement()``.

    Returns
    -------
    paragraphs : list of str
        Accuracy, how it was measured, leakage, best and worst.
    """
    paragraphs = [
        " ".join(
            (_accuracy(evaluation, intervals), _against_guessing(evaluation, intervals))
        ),
        how_measured(evaluation),
    ]
    if evaluation.random_folds is not None:
        paragraphs.append(_leakage(evaluation, intervals.loc["leakage gap"]))
    paragraphs.append(_best_and_worst(evaluation, scores))
    return paragraphs


def how_measured(evaluation):
    """Say what the models that answered had seen.

    Parameters
    ----------
    evaluation : Evaluation
        Of the classifier.

    Returns
    -------
    text : str
        A sentence or two.
    """
    paintings = count(len(evaluation.y_true), "painting")
    artists = ""
    if evaluation.groups is not None:
        artists = f" by {count(len(set(evaluation.groups)), 'artist')}"
    if evaluation.folds is None:
        return f"It was measured on a test set of {paintings}{artists}."
    folds = count(len(set(evaluation.folds)), "fold")
    if evaluation.artists_apart:
        return (
            f"It was measured with artists kept apart, in {folds}: each of the "
            f"{paintings}{artists} was judged by a model that had seen none of its "
            "artist's paintings."
        )
    text = (
        f"It was measured in {folds} at random: each of the {paintings}{artists} was "
        "judged by a model that had not seen it, but may have seen others by its "
        "artist. "
    )
    if evaluation.groups is None:
        text += "Artists were not told apart. "
    return text + "On artists that are new to it, it will probably be worse."


def how_sure(evaluation, intervals):
    """Say how far its confidence can be trusted.

    Parameters
    ----------
    evaluation : Evaluation
        Of the classifier.
    intervals : DataFrame
        Its ``intervals()``.

    Returns
    -------
    text : str
        Some sentences.
    """
    confidence, accuracy = evaluation.confidence.mean(), evaluation.correct.mean()
    low, high = intervals.loc["accuracy"]
    verdict = "as sure as it should be, as far as the interval tells"
    if not low <= confidence <= high:
        verdict = "too sure" if confidence > accuracy else "less sure than it could be"
    text = (
        f"On average it is {confidence:.1%} sure and right for {accuracy:.1%}: "
        f"{verdict}. The expected calibration error, the mean distance of the two over "
        f"ten bins of confidence, is {evaluation.calibration_error():.1%}."
    )
    table = evaluation.coverage()
    within = table[table["coverage"] <= 0.8]
    if within.empty:
        return (
            f"{text} It gives more than four paintings in five the same confidence, "
            "so that the least sure can't be told from the rest."
        )
    row = within.iloc[-1]
    declined = "one painting in five"
    if row["coverage"] < 0.77:  # several are equally sure
        declined = f"{1 - row['coverage']:.0%} of the paintings"
    elif row["coverage"] < 0.795:
        declined = f"about {declined}"
    return (
        f"{text} If it may decline {declined}, those of which it is least sure, it is "
        f"right for {row['accuracy']:.1%} of the rest: it then answers where it is at "
        f"least {row['threshold']:.0%} sure."
    )


def model_card(evaluation, intervals, files, steps=None, notes=None):
    """Sum up what the classifier is for, and what it is not for.

    Parameters
    ----------
    evaluation : Evaluation
        Of the classifier.
    intervals : DataFrame
        Its ``intervals()``.
    files : DataFrame
        As :func:`skart.images._headers.survey_files` gives them.
    steps : str, default=None
        The steps of the pipeline.
    notes : str, default=None
        What the user wants to be said.

    Returns
    -------
    card : dict of str to str
        The entries of a model card [1]_.

    References
    ----------
    .. [1] Mitchell et al. "Model Cards for Model Reporting". FAT* 2019.
    """
    movements = count(len(evaluation.classes), "movement")
    paintings = count(len(evaluation.y_true), "painting")
    trained_on = (
        "Paintings that this page doesn't list: it was tested on those listed below."
        if evaluation.folds is None
        else f"The {paintings} listed below, fold by fold, each time without those "
        "that it was then tested on."
    )
    return {
        **({"Model": steps} if steps else {}),
        "Intended use": f"To suggest one of {movements} for a digital image of a "
        "painting, to a person who can judge the suggestion. Not to attribute, date or "
        "value a work.",
        "Trained on": trained_on,
        "Performance": f"{_accuracy(evaluation, intervals)} {how_measured(evaluation)}",
        "Limits": " ".join(_limits(evaluation, files)),
        "Ethics": "Labels and selection carry the judgement of those who collected "
        "them, and a movement that they passed over can't be named: leave no decision "
        "about a work or its maker to the classifier alone.",
        **({"Notes": notes} if notes else {}),
    }


def count(number, noun):
    """Write a number of things.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        What, in the singular.

    Returns
    -------
    text : str
        ``"1 painting"``, ``"1,200 paintings"``.
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def with_interval(value, low, high):
    """Write a share and its interval.

    Parameters
    ----------
    value, low, high : float
        0 to 1.

    Returns
    -------
    text : str
        ``"72.3% (61.0–80.2)"``.
    """
    return f"{value:.1%} ({100 * low:.1f}–{100 * high:.1f})"


def _accuracy(evaluation, intervals):
    low, high = intervals.loc["accuracy"]
    return (
        f"The classifier names the movement of {evaluation.metrics['accuracy']:.1%} of "
        f"the paintings (95% interval {100 * low:.1f}–{100 * high:.1f}%)."
    )


def _against_guessing(evaluation, intervals):
    most_frequent = pd.Series(evaluation.y_true).mode()
    answer = "any one movement"
    if len(most_frequent) == 1:
        answer = f"{most_frequent[0]}, the most frequent movement,"
    guessing = evaluation.metrics["most frequent"]
    text = f"Always answering {answer} would be right for {guessing:.1%}"
    if intervals.loc["accuracy", "low"] <= guessing:
        return f"{text}, and the interval does not rule out that it is no better."
    return f"{text}."


def _leakage(evaluation, interval):
    gap = evaluation.leakage_gap.loc["accuracy"]
    low, high = 100 * interval
    start = (
        "Where it may have met the artist, with random folds, it is right for "
        f"{gap['random folds']:.1%}: a difference of {100 * gap['gap']:+.1f} points "
        f"(95% interval {low:+.1f} to {high:+.1f})."
    )
    if low > 0:
        return (
            f"{start} That much it owes to knowing the artist, or the same lamp and "
            "scanner, and won't have for a new one."
        )
    return f"{start} There is no clear sign that it leans on knowing the artist."


def _best_and_worst(evaluation, scores):
    recall = scores.loc[scores["paintings"] > 0, "recall"]
    best, worst = recall.idxmax(), recall.idxmin()
    if recall[best] == recall[worst]:
        text = f"It recognises {recall[best]:.1%} of the paintings of each movement."
    else:
        text = (
            f"It is best at {best}, of which it recognises {recall[best]:.1%}, and "
            f"worst at {worst}, with {recall[worst]:.1%}."
        )
    confused = evaluation.most_confused(1)
    if confused.empty:
        return f"{text} It takes no movement for another."
    pair = confused.iloc[0]
    total = scores.loc[pair["movement"], "paintings"]
    return (
        f"{text} Most often it takes {pair['movement']} for {pair['predicted']}: "
        f"{pair['paintings']:,} of {count(total, 'painting')}."
    )


def _limits(evaluation, files):
    yield "Movements are conventions: a painting may belong to two, or to none."
    yield (
        f"A painting of a movement beyond these {len(evaluation.classes)} gets one of "
        "them all the same."
    )
    if evaluation.folds is None:
        yield (
            "Whether it had met the artists of the test set is for those who made it "
            "to say."
        )
    elif not evaluation.artists_apart:
        yield "How it does on artists that it has not met was not measured."
    yield (
        "It saw reproductions, not originals"
        f"{_range(files)}: the camera, the light and the crop are part of what it "
        "learned."
    )
    sizes = pd.Series(evaluation.y_true).value_counts()
    yield (
        f"{sizes.index[-1]} has {count(sizes.iloc[-1], 'painting')} only, and its "
        "figures are the least certain."
        if sizes.iloc[-1] < sizes.iloc[0]
        else f"Each movement has {count(sizes.iloc[0], 'painting')}."
    )
    mistakes = ~evaluation.correct
    sure = mistakes & (evaluation.confidence >= 0.9)
    yield (
        f"Of its {count(mistakes.sum(), 'mistake')}, {sure.sum():,} "
        f"{'was' if sure.sum() == 1 else 'were'} made with a confidence of 90% or more."
    )


def _range(files):
    longer = files[["width", "height"]].max(axis=1).dropna()
    if longer.empty:
        return ""
    return f" ({longer.min():,} to {longer.max():,} pixels on the longer side)"
