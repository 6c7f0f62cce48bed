"""Each image once: what is computed from images is looked up in a store first."""

import contextlib
import hashlib
import os

import numpy as np
from tqdm.auto import tqdm

from skart.images import LazyImages, UnreadableImageError
from skart.images._lazy import iter_batches
from skart.store import FeatureStore, StoreError

# Stands for the content of every file that can't be read, where the loader puts a
# black image in its place.
_BLANK = hashlib.sha256(b"skart: unreadable").digest()


def check_cache(cache):
    """Validate the ``cache`` parameter.

    Parameters
    ----------
    cache : str, path, FeatureStore or None
        A parameter of that name.

    Raises
    ------
    TypeError
        If it is anything else, or empty.
    """
    kinds = (str, os.PathLike, FeatureStore, type(None))
    if not isinstance(cache, kinds) or (not cache and cache is not None):
        raise TypeError(
            f"cache must be a folder, a FeatureStore or None; got {cache!r}"
        )


def open_store(cache):
    """Open the store that a parameter names.

    Parameters
    ----------
    cache : str, path, FeatureStore or None
        A folder or a store.

    Returns
    -------
    store : FeatureStore
        A temporary one for None.
    """
    if isinstance(cache, FeatureStore):
        return cache
    return FeatureStore.temporary() if cache is None else FeatureStore(cache)


def identify_images(X):
    """Say how images came out of their files.

    Parameters
    ----------
    X : LazyImages or ndarray of shape (n, height, width, 3)
        Images.

    Returns
    -------
    identity : dict
        Plain values: the loader's, or the shape of an array.
    """
    return X.identity if isinstance(X, LazyImages) else {"array": list(X.shape[1:])}


def digest_images(X, store):
    """Digest each image: its file's bytes (None if unreadable) or its pixels.

    Parameters
    ----------
    X : LazyImages or ndarray of shape (n, height, width, 3)
        Images.
    store : FeatureStore
        Knows the files that it has seen.

    Returns
    -------
    digests : ndarray of object, shape (n,)
        Bytes, or None.
    """
    digests = np.empty(len(X), dtype=object)
    if isinstance(X, LazyImages):
        digests[:] = store.digest_files(X.paths)
    else:
        kind = f"{X.dtype} {X.shape[1:]}".encode()
        digests[:] = [hashlib.sha256(kind + x.tobytes()).digest() for x in X]
    return digests


def read_complete(store, sections, digests, *, compute, read):
    """Read what sections hold of images; what isn't there is computed first.

    Parameters
    ----------
    store : FeatureStore
        Whose sections they are.
    sections : list of StoreSection
        Where what is asked for is kept.
    digests : ndarray of object, shape (n,)
        Digests of the images.
    compute : callable
        Fills the sections.
    read : callable
        Gives what is asked for, or None where some of it was lost since.

    Returns
    -------
    result : object
        What ``read`` gave.

    Raises
    ------
    StoreError
        If it is lost again and again.
    """
    # One round computes what is missing and the second finds it, unless the store is
    # deleted meanwhile, or more and more of it is found to be damaged.
    for _ in range(8):
        if missing_in_any(sections, digests).any():
            compute()
        result = read()
        if result is not None:
            return result
    raise StoreError(f"the feature store {store.root} keeps losing what is stored")


def show_progress(n_images, what, verbose):
    """Show a progress bar of images, if it takes more than a second.

    Parameters
    ----------
    n_images : int
        How many there are.
    what : str
        What is made of them.
    verbose : bool
        Whether it shows at all.

    Returns
    -------
    progress : tqdm
        A context manager.
    """
    return tqdm(
        total=n_images,
        desc=what,
        unit="painting",
        delay=1,
        mininterval=0.5,
        disable=not verbose,
    )


def missing_in_any(sections, digests):
    """Find the images of which something is yet to be computed.

    Parameters
    ----------
    sections : iterable of StoreSection
        Where what is computed from them is kept.
    digests : sequence of bytes or None
        Digests of images.

    Returns
    -------
    missing : ndarray of bool, shape (len(digests),)
        Where a section lacks it.
    """
    return np.any([section.missing(digests) for section in sections], axis=0)


def compute_missing(
    X, digests, rows, compute, *, sections, store, batch_size, progress
):
    """Decode images and compute features that the store lacks, each content once.

    The store is not locked meanwhile. Before each batch is computed, images that other
    processes have stored by then are left out. If there are any, the rest is computed
    from a random place on, so that two processes seldom compute the same batch.

    Parameters
    ----------
    X : LazyImages or ndarray of shape (n, height, width, 3)
        Images.
    digests : ndarray of object, shape (n,)
        Their digests; unreadable images get that of blanks, in place.
    rows : ndarray of int
        The images to be computed.
    compute : callable
        Takes images of different contents and their digests, stores their features, and
        returns whether the store had none of them.
    sections : iterable of StoreSection
        Sections that are to hold the features.
    store : FeatureStore
        Knows the files that it has seen.
    batch_size : int
        Images at a time.
    progress : tqdm
        Is moved on.

    Raises
    ------
    UnreadableImageError
        If files can't be decoded and their loader has ``on_error="raise"``.
    OSError
        If a file changed after it was digested.
    """
    total = len(rows)
    own = {_BLANK}  # digests that are no sign of another process
    while len(rows):
        n_done = 0
        others = False
        with contextlib.closing(iter_batches(X[rows], batch_size)) as batches:
            try:
                for batch in batches:
                    here = rows[n_done : n_done + len(batch)]
                    n_done += len(batch)
                    _settle(X, digests, here, store)
                    keys, first = np.unique(digests[here], return_index=True)
                    missing = missing_in_any(sections, keys)
                    others = not all(missing | [key in own for key in keys])
                    if missing.any():
                        new = compute(batch[first[missing]], keys[missing])
                        others = others or not new
                    own.update(keys)
                    progress.update(len(batch))
                    if others:
                        break
            except UnreadableImageError as error:  # which has counted these rows only
                raise UnreadableImageError(error.failures, len(X)) from None
        if not others:
            return
        rows = np.flatnonzero(missing_in_any(sections, digests))
        rows = np.roll(rows, -np.random.default_rng().integers(len(rows) or 1))
        progress.update(total - len(rows) - progress.n)


def _settle(X, digests, rows, store):
    """Make sure that the digests are those of the files that were just decoded."""
    if not isinstance(X, LazyImages):
        return
    paths = X.paths[rows]
    for row, path, digest in zip(rows, paths, store.digest_files(paths), strict=True):
        if path in X.failures:
            digests[row] = _BLANK
        elif digest != digests[row]:
            raise OSError(
                f"{path!r} changed while it was read. Run again when it is at rest; "
                "what was computed so far is stored."
            )
