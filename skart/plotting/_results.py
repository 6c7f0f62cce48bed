"""Figures of what came out of training, searching and testing."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter, PercentFormatter
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix
from sklearn.utils.validation import check_is_fitted

from skart.plotting._names import as_label


class HistoryDisplay:
    """Learning curves: loss and accuracy against epoch, training and validation.

    Parameters
    ----------
    history : dict of str to list of float
        ``loss`` and ``accuracy`` by epoch, with ``val_loss`` and ``val_accuracy`` where
        there was a validation split, and ``stage`` where there were several.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure.
    axes_ : ndarray of matplotlib.axes.Axes, shape (2,)
        Axes of loss and accuracy.

    See Also
    --------
    SearchDisplay : Scores of a search.

    Examples
    --------
    >>> from skart.plotting import HistoryDisplay
    >>> history = {"loss": [1.2, 0.8], "accuracy": [0.4, 0.7]}
    >>> HistoryDisplay(history).plot().axes_[0].get_ylabel()
    'loss'
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, axes=None):
        """Draw the learning curves of a fitted classifier.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted; it, or the last step, has a ``history_``.
        axes : sequence of two matplotlib.axes.Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : HistoryDisplay
            Drawn.
        """
        estimator = getattr(estimator, "best_estimator_", estimator)
        if hasattr(estimator, "steps"):
            estimator = estimator[-1]
        check_is_fitted(estimator)
        return cls(estimator.history_).plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw.

        Parameters
        ----------
        axes : sequence of two matplotlib.axes.Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : HistoryDisplay
            Itself.
        """
        if axes is None:
            _, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        for ax, name in zip(axes, ("loss", "accuracy"), strict=True):
            epochs = np.arange(1, len(self.history[name]) + 1)
            ax.plot(epochs, self.history[name], label="training")
            if f"val_{name}" in self.history:
                values = self.history[f"val_{name}"]
                best = np.nanargmin(values) if name == "loss" else np.nanargmax(values)
                (line,) = ax.plot(epochs, values, label="validation")
                ax.plot(epochs[best], values[best], "o", color=line.get_color())
                ax.annotate(
                    f"{values[best]:.3g}",
                    (epochs[best], values[best]),
                    textcoords="offset points",
                    xytext=(0, 8),
                    ha="center",
                )
            for start in np.flatnonzero(np.diff(self.history.get("stage", []))) + 1:
                ax.axvline(start + 0.5, color="grey", linestyle="--", linewidth=1)
                ax.annotate(
                    f"stage {self.history['stage'][start]}",
                    (start + 0.5, 0.99),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    xytext=(-2, 0),
                    rotation=90,
                    ha="right",
                    va="top",
                    fontsize="small",
                )
            ax.set(xlabel="epoch", ylabel=name)
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.grid(alpha=0.3)
            ax.legend()
        axes[1].set_ylim(0, 1.05)
        self.axes_ = np.asarray(axes)
        self.figure_ = axes[0].figure
        return self


class SearchDisplay:
    """Score of each candidate of a search against each parameter that was searched.

    Parameters
    ----------
    results : dict of str to array-like
        ``cv_results_`` of a search.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure.
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_parameters,)
        One for each parameter.

    See Also
    --------
    skart.model_selection.head_search_space : What the report searched.
    """

    def __init__(self, results):
        self.results = results

    @classmethod
    def from_estimator(cls, search):
        """Draw a fitted search.

        Parameters
        ----------
        search : RandomizedSearchCV or its like
            Fitted.

        Returns
        -------
        display : SearchDisplay
            Drawn.
        """
        check_is_fitted(search, "cv_results_")
        return cls(search.cv_results_).plot()

    def plot(self, *, n_columns=3):
        """Draw.

        Parameters
        ----------
        n_columns : int, default=3
            Axes side by side.

        Returns
        -------
        display : SearchDisplay
            Itself.
        """
        names = [name for name in self.results if name.startswith("param_")]
        n_columns = min(n_columns, len(names))
        n_rows = -(-len(names) // n_columns)
        figure, axes = plt.subplots(
            n_rows,
            n_columns,
            figsize=(4 * n_columns, 3 * n_rows),
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        score = np.asarray(self.results["mean_test_score"])
        error = np.asarray(self.results["std_test_score"])
        best = np.nanargmax(score)
        for ax in axes.flat[len(names) :]:
            ax.set_axis_off()
        for ax, name in zip(axes.flat, names, strict=False):
            values = list(self.results[name])
            try:
                values = np.array([float(value) for value in values])
            except (TypeError, ValueError):  # names, or several widths
                values = np.array([str(value) for value in values])
                ax.tick_params(axis="x", rotation=45)
            else:
                if values.min() > 0 and values.max() / values.min() > 30:
                    ax.set_xscale("log")
                    ax.xaxis.set_minor_formatter(NullFormatter())
            ax.errorbar(values, score, error, fmt="o", alpha=0.6, markersize=4)
            # Above the bars.
            ax.plot(values[best], score[best], "o", color="C1", label="best", zorder=3)
            ax.set_xlabel(name.removeprefix("param_"))
            ax.grid(alpha=0.3)
        axes[0, 0].legend()
        for ax in axes[:, 0]:
            ax.set_ylabel("score")
        self.figure_, self.axes_ = figure, axes.ravel()[: len(names)]
        return self


def plot_confusion_matrix(y_true, y_pred, *, ax=None):
    """Draw a confusion matrix that is legible with many long names.

    Parameters
    ----------
    y_true : array-like of shape (n_paintings,)
        Movements.
    y_pred : array-like of shape (n_paintings,)
        Predicted movements.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None for a new figure, as large as the names need.

    Returns
    -------
    display : sklearn.metrics.ConfusionMatrixDisplay
        Drawn: percentages of each true movement, a row a movement.

    See Also
    --------
    MistakesDisplay : The mistakes themselves.

    Examples
    --------
    >>> from skart.plotting import plot_confusion_matrix
    >>> true = ["Cubism", "Cubism", "Op Art"]
    >>> display = plot_confusion_matrix(true, ["Cubism", "Op Art", "Op Art"])
    >>> display.confusion_matrix.tolist()
    [[50.0, 50.0], [0.0, 100.0]]
    """
    names = np.unique(np.concatenate([y_true, y_pred]))
    percent = 100 * confusion_matrix(y_true, y_pred, labels=names, normalize="true")
    labels = [as_label(name, 32) for name in names]
    if ax is None:
        longest = max(len(line) for label in labels for line in label.split("\n"))
        side = 1 + 0.08 * longest + 0.45 * len(names)
        _, ax = plt.subplots(figsize=(side + 0.5, side), layout="constrained")
    display = ConfusionMatrixDisplay(percent, display_labels=labels)
    display.plot(
        ax=ax,
        cmap="Blues",
        values_format=".0f",
        im_kw={"vmin": 0, "vmax": 100},
        text_kw={"fontsize": 8},
        colorbar=False,
    )
    for text in display.text_.flat:
        if text.get_text() == "0":
            text.set_text("")
    ax.set_xticks(
        ax.get_xticks(),
        ax.get_xticklabels(),
        rotation=45,
        ha="right",
        rotation_mode="anchor",
    )
    ax.set(xlabel="predicted", ylabel="true", title="percent of each true movement")
    return display


def plot_reliability(correct, confidence, *, n_bins=10, ax=None):
    """Draw how often a classifier is right against how sure it is.

    Parameters
    ----------
    correct : array-like of bool, shape (n_paintings,)
        Whether the most probable movement is the true one.
    confidence : array-like of shape (n_paintings,)
        Its probability.
    n_bins : int, default=10
        Bins of equal width.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None for a new figure.

    Returns
    -------
    display : sklearn.calibration.CalibrationDisplay
        Drawn, with the confidences of all paintings as a histogram behind it.

    See Also
    --------
    plot_coverage : Where it may decline to answer.
    skart.evaluation.Evaluation : Gives ``correct`` and ``confidence``.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(5, 5), layout="constrained")
    behind = ax.twinx()
    behind.hist(confidence, bins=np.linspace(0, 1, n_bins + 1), color="0.85")
    behind.set_ylabel("paintings")
    ax.set_zorder(behind.get_zorder() + 1)
    ax.patch.set_visible(False)
    display = CalibrationDisplay.from_predictions(
        np.asarray(correct).astype(int), confidence, n_bins=n_bins, ax=ax
    )
    ax.set(xlabel="mean confidence", ylabel="accuracy")
    ax.get_legend().remove()
    return display


def plot_coverage(evaluation, *, ax=None):
    """Draw how often a classifier is right where it may decline to answer.

    Parameters
    ----------
    evaluation : Evaluation
        Of the classifier; see :meth:`skart.evaluation.Evaluation.coverage`.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None for a new figure.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Accuracy of the answers against the share of the paintings that are answered:
        those of which it is surest.

    See Also
    --------
    plot_reliability : How often it is right against how sure it is.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    table = evaluation.coverage()
    overall = table["accuracy"].iloc[-1]
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
    ax.plot(table["coverage"], table["accuracy"])
    ax.set(
        xlabel="paintings answered, the surest first",
        ylabel="accuracy of the answers",
        xlim=(0, 1),
    )
    ax.margins(y=0.15)  # room for the note
    ax.set_ylim(top=1.01)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(alpha=0.3)
    return ax
