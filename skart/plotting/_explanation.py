"""Paintings, heat maps over them, and probabilities of the movements."""

import numpy as np
from sklearn.utils import check_consistent_length

from skart._utils._text import as_percent
from skart._utils._validation import check_count
from skart.explanation import overlay_heat
from skart.explanation._methods import explain
from skart.plotting._axes import as_label, make_axes


class ExplanationDisplay:
    """Paintings, where a model looked, and the probabilities of the movements.

    Each painting has a row: itself, the heat map over it, and the most probable
    movements as bars. In the heat map, the painting is pale grey where it does not
    speak for the movement; the scale is that of each painting.

    Parameters
    ----------
    images : array-like of shape (n_paintings, height, width, 3)
        Paintings with values from 0 to 255.
    heat : array-like of shape (n_paintings, height, width)
        Heat maps.
    movements : array-like of shape (n_paintings,)
        Movements that the heat maps explain.
    probabilities : array-like of shape (n_paintings, n_classes)
        Probabilities of the movements.
    classes : array-like of shape (n_classes,)
        Movements of the columns.
    titles : array-like of shape (n_paintings,), default=None
        Titles of the paintings.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the paintings.
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_paintings, 3)
        Axes of the paintings, heat maps and bars.

    See Also
    --------
    skart.explanation.grad_cam, skart.explanation.occlusion : Compute heat maps.
    MistakesDisplay : Misclassified paintings.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.plotting import ExplanationDisplay
    >>> display = ExplanationDisplay(
    ...     images=np.zeros((1, 8, 8, 3), np.uint8),
    ...     heat=np.eye(8)[None],
    ...     movements=["Cubism"],
    ...     probabilities=[[0.9, 0.1]],
    ...     classes=["Cubism", "Fauvism"],
    ... )
    >>> display.plot().axes_.shape
    (1, 3)
    """

    def __init__(self, *, images, heat, movements, probabilities, classes, titles=None):
        self.images = images
        self.heat = heat
        self.movements = movements
        self.probabilities = probabilities
        self.classes = classes
        self.titles = titles

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        method="auto",
        movements=None,
        titles=None,
        top_k=3,
        ax=None,
        **kwargs,
    ):
        """Explain the predictions of a fitted classifier, and plot them.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted classifier with ``predict_proba``.
        X : array-like of shape (n_paintings,) or (n_paintings, height, width, 3)
            Paths, or any other input that the estimator takes.
        method : {"auto", "grad_cam", "occlusion"}, default="auto"
            Method. If "auto", :func:`skart.explanation.grad_cam`, or
            :func:`skart.explanation.occlusion` for classifiers that the former can't
            explain.
        movements : str or array-like of shape (n_paintings,), default=None
            Movement to explain. If None, the predicted one.
        titles : array-like of shape (n_paintings,), default=None
            Titles of the paintings.
        top_k : int, default=3
            See :meth:`plot`.
        ax : Axes or array-like of Axes, default=None
            See :meth:`plot`.
        **kwargs : dict
            Other parameters of the method.

        Returns
        -------
        display : ExplanationDisplay
            Object that stores the heat maps.
        """
        found = explain(estimator, X, method=method, movements=movements, **kwargs)
        return cls.from_explanation(found, titles=titles, top_k=top_k, ax=ax)

    @classmethod
    def from_explanation(cls, explanation, *, titles=None, top_k=3, ax=None):
        """Plot the result of a method.

        Parameters
        ----------
        explanation : sklearn.utils.Bunch
            Result of :func:`skart.explanation.grad_cam` or
            :func:`skart.explanation.occlusion`.
        titles : array-like of shape (n_paintings,), default=None
            Titles of the paintings.
        top_k : int, default=3
            See :meth:`plot`.
        ax : Axes or array-like of Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : ExplanationDisplay
            Object that stores the heat maps.
        """
        return cls(**explanation, titles=titles).plot(ax, top_k=top_k)

    def plot(self, ax=None, *, top_k=3):
        """Plot a row for each painting.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            Axes to plot in: one whose place is divided, or three for each painting. If
            None, a new figure is created.
        top_k : int, default=3
            Number of movements that are shown as bars, the most probable first. The
            explained one is always shown.

        Returns
        -------
        display : ExplanationDisplay
            Object that stores the heat maps.
        """
        check_count("top_k", top_k)
        check_consistent_length(self.images, self.heat, self.movements, self.titles)
        n_rows = len(self.images)
        # Series and DataFrames may have any index.
        images, heat, movements = map(
            np.asarray, (self.images, self.heat, self.movements)
        )
        titles = None if self.titles is None else list(self.titles)
        self.figure_, axes = make_axes(ax, 3 * n_rows, 3, figsize=(8.4, 2.6 * n_rows))
        self.axes_ = axes.reshape(n_rows, 3)
        for row, (painting, overlay, bars) in enumerate(self.axes_):
            painting.imshow(images[row].astype(np.uint8))
            overlay.imshow(overlay_heat(images[row], heat[row]))
            for one in (painting, overlay):
                one.set_axis_off()
                one.set_anchor("NW")
            if titles is not None:
                title = as_label(titles[row], 26)
                painting.set_title(title, fontsize=9, loc="left")
            title = as_label(f"for {movements[row]}", 26)
            overlay.set_title(title, fontsize=9, loc="left")
            self._plot_bars(bars, row, movements[row], top_k)
        return self

    def _plot_bars(self, ax, row, movement, top_k):
        """Plot the most probable movements, and the explained one."""
        values = np.asarray(self.probabilities)[row]
        own = list(self.classes).index(movement)
        shown = np.argsort(-values, kind="stable")[:top_k].tolist()
        if own not in shown:
            shown[-1] = own
        places = range(len(shown))
        colours = ["#b4602c" if code == own else "#2f5573" for code in shown]
        ax.barh(places, values[shown], height=0.25, color=colours)
        for place, code in zip(places, shown, strict=True):
            label = as_label(self.classes[code], 40).split("\n")[0]
            text = f"{label}  {as_percent(values[code])}"
            ax.text(0, place - 0.2, text, fontsize=9, va="bottom")
        ax.set(xlim=(0, 1), ylim=(max(len(shown), 3) - 0.5, -0.8), xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
