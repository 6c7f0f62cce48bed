"""The ``skart`` command. Keras is imported only once a command needs it."""

# Each module registers a command, in the order in which help lists them.
from skart.cli import (  # noqa: F401, I001
    _profile,
    _audit,
    _train,
    _evaluate,
    _predict,
    _info,
    _report,
    _reproduce,
    _cache,
    _demo,
)
from skart.cli._app import app, main

__all__ = ["app", "main"]
