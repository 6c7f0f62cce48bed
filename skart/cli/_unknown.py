"""Images that are none of the movements, for `skart predict --unknown`."""

from skart.cli._app import say
from skart.cli._sets import require_calibration

MARKS = "none_of_these", "typicality"


def check_unknown(share, known):
    """Raise ValueError if a share is less than that of one known painting."""
    import numpy as np

    least = 1 / (len(known) + 1)
    if share < least - 1e-9:
        raise ValueError(
            f"--unknown {share:g}: with {len(known)} known paintings, the smallest "
            f"share is {np.ceil(least * 1e4) / 1e4:g}. Pass a larger one, or as --data "
            "all paintings that the model was trained on."
        )


def mark_unknown(share, predictions, known, scores):
    """Return a dict of marks by image: whether it is unknown, and its typicality."""
    from skart.persistence._calibration import compute_typicality

    check_unknown(share, known)
    typicality = compute_typicality(scores, known)
    return {
        path: dict(zip(MARKS, (value <= share, value), strict=True))
        for path, value in zip(predictions, typicality.tolist(), strict=True)
    }


def describe_marks(share, by):
    """Return which images are marked, and by what they were compared, as a line."""
    return (
        "Images are marked as none of the movements if they are less like the known "
        f"paintings than {100 * share:g}% of these, compared by their {by}"
    )


def as_text(mark):
    """Return a mark as a line of text, or None if the image is like the paintings."""
    if not mark.get("none_of_these"):
        return None
    share = f"{100 * mark['typicality']:.2g}%"
    return f"None of these: {share} of the known paintings are as unusual"


def read_confidence(model):
    """Return the highest probabilities of known paintings that a model file notes."""
    import numpy as np

    from skart.persistence._file import reading

    hint = ", or pass --data with the paintings it was trained on"
    calibration = require_calibration(model, "--unknown", hint)
    with reading(model):
        return np.array(calibration["confidence"], float)


def score_by_distance(collection, features, queries):
    """Return the scores of training paintings and of images by a NoveltyDetector."""
    from skart.exploration._novelty import fit_detector

    artists = collection.groups
    if artists is None or collection.frame["artist"].nunique() < 2:
        artists = None
        say(
            "The artists are not known, so more paintings by new artists may be "
            "refused than --unknown states."
        )
    detector, known = fit_detector(features, collection.labels, artists)
    return known, detector.score_samples(queries)
