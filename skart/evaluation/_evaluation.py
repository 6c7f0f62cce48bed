"""Predictions, and the metrics computed from them."""

import functools
import warnings

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, log_loss, top_k_accuracy_score
from sklearn.utils import check_consistent_length

from skart._utils._validation import check_groups, check_labels
from skart.datasets._folder import warn_of_shared_unknown
from skart.evaluation._evaluation_sets import PredictionSets, number_artists
from skart.evaluation._scores import (
    compute_coverage,
    compute_reliability,
    find_runner_up,
    resample_confusion,
    score_all,
    score_artists,
    score_classes,
)

_N_BINS = 10


class Evaluation(PredictionSets):
    """Predictions for paintings that were not in the training set, and their metrics.

    :func:`evaluate` returns one; construct one from predictions on a test set.

    Parameters
    ----------
    y_true : array-like of shape (n_paintings,)
        True movements.
    probabilities : array-like of shape (n_paintings, n_classes), default=None
        Predicted probabilities, in the order of ``classes``.
    y_pred : array-like of shape (n_paintings,), default=None
        Predicted movements. If None, the most probable ones.
    classes : array-like of shape (n_classes,), default=None
        Movements, each once. If None, those in ``y_true`` and ``y_pred``; required with
        ``probabilities``.
    groups : array-like of shape (n_paintings,), default=None
        Artists. If given, confidence intervals resample artists instead of paintings,
        because paintings of the same artist are not independent.
    folds : array-like of int, shape (n_paintings,), default=None
        Index of the fold in which each painting was tested; None for a test set.
    random_folds : Evaluation, default=None
        Evaluation of the same classifier with random folds.
    tested_mask : array-like of bool, shape (n_passed,), default=None
        Mask of the tested paintings among those passed to :func:`evaluate`. If None,
        all were tested.
    fold_scores : DataFrame, default=None
        Additional scores, one row per fold.
    random_state : int, default=0
        Seed of the confidence intervals.

    Attributes
    ----------
    y_true, y_pred : ndarray of shape (n_paintings,)
        True movement and most probable movement of each painting.
    probabilities : ndarray of shape (n_paintings, n_classes) or None
        Predicted probabilities.
    confidence : ndarray of shape (n_paintings,) or None
        Probability of the predicted movement.
    classes : ndarray of shape (n_classes,)
        Movements, sorted.
    tested : ndarray of int, shape (n_paintings,)
        Position of each painting among those passed to :func:`evaluate`.
    groups, folds, random_folds, fold_scores
        See Parameters.

    See Also
    --------
    evaluate : Compute an evaluation by cross-validation.
    skart.report.write_report : Write an evaluation as an HTML page.

    Examples
    --------
    >>> from skart.evaluation import Evaluation
    >>> movements = ["Cubism", "Op Art"]
    >>> evaluation = Evaluation(
    ...     movements, probabilities=[[0.9, 0.1], [0.6, 0.4]], classes=movements)
    >>> evaluation.y_pred.tolist(), float(evaluation.metrics["accuracy"])
    (['Cubism', 'Cubism'], 0.5)
    """

    def __init__(
        self,
        y_true,
        *,
        probabilities=None,
        y_pred=None,
        classes=None,
        groups=None,
        folds=None,
        random_folds=None,
        tested_mask=None,
        fold_scores=None,
        random_state=0,
    ):
        for name, labels in (("y_true", y_true), ("y_pred", y_pred)):
            if labels is not None:
                check_labels(labels, name)
        self.y_true = np.asarray(y_true)
        self.groups = check_groups(groups, self.y_true)
        self.folds = None if folds is None else np.asarray(folds)
        if folds is None and groups is not None:  # evaluate has warned already
            warn_of_shared_unknown(self.groups)
        self.random_folds = random_folds
        if tested_mask is None:
            tested_mask = np.full(len(self.y_true), True)
        if np.asarray(tested_mask).dtype != bool:
            raise ValueError(f"tested_mask must be bool; got {tested_mask!r}")
        self.tested, self._n_passed = np.flatnonzero(tested_mask), len(tested_mask)
        self.fold_scores = fold_scores
        self._random_state = random_state
        if probabilities is None and y_pred is None:
            raise ValueError("pass probabilities, y_pred or both")
        if probabilities is None:
            self.y_pred = np.asarray(y_pred)
            known = np.union1d(self.y_true, self.y_pred)
            self.classes = np.sort(known if classes is None else np.asarray(classes))
            self.probabilities = self.confidence = None
        else:
            # Sorted, as the methods expect.
            self.classes, self.probabilities = _sort_classes(classes, probabilities)
            if y_pred is None:
                y_pred = self.classes[self.probabilities.argmax(axis=1)]
            self.y_pred = np.asarray(y_pred)
        check_consistent_length(self.y_true, self.y_pred, folds, self.tested)
        if len(np.unique(self.classes)) < len(self.classes):
            raise ValueError(f"classes hold one twice: {self.classes.tolist()}")
        for name in ("y_true", "y_pred"):
            unknown = np.setdiff1d(getattr(self, name), self.classes)
            if len(unknown):
                raise ValueError(
                    f"{name} holds {unknown.tolist()}; the classes are "
                    f"{self.classes.tolist()}"
                )
        if self.probabilities is not None:
            rows = np.arange(len(self.y_pred))
            self.confidence = self.probabilities[rows, self._codes(self.y_pred)]

    def __repr__(self):
        counts = {"n_paintings": len(self.y_true), "n_movements": len(self.classes)}
        if self.groups is not None:
            counts["n_artists"] = pd.Series(self.groups).nunique()
        counts = ", ".join(f"{name}={value}" for name, value in counts.items())
        accuracy = np.mean(self.y_pred == self.y_true)
        return f"Evaluation({counts}, accuracy={accuracy:.3f})"

    @functools.cached_property
    def metrics(self):
        """Series of metrics over all paintings.

        ``accuracy``; ``balanced_accuracy`` and ``macro_f1``, the mean recall and F1
        over the movements in ``y_true``; and ``most_frequent``, the accuracy of always
        predicting the most frequent of them. If there are probabilities: ``log_loss``;
        ``calibration_error``, the expected calibration error [1]_ over ten bins of
        equal width; and, with more than three movements, ``top_3_accuracy``.

        References
        ----------
        .. [1] Guo, Pleiss, Sun, Weinberger. "On Calibration of Modern Neural Networks".
           ICML 2017.
        """
        metrics = score_all(self.confusion.to_numpy())
        shares = pd.Series(self.y_true).value_counts(normalize=True)
        metrics["most_frequent"] = shares.iloc[0]
        if self.probabilities is None:
            return pd.Series(metrics, name="value")
        # Probabilities in float32 add up to one to seven digits only.
        normalized = self.probabilities / self.probabilities.sum(axis=1, keepdims=True)
        metrics["log_loss"] = log_loss(self.y_true, normalized, labels=self.classes)
        table = self.reliability(_N_BINS)
        metrics["calibration_error"] = np.average(
            (table["confidence"] - table["accuracy"]).abs(), weights=table["paintings"]
        )
        if len(self.classes) > 3:
            metrics["top_3_accuracy"] = top_k_accuracy_score(
                self.y_true, self.probabilities, k=3, labels=self.classes
            )
        return pd.Series(metrics, name="value")

    @property
    def leakage_gap(self):
        """Metrics with artists apart, with random folds, and the gap: a DataFrame.

        Columns are ``artists_apart``, ``random_folds`` and ``gap``, the difference.

        Raises
        ------
        ValueError
            If there is no evaluation with random folds.
        """
        if self.random_folds is None:
            raise ValueError(
                "the leakage gap needs artists and random folds: pass groups to "
                "evaluate, with a cv that keeps artists apart, and random_folds=True"
            )
        columns = {
            "artists_apart": self.metrics,
            "random_folds": self.random_folds.metrics,
        }
        table = pd.DataFrame(columns).drop(index="most_frequent")
        table["gap"] = table["random_folds"] - table["artists_apart"]
        return table

    @property
    def artists_apart(self):
        """Whether all paintings of an artist are in the same fold: a bool.

        None if it is unknown: for a test set, or without artists.
        """
        if self.folds is None or self.groups is None:
            return None
        return bool((pd.Series(self.folds).groupby(self.groups).nunique() == 1).all())

    @property
    def confusion(self):
        """Confusion matrix, a row for each true movement: a DataFrame of counts."""
        counts = confusion_matrix(self.y_true, self.y_pred, labels=self.classes)
        return pd.DataFrame(
            counts,
            index=pd.Index(self.classes, name="movement"),
            columns=pd.Index(self.classes, name="predicted"),
        )

    def intervals(self, *, level=0.95, n_resamples=1000):
        """Compute confidence intervals of the metrics.

        Parameters
        ----------
        level : float, default=0.95
            Confidence level of the intervals.
        n_resamples : int, default=1000
            Number of bootstrap samples, as in :meth:`per_movement`.

        Returns
        -------
        table : DataFrame, a row for each metric
            ``low`` and ``high`` of ``accuracy``, ``balanced_accuracy``, ``macro_f1``
            and, with random folds, ``leakage_gap``: the gap of accuracy, with the same
            artists in both bootstrap samples.
        """
        scores = pd.DataFrame(map(score_all, self._resample(n_resamples)))
        if self.random_folds is not None:
            others = self.random_folds._resample(n_resamples)
            others = pd.DataFrame(map(score_all, others))
            scores["leakage_gap"] = others["accuracy"] - scores["accuracy"]
        margins = [(1 - level) / 2, (1 + level) / 2]
        return scores.quantile(margins).T.set_axis(["low", "high"], axis=1)

    def per_movement(self, *, level=0.95, n_resamples=1000):
        """Compute precision, recall and F1 of each movement, with intervals.

        Parameters
        ----------
        level : float, default=0.95
            Confidence level of the intervals.
        n_resamples : int, default=1000
            Number of bootstrap samples [1]_: of artists if they are known, else of
            paintings.

        Returns
        -------
        table : DataFrame, a row for each movement
            ``paintings``; ``precision``, ``recall`` and ``f1``, each with ``_low`` and
            ``_high``. A score is nan if it is undefined: precision if the movement is
            never predicted, recall and F1 if it has no paintings. Bootstrap samples in
            which a score is undefined are left out. A movement of one artist has an
            interval of width zero, which does not describe other artists.

        References
        ----------
        .. [1] Efron, Tibshirani. "An Introduction to the Bootstrap". 1993: the
           percentile method, with clusters for samples that are not independent.
        """
        resampled = [score_classes(counts) for counts in self._resample(n_resamples)]
        margins = (1 - level) / 2, (1 + level) / 2
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice")
            low, high = np.nanquantile(resampled, margins, axis=0)
        confusion = self.confusion.to_numpy()
        table = {"paintings": confusion.sum(axis=1)}
        precision, recall, f1 = score_classes(confusion)
        scores = precision, recall, np.where(np.isnan(recall), np.nan, f1)
        for place, name in enumerate(("precision", "recall", "f1")):
            table[name] = scores[place]
            table[f"{name}_low"], table[f"{name}_high"] = low[place], high[place]
        return pd.DataFrame(table, index=pd.Index(self.classes, name="movement"))

    def most_confused(self, n=10):
        """Return the most frequent mistakes, by true and predicted movement.

        Parameters
        ----------
        n : int, default=10
            Maximum number of pairs.

        Returns
        -------
        table : DataFrame, a row for each pair
            Columns ``movement`` (true), ``predicted``, ``paintings`` (their number) and
            ``share`` of the movement, by decreasing number of paintings.
        """
        table = self.confusion.stack().rename("paintings").reset_index()
        totals = table.groupby("movement")["paintings"].transform("sum")
        table["share"] = table["paintings"] / totals
        wrong = table["movement"] != table["predicted"]
        table = table[wrong & (table["paintings"] > 0)]
        table = table.sort_values("paintings", ascending=False, kind="stable")
        return table.head(n).reset_index(drop=True)

    def least_certain(self, n=20):
        """Return the paintings that the classifier is least certain of.

        Parameters
        ----------
        n : int, default=20
            Maximum number of paintings.

        Returns
        -------
        table : DataFrame, a row for each painting
            ``position``, the row in the evaluation; ``movement`` (true), ``predicted``
            and its ``confidence``; ``runner_up``, the most probable of the other
            movements; and ``margin``, the difference between the probabilities of
            ``predicted`` and ``runner_up``, smallest first.

        Raises
        ------
        ValueError
            If there are no probabilities.

        See Also
        --------
        skart.exploration.suggest_paintings : Select paintings to label next.
        """
        self._check_probabilities("least_certain")
        runner_up, margin = find_runner_up(self.probabilities, self._codes(self.y_pred))
        order = np.argsort(margin, kind="stable")[: max(n, 0)]
        return pd.DataFrame(
            {
                "position": order,
                "movement": self.y_true[order],
                "predicted": self.y_pred[order],
                "confidence": self.confidence[order],
                "runner_up": self.classes[runner_up[order]],
                "margin": margin[order],
            }
        )

    def per_artist(self):
        """Compute the accuracy on the paintings of each artist.

        Returns
        -------
        table : DataFrame, a row for each artist
            ``paintings``; ``movements``, their true ones, the most frequent first,
            joined by commas; ``accuracy``; ``mistakes``, their number; and ``mistake``,
            the movement most often predicted in error, None without mistakes. The
            artists with the most mistakes come first; unknown artists are left out.

        Raises
        ------
        ValueError
            If there are no artists.
        """
        if self.groups is None:
            raise ValueError(
                "per_artist needs artists, and this evaluation has none: pass groups"
            )
        return score_artists(self.y_true, self.y_pred, self.groups)

    def reliability(self, n_bins=_N_BINS):
        """Compute the accuracy of the paintings in each bin of confidence.

        Parameters
        ----------
        n_bins : int, default=10
            Number of bins of equal width.

        Returns
        -------
        table : DataFrame, a row for each bin that is not empty
            ``confidence`` (mean), ``accuracy`` and ``paintings``.

        Raises
        ------
        ValueError
            If there are no probabilities.
        """
        self._check_probabilities("reliability")
        return compute_reliability(self.y_pred == self.y_true, self.confidence, n_bins)

    def coverage(self):
        """Compute the accuracy on the paintings with the highest confidence.

        Returns
        -------
        table : DataFrame, a row for each confidence
            ``coverage``, the share of the paintings with a confidence of at least
            ``threshold``, and the ``accuracy`` on them.

        Raises
        ------
        ValueError
            If there are no probabilities.
        """
        self._check_probabilities("coverage")
        return compute_coverage(self.y_pred == self.y_true, self.confidence)

    def chronology(self, periods):
        """Compute the distance in time between confused movements.

        Parameters
        ----------
        periods : DataFrame or dict
            Columns ``movement``, ``start`` and ``end``, such as ``movements`` of
            :func:`skart.datasets.load_pandora18k`; or a dict of movement to (start,
            end). In years.

        Returns
        -------
        table : DataFrame, a row for each movement with mistakes, and ``all``
            ``mistakes``; ``years``, the mean distance between the middles of the true
            and the predicted movement; ``by_chance``, the same distance if the
            mistakes were spread evenly over the other movements.

        Raises
        ------
        ValueError
            If a movement has no period.
        """
        if isinstance(periods, pd.DataFrame):
            periods = periods.set_index("movement")[["start", "end"]].T.to_dict("list")
        missing = [name for name in self.classes if name not in periods]
        if missing:
            raise ValueError(f"periods name no years of {', '.join(map(str, missing))}")
        middles = np.array([np.mean(periods[name]) for name in self.classes])
        years = np.abs(middles[:, None] - middles)
        mistakes = self.confusion.to_numpy() * (1 - np.eye(len(middles), dtype=int))
        table = pd.DataFrame(
            {
                "mistakes": mistakes.sum(axis=1),
                "years": (mistakes * years).sum(axis=1),
                "by_chance": years.sum(axis=1) / (len(middles) - 1),
            },
            index=pd.Index(self.classes, name="movement"),
        )
        table = table[table["mistakes"] > 0]
        table["by_chance"] *= table["mistakes"]
        table = pd.concat([table, table.sum().to_frame("all").T])
        for name in ("years", "by_chance"):
            table[name] /= table["mistakes"]
        return table.rename_axis("movement").astype({"mistakes": int})

    def _check_probabilities(self, what):
        """Raise ValueError if there are no probabilities."""
        if self.probabilities is None:
            raise ValueError(
                f"{what} needs probabilities, and this evaluation holds predictions "
                "only. Evaluate a classifier with predict_proba, for example "
                "CalibratedClassifierCV around this one."
            )

    def _codes(self, movements):
        """Return the positions of movements in `classes`."""
        return np.searchsorted(self.classes, movements)

    def _resample(self, n_resamples):
        """Yield confusion matrices of bootstrap samples of artists or paintings."""
        units = number_artists(self.groups, len(self.y_true))
        return resample_confusion(
            self._codes(self.y_true),
            self._codes(self.y_pred),
            len(self.classes),
            units,
            n_resamples,
            self._random_state,
        )


def _sort_classes(classes, probabilities):
    """Validate classes and probabilities, and return both in the order of classes."""
    if classes is None:
        raise ValueError("classes are required with probabilities: pass pipe.classes_")
    classes, probabilities = np.asarray(classes), np.asarray(probabilities, float)
    if probabilities.shape[1:] != classes.shape:
        raise ValueError(
            f"probabilities must have a column for each of {len(classes)} classes; got "
            f"shape {probabilities.shape}"
        )
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities hold values that are not finite")
    order = np.argsort(classes)
    return classes[order], probabilities[:, order]
