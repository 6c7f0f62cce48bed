"""Labels, groups and class weights: checked, and in numbers."""

import math

import numpy as np
import pandas as pd
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets


def check_labels(y):
    """Check that each sample has a label, of a kind that classes have.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.

    Raises
    ------
    ValueError
        If not.
    """
    missing = np.flatnonzero(pd.isna(y))
    if len(missing):
        raise ValueError(
            f"y holds no label for {len(missing)} of {len(y)} samples, first at "
            f"position {missing[0]}: label them or leave them out"
        )
    check_classification_targets(y)


def find_classes(labels):
    """List the classes.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        Labels.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted.

    Raises
    ------
    ValueError
        If there is one only.
    """
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(
            "a classifier needs samples of at least two classes, of a weight other "
            f"than 0; got {len(classes)} class(es): {classes.tolist()}"
        )
    return classes


def encode(labels, classes):
    """Find the places of labels among the classes.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Labels.
    classes : ndarray of shape (n_classes,)
        Sorted.

    Returns
    -------
    codes : ndarray of int, shape (n_samples,)
        Places.

    Raises
    ------
    ValueError
        If a label is none of them.
    """
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(
            f"y holds {unknown.tolist()}, but the classes of the first call were "
            f"{classes.tolist()}. Pass all labels to partial_fit as classes, or fit "
            "with warm_start=False."
        )
    return np.searchsorted(classes, labels)


def weigh(codes, classes, class_weight):
    """Weigh each sample by its class.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
        Places of the labels among the classes.
    classes : ndarray of shape (n_classes,)
        Sorted.
    class_weight : dict, "balanced" or None
        As scikit-learn has it.

    Returns
    -------
    weights : ndarray of shape (n_samples,), dtype float32
        Weights of the samples.

    Raises
    ------
    ValueError
        If it names a label that is no class, or a weight is negative.
    """
    weights = np.ones(len(classes), np.float32)
    if not (class_weight in (None, "balanced") or isinstance(class_weight, dict)):
        raise ValueError(
            f"class_weight must be a dict, 'balanced' or None; got {class_weight!r}"
        )
    if isinstance(class_weight, dict):
        for label, weight in class_weight.items():
            if label not in classes:
                raise ValueError(
                    f"class_weight names {label!r}; the classes are {classes.tolist()}"
                )
            if not 0 <= weight < math.inf:
                raise ValueError(
                    f"class_weight of {label!r} must be a number of at least 0; got "
                    f"{weight!r}"
                )
            weights[classes == label] = weight
    elif class_weight is not None:
        present = np.unique(codes)
        weights[present] = compute_class_weight(class_weight, classes=present, y=codes)
    return weights[codes]
