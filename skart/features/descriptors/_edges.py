"""Descriptors of edges and of local patches."""

import numpy as np
import scipy.fft
import scipy.ndimage
import skimage

from skart.features.descriptors._pixels import grey

_N_DIRECTIONS = 36
_N_PATCHES = 300

EDGE_DIRECTION_NAMES = (
    *(str(360 * i // _N_DIRECTIONS) for i in range(_N_DIRECTIONS)),
    "share",
)


def edge_direction(image):
    """Compute the distribution of edge directions.

    Edges are found by Canny's method, as in [1]_. Their direction is that of increasing
    lightness, counterclockwise from the right.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    vector : ndarray of shape (37,), dtype float32
        Shares of the edge pixels whose direction is nearest to 0, 10, ... 350 degrees
        (all 0 without edges), then the share of edges among all pixels.

    References
    ----------
    .. [1] Vailaya, Jain, Zhang. "On image classification: city images vs. landscapes".
       Pattern Recognition 31(12), 1998.
    """
    light = grey(image).astype(np.float32)
    edges = skimage.feature.canny(light)
    smooth = scipy.ndimage.gaussian_filter(light, 1)
    up = -scipy.ndimage.sobel(smooth, 0)[edges]
    right = scipy.ndimage.sobel(smooth, 1)[edges]
    turns = np.arctan2(up, right) / (2 * np.pi)
    bins = np.rint(turns * _N_DIRECTIONS).astype(np.intp) % _N_DIRECTIONS
    counts = np.bincount(bins, minlength=_N_DIRECTIONS)
    shares = counts / max(len(bins), 1)
    return np.append(shares, edges.mean()).astype(np.float32)


def hog(image):
    """Compute histograms of oriented gradients in each part of the image.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image, which is resized to 128 x 128 pixels.

    Returns
    -------
    vector : ndarray of shape (1764,), dtype float32
        9 orientations in cells of 16 x 16 pixels, in 7 x 7 normalized blocks of 2 x 2
        cells [1]_.

    References
    ----------
    .. [1] Dalal, Triggs. "Histograms of oriented gradients for human detection". CVPR
       2005.
    """
    small = skimage.transform.resize(grey(image), (128, 128), anti_aliasing=True)
    return skimage.feature.hog(
        small, orientations=9, pixels_per_cell=(16, 16), cells_per_block=(2, 2)
    ).astype(np.float32)


def sift(image):
    """Describe the strongest patches of an image, at any scale and rotation.

    The scale-invariant feature transform [1]_ without upsampling, which would take
    nearly four times as long.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    patches : ndarray of shape (300, 128), dtype uint8
        One row per patch, those with the strongest scale-normalized Laplacian [2]_
        first; rows of zeros if there are fewer.

    References
    ----------
    .. [1] Lowe. "Distinctive image features from scale-invariant keypoints".
       International Journal of Computer Vision 60(2), 2004.
    .. [2] Lindeberg. "Feature detection with automatic scale selection". International
       Journal of Computer Vision 30(2), 1998.
    """
    light = grey(image).astype(np.float32)
    patches = np.zeros((_N_PATCHES, 128), np.uint8)
    finder = skimage.feature.SIFT(upsampling=1)
    try:
        finder.detect_and_extract(light)
    except RuntimeError:  # there are none
        return patches
    order = np.argsort(-_contrast(light, finder), kind="stable")[:_N_PATCHES]
    patches[: len(order)] = finder.descriptors[order]
    return patches


def _contrast(light, finder):
    """Return the scale-normalized Laplacian at the centre of each patch."""
    # As a product with cosines, which mirror the image at its borders.
    waves = scipy.fft.dctn(light)
    rows, columns = (np.pi * np.arange(side) / side for side in light.shape)
    squares = rows[:, None] ** 2 + columns**2
    thirds = np.rint(3 * np.log2(finder.sigmas))  # of an octave
    contrast = np.zeros(len(thirds))
    for third in np.unique(thirds):
        here = thirds == third
        scaled = 4 ** (third / 3) * squares
        response = scipy.fft.idctn(waves * scaled * np.exp(-scaled / 2))
        contrast[here] = np.abs(response[tuple(finder.keypoints[here].T)])
    return contrast
