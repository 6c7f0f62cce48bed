"""Pixels and lightness of an image."""

import numpy as np
import skimage

# The smallest side that all descriptors can process.
_LEAST_SIDE = 16


def check_image(image):
    """Validate an image; repeat the edges of one that is too small."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            "a descriptor takes one image of shape (height, width, 3) and dtype uint8; "
            f"got shape {image.shape} and dtype {image.dtype}"
        )
    if image.size == 0:
        raise ValueError(f"an image must have pixels; got shape {image.shape}")
    rows, columns = (max(0, _LEAST_SIDE - side) for side in image.shape[:2])
    return np.pad(image, [(0, rows), (0, columns), (0, 0)], mode="edge")


def grey(image):
    """Return the lightness of a valid image: luminance, 0 to 1."""
    return skimage.color.rgb2gray(check_image(image))


def grey_levels(image):
    """Return the lightness of a valid image in levels of 0 to 255, dtype uint8."""
    return np.rint(255 * grey(image)).astype(np.uint8)


def moments(channel):
    """Return mean, standard deviation and skewness in the unit of the channel."""
    mean = channel.mean(dtype=float)
    rest = channel - mean
    squares = rest * rest  # powers take many times as long
    return mean, np.sqrt(squares.mean()), np.cbrt((squares * rest).mean())
