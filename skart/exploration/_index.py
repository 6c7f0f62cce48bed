"""Nearest paintings by other artists."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from skart._utils._validation import Integral, StrOptions, validate_params
from skart.datasets._folder import is_unknown_artist
from skart.exploration._extraction import EXTRACTOR, extract, fit_extractor

_CHUNK = 1000  # queries at a time


class PaintingIndex(BaseEstimator):
    """Nearest paintings, by default of other artists only.

    Parameters
    ----------
    extractor : transformer or Pipeline, default=None
        From paintings to features: a :class:`FeatureExtractor`, or a Pipeline such as
        ``pipe[:-1]``. If None, X holds features.
    metric : {"cosine", "euclidean", "manhattan"}, default="cosine"
        Distance of features.
    n_jobs : int, default=None
        Number of threads.

    Attributes
    ----------
    features_ : ndarray of shape (n_paintings, n_features)
        Features of the paintings.
    artists_ : ndarray of shape (n_paintings,) or None
        Artists.
    extractor_ : transformer or None
        Fitted extractor.
    """

    _parameter_constraints = {
        "extractor": EXTRACTOR,
        "metric": [StrOptions({"cosine", "euclidean", "manhattan"})],
        "n_jobs": [Integral, None],
    }

    def __init__(self, extractor=None, *, metric="cosine", n_jobs=None):
        self.extractor = extractor
        self.metric = metric
        self.n_jobs = n_jobs

    def fit(self, X, artists=None):
        """Compute or read the features of the paintings."""
        validate_params(self)
        self.extractor_, self.features_ = fit_extractor(self.extractor, X)
        check_consistent_length(self.features_, artists)
        self.artists_ = None if artists is None else np.asarray(artists, dtype=object)
        self._codes = _encode_artists(self.artists_, len(self.features_))
        self._neighbors = NearestNeighbors(
            metric=self.metric, algorithm="brute", n_jobs=self.n_jobs
        ).fit(self.features_)
        return self

    def kneighbors(
        self,
        X=None,
        n_neighbors=5,
        *,
        other_artists=True,
        return_distance=True,
        artists=None,
    ):
        """Return the nearest paintings, the nearest first.

        If X is None, those of each fitted painting, itself excluded. A painting with
        fewer neighbours than `n_neighbors` has distances inf and indices -1 at the end.
        """
        check_is_fitted(self)
        n_fitted = len(self.features_)
        if X is None:
            features, codes = self.features_, self._codes
            itself = np.arange(n_fitted)
        else:
            features = extract(self.extractor_, X)
            itself = np.full(len(features), -1)
            codes = self._find_codes(artists, len(features))
        distances, indices = [], []
        for start in range(0, len(features), _CHUNK):
            part = slice(start, start + _CHUNK)
            found = self._search(
                features[part],
                codes[part] if other_artists else np.full(len(codes[part]), -1),
                itself[part],
                n_neighbors,
            )
            distances.append(found[0])
            indices.append(found[1])
        distances, indices = np.concatenate(distances), np.concatenate(indices)
        return (distances, indices) if return_distance else indices

    def _find_codes(self, artists, n):
        """Return the codes of the artists of queries, -1 for those not fitted."""
        if artists is None or self.artists_ is None:
            return np.full(n, -1)
        codes = dict(zip(self.artists_, self._codes, strict=True))
        return np.array([codes.get(artist, -1) for artist in artists])

    def _search(self, features, codes, itself, n_neighbors):
        """Return distances and indices of the neighbours that are not excluded."""
        sizes = np.bincount(self._codes[self._codes >= 0], minlength=1)
        n_excluded = max((sizes[code] for code in codes if code >= 0), default=0)
        n_asked = min(len(self.features_), n_neighbors + max(n_excluded, 1))
        distances, indices = self._neighbors.kneighbors(features, n_asked)
        excluded = indices == itself[:, None]
        excluded |= (self._codes[indices] == codes[:, None]) & (codes[:, None] >= 0)
        distances = np.where(excluded, np.inf, distances)
        order = np.argsort(distances, axis=1, kind="stable")[:, :n_neighbors]
        distances = np.take_along_axis(distances, order, axis=1)
        indices = np.take_along_axis(indices, order, axis=1)
        return distances, np.where(np.isinf(distances), -1, indices)


def _encode_artists(artists, n):
    """Return a code for each known artist, -1 for unknown ones."""
    if artists is None:
        return np.full(n, -1)
    names = pd.Series(artists, dtype=object)
    return pd.factorize(names.mask(names.map(is_unknown_artist)))[0]
