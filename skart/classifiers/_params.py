"""Parameters of optimizers, callbacks and Keras' methods in an estimator."""

import importlib.util
import inspect
from pathlib import Path

from sklearn.base import BaseEstimator

from skart._utils._validation import suggest
from skart.classifiers._training import OneHotLoss
from skart.networks._keras import keras

PREFIXES = ("optimizer", "compile", "fit", "callbacks")

# Arguments of Keras' `fit` that the classifiers set, beside their own parameters.
_RESERVED = (
    "x",
    "y",
    "initial_epoch",
    "sample_weight",
    "shuffle",
    "validation_data",
)


class RoutedParametersMixin:
    """Add parameters with the prefixes of ``PREFIXES`` to an estimator.

    A constructor takes them as ``**routed`` and calls ``self._set_routed(routed)``.
    Other unknown names are an error.
    """

    def get_params(self, deep=True):
        params = BaseEstimator.get_params(self, deep=deep)
        params.update({name: v for name, v in vars(self).items() if _is_routed(name)})
        return params

    def set_params(self, **params):
        own = {}
        for name, value in params.items():
            outer, separator, _ = name.partition("__")
            if _is_routed(name):
                self._check_name(name, ValueError)
                setattr(self, name, value)
                continue
            if not separator or outer not in self._get_param_names():
                self._check_name(name, ValueError)
            elif not hasattr(params.get(outer, getattr(self, outer)), "set_params"):
                raise ValueError(
                    f"{name!r} can't be set: {outer} is not an estimator. Pass one as "
                    f"{outer}, for instance DenseHeadClassifier()."
                )
            own[name] = value
        return BaseEstimator.set_params(self, **own)

    def _set_routed(self, routed):
        """Set the parameters that a constructor received as ``**routed``."""
        for name, value in routed.items():
            self._check_name(name, TypeError)
            setattr(self, name, value)

    @classmethod
    def _get_param_names(cls):
        # scikit-learn's own raises an error on `**routed`, whose names it can't know:
        # `get_params` adds those that are set.
        parameters = inspect.signature(cls).parameters.values()
        return sorted(p.name for p in parameters if p.kind is not p.VAR_KEYWORD)

    @classmethod
    def _check_name(cls, name, error):
        names = cls._get_param_names()
        if name not in names and not _is_routed(name):
            raise error(
                f"{cls.__name__} has no parameter {name!r}.{suggest(name, names)}"
            )
        prefix, _, rest = name.partition("__")
        if prefix in ("compile", "fit") and rest in (*names, *_RESERVED):
            raise error(
                f"{name!r} can't be passed on to Keras: {cls.__name__} sets {rest!r} "
                "itself"
            )


# Losses of Keras by their names in small letters.
_LOSSES = {
    name.lower(): loss
    for name, loss in vars(keras.losses).items()
    if isinstance(loss, type) and loss is not keras.losses.Loss
}
# Those that take integer labels.
_SPARSE = (
    keras.losses.CategoricalGeneralizedCrossEntropy,
    keras.losses.Circle,
    keras.losses.CTC,
    keras.losses.SparseCategoricalCrossentropy,
)
# Keras chooses this one by the shape of the labels.
_LOSSES |= dict.fromkeys(("crossentropy", "ce"), _SPARSE[-1])


def _is_routed(name):
    prefix, separator, rest = name.partition("__")
    return prefix in PREFIXES and bool(separator and rest)


def _load_scikeras():
    """Load the utilities of scikeras without its package."""
    # `import scikeras` replaces methods of keras.Model, losses, metrics and optimizers
    # for the whole process; its module of utilities does not. The functions are
    # private, but final: scikeras 0.13 is its last version.
    package = importlib.util.find_spec("scikeras")
    spec = importlib.util.spec_from_file_location(
        "skart.classifiers._scikeras", Path(package.origin).parent / "_utils.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_scikeras = _load_scikeras()


def route(params, prefix):
    """Return the parameters with a prefix, such as ``optimizer__``, without it."""
    return _scikeras.route_params(params, prefix, pass_filter=())


def make_optimizer(optimizer, params):
    """Return an unbound optimizer from an instance, a class or a name."""
    made = _scikeras.unflatten_params(
        items=_scikeras.try_to_convert_strings_to_classes(
            optimizer, _scikeras.get_optimizer_class
        ),
        params=params,
    )
    if made is optimizer:  # an instance is bound to the network it trains
        made = type(made).from_config(made.get_config())
    return made


def make_loss(loss, params):
    """Return a loss of integer labels from an instance, a function, a class or a name.

    Losses of Keras that compare probabilities with one-hot labels receive those.
    """
    made = _find_loss(loss)
    try:
        made = _scikeras.unflatten_params(items=made, params=params)
    except TypeError as error:
        names = " and ".join(f"compile__loss__{name}" for name in params)
        reason = error if inspect.isclass(made) else "it is neither a name nor a class"
        raise ValueError(
            f"compile__loss={loss!r} can't be made with {names or 'no parameters'}: "
            f"{reason}. Name a loss that takes them, such as "
            "compile__loss='categorical_crossentropy' for label_smoothing."
        ) from error
    if isinstance(made, tuple(_LOSSES.values())) and not isinstance(made, _SPARSE):
        made = OneHotLoss(made)
    return made


def _find_loss(loss):
    """Return the class of a loss of Keras that is named, or passed as a function."""
    if isinstance(loss, str) and _squeeze(loss) not in _LOSSES:
        try:
            loss = keras.losses.get(loss)  # an abbreviation, such as "mse"
        except ValueError as error:
            names = [x for x in vars(keras.losses) if "_" in x and "__" not in x]
            raise ValueError(
                "compile__loss must be a loss of Keras (its name, class, instance or "
                "function) or a function of labels and probabilities; got "
                f"{loss!r}.{suggest(loss, names)}"
            ) from error
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", "")
    if isinstance(loss, str) or loss is getattr(keras.losses, name, None):
        return _LOSSES.get(_squeeze(name), loss)
    return loss


def _squeeze(name):
    return name.lower().replace("_", "")


def make_callbacks(callbacks, params):
    """Return a list of callbacks from instances, classes and their parameters."""
    made = _scikeras.unflatten_params(
        items=[] if callbacks is None else callbacks, params=params
    )
    if isinstance(made, dict):
        made = list(made.values())
    made = list(made) if isinstance(made, (list, tuple)) else [made]
    for callback in made:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                "callbacks must be a Keras callback, or a list or dict of Keras "
                f"callbacks or their classes; got {callback!r}"
            )
    return made
