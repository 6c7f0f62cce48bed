"""The paintings beside an image: its nearest ones, and how usual it is among them."""

from functools import lru_cache

import numpy as np

from skart._utils._files import escape, relative_paths
from skart._utils._pages import jpeg_uri
from skart.datasets._folder import known_artists
from skart.explanation._predictor import without_store
from skart.exploration import PaintingIndex
from skart.exploration._extraction import extract_features
from skart.exploration._novelty import fit_detector
from skart.images._formats import UNREADABLE, format_failures
from skart.images._thumbnails import load_thumbnail
from skart.persistence._parts import digest_paintings

N_NEIGHBORS = 6
_SIDE = 240  # pixels of a thumbnail
_N_THUMBNAILS = 512  # kept in memory: 8 MB


class Collection:
    """Paintings, and their features by a fitted Pipeline from paths to features.

    `failures` has the reasons for the paintings that can't be read, by path.
    """

    def __init__(self, data, extractor, cache):
        self._cache, self._extractor = cache, without_store(extractor)
        paths = np.asarray(data.paths, dtype=object)
        features, self.failures = extract_features(extractor, paths.tolist())
        kept = np.array([path not in self.failures for path in paths])
        if not kept.any():
            raise ValueError(
                f"no painting can be read:\n{format_failures(self.failures)}"
            )
        self.paths, self._features = paths[kept].tolist(), features[kept]
        self._movements = np.asarray(data.labels)[kept]
        self._artists = getattr(data, "artists", None)
        if self._artists is not None:
            self._artists = np.asarray(self._artists, dtype=object)[kept]
        self.artists_known = self._artists is not None
        self._names = relative_paths(self.paths)[1]
        self._index = PaintingIndex(verbose=False)
        self._index.fit(self._features, artists=self._artists)
        self.n_neighbors = min(N_NEIGHBORS, len(self.paths))
        self.thumbnail = lru_cache(_N_THUMBNAILS)(self._read_thumbnail)

    def find_trained(self, digests):
        """Return which paintings a model was trained on, by the digests in its file."""
        if digests is None:
            return np.ones(len(self.paths), bool)
        return np.isin(digest_paintings(self.paths, self._cache), digests)

    def fit_detector(self, rows):
        """Return the NoveltyDetector of some paintings, and their scores."""
        artists = None if self._artists is None else self._artists[rows]
        if artists is not None and len(set(artists)) < 2:
            artists = None
        return fit_detector(self._features[rows], self._movements[rows], artists)

    def extract(self, content):
        """Return the features of the bytes of an image; nothing is stored."""
        return self._extractor.transform([content])

    def find_neighbors(self, features):
        """Return the rows of the nearest paintings, as dicts.

        If the image is one of the collection, those by its artist are left out.
        """
        distances, indices = self._index.kneighbors(features, self.n_neighbors)
        rows = indices[0][indices[0] >= 0]
        artists = [None] * len(rows)
        if self._artists is not None:
            artists = known_artists(self._artists[rows])
        return [
            {
                "row": row,
                "painting": escape(self._names[row]),
                "movement": escape(self._movements[row]),
                "artist": None if artist is None else escape(artist),
                "similarity": round(1 - float(distance), 6),
            }
            for row, artist, distance in zip(
                rows.tolist(), artists, distances[0], strict=False
            )
        ]

    def _read_thumbnail(self, row):
        """Return a painting as a small data URI; None if it can't be read any more."""
        try:
            return jpeg_uri(load_thumbnail(self.paths[row], _SIDE))
        except UNREADABLE:
            return None
