"""Features of paintings: computed by an extractor, or given."""

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array

from skart._utils._validation import HasMethods
from skart.features import FeatureExtractor
from skart.images import ImageLoader

# Of the parameter `extractor`.
EXTRACTOR = [HasMethods(["fit_transform", "transform"]), None]


def fit_extractor(extractor, X):
    """Return a fitted clone of the `extractor` parameter, and the features of X."""
    if extractor is None:
        return None, check_features(X)
    if isinstance(extractor, Pipeline) and is_classifier(extractor):
        raise TypeError(
            "extractor must return features, and this Pipeline ends in a classifier: "
            "pass pipe[:-1]"
        )
    extractor = clone(extractor)
    if isinstance(extractor, FeatureExtractor) and not _are_images(X):
        from skart.features._backbone import default_size

        loader = ImageLoader(default_size(extractor.backbone))
        extractor = Pipeline([("load", loader), ("features", extractor)])
    return extractor, check_features(extractor.fit_transform(X))


def extract(extractor, X):
    """Return the features of X by a fitted extractor, or X itself if it is None."""
    return check_features(X if extractor is None else extractor.transform(X))


def check_features(features):
    """Validate features: a finite 2-D array of floats."""
    return check_array(features, dtype=[np.float32, np.float64], ensure_min_features=1)


def _are_images(X):
    """Return whether X holds pixels, not paths."""
    return len(getattr(X, "shape", ())) == 4
