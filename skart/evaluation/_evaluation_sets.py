"""Prediction sets of an evaluation."""

import warnings

import numpy as np
import pandas as pd

from skart._utils._validation import Integral, Interval, Real, StrOptions, validate
from skart.evaluation._sets import (
    METHODS,
    compute_p_values,
    make_sets,
    score_movements,
    warn_of_few,
)

# Parameters of all that makes prediction sets.
CONSTRAINTS = {
    "alpha": [Interval(Real, 0, 1, closed="neither")],
    "method": [StrOptions(set(METHODS))],
    "per_movement": ["boolean"],
    "allow_empty": ["boolean"],
    "random_state": [Integral],
}


class PredictionSets:
    """Methods of an Evaluation that make prediction sets from its probabilities."""

    def prediction_sets(
        self,
        alpha=0.1,
        *,
        method="lac",
        per_movement=False,
        allow_empty=False,
        random_folds=False,
        random_state=0,
    ):
        """Return the movements that are in the running for each painting.

        The sets of an artist's paintings are calibrated on the paintings of all others.
        Nothing is fitted. See :class:`ConformalClassifier` for the sets of other
        paintings, and for what is promised.

        Parameters
        ----------
        alpha : float, default=0.1
            Share of the paintings whose set may lack their movement, between 0 and 1.
        method : {"lac", "aps", "raps"}, default="lac"
            Nonconformity score, as in :class:`ConformalClassifier`.
        per_movement : bool, default=False
            If True, `alpha` holds for each movement.
        allow_empty : bool, default=False
            If False, an empty set gets the most probable movement.
        random_folds : bool, default=False
            If True, calibrate on the predictions with random folds, each painting with
            the same weight, to show what this loses on new artists.
        random_state : int, default=0
            Seed of the random numbers of ``"aps"`` and ``"raps"``.

        Returns
        -------
        sets : ndarray of bool, shape (n_paintings, n_classes)
            Whether each movement is in the set, in the order of ``classes``.

        Raises
        ------
        ValueError
            If there are no probabilities, or no evaluation with random folds.

        Warns
        -----
        UserWarning
            If there are too few artists for `alpha`.

        See Also
        --------
        sets_per_movement : Compute how often the sets hold the true movement.
        coverage : Accuracy of the predictions with the highest confidence.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from skart.evaluation import evaluate
        >>> evaluation = evaluate(GaussianNB(), *load_iris(return_X_y=True))
        >>> sets = evaluation.prediction_sets(0.01)
        >>> evaluation.classes[sets[77]].tolist(), evaluation.y_true[77].item()
        ([1, 2], 1)
        """
        options = {
            "alpha": alpha,
            "method": method,
            "per_movement": per_movement,
            "allow_empty": allow_empty,
            "random_folds": random_folds,
            "random_state": random_state,
        }
        validate(
            "prediction_sets", options, {**CONSTRAINTS, "random_folds": ["boolean"]}
        )
        self._check_probabilities("prediction_sets")
        source = self.random_folds if random_folds else self
        if source is None:
            raise ValueError(
                "random_folds=True needs an evaluation with random folds: pass groups "
                "to evaluate, with a cv that keeps artists apart, and random_folds=True"
            )
        artists = number_artists(
            None if random_folds else self.groups, len(self.y_true)
        )
        known, movements = calibrate(source, method, random_state)
        warn_of_few(
            alpha,
            artists,
            movements if per_movement else None,
            self.classes,
            unit=name_units(None if random_folds else self.groups),
            n_left_out=1,
        )
        p_values = compute_p_values(
            score_movements(self.probabilities, method, random_state),
            known,
            artists,
            movements=movements if per_movement else None,
            own=artists,
        )
        return make_sets(p_values, self.probabilities, alpha, allow_empty)

    def sets_per_movement(self, alpha=0.1, **options):
        """Compute how often the prediction sets hold the true movement.

        Parameters
        ----------
        alpha : float, default=0.1
            Share of the paintings whose set may lack their movement.
        **options : dict
            Further parameters of :meth:`prediction_sets`, except `random_folds`.

        Returns
        -------
        table : DataFrame, a row for each movement, and ``all``
            ``paintings``; ``covered``, the share of them whose set holds the true
            movement; and ``size``, the mean number of movements in a set. With random
            folds, ``random_covered`` and ``random_size`` are the same for sets that
            are calibrated on those. All artists have the same weight, as in the
            promise. Without paintings, shares and sizes are nan.

        Raises
        ------
        ValueError
            If there are no probabilities.

        See Also
        --------
        per_movement : Compute precision, recall and F1 of each movement.

        Notes
        -----
        The share of paintings whose set holds the true movement is called the coverage
        of the sets [1]_. It has nothing to do with :meth:`coverage`, the share of the
        paintings with a confidence above a threshold.

        References
        ----------
        .. [1] Angelopoulos, Bates. "Conformal Prediction: A Gentle Introduction".
           Foundations and Trends in Machine Learning 16, 2023.
        """
        names = ["", "random_"] if self.random_folds is not None else [""]
        sets = {
            name: self.prediction_sets(alpha, random_folds=bool(name), **options)
            for name in names
        }
        return count_sets(self, sets)


def count_sets(evaluation, sets):
    """Return the table of `sets_per_movement`, with columns for each name in `sets`."""
    true, classes = evaluation.y_true, evaluation.classes
    rows, codes = np.arange(len(true)), evaluation._codes(true)
    artists = number_artists(evaluation.groups, len(rows))
    found = {}
    for name, one in sets.items():
        found[f"{name}covered"] = one[rows, codes]
        found[f"{name}size"] = one.sum(axis=1)
    # The means of each artist, then the means of these.
    frame = pd.DataFrame(found).astype(float)
    by_artist = frame.groupby([true, artists]).mean()
    table = by_artist.groupby(level=0).mean().reindex(classes)
    total = frame.groupby(artists).mean().mean().to_frame("all").T
    table = pd.concat([table, total])  # also if a movement has that name
    counts = pd.Series(true).value_counts().reindex(classes)
    table.insert(0, "paintings", [*counts.fillna(0).astype(int), len(rows)])
    return table.rename_axis("movement")


def tabulate_sets(evaluation, alpha):
    """Return `sets_per_movement` without a warning: sizes show that sets are full."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "a coverage of ")
        return evaluation.sets_per_movement(alpha)


def name_promise(evaluation):
    """Return the paintings for which the sets of an evaluation are a promise."""
    if evaluation.groups is None or evaluation.artists_apart is False:
        return "other paintings by the same artists"
    return "paintings by new artists"


def calibrate(evaluation, method, seed):
    """Return the scores of the true movements, and the codes of these."""
    codes = evaluation._codes(evaluation.y_true)
    scores = score_movements(evaluation.probabilities, method, seed)
    return scores[np.arange(len(codes)), codes], codes


def number_artists(groups, n_paintings):
    """Return a number for each artist; without artists, one for each painting."""
    return np.arange(n_paintings) if groups is None else pd.factorize(groups)[0]


def name_units(groups):
    """Return what is exchangeable: artists, or paintings if artists are unknown."""
    return "paintings" if groups is None else "artists"
