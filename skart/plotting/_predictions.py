"""Displays of predictions: their base, and the confusion matrix."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from skart._utils._validation import check_choice
from skart.plotting._axes import as_label


class PredictionsDisplay:
    """Base of displays of predictions."""

    _needs_confidence = True

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **kwargs):
        """Plot the predictions of a fitted classifier.

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
        """Plot the predictions of an evaluation.

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


class ConfusionDisplay(PredictionsDisplay):
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


def predict_with_confidence(estimator, X):
    """Return the predicted movements and their probabilities."""
    if not hasattr(estimator, "predict_proba"):
        last = estimator[-1] if hasattr(estimator, "steps") else estimator
        raise TypeError(
            f"{type(last).__name__} predicts no probabilities. Wrap the estimator in "
            "sklearn.calibration.CalibratedClassifierCV before it is fitted."
        )
    probabilities = estimator.predict_proba(X)
    predicted = estimator.classes_[probabilities.argmax(axis=1)]
    return predicted, probabilities.max(axis=1)
