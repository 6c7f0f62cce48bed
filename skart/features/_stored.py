"""Base class of transformers whose features are stored."""

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

# Private, but the only way to the setting of `set_output` or of the whole process.
from sklearn.utils._set_output import _get_output_config
from tqdm.auto import tqdm

from skart.images import LazyImages, UnreadableImageError
from skart.images._elsewhere import count_threads, is_elsewhere, stamp_elsewhere
from skart.images._formats import load_source
from skart.images._lazy import auto_batch_size, iter_batches
from skart.images._loader import check_images
from skart.store import FeatureStore, StoreError

# Digest of all unreadable files, which on_error="blank" replaces by a black image.
_BLANK = hashlib.sha256(b"skart: unreadable").digest()

# Rounds of computing and reading before a store that loses features is an error.
_N_ROUNDS = 8


class StoredFeatures(TransformerMixin, BaseEstimator):
    """Base class of transformers from images to features in a store.

    A subclass has ``cache`` and ``verbose``, and the methods ``_validate_params``,
    ``_open_sections(X, store)``, ``_describe(engine)`` for the progress bar, and
    ``_store_batch(images, digests, sections)``, which returns False if another process
    had stored some of the features.
    """

    def precompute(self, X):
        """Compute and store the features that the store lacks, without reading them.

        Each layer, pooling, crop and descriptor is stored separately, so a transformer
        with several of them also stores the features of transformers with one.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n_images, height, width, 3)
            Images with values from 0 to 255.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        ValueError
            If ``cache`` is None, or a parameter or X is invalid.
        UnreadableImageError
            If files can't be decoded and their loader has ``on_error="raise"``, after
            the features of all others are stored.
        OSError
            If ImageNet weights can't be downloaded, or the store can't be used.
        """
        self._validate_params()
        if self.cache is None:
            raise ValueError("precompute needs a store: pass cache")
        X, store = check_images(X), open_store(self.cache)
        sections = self._open_sections(X, store)
        self._store_missing(X, _digest_images(X, store), sections, store)
        return self

    def _iter_stored(self, X, store, sections):
        """Yield the digests of the images, each time all features are stored."""
        digests = _digest_images(X, store)
        # A second round is for features that the store has lost meanwhile.
        for _ in range(_N_ROUNDS):
            self._store_missing(X, digests, sections, store)
            yield digests
        raise StoreError(
            f"features that were just stored in {store.root} are missing, again and "
            "again: is another program deleting or damaging the store?"
        )

    def _with_index(self, X, features):
        """Return features as a DataFrame if X has an index and pandas output is set."""
        # scikit-learn looks for an index in X, which is no DataFrame here.
        index = getattr(X, "index", None)
        if index is None or _get_output_config("transform", self)["dense"] != "pandas":
            return features
        return pd.DataFrame(features, index=index)

    def _store_missing(self, X, digests, sections, store):
        """Compute and store the features that `sections` lack."""
        # The store is not locked. Features that another process has stored meanwhile
        # are left out, and work goes on at a random place, so that two processes
        # rarely compute the same batch.
        rows = _find_missing(X, digests, sections)
        self._announce(X, digests[rows], sections)
        own = {_BLANK}  # digests that are no sign of another process
        # What was fetched ahead would have to be fetched again.
        elsewhere = _any_elsewhere(X)
        engine = sections[0].identity.get("engine")
        with self._progress(len(rows), engine) as progress:
            while len(rows):
                batches = _iter_distinct(
                    X, rows, digests, store, self._batch_size(X), self.cache is not None
                )
                with contextlib.closing(batches):
                    for images, keys, n_rows in batches:
                        missing = _are_missing(keys, sections)
                        alone = all(missing | [key in own for key in keys])
                        if missing.any():
                            alone &= self._store_batch(
                                images[missing], keys[missing], sections
                            )
                        own.update(keys)
                        progress.update(n_rows)
                        if not alone and not elsewhere:
                            break
                    else:
                        if elsewhere:
                            _settle_twins(X, digests)
                        return
                rows = _find_missing(X, digests, sections)
                rows = np.roll(rows, -np.random.default_rng().integers(len(rows) or 1))
                progress.update(progress.total - len(rows) - progress.n)

    def _announce(self, X, digests, sections):
        """Check and print the disk space of features that will be computed."""

    def _iter_images(self, X, engine=None):
        """Yield batches of images with a progress bar."""
        with (
            self._progress(len(X), engine) as progress,
            contextlib.closing(iter_batches(X, self._batch_size(X))) as batches,
        ):
            for images in batches:
                yield images
                progress.update(len(images))

    def _batch_size(self, X):
        return auto_batch_size(X)

    def _progress(self, n_images, engine):
        """Return a progress bar of several images, which is shown after a second."""
        return tqdm(
            total=n_images,
            desc=self._describe(engine),
            unit="painting",
            delay=1,
            mininterval=0.5,
            disable=not self.verbose or n_images == 1,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def count_missing(transformer, X):
    """Return the number of images whose features are not stored in its cache."""
    store = open_store(transformer.cache)
    if not store.exists():
        return len(X)
    sections = transformer._open_sections(X, store)
    return int(_are_missing(_digest_images(X, store), sections).sum())


def as_list(value):
    """Return a list of the value, or of its items."""
    return list(value) if pd.api.types.is_list_like(value) else [value]


def check_cache(cache):
    """Validate the `cache` parameter."""
    kinds = (str, os.PathLike, FeatureStore, type(None))
    if not isinstance(cache, kinds) or cache == "":
        raise TypeError(
            f"cache must be a folder, a FeatureStore or None; got {cache!r}"
        )


def open_store(cache):
    """Return the store of the `cache` parameter; a temporary one for None."""
    if isinstance(cache, FeatureStore):
        return cache
    return FeatureStore.temporary() if cache is None else FeatureStore(cache)


def open_writable(cache):
    """Return the store of the `cache` parameter; raise ValueError if read-only."""
    store = open_store(cache)
    if store.read_only:
        raise ValueError(f"nothing can be written to the feature store {store.root}")
    return store


def identify_images(X):
    """Return the part of an identity that tells how pixels were made from files."""
    return X.identity if isinstance(X, LazyImages) else {"array": list(X.shape[1:])}


def digest_names(names, store, *, read=False):
    """Return the digest of each file or image elsewhere, None if it is unreadable.

    Unless `read` is True, images elsewhere of which the store remembers no digest are
    not read, and have None as well.
    """
    files = [name for name in names if not is_elsewhere(name)]
    others = [name for name in names if is_elsewhere(name)]
    found = dict(zip(files, store.digest_files(files), strict=True))
    stamps = [stamp_elsewhere(name) for name in others]
    found |= zip(others, store.recall_digests(others, stamps), strict=True)
    unknown = [name for name in dict.fromkeys(others) if read and not found[name]]
    if unknown:
        with ThreadPoolExecutor(count_threads(unknown)) as pool:
            learned = dict(zip(unknown, pool.map(_learn_digest, unknown), strict=True))
        learned = {name: known for name, known in learned.items() if known}
        store.remember_digests(learned)
        found |= {name: digest for name, (_, digest) in learned.items()}
    return [found[name] for name in names]


def _learn_digest(name):
    """Return the stamp and the digest of an image elsewhere; None if unreadable."""
    stamp = stamp_elsewhere(name)
    try:
        return stamp, load_source(name).digest
    except OSError:
        return None


def _digest_images(X, store):
    """Return the digest of each image's file (None if unreadable), or of its pixels."""
    digests = np.empty(len(X), dtype=object)
    if isinstance(X, LazyImages):
        digests[:] = _digest_sources(X.paths, store)
    else:
        kind = f"{X.dtype} {X.shape[1:]}".encode()
        digests[:] = [hashlib.sha256(kind + x.tobytes()).digest() for x in X]
    return digests


def _digest_sources(sources, store):
    """Return the digest of each name, as `digest_names`, or image in memory."""
    paths = [source for source in sources if isinstance(source, str)]
    digests = iter(digest_names(paths, store))
    return [
        next(digests) if isinstance(source, str) else source.digest
        for source in sources
    ]


def _any_elsewhere(X):
    return isinstance(X, LazyImages) and any(map(is_elsewhere, X.paths))


def _find_missing(X, digests, sections):
    """Return the rows that a section lacks; of an image elsewhere, the first only."""
    rows = np.flatnonzero(_are_missing(digests, sections))
    if not _any_elsewhere(X):
        return rows
    names = pd.Series(X.paths[rows], dtype=object)
    again = names.duplicated() & names.map(is_elsewhere).astype(bool)
    return rows[~again.to_numpy()]


def _settle_twins(X, digests):
    """Set the digests of images elsewhere wherever they occur again."""
    for row, name in enumerate(X.paths):
        if is_elsewhere(name) and name in X.failures:
            digests[row] = _BLANK
        elif is_elsewhere(name) and name in X.digests:
            _, digests[row] = X.digests[name]


def _are_missing(digests, sections):
    """Return a mask of the images that at least one section lacks."""
    return np.any([section.missing(digests) for section in sections], axis=0)


def _iter_distinct(X, rows, digests, store, batch_size, is_kept):
    """Yield images of different contents, their digests, and their number of rows.

    An error names unreadable images after all others.
    """
    n_done, chosen = 0, X[rows]
    if isinstance(X, LazyImages):
        chosen.n_all = len(X)
        if is_kept and X.on_error == "raise":
            chosen.on_error = "defer"
    try:
        with contextlib.closing(iter_batches(chosen, batch_size)) as batches:
            for images in batches:
                here = rows[n_done : n_done + len(images)]
                n_done += len(images)
                _settle_digests(X, here, digests, store)
                read = np.flatnonzero([digest is not None for digest in digests[here]])
                if len(read):
                    keys, first = np.unique(digests[here[read]], return_index=True)
                    yield images[read[first]], keys, len(here)
    except UnreadableImageError as error:  # it counts only these rows
        raise UnreadableImageError(error.failures, len(X), is_kept) from None


def _settle_digests(X, rows, digests, store):
    """Set the digests of what was decoded; raise OSError if a file has changed."""
    if not isinstance(X, LazyImages):
        return
    paths = X.paths[rows]
    store.remember_digests(
        {name: X.digests[name] for name in paths if name in X.digests}
    )
    digests_now = _digest_sources(paths, store)
    for row, path, found in zip(rows, map(str, paths), digests_now, strict=True):
        if path in X.failures:
            digests[row] = _BLANK if X.on_error == "blank" else None
        elif is_elsewhere(path):
            _, digests[row] = X.digests[path]
        elif found != digests[row]:
            raise OSError(
                f"{path!r} changed while it was read. Run again once it no longer "
                "changes; features that were computed so far are stored."
            )
