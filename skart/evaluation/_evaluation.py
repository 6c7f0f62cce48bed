"""Predictions and all that follows from them: numbers only."""

import functools
import warnings

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    recall_score,
    top_k_accuracy_score,
)
from sklearn.utils import check_consistent_length

from skart._utils._validation import check_groups
from skart.evaluation._bootstrap import class_scores, resample_confusion, whole_scores


class Evaluation:
    """Predictions from models that had not seen the painting, and what follows.

    :func:`evaluate` makes it; it can as well be made from predictions on a test set.

    Parameters
    ----------
    y_true : array-like of shape (n_paintings,)
        Movements.
    probabilities : array-like of shape (n_paintings, n_classes)
        Predicted probabilities, in the order of ``classes``.
    classes : array-like of shape (n_classes,)
        Movements, each once.
    groups : array-like of shape (n_paintings,), default=None
        Artists. Where they are known, confidence intervals draw artists instead of
        paintings: those of one artist are no independent evidence.
    folds : array-like of int, shape (n_paintings,), default=None
        The fold in which each painting was held out; None for a test set.
    random_folds : Evaluation, default=None
        That of random folds, where this is of folds that keep artists apart.
    random_state : int, default=0
        Seed of the confidence intervals.

    Attributes
    ----------
    y_pred : ndarray of shape (n_paintings,)
        The most probable movement of each painting.
    confidence : ndarray of shape (n_paintings,)
        Its probability.
    correct : ndarray of bool, shape (n_paintings,)
        Whether it is the true one.

    See Also
    --------
    evaluate : Makes it, by cross-validation.
    skart.report.write_report : Puts it on a page.

    Examples
    --------
    >>> from skart.evaluation import Evaluation
    >>> evaluation = Evaluation(
    ...     ["Cubism", "Op Art"], [[0.9, 0.1], [0.6, 0.4]], ["Cubism", "Op Art"])
    >>> evaluation.y_pred.tolist(), float(evaluation.metrics["accuracy"])
    (['Cubism', 'Cubism'], 0.5)
    """

    def __init__(
        self,
        y_true,
        probabilities,
        classes,
        *,
        groups=None,
        folds=None,
        random_folds=None,
        random_state=0,
    ):
        self.y_true = np.asarray(y_true)
        self.probabilities = np.asarray(probabilities, float)
        self.classes = np.asarray(classes)
        self.groups = check_groups(groups, self.y_true)
        self.folds = None if folds is None else np.asarray(folds)
        self.random_folds = random_folds
        self.random_state = random_state
        check_consistent_length(self.y_true, self.probabilities, folds)
        if self.probabilities.shape[1:] != self.classes.shape:
            raise ValueError(
                f"probabilities must have a column for each of {len(self.classes)} "
                f"classes; got shape {self.probabilities.shape}"
            )
        if not np.isfinite(self.probabilities).all():
            raise ValueError("probabilities hold values that are not finite")
        if len(np.unique(self.classes)) < len(self.classes):
            raise ValueError(f"classes hold one twice: {self.classes.tolist()}")
        # In their order, as all that follows expects them.
        order = np.argsort(self.classes)
        self.classes = self.classes[order]
        self.probabilities = self.probabilities[:, order]
        unknown = np.setdiff1d(self.y_true, self.classes)
        if len(unknown):
            raise ValueError(
                f"y_true holds {unknown.tolist()}; the classes are "
                f"{self.classes.tolist()}"
            )
        self.y_pred = self.classes[self.probabilities.argmax(axis=1)]
        self.confidence = self.probabilities.max(axis=1)
        self.correct = self.y_pred == self.y_true

    @functools.cached_property
    def metrics(self):
        """Figures of the whole: a Series.

        ``accuracy``, ``balanced accuracy`` (mean recall), ``macro F1``, ``top-3
        accuracy`` where there are more than three classes, ``log loss``, ``calibration
        error`` (see :meth:`calibration_error`), and ``most frequent``: the accuracy of
        always answering the most frequent movement.
        """
        # Probabilities in float32 sum to one in seven digits only.
        normalised = self.probabilities / self.probabilities.sum(axis=1, keepdims=True)
        metrics = {
            "accuracy": accuracy_score(self.y_true, self.y_pred),
            # What balanced_accuracy_score gives, but for its warning of movements that
            # a test set lacks.
            "balanced accuracy": recall_score(
                self.y_true,
                self.y_pred,
                labels=np.unique(self.y_true),
                average="macro",
            ),
            "macro F1": f1_score(
                self.y_true, self.y_pred, average="macro", zero_division=0
            ),
            "log loss": log_loss(self.y_true, normalised, labels=self.classes),
            "calibration error": self.calibration_error(),
            "most frequent": np.mean(self.y_true == _mode(self.y_true)),
        }
        if len(self.classes) > 3:
            metrics["top-3 accuracy"] = top_k_accuracy_score(
                self.y_true, self.probabilities, k=3, labels=self.classes
            )
        return pd.Series(metrics, name="value")

    @property
    def leakage_gap(self):
        """Figures with artists kept apart, with random folds, and the gap: a DataFrame.

        Raises
        ------
        ValueError
            If there is no evaluation with random folds beside this one.
        """
        if self.random_folds is None:
            raise ValueError(
                "the leakage gap needs artists: pass evaluate their names as groups, "
                "and random_folds=True"
            )
        table = pd.DataFrame(
            {
                "artists apart": self.metrics,
                "random folds": self.random_folds.metrics,
            }
        ).drop(index="most frequent")
        table["gap"] = table["random folds"] - table["artists apart"]
        return table

    @property
    def artists_apart(self):
        """Whether no fold splits the paintings of an artist: a bool.

        None where that is not known: on a test set, or without artists.
        """
        if self.folds is None or self.groups is None:
            return None
        return bool((pd.Series(self.folds).groupby(self.groups).nunique() == 1).all())

    def intervals(self, *, level=0.95, n_resamples=1000):
        """Compute confidence intervals of figures of the whole.

        Parameters
        ----------
        level : float, default=0.95
            Confidence level of the intervals.
        n_resamples : int, default=1000
            Bootstrap samples, as in :meth:`per_movement`.

        Returns
        -------
        table : DataFrame, a row a figure
            ``low`` and ``high`` of ``accuracy``, ``balanced accuracy``, ``macro F1``
            and, where there is an evaluation with random folds beside this one,
            ``leakage gap``: that of accuracy, both drawn on the same artists.
        """
        figures = pd.DataFrame(map(whole_scores, self._resample(n_resamples)))
        if self.random_folds is not None:
            others = pd.DataFrame(
                map(whole_scores, self.random_folds._resample(n_resamples))
            )
            figures["leakage gap"] = others["accuracy"] - figures["accuracy"]
        margins = [(1 - level) / 2, (1 + level) / 2]
        return figures.quantile(margins).T.set_axis(["low", "high"], axis=1)

    def per_movement(self, *, level=0.95, n_resamples=1000):
        """Compute precision, recall and F1 of each movement, with intervals.

        Parameters
        ----------
        level : float, default=0.95
            Confidence level of the intervals.
        n_resamples : int, default=1000
            Bootstrap samples [1]_: of artists where they are known, else of paintings.

        Returns
        -------
        table : DataFrame, a row a movement
            ``paintings``; ``precision``, ``recall`` and ``f1``, each with ``_low`` and
            ``_high``. Samples in which a movement has no painting, or no answer, don't
            count for it; nan where none is left. A movement of one artist has an
            interval of no width, which says nothing of other artists.

        References
        ----------
        .. [1] Efron, Tibshirani. "An Introduction to the Bootstrap". 1993: the
           percentile method; of clusters, where samples are not independent.
        """
        resampled = [class_scores(counts) for counts in self._resample(n_resamples)]
        margins = (1 - level) / 2, (1 + level) / 2
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice")
            low, high = np.nanquantile(resampled, margins, axis=0)
        table = {"paintings": self.confusion.sum(axis=1).to_numpy()}
        scores = precision_recall_fscore_support(
            self.y_true, self.y_pred, labels=self.classes, zero_division=0
        )
        lacking = table["paintings"] == 0
        for place, name in enumerate(("precision", "recall", "f1")):
            # Where there is nothing to recall, 0 would be a reproach.
            undefined = lacking & (name != "precision")
            table[name] = np.where(undefined, np.nan, scores[place])
            table[f"{name}_low"], table[f"{name}_high"] = low[place], high[place]
        return pd.DataFrame(table, index=pd.Index(self.classes, name="movement"))

    @property
    def confusion(self):
        """Paintings of each movement (row) by what they were taken for: a DataFrame."""
        counts = confusion_matrix(self.y_true, self.y_pred, labels=self.classes)
        return pd.DataFrame(
            counts,
            index=pd.Index(self.classes, name="movement"),
            columns=pd.Index(self.classes, name="predicted"),
        )

    def most_confused(self, n=10):
        """List the pairs of movements that are confused most often.

        Parameters
        ----------
        n : int, default=10
            Pairs, at most.

        Returns
        -------
        table : DataFrame, a row a pair
            ``movement``, ``predicted``, ``paintings`` and ``share`` of the movement's;
            the most frequent first.
        """
        table = self.confusion.stack().rename("paintings").reset_index()
        totals = table.groupby("movement")["paintings"].transform("sum")
        table["share"] = table["paintings"] / totals
        wrong = table["movement"] != table["predicted"]
        table = table[wrong & (table["paintings"] > 0)]
        table = table.sort_values("paintings", ascending=False, kind="stable")
        return table.head(n).reset_index(drop=True)

    def reliability(self, n_bins=10):
        """Compare how sure the classifier is with how often it is right.

        Parameters
        ----------
        n_bins : int, default=10
            Bins of equal width.

        Returns
        -------
        table : DataFrame, a row a bin that is not empty
            ``confidence`` (mean), ``accuracy`` and ``paintings``.
        """
        edges = np.linspace(0, 1, n_bins + 1)
        bins = np.clip(np.digitize(self.confidence, edges[1:-1], right=True), 0, None)
        answers = pd.DataFrame(
            {"confidence": self.confidence, "accuracy": self.correct}
        )
        table = answers.groupby(bins).mean()
        table["paintings"] = answers.groupby(bins).size()
        table.index = pd.IntervalIndex.from_breaks(edges, name="bin")[table.index]
        return table

    def calibration_error(self, n_bins=10):
        """Compute the expected calibration error.

        The mean distance of confidence and accuracy over bins of confidence, weighted
        by their paintings [1]_.

        Parameters
        ----------
        n_bins : int, default=10
            Bins of equal width.

        Returns
        -------
        error : float
            0 to 1.

        References
        ----------
        .. [1] Guo, Pleiss, Sun, Weinberger. "On Calibration of Modern Neural Networks".
           ICML 2017.
        """
        table = self.reliability(n_bins)
        distance = (table["confidence"] - table["accuracy"]).abs()
        return float(np.average(distance, weights=table["paintings"]))

    def coverage(self):
        """Tell how accurate it is where it may decline to answer.

        Returns
        -------
        table : DataFrame, a row a painting
            With answers of at least ``threshold`` confidence only, it answers for the
            share ``coverage`` of the paintings, with ``accuracy``.
        """
        order = np.argsort(-self.confidence, kind="stable")
        n_answered = np.arange(1, len(order) + 1)
        table = pd.DataFrame(
            {
                "threshold": self.confidence[order],
                "coverage": n_answered / len(order),
                "accuracy": np.cumsum(self.correct[order]) / n_answered,
            }
        )
        # Paintings of equal confidence are answered together or not at all.
        return table.drop_duplicates("threshold", keep="last").reset_index(drop=True)

    def chronology(self, periods):
        """Tell how far apart in time the confused movements are.

        Parameters
        ----------
        periods : DataFrame or dict
            Columns ``movement``, ``start`` and ``end``, as ``load_pandora18k`` gives
            them as ``movements``; or start and end by movement. In years.

        Returns
        -------
        table : DataFrame, a row a movement with mistakes, and ``all``
            ``mistakes``; ``years``, the mean distance between the middles of the true
            and the predicted movement; ``by_chance``, what it would be if mistakes fell
            on the other movements at random.

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
        table.loc["all"] = table.sum()
        for name in ("years", "by_chance"):
            table[name] /= table["mistakes"]
        return table.astype({"mistakes": int})

    def _resample(self, n_resamples):
        """Draw artists where they are known, else paintings."""
        units = np.arange(len(self.y_true))
        if self.groups is not None:
            units = pd.factorize(self.groups)[0]
        return resample_confusion(
            np.searchsorted(self.classes, self.y_true),
            self.probabilities.argmax(axis=1),
            len(self.classes),
            units,
            n_resamples,
            self.random_state,
        )


def _mode(labels):
    values, counts = np.unique(labels, return_counts=True)
    return values[counts.argmax()]
