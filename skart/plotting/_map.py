"""The map of a collection as a figure."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from skart._utils._validation import check_count, check_paths
from skart.exploration._map_page import make_palette, order_names, sort_names
from skart.images._thumbnails import load_thumbnails
from skart.plotting._axes import as_label

_OTHER = "#b5b0a8"
_MAX_IN_LEGEND = 24  # movements; the others are grey


class MapDisplay:
    """Map of a collection: a point for each painting, or thumbnails.

    Parameters
    ----------
    embedding : array-like of shape (n_paintings, 2)
        Places of the paintings.
    labels : array-like of shape (n_paintings,), default=None
        Movements, which colour the points; None or nan where unknown.
    images : list of ndarray of shape (height, width, 3), default=None
        Thumbnails. If given, they are shown in place of points.
    image_places : array-like of shape (n_images, 2), default=None
        Centres of the thumbnails; required with `images`.
    image_size : float, default=None
        Longer side of the thumbnails, in the units of the places; required with
        `images`.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the map.
    ax_ : matplotlib.axes.Axes
        Axes of the map.

    See Also
    --------
    skart.exploration.CollectionMap : Compute a map, and write it as a page.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skart.exploration import CollectionMap
    >>> from skart.plotting import MapDisplay
    >>> X, movements = make_blobs(30, 8, random_state=0)
    >>> map = CollectionMap(layout="pca").fit(X, movements)
    >>> MapDisplay.from_map(map).ax_.get_legend() is not None
    True
    """

    def __init__(
        self,
        *,
        embedding,
        labels=None,
        images=None,
        image_places=None,
        image_size=None,
    ):
        self.embedding = embedding
        self.labels = labels
        self.images = images
        self.image_places = image_places
        self.image_size = image_size

    @classmethod
    def from_map(cls, map, *, paths=None, thumbnails=False, n_columns=16, ax=None):
        """Plot a fitted map.

        Parameters
        ----------
        map : CollectionMap
            Fitted map.
        paths : array-like of str or path, shape (n_paintings,), default=None
            Image files. If None, those that the map was fitted on.
        thumbnails : bool, default=False
            If True, show thumbnails without overlap: the map is divided into square
            cells, and each shows the painting nearest to its middle. Files that can't
            be decoded are left out.
        n_columns : int, default=16
            Number of cells along the longer side of the map.
        ax : Axes, default=None
            See :meth:`plot`.

        Returns
        -------
        display : MapDisplay
            Object that stores the places.

        Raises
        ------
        ValueError
            If `n_columns` is not a positive int, or if `thumbnails` is True and the
            image files are unknown.
        """
        check_is_fitted(map)
        n_columns = check_count("n_columns", n_columns)
        thumbs = {}
        if thumbnails:
            paths = map.paths_ if paths is None else check_paths("paths", paths)
            if paths is None:
                raise ValueError(
                    "the map was fitted on features or images, so the image files are "
                    "unknown: pass paths"
                )
            check_consistent_length(map.embedding_, paths)
            rows, middles, side = _fill_cells(map.embedding_, n_columns)
            images = load_thumbnails([paths[row] for row in rows], 96, verbose=False)
            readable = [place for place, x in enumerate(images) if x is not None]
            thumbs = {
                "images": [images[place] for place in readable],
                "image_places": middles[readable],
                "image_size": 0.92 * side,
            }
        display = cls(embedding=map.embedding_, labels=map.movements_, **thumbs)
        return display.plot(ax)

    def plot(self, ax=None):
        """Plot the map.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot in. If None, a new figure is created.

        Returns
        -------
        display : MapDisplay
            Object that stores the places.
        """
        if ax is None:
            _, ax = plt.subplots(figsize=(9, 6), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        places = np.asarray(self.embedding, float)
        # As on the page: square, and y runs down.
        ax.set(aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        if self.images is not None:
            self._plot_images()
        else:
            self._plot_points(places)
        if not ax.yaxis_inverted():
            ax.invert_yaxis()
        return self

    def _plot_points(self, places):
        """Plot a point for each painting, and the legend."""
        size = float(np.clip(6000 / max(len(places), 1), 4, 40))
        options = {"s": size, "linewidths": 0, "alpha": 0.85}
        if self.labels is None:
            self.ax_.scatter(*places.T, color=make_palette(1)[0], **options)
            return
        labels = pd.Series(np.asarray(self.labels, dtype=object))
        order = order_names(labels)
        named = order[:_MAX_IN_LEGEND]
        rest = ~labels.isin(named).to_numpy()
        if rest.any():
            n_more = len(order) - len(named)
            text = f"{n_more} more" if n_more else "unknown"
            if n_more and labels.isna().any():
                text += " or unknown"
            self.ax_.scatter(*places[rest].T, color=_OTHER, label=text, **options)
        colours = dict(zip(named, make_palette(len(named)), strict=True))
        for name in sort_names(named):
            rows = (labels == name).to_numpy()
            label = as_label(name, 24)
            # A leading underscore would hide it from the legend.
            label = f"\u200b{label}" if label.startswith("_") else label
            self.ax_.scatter(
                *places[rows].T, color=colours[name], label=label, **options
            )
        legend = self.ax_.legend(
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            frameon=False,
            fontsize="small",
            handletextpad=0.3,
        )
        for handle in legend.legend_handles:
            handle.set(sizes=[36], alpha=1)

    def _plot_images(self):
        """Plot the thumbnails."""
        half, middles = self.image_size / 2, np.asarray(self.image_places, float)
        for image, (x, y) in zip(self.images, middles, strict=True):
            height, width = half * np.array(image.shape[:2]) / max(image.shape[:2])
            # The upper edge is the smaller y.
            box = (x - width, x + width, y + height, y - height)
            self.ax_.imshow(image, extent=box, interpolation="antialiased")
        if self.images:
            corners = np.array([middles.min(axis=0), middles.max(axis=0)])
            (left, top), (right, bottom) = corners + [[-half], [half]]
            self.ax_.set(xlim=(left, right), ylim=(bottom, top))


def _fill_cells(places, n_columns):
    """Return the painting nearest to the middle of each cell, the middles, the side."""
    low, high = places.min(axis=0), places.max(axis=0)
    side = max(float((high - low).max()) / n_columns, 1e-6)
    cells = np.minimum((places - low) // side, n_columns - 1)
    middles = low + (cells + 0.5) * side
    away = np.linalg.norm(places - middles, axis=1)
    order = np.argsort(away, kind="stable")
    _, first = np.unique(cells[order], axis=0, return_index=True)
    rows = np.sort(order[first])
    return rows, middles[rows], side
