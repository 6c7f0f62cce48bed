"""Images to features: a frozen backbone, run once for each image."""

import itertools
import numbers
import os
import sys

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from tqdm.auto import tqdm

from skart._utils._validation import check_choice
from skart._utils._versions import EXTRACTOR_VERSION
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
from skart.features._lazy import LazyFeatures, check_room
from skart.features._outputs import check_keep, check_outputs, list_kept, list_outputs
from skart.images._crops import make_windows, name_windows
from skart.images._lazy import auto_batch_size, iter_batches
from skart.images._loader import check_images, check_size
from skart.networks._presets import short_name
from skart.networks._weights import check_weights, identify_weights, stamp, stamp_preset

__all__ = ["FeatureExtractor", "LazyFeatures"]


class FeatureExtractor(TransformerMixin, BaseEstimator):
    """Images to the features of a frozen, pretrained network.

    Each image runs through the network once: with ``cache``, its features are kept in
    a :class:`FeatureStore` under the digest of the file's bytes and of all that decides
    on them, so that other folds, searches, processes and days find them there. Images
    that are found are not even decoded.

    Parameters
    ----------
    backbone : str, default="InceptionV3"
        A network of ``keras.applications``; or, with ``pip install skart[hub]``,
        ``"keras_hub:"`` and a preset of keras-hub (ViT, DINOv2, CLIP, SigLIP, ...), or
        a folder that holds one. Its own preprocessing is applied.
    weights : "imagenet", str, path or None, default="imagenet"
        ImageNet weights (from Keras' cache, or downloaded by it), or the preset's own;
        a file without the top; or None for random ones, which tell less about style.
    layer : str or sequence of str, default=None
        The layer whose output is taken, ``"mixed5"`` for instance; None for the last.
        The features of several are joined, and computed in one pass.
    pooling : {"avg", "max", "std", "gram", None} or several with +, default="avg"
        How maps become vectors: mean, maximum or standard deviation of each channel, or
        ``"gram"``, how channels go together [3]_, in 2,080 numbers; ``"avg+std"`` joins
        two. None gives the maps, which stay on disk.
    crops : {1, 5, 9, None}, default=None
        Windows through which the network sees an image: the middle, with the corners,
        with the middles of the sides too; None is the whole image.
    crop_size : int or (int, int), default=None
        Height and width of a window in pixels; None is what the network was made for,
        299 for InceptionV3. The loader's ``size`` has to be larger, or equal.
    mirror : bool, default=False
        Whether each window, or the whole image, is seen mirrored, too.
    join : {"mean", "max", "concat"}, default="mean"
        What becomes of the features of several windows. They are stored one by one, so
        that another ``join``, or fewer windows, costs nothing.
    keep : dict, default=None
        What else a pass computes and stores, for a search over it:
        ``{"layer": ["mixed2", "mixed5"], "pooling": ["avg", "std"]}`` keeps the means
        and deviations of both whichever is asked for first. It needs ``cache``.
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
    .. [3] Gatys, Ecker, Bethge. "Image Style Transfer Using Convolutional Neural
       Networks". CVPR 2016: correlations of channels as the statistic of texture. The
       matrix is compressed by a fixed random projection of the channels to 64.

    Examples
    --------
    >>> import numpy as np
    >>> from skart import FeatureExtractor
    >>> images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    >>> extractor = FeatureExtractor("MobileNetV2", weights=None)
    >>> extractor.fit_transform(images).shape
    (2, 1280)
    >>> extractor.set_params(layer=["block_3_expand", "block_6_expand"])
    FeatureExtractor(...)
    >>> extractor.set_params(pooling="avg+std").fit_transform(images).shape
    (2, 672)
    """

    def __init__(
        self,
        backbone="InceptionV3",
        *,
        weights="imagenet",
        layer=None,
        pooling="avg",
        crops=None,
        crop_size=None,
        mirror=False,
        join="mean",
        keep=None,
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
        self.crops = crops
        self.crop_size = crop_size
        self.mirror = mirror
        self.join = join
        self.keep = keep
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
        sections = self._sections(X, store)
        asked = [
            [sections[window][output] for output in self._outputs()]
            for window in sections
        ]
        digests = digest_images(X, store)

        def read():
            if self.pooling is None:
                return LazyFeatures(asked[0][0], digests)
            found = [[section.read(digests) for section in window] for window in asked]
            if not all(there.all() for _, there in itertools.chain(*found)):
                return None
            return self._join([[array for array, _ in window] for window in found])

        return read_complete(
            store,
            [*itertools.chain(*asked)],
            digests,
            compute=lambda: self._compute_missing(X, digests, sections, asked, store),
            read=read,
        )

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
        windows, outputs = self._windows(X), self._outputs()
        with self._progress(len(X)) as progress:
            for batch in iter_batches(X, self._batch_size(X)):
                yield self._join(
                    [self._forward(window.cut(batch), outputs) for window in windows]
                )
                progress.update(len(batch))

    def network(self, input_shape):
        """Give the frozen network; all who ask for the same share it.

        Parameters
        ----------
        input_shape : (int, int, int)
            Height, width and channels of what it sees: images, or crops of them.

        Returns
        -------
        network : keras.Model
            Preprocessed images -> features; -> a list of them for several layers or
            statistics.
        """
        return self._network(input_shape, self._outputs())

    def get_feature_names_out(self, input_features=None):
        """Name the features: backbone, layer, statistic and number.

        Parameters
        ----------
        input_features : object, optional
            Ignored.

        Returns
        -------
        names : ndarray of str, shape (d,)
            ``"inceptionv3_mixed5_avg_0"`` and so on; with the window ahead of the
            number where those of several are concatenated.
        """
        from skart.networks._backbones import count_features

        self._check_parameters()
        if self.pooling is None:
            raise ValueError("maps have no feature names; pass pooling='avg' or 'max'")
        windows = [""]
        if self.join == "concat" and (self.crops is not None or self.mirror):
            windows = name_windows(self.crops, self.mirror)
        outputs = self._outputs()
        sizes = count_features(self.backbone, outputs)
        names = []
        for window in windows:
            for (layer, statistic), n_features in zip(outputs, sizes, strict=True):
                parts = short_name(self.backbone).lower(), layer, statistic, window
                stem = "_".join(filter(None, parts))
                names += [f"{stem}_{i}" for i in range(n_features)]
        return np.array(names, dtype=object)

    def _check_parameters(self):
        check_outputs(self.layer, self.pooling)
        check_choice("crops", self.crops, (1, 5, 9, None))
        if self.crop_size is not None:
            check_size("crop_size", self.crop_size)
        check_choice("mirror", self.mirror, (False, True))
        check_choice("join", self.join, ("mean", "max", "concat"))
        check_keep(self.keep, self.cache)
        if self.pooling is None and (
            len(self._outputs()) > 1 or self.crops or self.mirror or self.keep
        ):
            raise ValueError(
                "pooling=None gives maps of one layer and of whole images: it takes no "
                "second layer, crops, mirror or keep"
            )
        check_choice("dtype", self.dtype, (None, "float32", "bfloat16", "float16"))
        check_choice("storage_dtype", self.storage_dtype, ("float32", "float16"))
        if self.batch_size is not None and (
            not isinstance(self.batch_size, numbers.Integral) or self.batch_size < 1
        ):
            raise ValueError(
                f"batch_size must be a positive int or None; got {self.batch_size!r}"
            )
        check_cache(self.cache)
        if self.weights is None and (
            not isinstance(self.random_state, numbers.Integral) or self.random_state < 0
        ):
            raise ValueError(
                "random_state must be an int of at least 0 with weights=None, so that "
                "the same features come out in every process; got "
                f"{self.random_state!r}"
            )
        check_weights(self.weights, self.backbone)

    def _store(self):
        if self.cache is None and self.pooling is not None:
            return None
        return open_store(self.cache)

    def _outputs(self):
        """List what is asked for: layers and statistics."""
        return list_outputs(self.layer, self.pooling)

    def _crop_size(self):
        from skart.networks._backbones import default_size

        return check_size("crop_size", self.crop_size or default_size(self.backbone))

    def _windows(self, X):
        size = None if self.crops is None else self._crop_size()
        return make_windows(X.shape[1:3], self.crops, size, self.mirror)

    def _identity(self, X):
        """Collect all that decides on every feature beside the image file's bytes."""
        return {
            "version": EXTRACTOR_VERSION,
            "images": identify_images(X),
            "backbone": short_name(self.backbone),
            "weights": identify_weights(self.weights, self.random_state, self.backbone),
            "dtype": self.dtype or "float32",
            "storage_dtype": self.storage_dtype,
        }

    def _sections(self, X, store):
        """Open what each output of each window is kept in."""
        identity = self._identity(X)
        outputs = list_kept(self.layer, self.pooling, self.keep)
        return {
            window: {
                (layer, statistic): store.section(
                    identity
                    | {"layer": layer, "pooling": statistic}
                    | ({} if window.key is None else {"window": window.key})
                )
                for layer, statistic in outputs
            }
            for window in self._windows(X)
        }

    def _compute_missing(self, X, digests, sections, asked, store):
        def compute(images, keys):
            n_lacking = n_new = 0
            for window, kept in sections.items():
                lacking = {out: x.missing(keys) for out, x in kept.items()}
                rows = np.any([*lacking.values()], axis=0)
                if not rows.any():
                    continue
                features = self._forward(window.cut(images[rows]), list(kept))
                for (out, section), array in zip(kept.items(), features, strict=True):
                    new = lacking[out][rows]
                    if new.any():
                        n_lacking += new.sum()
                        n_new += section.write(keys[rows][new], array[new])
            return n_new == n_lacking

        wanted = [*itertools.chain(*asked)]
        rows = np.flatnonzero(missing_in_any(wanted, digests))
        if self.pooling is None and len(rows):
            self._tell_room(X, digests[rows], store)
        with self._progress(len(rows)) as progress:
            compute_missing(
                X,
                digests,
                rows,
                compute,
                sections=wanted,
                store=store,
                batch_size=self._batch_size(X),
                progress=progress,
            )

    def _batch_size(self, X):
        return self.batch_size or auto_batch_size(X)

    def _network(self, input_shape, outputs):
        from skart.networks._backbones import load_shared_backbone
        from skart.networks._keras import check_process

        check_process()
        weights = self.weights and os.path.expanduser(self.weights)
        return load_shared_backbone(
            self.backbone,
            (stamp(weights), stamp_preset(self.backbone)),
            input_shape=tuple(input_shape),
            weights=weights,
            seed=self.random_state,
            outputs=tuple(outputs),
            dtype=self.dtype or "float32",
        )

    def _forward(self, images, outputs):
        """Compute the outputs of images, a list of arrays in the storage dtype."""
        from skart.networks import preprocess
        from skart.networks._keras import predict_batch

        network = self._network(images.shape[1:], outputs)
        computed = predict_batch(network, preprocess(self.backbone, images))
        computed = [computed] if len(outputs) == 1 else computed
        return [self._for_storage(x.astype(np.float32, copy=False)) for x in computed]

    def _for_storage(self, features):
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

    def _join(self, windows):
        """Join the outputs of each window, and the windows, to one float32 array."""
        joined = [
            _beside(outputs).astype(np.float32, copy=False) for outputs in windows
        ]
        if len(joined) == 1 or self.join == "concat":
            return _beside(joined)
        return {"mean": np.mean, "max": np.max}[self.join](joined, axis=0)

    def _tell_room(self, X, digests, store):
        shape = self.network(X.shape[1:]).output_shape[1:]
        told = check_room(shape, self.storage_dtype, len(set(digests)), store)
        if self.verbose:
            tqdm.write(
                f"{self.backbone} runs to {self.layer or 'its end'}; {told}",
                file=sys.stderr,
            )

    def _progress(self, n_images):
        what = f"{self.backbone} features ({self.dtype or 'float32'})"
        return show_progress(n_images, what, self.verbose)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def _beside(arrays):
    """Put vectors side by side; those of 18,000 paintings are no small copy."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)
