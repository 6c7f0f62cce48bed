"""Descriptors of local patches."""

import numpy as np
import scipy.fft
import skimage

from skart.features.descriptors._pixels import check_image, grey

N_LOCAL = 300


def sift(image):
    """Describe the strongest patches of an image, at any scale and rotation.

    The scale-invariant feature transform [1]_, without upsampling the image first,
    which would take nearly four times as long and also find smaller patches. Patches
    are ordered by the scale-normalized Laplacian [2]_; the first 300 are kept.
    :class:`skart.HandcraftedFeatures` counts them as visual words.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    patches : ndarray of shape (300, 128), dtype uint8
        One row per patch, the strongest first; rows of zeros if there are fewer.

    References
    ----------
    .. [1] Lowe. "Distinctive image features from scale-invariant keypoints".
       International Journal of Computer Vision 60(2), 2004.
    .. [2] Lindeberg. "Feature detection with automatic scale selection". International
       Journal of Computer Vision 30(2), 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.features.descriptors import sift
    >>> image = np.zeros((64, 64, 3), np.uint8)
    >>> image[24:40, 24:40] = 255
    >>> sift(image).any(axis=1).sum() > 0
    np.True_
    """
    light = grey(check_image(image)).astype(np.float32)
    patches = np.zeros((N_LOCAL, 128), np.uint8)
    finder = skimage.feature.SIFT(upsampling=1)
    try:
        finder.detect_and_extract(light)
    except RuntimeError:  # there are none
        return patches
    order = np.argsort(-_contrast(light, finder), kind="stable")[:N_LOCAL]
    patches[: len(order)] = finder.descriptors[order]
    return patches


def _contrast(light, finder):
    """Return the scale-normalized Laplacian at each patch."""
    # As a product with cosines, which mirror the picture at its borders.
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
