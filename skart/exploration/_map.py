"""The map of a collection."""

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from skart._utils._pages import check_target, write_page
from skart._utils._validation import (
    Integral,
    Interval,
    StrOptions,
    check_paths,
    validate,
    validate_params,
)
from skart.exploration._extraction import EXTRACTOR, are_paths
from skart.exploration._index import PaintingIndex, as_objects
from skart.exploration._layout import check_layout, compute_layout, make_grid


class CollectionMap(BaseEstimator):
    """Map of a collection: similar paintings are near each other.

    Features are standardized, scaled to unit length, reduced by PCA to 50 components
    and laid out in a plane. :meth:`to_html` writes a page that shows the paintings.

    Parameters
    ----------
    extractor : transformer or Pipeline, default=None
        Computes features: a :class:`skart.FeatureExtractor`, or a Pipeline such as
        ``pipe[:-1]``. If it is fitted, it is used as it is; otherwise, `fit` fits a
        clone. If None, X holds features, such as the ``features_`` of a
        :class:`PaintingIndex`.
    layout : {"tsne", "pca", "umap"}, default="tsne"
        How places are computed. "tsne" is t-SNE [1]_ that starts from PCA [2]_; for
        more than 10,000 paintings by openTSNE [3]_ if it is installed, else by
        scikit-learn. "pca" keeps the first two principal components, which takes
        seconds and separates less. "umap" is UMAP [4]_ and requires umap-learn. Up to
        five paintings are always laid out by PCA.
    random_state : int, default=0
        Seed. With the same features, versions and machine, the map is the same.
    verbose : bool, default=True
        If True, show a progress bar.

    Attributes
    ----------
    embedding_ : ndarray of shape (n_paintings, 2)
        Places of the paintings in the plane.
    grid_ : ndarray of int, shape (n_paintings, 2)
        Column and row of each painting in a grid without gaps, in which near paintings
        are near as well.
    index_ : PaintingIndex
        Features and nearest paintings.
    layout_ : {"tsne", "opentsne", "pca", "umap"}
        Layout that was used; "opentsne" is t-SNE by openTSNE.
    paths_ : list of str or None
        Paths of the paintings; None if X holds features or images.
    movements_, artists_ : ndarray of shape (n_paintings,) or None
        Movements and artists.

    See Also
    --------
    PaintingIndex : Nearest paintings by other artists.
    skart.plotting.MapDisplay : Plot a map with Matplotlib.

    Notes
    -----
    Only neighbourhoods have a meaning: distances between groups, and the sizes of
    groups, mean little in t-SNE and UMAP.

    References
    ----------
    .. [1] van der Maaten, Hinton. "Visualizing Data using t-SNE". Journal of Machine
       Learning Research 9, 2008.
    .. [2] Kobak, Berens. "The art of using t-SNE for single-cell transcriptomics".
       Nature Communications 10, 2019.
    .. [3] Poličar, Stražar, Zupan. "openTSNE: A Modular Python Library for t-SNE
       Dimensionality Reduction and Embedding". Journal of Statistical Software 109,
       2024.
    .. [4] McInnes, Healy, Melville. "UMAP: Uniform Manifold Approximation and
       Projection for Dimension Reduction". 2018.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skart.exploration import CollectionMap
    >>> X, movements = make_blobs(30, 8, random_state=0)
    >>> map = CollectionMap(layout="pca").fit(X, movements)
    >>> map.embedding_.shape, map.grid_.max(axis=0).tolist()
    ((30, 2), [5, 4])
    """

    _parameter_constraints = {
        "extractor": EXTRACTOR,
        "layout": [StrOptions({"tsne", "pca", "umap"})],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(self, extractor=None, *, layout="tsne", random_state=0, verbose=True):
        self.extractor = extractor
        self.layout = layout
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None, *, artists=None):
        """Compute the places of paintings.

        Parameters
        ----------
        X : array-like of str or path, shape (n_paintings,); or of shape \
                (n_paintings, n_features)
            Paintings for the extractor, or features if it is None.
        y : array-like of shape (n_paintings,), default=None
            Movements; None or nan where unknown.
        artists : array-like of shape (n_paintings,), default=None
            Artists. If given, the nearest paintings are those by other artists.

        Returns
        -------
        self : CollectionMap
            Fitted map.

        Raises
        ------
        ImportError
            If umap-learn is required and not installed.
        """
        validate_params(self)
        check_consistent_length(X, y, artists)
        layout = check_layout(self.layout, len(X))
        self.index_ = PaintingIndex(self.extractor, verbose=self.verbose)
        self.index_.fit(X, y, artists=artists)
        self.paths_ = None
        if self.extractor is not None and are_paths(X):
            self.paths_ = check_paths("X", X)
        self.movements_ = as_objects(y)
        self.artists_ = self.index_.artists_
        self.layout_ = layout
        self.embedding_ = compute_layout(
            self.index_.features_, layout, self.random_state, self.verbose
        )
        self.grid_ = make_grid(self.embedding_)
        return self

    def to_html(
        self,
        file,
        *,
        paths=None,
        predicted=None,
        confidence=None,
        metadata=None,
        title="Map of paintings",
        thumbnail_size=None,
        n_neighbors=4,
    ):
        """Write a page that shows the paintings as a map, a grid and a table.

        The page is one file that loads nothing and needs no server. In it, paintings
        are coloured, filtered, searched, and selected with a lasso; a selection is
        downloaded as CSV, with paths relative to the common folder of all images.

        Parameters
        ----------
        file : str or path
            The page. An existing file is replaced; folders are created as needed.
        paths : array-like of str or path, shape (n_paintings,), default=None
            Image files, in the order of X. If None, those that the map was fitted on.
            Unreadable ones are shown grey.
        predicted : array-like of shape (n_paintings,), default=None
            Predicted movements, out of fold or by a model that has not seen the
            paintings. If movements are known, paintings can be filtered by right and
            wrong.
        confidence : array-like of shape (n_paintings,), default=None
            Probabilities of the predicted movements.
        metadata : DataFrame of n_paintings rows, default=None
            More to show, a row for each painting in the order of X. A column "title"
            names the paintings in place of their files.
        title : str, default="Map of paintings"
            Title of the page.
        thumbnail_size : int, default=None
            Longer side of the thumbnails in pixels, rounded up to a multiple of 16. If
            None, from 256 for up to 400 paintings to 48 for more than 12,000, so that
            the file stays below 10 MB for 2,000 paintings and below 40 MB for 20,000.
        n_neighbors : int, default=4
            Number of nearest paintings to show with each painting; by other artists, if
            artists are given.

        Returns
        -------
        file : pathlib.Path
            The page.

        Raises
        ------
        ValueError
            If a parameter is invalid, if the map was fitted on features or images and
            no paths are passed, or if lengths differ.
        OSError
            If the page cannot be written.
        """
        check_is_fitted(self)
        validate(
            "to_html",
            {
                "metadata": metadata,
                "title": title,
                "thumbnail_size": thumbnail_size,
                "n_neighbors": n_neighbors,
            },
            {
                "metadata": [pd.DataFrame, None],
                "title": [str, None],
                "thumbnail_size": [Interval(Integral, 16, 512, closed="both"), None],
                "n_neighbors": [Interval(Integral, 1, 50, closed="both")],
            },
        )
        from skart.exploration._map_page import render_map

        target = check_target(file)  # before the work begins
        paths = self.paths_ if paths is None else check_paths("paths", paths)
        if paths is None:
            raise ValueError(
                "the map was fitted on features or images, so the page lacks the image "
                "files: pass paths"
            )
        check_consistent_length(self.embedding_, paths, predicted, confidence, metadata)
        html = render_map(
            self,
            paths,
            predicted=as_objects(predicted),
            confidence=confidence,
            metadata=metadata,
            title=title,
            side=thumbnail_size,
            n_neighbors=n_neighbors,
        )
        return write_page(target, html)
