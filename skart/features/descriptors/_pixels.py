"""Pixels and luminance of an image."""

import numpy as np
import skimage

# The smallest side that all descriptors can process.
_LEAST_SIDE = 16


def check_image(image):
    """Return an image, of which the edges are repeated if it is tiny; else raise."""
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
    """Return the luminance of an image, 0 to 1."""
    return skimage.color.rgb2gray(image)


def grey_levels(image):
    """Return the luminance of an image in levels of 0 to 255, dtype uint8."""
    return np.rint(255 * grey(image)).astype(np.uint8)
