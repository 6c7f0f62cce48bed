"""Images to features that were designed by hand, each kind computed once an image."""

import contextlib
import os

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin
from tqdm.auto import tqdm

from skart._lazy import fitting_batch_size, iter_batches
from skart._messages import suggest
from skart.descriptors._table import KINDS
from skart.features import _digest, _settle
from skart.images import LazyImages, UnreadableImageError, check_images
from skart.store import FeatureStore, StoreError

__all__ = ["HandcraftedFeatures"]


class HandcraftedFeatures(TransformerMixin, BaseEstimator):
    """Images to features that were designed by hand: colour, light, texture, edges."""

    def __init__(
        self,
        kinds=("color_layout", "hsv"),
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
        """Check parameters and X; nothing is learned or computed.

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
        """
        self._check_parameters()
        check_images(X)
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
        ValueError
            If a parameter or X is not allowed.
        OSError
            If the store can't be used.
        """
        kinds = self._check_parameters()
        X = check_images(X)
        store = self._store()
        return np.hstack(self._read(X, store, dict.fromkeys(kinds, np.asarray)))

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
        names = [
            f"{kind}_{name}"
            for kind in self._check_parameters()
            for name in KINDS[kind].names
        ]
        return np.array(names, dtype=object)

    def _check_parameters(self):
        """Check what ``fit`` and ``transform`` need; give the kinds as a tuple."""
        kinds = self.kinds
        kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        for kind in kinds:
            if kind not in KINDS:
                raise ValueError(
                    f"kinds must name descriptors; got {kind!r}.{suggest(kind, KINDS)}"
                )
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(f"kinds must name each kind once; got {self.kinds!r}")
        if not isinstance(self.cache, (str, os.PathLike, FeatureStore, type(None))) or (
            not self.cache and self.cache is not None
        ):
            raise TypeError(
                f"cache must be a folder, a FeatureStore or None; got {self.cache!r}"
            )
        return kinds

    def _store(self):
        if isinstance(self.cache, FeatureStore):
            return self.cache
        return (
            FeatureStore.temporary() if self.cache is None else FeatureStore(self.cache)
        )

    def _identity(self, X, kind):
        """Collect all that decides on a vector beside the image file's bytes."""
        return {
            "version": KINDS[kind].version,
            "images": X.identity
            if isinstance(X, LazyImages)
            else {"array": list(X.shape[1:])},
            "handcrafted": kind,
        }

    def _read(self, X, store, kinds):
        """Read kinds of features, computing what isn't there; a function changes each.

        ``kinds`` is a dict of the kind and its function.
        """
        sections = {kind: store.section(self._identity(X, kind)) for kind in kinds}
        digests = _digest(X, store)
        # One round computes what is missing and the second finds it, unless the store
        # is deleted meanwhile, or more and more of it is found to be damaged.
        for _ in range(8):
            if _lacking(sections, digests).any():
                self._compute_missing(X, digests, sections)
            read = [
                _read_in_parts(sections[kind], digests, change)
                for kind, change in kinds.items()
            ]
            if all(part is not None for part in read):
                return read
        raise StoreError(f"the feature store {store.root} keeps losing what is stored")

    def _compute_missing(self, X, digests, sections):
        """Fill the sections; unreadable images get the digest of blanks, in place."""
        with contextlib.ExitStack() as locks:
            # In one order, so that no two processes wait for each other.
            for section in sorted(sections.values(), key=lambda section: section.key):
                locks.enter_context(section.lock())
            rows = np.flatnonzero(_lacking(sections, digests))
            start = 0
            with self._progress(len(rows)) as progress, self._workers() as workers:
                for batch in _read_batches(X, rows):
                    here = rows[start : start + len(batch)]
                    start += len(batch)
                    _settle(X, digests, here, section.store)
                    keys, first = np.unique(digests[here], return_index=True)
                    new = {kind: sections[kind].missing(keys) for kind in sections}
                    described = workers(
                        delayed(_describe)(
                            batch[row], [kind for kind in new if new[kind][i]]
                        )
                        for i, row in enumerate(first)
                    )
                    for kind, section in sections.items():
                        vectors = [one[kind] for one in described if kind in one]
                        if vectors:
                            section.write(keys[new[kind]], np.stack(vectors))
                    progress.update(len(batch))

    def _workers(self):
        return Parallel(self.n_jobs)

    def _progress(self, n_images):
        return tqdm(
            total=n_images,
            desc="hand-made features",
            unit="painting",
            delay=1,
            mininterval=0.5,
            disable=not self.verbose,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def _lacking(sections, digests):
    return np.any([section.missing(digests) for section in sections.values()], axis=0)


def _read_in_parts(section, digests, change, n_rows=256):
    """Read what a section has of the images, changed; None if some were lost."""
    parts = []
    for start in range(0, len(digests), n_rows):
        arrays, found = section.read(digests[start : start + n_rows])
        if not found.all():
            return None
        parts.append(change(arrays))
    return np.concatenate(parts)


def _read_batches(X, rows):
    try:
        yield from iter_batches(X[rows], fitting_batch_size(X))
    except UnreadableImageError as error:  # which has counted these rows only
        raise UnreadableImageError(error.failures, len(X)) from None


def _describe(image, kinds):
    """Compute kinds of vectors of one image."""
    pixels = np.rint(image).astype(np.uint8)
    return {kind: KINDS[kind].function(pixels) for kind in kinds}
