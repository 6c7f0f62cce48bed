"""Similarity of pairs of thumbnails: aligned by their edges, compared by pixels."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

# Side of the thumbnails, and of what is compared after alignment, grey and in colour.
SIDE = 64
COMPARED_SIDE = 32
CHROMA_SIDE = 16
_COLOUR_SIDE = 8

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

# A box is left, top, right and bottom, as shares of 1.
WHOLE = np.array([0.0, 0.0, 1.0, 1.0])
_INWARDS = np.array([1, 1, -1, -1])


class Picture(NamedTuple):
    """Thumbnail of an image, by which near duplicates are found."""

    grey: np.ndarray  # (64, 64), uint8, stretched to a square
    chroma: np.ndarray  # (16, 16, 2), int8: differences of blue and red
    content: np.ndarray  # box within uniform margins
    proportions: float  # width divided by height


def compare(pictures, one, one_box, other, other_box):
    """Align boxes of images with boxes of others; return their similarities."""
    # It is the lower of the correlations of pixels and of details, and 0 where colours
    # or proportions rule a pair out.
    thumbnails, chroma, contents, proportions = pictures
    similarity = np.zeros(len(one))
    # Margins resemble each other; what lies well within them is compared.
    wanted_box = contents[one] + _BLUR / SIDE * (contents[one] != WHOLE) * _INWARDS
    wanted = sample(thumbnails[one], wanted_box, COMPARED_SIDE)
    # They show the same by the views that are alike, or by what their margins hold.
    starts = [
        _carry(wanted_box, one_box, other_box),
        _carry(wanted_box, contents[one], contents[other]),
    ]
    likeness = [
        _correlation(wanted, sample(thumbnails[other], start, COMPARED_SIDE))
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
    aligned = sample(thumbnails[other], other_box, COMPARED_SIDE)
    correlation = np.minimum(
        _correlation(wanted, aligned), _correlation(_details(wanted), _details(aligned))
    )
    agree = _colours_agree(
        *(
            (
                sample(thumbnails[index], box, _COLOUR_SIDE),
                np.stack(
                    [
                        sample(chroma[index, ..., channel], box, _COLOUR_SIDE)
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
    """Move boxes by the transformation that maps the old places to the new ones."""
    scale = np.tile(_sides(new) / _sides(old), 2)
    return np.tile(new[:, :2], 2) + (boxes - np.tile(old[:, :2], 2)) * scale


def _align(wanted, thumbnails, start):
    """Move the edges of boxes until their content resembles `wanted`."""
    best, best_boxes = np.full(len(start), -1.0), start.copy()
    place = ((np.arange(COMPARED_SIDE) + 0.5) / COMPARED_SIDE).astype(np.float32)
    across, down = place, place[:, np.newaxis]
    going, boxes = np.arange(len(start)), start
    for step in range(_N_STEPS + 1):
        seen = sample(thumbnails[going], boxes, COMPARED_SIDE)
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
        per_side = (COMPARED_SIDE / _sides(boxes)).astype(np.float32)[..., None, None]
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


def sample(thumbnails, boxes, side):
    """Cut boxes out of thumbnails and scale them to `side`, with antialiasing."""
    boxes = boxes.astype(np.float32)
    down = _weights(boxes[:, 1], boxes[:, 3], side, thumbnails.shape[1])
    across = _weights(boxes[:, 0], boxes[:, 2], side, thumbnails.shape[2])
    return down @ thumbnails.astype(np.float32) @ across.transpose(0, 2, 1)


def _weights(low, high, side, n_pixels):
    """Return weights of the pixels of a line for samples: (n, side, n_pixels)."""
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
    """Return whether the colours, each (grey, chroma), allow a pair to be copies."""
    # They do if an image has no colour, or if they differ by a colour cast only.
    (grey, chroma), (other_grey, other_chroma) = one, other
    # Pixels that are overexposed or black have lost their colour.
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
