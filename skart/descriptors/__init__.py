"""Hand-made descriptors of images, as plain functions."""

from skart.descriptors._color_names import color_names
from skart.descriptors._gunsel import gunsel
from skart.descriptors._topography import topography

__all__ = ["color_names", "gunsel", "topography"]
