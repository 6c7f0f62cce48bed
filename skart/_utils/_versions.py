"""The versions of what computes."""

import importlib.metadata
import platform
import warnings

import skart

# Raise it when a change changes features: those stored under another are left alone.
EXTRACTOR_VERSION = 2

# Other versions of these may compute something else.
COMPARED = ("skart", "keras", "scikit-learn", "tensorflow")

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


def compare_versions(file, recorded):
    """Warn if a file was saved with other versions, but for patch releases.

    Parameters
    ----------
    file : str or path
        Its name.
    recorded : dict of str to str
        The versions it was saved with.
    """
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
