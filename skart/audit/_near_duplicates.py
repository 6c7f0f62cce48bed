"""Near duplicates: a few candidates for each image, each compared by pixels."""

import joblib
import numpy as np
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from skart.audit._alignment import COMPARED_SIDE, WHOLE, Picture, compare, sample

# Shares cut from each side of an image so that its cropped copies find it.
_CROPS = (0.0, 0.025, 0.05)

# The lowest frequencies of the DCT, without the mean: 20 numbers.
_ORDER = 6
_ROW, _COLUMN = np.indices((_ORDER, _ORDER))
_LOW = (_ROW + _COLUMN > 0) & (_ROW + _COLUMN < _ORDER)

# Largest distance of two descriptions; number of images that are compared with one,
# which bounds the work where thousands look alike; number of views to query for these,
# for one more (it shows that there are still others), and for the image's own views.
# The nearest are compared first: the others may be connected through them. A pair of
# clusters is compared a few times at most.
_RADIUS = 0.55
_N_COMPARED = 8
_N_NEIGHBOURS = (len(_CROPS) + 1) * (_N_COMPARED + 2)
_N_FIRST = 2
_N_CHANCES = 3

_CHUNK = 512


def find_near_duplicates(pictures, *, min_similarity, n_threads=None):
    """Return pairs of indices of images that show one painting, and similarities."""
    # An image is described by the lowest frequencies of its discrete cosine transform,
    # as for a perceptual hash, but by values instead of signs: those near zero do no
    # harm. A k-d tree finds the nearest neighbours among images, images cropped by
    # 2.5 % and 5 %, and images without their margins. Neighbours are aligned by moving
    # the four edges of one image (Gauss-Newton: Baker, Matthews. "Lucas-Kanade 20 Years
    # On", IJCV 56(3), 2004) and compared by pixels.
    n = len(pictures)
    pairs, similarity, compared = np.empty((0, 2), int), np.empty(0), np.empty(0, int)
    if n < 2:
        return pairs, similarity
    pictures = Picture(*(np.stack(part) for part in zip(*pictures, strict=True)))
    looking = np.arange(n)
    while len(looking) > 1:
        one, one_box, other, other_box, rank, crowded = _candidates(
            pictures.grey[looking], pictures.content[looking], n_threads
        )
        n_before = len(pairs)
        one, other = looking[one], looking[other]
        met = np.sort(np.column_stack([one, other]), axis=1) @ [n, 1]
        new = ~np.isin(met, compared)
        compared = np.union1d(compared, met)
        # The nearest first: images that they connect are not compared again.
        for part in (rank < _N_FIRST, rank >= _N_FIRST):
            clusters = connect(pairs, n)
            todo = np.flatnonzero(new & part & (clusters[one] != clusters[other]))
            both = np.sort(clusters[np.column_stack([one, other])[todo]], axis=1)
            todo = todo[_ranks(both @ [n, 1]) < _N_CHANCES]
            found = _similarity(
                pictures,
                one[todo],
                one_box[todo],
                other[todo],
                other_box[todo],
                n_threads,
            )
            alike = found >= min_similarity
            todo = todo[alike]
            pairs = np.r_[pairs, np.column_stack([one[todo], other[todo]])]
            similarity = np.r_[similarity, found[alike]]
        if len(pairs) == n_before:
            break
        # Of dozens of copies each was compared with a few: go on with one per cluster.
        clusters = connect(pairs, n)
        crowded = np.unique(clusters[looking[crowded]])
        _, first = np.unique(clusters, return_index=True)
        looking = first[crowded]
    # A pair may be found from both sides: keep the higher similarity.
    pairs = np.sort(pairs, axis=1)
    best = np.lexsort((-similarity, pairs[:, 1], pairs[:, 0]))
    pairs, first = np.unique(pairs[best], axis=0, return_index=True)
    return pairs, similarity[best][first]


def connect(pairs, n):
    """Return the number of the connected component of each of `n` positions."""
    edges = coo_array((np.ones(len(pairs)), pairs.T), shape=(n, n))
    return connected_components(edges, directed=False)[1]


def _candidates(thumbnails, contents, n_threads):
    """Return pairs to compare (index and box of each), and images with many more."""
    everywhere = np.arange(len(thumbnails))
    within = np.flatnonzero((contents != WHOLE).any(axis=1))
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
        workers=n_threads or joblib.cpu_count(),
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
    """Count for each value the equal values before it."""
    order = np.argsort(values, kind="stable")
    ranks = np.empty(len(values), int)
    ordered = values[order]
    ranks[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered)
    return ranks


def _describe(thumbnails, boxes):
    low = dctn(sample(thumbnails, boxes, COMPARED_SIDE), axes=(1, 2), norm="ortho")
    low = low[:, :_ORDER, :_ORDER][:, _LOW]
    return low / np.maximum(np.linalg.norm(low, axis=1, keepdims=True), 1e-6)


def _similarity(pictures, one, one_box, other, other_box, n_threads):
    candidates = one, one_box, other, other_box
    compared = joblib.Parallel(n_threads or -1, prefer="threads")(
        joblib.delayed(compare)(
            pictures, *(part[start : start + _CHUNK] for part in candidates)
        )
        for start in range(0, len(one), _CHUNK)
    )
    return np.concatenate([*compared, np.empty(0)])
