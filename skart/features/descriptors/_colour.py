"""Descriptors of colour."""

import numpy as np
import scipy.fft
import skimage

from skart.features.descriptors._pixels import check_image, moments

_SIDE = 8  # of the grid of color_layout
_N_LUMA, _N_CHROMA = 28, 15
_N_HUES, _N_LEVELS = 16, 8

# The 64 colours of color_structure: where each range of chroma begins, and into how
# many hues and how many sums it is divided.
_CHROMAS = np.array([0, 6, 20, 60, 110])
_HUES, _SUMS = np.array([[1, 4, 4, 8, 8], [8, 4, 4, 2, 1]])
_STARTS = np.cumsum(_HUES * _SUMS) - _HUES * _SUMS

# The CSS keywords of the basic colours; for brown, saddlebrown: CSS's is nearly red.
_BASIC = {
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

HSV_NAMES = (
    *("mean_h", "cos_h", "sin_h", "spread_h"),
    *("mean_s", "std_s", "skew_s", "mean_v", "std_v", "skew_v"),
    *(f"hue_{i}" for i in range(_N_HUES)),
    *(f"saturation_{i}" for i in range(_N_LEVELS)),
    *(f"value_{i}" for i in range(_N_LEVELS)),
)

COLOR_NAMES = tuple(
    f"{part}_{name}"
    for part in ("all", "top_left", "top_right", "bottom_left", "bottom_right")
    for name in _BASIC
)


def color_layout(image):
    """Compute the MPEG-7 colour layout: colours and their places.

    The discrete cosine transform of the mean colours of 8 x 8 blocks in YCbCr [1]_, not
    quantized.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    vector : ndarray of shape (58,), dtype float32
        The first 28 coefficients of Y and 15 each of Cb and Cr, in zigzag order.

    References
    ----------
    .. [1] Manjunath, Ohm, Vasudevan, Yamada. "Color and texture descriptors". IEEE
       Transactions on Circuits and Systems for Video Technology 11(6), 2001.
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

    For each of 64 colours, cells of the HMMD space, the share of all windows of 8 x 8
    pixels that contain it [1]_, not quantized. From 362 x 362 pixels on, every second
    pixel is used; from 724 x 724 on, every fourth.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    vector : ndarray of shape (64,), dtype float32
        Shares, from greys to saturated colours. Their sum is the mean number of colours
        in a window.

    References
    ----------
    .. [1] Messing, van Beek, Errico. "The MPEG-7 colour structure descriptor: image
       description using colour and local spatial information". ICIP 2001.
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

    Hues are weighted by chroma, since greys have none. Skewness is the cube root of the
    third central moment, as in [1]_.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    vector : ndarray of shape (42,), dtype float32
        Mean hue in turns (red is 0), means of its cosine and sine, and circular spread
        (0 for a single hue, 1 for all hues); mean, standard deviation and skewness of
        saturation and of value; shares of 16 hues, 8 saturations and 8 values.

    References
    ----------
    .. [1] Stricker, Orengo. "Similarity of color images". Storage and Retrieval for
       Image and Video Databases III, SPIE 2420, 1995.
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
            *(moments(channel) for channel in (saturation, value)),
            hues / n_coloured,
            *(_histogram(channel) for channel in (saturation, value)),
        ]
    ).astype(np.float32)


def color_names(image):
    """Compute the shares of eleven basic colours, also in each quarter.

    Each pixel counts as the basic colour [1]_ that is nearest in CIELAB: black, blue,
    brown, grey, green, orange, pink, purple, red, white or yellow, by the keywords of
    CSS [2]_. The mapping learned from photographs in [3]_ is not used.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    shares : ndarray of shape (55,), dtype float32
        11 shares, which sum to 1, for the image and for each quarter, row by row.

    References
    ----------
    .. [1] Berlin, Kay. "Basic Color Terms: Their Universality and Evolution". 1969.
    .. [2] CSS Color Module Level 4, W3C: named colors.
    .. [3] Van de Weijer, Schmid, Verbeek, Larlus. "Learning Color Names for Real-World
       Applications". IEEE Transactions on Image Processing 18(7), 2009.
    """
    prototypes = np.array(list(_BASIC.values()), np.uint8)
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
    shares = [np.bincount(x.ravel(), minlength=len(_BASIC)) / x.size for x in parts]
    return np.concatenate(shares).astype(np.float32)


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
