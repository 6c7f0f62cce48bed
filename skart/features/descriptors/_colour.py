"""Descriptors of colour and luminance."""

import numpy as np
import scipy.fft
import skimage

from skart.features.descriptors._pixels import check_image, grey

_SIDE = 8  # of the grid of color_layout
_N_LUMA, _N_CHROMA = 28, 15
_N_HUES, _N_LEVELS = 16, 8
_PERCENTILES = (5, 25, 50, 75, 95)

# The 64 colours of color_structure: where each range of chroma begins, and into how
# many hues and how many sums it is divided.
_CHROMAS = np.array([0, 6, 20, 60, 110])
_HUES, _SUMS = np.array([[1, 4, 4, 8, 8], [8, 4, 4, 2, 1]])
_STARTS = np.cumsum(_HUES * _SUMS) - _HUES * _SUMS

HSV_NAMES = (
    *("mean_h", "cos_h", "sin_h", "spread_h"),
    *("mean_s", "std_s", "skew_s", "mean_v", "std_v", "skew_v"),
    *(f"hue_{i}" for i in range(_N_HUES)),
    *(f"saturation_{i}" for i in range(_N_LEVELS)),
    *(f"value_{i}" for i in range(_N_LEVELS)),
)

LUMINANCE_NAMES = ("mean", "std", "skew", *(f"p{p}" for p in _PERCENTILES), "entropy")


