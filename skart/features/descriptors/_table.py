"""Table of all descriptors."""

from collections.abc import Callable
from typing import NamedTuple

from skart.features.descriptors._colour import (
    HSV_NAMES,
    LUMINANCE_NAMES,
    color_layout,
    color_structure,
    hsv,
    luminance,
)
from skart.features.descriptors._colour_names import COLOR_NAMES, color_names
from skart.features.descriptors._edges import EDGE_DIRECTION_NAMES, edge_direction, hog
from skart.features.descriptors._gunsel import GUNSEL_NAMES, gunsel
from skart.features.descriptors._local import sift
from skart.features.descriptors._texture import (
    GABOR_NAMES,
    GLCM_NAMES,
    gabor,
    glcm,
    lbp,
    ltp,
)
from skart.features.descriptors._topography import TOPOGRAPHY_NAMES, topography


class Descriptor(NamedTuple):
    """A function of one image, the names of its numbers, and its version."""

    function: Callable  # uint8 (height, width, 3) -> float32 vector
    names: tuple
    version: int = 1  # increment it when the numbers change


def _number(*parts):
    """Return names of numbers: of (part, n) pairs, ``part_0`` and so on."""
    return tuple(
        f"{part}_{i}" if part else str(i) for part, n in parts for i in range(n)
    )


DESCRIPTORS = {
    "color_layout": Descriptor(
        color_layout, _number(("y", 28), ("cb", 15), ("cr", 15))
    ),
    "hsv": Descriptor(hsv, HSV_NAMES),
    "luminance": Descriptor(luminance, LUMINANCE_NAMES),
    "color_structure": Descriptor(color_structure, _number(("", 64))),
    "hog": Descriptor(hog, _number(("", 1764))),
    "lbp": Descriptor(lbp, _number(("", 54))),
    "ltp": Descriptor(ltp, _number(("upper", 59), ("lower", 59))),
    "glcm": Descriptor(glcm, GLCM_NAMES),
    "gabor": Descriptor(gabor, GABOR_NAMES),
    "edge_direction": Descriptor(edge_direction, EDGE_DIRECTION_NAMES),
    "color_names": Descriptor(color_names, COLOR_NAMES),
    "topography": Descriptor(topography, TOPOGRAPHY_NAMES),
    "gunsel": Descriptor(gunsel, GUNSEL_NAMES),
    # Named by the size of the vocabulary.
    "sift": Descriptor(sift, None),
}
