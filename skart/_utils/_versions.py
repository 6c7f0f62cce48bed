"""Versions of skart and of the packages it computes with."""

import importlib.metadata
import platform
import warnings

import skart

# Increment it when features change: stored ones of other versions are ignored.
EXTRACTOR_VERSION = 2

# Other versions of these may compute other values.
COMPARED = ("skart", "keras", "scikit-learn", "tensorflow")

_PACKAGES = ("keras", "numpy", "pillow", "scikit-learn", "skops", "tensorflow")


def list_versions():
    """Return the versions of the packages that compute, without importing them."""
    versions = {"skart": skart.__version__, "python": platform.python_version()}
    for name in _PACKAGES:  # tensorflow may be tensorflow-cpu, for instance
        versions[name] = installed_version(name) or "unknown"
    return versions


def installed_version(name):
    """Return the version of an installed package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def compare_versions(file, recorded):
    """Warn if a file was saved with other versions, apart from patch releases."""
    here = list_versions()
    others = [
        f"{name} {recorded[name]} (here {here[name]})"
        for name in COMPARED
        if recorded[name].split(".")[:2] != here[name].split(".")[:2]
    ]
    if others:
        warnings.warn(
            f"{str(file)!r} was saved with {', '.join(others)}: check what it predicts",
            stacklevel=3,
        )
