"""Thumbnails to pairs of near duplicates: few candidates, each confirmed on pixels."""

from typing import NamedTuple

import joblib
import numpy as np
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

# Side of the thumbnails, and of what is compared after alignment.
SIDE = 64
_COMPARED = 32
CHROMA_SIDE = 16
_COLOUR_SIDE = 8

# Shares cut from each side of an image so that its cropped copies find it.
_CROPS = (0.0, 0.025, 0.05)

# The lowest frequencies of the DCT, without the mean: 20 numbers.
_ORDER = 6
_ROW, _COLUMN = np.indices((_ORDER, _ORDER))
_LOW = (_ROW + _COLUMN > 0) & (_ROW + _COLUMN < _ORDER)

# Farthest distance of two descriptions; how many images are compared with one, the
# bound on the work where thousands look alike; how many views to look at for these, for
# one more, which tells that there are more yet, and for the image's own.
# The first of them are compared before the others, which may then be connected by way
# of them; two images, or clusters of them, get so many chances.
_RADIUS = 0.55
_N_COMPARED = 8
_N_NEIGHBOURS = (len(_CROPS) + 1) * (_N_COMPARED + 2)
_N_FIRST = 2
_N_CHANCES = 3

# Least correlation that is worth aligning.
_HOPEFUL = 0.5

# How far alignment may move an edge: in a step, from where it began, out of the image.
_STEP, _DRIFT, _BEYOND = 0.03, 0.06, 0.08
_N_STEPS = 6
# It ends where a step gains less correlation than this, or there is no more to gain.
_LEAST_GAIN, _ENOUGH = 0.002, 0.995

# Pixels of a thumbnail at the edge of what lies within margins that have some of them.
_BLUR = 1

# How far proportions may differ, as logarithm, where different margins were cut off.
_PROPORTIONS = 0.1

# Least agreement of the colours of two colour images, and what counts as colour.
_COLOUR_AGREEMENT = 0.8
_COLOURED = 3.0

_WHOLE = np.array([0.0, 0.0, 1.0, 1.0])
_INWARDS = np.array([1, 1, -1, -1])

_CHUNK = 512


class Picture(NamedTuple):
    """What near duplicates are told by.

    Attributes
    ----------
    grey : ndarray of shape (64, 64), dtype uint8
        The image, stretched to a square.
    chroma : ndarray of shape (16, 16, 2), dtype int8
        Its blue and red difference.
    content : ndarray of shape (4,)
        What lies within uniform margins: left, top, right and bottom, shares of 1.
    proportions : float
        Width of the image by its height.
    """

    grey: np.ndarray
    chroma: np.ndarray
    content: np.ndarray
    proportions: float


