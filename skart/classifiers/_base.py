"""The one bridge between scikit-learn and Keras; scikeras is used in here only.

From scikeras come the routing of parameters (``optimizer__learning_rate``), the making
of optimizers and callbacks from them, and seeding that restores global random state.
Its ``BaseWrapper`` itself is not subclassed: version 0.13, the last, brings tags,
validation and a constructor that scikit-learn 1.7 and later reject.
"""

import copy
import functools
import gc
import numbers
import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

# Private, but what scikit-learn's own estimators call; there is no public equal.
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from skart._keras import keras
from skart._lazy import iter_batches
from skart._messages import suggest

# After skart._keras, which holds back what TensorFlow says on import. Utilities that
# are private to scikeras: it is no longer released, so nothing moves under them.
from scikeras._utils import (  # isort: skip
    get_optimizer_class,
    route_params,
    try_to_convert_strings_to_classes,
    unflatten_params,
)
from scikeras.utils.random_state import tensorflow_random_state  # isort: skip

# Parameters with these prefixes go on to what Keras builds or does with them.
_ROUTED_PREFIXES = ("optimizer", "compile", "fit", "callbacks")


class BaseKerasClassifier(ClassifierMixin, BaseEstimator):
    """A Keras network as a scikit-learn classifier.

    Subclasses have a plain scikit-learn constructor, which takes the parameters of
    :class:`DenseHeadClassifier` and the network's own, and define ``_build_network``:
    a Keras model that ends in a softmax over ``classes_``. Routed parameters such as
    ``optimizer__learning_rate`` are added to each constructor here. X is made of 2-D
    features unless a subclass overrides ``_check_X_y`` and ``_check_X``.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _with_routed_parameters(cls.__init__)

    def fit(self, X, y, sample_weight=None, groups=None):
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

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If the data or a parameter is not allowed.
        """
        return self._fit(
            X, y, sample_weight, groups, n_epochs=self.epochs, go_on=self.warm_start
        )

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one more epoch, with the weights there are.

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
        return self._fit(X, y, sample_weight, None, n_epochs=1, classes=classes)

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
        X = self._check_X(X)
        probabilities = np.empty((len(X), len(self.classes_)), np.float32)
        start = 0
        for batch in iter_batches(X, self.batch_size):
            # Always the same shape: it is traced once, and a sample's probabilities
            # don't depend on how many stand beside it.
            padding = [(0, self.batch_size - len(batch))] + [(0, 0)] * (batch.ndim - 1)
            predicted = self.model_.predict_on_batch(np.pad(batch, padding))
            rows = slice(start, start + len(batch))
            probabilities[rows] = np.asarray(predicted)[: len(batch)]
            start += len(batch)
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

    def _fit(self, X, y, sample_weight, groups, *, n_epochs, classes=None, go_on=True):
        self._check_parameters()
        go_on = go_on and hasattr(self, "model_")
        X, y = self._check_X_y(X, y, reset=not go_on)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float32)
        if self.class_weight is not None:
            weights = weights * compute_sample_weight(self.class_weight, y)
        rows = np.flatnonzero(weights)
        if not go_on:
            self._set_classes(y[rows] if classes is None else classes)
        codes = np.zeros(len(y), int)
        codes[rows] = self._encode(y[rows])

        epochs_done = len(self.history_["loss"]) if go_on else 0
        seed = _derive_seed(self.random_state, epochs_done)
        training, validation = self._split(rows, codes, groups, seed)
        batches = functools.partial(
            _Batches, X, codes, weights, batch_size=self.batch_size
        )
        if not go_on:
            # Networks are held in reference cycles: without this, the last ones stay
            # in memory (a GPU's, too) until Python happens to look for cycles.
            self.__dict__.pop("model_", None)
            gc.collect()
        with tensorflow_random_state(seed):
            if not go_on:
                self.model_ = self._build_network()
                self.history_ = {}
            if not self.model_.compiled:
                self._compile()
            callbacks = self._make_callbacks()
            history = self.model_.fit(
                batches(training, generator=np.random.default_rng(seed)),
                validation_data=None if validation is None else batches(validation),
                initial_epoch=epochs_done,
                epochs=epochs_done + n_epochs,
                callbacks=callbacks,
                shuffle=False,  # the batches shuffle themselves
                verbose=2 if self.verbose else 0,
                **route_params(self.get_params(), "fit", pass_filter=()),
            )
        for callback in callbacks:
            callback.set_model(None)  # the user's instances must not hold the network
        for name, values in history.history.items():
            self.history_[name] = self.history_.get(name, []) + values
        return self

    def _check_parameters(self):
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f"{name} must be a positive int; got {value!r}")
        if not 0 <= self.validation_split < 1:
            raise ValueError(
                f"validation_split must be in [0, 1); got {self.validation_split!r}"
            )
        if self.patience is not None and not self.validation_split:
            raise ValueError(
                f"patience={self.patience!r} stops training by the validation loss: "
                "pass validation_split=0.1, for instance, or patience=None"
            )

    def _check_X_y(self, X, y, *, reset):
        X, y = validate_data(self, X, y, dtype=np.float32, reset=reset)
        missing = np.flatnonzero(pd.isna(y))
        if len(missing):
            raise ValueError(
                f"y holds no label for {len(missing)} of {len(y)} samples, first at "
                f"position {missing[0]}: label them or leave them out"
            )
        check_classification_targets(y)
        return X, y

    def _check_X(self, X):
        return validate_data(self, X, dtype=np.float32, reset=False)

    def _set_classes(self, labels):
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least two classes, of a "
                f"weight other than 0; got {len(classes)} class(es): {classes.tolist()}"
            )
        self.classes_ = classes

    def _encode(self, y):
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y holds {unknown.tolist()}, but the classes of the first call were "
                f"{self.classes_.tolist()}. Pass all labels to it as classes."
            )
        return np.searchsorted(self.classes_, y)

    def _compile(self):
        params = self.get_params()
        optimizer = unflatten_params(
            items=try_to_convert_strings_to_classes(
                self.optimizer, get_optimizer_class
            ),
            params=route_params(params, "optimizer", pass_filter=()),
        )
        if optimizer is self.optimizer:  # an instance is bound to the network it trains
            optimizer = type(optimizer).from_config(optimizer.get_config())
        options = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
        options.update(route_params(params, "compile", pass_filter=()))
        self.model_.compile(**{**options, "optimizer": optimizer})
        # Both keep the training graph, and with it the weights and the optimizer's
        # state, from being freed with the network (Keras 3.15, TensorFlow 2.21): the
        # sum over replicas, of which there is one here, and variables made in a graph.
        if hasattr(optimizer, "_all_reduce_sum_gradients"):
            optimizer._all_reduce_sum_gradients = list
        optimizer.build(self.model_.trainable_variables)

    def _make_callbacks(self):
        callbacks = unflatten_params(
            items=[] if self.callbacks is None else self.callbacks,
            params=route_params(self.get_params(), "callbacks", pass_filter=()),
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
        if self.patience is not None:
            callbacks.append(
                keras.callbacks.EarlyStopping(
                    patience=self.patience, restore_best_weights=True
                )
            )
        return callbacks

    def _split(self, rows, codes, groups, seed):
        """Split rows into training and validation, which is None if not asked for."""
        if not self.validation_split:
            return rows, None
        codes = codes[rows]
        if groups is None:
            splitter = StratifiedShuffleSplit(
                1, test_size=self.validation_split, random_state=seed
            )
        else:
            groups = np.asarray(groups)[rows]
            # No class fills more folds than it has samples.
            most = np.bincount(codes).max()
            n_splits = max(2, min(round(1 / self.validation_split), most))
            splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
        problem = f"validation_split={self.validation_split} can't be made: "
        try:
            with warnings.catch_warnings():
                # One fold of them is taken: it matters little if others lack a class.
                warnings.filterwarnings("ignore", "The least populated class")
                splits = list(splitter.split(codes, codes, groups))
        except ValueError as error:
            raise ValueError(f"{problem}{error}") from error
        for training, validation in splits:
            if len(np.unique(codes[training])) == len(np.unique(codes)):
                return rows[training], rows[validation]
        raise ValueError(
            f"{problem}with groups kept together, a class would have nothing left to "
            "train on"
        )

    def get_params(self, deep=True):
        """Get the parameters, routed ones with them.

        Parameters
        ----------
        deep : bool, default=True
            Ignored: no parameter is an estimator.

        Returns
        -------
        params : dict
            Values by name.
        """
        params = BaseEstimator.get_params(self, deep=deep)
        params.update({key: value for key, value in vars(self).items() if "__" in key})
        return params

    def set_params(self, **params):
        """Set parameters, ``optimizer__learning_rate`` and its like among them.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        self : object
            The classifier.
        """
        for name, value in params.items():
            self._check_parameter_name(name, error=ValueError)
            setattr(self, name, value)
        return self

    @classmethod
    def _check_parameter_name(cls, name, error=TypeError):
        names = cls._get_param_names()
        if name not in names and not _is_routed(name):
            raise error(
                f"{cls.__name__} has no parameter {name!r}.{suggest(name, names)}"
            )

    # A pickle holds the network's layers and trained weights; the optimizer's state is
    # left out, so partial_fit after loading starts with a new optimizer.

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = self.model_.to_json(), self.model_.get_weights()
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "model_" in state:
            config, weights = state["model_"]
            self.model_ = keras.models.model_from_json(config)
            self.model_.set_weights(weights)


class _Batches(keras.utils.PyDataset):
    """Some rows of X by the batch, in a new order each epoch; X may be lazy."""

    def __init__(self, X, codes, weights, rows, batch_size, generator=None):
        super().__init__()
        self.X = X
        self.codes = codes
        self.weights = weights
        self.rows = rows
        self.batch_size = batch_size
        self.generator = generator
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index):
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        return np.asarray(self.X[rows]), self.codes[rows], self.weights[rows]

    def on_epoch_end(self):
        if self.generator is not None:
            self.rows = self.generator.permutation(self.rows)


def _with_routed_parameters(init):
    @functools.wraps(
        init
    )  # also the signature, in which scikit-learn looks parameters up
    def __init__(self, *args, **params):
        for name in params:
            self._check_parameter_name(name)
        init(self, *args, **{k: v for k, v in params.items() if not _is_routed(k)})
        vars(self).update({k: v for k, v in params.items() if _is_routed(k)})

    return __init__


def _is_routed(name):
    prefix, separator, rest = name.partition("__")
    return prefix in _ROUTED_PREFIXES and bool(separator and rest)


def _derive_seed(random_state, epochs_done):
    """Draw the seed of a fit; one that goes on shuffles and drops out anew."""
    seed = check_random_state(copy.deepcopy(random_state)).randint(2**31)
    return int(np.random.SeedSequence([seed, epochs_done]).generate_state(1)[0] >> 1)
