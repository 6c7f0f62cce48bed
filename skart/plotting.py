"""Figures, as scikit-learn makes them: numbers in ``__init__``, drawing in ``plot``."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skart.images import ImageLoader


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


class SamplesDisplay:
    """Sample paintings of each movement, a row a movement.

    Parameters
    ----------
    images : dict of str to ndarray of shape (n, height, width, 3)
        Images by movement.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure.
    """

    def __init__(self, images):
        self.images = images

    @classmethod
    def from_paths(
        cls, paths, labels, *, n_samples=8, size=160, artists=None, random_state=0
    ):
        """Draw paintings picked at random, from as many artists as there are.

        Parameters
        ----------
        paths : array-like of str or path, shape (n_paintings,)
            Image files.
        labels : array-like of shape (n_paintings,)
            Their movements.
        n_samples : int, default=8
            Paintings a movement.
        size : int, default=160
            Side of each picture in pixels.
        artists : array-like of shape (n_paintings,), default=None
            Their artists: each is shown once before one is shown twice.
        random_state : int, RandomState or None, default=0
            Seed of the choice.

        Returns
        -------
        display : SamplesDisplay
            Drawn.
        """
        generator = check_random_state(random_state)
        paths, labels = np.asarray(paths, dtype=object), np.asarray(labels)
        loader = ImageLoader(size)
        images = {}
        for movement in np.unique(labels):
            rows = generator.permutation(np.flatnonzero(labels == movement))
            if artists is not None:
                names = np.asarray(artists)[rows]
                turns = [np.sum(names[:i] == name) for i, name in enumerate(names)]
                rows = rows[np.argsort(turns, kind="stable")]
            images[movement] = np.asarray(loader.transform(paths[rows[:n_samples]]))
        return cls(images).plot()

    def plot(self):
        """Draw.

        Returns
        -------
        display : SamplesDisplay
            Itself.
        """
        n_columns = max(len(images) for images in self.images.values())
        figure, axes = plt.subplots(
            len(self.images),
            n_columns,
            figsize=(n_columns, len(self.images)),
            squeeze=False,
            gridspec_kw={"wspace": 0.04, "hspace": 0.04},
        )
        figure.subplots_adjust(0, 0, 1, 1)
        for row, (movement, images) in zip(axes, self.images.items(), strict=True):
            for ax in row:
                ax.set_axis_off()
            for ax, image in zip(row, images, strict=False):
                ax.imshow(image)
            row[0].text(
                -0.08,
                0.5,
                textwrap.fill(str(movement), 14),
                transform=row[0].transAxes,
                ha="right",
                va="center",
            )
        self.figure_ = figure
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
    """
    names = np.unique(np.concatenate([y_true, y_pred]))
    percent = 100 * confusion_matrix(y_true, y_pred, labels=names, normalize="true")
    if ax is None:
        side = 2.5 + 0.45 * len(names)
        _, ax = plt.subplots(figsize=(side + 0.5, side), layout="constrained")
    display = ConfusionMatrixDisplay(percent, display_labels=names)
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
    ax.set_xticks(ax.get_xticks(), ax.get_xticklabels(), rotation=45, ha="right")
    ax.set(xlabel="predicted", ylabel="true", title="percent of each true movement")
    return display
