"""Training data: labels, weights, the validation set and batches."""

import math
import typing
import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit
from sklearn.utils.class_weight import compute_class_weight

from skart.images._lazy import iter_batches
from skart.networks._keras import keras


def find_classes(labels, given, known):
    """Return the sorted classes: known ones, or those that are given or in labels."""
    if known is None:
        found = np.unique(labels if given is None else given)
        if len(found) < 2:
            raise ValueError(
                "a classifier needs samples of at least two classes, of a weight other "
                f"than 0; got {len(found)} class(es): {found.tolist()}"
            )
        return found
    if given is not None and set(given) != set(known):
        raise ValueError(
            f"classes={list(given)} differ from those of the first call, "
            f"{known.tolist()}"
        )
    return known


def encode(labels, classes, name):
    """Return the index of each label in the sorted classes."""
    unknown = np.setdiff1d(labels, classes)
    if not len(unknown):
        return np.searchsorted(classes, labels)
    if name == "y":
        raise ValueError(
            f"y holds {unknown.tolist()}, but the classes of the first call were "
            f"{classes.tolist()}. Pass all labels to partial_fit as classes, or fit "
            "with warm_start=False."
        )
    raise ValueError(
        f"{name} holds {unknown.tolist()}, but the classes are {classes.tolist()}. "
        f"Leave these samples out of {name}, or add some of their class to y."
    )


class Samples(typing.NamedTuple):
    """The rows of a data set that a network is trained or validated on."""

    X: object  # an array, or a lazy one that is read by the batch
    codes: np.ndarray  # indices of the labels in the sorted classes
    weights: np.ndarray
    groups: np.ndarray | None
    rows: np.ndarray


def make_samples(X, y, weights, groups, classes, name="y"):
    """Encode the labels of all samples whose weight is not 0."""
    rows = np.flatnonzero(weights)
    codes = np.zeros(len(y), int)
    codes[rows] = encode(y[rows], classes, name)
    return Samples(X, codes, weights, groups, rows)


def apply_class_weight(class_weight, classes, training, validation):
    """Multiply the weights of samples by the weights of their classes, in place."""
    parts = [training] if validation is None else [training, validation]
    class_weights = np.ones(len(classes), np.float32)
    if class_weight == "balanced":
        codes = np.concatenate([part.codes[part.rows] for part in parts])
        present = np.unique(codes)
        class_weights[present] = compute_class_weight(
            class_weight, classes=present, y=codes
        )
    given = class_weight if isinstance(class_weight, dict) else {}
    for label, weight in given.items():
        if label not in classes:
            raise ValueError(
                f"class_weight names {label!r}; the classes are {classes.tolist()}"
            )
        if not 0 <= weight < math.inf:
            raise ValueError(
                f"class_weight of {label!r} must be a number of at least 0; got "
                f"{weight!r}"
            )
        class_weights[classes == label] = weight
    for part in parts:
        part.weights[part.rows] *= class_weights[part.codes[part.rows]]


def split_validation(labels, share, *, groups=None, seed=0):
    """Split samples into rows for training and validation, by class and group."""
    # A class of a single group can't be on both sides: it is only trained on.
    rows, kept = np.arange(len(labels)), np.empty(0, int)
    if groups is not None:
        n_groups = pd.Series(pd.factorize(groups)[0]).groupby(labels).nunique()
        alone = np.isin(labels, n_groups.index[n_groups == 1])
        if alone.all():
            raise ValueError(
                f"validation_split={share} can't be made: each class has a single group"
            )
        rows, kept = np.flatnonzero(~alone), np.flatnonzero(alone)
    training, validation = _split_rows(
        labels[rows], share, None if groups is None else groups[rows], seed
    )
    return np.union1d(rows[training], kept), rows[validation]


def _split_rows(labels, share, groups, seed):
    """Split samples of which each class has several groups."""
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
            # Only one of the folds is used; others may lack a class.
            warnings.filterwarnings("ignore", "The least populated class")
            splits = list(splitter.split(labels, labels, groups))
    except ValueError as error:
        raise ValueError(f"validation_split={share} can't be made: {error}") from error
    if groups is not None and share > 0.5:
        splits = [(validation, training) for training, validation in splits]
    splits = [
        (training, validation)
        for training, validation in splits
        if len(np.unique(labels[training])) == len(np.unique(labels))
    ]
    if not splits:
        raise ValueError(
            f"validation_split={share} can't be made: with groups kept together, a "
            "class would have nothing left to train on"
        )
    # Groups differ in size: many collections have a large artist "unknown".
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


def split_samples(samples, share, seed):
    """Split samples into a training set and a validation set."""
    rows = samples.rows
    groups = None if samples.groups is None else samples.groups[rows]
    parts = split_validation(samples.codes[rows], share, groups=groups, seed=seed)
    return [samples._replace(rows=rows[part]) for part in parts]


class Batches(keras.utils.PyDataset):
    """Batches of samples, shuffled before each epoch if a generator is passed."""

    # Keras reads ahead in another thread while the network trains.

    def __init__(self, samples, batch_size, generator=None):
        super().__init__()
        self.samples = samples
        self.rows = samples.rows
        self.batch_size = batch_size
        self.generator = generator
        self.error = None
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index):
        try:
            return self.read(index, index)
        except Exception as error:
            self.error = error  # the backend would pass on its text only
            raise

    def read(self, first, last):
        """Return X, codes and weights of the batches from first to last."""
        rows = self.rows[first * self.batch_size : (last + 1) * self.batch_size]
        samples = self.samples
        return np.asarray(samples.X[rows]), samples.codes[rows], samples.weights[rows]

    def on_epoch_end(self):
        if self.generator is not None:
            self.rows = self.generator.permutation(self.rows)

    def close(self):
        """Release the samples, because TensorFlow keeps this object alive."""
        self.samples = None

    def find_error(self):
        """Return the exception that reading X raised, or None."""
        if self.error is None:
            return None
        try:  # reading all of X names every unreadable file, not only the first
            for _ in iter_batches(self.samples.X, self.batch_size):
                pass
        except Exception as error:
            return error
        return self.error
