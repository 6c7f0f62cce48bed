"""Features of paintings: computed by an extractor, or given."""

import os
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skart._utils._validation import HasMethods
from skart.features import FeatureExtractor
from skart.images import ImageLoader

# Constraints of the parameter `extractor`.
EXTRACTOR = [HasMethods(["fit_transform", "transform"]), None]


def fit_extractor(extractor, X, y=None):
    """Return the `extractor` parameter, fitted, and the features of X."""
    if extractor is None:
        return None, check_features(X)
    if isinstance(extractor, FeatureExtractor) and not _are_images(X):
        extractor = add_loader(extractor)
    if _is_fitted(extractor):
        return extractor, extract(extractor, X)
    extractor = clone(extractor)
    return extractor, check_features(extractor.fit_transform(X, y))


def add_loader(extractor, on_error="raise"):
    """Return the steps from paths to the features of a FeatureExtractor."""
    from skart.features._backbone import default_size

    loader = ImageLoader(default_size(extractor.backbone), on_error=on_error)
    return Pipeline([("load", loader), ("features", extractor)])


def extract(extractor, X):
    """Return the features of X by a fitted extractor, or X itself if it is None."""
    return check_features(X if extractor is None else extractor.transform(X))


def extract_features(extractor, paths):
    """Return the features of paths by fitted steps, and the failures by path."""
    images = extractor[0].transform(paths)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* images can't be read")
        features = extractor[1:].transform(images)
    return features, images.failures


def check_features(features):
    """Validate features: a finite 2-D array of floats."""
    return check_array(features, dtype=[np.float32, np.float64], ensure_min_features=1)


def are_paths(X):
    """Return whether all elements of X are paths."""
    return getattr(X, "ndim", 1) == 1 and all(
        isinstance(path, (str, os.PathLike)) for path in X
    )


def _are_images(X):
    """Return whether X holds pixels, not paths."""
    return len(getattr(X, "shape", ())) == 4


def _is_fitted(extractor):
    """Return whether a transformer, or each step of a Pipeline, can transform."""
    if isinstance(extractor, Pipeline):
        return all(
            step in (None, "passthrough") or _is_fitted(step)
            for _, step in extractor.steps
        )
    try:
        check_is_fitted(extractor)
    except NotFittedError:
        return False
    return True