def find_near_duplicates(pictures, *, min_similarity, n_jobs=None):
    """Find pairs of images that show one painting.

    An image is described by the lowest frequencies of its discrete cosine transform, as
    a perceptual hash is [1]_, but by their values instead of their signs, so that
    coefficients near zero do no harm. A k-d tree finds the nearest neighbours of each;
    the tree also holds each image cropped by 2.5 % and 5 %, and without its margins.
    Each pair of neighbours is aligned by moving the four edges of one image
    (Gauss-Newton [2]_), and then compared pixel by pixel.

    Parameters
    ----------
    pictures : list of Picture
        None of them of one colour.
    min_similarity : float
        Least correlation of the pixels of both, and of their details alone.
    n_jobs : int, default=None
        Threads.

    Returns
    -------
    pairs : ndarray of int, shape (n_pairs, 2)
        Indices of the images; the first is lower.
    similarity : ndarray of shape (n_pairs,)
        The lower of both correlations.

    References
    ----------
    .. [1] Zauner. "Implementation and Benchmarking of Perceptual Image Hash Functions".
       Diploma thesis, Hagenberg, 2010.
    .. [2] Baker, Matthews. "Lucas-Kanade 20 Years On: A Unifying Framework".
       International Journal of Computer Vision 56(3), 2004.
    """
    n = len(pictures)
    pairs, similarity, compared = np.empty((0, 2), int), np.empty(0), np.empty(0, int)
    if n < 2:
        return pairs, similarity
    pictures = Picture(*(np.stack(part) for part in zip(*pictures, strict=True)))
    looking = np.arange(n)
    while len(looking) > 1:
        one, one_box, other, other_box, rank, crowded = _candidates(
            pictures.grey[looking], pictures.content[looking], n_jobs
        )
        n_before = len(pairs)
        one, other = looking[one], looking[other]
        met = np.sort(np.column_stack([one, other]), axis=1) @ [n, 1]
        new = ~np.isin(met, compared)
        compared = np.union1d(compared, met)
        # The nearest first: what they connect needs no further proof.
        for part in (rank < _N_FIRST, rank >= _N_FIRST):
            clusters = connect(pairs, n)
            todo = np.flatnonzero(new & part & (clusters[one] != clusters[other]))
            both = np.sort(clusters[np.column_stack([one, other])[todo]], axis=1)
            todo = todo[_ranks(both @ [n, 1]) < _N_CHANCES]
            found = _similarity(
                pictures, one[todo], one_box[todo], other[todo], other_box[todo], n_jobs
            )
            alike = found >= min_similarity
            todo = todo[alike]
            pairs = np.r_[pairs, np.column_stack([one[todo], other[todo]])]
            similarity = np.r_[similarity, found[alike]]
        if len(pairs) == n_before:
            break
        # Of dozens of copies each has met a few only; one of each cluster looks on.
        clusters = connect(pairs, n)
        crowded = np.unique(clusters[looking[crowded]])
        _, first = np.unique(clusters, return_index=True)
        looking = first[crowded]
    # A pair may be found from both sides: the better one counts.
    pairs = np.sort(pairs, axis=1)
    best = np.lexsort((-similarity, pairs[:, 1], pairs[:, 0]))
    pairs, first = np.unique(pairs[best], axis=0, return_index=True)
    return pairs, similarity[best][first]


def connect(pairs, n):
    """Give positions that pairs connect, by way of others too, one number.

    Parameters
    ----------
    pairs : ndarray of int, shape (n_pairs, 2)
        Positions.
    n : int
        How many there are.

    Returns
    -------
    numbers : ndarray of int, shape (n,)
        From 0.
    """
    edges = coo_array((np.ones(len(pairs)), pairs.T), shape=(n, n))
    return connected_components(edges, directed=False)[1]


def _candidates(thumbnails, contents, n_jobs):
    """Pair images with neighbours: index and box of both, rank; and who is crowded."""
    everywhere = np.arange(len(thumbnails))
    within = np.flatnonzero((contents != _WHOLE).any(axis=1))
    views = [
        (everywhere, np.tile([crop, crop, 1 - crop, 1 - crop], (len(thumbnails), 1)))
        for crop in _CROPS
    ]
    views.append((within, contents[within]))
    owners = np.concatenate([owner for owner, _ in views])
    boxes = np.concatenate([box for _, box in views])
    described = [
        _describe(thumbnails[owners[start : start + _CHUNK]], boxes[start:][:_CHUNK])
        for start in range(0, len(owners), _CHUNK)
    ]
    described = np.concatenate(described)
    # Images as they are, and without margins, look for others in all views.
    asking = np.r_[everywhere, len(owners) - len(within) : len(owners)]
    distances, found = cKDTree(described).query(
        described[asking],
        k=_N_NEIGHBOURS,
        distance_upper_bound=_RADIUS,
        workers=joblib.effective_n_jobs(n_jobs),
    )
    rows, ranks = np.nonzero(np.isfinite(distances))
    asking, found = asking[rows], found[rows, ranks]
    other = owners[asking] != owners[found]
    asking, found = asking[other], found[other]
    # The nearest view of an image is enough; neighbours come in order of distance.
    _, first = np.unique(
        np.column_stack([asking, owners[found]]), axis=0, return_index=True
    )
    first.sort()
    asking, found = asking[first], found[first]
    rank = _ranks(asking)
    crowded = np.unique(owners[asking[rank == _N_COMPARED]])
    near = np.flatnonzero(rank < _N_COMPARED)
    near = near[np.argsort(rank[near], kind="stable")]
    asking, found = asking[near], found[near]
    return (
        *(owners[asking], boxes[asking], owners[found], boxes[found]),
        *(rank[near], crowded),
    )