def color_layout(image):
    """Compute the MPEG-7 colour layout: colours and their places.

    The image is reduced to the mean colours of 8 x 8 blocks in YCbCr. Each channel is
    transformed by a discrete cosine transform. The first 28 coefficients of luma and 15
    of each chroma channel are kept, in zigzag order, as in [1]_, but not quantized.

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
    >>> from skart.features.descriptors import color_layout
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


def color_structure(image):
    """Compute the MPEG-7 colour structure: colours and how finely they are mixed.

    For each of 64 colours, the share of all 8 x 8 windows that contain it. A colour in
    one large area is in few windows; the same amount in small dabs is in many. Colours
    are cells of the HMMD space [1]_ [2]_ (hue, and the maximum, minimum and difference
    of red, green and blue). Larger images are subsampled: every second pixel from 362 x
    362 pixels on, every fourth from 724 x 724. Shares are not quantized.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    vector : ndarray of shape (64,), dtype float32
        Shares, from greys to saturated colours. Their sum is the mean number of colours
        in a window, at least 1.

    References
    ----------
    .. [1] Messing, van Beek, Errico. "The MPEG-7 colour structure descriptor: image
       description using colour and local spatial information". ICIP 2001.
    .. [2] Manjunath, Ohm, Vasudevan, Yamada. "Color and texture descriptors". IEEE
       Transactions on Circuits and Systems for Video Technology 11(6), 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.features.descriptors import color_structure
    >>> float(color_structure(np.full((32, 32, 3), 128, np.uint8)).sum())
    1.0
    """
    image = check_image(image)
    height, width = image.shape[:2]
    step = 2 ** max(0, int(np.log2(height * width) / 2 - 7.5))
    hue, high, low = _hue_high_low(check_image(image[::step, ::step]))
    cell = np.searchsorted(_CHROMAS, high - low, side="right") - 1
    least, n_hues, n_sums = _CHROMAS[cell], _HUES[cell], _SUMS[cell]
    middle = np.floor((high + low + 1) / 2)
    level = (middle - least / 2) * n_sums / (255 - least)
    level = np.minimum(level.astype(np.intp), n_sums - 1)
    colour = _STARTS[cell] + (hue * n_hues).astype(np.intp) * n_sums + level
    # The colours of a window are the bits of a uint64.
    seen = np.uint64(1) << colour.astype(np.uint64)
    for shift in (1, 2, 4):
        seen = seen[shift:] | seen[:-shift]
        seen = seen[:, shift:] | seen[:, :-shift]
    octets = np.ascontiguousarray(seen, "<u8").reshape(-1, 1).view(np.uint8)
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], 1, bitorder="little")
    counts = [np.bincount(octet, minlength=256) @ bits for octet in octets.T]
    return (np.concatenate(counts) / seen.size).astype(np.float32)


def hsv(image):
    """Compute moments and histograms of hue, saturation and value.

    Hue is an angle and undefined for greys, so pixels are weighted by chroma (maximum
    minus minimum of red, green and blue): the mean hue (in turns, red is 0), the mean
    of its cosine and sine, and its circular spread (0 for a single hue, 1 for all
    hues). For saturation and value, the colour moments of [1]_: mean, standard
    deviation, and skewness as the cube root of the third central moment.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    vector : ndarray of shape (42,), dtype float32
        The moments, then the shares of 16 hues, 8 levels of saturation and 8 of value.

    References
    ----------
    .. [1] Stricker, Orengo. "Similarity of color images". Storage and Retrieval for
       Image and Video Databases III, SPIE 2420, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.features.descriptors import hsv
    >>> hsv(np.full((32, 32, 3), (255, 0, 0), np.uint8))[:4]
    array([0., 1., 0., 0.], dtype=float32)
    """
    hue, high, low = _hue_high_low(check_image(image))
    chroma = high - low
    saturation = chroma / np.maximum(high, 1)
    value = high / 255
    n_coloured = max(chroma.sum(dtype=float), 1)
    cosine, sine = (
        (chroma * wave(2 * np.pi * hue)).sum(dtype=float) / n_coloured
        for wave in (np.cos, np.sin)
    )
    length = min(np.hypot(cosine, sine), 1)
    # The direction of a sum of opposite hues is rounding noise; so is the sign of red.
    mean = np.round(np.arctan2(sine, cosine) / (2 * np.pi), 6) % 1
    mean = mean if length > 1e-6 else 0
    bins = (hue * _N_HUES).astype(np.intp).ravel()
    hues = np.bincount(bins, chroma.ravel(), _N_HUES)
    return np.concatenate(
        [
            [mean, cosine, sine, 1 - length if chroma.any() else 0],
            *(_moments(channel) for channel in (saturation, value)),
            hues / n_coloured,
            *(_histogram(channel) for channel in (saturation, value)),
        ]
    ).astype(np.float32)


def luminance(image):
    """Compute the distribution of luminance.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    vector : ndarray of shape (9,), dtype float32
        Mean, standard deviation and skewness (the cube root of the third central moment
        [1]_) of the luminance in 0-1, five percentiles, and the entropy of its 256
        levels in bits.

    References
    ----------
    .. [1] Stricker, Orengo. "Similarity of color images". Storage and Retrieval for
       Image and Video Databases III, SPIE 2420, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.features.descriptors import luminance
    >>> luminance(np.full((32, 32, 3), 255, np.uint8))
    array([1., 0., 0., 1., 1., 1., 1., 1., 0.], dtype=float32)
    """
    light = grey(check_image(image))
    levels = np.bincount(np.rint(255 * light).astype(np.intp).ravel())
    shares = levels[levels > 0] / light.size
    entropy = -(shares * np.log2(shares)).sum()
    percentiles = np.percentile(light, _PERCENTILES)
    return np.array([*_moments(light), *percentiles, entropy + 0], np.float32)


def _moments(channel):
    """Return mean, standard deviation and skewness in the unit of the channel."""
    mean = channel.mean(dtype=float)
    rest = channel - mean
    squares = rest * rest  # powers take many times as long
    return mean, np.sqrt(squares.mean()), np.cbrt((squares * rest).mean())


def _histogram(channel):
    bins = np.minimum((channel * _N_LEVELS).astype(np.intp), _N_LEVELS - 1)
    return np.bincount(bins.ravel(), minlength=_N_LEVELS) / channel.size


def _hue_high_low(image):
    """Return hue (in turns, 0 for grey), and the maximum and minimum of RGB."""
    # Several times as fast as skimage's rgb2hsv.
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
