"""Hand-crafted features, computed once for each image."""

import contextlib
from collections.abc import Iterable

import numpy as np
from joblib import Parallel, delayed
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils.validation import check_is_fitted

from skart._utils._validation import Integral, Interval, suggest, validate_params
from skart.features._cache import (
    N_ROUNDS,
    StoredFeatures,
    check_cache,
    digest_images,
    identify_images,
    lost_features,
    open_store,
)
from skart.features.descriptors._table import DESCRIPTORS
from skart.images._lazy import iter_batches
from skart.images._loader import check_images

# Number of SIFT descriptors from which a vocabulary is learned.
_N_SAMPLED = 200_000


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

    "sift" counts visual words of a vocabulary, which ``fit`` learns [1]_. All other
    descriptors learn nothing.

    With ``cache``, each descriptor is stored separately in a :class:`FeatureStore`.
    Images whose descriptors are stored are not decoded.

    Parameters
    ----------
    descriptors : str or list of str
        One or several descriptors, concatenated in this order. The default is the first
        eight of the table.
    n_words : int, default=200
        Size of the vocabulary of "sift"; otherwise unused.
    cache : str, path or FeatureStore, default=None
        Folder of the feature store. If None, each call computes the features anew.
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
    The descriptors have different scales: a ``StandardScaler`` should follow. The
    features of an image depend only on the image and the vocabulary, not on other
    images, the batch or ``n_jobs``.

    ``MiniBatchKMeans`` learns the vocabulary from about 200,000 patches in total, the
    strongest of each image, and at most 300 of an image. In the store, patches take
    38 kB per image; they are reused for any ``n_words`` and fold.

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
            Images: uint8, or numbers in 0-255.
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
        names = self._validate_params()
        self._learn(check_images(X), names, self._open_store())
        return self

    def transform(self, X):
        """Return features, from the store or computed.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n_images, height, width, 3)
            Images: uint8, or numbers in 0-255.

        Returns
        -------
        features : ndarray of shape (n_images, n_features), dtype float32
            Features, the descriptors concatenated.

        Raises
        ------
        UnreadableImageError
            If files can't be decoded and their loader has ``on_error="raise"``.
            Features that were computed before are stored.
        NotFittedError
            If "sift" is used before ``fit``.
        ValueError
            If a parameter or X is invalid.
        OSError
            If the store can't be used.
        """
        names = self._validate_params()
        return self._describe_images(check_images(X), names, self._open_store())

    def fit_transform(self, X, y=None):
        """Fit and transform; patches are computed once even without a cache.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n_images, height, width, 3)
            Images: uint8, or numbers in 0-255.
        y : None
            Ignored.

        Returns
        -------
        features : ndarray of shape (n_images, n_features), dtype float32
            Features, the descriptors concatenated.
        """
        names, X = self._validate_params(), check_images(X)
        # The patches of all images may not fit into memory.
        store = open_store(self.cache) if "sift" in names else self._open_store()
        self._learn(X, names, store)
        return self._describe_images(X, names, store)

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
        names = self._validate_params()
        self._check_vocabulary(names)
        numbers = {name: DESCRIPTORS[name].names for name in names}
        if "sift" in names:
            numbers["sift"] = range(len(self.vocabulary_))
        return np.array(
            [f"{name}_{number}" for name in names for number in numbers[name]],
            dtype=object,
        )

    def _validate_params(self):
        """Validate the parameters; return the names of the descriptors."""
        validate_params(self)
        names = _as_tuple(self.descriptors)
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
        return names

    def _check_vocabulary(self, names):
        if "sift" in names:
            check_is_fitted(self, "vocabulary_")

    def _open_store(self):
        """Return the store of `cache`, or None."""
        return None if self.cache is None else open_store(self.cache)

    def _learn(self, X, names, store):
        """Learn the vocabulary of "sift"."""
        if "sift" not in names:
            vars(self).pop("vocabulary_", None)
            return
        n_most = max(1, _N_SAMPLED // len(X))
        (patches,) = self._read(
            X, store, {"sift": lambda patches: _stack_patches(patches[:, :n_most])}
        )
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

    def _describe_images(self, X, names, store):
        """Return the features of all descriptors, concatenated."""
        self._check_vocabulary(names)
        changes = dict.fromkeys(names, np.asarray)
        if "sift" in names:
            changes["sift"] = self._count_words
        return np.hstack(self._read(X, store, changes))

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

    def _read(self, X, store, changes):
        """Return the vectors of each descriptor, changed by its function."""
        if store is None:
            return self._compute(X, changes)
        sections = self._open_sections(X, store, changes)
        digests = digest_images(X, store)
        # A second round is for features that the store has lost meanwhile.
        for _ in range(N_ROUNDS):
            self._store_missing(X, digests, sections, store)
            parts = [
                _read_in_parts(sections[name], digests, change)
                for name, change in changes.items()
            ]
            if all(part is not None for part in parts):
                return parts
        raise lost_features(store)

    def _open_sections(self, X, store, names=None):
        """Return a section of the store for each descriptor."""
        images = identify_images(X)
        return {
            name: store.section(
                {
                    "version": DESCRIPTORS[name].version,
                    "images": images,
                    "handcrafted": name,
                }
            )
            for name in names or _as_tuple(self.descriptors)
        }

    def _compute(self, X, changes):
        """Compute the vectors of each descriptor without a store."""
        parts = {name: [] for name in changes}
        with (
            self._progress(len(X)) as progress,
            contextlib.closing(iter_batches(X, self._batch_size(X))) as batches,
        ):
            for images in batches:
                described = self._describe_batch(images, [[*changes]] * len(images))
                for name, change in changes.items():
                    vectors = np.stack([one[name] for one in described])
                    parts[name].append(change(vectors))
                progress.update(len(images))
        return [np.concatenate(part) for part in parts.values()]

    def _store_batch(self, images, keys, sections):
        masks = {name: section.missing(keys) for name, section in sections.items()}
        described = self._describe_batch(
            images,
            [[name for name in masks if masks[name][i]] for i in range(len(images))],
        )
        n_new = 0
        for name, section in sections.items():
            vectors = [one[name] for one in described if name in one]
            if vectors:
                n_new += section.write(keys[masks[name]], np.stack(vectors))
        return n_new == sum(mask.sum() for mask in masks.values())

    def _describe_batch(self, images, names):
        """Return the vectors of each image by descriptor."""
        workers = Parallel(self.n_jobs, prefer="threads")
        return workers(
            delayed(_describe_image)(image, wanted)
            for image, wanted in zip(images, names, strict=True)
        )

    def _describe(self):
        return "hand-crafted features"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = "sift" in _as_tuple(self.descriptors)
        return tags


def _as_tuple(names):
    single = isinstance(names, str) or not isinstance(names, Iterable)
    return (names,) if single else tuple(names)


def _stack_patches(images):
    """Return the patches of all images, without padding."""
    patches = images.reshape(-1, images.shape[-1])
    return patches[patches.any(axis=1)]


def _read_in_parts(section, digests, change, n_rows=256):
    """Return stored vectors, changed by a function; None if some are lost."""
    parts = []
    for start in range(0, len(digests), n_rows):
        arrays, found = section.read(digests[start : start + n_rows])
        if not found.all():
            return None
        parts.append(change(arrays))
    return np.concatenate(parts)


def _describe_image(image, names):
    """Return the vectors of an image by descriptor."""
    pixels = np.rint(image).astype(np.uint8)
    return {name: DESCRIPTORS[name].function(pixels) for name in names}
