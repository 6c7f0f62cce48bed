"""Types and parameters that a model file may contain."""

import inspect
import io
import pkgutil
import re

import numpy as np
import skops.io
from sklearn.base import BaseEstimator

import skart
from skart.persistence._parts import flatten

# Types that are trusted in addition to those of skops. Our estimators are recorded by
# their public names, so that private modules can be renamed.
ESTIMATORS = {
    "skart.classifiers.CNNClassifier",
    "skart.classifiers.DenseHeadClassifier",
    "skart.classifiers.FineTuneClassifier",
    "skart.classifiers.HybridCNNClassifier",
    "skart.evaluation.ConformalClassifier",
    "skart.exploration.NoveltyDetector",
    "skart.features.Encoder",
    "skart.features.FeatureExtractor",
    "skart.features.HandcraftedFeatures",
    "skart.images.ImageLoader",
    "skart.model_selection.ArtistKFold",
    "skart.model_selection.BoostedSVC",
    "skart.model_selection.StackedClassifier",
}
# Plain holders of arrays and estimators, which are private in scikit-learn.
_HOLDERS = {
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.utils._bunch.Bunch",
}
TRUSTED = sorted(ESTIMATORS | _HOLDERS)

# Objects of these packages can't be rebuilt from their attributes, or are not meant to
# be saved. Their users can't trust them.
_REFUSED = ("keras", "skart", "tensorflow")


def public_module(module):
    """Return the package of a module of skart; other modules are returned as is."""
    return ".".join(module.split(".")[:2]) if module.startswith("skart.") else module


def _public_name(name):
    module, _, kind = name.rpartition(".")
    return f"{public_module(module)}.{kind}"


def is_ours(estimator):
    """Return whether an estimator is, or derives from, one that can be saved."""
    return any(
        _public_name(f"{kind.__module__}.{kind.__name__}") in ESTIMATORS
        for kind in type(estimator).__mro__
    )


def untrusted_types(dumped):
    """Return the names in an open file of skops that `load_model` does not know."""
    names = skops.io.get_untrusted_types(file=dumped)
    return [name for name in names if _public_name(name) not in TRUSTED]


def is_refused(name):
    """Return whether a type can't be saved, even if the user trusts it."""
    return name.partition(".")[0] in _REFUSED


def find_refused(value):
    """Return the names of types in `value` that a model file may not contain."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return []
    try:
        names = untrusted_types(io.BytesIO(skops.io.dumps(value)))
    except Exception:  # skops raises many kinds for objects that it can't write
        return [f"{type(value).__module__}.{type(value).__qualname__}"]
    return [name for name in names if is_refused(name)]


def find_import_error(name):
    """Return why a class or function can't be imported by its name, or None."""
    if name.startswith(("__main__.", "__mp_main__.")):
        return "it is defined in a script or notebook"
    if name.endswith(">"):
        return "a lambda has no name"
    try:
        pkgutil.resolve_name(name)
    except Exception as error:  # the module may raise anything
        return f"{type(error).__name__}: {error}"
    return None


def list_trusted(trusted):
    """Return the names of the classes and functions that a user trusts."""
    if trusted is None:
        return []
    advice = (
        "pass a list of names, or of classes and functions: trusted=['my_module.Name']"
    )
    if not isinstance(trusted, (list, tuple, set)):
        raise TypeError(f"trusted must be a list or None; got {trusted!r}: {advice}")
    names = []
    for one in trusted:
        if isinstance(one, type) or inspect.isroutine(one):
            one = f"{one.__module__}.{one.__qualname__}"
        if not isinstance(one, str):
            raise TypeError(f"trusted holds {one!r}, which is not a name: {advice}")
        if not re.fullmatch(r"\w+(\.\w+)+", one):
            raise ValueError(
                f"trusted holds {one!r}, which is not the full name of one class or "
                f"function; wildcards are not allowed: {advice}"
            )
        names.append(one)
    return names


def find_unsafe_parameter(estimator):
    """Return the first parameter of an estimator that a file may not contain, or None.

    Parameters of nested estimators are not checked, nor is a layer in `augment`.
    """
    from skart.networks._keras import keras

    for name, value in estimator.get_params(deep=False).items():
        # Keras makes objects of the dicts in parameters that are routed to it.
        containers = (list, tuple, set) if "__" in name else (dict, list, tuple, set)
        for part in flatten(value, containers):
            if isinstance(part, BaseEstimator) or (
                name == "augment" and isinstance(part, keras.Layer)
            ):
                continue
            if isinstance(part, dict) or find_refused(part):
                return name
    return None


def find_damage(estimator):
    """Return how an estimator that skops loaded is invalid, or None.

    Only attributes that loading relies on are checked. Estimators validate their
    parameters when they are used.
    """
    for name, parameter in inspect.signature(type(estimator)).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD and not hasattr(estimator, name):
            return f"has no {name}"
    if isinstance(estimator, (skart.FeatureExtractor, skart.FineTuneClassifier)):
        kinds = (str, skart.Encoder)
        if isinstance(estimator, skart.FineTuneClassifier):
            kinds = str
        if not isinstance(estimator.backbone, kinds):
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
    # The compiled code of a support vector machine relies on the number of its vectors
    # and would read beyond the array.
    counts = getattr(estimator, "_n_support", None)
    if counts is not None:
        vectors = getattr(estimator, "support_vectors_", None)
        n_vectors = (getattr(vectors, "shape", None) or (0,))[0]
        if (
            not isinstance(counts, np.ndarray)
            or counts.dtype.kind not in "iu"
            or (counts < 0).any()
            or int(counts.sum()) != n_vectors
        ):
            return "does not have as many support vectors as it claims"
    return None
