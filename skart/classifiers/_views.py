"""Views of an image, over which the probabilities of its classes are averaged."""

import numpy as np

from skart.images._crops import make_windows
from skart.networks._keras import keras

# What a classifier of images takes as test_time_augmentation.
KINDS = (None, "mirror", "crops", "mirror+crops")


def make_views(kind, shape):
    """List the windows through which an image is seen in prediction.

    Parameters
    ----------
    kind : {"mirror", "crops", "mirror+crops"}
        See :class:`skart.HybridCNNClassifier`.
    shape : (int, int)
        Height and width of the images in pixels.

    Returns
    -------
    views : list of Window
        The whole image is the first.
    """
    parts = kind.split("+")
    mirror = "mirror" in parts
    views = make_windows(shape, None, None, mirror)
    if "crops" in parts:
        height, width = shape
        size = (height * 7 + 7) // 8, (width * 7 + 7) // 8
        views += make_windows(shape, 5, size, mirror)
    return views


def see(view, images):
    """Cut a view out of images, and scale it to their size.

    Parameters
    ----------
    view : Window
        One of :func:`make_views`.
    images : ndarray of shape (n, height, width, 3)
        The images.

    Returns
    -------
    seen : ndarray of shape (n, height, width, 3)
        float32 where it was scaled, bilinearly; else as the images are.
    """
    seen, size = view.cut(images), images.shape[1:3]
    if seen.shape[1:3] == size:
        return seen
    return np.asarray(keras.ops.image.resize(seen.astype(np.float32), size))
