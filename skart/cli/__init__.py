"""The ``skart`` command. Keras is imported only once a command needs it."""

# Each module registers a command, in the order in which help lists them.
from skart.cli import (  # noqa: F401
    _audit,
    _cache,
    _demo,
    _evaluate,
    _export,
    _info,
    _predict,
    _profile,
    _report,
    _reproduce,
    _train,
)
from skart.cli._app import app, main

__all__ = ["app", "main"]
