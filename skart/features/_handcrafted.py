"""Images to features that were designed by hand, each kind computed once an image."""

import contextlib
from collections.abc import Iterable

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils.validation import check_is_fitted

from skart._utils._validation import check_count, suggest
from skart.features._cache import (
    check_cache,
    compute_missing,
    digest_images,
    identify_images,
    missing_in_any,
    open_store,
    read_complete,
    show_progress,
)
from skart.features.descriptors._table import KINDS
from skart.images._lazy import auto_batch_size, iter_batches
from skart.images._loader import check_images

__all__ = ["HandcraftedFeatures"]


# Local descriptors that a vocabulary is learned from, at most.
_N_LEARNED_FROM = 200_000


class HandcraftedFeatures(TransformerMixin, BaseEstimator):
    """Images to features that were designed by hand: colour, light, texture, edges.

    What was counted in pictures before networks. Each kind is a function in
    ``skart.features.descriptors``, which tells what it sees and where it was published:

    =================  =======  ==================================================
    kind               length   what it sees
    =================  =======  ==================================================
    "color_layout"          58  where the colours are
    "hsv"                   42  which colours: hue, saturation, value
    "luminance"              9  how light and shade are spread
    "color_structure"       64  how colours mix: in fields or in dabs
    "lbp"                   54  brushwork close up
    "glcm"                  36  grain
    "gabor"                 48  strokes: their width and direction
    "edge_direction"        37  which way contours run
    "hog"                 1764  which way contours run in each part of the picture
    "ltp"                  118  brushwork close up, without the noise
    "color_names"           55  which of eleven colours, whole and in quarters
    "topography"            93  ridges, ravines and slopes of light, at three sizes
    "gunsel"                 6  dark, edges, and how light is spread
    "sift"             n_words  which small patches it is made of
    =================  =======  ==================================================

    "sift" counts words: patches that are much alike, as ``fit`` finds them in its
    images [1]_. All others learn nothing.

    With ``cache``, each kind is kept for itself in a :class:`FeatureStore`: another
    kind, fold or vocabulary computes what is new in it, and images that lack nothing
    are not even decoded.

    Parameters
    ----------
    kinds : str or sequence of str
        One kind or several, which stand side by side in this order. The default is
        the first eight of the table.
    n_words : int, default=200
        Words of the vocabulary of "sift"; unused otherwise.
    cache : str, path or FeatureStore, default=None
        Folder of the store; None computes features at each call.
    random_state : int, RandomState instance or None, default=0
        Seed of the vocabulary's beginning; unused without "sift".
    n_jobs : int, default=None
        Images that are described at the same time, by threads unless
        ``joblib.parallel_config`` asks for processes; None is one, -1 one for each
        core.
    verbose : bool, default=True
        Whether a progress bar shows when it takes more than a second.

    Attributes
    ----------
    vocabulary_ : ndarray of shape (n_words, 128), dtype float32
        The words: centres of clusters of SIFT descriptors. Only with "sift".

    See Also
    --------
    ImageLoader : The step before: paths to images.
    FeatureExtractor : What a network sees; a ``FeatureUnion`` has both.

    Notes
    -----
    The kinds have units of their own: a ``StandardScaler`` belongs behind them. A
    vector depends on its image (and the vocabulary) alone: not on the others, the batch
    or ``n_jobs``.

    The vocabulary is learned by ``MiniBatchKMeans`` from at most 300 patches an image
    and about 200,000 together, the most striking of each image. Patches take 38 kB an
    image in the store; another ``n_words`` or fold finds them there.

    References
    ----------
    .. [1] Csurka, Dance, Fan, Willamowski, Bray. "Visual categorization with bags of
       keypoints". Workshop on Statistical Learning in Computer Vision, ECCV 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skart import HandcraftedFeatures
    >>> images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    >>> features = HandcraftedFeatures(kinds=["hsv", "lbp"])
    >>> features.fit_transform(images).shape
    (2, 96)
    >>> features.get_feature_names_out()[0]
    'hsv_mean_h'
    """

    def __init__(
        self,
        kinds=(
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
        self.kinds = kinds
        self.n_words = n_words
        self.cache = cache
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y=None):
        """Learn the vocabulary of "sift"; without it, check parameters and X only.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n, height, width, 3)
            Images: uint8, or numbers in 0-255.
        y : object, optional
            Ignored.

        Returns
        -------
        self : HandcraftedFeatures
            The transformer.

        Raises
        ------
        ValueError
            If a parameter or X is not allowed, or the images have fewer patches than
            the vocabulary is to have words.
        """
        kinds = self._check_parameters()
        self._learn(check_images(X), kinds, self._store())
        return self

    def transform(self, X):
        """Compute features, or find them in the store.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n, height, width, 3)
            Images: uint8, or numbers in 0-255.

        Returns
        -------
        features : ndarray of shape (n, d), dtype float32
            Features in the order of X, the kinds side by side in their order.

        Raises
        ------
        UnreadableImageError
            If files can't be decoded and their loader has ``on_error="raise"``; it
            names them all. What was computed before it is stored.
        NotFittedError
            If "sift" is among the kinds and has no vocabulary yet.
        ValueError
            If a parameter or X is not allowed.
        OSError
            If the store can't be used.
        """
        kinds = self._check_parameters()
        return self._look(check_images(X), kinds, self._store())

    def fit_transform(self, X, y=None):
        """Do both, computing each image's patches once even without a cache.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n, height, width, 3)
            Images: uint8, or numbers in 0-255.
        y : object, optional
            Ignored.

        Returns
        -------
        features : ndarray of shape (n, d), dtype float32
            Those of :meth:`transform`.
        """
        kinds, X = self._check_parameters(), check_images(X)
        # The patches of all images may not fit into memory.
        store = open_store(self.cache) if "sift" in kinds else self._store()
        self._learn(X, kinds, store)
        return self._look(X, kinds, store)

    def get_feature_names_out(self, input_features=None):
        """Name the features: kind and number.

        Parameters
        ----------
        input_features : object, optional
            Ignored.

        Returns
        -------
        names : ndarray of str, shape (d,)
            ``"hsv_mean_h"``, ``"lbp_0"`` and so on.
        """
        kinds = self._check_parameters()
        self._check_vocabulary(kinds)
        names = []
        for kind in kinds:
            own = range(len(self.vocabulary_)) if kind == "sift" else KINDS[kind].names
            names += [f"{kind}_{name}" for name in own]
        return np.array(names, dtype=object)

    def _check_parameters(self):
        """Check what ``fit`` and ``transform`` need; give the kinds as a tuple."""
        kinds = _listed(self.kinds)
        for kind in kinds:
            if not isinstance(kind, str) or kind not in KINDS:
                raise ValueError(
                    f"kinds must name descriptors; got {kind!r}.{suggest(kind, KINDS)}"
                )
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(f"kinds must name each kind once; got {self.kinds!r}")
        check_count("n_words", self.n_words)
        check_cache(self.cache)
        return kinds

    def _check_vocabulary(self, kinds):
        if "sift" in kinds:
            check_is_fitted(self, "vocabulary_")

    def _store(self):
        """Return the store of ``cache``; None if there is none."""
        return None if self.cache is None else open_store(self.cache)

    def _identity(self, X, kind):
        """Collect all that decides on a vector beside the image file's bytes."""
        return {
            "version": KINDS[kind].version,
            "images": identify_images(X),
            "handcrafted": kind,
        }

    def _learn(self, X, kinds, store):
        """Learn the vocabulary, if there is one to learn."""
        if "sift" not in kinds:
            vars(self).pop("vocabulary_", None)
            return
        n_most = max(1, _N_LEARNED_FROM // len(X))
        (patches,) = self._read(
            X, store, {"sift": lambda found: _patches(found[:, :n_most])}
        )
        if len(patches) < self.n_words:
            raise ValueError(
                f"{len(X)} images have {len(patches)} patches together, too few for a "
                f"vocabulary of n_words={self.n_words}. Pass a smaller n_words, or "
                "more or larger images."
            )
        words = MiniBatchKMeans(
            self.n_words, n_init=3, random_state=self.random_state
        ).fit(patches.astype(np.float32))
        self.vocabulary_ = words.cluster_centers_

    def _look(self, X, kinds, store):
        """Give the features of all kinds, side by side."""
        self._check_vocabulary(kinds)
        changes = dict.fromkeys(kinds, np.asarray)
        if "sift" in kinds:
            changes["sift"] = self._count_words
        return np.hstack(self._read(X, store, changes))

    def _count_words(self, images):
        """Give the share of each word among the patches of each image."""
        shares = np.zeros((len(images), len(self.vocabulary_)), np.float32)
        halves = (self.vocabulary_**2).sum(axis=1) / 2
        # An image at a time: in products of another shape, rounding is another.
        for row, patches in zip(shares, images, strict=True):
            nearness = patches.astype(np.float32) @ self.vocabulary_.T - halves
            words = nearness.argmax(axis=1)[patches.any(axis=1)]
            counts = np.bincount(words, minlength=len(row))
            row[:] = counts / max(len(words), 1)
        return shares

    def _read(self, X, store, changes):
        """Read each kind through its function; what isn't there is computed first."""
        if store is None:
            return self._compute(X, changes)
        sections = {kind: store.section(self._identity(X, kind)) for kind in changes}
        digests = digest_images(X, store)

        def read():
            found = [
                _read_in_parts(sections[kind], digests, change)
                for kind, change in changes.items()
            ]
            return None if any(part is None for part in found) else found

        return read_complete(
            store,
            [*sections.values()],
            digests,
            compute=lambda: self._compute_missing(X, digests, sections, store),
            read=read,
        )

    def _compute(self, X, changes):
        """Compute each kind without a store, changed by its function."""
        parts = {kind: [] for kind in changes}
        with (
            show_progress(len(X), "hand-made features", self.verbose) as progress,
            Parallel(self.n_jobs, prefer="threads") as workers,
            contextlib.closing(iter_batches(X, auto_batch_size(X))) as batches,
        ):
            for images in batches:
                described = workers(
                    delayed(_describe)(image, [*changes]) for image in images
                )
                for kind, change in changes.items():
                    vectors = np.stack([one[kind] for one in described])
                    parts[kind].append(change(vectors))
                progress.update(len(images))
        return [np.concatenate(part) for part in parts.values()]

    def _compute_missing(self, X, digests, sections, store):
        def compute(images, keys):
            new = {kind: section.missing(keys) for kind, section in sections.items()}
            described = workers(
                delayed(_describe)(image, [kind for kind in new if new[kind][i]])
                for i, image in enumerate(images)
            )
            n_new = 0
            for kind, section in sections.items():
                vectors = [one[kind] for one in described if kind in one]
                if vectors:
                    n_new += section.write(keys[new[kind]], np.stack(vectors))
            return n_new == sum(lacking.sum() for lacking in new.values())

        rows = np.flatnonzero(missing_in_any(sections.values(), digests))
        with (
            show_progress(len(rows), "hand-made features", self.verbose) as progress,
            Parallel(self.n_jobs, prefer="threads") as workers,
        ):
            compute_missing(
                X,
                digests,
                rows,
                compute,
                sections=[*sections.values()],
                store=store,
                batch_size=auto_batch_size(X),
                progress=progress,
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = "sift" in _listed(self.kinds)
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def _listed(kinds):
    alone = isinstance(kinds, str) or not isinstance(kinds, Iterable)
    return (kinds,) if alone else tuple(kinds)


def _patches(images):
    """Put the patches of images one below the other, without those that are none."""
    patches = images.reshape(-1, images.shape[-1])
    return patches[patches.any(axis=1)]


def _read_in_parts(section, digests, change, n_rows=256):
    """Read what a section has of the images, changed; None if some were lost."""
    parts = []
    for start in range(0, len(digests), n_rows):
        arrays, found = section.read(digests[start : start + n_rows])
        if not found.all():
            return None
        parts.append(change(arrays))
    return np.concatenate(parts)


def _describe(image, kinds):
    """Compute kinds of vectors of one image."""
    pixels = np.rint(image).astype(np.uint8)
    return {kind: KINDS[kind].function(pixels) for kind in kinds}
