"""The base class of the classifiers that take images."""

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d

from skart._utils._validation import StrOptions, suggest
from skart.classifiers._base import BaseKerasClassifier
from skart.images._crops import make_windows
from skart.images._lazy import iter_batches
from skart.images._loader import check_images
from skart.networks import make_augmentation
from skart.networks._keras import check_image_data_format, keras, predict_batch

VIEWS = ("horizontal_flip", "crops")


class ImageClassifier(BaseKerasClassifier):
    """Base class of classifiers of images of one size, lazy or in memory."""

    _parameter_constraints = {
        **BaseKerasClassifier._parameter_constraints,
        "augment": "no_validation",
        "test_time_augmentation": "no_validation",
        "dtype": [StrOptions({"float32", "mixed_bfloat16", "mixed_float16"})],
    }

    def _validate_parameters(self):
        super()._validate_parameters()
        self._validate_views()
        if self.augment is not None:
            make_augmentation(self.augment, seed=0)

    def _check_X_y(self, X, y, *, reset):
        X = self._check_X(X, reset=reset)
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        return X, y

    def _check_X(self, X, *, reset=False):
        check_image_data_format()
        X = check_images(X)
        if reset:
            self.image_shape_ = tuple(X.shape[1:])
        elif tuple(X.shape[1:]) != self.image_shape_:
            height, width, _ = self.image_shape_
            raise ValueError(
                f"{type(self).__name__} was trained on images of {height} x {width} "
                f"pixels; got {X.shape[1]} x {X.shape[2]}. Pass ImageLoader the size "
                f"({height}, {width})."
            )
        return X

    def _validate_views(self):
        views = self.test_time_augmentation
        if views is None:
            return ()
        if not isinstance(views, (list, tuple)):
            raise ValueError(
                "test_time_augmentation must be None or a list of "
                f"{' and '.join(map(repr, VIEWS))}; got {views!r}"
            )
        for view in views:
            if view not in VIEWS:
                raise ValueError(
                    f"test_time_augmentation holds {view!r}.{suggest(view, VIEWS)}"
                )
        return views

    def _predict_checked(self, X):
        views = self._validate_views()  # it may have been set after fit
        if not views:
            return super()._predict_checked(X)
        windows, means = make_view_windows(views, X.shape[1:3]), []
        for images in iter_batches(X, self._batch_size(X)):
            probabilities = [
                self._predict_images(cut_and_resize(window, images))
                for window in windows
            ]
            means.append(np.mean(probabilities, axis=0))
        return np.concatenate(means)

    def _predict_images(self, images):
        """Predict from pixels, without stored feature maps."""
        return predict_batch(self.model_, images)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


def make_view_windows(views, shape):
    """List the windows of test-time augmentation; the first is the whole image."""
    flip = "horizontal_flip" in views
    windows = make_windows(shape, None, None, flip)
    if "crops" in views:
        size = tuple((side * 7 + 7) // 8 for side in shape)
        windows += make_windows(shape, 5, size, flip)
    return windows


def cut_and_resize(window, images):
    """Cut a window out of images, and resize it to their size bilinearly."""
    cut, size = window.cut(images), images.shape[1:3]
    if cut.shape[1:3] == size:
        return cut
    return np.asarray(keras.ops.image.resize(cut.astype(np.float32), size))
