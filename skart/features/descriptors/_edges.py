"""Descriptors of edges."""

import numpy as np
import scipy.ndimage
import skimage

from skart.features.descriptors._pixels import check_image, grey

_N_DIRECTIONS = 36

EDGE_DIRECTION_NAMES = (
    *(str(360 * i // _N_DIRECTIONS) for i in range(_N_DIRECTIONS)),
    "share",
)


def edge_direction(image):
    """Compute the distribution of edge directions.

    Edges are found by Canny's method, as in [1]_ (with 72 directions there). The
    direction of an edge is that of increasing lightness, counterclockwise from the
    right.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    vector : ndarray of shape (37,), dtype float32
        Shares of the edge pixels whose direction is nearest to 0, 10, ... 350 degrees
        (all 0 without edges), then the share of edges among all pixels.

    References
    ----------
    .. [1] Vailaya, Jain, Zhang. "On image classification: city images vs. landscapes".
       Pattern Recognition 31(12), 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.features.descriptors import edge_direction
    >>> image = np.zeros((32, 32, 3), np.uint8)
    >>> image[:16] = 255  # lighter above
    >>> int(edge_direction(image)[:36].argmax())
    9
    """
    light = grey(check_image(image)).astype(np.float32)
    edges = skimage.feature.canny(light)
    smooth = scipy.ndimage.gaussian_filter(light, 1)
    up, right = (
        sign * scipy.ndimage.sobel(smooth, axis)[edges]
        for axis, sign in ((0, -1), (1, 1))
    )
    turns = np.arctan2(up, right) / (2 * np.pi)
    bins = np.rint(turns * _N_DIRECTIONS).astype(np.intp) % _N_DIRECTIONS
    counts = np.bincount(bins, minlength=_N_DIRECTIONS)
    shares = counts / max(len(bins), 1)
    return np.append(shares, edges.mean()).astype(np.float32)


def hog(image):
    """Compute histograms of oriented gradients in each part of the image.

    The image is resized to 128 x 128 pixels; there are 9 orientations in cells of 16 x
    16 pixels, normalized in blocks of 2 x 2 cells [1]_.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    vector : ndarray of shape (1764,), dtype float32
        7 x 7 blocks of 2 x 2 cells of 9 orientations.

    References
    ----------
    .. [1] Dalal, Triggs. "Histograms of oriented gradients for human detection". CVPR
       2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.features.descriptors import hog
    >>> hog(np.zeros((32, 32, 3), np.uint8)).shape
    (1764,)
    """
    light = grey(check_image(image))
    small = skimage.transform.resize(light, (128, 128), anti_aliasing=True)
    return skimage.feature.hog(
        small, orientations=9, pixels_per_cell=(16, 16), cells_per_block=(2, 2)
    ).astype(np.float32)
