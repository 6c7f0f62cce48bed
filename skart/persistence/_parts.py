"""The estimators of a model: finding, copying and changing them."""

import copy
import os

import numpy as np
from sklearn.base import BaseEstimator

from skart.features import Encoder, FeatureExtractor
from skart.features._stored import digest_names, open_store
from skart.model_selection import ArtistKFold

# Lists of named estimators. Parameter names skip them: "head__units".
_LISTS = ("estimators", "steps", "transformer_list", "transformers")


def copy_model(value, change, step="", copies=None):
    """Copy a model and call ``change(step, copy)`` for each estimator in it."""
    # Innermost estimators come first. Arrays and networks are shared, paths become str,
    # and `copies` maps the id of each part to its copy.
    copies = {} if copies is None else copies
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if id(value) not in copies:
        copies[id(value)] = _copy(value, change, step, copies)
    return copies[id(value)]


def _copy(value, change, step, copies):
    def inner(part, name):
        return copy_model(part, change, name, copies)

    if isinstance(value, dict):
        new = copy.copy(value)
        for name, part in value.items():
            new[name] = inner(part, join(step, name))
    elif isinstance(value, np.ndarray) and value.dtype == object:
        new = value.copy()
        for index, part in enumerate(value.flat):
            new.flat[index] = inner(part, join(step, index))
    elif type(value) in (list, set):
        new = type(value)(
            inner(part, join(step, part[0] if _is_named(part) else index))
            for index, part in enumerate(value)
        )
    elif type(value) is tuple:
        new = tuple(
            inner(part, step if _is_named(value) else join(step, index))
            for index, part in enumerate(value)
        )
    elif isinstance(value, BaseEstimator) or _holds_estimators(value):
        new = type(value).__new__(type(value))
        for name, part in vars(value).items():
            if name == "_metadata_request":  # for fit; it refers back to its estimator
                continue
            vars(new)[name] = inner(part, step if name in _LISTS else join(step, name))
        if isinstance(new, BaseEstimator):
            change(step, new)
    else:
        new = value
    return new


def _holds_estimators(value):
    """Return whether an object is none but holds some, as in CalibratedClassifierCV."""
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return False
    return type(value).__module__.startswith("sklearn.") or any(
        isinstance(part, BaseEstimator) for part in flatten(vars(value))
    )


def _is_named(value):
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], str)


def join(step, name):
    """Return the name of a part in scikit-learn's manner: ``"features__cache"``."""
    return f"{step}__{name}" if step else str(name)


def flatten(value, containers=(dict, list, tuple, set)):
    """Iterate over the values in nested containers."""
    if isinstance(value, containers):
        for part in value.values() if isinstance(value, dict) else value:
            yield from flatten(part, containers)
    else:
        yield value


def clear_local_parameters(estimator):
    """Clear parameters that hold local paths or enable caches on disk."""
    cleared = {"cache": None, "cache_pixels": False, "keep": None, "memory": None}
    # Not those that a class of somebody else adds: they may mean anything.
    known = {
        name
        for kind in type(estimator).__mro__
        if kind.__module__.startswith(("skart.", "sklearn."))
        and hasattr(kind, "_get_param_names")
        for name in kind._get_param_names()
    }
    for name in vars(estimator).keys() & cleared.keys() & known:
        setattr(estimator, name, cleared[name])
    if isinstance(vars(estimator).get("cv"), ArtistKFold):
        estimator.cv = copy.copy(estimator.cv)
        estimator.cv.artists = None


def replace_augmentation(estimator, replace):
    """Replace the layer in `augment` of a classifier, or its description."""
    augment = vars(estimator).get("augment")
    if augment is not None and not isinstance(augment, str):
        estimator.augment = replace(augment)


def has_frozen_backbone(estimator):
    if isinstance(estimator, FeatureExtractor):
        return not isinstance(estimator.backbone, Encoder)
    # Set by fit. With the cut "input", all weights are trained and saved.
    trunk = getattr(estimator, "trunk_", None)
    return trunk is not None and trunk["cut"] != "input"


def digest_paintings(paths, cache):
    """Return the first 16 hex digits of each image's SHA-256; "" if unreadable."""
    digests = digest_names(paths, open_store(cache), read=True)
    return [digest.hex()[:16] if digest else "" for digest in digests]
