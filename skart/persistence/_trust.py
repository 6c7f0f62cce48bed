"""What a model file may hold."""

import inspect
import operator

import numpy as np
import skops.io
from sklearn.base import BaseEstimator

import skart
from skart.persistence._parts import flatten

# Beside what skops trusts: our estimators ...
ESTIMATORS = (
    "classifiers.CNNClassifier",
    "classifiers.DenseHeadClassifier",
    "classifiers.FineTuneClassifier",
    "classifiers.HybridCNNClassifier",
    "features.FeatureExtractor",
    "features.HandcraftedFeatures",
    "images.ImageLoader",
    "model_selection.ArtistKFold",
    "model_selection.BoostedSVC",
)
# ... what they are made of; and, of scikit-learn's ensembles and calibrated
# classifiers, plain holders of arrays and estimators, which are private there.
_HOLDERS = (
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
    ours = [operator.attrgetter(name)(skart) for name in ESTIMATORS]
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
    """Return what is wrong with an estimator from a file, as far as loading goes.

    Only what loading relies on is checked; estimators check the rest when used.

    Parameters
    ----------
    estimator : estimator
        An estimator, as skops read it.

    Returns
    -------
    reason : str or None
        End of a sentence that begins with its name; None if nothing is wrong.
    """
    for name, parameter in inspect.signature(type(estimator)).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD and not hasattr(estimator, name):
            return f"has no {name}"
    if isinstance(estimator, (skart.FeatureExtractor, skart.FineTuneClassifier)):
        if not isinstance(estimator.backbone, str):
            return "has a backbone that is not a name"
        if not isinstance(estimator.weights, (str, type(None))):
            return "has weights that are not the name of a file"
    trunk = getattr(estimator, "trunk_", None)
    if trunk is not None and not (
        isinstance(estimator, skart.FineTuneClassifier)
        and isinstance(trunk, dict)
        and isinstance(trunk.get("backbone"), str)
        and isinstance(trunk.get("cut"), (str, type(None)))
    ):
        return "has an invalid trunk_"
    if not _counts_its_vectors(estimator):
        return "does not hold as many support vectors as it claims"
    return None


def _counts_its_vectors(estimator):
    """Return whether a support vector machine has as many vectors as it claims."""
    # Its compiled part relies on that number, and would read past their end.
    counted = getattr(estimator, "_n_support", None)
    if counted is None:
        return True
    if not isinstance(counted, np.ndarray) or counted.dtype.kind not in "iu":
        return False
    shape = getattr(getattr(estimator, "support_vectors_", None), "shape", None) or (0,)
    return bool((counted >= 0).all()) and int(counted.sum()) == shape[0]
