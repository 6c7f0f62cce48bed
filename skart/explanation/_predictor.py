"""A fitted classifier that predicts from pixels, and stores nothing."""

import copy

import numpy as np
from PIL import Image, ImageFilter
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skart._utils._validation import suggest
from skart.features import FeatureExtractor
from skart.features._stored import StoredFeatures
from skart.images import ImageLoader
from skart.images._loader import check_images

FILLS = ("blur", "mean", "grey")


class Predictor:
    """Probabilities of images by a fitted classifier, whose store is left alone."""

    def __init__(self, estimator):
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"a {type(estimator).__name__} that predicts no probabilities can't be "
                "explained. Wrap it in sklearn.calibration.CalibratedClassifierCV "
                "before it is fitted."
            )
        check_is_fitted(estimator)
        self.classes = np.asarray(estimator.classes_)
        loaders = []
        self._estimator = _without_store(estimator, loaders, {})
        # The pixels of other loaders, as of stacks, are made from those of the largest.
        self._loader = max(loaders, key=_count_pixels, default=None)
        if isinstance(estimator, Pipeline) and isinstance(estimator[0], ImageLoader):
            self._loader, self._estimator = self._estimator[0], self._estimator[1:]
            loaders = []
        self._takes_sources = bool(loaders)

    def load(self, X):
        """Return images as the classifier sees them, lazy or in memory."""
        if self._loader is None or getattr(X, "ndim", 1) == 4:
            return check_images(X)
        return self._loader.transform(X)

    def predict_proba(self, images):
        """Return the probabilities of images in memory."""
        if self._takes_sources:
            images = list(images.astype(np.uint8, copy=False))
        return np.asarray(self._estimator.predict_proba(images), np.float32)


def _count_pixels(loader):
    """Return the number of pixels of an image."""
    return np.prod(np.broadcast_to(loader.size, 2))


def without_store(estimator):
    """Copy a fitted estimator with the same learned state, but no store."""
    return _without_store(estimator, [], {})


def _without_store(value, loaders, done):
    """Copy nested estimators with the same learned state, but no store; list loaders.

    Networks and arrays are not copied.
    """
    if id(value) in done:
        return done[id(value)][0]
    if isinstance(value, dict):
        new = copy.copy(value)
        new.update(
            {name: _without_store(one, loaders, done) for name, one in value.items()}
        )
    elif type(value) in (list, tuple):
        new = type(value)(_without_store(one, loaders, done) for one in value)
    elif isinstance(value, BaseEstimator):
        # Not copy.copy, by which classifiers would copy their networks.
        new = object.__new__(type(value))
        vars(new).update(_without_store(dict(vars(value)), loaders, done))
        if isinstance(value, FeatureExtractor):
            new.verbose = False
            new = _UnstoredFeatures(new)
        elif isinstance(value, StoredFeatures):
            vars(new).update(cache=None, verbose=False)
        elif hasattr(value, "trunk_"):  # FineTuneClassifier
            vars(new).update(cache=None, verbose=0)
        elif isinstance(value, ImageLoader):
            new.cache_pixels = False
            loaders.append(new)
    else:
        return value
    done[id(value)] = new, value  # the latter keeps its id
    return new


class _UnstoredFeatures(BaseEstimator):
    """The features of an extractor, which may read converted networks in its store."""

    def __init__(self, extractor):
        self.extractor = extractor

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Compute features."""
        return np.concatenate(list(self.extractor.iter_transform(X)))

    def __sklearn_is_fitted__(self):
        return True


def find_codes(movements, classes, probabilities):
    """Return the column of the movement to explain for each row of probabilities."""
    if movements is None:
        return probabilities.argmax(axis=1)
    columns = {name: code for code, name in enumerate(classes.tolist())}
    wanted = np.asarray(movements).tolist()
    if not isinstance(wanted, list):
        wanted = [wanted] * len(probabilities)
    if len(wanted) != len(probabilities):
        raise ValueError(
            f"movements must be one movement or one for each of {len(probabilities)} "
            f"images; got {len(wanted)}"
        )
    for one in wanted:
        if one not in columns:
            hint = suggest(one, map(str, columns))
            for name in columns:
                if str(name) == str(one):
                    hint = f" Did you mean {name!r} of type {type(name).__name__}?"
            raise ValueError(
                f"movements holds {one!r}, which the model does not know.{hint}"
            )
    return np.array([columns[one] for one in wanted])


def make_explanation(heat, images, codes, probabilities, classes):
    """Return the result of a method."""
    return Bunch(
        heat=heat,
        images=images,
        movements=classes[codes],
        probabilities=probabilities,
        classes=classes,
    )


def make_fill(image, fill):
    """Return what stands in place of deleted parts of an image."""
    if fill == "blur":
        radius = max(image.shape[:2]) / 16
        pixels = Image.fromarray(image.astype(np.uint8, copy=False))
        return np.asarray(pixels.filter(ImageFilter.GaussianBlur(radius)))
    colour = 128 if fill == "grey" else image.mean(axis=(0, 1)).round()
    return np.full_like(image, colour)


def resize_heat(heat, shape):
    """Return heat of another height and width, interpolated linearly."""
    image = Image.fromarray(np.ascontiguousarray(heat, np.float32))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BILINEAR))
