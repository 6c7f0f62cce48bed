"""Parameters such as ``optimizer__learning_rate``, in any constructor."""

import functools
import inspect

from sklearn.base import BaseEstimator

from skart._utils._validation import suggest

# Parameters with these prefixes go on to what Keras builds or does with them.
_ROUTED_PREFIXES = ("optimizer", "compile", "fit", "callbacks")

# Arguments of Keras' fit that follow from others.
_SET_BY_US = (
    "x",
    "y",
    "initial_epoch",
    "sample_weight",
    "shuffle",
    "validation_data",
)


class RoutedParametersMixin:
    """Let an estimator take parameters for what Keras builds or does.

    They are taken by the constructor of each subclass, beside those in its signature,
    and by ``get_params`` and ``set_params``. Any other unknown name is an error.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _with_routed_parameters(cls.__init__)

    def get_params(self, deep=True):
        """Get the parameters, routed ones with them.

        Parameters
        ----------
        deep : bool, default=True
            Whether those of a parameter that is an estimator are given, too, as
            ``head__units`` for instance.

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
        own = {}
        for name, value in params.items():
            outer, nested, _ = name.partition("__")
            if _is_routed(name):
                self._check_parameter_name(name, error=ValueError)
                setattr(self, name, value)
                continue
            if nested and outer in _own_parameters(type(self)):
                if not hasattr(params.get(outer, getattr(self, outer)), "set_params"):
                    raise ValueError(
                        f"{name!r} can't be set: {outer} is no estimator. Pass one as "
                        f"{outer}, DenseHeadClassifier() for instance."
                    )
            else:
                self._check_parameter_name(name, error=ValueError)
            own[name] = value
        return BaseEstimator.set_params(self, **own)

    @classmethod
    def _check_parameter_name(cls, name, error=TypeError):
        names = _own_parameters(cls)
        if name not in names and not _is_routed(name):
            raise error(
                f"{cls.__name__} has no parameter {name!r}.{suggest(name, names)}"
            )
        prefix, _, rest = name.partition("__")
        if prefix in ("compile", "fit") and rest in (*names, *_SET_BY_US):
            raise error(
                f"{name!r} can't be passed on to Keras: {cls.__name__} sets {rest!r} "
                "itself"
            )


def _with_routed_parameters(init):
    @functools.wraps(init)  # the signature, too: scikit-learn reads parameters there
    def __init__(self, *args, **params):
        for name in params:
            self._check_parameter_name(name)
        init(self, *args, **{k: v for k, v in params.items() if not _is_routed(k)})
        vars(self).update({k: v for k, v in params.items() if _is_routed(k)})

    return __init__


def _own_parameters(cls):
    return list(inspect.signature(cls).parameters)


def _is_routed(name):
    prefix, separator, rest = name.partition("__")
    return prefix in _ROUTED_PREFIXES and bool(separator and rest)