def _ranks(values):
    """Count for each value how many equal ones come before it."""
    order = np.argsort(values, kind="stable")
    ranks = np.empty(len(values), int)
    ordered = values[order]
    ranks[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered)
    return ranks


def _describe(thumbnails, boxes):
    low = dctn(_sample(thumbnails, boxes, _COMPARED), axes=(1, 2), norm="ortho")
    low = low[:, :_ORDER, :_ORDER][:, _LOW]
    return low / np.maximum(np.linalg.norm(low, axis=1, keepdims=True), 1e-6)


def _similarity(pictures, one, one_box, other, other_box, n_jobs):
    candidates = one, one_box, other, other_box
    compared = joblib.Parallel(n_jobs, prefer="threads")(
        joblib.delayed(_compare)(
            pictures, *(part[start : start + _CHUNK] for part in candidates)
        )
        for start in range(0, len(one), _CHUNK)
    )
    return np.concatenate([*compared, np.empty(0)])


def _compare(pictures, one, one_box, other, other_box):
    """Align images of ``other`` with those of ``one``; give their similarity."""
    thumbnails, chroma, contents, proportions = pictures
    similarity = np.zeros(len(one))
    # Margins resemble each other; what lies well within them is compared.
    wanted_box = contents[one] + _BLUR / SIDE * (contents[one] != _WHOLE) * _INWARDS
    wanted = _sample(thumbnails[one], wanted_box, _COMPARED)
    # They show the same by the views that are alike, or by what their margins hold.
    starts = [
        _carry(wanted_box, one_box, other_box),
        _carry(wanted_box, contents[one], contents[other]),
    ]
    likeness = [
        _correlation(wanted, _sample(thumbnails[other], start, _COMPARED))
        for start in starts
    ]
    other_box = np.where((likeness[0] >= likeness[1])[:, np.newaxis], *starts)
    hopeful = np.maximum(*likeness) >= _HOPEFUL
    if not hopeful.any():
        return similarity
    one, wanted_box, other, other_box, wanted = (
        part[hopeful] for part in (one, wanted_box, other, other_box, wanted)
    )
    other_box = _align(wanted, thumbnails[other], other_box)
    aligned = _sample(thumbnails[other], other_box, _COMPARED)
    correlation = np.minimum(
        _correlation(wanted, aligned), _correlation(_details(wanted), _details(aligned))
    )
    agree = _colours_agree(
        *(
            (
                _sample(thumbnails[index], box, _COLOUR_SIDE),
                np.stack(
                    [
                        _sample(chroma[index, ..., channel], box, _COLOUR_SIDE)
                        for channel in (0, 1)
                    ],
                    axis=-1,
                ),
            )
            for index, box in ((one, wanted_box), (other, other_box))
        )
    )
    # Two plain areas are like any two once different margins are cut off and the rest
    # is stretched.
    width, height = (_sides(wanted_box) / _sides(other_box)).T
    stretched = np.log(width / height * proportions[one] / proportions[other])
    cut_alike = np.abs(contents[one] - contents[other]).max(axis=1) <= 2 / SIDE
    agree &= cut_alike | (np.abs(stretched) <= _PROPORTIONS)
    similarity[hopeful] = np.where(agree, correlation, 0)
    return similarity


def _carry(boxes, old, new):
    """Move boxes as one must to make new places of old ones."""
    scale = np.tile(_sides(new) / _sides(old), 2)
    return np.tile(new[:, :2], 2) + (boxes - np.tile(old[:, :2], 2)) * scale


