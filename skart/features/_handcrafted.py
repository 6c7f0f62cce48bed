"""Hand-crafted features, computed once for each image."""

import numpy as np
from joblib import Parallel, delayed
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils.validation import check_is_fitted

from skart._utils._validation import Integral, Interval, suggest, validate_params
from skart.features._stored import (
    StoredFeatures,
    as_list,
    check_cache,
    identify_images,
    open_store,
)
from skart.features.descriptors._table import DESCRIPTORS
from skart.images._loader import check_images

# Number of SIFT descriptors from which a vocabulary is learned.
_N_SAMPLED = 200_000
_N_ROWS = 256  # that are read from the store at a time


class HandcraftedFeatures(StoredFeatures):
    """Compute hand-crafted features of images: colour, light, texture and edges.

    Each descriptor is a function in ``skart.features.descriptors``:

    =================  =======  ==================================================
    descriptor         length   describes
    =================  =======  ==================================================
    "color_layout"          58  colours and their places
    "hsv"                   42  distributions of hue, saturation and value
    "luminance"              9  distribution of lightness
    "color_structure"       64  colours and how finely they are mixed
    "lbp"                   54  fine texture, such as brushwork
    "glcm"                  36  coarse texture
    "gabor"                 48  width and direction of strokes
    "edge_direction"        37  direction of edges
    "hog"                 1764  direction of edges in each part of the image
    "ltp"                  118  fine texture, less sensitive to noise
    "color_names"           55  shares of eleven colours, also in each quarter
    "topography"            93  ridges, ravines and slopes of lightness
    "gunsel"                 6  darkness, edges and distribution of lightness
    "sift"             n_words  visual words: small patches of similar look
    =================  =======  ==================================================

    "sift" counts visual words of a vocabulary, which ``fit`` learns [1]_ from about
    200,000 patches, at most 300 of an image. All other descriptors learn nothing.

    Parameters
    ----------
    descriptors : str or list of str
        One or several descriptors, concatenated in this order. The default is the first
        eight of the table.
    n_words : int, default=200
        Size of the vocabulary of "sift"; otherwise unused.
    cache : str, path or FeatureStore, default=None
        Folder of the feature store, where each descriptor is stored separately. If
        None, each call computes the features anew.
    random_state : int, RandomState instance or None, default=0
        Seed of the vocabulary of "sift"; otherwise unused.
    n_jobs : int, default=None
        Number of images described in parallel, by threads unless
        ``joblib.parallel_config`` names processes. None means 1, -1 all cores.
    verbose : bool, default=True
        If True, show a progress bar after a second.

    Attributes
    ----------
    vocabulary_ : ndarray of shape (n_words, 128), dtype float32
        Visual words: cluster centres of SIFT descriptors. Only with "sift".

    See Also
    --------
    ImageLoader : The step before: paths to images.
    FeatureExtractor : Features of a network; ``FeatureUnion`` concatenates both.

    Notes
    -----
    The descriptors have different scales: a ``StandardScaler`` should follow.

    References
    ----------
    .. [1] Csurka, Dance, Fan, Willamowski, Bray. "Visual categorization with bags of
       keypoints". Workshop on Statistical Learning in Computer Vision, ECCV 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skart import HandcraftedFeatures
    >>> images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    >>> features = HandcraftedFeatures(["hsv", "lbp"])
    >>> features.fit_transform(images).shape
    (2, 96)
    >>> features.get_feature_names_out()[0]
    'hsv_mean_h'
    """

    _parameter_constraints = {
        "n_words": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        descriptors=(
            "color_layout",
            "hsv",
            "luminance",
            "color_structure",
            "lbp",
            "glcm",
            "gabor",
            "edge_direction",
        ),
        *,
        n_words=200,
        cache=None,
        random_state=0,
        n_jobs=None,
        verbose=True,
    ):
        self.descriptors = descriptors
        self.n_words = n_words
        self.cache = cache
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y=None):
        """Learn the vocabulary of "sift"; otherwise only validate.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n_images, height, width, 3)
            Images with values from 0 to 255.
        y : None
            Ignored.

        Returns
        -------
        self : HandcraftedFeatures
            Fitted transformer.

        Raises
        ------
        ValueError
            If a parameter or X is invalid, or there are fewer patches than words.
        """
        self._validate_params()
        self._learn(check_images(X), self._open_store())
        return self

    def transform(self, X):
        """Return features, from the store or computed.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n_images, height, width, 3)
            Images with values from 0 to 255.

        Returns
        -------
        features : ndarray of shape (n_images, n_features), dtype float32
            Concatenated descriptors.

        Raises
        ------
        UnreadableImageError
            If files can't be decoded and their loader has ``on_error="raise"``.
            With a cache, features of all others are stored first.
        NotFittedError
            If "sift" is used before ``fit``.
        ValueError
            If a parameter or X is invalid.
        OSError
            If the store can't be used.
        """
        self._validate_params()
        return self._describe_images(check_images(X), self._open_store())

    def fit_transform(self, X, y=None):
        """Fit to images, then transform them; patches are computed only once.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n_images, height, width, 3)
            Images with values from 0 to 255.
        y : None
            Ignored.

        Returns
        -------
        features : ndarray of shape (n_images, n_features), dtype float32
            Concatenated descriptors.
        """
        self._validate_params()
        X, store = check_images(X), self._open_store()
        if store is None and "sift" in self._names:
            store = open_store(None)  # the patches may not fit into memory
        self._learn(X, store)
        return self._describe_images(X, store)

    def get_feature_names_out(self, input_features=None):
        """Return feature names: descriptor and number.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str, shape (n_features,)
            Names such as ``"hsv_mean_h"`` and ``"lbp_0"``.
        """
        self._validate_params()
        check_is_fitted(self)
        numbers = {name: DESCRIPTORS[name].names for name in self._names}
        if "sift" in numbers:
            numbers["sift"] = range(len(self.vocabulary_))
        return np.array(
            [f"{name}_{number}" for name in numbers for number in numbers[name]],
            dtype=object,
        )

    def _validate_params(self):
        validate_params(self)
        names = self._names
        for name in names:
            if not isinstance(name, str) or name not in DESCRIPTORS:
                raise ValueError(
                    f"descriptors must be names of descriptors; got {name!r}."
                    f"{suggest(name, DESCRIPTORS)}"
                )
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"descriptors must be different names; got {self.descriptors!r}"
            )
        check_cache(self.cache)

    @property
    def _names(self):
        return as_list(self.descriptors)

    def _open_store(self):
        """Return the store of `cache`, or None."""
        return None if self.cache is None else open_store(self.cache)

    def _learn(self, X, store):
        """Learn the vocabulary of "sift"."""
        if "sift" not in self._names:
            vars(self).pop("vocabulary_", None)
            return
        n_most = max(1, _N_SAMPLED // len(X))
        patches = np.concatenate(
            [
                part[:, :n_most].reshape(-1, 128)
                for (part,) in self._read(X, store, ["sift"])
            ]
        )
        patches = patches[patches.any(axis=1)]
        if len(patches) < self.n_words:
            raise ValueError(
                f"{len(X)} images have {len(patches)} patches in total, too few for a "
                f"vocabulary of n_words={self.n_words}. Pass a smaller n_words, or "
                "more or larger images."
            )
        words = MiniBatchKMeans(
            self.n_words, n_init=3, random_state=self.random_state
        ).fit(patches.astype(np.float32))
        self.vocabulary_ = words.cluster_centers_

    def _describe_images(self, X, store):
        """Return the features of all descriptors, concatenated."""
        check_is_fitted(self)
        names, parts = self._names, []
        for arrays in self._read(X, store, names):
            if "sift" in names:
                place = names.index("sift")
                arrays[place] = self._count_words(arrays[place])
            parts.append(np.hstack(arrays))
        return self._with_index(X, np.concatenate(parts))

    def _count_words(self, images):
        """Return the share of each word among the patches of each image."""
        shares = np.zeros((len(images), len(self.vocabulary_)), np.float32)
        halves = (self.vocabulary_**2).sum(axis=1) / 2
        # One image at a time: products of another shape are rounded differently.
        for row, patches in zip(shares, images, strict=True):
            similarity = patches.astype(np.float32) @ self.vocabulary_.T - halves
            words = similarity.argmax(axis=1)[patches.any(axis=1)]
            counts = np.bincount(words, minlength=len(row))
            row[:] = counts / max(len(words), 1)
        return shares

    def _read(self, X, store, names):
        """Yield the arrays of descriptors, for some rows at a time."""
        if store is None:
            for images in self._iter_images(X):
                yield [self._compute(name, images) for name in names]
            return
        sections, start = self._open_sections(X, store, names), 0
        for digests in self._iter_stored(X, store, sections):
            while start < len(digests):
                rows = digests[start : start + _N_ROWS]
                found = [section.read(rows) for section in sections]
                if not all(present.all() for _, present in found):
                    break  # some are lost: they are computed in the next round
                yield [array for array, _ in found]
                start += _N_ROWS
            else:
                return

    def _open_sections(self, X, store, names=None):
        """Return a section of the store for each descriptor."""
        images = identify_images(X)
        return [
            store.section(
                {
                    "version": DESCRIPTORS[name].version,
                    "images": images,
                    "handcrafted": name,
                }
            )
            for name in names or self._names
        ]

    def _store_batch(self, images, keys, sections):
        alone = True
        for section in sections:
            missing = section.missing(keys)
            if missing.any():
                name = section.identity["handcrafted"]
                vectors = self._compute(name, images[missing])
                alone &= section.write(keys[missing], vectors) == missing.sum()
        return alone

    def _compute(self, name, images):
        """Return the array of a descriptor, with one item for each image."""
        if images.dtype != np.uint8:
            images = np.rint(images).astype(np.uint8)
        workers = Parallel(self.n_jobs, prefer="threads")
        return np.stack(workers(map(delayed(DESCRIPTORS[name].function), images)))

    def _describe(self, engine):
        return "hand-crafted features"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = "sift" in self._names
        return tags
