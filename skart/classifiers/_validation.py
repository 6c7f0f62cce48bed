"""The part of the training samples that is held out to watch the loss on."""

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit


def split_validation(codes, share, *, groups=None, seed=0):
    """Split samples into training and validation, by class and group.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
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
        most = min(np.bincount(codes).max(), len(np.unique(groups)))
        n_splits = max(2, min(round(1 / min(share, 1 - share)), most))
        splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    try:
        with warnings.catch_warnings():
            # One fold of them is taken: it matters little if others lack a class.
            warnings.filterwarnings("ignore", "The least populated class")
            splits = list(splitter.split(codes, codes, groups))
    except ValueError as error:
        raise ValueError(f"{problem}{error}") from error
    for training, validation in splits:
        if groups is not None and share > 0.5:
            training, validation = validation, training
        if len(np.unique(codes[training])) == len(np.unique(codes)):
            return training, validation
    raise ValueError(
        f"{problem}with groups kept together, a class would have nothing left to train "
        "on"
    )
