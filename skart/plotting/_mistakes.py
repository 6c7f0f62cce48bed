"""Misclassified paintings."""

import numpy as np
from sklearn.utils import check_consistent_length

from skart.images import ImageLoader
from skart.plotting._axes import as_label, make_axes
from skart.plotting._predictions import predict_with_confidence


class MistakesDisplay:
    """Paintings that are misclassified, the highest confidence first.

    Parameters
    ----------
    images : array-like of shape (n, height, width, 3)
        Misclassified paintings.
    y_true, y_pred : array-like of shape (n,)
        True and predicted movements.
    confidence : array-like of shape (n,), default=None
        Probabilities of the predicted movements.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the paintings.
    axes_ : ndarray of matplotlib.axes.Axes, shape (n,)
        Axes of the paintings; a single empty one if there are none.

    See Also
    --------
    ConfusionDisplay : Confusion matrix.
    skart.evaluation.evaluate : Compute out-of-fold predictions.
    """

    def __init__(self, *, images, y_true, y_pred, confidence=None):
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.confidence = confidence

    @classmethod
    def from_estimator(cls, estimator, X, y, *, n_mistakes=12, size=200, ax=None):
        """Plot the mistakes of a fitted pipeline.

        Parameters
        ----------
        estimator : Pipeline
            Fitted pipeline that takes paths.
        X : array-like of str or path, shape (n_paintings,)
            Image files that the pipeline was not trained on.
        y : array-like of shape (n_paintings,)
            True movements.
        n_mistakes : int, default=12
            Maximum number of paintings.
        size : int, default=200
            Side of each image in pixels.
        ax : Axes or array-like of Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : MistakesDisplay
            Object that stores the mistakes.
        """
        if hasattr(estimator, "predict_proba"):
            y_pred, confidence = predict_with_confidence(estimator, X)
        else:
            y_pred, confidence = estimator.predict(X), None
        return cls.from_predictions(
            X,
            y,
            y_pred,
            confidence,
            n_mistakes=n_mistakes,
            size=size,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        paths,
        y_true,
        y_pred,
        confidence=None,
        *,
        n_mistakes=12,
        size=200,
        ax=None,
    ):
        """Plot the mistakes among predictions.

        Parameters
        ----------
        paths : array-like of str or path, shape (n_paintings,)
            Image files. Unreadable ones are shown black, with a warning.
        y_true, y_pred : array-like of shape (n_paintings,)
            True and predicted movements.
        confidence : array-like of shape (n_paintings,), default=None
            Probabilities of the predicted movements. If None, mistakes are shown in the
            order of the paintings.
        n_mistakes : int, default=12
            Maximum number of paintings.
        size : int, default=200
            Side of each image in pixels.
        ax : Axes or array-like of Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : MistakesDisplay
            Object that stores the mistakes.
        """
        check_consistent_length(paths, y_true, y_pred, confidence)
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        rows = select_mistakes(y_true, y_pred, confidence)[:n_mistakes]
        images = np.empty((0, size, size, 3), np.uint8)
        if len(rows):
            loader = ImageLoader(size, resize="pad", on_error="blank")
            images = np.asarray(loader.transform(np.asarray(paths, dtype=object)[rows]))
        display = cls(
            images=images,
            y_true=y_true[rows],
            y_pred=y_pred[rows],
            confidence=None if confidence is None else np.asarray(confidence)[rows],
        )
        return display.plot(ax)

    def plot(self, ax=None, *, n_columns=4):
        """Plot the mistakes.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            Axes to plot in: one whose place is divided, or one for each painting. If
            None, a new figure is created.
        n_columns : int, default=4
            Number of paintings in a row.

        Returns
        -------
        display : MistakesDisplay
            Object that stores the mistakes.
        """
        n_axes = max(1, len(self.images))
        n_rows = -(-n_axes // n_columns)
        self.figure_, self.axes_ = make_axes(
            ax, n_axes, n_columns, figsize=(2.4 * n_columns, 3.1 * n_rows)
        )
        for ax_ in self.axes_:
            ax_.set_axis_off()
        if not len(self.images):
            self.axes_[0].text(0, 0.5, "no mistakes")
        for place, image in enumerate(self.images):
            ax_ = self.axes_[place]
            ax_.imshow(trim_padding(image))
            ax_.set_anchor("NW")
            lines = [f"{self.y_pred[place]}?", f"is {self.y_true[place]}"]
            if self.confidence is not None:
                lines[0] += f" {self.confidence[place]:.0%}"
            title = "\n".join(as_label(line, 30) for line in lines)
            ax_.set_title(title, fontsize=9, loc="left")
        return self


def select_mistakes(y_true, y_pred, confidence=None):
    """Return the indices of the mistakes, the highest confidence first."""
    wrong = np.flatnonzero(y_true != y_pred)
    if confidence is None:
        return wrong
    return wrong[np.argsort(-np.asarray(confidence)[wrong], kind="stable")]


def trim_padding(image):
    """Crop the black padding of an image, unless all of it is black."""
    seen = image.any(axis=2)
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return image
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
