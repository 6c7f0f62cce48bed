"""The versions of what computes."""

import importlib.metadata
import platform

import skart

_PACKAGES = ("keras", "numpy", "pillow", "scikit-learn", "skops", "tensorflow")


def list_versions():
    """List the versions of what computes, without importing it.

    Returns
    -------
    versions : dict of str to str
        By package, and of Python; ``"unknown"`` where another distribution stands in.
    """
    versions = {"skart": skart.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # tensorflow-cpu, for instance
            versions[name] = "unknown"
    return versions
