"""What a classifier was made of and with: parameters and versions, legibly."""

import inspect
import re

import pandas as pd

_LONGEST = 400


def list_parameters(estimator):
    """List every parameter of an estimator and of those within it.

    Parameters
    ----------
    estimator : estimator
        A pipeline, search or classifier.

    Returns
    -------
    table : DataFrame, a row a parameter
        ``parameter`` and ``value``, as a person would write it. Of an estimator, the
        class stands for it; its parameters follow under its name.
    """
    parameters = {
        name: value
        for name, value in estimator.get_params(deep=True).items()
        if not _holds_estimators(value)
    }
    return pd.DataFrame(
        {
            "parameter": sorted(parameters),
            "value": [_written(parameters[name]) for name in sorted(parameters)],
        }
    )


def describe_steps(estimator):
    """Name the steps of a pipeline, in the order of the flow.

    Parameters
    ----------
    estimator : estimator
        A pipeline, search or classifier.

    Returns
    -------
    text : str
        ``"ImageLoader → FeatureExtractor → DenseHeadClassifier"``.
    """
    estimator = getattr(estimator, "best_estimator_", estimator)
    steps = getattr(estimator, "steps", [("", estimator)])
    return " → ".join(
        step if isinstance(step, str) else type(step).__name__ for _, step in steps
    )


def _holds_estimators(value):
    """Whether it is a list of named estimators, all of which are listed themselves."""
    return isinstance(value, (list, tuple)) and any(
        isinstance(item, tuple) and hasattr(item[-1], "get_params") for item in value
    )


def _written(value):
    if hasattr(value, "get_params") and not inspect.isclass(value):
        return type(value).__name__
    if inspect.isclass(value) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, dict):
        items = (f"{key}: {_written(item)}" for key, item in value.items())
        text = f"{{{', '.join(items)}}}"
    elif hasattr(value, "dist") and hasattr(value, "args"):  # a frozen one of SciPy
        named = [f"{key}={item!r}" for key, item in value.kwds.items()]
        text = f"{value.dist.name}({', '.join([*map(repr, value.args), *named])})"
    else:
        # Where an object lies in memory says nothing.
        text = re.sub(r"<(?:[\w.]+\.)?(\w+) object at 0x\w+>", r"\1", repr(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
