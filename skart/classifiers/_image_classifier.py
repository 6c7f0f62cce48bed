"""What all classifiers that take images have in common."""

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d

from skart._utils._validation import check_choice
from skart.classifiers._base import BaseKerasClassifier
from skart.classifiers._views import KINDS, make_views, see
from skart.images._lazy import iter_batches
from skart.images._loader import check_images
from skart.networks import make_augmentation
from skart.networks._keras import predict_batch


class ImageClassifier(BaseKerasClassifier):
    """A Keras network that takes images, lazy or in memory, all of one size."""

    def _check_parameters(self):
        super()._check_parameters()
        dtypes = ("float32", "mixed_bfloat16", "mixed_float16")
        check_choice("dtype", self.dtype, dtypes)
        self._check_views()
        if self.augment is not None:
            make_augmentation(self.augment, seed=0)

    def _check_X_y(self, X, y, *, reset):
        X = check_images(X)
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        if reset:
            self.image_shape_ = tuple(X.shape[1:])
        else:
            self._check_shape(X)
        return X, y

    def _check_X(self, X):
        X = check_images(X)
        self._check_shape(X)
        return X

    def _check_views(self):
        kind = self.test_time_augmentation
        return check_choice("test_time_augmentation", kind, KINDS)

    def _predict_checked(self, X):
        kind = self._check_views()  # it may have been set since the fit
        if kind is None:
            return super()._predict_checked(X)
        views, means = make_views(kind, X.shape[1:3]), []
        for images in iter_batches(X, self._batch_size(X)):
            seen = [self._predict_images(see(view, images)) for view in views]
            means.append(np.mean(seen, axis=0))
        return np.concatenate(means)

    def _predict_images(self, images):
        """Predict from pixels, whatever is kept of the images they are from."""
        return predict_batch(self.model_, images)

    def _check_shape(self, X):
        if tuple(X.shape[1:]) != self.image_shape_:
            height, width, _ = self.image_shape_
            raise ValueError(
                f"{type(self).__name__} was trained on images of {height} x {width} "
                f"pixels; got {X.shape[1]} x {X.shape[2]}. Pass ImageLoader the size "
                f"({height}, {width})."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags
