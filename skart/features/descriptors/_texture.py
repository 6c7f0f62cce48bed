"""Descriptors of texture."""

import functools
import itertools

import numpy as np
import scipy.fft
import skimage

from skart.features.descriptors._pixels import grey, grey_levels

# Points and radius of lbp, and at which size of the image.
_RINGS = ((8, 1, 1), (16, 2, 1), (24, 3, 0.5))
_TOLERANCE = 5  # of ltp, in levels of 255
_GREYS = 32
_DISTANCES = (1, 2, 4)
_ANGLES = tuple(np.arange(4) * np.pi / 4)
_PROPERTIES = (
    *("contrast", "dissimilarity", "homogeneity"),
    *("energy", "correlation", "entropy"),
)
_N_SCALES, _N_DIRECTIONS = 4, 6
_LOWEST, _HIGHEST = 0.05, 0.4  # frequencies of gabor, in cycles a pixel
_MARGIN = 20

GLCM_NAMES = tuple(
    f"{name}_{distance}_{how}"
    for name in _PROPERTIES
    for how in ("mean", "range")
    for distance in _DISTANCES
)
GABOR_NAMES = tuple(
    f"{how}_{scale}_{180 * direction // _N_DIRECTIONS}"
    for how in ("mean", "std")
    for scale in range(_N_SCALES)
    for direction in range(_N_DIRECTIONS)
)


def lbp(image):
    """Compute local binary patterns: fine texture, such as brushwork.

    Rotation-invariant, uniform patterns [1]_ of the lightness, on circles of radius 1,
    2 and 3 with 8, 16 and 24 points; for radius 3, the image is halved in size first. A
    pattern is uniform if the points darker than the centre are contiguous.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    vector : ndarray of shape (54,), dtype float32
        For each circle of p points, the fractions of pixels with a uniform pattern of
        0, 1, ..., p points not darker than the centre, then of all other pixels.

    References
    ----------
    .. [1] Ojala, Pietikäinen, Mäenpää. "Multiresolution gray-scale and rotation
       invariant texture classification with local binary patterns". IEEE Transactions
       on Pattern Analysis and Machine Intelligence 24(7), 2002.
    """
    light = 255 * grey(image)
    shares = []
    for n_points, radius, size in _RINGS:
        levels = np.rint(_halved(light) if size == 0.5 else light).astype(np.uint8)
        patterns = skimage.feature.local_binary_pattern(
            levels, n_points, radius, "uniform"
        )[radius:-radius, radius:-radius]
        counts = np.bincount(patterns.astype(np.intp).ravel(), minlength=n_points + 2)
        shares.append(counts / patterns.size)
    return np.concatenate(shares).astype(np.float32)


