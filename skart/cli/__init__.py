"""The ``skart`` command; Keras is imported only by commands that need it."""

# Each module registers its command.
from skart.cli import (  # noqa: F401
    _audit,
    _cache,
    _demo,
    _evaluate,
    _explain,
    _export,
    _extract,
    _info,
    _map,
    _predict,
    _profile,
    _report,
    _reproduce,
    _serve,
    _similar,
    _suggest,
    _suspects,
    _train,
)
from skart.cli._app import app, main

__all__ = ["app", "main"]
