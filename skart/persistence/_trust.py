"""What a model file may hold."""

import io

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
    trusted = trusted_types()
    found = skops.io.get_untrusted_types(file=file)
    return [name for name in found if name not in trusted]


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
        return untrusted_types(io.BytesIO(skops.io.dumps(value)))
    except Exception:  # what skops can't write fails in many ways
        return [f"{type(value).__module__}.{type(value).__qualname__}"]


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


def is_sound(estimator):
    """Tell whether a support vector machine counts the vectors that it holds.

    Its compiled part believes what it counts, and would read past their end.

    Parameters
    ----------
    estimator : estimator
        Any.

    Returns
    -------
    sound : bool
        True also of other estimators.
    """
    counted = getattr(estimator, "_n_support", None)
    if counted is None:
        return True
    held = len(getattr(estimator, "support_vectors_", ()))
    return bool((counted >= 0).all()) and int(counted.sum()) == held
