"""Images to features: a frozen backbone, run once for each image."""

import functools
import hashlib
import math
import numbers
import os
import shutil
import sys
import tempfile

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from tqdm.auto import tqdm

from skart._lazy import LazyArray, fitting_batch_size, iter_batches
from skart._messages import check_choice
from skart._versions import EXTRACTOR_VERSION
from skart.images import LazyImages, UnreadableImageError, check_images
from skart.store import FeatureStore, StoreError

__all__ = ["FeatureExtractor", "LazyFeatures"]

# Stands for the content of every file that can't be read, where the loader puts a
# black image in its place.
_BLANK = hashlib.sha256(b"skart: unreadable").digest()


class FeatureExtractor(TransformerMixin, BaseEstimator):
    """Images to the features of a frozen, pretrained network.

    Each image runs through the network once: with ``cache``, its features are kept in
    a :class:`FeatureStore` under the digest of the file's bytes and of all that decides
    on them, so that other folds, searches, processes and days find them there. Images
    that are found are not even decoded.

    Parameters
    ----------
    backbone : str, default="InceptionV3"
        A network of ``keras.applications``; its own preprocessing is applied.
    weights : "imagenet", str, path or None, default="imagenet"
        ImageNet weights (from Keras' cache, or downloaded by it); a file of weights
        without the top; or None for random weights, which carry far less about style.
    layer : str, default=None
        The layer whose output is taken, ``"mixed5"`` for instance; None for the last.
    pooling : {"avg", "max", None}, default="avg"
        How maps become vectors; None gives the maps, which stay on disk.
    dtype : {"float32", "bfloat16", "float16"}, default=None
        What the network computes in; None is float32. bfloat16 is twice as fast on
        processors that have it (AVX512-BF16, AMX), slower on others, and less exact.
    storage_dtype : {"float32", "float16"}, default="float32"
        What features are kept in; they are read as float32 always. Half the room is
        enough for maps that a network is trained on.
    batch_size : int, default=None
        Images a forward pass. None is as many as have two million pixels together, 22
        at 299 x 299 and 8 at 500 x 500: larger batches are no faster on a CPU, and
        need memory in proportion. A GPU likes 64 and more.
    cache : str, path or FeatureStore, default=None
        Folder of the store; None computes features at each call.
    random_state : int, default=0
        Seed of the random weights with ``weights=None``; unused otherwise.
    verbose : bool, default=True
        Whether a progress bar shows when it takes more than a second.

    See Also
    --------
    ImageLoader : The step before: paths to images.
    DenseHeadClassifier : The step after: features to movements.

    Notes
    -----
    The transformer is stateless: ``fit`` learns nothing. Loaded networks are shared by
    all extractors of a process that ask for the same.

    References
    ----------
    .. [1] Szegedy, Vanhoucke, Ioffe, Shlens, Wojna. "Rethinking the Inception
       Architecture for Computer Vision". CVPR 2016.
    .. [2] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017: frozen InceptionV3 features, computed once.

    Examples
    --------
    >>> import numpy as np
    >>> from skart import FeatureExtractor
    >>> images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    >>> extractor = FeatureExtractor("MobileNetV2", weights=None)
    >>> extractor.fit_transform(images).shape
    (2, 1280)
    """

    def __init__(
        self,
        backbone="InceptionV3",
        *,
        weights="imagenet",
        layer=None,
        pooling="avg",
        dtype=None,
        storage_dtype="float32",
        batch_size=None,
        cache=None,
        random_state=0,
        verbose=True,
    ):
        self.backbone = backbone
        self.weights = weights
        self.layer = layer
        self.pooling = pooling
        self.dtype = dtype
        self.storage_dtype = storage_dtype
        self.batch_size = batch_size
        self.cache = cache
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Check parameters and X; nothing is learned, computed or loaded.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n, height, width, 3)
            Images: uint8, or numbers in 0-255.
        y : object, optional
            Ignored.

        Returns
        -------
        self : FeatureExtractor
            The extractor.
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
            Features in the order of X. Without pooling: LazyFeatures of shape
            ``(n, h, w, c)``.

        Raises
        ------
        UnreadableImageError
            If files can't be decoded and their loader has ``on_error="raise"``; it
            names them all. What was computed before it is stored.
        ValueError
            If a parameter or X is not allowed.
        OSError
            If ImageNet weights can't be had, or the store can't be used.
        """
        self._check_parameters()
        X = check_images(X)
        store = self._store()
        if store is None:
            return np.concatenate(list(self.iter_transform(X)))
        section = store.section(self._identity(X))
        digests = _digest(X, store)
        # One round computes what is missing and the second finds it, unless the store
        # is deleted meanwhile, or more and more of it is found to be damaged.
        for _ in range(8):
            if section.missing(digests).any():
                self._compute_missing(X, digests, section)
            if self.pooling is None:
                return LazyFeatures(section, digests)
            features, found = section.read(digests)
            if found.all():
                return features.astype(np.float32, copy=False)
        raise StoreError(f"the feature store {store.root} keeps losing what is stored")

    def iter_transform(self, X):
        """Compute features batch by batch, past the store.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n, height, width, 3)
            Images: uint8, or numbers in 0-255.

        Yields
        ------
        features : ndarray of shape (<= batch_size, ...), dtype float32
            Features, or maps, in the order of X.
        """
        self._check_parameters()
        X = check_images(X)
        with self._progress(len(X)) as progress:
            for batch in self._iter_batches(X):
                yield self._forward(batch).astype(np.float32, copy=False)
                progress.update(len(batch))

    def network(self, input_shape):
        """Give the frozen network; all who ask for the same share it.

        Parameters
        ----------
        input_shape : (int, int, int)
            Height, width and channels of the images.

        Returns
        -------
        network : keras.Model
            Preprocessed images -> features.
        """
        from skart._keras import check_process

        check_process()
        weights = self.weights and os.path.expanduser(self.weights)
        return _shared_network(
            self.backbone,
            _stamp(weights),
            input_shape=tuple(input_shape),
            weights=weights,
            seed=self.random_state,
            layer=self.layer,
            pooling=self.pooling,
            dtype=self.dtype or "float32",
        )

    def get_feature_names_out(self, input_features=None):
        """Name the features: backbone, layer and number.

        Parameters
        ----------
        input_features : object, optional
            Ignored.

        Returns
        -------
        names : ndarray of str, shape (d,)
            ``"inceptionv3_mixed5_0"`` and so on.
        """
        from skart.networks.backbone import count_channels

        if self.pooling is None:
            raise ValueError("maps have no feature names; pass pooling='avg' or 'max'")
        stem = "_".join(filter(None, [self.backbone.lower(), self.layer]))
        n_features = count_channels(self.backbone, self.layer)
        return np.array([f"{stem}_{i}" for i in range(n_features)], dtype=object)

    def _check_parameters(self):
        check_choice("pooling", self.pooling, ("avg", "max", None))
        check_choice("dtype", self.dtype, (None, "float32", "bfloat16", "float16"))
        check_choice("storage_dtype", self.storage_dtype, ("float32", "float16"))
        if self.batch_size is not None and (
            not isinstance(self.batch_size, numbers.Integral) or self.batch_size < 1
        ):
            raise ValueError(
                f"batch_size must be a positive int or None; got {self.batch_size!r}"
            )
        if (
            not self.cache
            and self.cache is not None
            or not isinstance(self.cache, (str, os.PathLike, FeatureStore, type(None)))
        ):
            raise TypeError(
                f"cache must be a folder, a FeatureStore or None; got {self.cache!r}"
            )
        if self.weights is None and (
            not isinstance(self.random_state, numbers.Integral) or self.random_state < 0
        ):
            raise ValueError(
                "random_state must be an int of at least 0 with weights=None, so that "
                "the same features come out in every process; got "
                f"{self.random_state!r}"
            )
        if self.weights in ("imagenet", None):
            return
        path = os.path.expanduser(self.weights)
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            raise FileNotFoundError(
                f"weights={path!r} is no file that can be read. Pass a file of "
                f"{self.backbone} weights without the top (.weights.h5), 'imagenet', "
                "or None for random weights."
            )

    def _store(self):
        if isinstance(self.cache, FeatureStore):
            return self.cache
        if self.cache is not None:
            return FeatureStore(self.cache)
        return FeatureStore.temporary() if self.pooling is None else None

    def _identity(self, X):
        """Collect all that decides on a feature beside the image file's bytes."""
        return {
            "version": EXTRACTOR_VERSION,
            "images": X.identity
            if isinstance(X, LazyImages)
            else {"array": list(X.shape[1:])},
            "backbone": self.backbone,
            "weights": identify_weights(self.weights, self.random_state),
            "layer": self.layer,
            "pooling": self.pooling,
            "dtype": self.dtype or "float32",
            "storage_dtype": self.storage_dtype,
        }

    def _compute_missing(self, X, digests, section):
        """Fill the section; unreadable images get the digest of blanks, in place."""
        with section.lock():  # who waits here finds the work done
            rows = np.flatnonzero(section.missing(digests))
            if self.pooling is None and len(rows):
                self._check_room(X, digests[rows], section.store)
            start = 0
            with self._progress(len(rows)) as progress:
                for batch in self._read_batches(X, rows):
                    here = rows[start : start + len(batch)]
                    start += len(batch)
                    _settle(X, digests, here, section.store)
                    keys, first = np.unique(digests[here], return_index=True)
                    new = section.missing(keys)
                    if new.any():
                        section.write(keys[new], self._forward(batch[first[new]]))
                    progress.update(len(batch))

    def _read_batches(self, X, rows):
        try:
            yield from self._iter_batches(X[rows])
        except UnreadableImageError as error:  # which has counted these rows only
            raise UnreadableImageError(error.failures, len(X)) from None

    def _iter_batches(self, X):
        return iter_batches(X, self.batch_size or fitting_batch_size(X))

    def _forward(self, images):
        from skart.networks.backbone import preprocess

        network = self.network(images.shape[1:])
        features = np.asarray(
            network.predict_on_batch(preprocess(self.backbone, images)), np.float32
        )
        with np.errstate(over="ignore"):
            kept = features.astype(self.storage_dtype, copy=False)
        if not np.isfinite(features).all():
            raise ValueError(
                f"features of {self.backbone} are not finite with dtype="
                f"{self.dtype!r}; pass dtype='float32', or other weights"
            )
        if not np.isfinite(kept).all():
            raise ValueError(
                f"features of {self.backbone} up to {np.abs(features).max():.3g} don't "
                "fit float16; pass storage_dtype='float32'"
            )
        return kept

    def _check_room(self, X, digests, store):
        """Tell how much room maps take, before it is taken."""
        shape = self.network(X.shape[1:]).output_shape[1:]
        n_bytes = math.prod(shape) * np.dtype(self.storage_dtype).itemsize
        n_images = len(set(digests))
        needed = n_images * (n_bytes + n_bytes // 1000 + 4096)  # with pages half full
        folder = tempfile.gettempdir() if store.read_only else store.root
        free = shutil.disk_usage(folder).free
        sizes = (
            f"{n_bytes / 1024:,.0f} KiB each, {needed / 1e6:,.0f} MB together; "
            f"{folder} has {free / 1e6:,.0f} MB left"
        )
        if needed > free:
            raise OSError(
                f"maps of {n_images} paintings don't fit the disk: {sizes}. Name a "
                "folder with more room as cache (or as TMPDIR, without a cache), or "
                "take a later layer or smaller images."
            )
        if self.verbose:
            tqdm.write(
                f"{self.backbone} runs to {self.layer or 'its end'}; maps of "
                f"{n_images} paintings take {sizes}",
                file=sys.stderr,
            )

    def _progress(self, n_images):
        return tqdm(
            total=n_images,
            desc=f"{self.backbone} features ({self.dtype or 'float32'})",
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


class LazyFeatures(LazyArray):
    """Features that stay on disk until they are read.

    It has the length, shape and indexing of an array of shape ``(n, *shape)``: an
    integer reads one item; a slice, an index array or a mask gives another
    LazyFeatures; ``np.asarray`` reads all of it. :class:`FeatureExtractor` makes it.

    Parameters
    ----------
    section : StoreSection
        Where the features are.
    digests : array-like of bytes
        Which of them, in order.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, section, digests):
        super().__init__(digests)
        self.section = section
        self.item_shape = section.shape

    def _read(self):
        arrays, found = self.section.read(self._items)
        if not found.all():
            raise StoreError(
                f"{np.sum(~found)} of {len(found)} features are no longer in the store "
                f"{self.section.store.root}, which was deleted or damaged since they "
                "were computed. Transform the images again."
            )
        return arrays.astype(np.float32, copy=False)


def identify_weights(weights, random_state=0):
    """Say which weights a backbone has: what is equal for equal weights only.

    Parameters
    ----------
    weights : "imagenet", str, path or None
        That of :class:`FeatureExtractor`.
    random_state : int, default=0
        Seed of random weights.

    Returns
    -------
    identity : str
        ``"imagenet"``, the digest of the file, or ``"random 0"``.
    """
    if weights is None:
        return f"random {random_state}"
    if weights == "imagenet":
        return weights
    weights = os.path.expanduser(weights)
    return _digest_weights(weights, _stamp(weights))


@functools.lru_cache
def _digest_weights(path, stamp):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(X, store):
    """Digest each image: its file's bytes (None if unreadable) or its pixels."""
    digests = np.empty(len(X), dtype=object)
    if isinstance(X, LazyImages):
        digests[:] = store.digest_files(X.paths)
    else:
        kind = f"{X.dtype} {X.shape[1:]}".encode()
        digests[:] = [hashlib.sha256(kind + x.tobytes()).digest() for x in X]
    return digests


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


@functools.lru_cache(maxsize=2)
def _shared_network(backbone, stamp, **options):
    from skart.networks.backbone import load_backbone

    return load_backbone(backbone, **options)


def _stamp(weights):
    """Tell a file of weights from one that took its name later."""
    if weights in ("imagenet", None):
        return None
    seen = os.stat(weights)
    return seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino
