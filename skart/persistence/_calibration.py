"""The calibration that a model file notes, and prediction sets by it."""

# Imports stand in the functions, since each start of the command imports this module.


def read_notes(model, exported=None):
    """Return the notes in a model's file, a dict; `exported` is the model if known."""
    from skart.persistence import model_info
    from skart.persistence._exported import load_exported

    exported = exported or load_exported(model)
    notes = model_info(model)["notes"] if exported is None else exported.notes
    return notes or {}


def find_calibration(model):
    """Return the calibration that a model's file notes, a dict, or None."""
    return read_notes(model).get("calibration")


def read_scores(model, calibration):
    """Return the probabilities and artists of a calibration.

    Artists are None if they are unknown.
    """
    import numpy as np

    from skart.persistence._file import reading

    with reading(model):
        probabilities = np.array(calibration["probability"], float)
        artists = calibration["artists"]
        if artists is not None:
            artists = np.array(artists, int)
            np.bincount(artists, probabilities)  # of equal length, and not negative
    return probabilities, artists


def find_sets(probabilities, calibration, alpha):
    """Return the movements in each set, a bool array, by a calibration."""
    import numpy as np

    from skart.evaluation._sets import compute_p_values, make_sets

    known, artists = calibration
    if artists is None:
        artists = np.arange(len(known))
    p_values = compute_p_values(1 - probabilities, 1 - known, artists)
    return make_sets(p_values, probabilities, alpha)


def warn_of_few_artists(coverage, calibration):
    """Warn if sets by a calibration can leave out no movement."""
    import numpy as np

    from skart.evaluation._sets import warn_of_few

    known, artists = calibration
    unit = "artists"
    if artists is None:
        artists, unit = np.arange(len(known)), "paintings"
    warn_of_few(1 - coverage, artists, unit=unit, stacklevel=3)


def name_calibrated(calibration):
    """Return the paintings for which sets by a calibration are a promise."""
    if calibration[1] is None:
        return "other paintings by the same artists"
    return "paintings by new artists"


def promise_coverage(coverage, calibration):
    """Return what sets of a coverage promise by a calibration."""
    whose = name_calibrated(calibration)
    if calibration[1] is None:
        whose += ", since artists are unknown"
    return (
        f"Sets hold the movement of {coverage:.0%} of {whose}, on average: for single "
        "movements it may be far fewer, as skart evaluate shows"
    )


def compute_typicality(scores, known):
    """Return the share of paintings, an image among them, that are at most as typical.

    It is rounded, so that it may equal a share such as 0.1.
    """
    import numpy as np

    n_below = np.searchsorted(np.sort(known), scores, side="right")
    return np.round((1 + n_below) / (len(known) + 1), 6)
