"""The estimators that a model is made of: found, copied and changed."""

import copy
import os

import numpy as np
from sklearn.base import BaseEstimator

# Lists of named estimators, which the names of parameters leave out: "head__units".
_LISTS = ("estimators", "steps", "transformer_list", "transformers")


def copy_model(value, change, step="", copies=None):
    """Copy a model, changing each estimator in it; arrays and networks are shared.

    Parameters
    ----------
    value : object
        An estimator, or a part of one.
    change : callable
        Takes the step and the copy of each estimator, innermost first.
    step : str, default=""
        Where it stands: ``"features"``, for instance.
    copies : dict, default=None
        What was copied so far, by identity.

    Returns
    -------
    value : object
        The copy, in which paths are strings.
    """
    copies = {} if copies is None else copies
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if id(value) not in copies:
        copies[id(value)] = _copy(value, change, step, copies)
    return copies[id(value)]


def _copy(value, change, step, copies):
    def inner(part, name):
        return copy_model(part, change, name, copies)

    if isinstance(value, dict):
        new = copy.copy(value)
        for name, part in value.items():
            new[name] = inner(part, join(step, name))
    elif isinstance(value, np.ndarray) and value.dtype == object:
        new = value.copy()
        for place, part in enumerate(value.flat):
            new.flat[place] = inner(part, join(step, place))
    elif type(value) in (list, set):
        new = type(value)(
            inner(part, join(step, part[0] if _is_named(part) else place))
            for place, part in enumerate(value)
        )
    elif type(value) is tuple:
        new = tuple(
            inner(part, step if _is_named(value) else join(step, place))
            for place, part in enumerate(value)
        )
    elif isinstance(value, BaseEstimator) or (
        # Calibrated classifiers, for instance, stand in objects that are none.
        type(value).__module__.startswith("sklearn.") and hasattr(value, "__dict__")
    ):
        new = type(value).__new__(type(value))
        for name, part in vars(value).items():
            vars(new)[name] = inner(part, step if name in _LISTS else join(step, name))
        if isinstance(new, BaseEstimator):
            change(step, new)
    else:
        new = value
    return new


def _is_named(value):
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], str)


def join(step, name):
    """Name what stands in a step, as scikit-learn names parameters.

    Parameters
    ----------
    step : str
        Empty for the model itself.
    name : object
        Of a part of it.

    Returns
    -------
    name : str
        ``"features__cache"`` for instance.
    """
    return f"{step}__{name}" if step else str(name)


def flatten(value, containers=(dict, list, tuple, set)):
    """Iterate over what containers hold, at any depth.

    Parameters
    ----------
    value : object
        A container, or anything else.
    containers : tuple of type, default=(dict, list, tuple, set)
        What is opened.

    Yields
    ------
    part : object
        What is no such container.
    """
    if isinstance(value, containers):
        for part in value.values() if isinstance(value, dict) else value:
            yield from flatten(part, containers)
    else:
        yield value
