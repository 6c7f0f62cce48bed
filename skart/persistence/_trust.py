"""What a model file may hold."""

import inspect

import numpy as np
import skops.io
from sklearn.base import BaseEstimator

import skart
from skart.persistence._parts import flatten

# Beside what skops trusts: our estimators ...
ESTIMATORS = (
    "AlexNetClassifier",
    "DenseHeadClassifier",
    "FeatureExtractor",
    "FineTuneClassifier",
    "HandcraftedFeatures",
    "HybridCNNClassifier",
    "ImageLoader",
    "SqueezeNetClassifier",
    "VGGLiteClassifier",
)
# ... what they are made of; and, of scikit-learn's ensembles and calibrated
# classifiers, plain holders of arrays and estimators, which are private there.
_HOLDERS = (
    "skart.cited.BoostedSVC",
    "skart.stacking.ArtistKFold",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.utils._bunch.Bunch",
)


def trusted_types():
    """List the types that skops is told to trust.

    Returns
    -------
    names : list of str
        With their modules.
    """
    ours = [getattr(skart, name) for name in ESTIMATORS]
    return [*_HOLDERS, *(f"{one.__module__}.{one.__name__}" for one in ours)]


def untrusted_types(file):
    """List the types in a file that it may not hold.

    Parameters
    ----------
    file : file object
        By skops.

    Returns
    -------
    names : list of str
        With their modules.
    """
    return _without_trusted(skops.io.get_untrusted_types(file=file))


def _without_trusted(names):
    trusted = trusted_types()
    return [name for name in names if name not in trusted]


def find_untrusted(value):
    """List the types in a value that a file may not hold.

    Parameters
    ----------
    value : object
        A parameter, or what was learned.

    Returns
    -------
    names : list of str
        With their modules.
    """
    if value is None or isinstance(value, (str, bool, int, float)):
        return []
    try:
        names = skops.io.get_untrusted_types(data=skops.io.dumps(value))
    except Exception:  # skops raises many kinds for what it can't write
        return [f"{type(value).__module__}.{type(value).__qualname__}"]
    return _without_trusted(names)


def find_unsafe_parameter(estimator):
    """Find a parameter that a file may not hold, or that Keras would make code of.

    Parameters
    ----------
    estimator : estimator
        Its own parameters are looked at, not those of estimators in it.

    Returns
    -------
    name : str or None
        The first.
    """
    for name, value in estimator.get_params(deep=False).items():
        # What is passed on to Keras: it makes objects of dicts.
        containers = (list, tuple, set) if "__" in name else (dict, list, tuple, set)
        for part in flatten(value, containers):
            if not isinstance(part, BaseEstimator) and (
                isinstance(part, dict) or find_untrusted(part)
            ):
                return name
    return None


def find_damage(estimator):
    """Find out whether what an estimator holds can't have been saved by skart.

    It covers what loading itself relies on; an estimator checks the rest when it is
    used.

    Parameters
    ----------
    estimator : estimator
        From a file.

    Returns
    -------
    reason : str or None
        What is wrong; None if nothing is.
    """
    for name, parameter in inspect.signature(type(estimator)).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD and not hasattr(estimator, name):
            return f"has no {name}"
    if isinstance(estimator, (skart.FeatureExtractor, skart.FineTuneClassifier)):
        if not isinstance(estimator.backbone, str):
            return "has a backbone without a name"
        if not isinstance(estimator.weights, (str, type(None))):
            return "has weights without a name"
    trunk = getattr(estimator, "trunk_", None)
    if trunk is not None and not (
        isinstance(estimator, skart.FineTuneClassifier)
        and isinstance(trunk, dict)
        and isinstance(trunk.get("backbone"), str)
        and isinstance(trunk.get("cut"), (str, type(None)))
    ):
        return "has a trunk_ that is none"
    if not _counts_its_vectors(estimator):
        return "counts other support vectors than it holds"
    return None


def _counts_its_vectors(estimator):
    """Return whether a support vector machine, if it is one, holds what it counts."""
    # Its compiled part believes what it counts, and would read past their end.
    counted = getattr(estimator, "_n_support", None)
    if counted is None:
        return True
    if not isinstance(counted, np.ndarray) or counted.dtype.kind not in "iu":
        return False
    shape = getattr(getattr(estimator, "support_vectors_", None), "shape", None) or (0,)
    return bool((counted >= 0).all()) and int(counted.sum()) == shape[0]
