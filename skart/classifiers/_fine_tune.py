"""Images to movements: a pretrained network, trained on from a cut."""

import contextlib
import os
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from skart.classifiers._dense_head import DenseHeadClassifier
from skart.classifiers._image_classifier import ImageClassifier
from skart.classifiers._training import derive_seed
from skart.features import FeatureExtractor
from skart.images._lazy import fitting_batch_size, iter_batches
from skart.networks import cut_points, load_tail, make_augmentation, unfreeze
from skart.networks._backbones import count_features
from skart.networks._keras import keras, predict_batch
from skart.networks._tail import Preprocess, check_cut
from skart.networks._weights import identify_weights


class FineTuneClassifier(ImageClassifier):
    """Images to movement: the last layers of a pretrained network are trained on.

    The report's last experiment [1]_, in two stages. Stage one trains a head on the
    features of the frozen network. Stage two starts from its weights and trains it on,
    together with the layers behind a cut, at a very low learning rate. What lies ahead
    of the cut, the trunk, stays as it is: each image runs through it once, and its maps
    are stored.

    Parameters
    ----------
    head : DenseHeadClassifier or FrozenEstimator, default=None
        What stage one trains: a clone of it; a fitted one is used as it is (inside a
        ``FrozenEstimator``, also where this classifier is cloned, in a search for
        instance; what it was fitted on must then be no part of what it is tested with).
        With a ``validation_split`` here, a head that is trained is watched on the same
        paintings, whatever split of its own it has. None is ``DenseHeadClassifier()``,
        stopped early (``patience=5``) where there is a validation split. An overfitted
        head is a bad start.
    backbone : str, default="InceptionV3"
        A network of ``keras.applications``; its own preprocessing is applied.
    weights : "imagenet", str, path or None, default="imagenet"
        See :class:`FeatureExtractor`.
    unfreeze_from : str, None or list of them, default="mixed9"
        The cut: layers behind it are trained, all but batch normalisation, which keeps
        its statistics and scales. Any layer through which everything flows
        (``skart.networks.cut_points`` lists them); ``"input"`` trains the whole
        network, from the images; None goes on with the head alone. A list, of ever
        deeper cuts, is one more stage for each, which starts from the last one's
        weights and has ``epochs`` of its own; maps are those of the deepest.
    augment : {"light", "strong"} or keras.Layer, default=None
        How images are altered while training, as in :class:`HybridCNNClassifier`. In
        stage two, each image then runs through the trunk in each epoch, from its
        pixels: an epoch took 6.4 times as long for ``"mixed9"``, 3.1 times for
        ``"mixed8"`` and 1.7 times for ``"mixed7"`` (``benchmarks/fine_tuning.py``).
    <views>
        Its views run through the trunk from their pixels, whatever is stored.
    dtype : {"float32", "mixed_bfloat16", "mixed_float16"}, default="float32"
        What trunk and tail compute in; weights and probabilities stay float32.
    storage_dtype : {"float32", "float16"}, default="float16"
        What maps are stored in. 18,038 paintings at 299 x 299, cut at ``"mixed9"``,
        take 4.7 GB in float16.
    cache : str, path or FeatureStore, default=None
        Folder where maps are kept; None keeps them in the system's folder for temporary
        files while it trains. Another cut is computed from the images anew. What is
        predicted is kept there, too, as far as there is room.
    <parameters of training>

    Attributes
    ----------
    <attributes>
    <attributes of image classifiers>
    head_ : DenseHeadClassifier
        The head as stage one left it.
    trunk_ : dict
        What the trunk is: ``backbone``, ``weights`` ("imagenet", the digest of the
        file, or "random 0"), ``cut``, ``dtype`` and ``storage_dtype``.

    Notes
    -----
    ``history_`` covers all stages; its ``stage`` tells which an epoch belongs to. A fit
    that is interrupted in stage two can predict, and goes on with ``partial_fit``. The
    learning rate is 1e-5 unless it is given. With ``verbose``, a progress bar of the
    trunk and how each epoch went are shown, and the room on the disk that maps need is
    told before it is taken. A pickle holds the tail and the head, and of the trunk
    ``trunk_`` only: it has to find the same weights where it is loaded.

    <routed parameters>

    See Also
    --------
    FeatureExtractor : The frozen network alone.
    DenseHeadClassifier : The head alone.

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

    _optimizer_defaults = {"learning_rate": 1e-5}

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
        verbose=1,
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

    def _check_parameters(self):
        super()._check_parameters()
        cuts = self._schedule()
        self._make_extractor(
            backbone=self.backbone,
            cut=cuts[-1],
            dtype=self.dtype,
            storage_dtype=self.storage_dtype,
        )._check_parameters()
        if isinstance(self.head, FrozenEstimator):
            check_is_fitted(self.head)
        head = self._given_head()
        if not isinstance(head, DenseHeadClassifier):
            raise TypeError(
                "head must be a DenseHeadClassifier, alone or inside a "
                f"FrozenEstimator, or None; got {head!r}"
            )
        if head.__sklearn_is_fitted__():
            return
        if self.class_weight is not None and head.class_weight is not None:
            raise ValueError(
                "class_weight is for both stages: give it to FineTuneClassifier or to "
                "its head"
            )
        head._check_parameters()

    def _given_head(self):
        """Find the head, or make one, that stage one takes or trains."""
        if self.head is None:
            return DenseHeadClassifier(
                patience=5 if self.validation_split else None,
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

    def _schedule(self):
        """List the cuts of all stages, checked; the deepest is the last."""
        cuts = self.unfreeze_from
        cuts = list(cuts) if isinstance(cuts, (list, tuple, np.ndarray)) else [cuts]
        for cut in cuts:
            try:
                check_cut(self.backbone, cut)
            except ValueError as error:
                raise ValueError(
                    f"unfreeze_from={self.unfreeze_from!r}: {error}"
                ) from None
        from_the_end = [None, *reversed(cut_points(self.backbone)), "input"]
        places = [from_the_end.index(cut) for cut in cuts]
        if not cuts or places != sorted(set(places)):
            raise ValueError(
                f"unfreeze_from={self.unfreeze_from!r} must name one cut or more, each "
                "deeper than the last: ['mixed9', 'mixed8'] for instance"
            )
        return cuts

    def _training_inputs(self, X, classes, go_on):
        cut = self._schedule()[-1]
        if not go_on:
            self.trunk_ = {
                "backbone": self.backbone,
                "weights": identify_weights(self.weights),
                "cut": cut,
                "dtype": self.dtype,
                "storage_dtype": self.storage_dtype,
            }
        elif cut != self.trunk_["cut"]:
            raise ValueError(
                f"unfreeze_from={self.unfreeze_from!r} ends in another cut than that "
                f"of the first fit, {self.trunk_['cut']!r}. Fit with warm_start=False."
            )
        head = self._given_head()
        if not go_on and head.__sklearn_is_fitted__():
            self._check_fitted(head, classes)
        if self.augment is not None or cut == "input":
            return X
        return self._extractor().transform(X)

    def _iter_inputs(self, X, batch_size):
        if self.trunk_["cut"] == "input":
            return iter_batches(X, batch_size)
        extractor = self._extractor()
        if self.cache is not None:
            try:
                return iter_batches(extractor.transform(X), batch_size)
            except OSError as error:  # no room, or not to be written to
                warnings.warn(
                    f"maps are computed without being kept: {error}", stacklevel=2
                )
        extractor.batch_size = min(batch_size, fitting_batch_size(X))
        return extractor.iter_transform(X)

    def _predict_images(self, images):
        if self.trunk_["cut"] != "input":
            extractor = self._extractor().set_params(verbose=False)
            images = np.concatenate([*extractor.iter_transform(images)])
        return super()._predict_images(images)

    def _extractor(self):
        """Make what runs the trunk, if the weights are those of the first fit."""
        trunk = self.trunk_
        extractor = self._make_extractor(
            **{name: value for name, value in trunk.items() if name != "weights"}
        )
        extractor._check_parameters()
        found = identify_weights(self.weights)
        if found != trunk["weights"]:
            raise ValueError(
                f"this {type(self).__name__} was trained on {trunk['backbone']} with "
                f"the weights {trunk['weights']!r}, but weights={str(self.weights)!r} "
                f"are {found!r}. Put back those it was trained on, or name them with "
                "set_params(weights=...)."
            )
        return extractor

    def _make_extractor(self, *, backbone, cut, dtype, storage_dtype):
        return FeatureExtractor(
            backbone,
            weights=self.weights,
            layer=cut,
            pooling="avg" if cut is None else None,
            dtype=dtype.removeprefix("mixed_"),
            # Vectors are small, and those of others are found in the store.
            storage_dtype="float32" if cut is None else storage_dtype,
            cache=self.cache,
            verbose=bool(self.verbose),
        )

    def _forget(self):
        for name in ("head_", "_end_to_end"):
            self.__dict__.pop(name, None)
        super()._forget()

    def _begin(self, samples):
        parts = self._build_tail()
        rows = samples.training
        if samples.validation is not None:
            rows = np.concatenate([rows, samples.validation])
        features = self._run(parts, samples.X[rows])
        if self.verbose:
            tqdm.write("stage 1: the head alone")
        self.head_ = self._fit_head(features, samples, rows)
        head = keras.models.clone_model(self.head_.model_)
        head.set_weights(self.head_.model_.get_weights())
        self.model_ = keras.Sequential([*parts, head])
        self.history_ = {
            name: [*values] for name, values in self.head_.history_.items()
        }
        self.history_["stage"] = [1] * len(self.history_["loss"])

    def _build_tail(self):
        """Build what stands ahead of the head: layers, beginning with an input."""
        backbone, cut, dtype = (self.trunk_[x] for x in ("backbone", "cut", "dtype"))
        if cut is None:
            network = self._extractor().network(self.image_shape_)
            return [keras.Input(network.output_shape[1:]), keras.layers.Identity()]
        tail = load_tail(
            backbone,
            cut,
            input_shape=self.image_shape_,
            weights=self.weights and os.path.expanduser(self.weights),
            dtype=dtype.removeprefix("mixed_"),
            dropout_seed=self._first_seed,
        )
        if cut == "input":
            return [keras.Input(self.image_shape_), Preprocess(backbone), tail]
        return [keras.Input(tail.input_shape[1:]), tail]

    def _run(self, parts, X):
        """Compute the features on which stage one trains the head."""
        network = keras.Sequential(parts)
        batch_size = self._batch_size(X)
        if self.augment is None:
            batches = iter_batches(X, batch_size)
        else:
            batches = self._iter_inputs(X, batch_size)
        return np.concatenate([predict_batch(network, batch) for batch in batches])

    def _fit_head(self, features, samples, rows):
        head, held_out = self._given_head(), None
        if head.__sklearn_is_fitted__():
            return head
        if samples.validation is not None:
            held_out = np.arange(len(rows)) >= len(samples.training)
        if head.random_state is None:
            head.set_params(random_state=self._first_seed)
        return head._fit(
            features,
            self.classes_[samples.codes[rows]],
            samples.weights[rows],
            None if samples.groups is None else samples.groups[rows],
            n_epochs=head.epochs,
            validation_split=head.validation_split,
            classes=self.classes_,
            go_on=False,
            held_out=held_out,
        )

    def _check_fitted(self, head, classes):
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

    def _train(self, training, validation, n_epochs):
        stages = list(enumerate(self._schedule(), 2))
        n_done = self.history_["stage"][-1] - 1
        for stage, cut in stages[min(n_done, len(stages) - 1) :]:
            done = self.history_["stage"]
            if stage != done[-1]:
                self.__dict__.pop("_compiled_with", None)
            if self.verbose:
                what = "the head alone" if cut is None else f"all behind {cut}"
                tqdm.write(f"stage {stage}: {what}")
            if self.trunk_["cut"] is not None:
                unfreeze(self.model_.get_layer("tail"), cut)
            try:
                super()._train(training, validation, n_epochs)
            finally:
                n_new = len(self.history_["loss"]) - len(done)
                self.history_["stage"] = done + [stage] * n_new

    def _trained_network(self):
        if self.augment is None:
            return self.model_
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

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("_end_to_end", None)
        return state

    def __setstate__(self, state, trusted=False):
        super().__setstate__(state, trusted)
        # skart.load_model checks the weights itself: they may be named anew there.
        if trusted and "trunk_" in state and self.trunk_["cut"] != "input":
            with contextlib.suppress(OSError):  # a file that is to be named yet
                self._extractor()
