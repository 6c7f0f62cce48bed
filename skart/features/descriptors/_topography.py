"""Topographic structure of lightness."""

import numpy as np
from scipy import ndimage

from skart.features.descriptors._pixels import check_image, grey

_SIGMA = 1.5
_SIZES = ("full", "half", "quarter")
_DIRECTIONS = 8
# A surface that rises and bends by less, in levels of 255 a pixel, counts as flat.
_FLAT = 0.5
_STRUCTURES = ("flat", "peak", "pit", "ridge", "ravine", "saddle", "slope")

TOPOGRAPHY_NAMES = tuple(
    f"{size}_{name}"
    for size in _SIZES
    for name in (
        *_STRUCTURES,
        *(f"gradient_{i}" for i in range(_DIRECTIONS)),
        *(f"ridge_{i}" for i in range(_DIRECTIONS)),
        *(f"ravine_{i}" for i in range(_DIRECTIONS)),
    )
)


def topography(image):
    """Compute histograms of the topographic structure of lightness.

    Lightness is interpreted as height. At each pixel, the gradient gives the slope, and
    the eigenvalues of the Hessian the curvature. There are the shares of pixels that
    are flat, peak, pit, ridge, ravine, saddle and slope, and histograms of eight
    directions of the gradient (weighted by its magnitude) and of ridges and ravines
    (weighted by curvature). All are computed for the image, and for the image at half
    and at a quarter of its size.

    Parameters
    ----------
    image : array-like of shape (height, width, 3), dtype uint8
        RGB.

    Returns
    -------
    histograms : ndarray of shape (93,), dtype float32
        For each of three levels, 7 shares, which sum to 1, and 3 histograms of 8 bins,
        which sum to 1 each, or are 0 without such pixels.

    Notes
    -----
    It is made after the pyramidal histograms of topography of Florea, Toca and Gieseke
    [1]_: gradient, Hessian and a pyramid are theirs; smoothing, thresholds, classes and
    bins are ours. The classes are those of the topographic primal sketch [2]_; a crest
    or a top is where the surface has one within half a pixel [3]_.

    References
    ----------
    .. [1] Florea, Toca, Gieseke. "Artistic Movement Recognition by Boosted Fusion of
       Color Structure and Topographic Description". WACV 2017.
    .. [2] Haralick, Watson, Laffey. "The Topographic Primal Sketch". International
       Journal of Robotics Research 2(1), 1983.
    .. [3] Steger. "An Unbiased Detector of Curvilinear Structures". IEEE Transactions
       on Pattern Analysis and Machine Intelligence 20(2), 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.features.descriptors import topography
    >>> topography(np.full((64, 64, 3), 90, np.uint8))[:7]  # flat
    array([1., 0., 0., 0., 0., 0., 0.], dtype=float32)
    """
    surface = 255 * grey(check_image(image))
    parts = []
    for _ in _SIZES:
        parts.append(_describe(surface))
        surface = ndimage.gaussian_filter(surface, 1)[::2, ::2]
    return np.concatenate(parts).astype(np.float32)


def _describe(surface):
    def derivative(*order):
        return ndimage.gaussian_filter(surface, _SIGMA, order=order)

    down, right = derivative(1, 0), derivative(0, 1)
    steep, aspect = np.hypot(down, right), np.arctan2(down, right)
    strong, weak, across = _bend(derivative(2, 0), derivative(1, 1), derivative(0, 2))
    # How far the surface's own crest or top is, in pixels, is slope over curvature.
    bent = np.abs(strong) > _FLAT
    crest = bent & (2 * np.abs(steep * np.cos(aspect - across)) <= np.abs(strong))
    top = crest & (np.abs(weak) > _FLAT)
    top &= 2 * np.abs(steep * np.sin(aspect - across)) <= np.abs(weak)
    structure = np.select(
        [
            ~bent & (steep <= _FLAT),
            top & (strong < 0) & (weak < 0),
            top & (strong > 0) & (weak > 0),
            top,
            crest & (strong < 0),
            crest,
        ],
        [
            _STRUCTURES.index(x)
            for x in ("flat", "peak", "pit", "saddle", "ridge", "ravine")
        ],
        default=_STRUCTURES.index("slope"),
    )
    shares = np.bincount(structure.ravel(), minlength=len(_STRUCTURES)) / surface.size
    ridge, ravine = (structure == _STRUCTURES.index(x) for x in ("ridge", "ravine"))
    return np.concatenate(
        [
            shares,
            _histogram(aspect, 2 * np.pi, steep, steep > _FLAT),
            _histogram(across, np.pi, np.abs(strong), ridge),
            _histogram(across, np.pi, np.abs(strong), ravine),
        ]
    )


def _bend(down, mixed, right):
    """Return the eigenvalues of the Hessian and the direction of the larger."""
    mean, spread = (down + right) / 2, np.hypot((right - down) / 2, mixed)
    upwards = mean >= 0
    strong = np.where(upwards, mean + spread, mean - spread)
    weak = np.where(upwards, mean - spread, mean + spread)
    angle = np.arctan2(2 * mixed, right - down) / 2  # of the larger one
    return strong, weak, np.where(upwards, angle, angle + np.pi / 2)


def _histogram(angle, period, weight, where):
    bins = np.floor(angle[where] % period * (_DIRECTIONS / period)).astype(int)
    counts = np.bincount(bins % _DIRECTIONS, weight[where], minlength=_DIRECTIONS)
    return counts / max(counts.sum(), np.finfo(float).tiny)
