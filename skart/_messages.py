"""Error messages in one voice: what was received, what is allowed, what to do next."""

import difflib
import numbers


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
