"""Table of all descriptors."""

from collections.abc import Callable
from typing import NamedTuple

from skart.features.descriptors import _colour, _edges, _lightness, _texture


class Descriptor(NamedTuple):
    """A function of one image, the names of its numbers, and its version."""

    function: Callable  # uint8 (height, width, 3) -> float32 vector
    names: tuple
    version: int = 1  # increment it when the numbers change


def _number(prefix, n):
    return tuple(f"{prefix}{i}" for i in range(n))


DESCRIPTORS = {
    "color_layout": Descriptor(
        _colour.color_layout,
        _number("y_", 28) + _number("cb_", 15) + _number("cr_", 15),
    ),
    "hsv": Descriptor(_colour.hsv, _colour.HSV_NAMES),
    "luminance": Descriptor(_lightness.luminance, _lightness.LUMINANCE_NAMES),
    "color_structure": Descriptor(_colour.color_structure, _number("", 64)),
    "hog": Descriptor(_edges.hog, _number("", 1764)),
    "lbp": Descriptor(_texture.lbp, _number("", 54)),
    "ltp": Descriptor(_texture.ltp, _number("upper_", 59) + _number("lower_", 59)),
    "glcm": Descriptor(_texture.glcm, _texture.GLCM_NAMES),
    "gabor": Descriptor(_texture.gabor, _texture.GABOR_NAMES),
    "edge_direction": Descriptor(_edges.edge_direction, _edges.EDGE_DIRECTION_NAMES),
    "color_names": Descriptor(_colour.color_names, _colour.COLOR_NAMES),
    "topography": Descriptor(_lightness.topography, _lightness.TOPOGRAPHY_NAMES),
    "gunsel": Descriptor(_lightness.gunsel, _lightness.GUNSEL_NAMES),
    # Named by the size of the vocabulary.
    "sift": Descriptor(_edges.sift, None),
}
