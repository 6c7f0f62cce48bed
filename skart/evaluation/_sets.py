"""Prediction sets from probabilities, by conformal prediction."""

# No scikit-learn here: `skart predict` of an exported model starts without it.

import hashlib
import math
import warnings

import numpy as np

METHODS = ("lac", "aps", "raps")
# Of RAPS. A set of two movements costs nothing, each further one counts.
_PENALTY, _FREE_RANKS = 0.1, 2
# Sums of shares are exact only up to rounding.
_ROUNDING = 1e-9


def score_movements(probabilities, method, seed=0):
    """Return the nonconformity score of each movement, shape (n, n_classes)."""
    probabilities = np.asarray(probabilities, float)
    if method == "lac":
        return 1 - probabilities
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    drawn = _draw_uniform(probabilities, seed)[:, np.newaxis]
    ranked_scores = np.cumsum(ranked, axis=1) - (1 - drawn) * ranked
    if method == "raps":
        ranks = np.arange(1, probabilities.shape[1] + 1)
        ranked_scores += _PENALTY * np.maximum(ranks - _FREE_RANKS, 0)
    scores = np.empty_like(ranked_scores)
    np.put_along_axis(scores, order, ranked_scores, axis=1)
    return scores


def _draw_uniform(probabilities, seed):
    """Draw a number between 0 and 1 for each row, from its values and the seed."""
    # Not from a generator: a painting's set must not depend on the others, nor on the
    # last digits, which differ with the batch.
    key = str(seed).encode()
    rounded = np.round(probabilities, 3).astype("<f4", order="C")
    digests = [hashlib.blake2b(row, digest_size=4, key=key) for row in rounded]
    return np.array([int(x.hexdigest(), 16) for x in digests]) / 2**32


def compute_p_values(scores, known, artists, *, movements=None, own=None):
    """Compute the conformal p-value of each movement of each painting.

    All artists weigh the same, and so do the paintings of an artist [1]_. A p-value is
    the share of artists, the new one among them, whose paintings conform no better.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
        Nonconformity scores of the movements.
    known : ndarray of shape (m,)
        Scores of the true movements of the paintings for calibration.
    artists : ndarray of int, shape (m,)
        Their artists.
    movements : ndarray of int, shape (m,), default=None
        Their movements, to compare each movement with its own paintings only.
    own : ndarray of int, shape (n,), default=None
        Artists of the rows of scores, each left out of its own calibration.

    References
    ----------
    .. [1] Lee, Barber, Willett. "Distribution-free inference with hierarchical data".
       2023.
    """
    if movements is None:
        return _compare(scores, known, artists, own)
    p_values = np.empty(scores.shape)
    for movement in range(scores.shape[1]):
        rows = movements == movement
        column = scores[:, movement : movement + 1]
        p_values[:, movement] = _compare(column, known[rows], artists[rows], own)[:, 0]
    return p_values


def _compare(scores, known, artists, own):
    """Return p-values; without any paintings to compare with, they are 1."""
    values, ranks = np.unique(known, return_inverse=True)
    found = np.searchsorted(values, scores)  # number of values that are less
    sizes = np.bincount(artists, minlength=1 if own is None else own.max() + 1)
    shares = np.bincount(ranks, 1 / sizes[artists], minlength=len(values) + 1)
    at_least = np.cumsum(shares[::-1])[::-1][found]
    n_artists = np.count_nonzero(sizes)
    if own is not None:
        own = own[:, np.newaxis]
        # Artist and rank in one number, to count both by a search.
        width = len(values) + 1
        keys = np.sort(artists * width + ranks)
        last = np.searchsorted(keys, (own + 1) * width)
        n_own = last - np.searchsorted(keys, own * width + found)
        at_least = at_least - n_own / np.maximum(sizes[own], 1)
        n_artists = n_artists - (sizes[own] > 0)
    return (1 + at_least) / (1 + n_artists)


def make_sets(p_values, probabilities, alpha, allow_empty=False):
    """Return the movements in each set, a bool array of the shape of p-values."""
    sets = p_values > alpha + _ROUNDING
    if not allow_empty:
        best = np.argmax(probabilities, axis=1)
        sets[np.arange(len(sets)), best] |= ~sets.any(axis=1)
    return sets


def _name_coverage(alpha):
    """Return a coverage in percent, with as many digits as tell it from 100."""
    text = f"{100 * (1 - alpha):g}"
    return f"100 - {100 * alpha:g}" if text == "100" else text


def warn_of_few(
    alpha,
    artists,
    movements=None,
    names=(),
    *,
    unit="artists",
    n_left_out=0,
    stacklevel=2,
):
    """Warn if sets can leave out no movement, or some of those in `names` never.

    `n_left_out` artists, those of the set itself, are not calibrated on.
    """
    needed = np.ceil(1 / alpha - 1 - _ROUNDING)
    unit = f"other {unit}" if n_left_out else unit
    promise = f"a coverage of {_name_coverage(alpha)} % needs {needed:.12g} {unit}"
    if movements is None:
        n_artists = len(np.unique(artists)) - n_left_out
        if n_artists < needed:
            # Rounded down, so that it can be passed.
            most = math.floor(1000 * n_artists / (n_artists + 1)) / 10
            warnings.warn(
                f"{promise}, and there are {n_artists}: each set holds all movements. "
                f"At most {most:g} % can be promised",
                stacklevel=stacklevel + 1,
            )
        return
    few = [
        str(name)
        for code, name in enumerate(names)
        if len(np.unique(artists[movements == code])) - n_left_out < needed
    ]
    if few:
        warnings.warn(
            f"{promise} of each movement, and there are fewer of {', '.join(few)}: "
            "each set holds these movements",
            stacklevel=stacklevel + 1,
        )
