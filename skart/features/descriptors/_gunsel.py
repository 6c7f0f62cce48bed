"""Six numbers of lightness and edges, after Gunsel, Sariel and Icoglu."""

import numpy as np
from scipy import ndimage, stats

from skart.features.descriptors._pixels import check_image, grey

_DARK = 64
_BLOCKS = 8

GUNSEL_NAMES = ("dark", "gradient", "maxima", "peak", "deviation", "skewness")


def gunsel(image):
    """Compute six numbers of lightness and edges.

    They are the share of dark pixels; the mean gradient magnitude; the number of maxima
    of the lightness histogram; the lightness of its highest maximum; the mean distance
    of the means of blocks from the mean of the image; and the skewness of lightness.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    numbers : ndarray of shape (6,), dtype float32
        Share of dark pixels; gradient in levels of 255 per pixel; number of maxima;
        level of the highest; mean distance of 8 x 8 blocks in levels; skewness, 0 for a
        uniform image.

    Notes
    -----
    Which six numbers is taken over from [1]_. That dark is below 64, that the histogram
    has 64 bins and is smoothed, that the gradient is Sobel's and that there are 8 x 8
    blocks is not: it isn't known for certain what they chose.

    References
    ----------
    .. [1] Gunsel, Sariel, Icoglu. "Content-based Access to Art Paintings". ICIP 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.features.descriptors import gunsel
    >>> image = np.full((64, 64, 3), 20, np.uint8)
    >>> image[:, 32:] = 220  # dark on the left, light on the right
    >>> gunsel(image).round(1)[[0, 2, 4]]
    array([  0.5,   2. , 100. ], dtype=float32)
    """
    lightness = 255 * grey(check_image(image))
    gradient = np.hypot(ndimage.sobel(lightness, 0), ndimage.sobel(lightness, 1)) / 8
    counts, edges = np.histogram(lightness, bins=64, range=(0, 256))
    counts = ndimage.gaussian_filter1d(counts / lightness.size, 1.5, mode="constant")
    # A maximum is higher than what is left of it; of a plateau, the first counts.
    around = np.pad(counts, 1)
    maxima = (counts > around[:-2]) & (counts >= around[2:]) & (counts > 1e-3)
    blocks = [
        block.mean()
        for row in np.array_split(lightness, _BLOCKS)
        for block in np.array_split(row, _BLOCKS, axis=1)
    ]
    even = lightness.std() < 1e-3  # skewness would be 0 / 0
    return np.array(
        [
            np.mean(lightness < _DARK),
            gradient.mean(),
            maxima.sum(),
            edges[counts.argmax()] + (edges[1] - edges[0]) / 2,
            np.abs(np.array(blocks) - lightness.mean()).mean(),
            0 if even else stats.skew(lightness, axis=None),
        ],
        np.float32,
    )
