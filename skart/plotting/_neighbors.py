"""Paintings beside those nearest to them."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from skart._utils._validation import check_paths
from skart.exploration._extraction import are_paths
from skart.images import ImageLoader
from skart.plotting._axes import as_label, make_axes
from skart.plotting._mistakes import trim_padding


class NeighborsDisplay:
    """Paintings, each beside its nearest neighbours.

    Parameters
    ----------
    queries : array-like of shape (n_queries, height, width, 3)
        Paintings, one for each row.
    neighbors : array-like of shape (n_queries, n_neighbors, height, width, 3)
        The paintings nearest to each, the nearest first.
    indices : array-like of shape (n_queries, n_neighbors)
        Positions of the neighbours in the index. Those of -1 are not plotted.
    titles : array-like of shape (n_queries,), default=None
        Titles of the queries.
    labels : array-like of shape (n_queries, n_neighbors), default=None
        Movements of the neighbours.
    artists : array-like of shape (n_queries, n_neighbors), default=None
        Artists of the neighbours.
    similarities : array-like of shape (n_queries, n_neighbors), default=None
        Similarities of the neighbours, at most 1.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Figure containing the paintings.
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_queries, 1 + n_neighbors)
        Axes of the paintings, the query first.

    See Also
    --------
    skart.exploration.PaintingIndex : Find nearest paintings by other artists.
    MistakesDisplay : Misclassified paintings.
    """

    def __init__(
        self,
        *,
        queries,
        neighbors,
        indices,
        titles=None,
        labels=None,
        artists=None,
        similarities=None,
    ):
        self.queries = queries
        self.neighbors = neighbors
        self.indices = indices
        self.titles = titles
        self.labels = labels
        self.artists = artists
        self.similarities = similarities

    @classmethod
    def from_index(
        cls,
        index,
        X,
        paths,
        labels=None,
        *,
        query_paths=None,
        titles=None,
        n_neighbors=5,
        size=200,
        ax=None,
        **kwargs,
    ):
        """Plot paintings beside their nearest fitted paintings.

        Parameters
        ----------
        index : PaintingIndex
            Fitted index. Artists are shown if it was fitted with them, similarities if
            its metric is the cosine.
        X : array-like of shape (n_queries, ...)
            Paintings, as `index` takes them: paths, or features if it has no extractor.
        paths : array-like of str or path, shape (n_paintings,)
            Image files of the fitted paintings. Unreadable ones are shown black, with a
            warning.
        labels : array-like of shape (n_paintings,), default=None
            Movements of the fitted paintings.
        query_paths : array-like of str or path, shape (n_queries,), default=None
            Image files of X. If None, X must hold paths.
        titles : array-like of shape (n_queries,), default=None
            Titles of X. If None, names of files.
        n_neighbors : int, default=5
            Number of neighbours of each painting.
        size : int, default=200
            Side of each image in pixels.
        ax : Axes or array-like of Axes, default=None
            See :meth:`plot`.
        **kwargs : dict
            Other parameters of :meth:`PaintingIndex.kneighbors
            <skart.exploration.PaintingIndex.kneighbors>`, such as `artists` and
            `among`.

        Returns
        -------
        display : NeighborsDisplay
            Object that stores the paintings.

        Raises
        ------
        ValueError
            If X doesn't hold paths and `query_paths` is None, or if lengths differ.
        """
        if query_paths is None:
            if not are_paths(X):
                raise ValueError(
                    "X doesn't hold paths: pass the image files of X as query_paths"
                )
            query_paths = X
        query_paths = check_paths("query_paths", query_paths)
        check_consistent_length(X, query_paths, titles)
        check_consistent_length(index.features_, paths, labels)
        distances, indices = index.kneighbors(X, n_neighbors, **kwargs)
        if titles is None:
            titles = [Path(path).name for path in query_paths]
        loader = ImageLoader(size, resize="pad", on_error="blank")
        rows, places = np.unique(indices, return_inverse=True)
        # A position of -1 gets the last image, which is not plotted.
        found = np.asarray(loader.transform(np.asarray(paths, dtype=object)[rows]))
        display = cls(
            queries=np.asarray(loader.transform(query_paths)),
            neighbors=found[places.reshape(indices.shape)],
            indices=indices,
            titles=titles,
            labels=None if labels is None else np.asarray(labels)[indices],
            artists=None if index.artists_ is None else index.artists_[indices],
            similarities=1 - distances if index.metric == "cosine" else None,
        )
        return display.plot(ax)

    def plot(self, ax=None):
        """Plot each query in a row with its neighbours.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            Axes to plot in: one Axes that is divided, or one for each painting. If
            None, a new figure is created.

        Returns
        -------
        display : NeighborsDisplay
            Object that stores the paintings.
        """
        n_rows, n_columns = len(self.queries), 1 + np.shape(self.indices)[1]
        self.figure_, axes = make_axes(
            ax,
            n_rows * n_columns,
            n_columns,
            figsize=(1.9 * n_columns, 2.5 * n_rows),
        )
        self.axes_ = axes.reshape(n_rows, n_columns)
        for ax_ in axes:
            ax_.set_axis_off()
            ax_.set_anchor("NW")
        for row, (query, *others) in enumerate(self.axes_):
            query.imshow(trim_padding(self.queries[row]))
            title = "" if self.titles is None else as_label(self.titles[row], 22)
            query.set_title(title, fontsize=9, fontweight="bold", loc="left")
            for place, other in enumerate(others):
                if self.indices[row][place] >= 0:
                    other.imshow(trim_padding(self.neighbors[row][place]))
                    title = self._describe(row, place)
                    other.set_title(title, fontsize=9, loc="left")
        return self

    def _describe(self, row, place):
        """Return movement, artist and similarity of a neighbour, as far as known."""
        lines = [
            as_label(values[row][place], 22)
            for values in (self.labels, self.artists)
            if values is not None and not pd.isna(values[row][place])
        ]
        if self.similarities is not None:
            lines.append(f"{self.similarities[row][place]:.2f}")
        return "\n".join(lines)