def ltp(image):
    """Compute local ternary patterns: fine texture, less sensitive to noise.

    Of the 8 neighbours of a pixel, those lighter by at least 5 levels of 255 form the
    upper pattern, those darker by at least 5 the lower pattern [1]_. There are 58
    uniform patterns (see :func:`lbp`) with their orientation; all others share the
    last number.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    vector : ndarray of shape (118,), dtype float32
        Shares of pixels: 59 upper patterns, then 59 lower patterns. The first of each
        is the share of pixels without such a neighbour.

    References
    ----------
    .. [1] Tan, Triggs. "Enhanced local texture feature sets for face recognition under
       difficult lighting conditions". IEEE Transactions on Image Processing 19(6),
       2010.
    """
    levels = grey_levels(image).astype(np.int16)
    height, width = levels.shape
    centre = levels[1:-1, 1:-1]
    upper = np.zeros(centre.shape, np.uint8)
    lower = np.zeros(centre.shape, np.uint8)
    # Once around the pixel, so that neighbouring bits are neighbouring points.
    circle = [(0, 1), (0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (0, 2)]
    for bit, (row, column) in enumerate(circle):
        there = levels[row : row + height - 2, column : column + width - 2]
        upper |= (there >= centre + _TOLERANCE).astype(np.uint8) << bit
        lower |= (there <= centre - _TOLERANCE).astype(np.uint8) << bit
    patterns = np.arange(256, dtype=np.uint8)
    uniform = np.bitwise_count(patterns ^ (patterns << 1 | patterns >> 7)) <= 2
    bins = np.where(uniform, np.cumsum(uniform) - 1, uniform.sum())
    counts = [np.bincount(bins[part].ravel(), minlength=59) for part in (upper, lower)]
    return (np.concatenate(counts) / centre.size).astype(np.float32)


def glcm(image):
    """Compute properties of grey-level co-occurrence matrices: coarse texture.

    Haralick's properties [1]_ of pairs of pixels at distances 1, 2 and 4 in 4
    directions, with lightness in 32 levels.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    vector : ndarray of shape (36,), dtype float32
        Contrast, dissimilarity, homogeneity, energy, correlation and entropy: for each,
        3 means and 3 ranges over the directions.

    References
    ----------
    .. [1] Haralick, Shanmugam, Dinstein. "Textural features for image classification".
       IEEE Transactions on Systems, Man, and Cybernetics 3(6), 1973.
    """
    levels = grey_levels(image) // (256 // _GREYS)
    pairs = skimage.feature.graycomatrix(
        levels, _DISTANCES, _ANGLES, levels=_GREYS, symmetric=True, normed=True
    )
    numbers = []
    for name in _PROPERTIES:
        found = skimage.feature.graycoprops(pairs, name)
        numbers += [found.mean(axis=1), np.ptp(found, axis=1)]
    return np.concatenate(numbers).astype(np.float32)


def gabor(image):
    """Compute responses of Gabor filters: width and direction of strokes.

    Filters of 4 widths and 6 directions after [1]_, with wavelengths of 2.5 to 20
    pixels of the image at half size.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    vector : ndarray of shape (48,), dtype float32
        Mean amplitudes of the 24 filters, the coarsest first, each in steps of 30
        degrees from waves that run from left to right; then the standard deviations.

    References
    ----------
    .. [1] Manjunath, Ma. "Texture features for browsing and retrieval of image data".
       IEEE Transactions on Pattern Analysis and Machine Intelligence 18(8), 1996.
    """
    light = grey(image).astype(np.float32)
    half = _halved(light)
    sides = [scipy.fft.next_fast_len(side + 2 * _MARGIN) for side in half.shape]
    margins = [
        (_MARGIN, long - side - _MARGIN)
        for long, side in zip(sides, half.shape, strict=True)
    ]
    waves = scipy.fft.fft2(np.pad(half, margins, mode="symmetric"))
    amplitudes = np.abs(scipy.fft.ifft2(waves * _gabor_filters(*sides)))
    inner = tuple(slice(_MARGIN, _MARGIN + side) for side in half.shape)
    amplitudes = amplitudes[(slice(None), *inner)]
    means, deviations = amplitudes.mean((1, 2)), amplitudes.std((1, 2))
    return np.concatenate([means, deviations]).astype(np.float32)


def _halved(light):
    """Return the image at half size: means of 2 x 2 pixels."""
    height, width = (side // 2 for side in light.shape)
    fields = light[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return fields.mean((1, 3), dtype=light.dtype)


@functools.lru_cache(maxsize=4)
def _gabor_filters(height, width):
    """Return the filters in the frequency domain, ``(24, height, width)``."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
    ratio = (_HIGHEST / _LOWEST) ** (1 / (_N_SCALES - 1))
    filters = []
    for scale, direction in itertools.product(range(_N_SCALES), range(_N_DIRECTIONS)):
        centre = _LOWEST * ratio**scale
        angle = np.pi * direction / _N_DIRECTIONS
        # Neighbouring filters meet at half their height, at these distances.
        along = centre * (ratio - 1) / (ratio + 1)
        across = np.tan(np.pi / 2 / _N_DIRECTIONS) * np.sqrt(centre**2 - along**2)
        u = np.cos(angle) * columns - np.sin(angle) * rows - centre
        v = np.sin(angle) * columns + np.cos(angle) * rows
        filters.append(0.5 ** ((u / along) ** 2 + (v / across) ** 2))
    filters = np.array(filters, np.float32)
    filters[:, 0, 0] = 0  # an even brightness is no wave
    return filters
