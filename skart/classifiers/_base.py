"""The one bridge between scikit-learn and Keras.

scikeras' ``BaseWrapper`` is not subclassed: version 0.13, the last, brings tags,
validation and a constructor that scikit-learn 1.7 and later reject.
"""

import functools
import inspect
import math

import numpy as np
import tensorflow as tf
from sklearn.base import BaseEstimator, ClassifierMixin

# Private, but what scikit-learn's own estimators call; there is no public equal.
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from skart._utils._validation import check_groups
from skart.classifiers._batches import Batches, Samples
from skart.classifiers._docs import complete
from skart.classifiers._labels import check_labels, encode, find_classes, weigh
from skart.classifiers._routing import RoutedParametersMixin
from skart.classifiers._scikeras import make_callbacks, make_optimizer, routed
from skart.classifiers._training import (
    VERBOSITY,
    DivergedError,
    StopAtNaN,
    check_training,
    derive_seed,
    make_scheduler,
)
from skart.classifiers._validation import check_held_out, split_validation
from skart.images._lazy import fitting_batch_size, iter_batches
from skart.networks._keras import (
    check_process,
    free_networks,
    keras,
    predict_batch,
    without_retracing_advice,
)
from skart.networks._serialization import describe, rebuild


class BaseKerasClassifier(ClassifierMixin, RoutedParametersMixin, BaseEstimator):
    """A Keras network as a scikit-learn classifier.

    Subclasses have a plain scikit-learn constructor, which takes the parameters of
    :class:`DenseHeadClassifier` and the network's own, and define ``_build_network``:
    a Keras model that ends in a softmax over the classes. What all docstrings share
    is put into each here. X is made of 2-D features unless a subclass overrides
    ``_check_X_y`` and ``_check_X``.
    """

    # Parameters of the optimizer where they aren't given.
    _optimizer_defaults = {}

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if cls.__doc__:
            parameters = inspect.signature(cls.__init__).parameters
            cls.__doc__ = complete(
                cls.__doc__,
                **{name: value.default for name, value in parameters.items()},
            )

    def fit(self, X, y, sample_weight=None, groups=None, held_out=None):
        """Train the network from new weights, or on, with ``warm_start=True``.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training samples.
        y : array-like of shape (n_samples,)
            Class labels: strings or integers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss; samples of weight 0 are left out.
        groups : array-like of shape (n_samples,), default=None
            Artists: with ``validation_split``, the paintings of one are kept together.
            A pipeline passes them on as ``pipe.fit(paths, labels, cnn__groups=...)``
            for a step named ``cnn``, ``cross_val_score`` as ``params=``.
        held_out : array-like of bool, shape (n_samples,), default=None
            Which samples are watched, not trained on, whatever ``validation_split`` is.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If the data or a parameter is not allowed, or the loss is no longer finite.
        """
        return self._fit(
            X,
            y,
            sample_weight,
            groups,
            n_epochs=self.epochs,
            validation_split=self.validation_split,
            go_on=self.warm_start,
            held_out=held_out,
        )

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one more epoch, with the weights there are.

        All of X is trained on, at the first learning rate: ``validation_split``,
        ``patience`` and ``learning_rate_schedule`` are for ``fit``.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training samples.
        y : array-like of shape (n_samples,)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All labels there will be; needed at the first call if y lacks some.
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
        return self._fit(X, y, sample_weight, n_epochs=1, classes=classes)

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float32
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        check_process()
        return self._predict_checked(self._check_X(X))

    def _predict_checked(self, X):
        probabilities = np.empty((len(X), len(self.classes_)), np.float32)
        start = 0
        batch_size = self._batch_size(X)
        for batch in self._iter_inputs(X, batch_size):
            n_rows = len(batch)
            if batch.ndim == 2:
                # Always the same shape: it is traced once, and a sample's probabilities
                # don't depend on how many stand beside it. Images cost too much for it.
                batch = np.pad(batch, [(0, batch_size - n_rows), (0, 0)])
            predicted = predict_batch(self.model_, batch)
            probabilities[start : start + n_rows] = predicted[:n_rows]
            start += n_rows
        return probabilities

    def predict(self, X):
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Labels of the kind that ``fit`` was given.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _fit(
        self,
        X,
        y,
        sample_weight,
        groups=None,
        *,
        n_epochs,
        classes=None,
        validation_split=0.0,
        go_on=True,
        held_out=None,
    ):
        check_process()
        go_on = go_on and hasattr(self, "model_")
        before = dict(vars(self))
        try:
            samples, classes, seed, first_seed = self._check_fit(
                X, y, sample_weight, groups, classes, validation_split, go_on, held_out
            )
        except BaseException:  # a fit that is refused leaves what the last one learned
            vars(self).clear()
            vars(self).update(before)
            raise
        del before  # and with it a network that is no longer needed
        if not go_on:
            self._forget()
            self.classes_ = classes
            self.history_ = {}
            self._first_seed = first_seed
        try:
            with without_retracing_advice():
                if not go_on:
                    self._begin(samples)
                self._train_on(samples, seed, n_epochs)
        except BaseException as error:
            if not self.history_.get("loss") or isinstance(error, DivergedError):
                self._forget()  # nothing was learned
            raise
        return self

    def _check_fit(
        self, X, y, sample_weight, groups, classes, validation_split, go_on, held_out
    ):
        self._check_parameters()
        X, y = self._check_X_y(X, y, reset=not go_on)
        check_labels(y)
        groups = check_groups(groups, X)
        weights = _check_sample_weight(
            sample_weight, X, dtype=np.float32, copy=True, ensure_non_negative=True
        )
        rows = np.flatnonzero(weights)
        if go_on:
            if classes is not None and set(classes) != set(self.classes_):
                raise ValueError(
                    f"classes={list(classes)} differ from those of the first call, "
                    f"{self.classes_.tolist()}"
                )
            classes = self.classes_
        else:
            classes = find_classes(y[rows] if classes is None else classes)
        codes = np.zeros(len(y), int)
        codes[rows] = encode(y[rows], classes)
        weights[rows] *= weigh(codes[rows], classes, self.class_weight)

        epochs_done = len(self.history_.get("loss", [])) if go_on else 0
        seed = derive_seed(self.random_state, epochs_done)
        # A fit that goes on must not train on what the first one held out.
        first_seed = self._first_seed if go_on else seed
        training, validation = rows, None
        if held_out is not None:
            held_out = check_held_out(held_out, y, rows)
            training, validation = rows[~held_out[rows]], rows[held_out[rows]]
        elif validation_split:
            training, validation = (
                rows[part]
                for part in split_validation(
                    y[rows],
                    validation_split,
                    groups=None if groups is None else groups[rows],
                    seed=first_seed,
                )
            )
        X = self._training_inputs(X, classes, go_on)
        samples = Samples(X, codes, weights, groups, training, validation)
        return samples, classes, seed, first_seed

    def _train_on(self, samples, seed, n_epochs):
        batches = functools.partial(
            Batches, samples, batch_size=self._batch_size(samples.X)
        )
        training = batches(samples.training, generator=np.random.default_rng(seed))
        validation = None
        if samples.validation is not None:
            validation = batches(samples.validation)
        try:
            self._train(training, validation, n_epochs)
        except Exception:
            for part in (training, validation):
                error = part and part.find_error()
                if error is not None:
                    raise error from None
            raise
        finally:
            for part in (training, validation):
                if part is not None:
                    part.close()

    def _forget(self):
        for name in ("model_", "classes_", "history_", "_compiled_with"):
            self.__dict__.pop(name, None)
        free_networks()

    def _training_inputs(self, X, classes, go_on):
        """Give what the network is trained on, in the place of checked X."""
        return X

    def _begin(self, samples):
        """Set ``model_``, with new weights."""
        self.model_ = self._build_network(len(self.classes_), self._first_seed)

    def _trained_network(self):
        """Give the network that is trained, of which ``model_`` may be a part."""
        return self.model_

    def _train(self, training, validation, n_epochs):
        callbacks = [*self._make_callbacks(), StopAtNaN()]
        network = self._trained_network()
        self._compile(network)
        epochs_done = len(self.history_.get("loss", []))
        history = keras.callbacks.History()
        stopping = []
        if self.patience is not None and validation is not None:
            stopping.append(
                keras.callbacks.EarlyStopping(
                    patience=self.patience, restore_best_weights=True
                )
            )
        optimizer, scheduling = network.optimizer, []
        if self.learning_rate_schedule is not None:
            rate = float(optimizer.learning_rate)
            scheduling.append(
                make_scheduler(self.learning_rate_schedule, rate, epochs_done, n_epochs)
            )
        try:
            self._fit_network(
                network,
                training,
                validation_data=validation,
                initial_epoch=epochs_done,
                epochs=epochs_done + n_epochs,
                callbacks=[*callbacks, *stopping, *scheduling, history],
                verbose=VERBOSITY[self.verbose],
            )
        finally:  # also of what was interrupted
            if scheduling:
                optimizer.learning_rate = rate
            for callback in callbacks:  # users' instances must not hold the network
                if type(callback).set_model is keras.callbacks.Callback.set_model:
                    callback.set_model(None)
            # Where training was cut short, Keras keeps its iterator, and X with it.
            network.__dict__.pop("_eval_epoch_iterator", None)
            # All of one length, nan where an epoch had no validation or no schedule.
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
        options |= routed(self.get_params(), "fit")
        network.fit(training, shuffle=False, **options)  # batches shuffle themselves

    def _check_parameters(self):
        check_training(self)
        # Long work may lie ahead: what can't be made later is told now.
        self._make_optimizer()
        self._make_callbacks()

    def _check_X_y(self, X, y, *, reset):
        return validate_data(self, X, y, dtype=np.float32, reset=reset)

    def _check_X(self, X):
        return validate_data(self, X, dtype=np.float32, reset=False)

    def _iter_inputs(self, X, batch_size):
        """Iterate over what ``model_`` takes, in the place of checked X."""
        return iter_batches(X, batch_size)

    def _batch_size(self, X):
        if self.batch_size is not None:
            return int(self.batch_size)
        return min(32, fitting_batch_size(X))

    def _compile(self, network):
        params = self.get_params()
        recipe = {"optimizer": self.optimizer}
        for prefix in ("optimizer", "compile"):
            recipe |= {k: v for k, v in params.items() if k.startswith(f"{prefix}__")}
        compiled = getattr(network, "optimizer", None) is not None
        if compiled and recipe == getattr(self, "_compiled_with", None):
            return
        options = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
        options.update(routed(params, "compile"))
        with network.distribute_strategy.scope():
            options["optimizer"] = self._bind_optimizer(network)
            network.compile(**options)
        self._compiled_with = recipe

    def _bind_optimizer(self, network):
        """Make the optimizer, with its state for the weights of a network."""
        optimizer = self._make_optimizer()
        # In TensorFlow 2.21, a network and its optimizer's state are not freed if the
        # training graph sums gradients over replicas, or makes variables. Without a
        # strategy there is nothing to sum, and Keras has no public switch for it.
        if not tf.distribute.has_strategy():
            optimizer._all_reduce_sum_gradients = list
        optimizer.build(network.trainable_variables)
        if getattr(self, "dtype", None) == "mixed_float16":
            # Keras does so itself if the outermost network computes in half precision.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        return optimizer

    def _make_optimizer(self):
        params = self.get_params()
        given = routed(params, "optimizer")
        if not isinstance(self.optimizer, keras.optimizers.Optimizer):
            given = self._optimizer_defaults | given
        optimizer = make_optimizer(self.optimizer, given)
        if optimizer is self.optimizer:  # an instance is bound to the network it trains
            optimizer = type(optimizer).from_config(optimizer.get_config())
        return optimizer

    def _make_callbacks(self):
        callbacks = make_callbacks(
            [] if self.callbacks is None else self.callbacks,
            routed(self.get_params(), "callbacks"),
        )
        if isinstance(callbacks, dict):
            callbacks = callbacks.values()
        elif not isinstance(callbacks, (list, tuple)):
            callbacks = [callbacks]
        callbacks = list(callbacks)
        for callback in callbacks:
            if not isinstance(callback, keras.callbacks.Callback):
                raise TypeError(
                    "callbacks must be a Keras callback, or a list or dict of Keras "
                    f"callbacks or their classes; got {callback!r}"
                )
        return callbacks

    # A pickle holds the network's layers and trained weights; the optimizer's state is
    # left out, so partial_fit after loading starts with a new optimizer. Who unpickles
    # trusts the pickle; any other state may come from a file that nobody vouches for.

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
            self.model_ = rebuild(description, trusted=trusted)
            self.model_.set_weights(weights)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model_")


def _unpickle(cls, state):
    classifier = cls.__new__(cls)
    classifier.__setstate__(state, trusted=True)
    return classifier
