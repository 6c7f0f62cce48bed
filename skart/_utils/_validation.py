"""Error messages in one voice: what was received, what is allowed, what to do next."""

import difflib
import numbers
import os
import re

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length


def suggest(received, allowed):
    """Name the allowed value that was probably meant.

    Parameters
    ----------
    received : object
        What the user gave.
    allowed : iterable of str
        What is allowed.

    Returns
    -------
    hint : str
        ``" Did you mean 'x'?"``; else the allowed values, as far as they are few.
    """
    allowed = sorted(allowed)
    near = difflib.get_close_matches(str(received), allowed, n=1)
    if near:
        return f" Did you mean {near[0]!r}?"
    if len(allowed) <= 30:
        return f" Allowed are {', '.join(allowed)}."
    return ""


def check_choice(name, value, allowed):
    """Return a parameter's value if it is one of those allowed.

    Parameters
    ----------
    name : str
        The parameter.
    value : object
        What the user gave.
    allowed : tuple
        What is allowed.

    Returns
    -------
    value : object
        The value.

    Raises
    ------
    ValueError
        If it is not allowed.
    """
    if value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}; got {value!r}")
    return value


def check_count(name, value):
    """Return a parameter's value if it is a positive int.

    Parameters
    ----------
    name : str
        The parameter.
    value : object
        What the user gave.

    Returns
    -------
    value : int
        The value.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} must be a positive int; got {value!r}")
    return int(value)


def check_paths(name, value):
    """Return a parameter's paths as a list of str.

    Parameters
    ----------
    name : str
        The parameter.
    value : array-like of str or path, shape (n_paintings,)
        What the user gave.

    Returns
    -------
    paths : list of str
        The paths, in order.

    Raises
    ------
    TypeError
        If it holds anything but paths.
    ValueError
        If it is not one-dimensional, or empty.
    """
    if isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(
            f"{name} must be a list or array of paths; got one path, {str(value)!r}"
        )
    if not pd.api.types.is_list_like(value):
        raise TypeError(f"{name} must be a list or array of paths; got {value!r}")
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
    return [os.fspath(path) for path in value]


def check_groups(groups, X):
    """Check that each sample has a group.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
        Artists.
    X : sequence
        Samples.

    Returns
    -------
    groups : ndarray of shape (n_samples,) or None
        The same.

    Raises
    ------
    ValueError
        If one is missing.
    """
    if groups is None:
        return None
    check_consistent_length(X, groups)
    missing = np.flatnonzero(pd.isna(groups))
    if len(missing):
        raise ValueError(
            f"groups names no artist for {len(missing)} of {len(groups)} samples, "
            f"first at position {missing[0]}: give each of them a name of its own"
        )
    return np.asarray(groups)


def visible(value):
    r"""Make control characters visible, so that none can pass for the end of a name.

    Parameters
    ----------
    value : object
        What is to be shown.

    Returns
    -------
    text : str
        As it prints, with ``\n`` for a line break and so on.
    """
    return re.sub(
        r"[\x00-\x1f\x7f-\x9f]",
        lambda match: match[0].encode("unicode_escape").decode(),
        str(value),
    )
