"""What all descriptors begin with: the pixels of one image."""

import numpy as np
import skimage

# The least side that every descriptor has something to count in.
_LEAST_SIDE = 16


def check_image(image):
    """Check one image; the edges of a tiny one are repeated.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    image : ndarray of shape (>= 16, >= 16, 3), dtype uint8
        The pixels.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            "a descriptor takes one image of shape (height, width, 3) and dtype uint8; "
            f"got shape {image.shape} and dtype {image.dtype}"
        )
    if 0 in image.shape:
        raise ValueError(f"an image must have pixels; got shape {image.shape}")
    short = [max(0, _LEAST_SIDE - side) for side in image.shape[:2]]
    return np.pad(image, [(0, short[0]), (0, short[1]), (0, 0)], mode="edge")


def grey(image):
    """Give the luminance of an image.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    luminance : ndarray of shape (height, width), dtype float64
        0 to 1.
    """
    return skimage.color.rgb2gray(image)


def grey_levels(image):
    """Give the luminance of an image in whole levels.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    levels : ndarray of shape (height, width), dtype uint8
        0 to 255.
    """
    return np.rint(255 * grey(image)).astype(np.uint8)
