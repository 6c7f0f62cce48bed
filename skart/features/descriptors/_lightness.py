"""Descriptors of lightness."""

import numpy as np
from scipy import ndimage, stats

from skart.features.descriptors._pixels import grey, moments

_PERCENTILES = (5, 25, 50, 75, 95)  # of luminance

# Of gunsel: the level below which pixels are dark, and the blocks per side.
_DARK, _BLOCKS = 64, 8

# Of topography: the sigma of derivatives, the levels of the pyramid, and what counts as
# flat: a surface that rises and bends by less, in levels of 255 a pixel.
_SIGMA = 1.5
_SIZES = ("full", "half", "quarter")
_FLAT = 0.5
_STRUCTURES = ("flat", "peak", "pit", "ridge", "ravine", "saddle", "slope")
_DIRECTIONS = 8

LUMINANCE_NAMES = ("mean", "std", "skew", *(f"p{p}" for p in _PERCENTILES), "entropy")
GUNSEL_NAMES = ("dark", "gradient", "maxima", "peak", "deviation", "skewness")
TOPOGRAPHY_NAMES = tuple(
    f"{size}_{name}"
    for size in _SIZES
    for name in (
        *_STRUCTURES,
        *(
            f"{part}_{i}"
            for part in ("gradient", "ridge", "ravine")
            for i in range(_DIRECTIONS)
        ),
    )
)


def luminance(image):
    """Compute the distribution of luminance.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    vector : ndarray of shape (9,), dtype float32
        Mean, standard deviation and skewness (defined as in :func:`hsv`) of the
        luminance in 0-1; its percentiles 5, 25, 50, 75 and 95; and the entropy of its
        256 levels in bits.
    """
    light = grey(image)
    levels = np.bincount(np.rint(255 * light).astype(np.intp).ravel())
    shares = levels[levels > 0] / light.size
    entropy = -(shares * np.log2(shares)).sum()
    percentiles = np.percentile(light, _PERCENTILES)
    return np.array([*moments(light), *percentiles, entropy + 0], np.float32)


def gunsel(image):
    """Compute six numbers of lightness and edges.

    The six are those of [1]_. Thresholds, bins, blocks and the gradient are not taken
    from there: they are not known for certain.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    numbers : ndarray of shape (6,), dtype float32
        Share of pixels darker than level 64 of 255; mean magnitude of Sobel's gradient
        in levels per pixel; number of maxima of the smoothed histogram of 64 bins;
        level of the highest; mean distance of the means of 8 x 8 blocks from the mean;
        skewness, 0 for a uniform image.

    References
    ----------
    .. [1] Gunsel, Sariel, Icoglu. "Content-based Access to Art Paintings". ICIP 2005.
    """
    lightness = 255 * grey(image)
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
    uniform = lightness.std() < 1e-3  # skewness would be 0 / 0
    return np.array(
        [
            np.mean(lightness < _DARK),
            gradient.mean(),
            maxima.sum(),
            edges[counts.argmax()] + (edges[1] - edges[0]) / 2,
            np.abs(np.array(blocks) - lightness.mean()).mean(),
            0 if uniform else stats.skew(lightness, axis=None),
        ],
        np.float32,
    )


def topography(image):
    """Compute histograms of the topographic structure of lightness.

    Lightness is interpreted as height, with slopes by the gradient and curvatures by
    the eigenvalues of the Hessian, at full, half and quarter size, as in [1]_. The
    classes are those of [2]_; ridges, ravines and tops are within half a pixel [3]_.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB image.

    Returns
    -------
    histograms : ndarray of shape (93,), dtype float32
        For each size, the shares of pixels that are flat, peak, pit, ridge, ravine,
        saddle and slope; and the shares of 8 directions of the gradient (weighted by
        magnitude), of ridges and of ravines (weighted by curvature), 0 without such
        pixels.

    References
    ----------
    .. [1] Florea, Toca, Gieseke. "Artistic Movement Recognition by Boosted Fusion of
       Color Structure and Topographic Description". WACV 2017.
    .. [2] Haralick, Watson, Laffey. "The Topographic Primal Sketch". International
       Journal of Robotics Research 2(1), 1983.
    .. [3] Steger. "An Unbiased Detector of Curvilinear Structures". IEEE Transactions
       on Pattern Analysis and Machine Intelligence 20(2), 1998.
    """
    surface = 255 * grey(image)
    parts = []
    for _ in _SIZES:
        parts += _describe_surface(surface)
        surface = ndimage.gaussian_filter(surface, 1)[::2, ::2]
    return np.concatenate(parts).astype(np.float32)


def _describe_surface(surface):
    """Return the shares of structures, and three histograms of directions."""

    def derivative(*order):
        return ndimage.gaussian_filter(surface, _SIGMA, order=order)

    down, right = derivative(1, 0), derivative(0, 1)
    steep, aspect = np.hypot(down, right), np.arctan2(down, right)
    strong, weak, across = _bend(derivative(2, 0), derivative(1, 1), derivative(0, 2))
    # The distance to a crest or a top, in pixels, is slope over curvature.
    bent = np.abs(strong) > _FLAT
    crest = bent & (2 * np.abs(steep * np.cos(aspect - across)) <= np.abs(strong))
    top = crest & (np.abs(weak) > _FLAT)
    top &= 2 * np.abs(steep * np.sin(aspect - across)) <= np.abs(weak)
    structure = np.select(
        [  # in the order of _STRUCTURES; the first that is true counts
            ~bent & (steep <= _FLAT),
            top & (strong < 0) & (weak < 0),
            top & (strong > 0) & (weak > 0),
            ~top & crest & (strong < 0),
            ~top & crest,
            top,
        ],
        range(6),
        default=6,
    )
    ridge, ravine = (structure == _STRUCTURES.index(x) for x in ("ridge", "ravine"))
    return [
        np.bincount(structure.ravel(), minlength=len(_STRUCTURES)) / surface.size,
        _histogram(aspect, 2 * np.pi, steep, steep > _FLAT),
        _histogram(across, np.pi, np.abs(strong), ridge),
        _histogram(across, np.pi, np.abs(strong), ravine),
    ]


def _bend(down, mixed, right):
    """Return the eigenvalues of the Hessian and the direction of the larger."""
    mean, spread = (down + right) / 2, np.hypot((right - down) / 2, mixed)
    upwards = mean >= 0
    strong = np.where(upwards, mean + spread, mean - spread)
    weak = np.where(upwards, mean - spread, mean + spread)
    angle = np.arctan2(2 * mixed, right - down) / 2
    return strong, weak, np.where(upwards, angle, angle + np.pi / 2)


def _histogram(angle, period, weight, where):
    bins = np.floor(angle[where] % period * (_DIRECTIONS / period)).astype(int)
    counts = np.bincount(bins % _DIRECTIONS, weight[where], minlength=_DIRECTIONS)
    return counts / max(counts.sum(), np.finfo(float).tiny)
