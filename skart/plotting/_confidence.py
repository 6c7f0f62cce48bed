"""Reliability and coverage of predictions with a confidence."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import PercentFormatter
from sklearn.utils import check_consistent_length

from skart.evaluation._scores import compute_coverage, compute_reliability
from skart.plotting._predictions import PredictionsDisplay


class ReliabilityDisplay(PredictionsDisplay):
    """Reliability diagram: accuracy against confidence.

    The confidence is the probability of the predicted movement. A histogram in the
    background shows how often each confidence occurs.

    Parameters
    ----------
    accuracy : ndarray of shape (n_bins,)
        Accuracy of the paintings in each bin that is not empty.
    mean_confidence : ndarray of shape (n_bins,)
        Their mean confidence.
    confidence : ndarray of shape (n_paintings,)
        Confidence of all paintings.
    n_bins : int, default=10
        Number of bins of the histogram.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the diagram.
    ax_ : matplotlib.axes.Axes
        Axes with the diagram.
    line_ : matplotlib.lines.Line2D
        Reliability curve.

    See Also
    --------
    CoverageDisplay : Accuracy on the paintings with the highest confidence.
    sklearn.calibration.CalibrationDisplay : Diagram for two classes.
    """

    def __init__(self, *, accuracy, mean_confidence, confidence, n_bins=10):
        self.accuracy = accuracy
        self.mean_confidence = mean_confidence
        self.confidence = confidence
        self.n_bins = n_bins

    @classmethod
    def from_predictions(cls, y_true, y_pred, confidence, *, n_bins=10, ax=None):
        """Plot the reliability diagram of predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_paintings,)
            True movements.
        y_pred : array-like of shape (n_paintings,)
            Predicted movements.
        confidence : array-like of shape (n_paintings,)
            Probabilities of the predicted movements.
        n_bins : int, default=10
            Number of bins of equal width.
        ax : matplotlib.axes.Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : ReliabilityDisplay
            Object that stores the values.
        """
        correct, confidence = _compare(y_true, y_pred, confidence)
        table = compute_reliability(correct, confidence, n_bins)
        display = cls(
            accuracy=table["accuracy"].to_numpy(),
            mean_confidence=table["confidence"].to_numpy(),
            confidence=confidence,
            n_bins=n_bins,
        )
        return display.plot(ax)

    def plot(self, ax=None):
        """Plot the reliability diagram.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot in. If None, a new figure is created.

        Returns
        -------
        display : ReliabilityDisplay
            Object that stores the values.
        """
        if ax is None:
            _, ax = plt.subplots(figsize=(5, 5), layout="constrained")
        behind = ax.twinx()
        behind.hist(
            self.confidence, bins=np.linspace(0, 1, self.n_bins + 1), color="0.85"
        )
        behind.set_ylabel("paintings")
        ax.set_zorder(behind.get_zorder() + 1)
        ax.patch.set_visible(False)
        ax.plot([0, 1], [0, 1], "k:")
        (self.line_,) = ax.plot(self.mean_confidence, self.accuracy, "s-")
        ax.set(xlabel="mean confidence", ylabel="accuracy")
        self.figure_, self.ax_ = ax.figure, ax
        return self


class CoverageDisplay(PredictionsDisplay):
    """Accuracy against coverage, if only confident predictions are accepted.

    Parameters
    ----------
    coverage : ndarray of shape (n_thresholds,)
        Share of the paintings whose confidence reaches a threshold.
    accuracy : ndarray of shape (n_thresholds,)
        Accuracy on these paintings.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the curve.
    ax_ : matplotlib.axes.Axes
        Axes with the curve.
    line_ : matplotlib.lines.Line2D
        Curve.

    See Also
    --------
    ReliabilityDisplay : Accuracy against confidence.
    skart.evaluation.Evaluation.coverage : The values, with thresholds.
    """

    def __init__(self, *, coverage, accuracy):
        self.coverage = coverage
        self.accuracy = accuracy

    @classmethod
    def from_predictions(cls, y_true, y_pred, confidence, *, ax=None):
        """Plot accuracy against coverage of predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_paintings,)
            True movements.
        y_pred : array-like of shape (n_paintings,)
            Predicted movements.
        confidence : array-like of shape (n_paintings,)
            Probabilities of the predicted movements.
        ax : matplotlib.axes.Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : CoverageDisplay
            Object that stores the values.
        """
        table = compute_coverage(*_compare(y_true, y_pred, confidence))
        display = cls(
            coverage=table["coverage"].to_numpy(), accuracy=table["accuracy"].to_numpy()
        )
        return display.plot(ax)

    def plot(self, ax=None):
        """Plot accuracy against coverage.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot in. If None, a new figure is created.

        Returns
        -------
        display : CoverageDisplay
            Object that stores the values.
        """
        if ax is None:
            _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
        overall = self.accuracy[-1]
        ax.axhline(overall, color="grey", linestyle="--", linewidth=1)
        ax.annotate(
            f"all paintings: {overall:.1%}",
            (1, overall),
            textcoords="offset points",
            xytext=(-4, -4),
            ha="right",
            va="top",
            fontsize="small",
            color="0.3",
        )
        (self.line_,) = ax.plot(self.coverage, self.accuracy)
        ax.set(
            xlabel="share of the paintings, highest confidence first",
            ylabel="accuracy",
            xlim=(0, 1),
        )
        ax.margins(y=0.15)  # space for the annotation
        ax.set_ylim(top=1.01)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.grid(alpha=0.3)
        self.figure_, self.ax_ = ax.figure, ax
        return self


def _compare(y_true, y_pred, confidence):
    """Return which predictions are correct, and their confidence, as arrays."""
    check_consistent_length(y_true, y_pred, confidence)
    return np.asarray(y_true) == np.asarray(y_pred), np.asarray(confidence)
