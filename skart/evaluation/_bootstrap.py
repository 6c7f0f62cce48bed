"""Bootstrap samples of a classifier's confusion matrix, and the figures of each."""

import numpy as np
from sklearn.utils import check_random_state


def resample_confusion(true, predicted, n_classes, units, n_resamples, random_state):
    """Draw units with replacement, and count what was taken for what.

    Parameters
    ----------
    true, predicted : ndarray of int, shape (n_samples,)
        Codes of the classes.
    n_classes : int
        Classes.
    units : ndarray of int, shape (n_samples,)
        What is drawn: samples that share a code are drawn together.
    n_resamples : int
        Bootstrap samples.
    random_state : int
        Seed: the same one draws the same units.

    Yields
    ------
    counts : ndarray of shape (n_classes, n_classes)
        A confusion matrix, a row a true class.
    """
    cells = true * n_classes + predicted
    generator = check_random_state(random_state)
    n_units = units.max() + 1
    for _ in range(n_resamples):
        drawn = np.bincount(generator.randint(n_units, size=n_units), minlength=n_units)
        counts = np.bincount(cells, weights=drawn[units], minlength=n_classes**2)
        yield counts.reshape(n_classes, n_classes)


def class_scores(confusion):
    """Compute precision, recall and F1 of each class; nan where there is nothing.

    Parameters
    ----------
    confusion : ndarray of shape (n_classes, n_classes)
        A row a true class.

    Returns
    -------
    scores : list of three ndarrays of shape (n_classes,)
        Precision, recall and F1.
    """
    hits = np.diag(confusion)
    totals = confusion.sum(axis=0), confusion.sum(axis=1)
    totals = (*totals, (totals[0] + totals[1]) / 2)
    return [
        np.divide(hits, total, out=np.full(len(hits), np.nan), where=total > 0)
        for total in totals
    ]


def whole_scores(confusion):
    """Compute accuracy, balanced accuracy and macro F1.

    Parameters
    ----------
    confusion : ndarray of shape (n_classes, n_classes)
        A row a true class.

    Returns
    -------
    scores : dict of str to float
        As scikit-learn computes them: classes that are neither true nor predicted
        don't count.
    """
    _, recall, f1 = class_scores(confusion)
    seen = confusion.sum(axis=1) > 0
    counted = seen | (confusion.sum(axis=0) > 0)
    return {
        "accuracy": np.trace(confusion) / confusion.sum(),
        "balanced accuracy": recall[seen].mean(),
        "macro F1": f1[counted].mean(),
    }
