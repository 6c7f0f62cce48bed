"""Shares of the eleven basic colours."""

import numpy as np
import skimage

from skart.features.descriptors._pixels import check_image

# The keywords of CSS for the eleven basic colour terms; of brown, saddlebrown: what CSS
# calls brown is nearly red.
_COLOURS = {
    "black": (0, 0, 0),
    "blue": (0, 0, 255),
    "brown": (139, 69, 19),
    "grey": (128, 128, 128),
    "green": (0, 128, 0),
    "orange": (255, 165, 0),
    "pink": (255, 192, 203),
    "purple": (128, 0, 128),
    "red": (255, 0, 0),
    "white": (255, 255, 255),
    "yellow": (255, 255, 0),
}

COLOR_NAMES = tuple(
    f"{part}_{name}"
    for part in ("all", "top_left", "top_right", "bottom_left", "bottom_right")
    for name in _COLOURS
)


def color_names(image):
    """Compute the shares of eleven basic colours, also in each quarter.

    Each pixel is assigned to the nearest colour in CIELAB: black, blue, brown, grey,
    green, orange, pink, purple, red, white or yellow, in this order.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    shares : ndarray of shape (55,), dtype float32
        11 shares, which sum to 1, for the image and for each quarter, row by row.

    Notes
    -----
    The mapping from colours to names that van de Weijer, Schmid, Verbeek and Larlus
    learned from photographs [1]_ is not part of skart: nearest prototypes, the keywords
    of CSS [2]_, stand in for it. The eleven terms are those of Berlin and Kay [3]_.

    References
    ----------
    .. [1] Van de Weijer, Schmid, Verbeek, Larlus. "Learning Color Names for Real-World
       Applications". IEEE Transactions on Image Processing 18(7), 2009.
    .. [2] CSS Color Module Level 4, W3C: named colors.
    .. [3] Berlin, Kay. "Basic Color Terms: Their Universality and Evolution". 1969.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.features.descriptors import color_names
    >>> image = np.zeros((16, 16, 3), np.uint8)
    >>> image[:, 8:] = 255, 0, 0  # black, and red on the right
    >>> shares = color_names(image).reshape(5, 11)
    >>> shares[0, [0, 8]], shares[2, 8]
    (array([0.5, 0.5], dtype=float32), np.float32(1.0))
    """
    prototypes = np.array(list(_COLOURS.values()), np.uint8)
    pixels = skimage.color.rgb2lab(check_image(image))[:, :, None]
    distances = ((pixels - skimage.color.rgb2lab(prototypes)) ** 2).sum(axis=3)
    names = distances.argmin(axis=2)
    height, width = (side // 2 for side in names.shape)
    parts = [
        names,
        names[:height, :width],
        names[:height, width:],
        names[height:, :width],
        names[height:, width:],
    ]
    shares = [np.bincount(x.ravel(), minlength=len(_COLOURS)) / x.size for x in parts]
    return np.concatenate(shares).astype(np.float32)
