"""Checks of parameters and data, with errors that say what is allowed."""

import difflib
import os
import re
from numbers import Integral, Real

import numpy as np
import pandas as pd

# Private, but the way in which every scikit-learn estimator checks its parameters.
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

__all__ = [
    "HasMethods",
    "Integral",
    "Interval",
    "Options",
    "Real",
    "StrOptions",
    "check_groups",
    "check_labels",
    "check_paths",
    "suggest",
    "validate",
    "validate_params",
    "visible",
]


def validate_params(estimator):
    """Validate the parameters of an estimator against its `_parameter_constraints`."""
    validate(
        type(estimator).__name__,
        estimator.get_params(deep=False),
        estimator._parameter_constraints,
    )


def validate(caller, params, constraints):
    """Validate parameters, a dict, against constraints; suggest a near option."""
    try:
        validate_parameter_constraints(constraints, params, caller_name=caller)
    except InvalidParameterError as error:
        name = re.search("'(.*?)'", str(error))[1]
        options = [
            option
            for constraint in constraints[name]
            if isinstance(constraint, Options)
            for option in constraint.options
            if isinstance(option, str)
        ]
        near = difflib.get_close_matches(str(params[name]), options, n=1)
        if not near:
            raise
        raise InvalidParameterError(f"{error} Did you mean {near[0]!r}?") from None


def suggest(received, allowed):
    """Return the allowed value that was probably meant, or all of them, as a hint."""
    allowed = sorted(allowed)
    near = difflib.get_close_matches(str(received), allowed, n=1)
    if near:
        return f" Did you mean {near[0]!r}?"
    if len(allowed) <= 30:
        return f" Allowed are {', '.join(allowed)}."
    return ""


def check_choice(name, value, allowed):
    """Return a value if it is one of those allowed; else raise ValueError."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}; got {value!r}")
    return value


def check_count(name, value):
    """Return a positive integer as an int; raise ValueError for other values."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive int; got {value!r}")
    return int(value)


def check_paths(name, value):
    """Return a 1-D array-like of paths as a list of str; else raise an error."""
    if isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(
            f"{name} must be a list or array of paths; got one path, {str(value)!r}"
        )
    if isinstance(value, (set, frozenset, dict)) or not pd.api.types.is_list_like(
        value
    ):
        raise TypeError(
            f"{name} must be a list, array or Series of paths; got a "
            f"{type(value).__name__}"
        )
    value = list(value) if not hasattr(value, "ndim") else np.asarray(value, object)
    if getattr(value, "ndim", 1) != 1:
        raise ValueError(
            f"{name} must be a 1-D array of paths; got shape {value.shape}"
        )
    if len(value) == 0:
        raise ValueError(f"{name} holds 0 paths; at least 1 is required")
    for index, path in enumerate(value):
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(
                f"{name} must hold paths (str or pathlib.Path); {name}[{index}] is "
                f"{path!r} of type {type(path).__name__}"
            )
    return [os.path.expanduser(path) for path in value]


def check_groups(groups, X):
    """Return groups as an array, or None; raise ValueError if a sample has none."""
    if groups is None:
        return None
    check_consistent_length(X, groups)
    missing = np.flatnonzero(pd.isna(groups))
    if len(missing):
        raise ValueError(
            f"groups names no artist for {len(missing)} of {len(groups)} samples, "
            f"first at position {missing[0]}: give each of them a name of its own"
        )
    return column_or_1d(groups)


def check_labels(y, name="y"):
    """Raise ValueError if a label is missing or y is not a classification target."""
    missing = np.flatnonzero(pd.isna(y))
    if len(missing):
        raise ValueError(
            f"{name} holds no label for {len(missing)} of {len(y)} samples, first at "
            f"position {missing[0]}: label them or leave them out"
        )
    check_classification_targets(y)


def visible(value):
    r"""Return a value as text, with control characters escaped: ``\n`` and so on."""
    return re.sub(
        r"[\x00-\x1f\x7f-\x9f]",
        lambda match: match[0].encode("unicode_escape").decode(),
        str(value),
    )
