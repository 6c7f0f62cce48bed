"""Confusion matrix, reliability and coverage of predictions."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix
from sklearn.utils import check_consistent_length

from skart._utils._validation import check_choice
from skart.evaluation._scores import compute_coverage, compute_reliability
from skart.plotting._axes import as_label


class _PredictionsDisplay:
    """Constructors of displays of predictions."""

    _needs_confidence = True

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **kwargs):
        """Plot from a fitted classifier.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted classifier.
        X : array-like of shape (n_paintings,)
            Paths, or any other input that the estimator takes.
        y : array-like of shape (n_paintings,)
            True movements.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot in. If None, a new figure is created.
        **kwargs : dict
            Other parameters of :meth:`from_predictions`.

        Returns
        -------
        display : Display
            Object that stores the values.
        """
        if cls._needs_confidence:
            predictions = predict_with_confidence(estimator, X)
        else:
            predictions = (estimator.predict(X),)
        return cls.from_predictions(y, *predictions, ax=ax, **kwargs)

    @classmethod
    def from_evaluation(cls, evaluation, *, ax=None, **kwargs):
        """Plot from an evaluation.

        Parameters
        ----------
        evaluation : skart.evaluation.Evaluation
            Evaluation.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot in. If None, a new figure is created.
        **kwargs : dict
            Other parameters of :meth:`from_predictions`.

        Returns
        -------
        display : Display
            Object that stores the values.
        """
        predictions = evaluation.y_true, evaluation.y_pred
        if cls._needs_confidence:
            if evaluation.confidence is None:
                raise ValueError(
                    f"{cls.__name__} needs probabilities, and the evaluation holds "
                    "predictions only"
                )
            predictions += (evaluation.confidence,)
        return cls.from_predictions(*predictions, ax=ax, **kwargs)


class ConfusionDisplay(_PredictionsDisplay):
    """Confusion matrix that is legible with many long names.

    Parameters
    ----------
    confusion_matrix : ndarray of int, shape (n_classes, n_classes)
        Number of paintings of each true movement (row) by predicted movement (column).
    display_labels : array-like of shape (n_classes,)
        Names of the movements.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the confusion matrix.
    ax_ : matplotlib.axes.Axes
        Axes with the confusion matrix.
    text_ : ndarray of matplotlib.text.Text, shape (n_classes, n_classes)
        Texts of the cells.

    See Also
    --------
    MistakesDisplay : Paintings that are misclassified.
    sklearn.metrics.ConfusionMatrixDisplay : The same with other options.

    Examples
    --------
    >>> from skart.plotting import ConfusionDisplay
    >>> true, predicted = ["Cubism", "Cubism", "Op Art"], ["Cubism", "Op Art", "Op Art"]
    >>> display = ConfusionDisplay.from_predictions(true, predicted)
    >>> display.confusion_matrix.tolist()
    [[1, 1], [0, 1]]
    """

    _needs_confidence = False

    def __init__(self, *, confusion_matrix, display_labels):
        self.confusion_matrix = confusion_matrix
        self.display_labels = display_labels

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, normalize="true", ax=None):
        """Plot the confusion matrix of predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_paintings,)
            True movements.
        y_pred : array-like of shape (n_paintings,)
            Predicted movements.
        normalize : {"true", None}, default="true"
            See :meth:`plot`.
        ax : matplotlib.axes.Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : ConfusionDisplay
            Object that stores the values.
        """
        labels = np.unique(np.concatenate([y_true, y_pred]))
        counts = confusion_matrix(y_true, y_pred, labels=labels)
        display = cls(confusion_matrix=counts, display_labels=labels)
        return display.plot(ax, normalize=normalize)

    def plot(self, ax=None, *, normalize="true"):
        """Plot the confusion matrix.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot in. If None, a new figure is created, as large as the names
            require.
        normalize : {"true", None}, default="true"
            If "true", cells show the percentage of the true movement; if None, counts.

        Returns
        -------
        display : ConfusionDisplay
            Object that stores the values.
        """
        check_choice("normalize", normalize, ("true", None))
        labels = [as_label(name, 32) for name in self.display_labels]
        if ax is None:
            longest = max(len(line) for label in labels for line in label.split("\n"))
            side = 1 + 0.08 * longest + 0.45 * len(labels)
            _, ax = plt.subplots(figsize=(side + 0.5, side), layout="constrained")
        shown, style = self.confusion_matrix, {"values_format": "d"}
        if normalize == "true":
            totals = shown.sum(axis=1, keepdims=True)
            shown = 100 * shown / np.maximum(totals, 1)
            style = {"values_format": ".0f", "im_kw": {"vmin": 0, "vmax": 100}}
            ax.set_title("percent of each true movement")
        matrix = ConfusionMatrixDisplay(shown, display_labels=labels)
        matrix.plot(
            ax=ax, cmap="Blues", text_kw={"fontsize": 8}, colorbar=False, **style
        )
        for text in matrix.text_.flat:
            if text.get_text() == "0":
                text.set_text("")
        ax.set_xticks(
            ax.get_xticks(),
            ax.get_xticklabels(),
            rotation=45,
            ha="right",
            rotation_mode="anchor",
        )
        ax.set(xlabel="predicted", ylabel="true")
        self.figure_, self.ax_, self.text_ = ax.figure, ax, matrix.text_
        return self


class ReliabilityDisplay(_PredictionsDisplay):
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


class CoverageDisplay(_PredictionsDisplay):
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


def predict_with_confidence(estimator, X):
    """Return the predicted movements and their probabilities."""
    probabilities = estimator.predict_proba(X)
    predicted = estimator.classes_[probabilities.argmax(axis=1)]
    return predicted, probabilities.max(axis=1)


def _compare(y_true, y_pred, confidence):
    """Return which predictions are correct, and their confidence, as arrays."""
    check_consistent_length(y_true, y_pred, confidence)
    return np.asarray(y_true) == np.asarray(y_pred), np.asarray(confidence)
