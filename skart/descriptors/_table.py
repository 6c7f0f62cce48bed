"""The kinds of descriptors: a function, the names of its numbers and its source."""

from collections.abc import Callable
from typing import NamedTuple

from skart.descriptors.colour import HSV_NAMES, color_layout, hsv
from skart.descriptors.colour_names import COLOR_NAMES, color_names
from skart.descriptors.relief import TOPOGRAPHY_NAMES, topography
from skart.descriptors.six_numbers import GUNSEL_NAMES, gunsel


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


def _counted(**parts):
    """Name numbers that are only counted: ``y=2`` gives y_0 and y_1."""
    return tuple(f"{part}_{i}" for part, n in parts.items() for i in range(n))


KINDS = {
    "color_layout": Descriptor(
        color_layout, _counted(y=28, cb=15, cr=15), "Manjunath et al., 2001 (MPEG-7)"
    ),
    "hsv": Descriptor(hsv, HSV_NAMES, "Stricker and Orengo, 1995"),
    "color_names": Descriptor(
        color_names, COLOR_NAMES, "after van de Weijer et al., 2009"
    ),
    "gunsel": Descriptor(gunsel, GUNSEL_NAMES, "Gunsel et al., 2005"),
    "topography": Descriptor(topography, TOPOGRAPHY_NAMES, "after Florea et al., 2017"),
}
