"""Learning curves and results of a search."""

import numpy as np
from matplotlib.ticker import NullFormatter
from sklearn.utils.validation import check_is_fitted

from skart.plotting._axes import make_axes


class HistoryDisplay:
    """Learning curves: loss and accuracy of each epoch, in training and validation.

    The best validation epoch of each curve is marked, and where a stage of fine-tuning
    begins.

    Parameters
    ----------
    history : dict of str to list of float
        ``loss`` and ``accuracy`` by epoch, with ``val_loss`` and ``val_accuracy`` for a
        validation set, and ``stage`` for training in several stages.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the curves.
    axes_ : ndarray of matplotlib.axes.Axes, shape (2,)
        Axes of loss and accuracy.

    See Also
    --------
    SearchDisplay : Scores of a search.

    Examples
    --------
    >>> from skart.plotting import HistoryDisplay
    >>> history = {"loss": [1.2, 0.8], "accuracy": [0.4, 0.7]}
    >>> HistoryDisplay(history=history).plot().axes_[0].get_ylabel()
    'loss'
    """

    def __init__(self, *, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Plot the learning curves of a fitted classifier.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted classifier with ``history_``, or a pipeline or search that ends with
            one.
        ax : Axes or array-like of two Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : HistoryDisplay
            Object that stores the values.
        """
        estimator = getattr(estimator, "best_estimator_", estimator)
        if hasattr(estimator, "steps"):
            estimator = estimator[-1]
        check_is_fitted(estimator)
        return cls(history=estimator.history_).plot(ax)

    def plot(self, ax=None):
        """Plot the learning curves.

        Parameters
        ----------
        ax : Axes or array-like of two Axes, default=None
            Axes to plot in: one whose place is divided, or one each for loss and
            accuracy. If None, a new figure is created.

        Returns
        -------
        display : HistoryDisplay
            Object that stores the values.
        """
        self.figure_, self.axes_ = make_axes(ax, 2, 2, figsize=(10, 4))
        for ax_, name in zip(self.axes_, ("loss", "accuracy"), strict=True):
            self._plot_metric(ax_, name)
        self.axes_[1].set_ylim(0, 1.05)
        return self

    def _plot_metric(self, ax, name):
        """Plot loss or accuracy."""
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


class SearchDisplay:
    """Score of each candidate of a search against each parameter.

    Candidates without a value of a parameter are a horizontal line: the defaults, with
    which searches of skart begin.

    Parameters
    ----------
    results : dict of str to array-like
        ``cv_results_`` of a search.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the scores.
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_parameters,)
        Axes of each parameter.

    See Also
    --------
    skart.model_selection.head_search_space : Search space of the report.
    """

    def __init__(self, *, results):
        self.results = results

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Plot the scores of a fitted search.

        Parameters
        ----------
        estimator : RandomizedSearchCV, GridSearchCV or similar
            Fitted search with ``cv_results_``.
        ax : Axes or array-like of Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : SearchDisplay
            Object that stores the values.
        """
        check_is_fitted(estimator, "cv_results_")
        return cls(results=estimator.cv_results_).plot(ax)

    def plot(self, ax=None, *, n_columns=3):
        """Plot the scores.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            Axes to plot in: one whose place is divided, or one for each parameter. If
            None, a new figure is created.
        n_columns : int, default=3
            Number of Axes in a row.

        Returns
        -------
        display : SearchDisplay
            Object that stores the values.

        Raises
        ------
        ValueError
            If no parameter was searched.
        """
        names = [name for name in self.results if name.startswith("param_")]
        if not names:
            raise ValueError("no parameter was searched, so there is nothing to plot")
        n_columns = min(n_columns, len(names))
        n_rows = -(-len(names) // n_columns)
        self.figure_, self.axes_ = make_axes(
            ax,
            len(names),
            n_columns,
            figsize=(4 * n_columns, 3 * n_rows),
            sharey=True,
        )
        score = np.asarray(self.results["mean_test_score"])
        error = np.asarray(self.results["std_test_score"])
        best = np.nanargmax(score)
        for ax_, name in zip(self.axes_, names, strict=True):
            values = [
                None if value is np.ma.masked else value for value in self.results[name]
            ]
            has_value = np.array([value is not None for value in values])
            for default in score[~has_value]:
                ax_.axhline(default, color="0.5", linestyle="--", label="defaults")
            values = [value for value in values if value is not None]
            try:
                values = np.array([float(value) for value in values])
            except (TypeError, ValueError):  # names, or lists of units
                values = np.array([str(value) for value in values])
                ax_.tick_params(axis="x", rotation=45)
            else:
                if len(values) and values.min() > 0 and np.ptp(np.log(values)) > 3.4:
                    ax_.set_xscale("log")
                    ax_.xaxis.set_minor_formatter(NullFormatter())
            ax_.errorbar(
                values,
                score[has_value],
                error[has_value],
                fmt="o",
                alpha=0.6,
                markersize=4,
            )
            if has_value[best]:
                place = has_value[:best].sum()
                # zorder: above the error bars.
                ax_.plot(
                    values[place], score[best], "o", color="C1", label="best", zorder=3
                )
            ax_.set_xlabel(name.removeprefix("param_"))
            ax_.grid(alpha=0.3)
        self.axes_[0].legend()
        for ax_ in self.axes_[::n_columns]:
            ax_.set_ylabel("score")
        return self
