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
        By package, and of Python.
    """
    return {
        "skart": skart.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }
