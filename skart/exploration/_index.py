"""Nearest paintings by other artists."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils import check_consistent_length, column_or_1d, gen_batches
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from skart._utils._validation import StrOptions, check_count, validate_params
from skart.datasets._folder import is_unknown_artist
from skart.exploration._extraction import EXTRACTOR, extract, fit_extractor

_BLOCK = 2**25  # distances at a time: 128 MB of float32
# Cosine distance up to which features are equal but for rounding, which reaches 3e-6 in
# float32. Those of different paintings are at least 1e-3 apart.
_ROUNDING = 1e-5


class PaintingIndex(BaseEstimator):
    """Index of nearest paintings, by default of those by other artists.

    The paintings most similar to a painting are often by the same artist. Similar ones
    by other artists show what the painting shares with a movement.

    Parameters
    ----------
    extractor : transformer or Pipeline, default=None
        Computes features: a :class:`~skart.FeatureExtractor`, or a Pipeline such as
        ``pipe[:-1]``. If it is fitted, it is used as it is; otherwise, `fit` fits a
        clone. If None, X holds features.
    metric : {"cosine", "euclidean"}, default="cosine"
        Distance of features. A cosine distance is between 0 and 2, and 1 minus the
        distance is the similarity.
    verbose : bool, default=True
        If True, show a progress bar for searches that take longer than a second.

    Attributes
    ----------
    features_ : ndarray of shape (n_paintings, n_features)
        Features of the paintings.
    artists_ : ndarray of object, shape (n_paintings,), or None
        Artists; None if they were not passed.
    extractor_ : transformer or None
        Fitted extractor.
    n_features_in_ : int
        Number of features.

    See Also
    --------
    skart.plotting.NeighborsDisplay : Plot paintings beside their neighbours.
    sklearn.neighbors.NearestNeighbors : Nearest neighbours of any artist.

    Notes
    -----
    The search compares each query with all paintings: results are exact, and any
    painting can be excluded. For up to 400,000 paintings, the exact index of FAISS is
    not faster. Features are not standardized: standardizing finds more neighbours of
    the same movement for drawn paintings, but not for real art. See the
    benchmarks for both.

    Examples
    --------
    >>> from skart.exploration import PaintingIndex
    >>> features = [[1.0, 0.0], [1.0, 0.1], [1.0, 0.3], [0.0, 1.0]]
    >>> artists = ["Monet", "Monet", "Sisley", "Malevich"]
    >>> index = PaintingIndex().fit(features, artists=artists)
    >>> distances, indices = index.kneighbors(n_neighbors=1)
    >>> indices.ravel()
    array([2, 2, 1, 2])
    >>> index.kneighbors([[1.0, 0.2]], n_neighbors=2, artists=["Sisley"])[1]
    array([[1, 0]])
    """

    _parameter_constraints = {
        "extractor": EXTRACTOR,
        "metric": [StrOptions({"cosine", "euclidean"})],
        "verbose": ["verbose"],
    }

    def __init__(self, extractor=None, *, metric="cosine", verbose=True):
        self.extractor = extractor
        self.metric = metric
        self.verbose = verbose

    def fit(self, X, y=None, *, artists=None):
        """Compute the features of the paintings, or read them from the store.

        Parameters
        ----------
        X : array-like
            Paintings as the extractor takes them: paths or images. If `extractor` is
            None, features of shape (n_paintings, n_features).
        y : array-like of shape (n_paintings,), default=None
            Movements, for supervised steps of an extractor that is not fitted.
        artists : array-like of shape (n_paintings,), default=None
            Artists. Unknown ones may be missing values or names such as "unknown" and
            "anonymous"; each is treated as a different person.

        Returns
        -------
        self : PaintingIndex
            Fitted index.

        Raises
        ------
        ValueError
            If the features are not a finite 2-D array, or lengths differ.
        """
        validate_params(self)
        self.extractor_, self.features_ = fit_extractor(self.extractor, X, y)
        check_consistent_length(self.features_, y, artists)
        self.n_features_in_ = self.features_.shape[1]
        self.artists_ = as_objects(artists)
        self._codes = np.full(len(self.features_), -1)
        if artists is not None:
            self._codes = pd.factorize(hide_unknown(artists))[0]
        self._lengths = _compute_lengths(self.features_)
        return self

    def kneighbors(
        self,
        X=None,
        n_neighbors=5,
        *,
        other_artists=True,
        return_distance=True,
        artists=None,
        among=None,
    ):
        """Return the nearest paintings, the nearest first.

        A query with the same features as a fitted painting is treated as that painting:
        it is left out of its own neighbours, and its artist is used.

        Parameters
        ----------
        X : array-like, default=None
            Paintings, in the form that was passed to `fit`. If None, the fitted
            paintings.
        n_neighbors : int, default=5
            Number of neighbours. If there are fewer, the row is filled with the index
            -1 and the distance inf.
        other_artists : bool, default=True
            If True, exclude paintings by the artist of a query. Paintings of unknown
            artists are not excluded.
        return_distance : bool, default=True
            If True, return the distances as well.
        artists : array-like of shape (n_queries,), default=None
            Artists of X; unknown ones may be None or "unknown". If None, only the
            artists of fitted paintings are known.
        among : array-like of bool, shape (n_paintings,) or (n_queries, n_paintings), \
                default=None
            Fitted paintings that may be neighbours, for all queries or for each. If
            None, all of them.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            Distances; only if `return_distance` is True.
        indices : ndarray of shape (n_queries, n_neighbors)
            Positions of the neighbours among the fitted paintings.

        Raises
        ------
        ValueError
            If `artists` is passed and the index was fitted without artists, or if the
            number of features or the shape of `among` does not match the fitted
            paintings.
        """
        check_is_fitted(self)
        n_neighbors = check_count("n_neighbors", n_neighbors)
        features = self.features_ if X is None else self._extract(X)
        codes = self._encode(artists, len(features))
        among = self._check_among(among, len(features))
        shape = len(features), n_neighbors
        distances = np.full(shape, np.inf, self.features_.dtype)
        indices = np.full(shape, -1)
        progress = tqdm(
            desc="comparing paintings",
            total=len(features),
            unit="painting",
            delay=1,
            disable=not self.verbose,
        )
        with progress:
            n_rows = max(1, _BLOCK // len(self.features_))
            for part in gen_batches(len(features), n_rows):
                block = self._compute_distances(features[part])
                if X is None:
                    itself = np.arange(len(block)), np.arange(part.start, part.stop)
                else:
                    itself = np.nonzero(self._are_equal(features[part], block))
                block[itself] = np.inf
                if other_artists and self.artists_ is not None:
                    self._exclude_artists(block, itself, codes[part])
                if among is not None:
                    block[~among[part]] = np.inf
                found = _find_smallest(block, n_neighbors)
                n_found = found.shape[1]
                indices[part, :n_found] = found
                distances[part, :n_found] = np.take_along_axis(block, found, axis=1)
                progress.update(len(block))
        indices[np.isinf(distances)] = -1
        return (distances, indices) if return_distance else indices

    def _extract(self, X):
        """Return the features of queries."""
        features = extract(self.extractor_, X)
        if features.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {features.shape[1]} features, but the fitted paintings have "
                f"{self.n_features_in_}"
            )
        return features.astype(self.features_.dtype, copy=False)

    def _encode(self, artists, n_queries):
        """Return the codes of the artists of queries; -1 if they are not known."""
        if artists is None:
            return np.full(n_queries, -1)
        if self.artists_ is None:
            raise ValueError(
                "artists can't be compared, because the index was fitted without "
                "artists: pass artists to fit as well"
            )
        artists = as_objects(artists)
        if len(artists) != n_queries:
            raise ValueError(
                f"artists must have one entry for each of {n_queries} queries; got "
                f"{len(artists)}"
            )
        codes = dict(zip(self.artists_, self._codes, strict=True))
        return np.array([codes.get(artist, -1) for artist in artists])

    def _check_among(self, among, n_queries):
        """Return `among` as an array of a row, or of a row for each query."""
        if among is None:
            return None
        among = np.asarray(among)
        n = len(self.features_)
        if among.dtype != bool or among.shape not in ((n,), (n_queries, n)):
            raise ValueError(
                f"among must be bool, of shape ({n},) or ({n_queries}, {n}); got "
                f"{among.dtype}, of shape {among.shape}"
            )
        return np.broadcast_to(among, (n_queries, n))

    def _compute_distances(self, features):
        """Return the distances of queries to the fitted paintings."""
        if self.metric == "euclidean":
            return euclidean_distances(features, self.features_)
        unit = features / _compute_lengths(features)[:, None]
        distances = unit @ self.features_.T
        distances /= self._lengths
        np.subtract(1, distances, out=distances)
        return np.maximum(distances, 0, out=distances)

    def _are_equal(self, features, distances):
        """Return whether queries and fitted paintings differ by rounding only."""
        lengths = _compute_lengths(features)
        # The distance of vectors of length 1 whose cosine distance is `_ROUNDING`.
        tolerance = np.sqrt(2 * _ROUNDING)
        if self.metric == "euclidean":
            return distances <= tolerance * lengths[:, None]
        equal = distances <= _ROUNDING
        rows, columns = np.nonzero(equal)
        equal[rows, columns] = np.isclose(
            lengths[rows], self._lengths[columns], rtol=tolerance
        )
        return equal

    def _exclude_artists(self, distances, itself, codes):
        """Exclude paintings by the artists of queries, passed or recognized."""
        rows, columns = itself
        excluded = np.zeros((len(distances), self._codes.max() + 2), bool)
        excluded[rows, self._codes[columns]] = True
        excluded[np.arange(len(distances)), codes] = True
        excluded[:, -1] = False  # of unknown artists, whose code is -1
        distances[excluded[:, self._codes]] = np.inf


def as_objects(values):
    """Return names as a 1-D array of objects, or None."""
    return None if values is None else column_or_1d(values, dtype=object)


def hide_unknown(artists):
    """Return artists as an array of objects, None for unknown ones."""
    artists = as_objects(artists)
    unknown = [pd.isna(name) or is_unknown_artist(name) for name in artists]
    return np.where(unknown, None, artists)


def _compute_lengths(features):
    """Return the lengths of vectors, 1 for those of zeros."""
    # In float64: sums of float32 would add to the rounding of distances.
    squares = np.einsum("ij,ij->i", features, features, dtype=np.float64)
    return np.sqrt(np.where(squares > 0, squares, 1)).astype(features.dtype)


def _find_smallest(distances, n):
    """Return the positions of the smallest distances of each row, in order."""
    n = min(n, distances.shape[1])
    found = np.sort(np.argpartition(distances, n - 1)[:, :n])
    order = np.argsort(np.take_along_axis(distances, found, axis=1), kind="stable")
    return np.take_along_axis(found, order, axis=1)
