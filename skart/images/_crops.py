"""Crops of images, and their horizontal flips."""

from typing import NamedTuple

# Name, row and column of each position, in a grid of three by three.
_GRID = [
    (f"{row}_{column}", i, j)
    for i, row in enumerate(("top", "middle", "bottom"))
    for j, column in enumerate(("left", "centre", "right"))
]
_MIDDLE = [position for position in _GRID if position[1:] == (1, 1)]
_CORNERS = [position for position in _GRID if 1 not in position[1:]]
_SIDES = [position for position in _GRID if position[1:].count(1) == 1]
_POSITIONS = {1: _MIDDLE, 5: _MIDDLE + _CORNERS, 9: _MIDDLE + _CORNERS + _SIDES}


class Window(NamedTuple):
    """A part of an image, flipped or not."""

    box: tuple  # top, left, bottom and right in pixels; None for the whole image
    flipped: bool

    @property
    def key(self):
        """Part of the key of stored features: a list, or None for a whole image."""
        if self.box is None and not self.flipped:
            return None
        return [*(self.box or ()), self.flipped]

    def cut(self, images):
        """Return a view of this part of images, an array (n, height, width, 3)."""
        if self.box is not None:
            top, left, bottom, right = self.box
            images = images[:, top:bottom, left:right]
        return images[:, :, ::-1] if self.flipped else images


def name_windows(crops, horizontal_flip):
    """Return the names of the windows that `make_windows` makes, in the same order."""
    # The windows of five crops are the first of those of nine.
    names = ["whole"] if crops is None else [name for name, *_ in _POSITIONS[crops]]
    return names + [f"{name}_flipped" for name in names] * horizontal_flip


def make_windows(shape, crops, size, horizontal_flip):
    """Make windows of `size` in images of `shape`; without `crops`, the whole image."""
    boxes = [None] if crops is None else _make_boxes(shape, crops, size)
    windows = [Window(box, flipped=False) for box in boxes]
    return windows + [Window(box, flipped=True) for box in boxes] * horizontal_flip


def _make_boxes(shape, crops, size):
    """Return the boxes of crops; None for a crop that is the whole image."""
    if size[0] > shape[0] or size[1] > shape[1]:
        raise ValueError(
            f"crops of {size[0]} x {size[1]} pixels don't fit images of {shape[0]} x "
            f"{shape[1]}. Load larger images (ImageLoader(size=)) or pass a smaller "
            "crop_size."
        )
    if tuple(size) == tuple(shape):
        return [None] * crops
    boxes = []
    for _, i, j in _POSITIONS[crops]:
        top, left = (shape[0] - size[0]) * i // 2, (shape[1] - size[1]) * j // 2
        boxes.append((top, left, top + size[0], left + size[1]))
    return boxes
