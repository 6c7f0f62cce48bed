"""The part of the training samples that is held out to watch the loss on."""

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit
from sklearn.utils import check_consistent_length


def split_validation(labels, share, *, groups=None, seed=0):
    """Split samples into training and validation, by class and group.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Classes.
    share : float
        Share of the samples to hold out, in (0, 1).
    groups : array-like of shape (n_samples,), default=None
        Artists, whose paintings are kept together; the share is then met roughly.
    seed : int, default=0
        Of the shuffling.

    Returns
    -------
    training, validation : ndarray of int
        Places of the samples.

    Raises
    ------
    ValueError
        If there are too few samples or groups of a class.
    """
    problem = f"validation_split={share} can't be made: "
    if groups is None:
        splitter = StratifiedShuffleSplit(1, test_size=share, random_state=seed)
    else:
        # One fold of many is held out, or all but one. No class fills more folds than
        # it has samples.
        most = min(
            np.unique(labels, return_counts=True)[1].max(), len(np.unique(groups))
        )
        n_splits = max(2, min(round(1 / min(share, 1 - share)), most))
        splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    try:
        with warnings.catch_warnings():
            # One fold of them is taken: it matters little if others lack a class.
            warnings.filterwarnings("ignore", "The least populated class")
            splits = list(splitter.split(labels, labels, groups))
    except ValueError as error:
        raise ValueError(f"{problem}{error}") from error
    if groups is not None and share > 0.5:
        splits = [(validation, training) for training, validation in splits]
    splits = [
        (training, validation)
        for training, validation in splits
        if len(np.unique(labels[training])) == len(np.unique(labels))
    ]
    if not splits:
        raise ValueError(
            f"{problem}with groups kept together, a class would have nothing left to "
            "train on"
        )
    # Groups may be of any size: "unknown" is an artist in many collections.
    training, validation = min(
        splits, key=lambda split: abs(len(split[1]) - share * len(labels))
    )
    if len(validation) > 2 * share * len(labels) + 1:
        warnings.warn(
            f"validation_split={share} holds out {len(validation)} of {len(labels)} "
            "samples: groups are kept together, and they are too few or too large",
            stacklevel=2,
        )
    return training, validation


def check_held_out(held_out, labels, rows):
    """Check a validation set that the user has chosen.

    Parameters
    ----------
    held_out : array-like of bool, shape (n_samples,)
        Which samples are watched and not trained on.
    labels : ndarray of shape (n_samples,)
        Classes.
    rows : ndarray of int
        Samples that count.

    Returns
    -------
    held_out : ndarray of bool, shape (n_samples,)
        The same.

    Raises
    ------
    ValueError
        If it is no mask of the samples, holds out nothing, or leaves nothing of a class
        to train on.
    """
    held_out = np.asarray(held_out)
    check_consistent_length(labels, held_out)
    if held_out.dtype != bool or held_out.ndim != 1:
        raise ValueError(
            "held_out must be True or False for each sample; got an array of dtype "
            f"{held_out.dtype} and shape {held_out.shape}"
        )
    if not held_out[rows].any():
        raise ValueError("held_out holds out no sample; pass None to hold out none")
    lost = np.setdiff1d(labels[rows], labels[rows][~held_out[rows]])
    if len(lost):
        raise ValueError(f"held_out leaves nothing of {lost.tolist()} to train on")
    return held_out
