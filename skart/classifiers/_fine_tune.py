"""A classifier of images: a pretrained network, fine-tuned behind a cut."""

import contextlib
import os
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from skart._utils._validation import StrOptions
from skart.classifiers._dense_head import DenseHeadClassifier
from skart.classifiers._images import ImageClassifier
from skart.classifiers._training import derive_seed
from skart.features import FeatureExtractor
from skart.images._lazy import auto_batch_size, iter_batches
from skart.networks import cut_points, make_augmentation
from skart.networks._backbones import count_features
from skart.networks._keras import keras, predict_batch
from skart.networks._serialization import set_weights
from skart.networks._tail import Preprocess, check_cut, load_tail, unfreeze
from skart.networks._weights import check_weights, identify_weights


class FineTuneClassifier(ImageClassifier):
    """Classifier of images by the last layers of a pretrained network, trained on.

    This is the report's last experiment [1]_, in two stages. Stage one trains a head on
    features of the frozen network. Stage two continues from its weights and trains it
    together with the layers behind a cut, with a very low learning rate. The layers
    ahead of the cut, the trunk, stay frozen: each image passes through them once, and
    the feature maps are stored.

    Parameters
    ----------
    head : DenseHeadClassifier or FrozenEstimator, default=None
        The head of stage one. A clone of it is trained; a fitted one is used as it is.
        Inside a :class:`sklearn.frozen.FrozenEstimator` it stays fitted in clones, for
        instance in a search; it must not have been fitted on test samples. With a
        validation set, a head that is trained is validated on the same paintings. If
        None, it is ``DenseHeadClassifier()``, with ``patience=5`` if there is a
        validation set. An overfitted head is a bad start.
    backbone : str, default="InceptionV3"
        Name of a network of ``keras.applications``, which is used with its own
        preprocessing.
    weights : "imagenet", str, path or None, default="imagenet"
        See :class:`FeatureExtractor`.
    unfreeze_from : str, None or list of them, default="mixed9"
        The cut. Layers behind it are trained, except for batch normalization, which
        keeps its statistics and scales. :func:`skart.networks.cut_points` lists the
        layers at which a network can be cut. ``"input"`` trains the whole network,
        None the head alone. A list of ever deeper cuts adds a stage for each; a stage
        continues from the weights of the last one and has ``epochs`` of its own. The
        maps of the deepest cut are stored.
    augment : {"light", "strong"} or keras.Layer, default=None
        Random changes of the images in training, as in :class:`CNNClassifier`. In stage
        two, images then pass through the trunk in each epoch: an epoch took 6.4 times
        as long for ``"mixed9"``, 3.1 times for ``"mixed8"`` and 1.7 times for
        ``"mixed7"`` (``benchmarks/fine_tuning.py``).
    test_time_augmentation : list of {"horizontal_flip", "crops"}, default=None
        Views of an image whose probabilities are averaged in prediction, as in
        :class:`CNNClassifier`. Their maps are not stored.
    dtype : {"float32", "mixed_bfloat16", "mixed_float16"}, default="float32"
        Precision of computations; weights and probabilities are float32.
    storage_dtype : {"float32", "float16"}, default="float16"
        Precision of stored maps. 18,038 paintings at 299 x 299, cut at ``"mixed9"``,
        take 4.7 GB in float16.
    cache : str, path or FeatureStore, default=None
        Store of the feature maps, also of predicted images if there is room. If None,
        a temporary store is used during training. The maps of another cut are computed
        anew.
    optimizer, learning_rate_schedule : optional
        As in :class:`CNNClassifier`. The default learning rate is 1e-5.
    epochs : int, default=10
        Maximum number of passes over the training samples in each stage after the
        first.
    batch_size, validation_split, patience, class_weight, callbacks : optional
        As in :class:`CNNClassifier`.
    warm_start, random_state, verbose : optional
        As in :class:`CNNClassifier`.
    **routed : object
        As in :class:`CNNClassifier`. They are those of the stages after the first:
        ``compile__loss``, for instance, is also a parameter of the head.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.
    model_ : keras.Model
        The trained network.
    history_ : dict of str to list of float
        Loss, accuracy and learning rate of each epoch of all stages, and its
        ``stage``.
    image_shape_ : tuple of int
        Height, width and channels of the images.
    head_ : DenseHeadClassifier
        The head at the end of stage one.
    trunk_ : dict
        Description of the trunk: ``backbone``, ``weights`` ("imagenet", the digest of
        the file, or "random 0"), ``cut``, ``dtype`` and ``storage_dtype``.

    See Also
    --------
    FeatureExtractor : Computes features by the frozen network.
    DenseHeadClassifier : Trains the head alone.

    Notes
    -----
    If ``fit`` is interrupted in stage two, the classifier can predict, and
    ``partial_fit`` continues. A pickle holds the tail and the head, but only
    ``trunk_`` of the trunk: the same weights must be available when it is loaded.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from sklearn.pipeline import Pipeline
    >>> from skart import DenseHeadClassifier, FineTuneClassifier, ImageLoader
    >>> model = FineTuneClassifier(
    ...     DenseHeadClassifier(units=650, dropout=0.7),
    ...     unfreeze_from="mixed9",
    ...     validation_split=0.1,
    ...     optimizer__learning_rate=1e-5,
    ...     cache="~/.cache/skart",
    ... )
    >>> pipe = Pipeline([("load", ImageLoader(size=299)), ("model", model)])
    >>> pipe.set_params(model__head__units=300)
    Pipeline(...)
    """

    _parameter_constraints = {
        **ImageClassifier._parameter_constraints,
        "storage_dtype": [StrOptions({"float32", "float16"})],
    }
    _optimizer_defaults = {"learning_rate": 1e-5}
    _learned = (*ImageClassifier._learned, "head_", "_end_to_end")

    def __init__(
        self,
        head=None,
        *,
        backbone="InceptionV3",
        weights="imagenet",
        unfreeze_from="mixed9",
        augment=None,
        test_time_augmentation=None,
        dtype="float32",
        storage_dtype="float16",
        cache=None,
        optimizer="adam",
        learning_rate_schedule=None,
        epochs=10,
        batch_size=None,
        validation_split=0.0,
        patience=None,
        class_weight=None,
        callbacks=None,
        warm_start=False,
        random_state=None,
        verbose=0,
        **routed,
    ):
        self.head = head
        self.backbone = backbone
        self.weights = weights
        self.unfreeze_from = unfreeze_from
        self.augment = augment
        self.test_time_augmentation = test_time_augmentation
        self.dtype = dtype
        self.storage_dtype = storage_dtype
        self.cache = cache
        self.optimizer = optimizer
        self.learning_rate_schedule = learning_rate_schedule
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.patience = patience
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self._set_routed(routed)

    def _check_patience(self, has_validation):
        super()._check_patience(has_validation)
        head = self._make_head(has_validation)
        if isinstance(head, DenseHeadClassifier) and not head.__sklearn_is_fitted__():
            head._check_patience(has_validation or bool(head.validation_split))

    def _validate_parameters(self):
        super()._validate_parameters()
        self._cuts()
        if isinstance(self.head, FrozenEstimator):
            check_is_fitted(self.head)
        head = self._make_head(has_validation=False)
        if not isinstance(head, DenseHeadClassifier):
            raise TypeError(
                "head must be a DenseHeadClassifier, alone or inside a "
                f"FrozenEstimator, or None; got {head!r}"
            )
        if head.__sklearn_is_fitted__():
            return
        if self.class_weight is not None and head.class_weight is not None:
            raise ValueError(
                "class_weight is for both stages: set it in FineTuneClassifier or in "
                "its head"
            )
        head._validate_parameters()

    def _cuts(self):
        """Return the valid cuts of all stages; the deepest is the last."""
        cuts = self.unfreeze_from
        cuts = list(cuts) if isinstance(cuts, (list, tuple, np.ndarray)) else [cuts]
        try:
            for cut in cuts:
                check_cut(self.backbone, cut)
        except ValueError as error:
            raise ValueError(f"unfreeze_from={self.unfreeze_from!r}: {error}") from None
        from_the_end = [None, *reversed(cut_points(self.backbone)), "input"]
        places = [from_the_end.index(cut) for cut in cuts]
        if not cuts or places != sorted(set(places)):
            raise ValueError(
                f"unfreeze_from={self.unfreeze_from!r} must be one cut, or a list "
                "in which each is deeper than the last, such as ['mixed9', 'mixed8']"
            )
        return cuts

    def _make_head(self, has_validation):
        """Return the head of stage one: fitted, or a clone to train."""
        if self.head is None:
            return DenseHeadClassifier(
                patience=5 if has_validation else None,
                validation_split=self.validation_split,
            )
        head = self.head
        if isinstance(head, FrozenEstimator):
            head = head.estimator
        if not isinstance(head, DenseHeadClassifier) or head.__sklearn_is_fitted__():
            return head
        head = clone(head)
        if self.validation_split:
            head.set_params(validation_split=self.validation_split)
        return head

    def _prepare(self, training, validation, classes, is_continued):
        cut = self._cuts()[-1]
        trunk = {
            "backbone": self.backbone,
            "cut": cut,
            "dtype": self.dtype,
            "storage_dtype": self.storage_dtype,
        }
        self._make_extractor(trunk).fit(training.X)  # which validates weights and cache
        if not is_continued:
            self.trunk_ = {**trunk, "weights": identify_weights(self.weights)}
            head = self._make_head(has_validation=False)
            if head.__sklearn_is_fitted__():
                self._check_fitted_head(head, classes)
        elif cut != self.trunk_["cut"]:
            raise ValueError(
                f"unfreeze_from={self.unfreeze_from!r} ends in another cut than that "
                f"of the first fit, {self.trunk_['cut']!r}. Fit with warm_start=False."
            )
        if self.augment is not None or cut == "input":
            return training, validation
        transform = self._extractor().transform
        maps = transform(training.X)
        if validation is not None:
            is_split = validation.X is training.X
            maps_val = maps if is_split else transform(validation.X)
            validation = validation._replace(X=maps_val)
        return training._replace(X=maps), validation

    def _check_fitted_head(self, head, classes):
        (n_features,) = count_features(self.backbone)
        if head.n_features_in_ != n_features:
            raise ValueError(
                f"head was fitted on vectors of {head.n_features_in_}; "
                f"{self.backbone} gives {n_features}"
            )
        if head.classes_.tolist() != classes.tolist():
            raise ValueError(
                f"head was fitted on the classes {head.classes_.tolist()}; y holds "
                f"{classes.tolist()}"
            )

    def _initialize(self, training, validation):
        tail = self._build_tail()
        if self.verbose:
            tqdm.write("stage 1: the head alone")
        self.head_ = self._fit_head(tail, training, validation)
        head = keras.models.clone_model(self.head_.model_)
        set_weights(head, self.head_.model_.get_weights())
        self.model_ = keras.Sequential([*tail, head])
        self.history_ = {
            name: [*values] for name, values in self.head_.history_.items()
        }
        self.history_["stage"] = [1] * len(self.history_["loss"])

    def _build_tail(self):
        """Return the layers ahead of the head, which begin with an input."""
        backbone, cut = self.trunk_["backbone"], self.trunk_["cut"]
        if cut is None:
            network = self._extractor().network(self.image_shape_)
            return [keras.Input(network.output_shape[1:]), keras.layers.Identity()]
        tail = load_tail(
            backbone,
            cut,
            input_shape=self.image_shape_,
            weights=self.weights and os.path.expanduser(self.weights),
            dtype=self.trunk_["dtype"],
            dropout_seed=self._first_seed,
        )
        if cut == "input":
            return [keras.Input(self.image_shape_), Preprocess(backbone), tail]
        return [keras.Input(tail.input_shape[1:]), tail]

    def _fit_head(self, tail, training, validation):
        head = self._make_head(validation is not None)
        if head.__sklearn_is_fitted__():
            return head
        if head.random_state is None:
            head.set_params(random_state=self._first_seed)
        parts = [training] if validation is None else [training, validation]
        if training.X is parts[-1].X:
            features = self._compute_features(
                tail, training.X[np.concatenate([part.rows for part in parts])]
            )
            features = np.split(features, [len(training.rows)])[: len(parts)]
        else:
            features = [self._compute_features(tail, x.X[x.rows]) for x in parts]
        (X, y, weights), *others = [
            (vectors, self.classes_[part.codes[part.rows]], part.weights[part.rows])
            for vectors, part in zip(features, parts, strict=True)
        ]
        groups = training.groups
        return head._fit(
            X,
            y,
            sample_weight=weights,
            groups=None if groups is None else groups[training.rows],
            validation=others[0] if others else None,
            validation_split=head.validation_split,
            classes=self.classes_,
            n_epochs=head.epochs,
            is_continued=False,
        )

    def _compute_features(self, tail, X):
        """Compute the features on which stage one trains the head."""
        network = keras.Sequential(tail)
        # Without augmentation, X holds maps already.
        iterate = iter_batches if self.augment is None else self._iter_inputs
        batches = iterate(X, self._batch_size(X))
        return np.concatenate([predict_batch(network, batch) for batch in batches])

    def _train(self, network, n_epochs, training, validation=None):
        if self.augment is not None:
            network = self._build_end_to_end()
        stages = list(enumerate(self._cuts(), 2))
        n_done = self.history_["stage"][-1] - 1
        for stage, cut in stages[min(n_done, len(stages) - 1) :]:
            done = self.history_["stage"]
            if stage != done[-1]:
                self.__dict__.pop("_compiled_with", None)
            if self.verbose:
                what = "the head alone" if cut is None else f"all layers after {cut}"
                tqdm.write(f"stage {stage}: {what}")
            if self.trunk_["cut"] is not None:
                unfreeze(self.model_.get_layer("tail"), cut)
            try:
                super()._train(network, n_epochs, training, validation)
            finally:
                n_new = len(self.history_["loss"]) - len(done)
                self.history_["stage"] = done + [stage] * n_new

    def _build_end_to_end(self):
        """Return a network of augmentation, trunk and ``model_``."""
        if not hasattr(self, "_end_to_end"):
            images = keras.Input(self.image_shape_)
            epochs_done = len(self.history_["loss"])
            seed = derive_seed(self._first_seed, epochs_done)
            x = make_augmentation(self.augment, seed)(images)
            if self.trunk_["cut"] != "input":
                x = Preprocess(self.trunk_["backbone"])(x)
                x = self._extractor().network(self.image_shape_)(x, training=False)
            self._end_to_end = keras.Model(images, self.model_(x))
        return self._end_to_end

    def _iter_inputs(self, X, batch_size):
        if self.trunk_["cut"] == "input":
            return iter_batches(X, batch_size)
        extractor = self._extractor()
        if self.cache is not None:
            try:
                return iter_batches(extractor.transform(X), batch_size)
            except OSError as error:  # no disk space or no permission
                warnings.warn(
                    f"maps are computed but not stored: {error}", stacklevel=2
                )
        extractor.batch_size = min(batch_size, auto_batch_size(X))
        return extractor.iter_transform(X)

    def _predict_images(self, images):
        if self.trunk_["cut"] != "input":
            extractor = self._extractor().set_params(verbose=False)
            images = np.concatenate([*extractor.iter_transform(images)])
        return super()._predict_images(images)

    def _extractor(self):
        """Return the feature-map extractor; raise if its weights changed since fit."""
        trunk = self.trunk_
        check_weights(self.weights, trunk["backbone"])
        found = identify_weights(self.weights)
        if found != trunk["weights"]:
            raise ValueError(
                f"this {type(self).__name__} was trained on {trunk['backbone']} with "
                f"the weights {trunk['weights']!r}, but weights={str(self.weights)!r} "
                f"are {found!r}. Restore the former, or pass their file to "
                "set_params(weights=...)."
            )
        return self._make_extractor(trunk)

    def _make_extractor(self, trunk):
        cut = trunk["cut"]
        return FeatureExtractor(
            trunk["backbone"],
            weights=self.weights,
            layer=cut,
            pooling="avg" if cut is None else None,
            dtype=trunk["dtype"].removeprefix("mixed_"),
            # Vectors are small, and FeatureExtractor also stores them in float32.
            storage_dtype="float32" if cut is None else trunk["storage_dtype"],
            # The layers after the cut are trained, and computed, by Keras.
            engine="keras",
            cache=self.cache,
            verbose=bool(self.verbose),
        )

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("_end_to_end", None)
        return state

    def __setstate__(self, state, trusted=False):
        super().__setstate__(state, trusted)
        # skart.load_model checks the weights itself, since it can name other files.
        if trusted and "trunk_" in state and self.trunk_["cut"] != "input":
            with contextlib.suppress(OSError):  # set_params can name it
                self._extractor()