def _align(wanted, thumbnails, start):
    """Move the edges of boxes until what they cut out resembles what is wanted."""
    best, best_boxes = np.full(len(start), -1.0), start.copy()
    place = ((np.arange(_COMPARED) + 0.5) / _COMPARED).astype(np.float32)
    across, down = place, place[:, np.newaxis]
    going, boxes = np.arange(len(start)), start
    for step in range(_N_STEPS + 1):
        seen = _sample(thumbnails[going], boxes, _COMPARED)
        correlation = _correlation(wanted[going], seen)
        gain = correlation - best[going]
        better = gain > 0
        best[going[better]] = correlation[better]
        best_boxes[going[better]] = boxes[better]
        # Most have arrived, or are lost, after two steps.
        hopeful = (gain > _LEAST_GAIN) & (correlation < _ENOUGH)
        going, boxes, seen = going[hopeful], boxes[hopeful], seen[hopeful]
        if step == _N_STEPS or not len(going):
            return best_boxes
        per_side = (_COMPARED / _sides(boxes)).astype(np.float32)[..., None, None]
        by_x = np.gradient(seen, axis=2) * per_side[:, 0]
        by_y = np.gradient(seen, axis=1) * per_side[:, 1]
        # How the pixels change with each edge, and with contrast and brightness.
        columns = [by_x * (1 - across), by_y * (1 - down), by_x * across, by_y * down]
        columns = np.stack([*columns, seen, np.ones_like(seen)], axis=1)
        columns = columns.reshape(*columns.shape[:2], -1)
        normal = columns @ columns.transpose(0, 2, 1)
        targets = columns @ wanted[going].reshape(len(going), -1, 1)
        diagonal = np.arange(6)
        normal[:, diagonal, diagonal] = normal[:, diagonal, diagonal] * 1.001 + 1e-3
        solved = np.linalg.solve(normal, targets)[..., 0]
        contrast = np.maximum(solved[:, 4:5], 0.2)
        boxes = boxes + np.clip(solved[:, :4] / contrast, -_STEP, _STEP)
        boxes = np.clip(boxes, start[going] - _DRIFT, start[going] + _DRIFT)
        boxes = np.clip(boxes, -_BEYOND, 1 + _BEYOND)


def _sample(thumbnails, boxes, side):
    """Cut boxes out and scale them with antialiasing: (n, side, side)."""
    boxes = boxes.astype(np.float32)
    down = _weights(boxes[:, 1], boxes[:, 3], side, thumbnails.shape[1])
    across = _weights(boxes[:, 0], boxes[:, 2], side, thumbnails.shape[2])
    return down @ thumbnails.astype(np.float32) @ across.transpose(0, 2, 1)


def _weights(low, high, side, n_pixels):
    """Weigh the pixels of a line for each sample of it: (n, side, n_pixels)."""
    low, length = low[:, np.newaxis], (high - low)[:, np.newaxis]
    places = (np.arange(side, dtype=np.float32) + 0.5) / side
    centres = (low + length * places) * n_pixels - 0.5
    centres = np.clip(centres, 0, n_pixels - 1)[:, :, np.newaxis]
    reach = np.maximum(length * n_pixels / side, 1)[:, :, np.newaxis]
    weights = np.maximum(
        1 - np.abs(centres - np.arange(n_pixels, dtype=np.float32)) / reach, 0
    )
    return weights / weights.sum(axis=2, keepdims=True)


def _sides(boxes):
    return boxes[:, 2:] - boxes[:, :2]


def _details(images):
    return images - gaussian_filter(images, sigma=(0, 1.5, 1.5))


def _colours_agree(one, other):
    """Tell whether colours don't speak against a pair; each is (grey, chroma).

    They don't if one of both has no colour, if the colours are alike, or if they are
    but for a cast.
    """
    (grey, chroma), (other_grey, other_chroma) = one, other
    # What is blown out or black has lost its colour.
    clear = (np.minimum(grey, other_grey) > 8) & (np.maximum(grey, other_grey) < 247)
    clear = clear[..., np.newaxis]
    n_clear = np.maximum(clear.sum(axis=(1, 2), keepdims=True), 1)
    both = [array * clear for array in (chroma, other_chroma)]
    strengths = [
        np.sqrt((array**2).sum(axis=(1, 2, 3)) / n_clear.ravel()) for array in both
    ]
    without_cast = [
        (array - array.sum(axis=(1, 2), keepdims=True) / n_clear) * clear
        for array in both
    ]
    alike = np.maximum(_cosine(*both), _cosine(*without_cast))
    return (np.minimum(*strengths) < _COLOURED) | (alike >= _COLOUR_AGREEMENT)


def _correlation(images, others):
    return _cosine(
        *(array - array.mean(axis=(1, 2), keepdims=True) for array in (images, others))
    )


def _cosine(arrays, others):
    arrays, others = (array.reshape(len(array), -1) for array in (arrays, others))
    lengths = np.linalg.norm(arrays, axis=1) * np.linalg.norm(others, axis=1)
    return (arrays * others).sum(axis=1) / np.maximum(lengths, 1e-6)
