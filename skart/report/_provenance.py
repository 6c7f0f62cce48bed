"""Parameters and steps of an estimator as text."""

import inspect
import re

import pandas as pd

_MAX_LENGTH = 400


def list_parameters(estimator):
    """Return all parameters of an estimator and of its parts, a DataFrame."""
    parameters = {
        name: value
        for name, value in sorted(estimator.get_params(deep=True).items())
        if not _holds_estimators(value)  # their own parameters are listed
    }
    return pd.DataFrame(
        {
            "parameter": list(parameters),
            "value": [_describe(value) for value in parameters.values()],
        }
    )


def describe_steps(estimator):
    """Return the classes of the steps, ``"ImageLoader → LogisticRegression"``."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    steps = getattr(estimator, "steps", [("", estimator)])
    return " → ".join(
        step if isinstance(step, str) else type(step).__name__ for _, step in steps
    )


def _holds_estimators(value):
    """Return whether a value is a list of named estimators."""
    return isinstance(value, (list, tuple)) and any(
        isinstance(item, tuple) and hasattr(item[-1], "get_params") for item in value
    )


def _describe(value):
    """Return a parameter as text, an estimator as the name of its class."""
    if inspect.isclass(value) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_params"):
        return type(value).__name__
    if isinstance(value, dict):
        items = (f"{key}: {_describe(item)}" for key, item in value.items())
        text = f"{{{', '.join(items)}}}"
    elif hasattr(value, "dist") and hasattr(value, "args"):  # a SciPy distribution
        named = [f"{key}={item!r}" for key, item in value.kwds.items()]
        text = f"{value.dist.name}({', '.join([*map(repr, value.args), *named])})"
    else:
        # Without memory addresses, and without the folders of files.
        text = re.sub(r"<(?:[\w.]+\.)?(\w+) object at 0x\w+>", r"\1", repr(value))
        text = re.sub(
            r"""(['"])(?:~|/|[A-Za-z]:\\)[^'"]*[/\\]([^'"]+)\1""", r"\1…/\2\1", text
        )
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"
