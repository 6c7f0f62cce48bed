"""The base class of the classifiers: a Keras network as a scikit-learn classifier."""

import math

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length, column_or_1d

# Private, but what scikit-learn's own estimators call; there is no public equal.
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from skart._utils._validation import (
    Integral,
    Interval,
    Options,
    Real,
    StrOptions,
    check_groups,
    check_labels,
    validate_params,
)
from skart.classifiers._data import (
    Batches,
    apply_class_weight,
    find_classes,
    make_samples,
    split_samples,
)
from skart.classifiers._params import (
    RoutedParametersMixin,
    make_callbacks,
    make_loss,
    make_optimizer,
    route,
)
from skart.classifiers._training import (
    SCHEDULES,
    VERBOSITY,
    DivergedError,
    StopAtNaN,
    bind_optimizer,
    derive_seed,
    has_schedule,
    release,
)
from skart.images._lazy import auto_batch_size, iter_batches
from skart.networks._keras import (
    check_process,
    free_networks,
    keras,
    predict_batch,
    without_retracing_advice,
)
from skart.networks._serialization import describe, rebuild


class BaseKerasClassifier(ClassifierMixin, RoutedParametersMixin, BaseEstimator):
    """Base class of the classifiers that train a Keras network.

    A subclass has the parameters of training (see :class:`DenseHeadClassifier`) and
    its own. Its constructor assigns them, takes other parameters as ``**routed`` and
    ends with ``self._set_routed(routed)``. It defines ``build_network``, which returns
    an uncompiled Keras model that ends in a softmax over the classes, and adds its own
    parameters to ``_parameter_constraints``. X holds 2-D features unless a subclass
    overrides ``_check_X_y`` and ``_check_X``.
    """

    _parameter_constraints = {
        "optimizer": [str, type, keras.optimizers.Optimizer],
        "learning_rate_schedule": [StrOptions(set(SCHEDULES)), None],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "validation_split": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "callbacks": "no_validation",
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": [Options(Integral, set(VERBOSITY))],
    }

    # With metadata routing, they need no set_fit_request: all of them have one purpose
    # here. Weights may also be those of a scorer, so they are requested by the user.
    __metadata_request__fit = {"groups": True, "X_val": True, "y_val": True}

    # Parameters of the optimizer that replace those of Keras if they aren't set.
    _optimizer_defaults = {}
    # Attributes that an unsuccessful fit deletes.
    _learned = ("model_", "classes_", "history_", "_compiled_with")

    def fit(self, X, y, *, sample_weight=None, groups=None, X_val=None, y_val=None):
        """Train the network.

        Weights are initialized anew unless ``warm_start=True``.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training samples.
        y : array-like of shape (n_samples,)
            Class labels: strings or integers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss. Samples of weight 0 are left out.
        groups : array-like of shape (n_samples,), default=None
            Artists. With ``validation_split``, the paintings of an artist are kept
            together. In a pipeline, pass them as ``pipe.fit(paths, labels,
            cnn__groups=...)`` for a step named ``cnn``, or as ``groups`` with
            scikit-learn's metadata routing, by which they are requested.
        X_val : array-like of shape (n_val_samples, ...), default=None
            Validation samples, in place of a ``validation_split``. The earlier steps
            of a pipeline don't transform them: transform them beforehand, or see
            ``transform_input`` of :class:`sklearn.pipeline.Pipeline`.
        y_val : array-like of shape (n_val_samples,), default=None
            Class labels of the validation samples.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If the data or a parameter is not allowed, or if training diverges.
        """
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be passed together")
        has_validation_set = X_val is not None
        if has_validation_set and self.validation_split:
            raise ValueError(
                f"validation_split={self.validation_split!r} and X_val exclude each "
                "other: set validation_split=0.0, or don't pass X_val"
            )
        self._check_patience(has_validation_set or bool(self.validation_split))
        return self._fit(
            X,
            y,
            sample_weight=sample_weight,
            groups=groups,
            validation=(X_val, y_val, None) if has_validation_set else None,
            validation_split=self.validation_split,
            n_epochs=self.epochs,
            is_continued=self.warm_start,
        )

    def partial_fit(self, X, y, classes=None, *, sample_weight=None):
        """Train the network for one more epoch.

        The epoch uses all of X and the initial learning rate; ``validation_split``,
        ``patience`` and ``learning_rate_schedule`` are ignored.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training samples.
        y : array-like of shape (n_samples,)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All class labels. Required at the first call if y lacks some of them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all samples at once, which partial_fit "
                "doesn't see. Pass a dict of weights, or None."
            )
        return self._fit(
            X,
            y,
            sample_weight=sample_weight,
            classes=classes,
            n_epochs=1,
            is_continued=True,
        )

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float32
            Probabilities in the order of ``classes_``.
        """
        check_is_fitted(self)
        check_process()
        return self._predict_checked(self._check_X(X))

    def predict(self, X):
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Class labels.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _fit(
        self,
        X,
        y,
        *,
        sample_weight=None,
        groups=None,
        validation=None,
        validation_split=0.0,
        classes=None,
        n_epochs,
        is_continued,
    ):
        """Fit, with None or (X, y, sample_weight) as the validation set."""
        # Protected, not private: FineTuneClassifier calls it on its head.
        check_process()
        is_continued = is_continued and hasattr(self, "model_")
        before = dict(vars(self))
        try:
            self._validate_parameters()
            X, y = self._check_X_y(X, y, reset=not is_continued)
            check_labels(y)
            groups = check_groups(groups, X)
            weights = self._check_weights(sample_weight, X)
            known = self.classes_ if is_continued else None
            classes = find_classes(y[weights > 0], classes, known)
            training = make_samples(X, y, weights, groups, classes)
            if validation is not None:
                validation = self._validate_validation_set(*validation, classes)
            apply_class_weight(self.class_weight, classes, training, validation)
            epochs_done = len(self.history_.get("loss", [])) if is_continued else 0
            seed = derive_seed(self.random_state, epochs_done)
            # A continued fit must not train on the validation set of the first one.
            first_seed = self._first_seed if is_continued else seed
            if validation_split and validation is None:
                training, validation = split_samples(
                    training, validation_split, first_seed
                )
            training, validation = self._prepare(
                training, validation, classes, is_continued
            )
        except BaseException:  # an invalid call leaves the last fit as it is
            vars(self).clear()
            vars(self).update(before)
            raise
        del before  # and with it a network that is no longer needed
        if not is_continued:
            self._reset()
            self.classes_ = classes
            self.history_ = {}
            self._first_seed = first_seed
        try:
            with without_retracing_advice():
                if not is_continued:
                    self._initialize(training, validation)
                self._train_on(training, validation, seed, n_epochs)
        except BaseException as error:
            if not self.history_.get("loss") or isinstance(error, DivergedError):
                self._reset()  # nothing was learned
            raise
        return self

    def _check_patience(self, has_validation):
        if self.patience is not None and not has_validation:
            raise ValueError(
                f"patience={self.patience!r} stops training by the validation loss: "
                "pass validation_split=0.1, for instance, X_val and y_val to fit, or "
                "patience=None"
            )

    def _validate_parameters(self):
        """Validate the parameters, before long computations begin."""
        # Protected, not private: FineTuneClassifier calls it on its head.
        validate_params(self)
        optimizer = self._make_optimizer()
        if self.learning_rate_schedule is not None:
            # A number is a variable of the optimizer, and a schedule is not.
            if "learning_rate" not in [one.name for one in optimizer.variables]:
                raise ValueError(
                    "the learning rate follows either learning_rate_schedule="
                    f"{self.learning_rate_schedule!r} or the optimizer's own schedule; "
                    "pass learning_rate_schedule=None, or a number as "
                    "optimizer__learning_rate"
                )
        self._make_loss()
        callbacks = self._make_callbacks()
        if self.learning_rate_schedule is not None and has_schedule(callbacks):
            raise ValueError(
                "a callback changes the learning rate, and so does "
                f"learning_rate_schedule={self.learning_rate_schedule!r}: pass "
                "learning_rate_schedule=None, or leave the callback out"
            )

    def _validate_validation_set(self, X, y, sample_weight, classes):
        X = self._check_X(X)
        y = column_or_1d(y)
        check_consistent_length(X, y)
        check_labels(y, "y_val")
        weights = self._check_weights(sample_weight, X)
        samples = make_samples(X, y, weights, None, classes, "y_val")
        if not len(samples.rows):
            raise ValueError("X_val holds no samples; pass None for no validation set")
        return samples

    def _check_X_y(self, X, y, *, reset):
        return validate_data(self, X, y, dtype=np.float32, reset=reset)

    def _check_X(self, X):
        return validate_data(self, X, dtype=np.float32, reset=False)

    def _check_weights(self, weights, X):
        return _check_sample_weight(
            weights, X, dtype=np.float32, copy=True, ensure_non_negative=True
        )

    def _prepare(self, training, validation, classes, is_continued):
        """Return samples in the form the network expects."""
        return training, validation

    def _reset(self):
        for name in self._learned:
            self.__dict__.pop(name, None)
        free_networks()

    def _initialize(self, training, validation):
        """Set ``model_`` to a network with new weights."""
        self.model_ = self.build_network(len(self.classes_), self._first_seed)

    def _train_on(self, training, validation, seed, n_epochs):
        batch_size = self._batch_size(training.X)
        parts = [Batches(training, batch_size, np.random.default_rng(seed))]
        if validation is not None:
            parts.append(Batches(validation, batch_size))
        try:
            self._train(self.model_, n_epochs, *parts)
        except Exception:
            for part in parts:
                error = part.find_error()
                if error is not None:
                    raise error from None
            raise
        finally:
            for part in parts:
                part.close()

    def _train(self, network, n_epochs, training, validation=None):
        """Train a network that is, or contains, ``model_``."""
        callbacks, others = self._make_callbacks(), [StopAtNaN()]
        self._compile(network)
        epochs_done = len(self.history_.get("loss", []))
        history = keras.callbacks.History()
        if self.patience is not None and validation is not None:
            others.append(
                keras.callbacks.EarlyStopping(
                    patience=self.patience, restore_best_weights=True
                )
            )
        optimizer = network.optimizer
        if self.learning_rate_schedule is not None:
            rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            share_left = SCHEDULES[self.learning_rate_schedule]
            others.append(
                keras.callbacks.LearningRateScheduler(
                    lambda epoch, _: rate * share_left((epoch - epochs_done) / n_epochs)
                )
            )
        try:
            self._fit_network(
                network,
                training,
                validation_data=validation,
                initial_epoch=epochs_done,
                epochs=epochs_done + n_epochs,
                callbacks=[*callbacks, *others, history],
                verbose=VERBOSITY[self.verbose],
            )
        finally:  # also after an interrupt
            if self.learning_rate_schedule is not None:
                optimizer.learning_rate = rate
            release(network, callbacks)
            # Lists of one length, nan where an epoch had no validation or no schedule.
            n_new = len(history.history.get("loss", []))
            for name in {**self.history_, **history.history}:
                before = self.history_.get(name, [math.nan] * epochs_done)
                new = history.history.get(name, [math.nan] * n_new)
                self.history_[name] = before + new
        weights = (np.isfinite(x).all() for x in network.get_weights())
        if n_new and not (np.isfinite(history.history["loss"][-1]) and all(weights)):
            raise DivergedError(
                f"training diverged: after epoch {n_new} the loss or the weights are "
                "no longer finite. Lower optimizer__learning_rate."
            )

    def _fit_network(self, network, training, **options):
        options |= route(self.get_params(), "fit")
        network.fit(training, shuffle=False, **options)  # batches shuffle themselves

    def _compile(self, network):
        params = self.get_params()
        recipe = {
            name: value
            for name, value in params.items()
            if name.startswith(("optimizer", "compile__"))
        }
        is_compiled = getattr(network, "optimizer", None) is not None
        if is_compiled and recipe == getattr(self, "_compiled_with", None):
            return
        options = {"metrics": ["accuracy"], **route(params, "compile")}
        for name in route(options, "loss"):
            del options[f"loss__{name}"]
        options["loss"] = self._make_loss()
        with network.distribute_strategy.scope():
            is_scaled = getattr(self, "dtype", None) == "mixed_float16"
            optimizer = bind_optimizer(self._make_optimizer(), network, is_scaled)
            network.compile(optimizer, **options)
        self._compiled_with = recipe

    def _make_optimizer(self):
        params = route(self.get_params(), "optimizer")
        if not isinstance(self.optimizer, keras.optimizers.Optimizer):
            params = self._optimizer_defaults | params
        return make_optimizer(self.optimizer, params)

    def _make_loss(self):
        params = route(self.get_params(), "compile")
        loss = params.get("loss") or "sparse_categorical_crossentropy"
        return make_loss(loss, route(params, "loss"))

    def _make_callbacks(self):
        return make_callbacks(self.callbacks, route(self.get_params(), "callbacks"))

    def _predict_checked(self, X):
        batch_size = self._batch_size(X)
        probabilities = []
        for batch in self._iter_inputs(X, batch_size):
            n_rows = len(batch)
            if batch.ndim == 2:
                # One shape is traced once, and the probabilities of a sample don't
                # depend on the number of samples. For images it would cost too much.
                batch = np.pad(batch, [(0, batch_size - n_rows), (0, 0)])
            probabilities.append(predict_batch(self.model_, batch)[:n_rows])
        return np.concatenate(probabilities, dtype=np.float32)

    def _iter_inputs(self, X, batch_size):
        """Iterate over batches of inputs of ``model_``, from validated X."""
        return iter_batches(X, batch_size)

    def _batch_size(self, X):
        if self.batch_size is not None:
            return int(self.batch_size)
        return min(32, auto_batch_size(X))

    # A pickle holds the network's layers and trained weights, but not the state of the
    # optimizer: partial_fit after loading starts with a new one. Pickles are trusted;
    # any other state may come from an untrusted file. There, `_own_parts` holds classes
    # and functions of the network that the user trusts.

    def __reduce__(self):
        return _unpickle, (type(self), self.__getstate__())

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_compiled_with", None)
        if "model_" in state:
            state["model_"] = describe(self.model_), self.model_.get_weights()
        return state

    def __setstate__(self, state, trusted=False):
        super().__setstate__(state)
        if "model_" in state:
            description, weights = state["model_"]
            own = state.get("_own_parts", ())
            self.model_ = rebuild(description, weights, own, trusted=trusted)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model_")


def _unpickle(cls, state):
    classifier = cls.__new__(cls)
    classifier.__setstate__(state, trusted=True)
    return classifier
