"""Transformers whose features are stored, and the steps that they share."""

import contextlib
import hashlib
import os

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from tqdm.auto import tqdm

from skart.images import LazyImages, UnreadableImageError
from skart.images._lazy import auto_batch_size, iter_batches
from skart.images._loader import check_images
from skart.store import FeatureStore, StoreError

# Digest of all unreadable files, which on_error="blank" replaces by a black image.
_BLANK = hashlib.sha256(b"skart: unreadable").digest()

# Rounds of computing and reading before a store that loses features is an error.
N_ROUNDS = 8


def check_cache(cache):
    """Validate the `cache` parameter."""
    kinds = (str, os.PathLike, FeatureStore, type(None))
    if not isinstance(cache, kinds) or (not cache and cache is not None):
        raise TypeError(
            f"cache must be a folder, a FeatureStore or None; got {cache!r}"
        )


def open_store(cache):
    """Return the store of the `cache` parameter; a temporary one for None."""
    if isinstance(cache, FeatureStore):
        return cache
    return FeatureStore.temporary() if cache is None else FeatureStore(cache)


def identify_images(X):
    """Return the part of an identity that tells how pixels were made from files."""
    return X.identity if isinstance(X, LazyImages) else {"array": list(X.shape[1:])}


def digest_images(X, store):
    """Return the digest of each image's file (None if unreadable), or of its pixels."""
    digests = np.empty(len(X), dtype=object)
    if isinstance(X, LazyImages):
        digests[:] = store.digest_files(X.paths)
    else:
        kind = f"{X.dtype} {X.shape[1:]}".encode()
        digests[:] = [hashlib.sha256(kind + x.tobytes()).digest() for x in X]
    return digests


def find_missing(sections, digests):
    """Return a mask of the images that at least one section lacks."""
    return np.any([section.missing(digests) for section in sections], axis=0)


class StoredFeatures(TransformerMixin, BaseEstimator):
    """Base class of transformers from images to features in a store.

    A subclass has ``cache`` and ``verbose``, and the methods ``_validate_params``,
    ``_open_sections(X, store)``, ``_describe()`` for the progress bar, and
    ``_store_batch(images, keys, sections)``, which returns False if another process had
    stored some of the features.
    """

    def precompute(self, X):
        """Compute and store the features that the store lacks, without reading them.

        Each layer, pooling, crop and descriptor is stored separately, so a transformer
        with several of them also stores the features of transformers with one.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n_images, height, width, 3)
            Images: uint8, or numbers in 0-255.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        ValueError
            If ``cache`` is None, or a parameter or X is invalid.
        UnreadableImageError
            If files can't be decoded and their loader has ``on_error="raise"``.
        OSError
            If ImageNet weights can't be downloaded, or the store can't be used.
        """
        self._validate_params()
        if self.cache is None:
            raise ValueError("precompute needs a store: pass cache")
        X, store = check_images(X), open_store(self.cache)
        sections = self._open_sections(X, store)
        self._store_missing(X, digest_images(X, store), sections, store)
        return self

    def _store_missing(self, X, digests, sections, store):
        """Compute and store the features that sections lack."""
        missing = MissingImages(X, digests, [*sections.values()], store)
        self._announce(X, digests[missing.rows], store)
        with (
            self._progress(len(missing.rows)) as progress,
            contextlib.closing(
                missing.iter_batches(self._batch_size(X), progress)
            ) as batches,
        ):
            for images, keys in batches:
                if not self._store_batch(images, keys, sections):
                    missing.skip_ahead()

    def _announce(self, X, digests, store):
        """Check and print the disk space of features that will be computed."""

    def _batch_size(self, X):
        return auto_batch_size(X)

    def _progress(self, n_images):
        """Return a progress bar of images, which is shown after a second."""
        return tqdm(
            total=n_images,
            desc=self._describe(),
            unit="painting",
            delay=1,
            mininterval=0.5,
            disable=not self.verbose,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


class MissingImages:
    """Images missing from sections of a store, in batches without duplicate contents.

    The store is not locked. An image is skipped if another process has stored it before
    its batch is reached. Iteration then continues from a random position, so that two
    processes rarely compute the same batch.
    """

    def __init__(self, X, digests, sections, store):
        self.X = X
        self.digests = digests  # those of unreadable images are set to _BLANK
        self.sections = sections
        self.store = store
        self.rows = np.flatnonzero(find_missing(sections, digests))
        self._skip = False

    def iter_batches(self, batch_size, progress):
        """Yield images and their digests, which the caller is to store."""
        rows, total = self.rows, len(self.rows)
        own = {_BLANK}  # digests that are no sign of another process
        while len(rows):
            n_done, self._skip = 0, False
            with contextlib.closing(iter_batches(self.X[rows], batch_size)) as batches:
                try:
                    for batch in batches:
                        here = rows[n_done : n_done + len(batch)]
                        n_done += len(batch)
                        self._settle(here)
                        keys, first = np.unique(self.digests[here], return_index=True)
                        missing = find_missing(self.sections, keys)
                        if not all(missing | [key in own for key in keys]):
                            self.skip_ahead()
                        if missing.any():
                            yield batch[first[missing]], keys[missing]
                        own.update(keys)
                        progress.update(len(batch))
                        if self._skip:
                            break
                except UnreadableImageError as error:  # it counts only these rows
                    raise UnreadableImageError(error.failures, len(self.X)) from None
            if not self._skip:
                return
            rows = np.flatnonzero(find_missing(self.sections, self.digests))
            rows = np.roll(rows, -np.random.default_rng().integers(len(rows) or 1))
            progress.update(total - len(rows) - progress.n)

    def skip_ahead(self):
        """Go on at a random place, because another process computes the same images."""
        self._skip = True

    def _settle(self, rows):
        """Raise OSError unless the digests are still those of the decoded files."""
        if not isinstance(self.X, LazyImages):
            return
        paths = self.X.paths[rows]
        digests = self.store.digest_files(paths)
        for row, path, digest in zip(rows, paths, digests, strict=True):
            if path in self.X.failures:
                self.digests[row] = _BLANK
            elif digest != self.digests[row]:
                raise OSError(
                    f"{path!r} changed while it was read. Run again once it no longer "
                    "changes; features that were computed so far are stored."
                )


def lost_features(store):
    """Return the error for a store that keeps losing features."""
    return StoreError(
        f"features that were just stored in {store.root} are missing, again and again: "
        "is another program deleting or damaging the store?"
    )
