"""The kinds of descriptors: a function, the names of its numbers and its source."""

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
    """One kind of descriptor.

    Parameters
    ----------
    function : callable
        One image, uint8 ``(height, width, 3)`` -> its vector, float32.
    names : tuple of str
        Of the vector's numbers; the kind's own name is put in front.
    source : str
        Where it was published.
    version : int, default=1
        Raise it when a change changes the numbers, so that those stored are not used.
    """

    function: Callable
    names: tuple
    source: str
    version: int = 1


def _numbered(n):
    """Name numbers by their place alone."""
    return tuple(map(str, range(n)))


def _counted(**parts):
    """Name numbers that are only counted: ``y=2`` gives y_0 and y_1."""
    return tuple(f"{part}_{i}" for part, n in parts.items() for i in range(n))


KINDS = {
    "color_layout": Descriptor(
        color_layout, _counted(y=28, cb=15, cr=15), "Manjunath et al., 2001 (MPEG-7)"
    ),
    "hsv": Descriptor(hsv, HSV_NAMES, "Stricker and Orengo, 1995"),
    "luminance": Descriptor(luminance, LUMINANCE_NAMES, "Stricker and Orengo, 1995"),
    "color_structure": Descriptor(
        color_structure, _numbered(64), "Messing et al., 2001 (MPEG-7)"
    ),
    "hog": Descriptor(hog, _numbered(1764), "Dalal and Triggs, 2005"),
    "lbp": Descriptor(lbp, _numbered(54), "Ojala et al., 2002"),
    "ltp": Descriptor(ltp, _counted(upper=59, lower=59), "Tan and Triggs, 2010"),
    "glcm": Descriptor(glcm, GLCM_NAMES, "Haralick et al., 1973"),
    "gabor": Descriptor(gabor, GABOR_NAMES, "Manjunath and Ma, 1996"),
    "edge_direction": Descriptor(
        edge_direction, EDGE_DIRECTION_NAMES, "Vailaya et al., 1998"
    ),
    "color_names": Descriptor(
        color_names, COLOR_NAMES, "after van de Weijer et al., 2009"
    ),
    "topography": Descriptor(topography, TOPOGRAPHY_NAMES, "after Florea et al., 2017"),
    "gunsel": Descriptor(gunsel, GUNSEL_NAMES, "Gunsel et al., 2005"),
    # The one whose vectors are counted in a learned vocabulary, which names them.
    "sift": Descriptor(sift, None, "Lowe, 2004; Csurka et al., 2004"),
}
