"""Colour: which ones there are, where they stand and how they mix."""

import numpy as np
import scipy.fft
import skimage

from skart.descriptors._pixels import check_image

_SIDE = 8  # of the grid of color_layout
_N_LUMA, _N_CHROMA = 28, 15
_N_HUES, _N_LEVELS = 16, 8

HSV_NAMES = (
    *("mean_h", "cos_h", "sin_h", "spread_h"),
    *("mean_s", "std_s", "skew_s", "mean_v", "std_v", "skew_v"),
    *(f"hue_{i}" for i in range(_N_HUES)),
    *(f"saturation_{i}" for i in range(_N_LEVELS)),
    *(f"value_{i}" for i in range(_N_LEVELS)),
)


def color_layout(image):
    """Where the colours are: a picture of 8 x 8 fields, as waves.

    The image is reduced to the mean colours of 8 x 8 fields, in YCbCr, and each channel
    is written as a sum of cosines (DCT), the slowest first. Of the luma the first 28
    are kept, of either chroma 15, in the zigzag order of the colour layout descriptor
    of MPEG-7 [1]_, which goes on to round them.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    vector : ndarray of shape (58,), dtype float32
        Coefficients of Y, Cb and Cr.

    References
    ----------
    .. [1] Manjunath, Ohm, Vasudevan, Yamada. "Color and texture descriptors". IEEE
       Transactions on Circuits and Systems for Video Technology 11(6), 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.descriptors import color_layout
    >>> color_layout(np.full((32, 32, 3), 128, np.uint8)).shape
    (58,)
    """
    image = check_image(image)
    fields = image.astype(np.float64)
    for axis in (0, 1):
        side = image.shape[axis]
        starts = np.arange(_SIDE) * side // _SIDE
        lengths = np.diff(starts, append=side)
        fields = np.add.reduceat(fields, starts, axis)
        fields /= lengths.reshape(-1, *(1,) * (2 - axis))
    waves = scipy.fft.dctn(
        skimage.color.rgb2ycbcr(fields / 255), axes=(0, 1), norm="ortho"
    )
    row, column = np.indices((_SIDE, _SIDE)).reshape(2, -1)
    diagonal = row + column
    zigzag = np.lexsort((np.where(diagonal % 2, row, column), diagonal))
    y, cb, cr = waves.reshape(-1, 3)[zigzag].T
    kept = y[:_N_LUMA], cb[:_N_CHROMA], cr[:_N_CHROMA]
    return np.concatenate(kept).astype(np.float32)


def hsv(image):
    """Which colours: moments and histograms of hue, saturation and value.

    Hue is an angle, and means nothing where there is no colour, so that each pixel
    counts for it by its chroma (the largest of red, green and blue less the smallest):
    its mean (in turns, red is 0), the mean of its cosine and sine, and how far it
    spreads (0 for one hue, 1 for all of them). Mean, standard deviation and skewness of
    the others are the colour moments of [1]_.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    vector : ndarray of shape (42,), dtype float32
        The moments, then shares of 16 hues, 8 levels of saturation and 8 of value.

    References
    ----------
    .. [1] Stricker, Orengo. "Similarity of color images". Storage and Retrieval for
       Image and Video Databases III, SPIE 2420, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.descriptors import hsv
    >>> hsv(np.full((32, 32, 3), (255, 0, 0), np.uint8))[:4]
    array([0., 1., 0., 0.], dtype=float32)
    """
    hue, high, low = _hue_high_low(check_image(image))
    chroma = high - low
    saturation = chroma / np.maximum(high, 1)
    value = high / 255
    n_coloured = max(chroma.sum(dtype=float), 1)
    centre = (chroma * np.exp(2j * np.pi * hue)).sum(dtype=complex) / n_coloured
    length = min(abs(centre), 1)
    # A sum of opposite hues has no direction but that of rounding.
    mean = np.angle(centre) / (2 * np.pi) % 1 if length > 1e-6 else 0
    mean = 0 if 1 - mean < 1e-6 else mean
    bins = (hue * _N_HUES).astype(np.intp).ravel()
    hues = np.bincount(bins, chroma.ravel(), _N_HUES)
    return np.concatenate(
        [
            [mean, centre.real, centre.imag, 1 - length if chroma.any() else 0],
            *(_moments(channel) for channel in (saturation, value)),
            hues / n_coloured,
            *(_histogram(channel) for channel in (saturation, value)),
        ]
    ).astype(np.float32)


def _moments(channel):
    """Mean, standard deviation and skewness as the cube root of the third moment."""
    mean = channel.mean(dtype=float)
    rest = channel - mean
    return mean, np.sqrt(np.mean(rest**2)), np.cbrt(np.mean(rest**3))


def _histogram(channel):
    bins = np.minimum((channel * _N_LEVELS).astype(np.intp), _N_LEVELS - 1)
    return np.bincount(bins.ravel(), minlength=_N_LEVELS) / channel.size


def _hue_high_low(image):
    """Split into hue (in turns, 0 for grey), largest and smallest of RGB."""
    # skimage's rgb2hsv is exact, too, but takes five times as long.
    red, green, blue = np.moveaxis(image.astype(np.float32), 2, 0)
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    chroma = np.maximum(high - low, 1)
    hue = np.where(
        high == red,
        (green - blue) / chroma,
        np.where(high == green, 2 + (blue - red) / chroma, 4 + (red - green) / chroma),
    )
    hue /= 6
    return np.where(hue < 0, hue + 1, hue), high, low
