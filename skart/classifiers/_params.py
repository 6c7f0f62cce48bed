"""Parameters of optimizers, callbacks and Keras' methods in an estimator."""

import importlib.util
import inspect
from pathlib import Path

from sklearn.base import BaseEstimator

from skart._utils._validation import suggest
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
