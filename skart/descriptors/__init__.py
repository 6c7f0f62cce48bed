"""What was counted in pictures before networks: plain functions of one image.

Each takes one image, uint8 ``(height, width, 3)``, and gives a vector of float32 of a
length that does not depend on the image. :class:`skart.HandcraftedFeatures` applies
them to many.
"""

from skart.descriptors.colour import color_layout, color_structure, hsv, luminance
from skart.descriptors.colour_names import color_names
from skart.descriptors.edges import edge_direction, hog
from skart.descriptors.local import sift
from skart.descriptors.relief import topography
from skart.descriptors.six_numbers import gunsel
from skart.descriptors.texture import gabor, glcm, lbp, ltp

__all__ = [
    "color_layout",
    "color_names",
    "color_structure",
    "edge_direction",
    "gabor",
    "glcm",
    "gunsel",
    "hog",
    "hsv",
    "lbp",
    "ltp",
    "luminance",
    "sift",
    "topography",
]
