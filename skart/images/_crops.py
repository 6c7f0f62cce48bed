"""Crops of images, and their horizontal flips."""

from typing import NamedTuple

# Row and column of each crop. Five crops are the first of nine.
_POSITIONS = (
    "middle_centre top_left top_right bottom_left bottom_right "
    "top_centre middle_left middle_right bottom_centre"
).split()
_HALVES = {"top": 0, "left": 0, "middle": 1, "centre": 1, "bottom": 2, "right": 2}


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

    def cut_shape(self, shape):
        """Return the shape of this part of an image of shape (height, width, 3)."""
        if self.box is None:
            return tuple(shape)
        top, left, bottom, right = self.box
        return bottom - top, right - left, shape[2]

    def cut(self, images):
        """Return a view of this part of images, an array (n, height, width, 3)."""
        if self.box is not None:
            top, left, bottom, right = self.box
            images = images[:, top:bottom, left:right]
        return images[:, :, ::-1] if self.flipped else images


def name_windows(crops, horizontal_flip):
    """Return the names of the windows that `make_windows` makes, in the same order."""
    names = ["whole"] if crops is None else _POSITIONS[:crops]
    return names + [f"{name}_flipped" for name in names] * horizontal_flip


def make_windows(shape, crops, size, horizontal_flip):
    """Make windows of `size` in images of `shape`; without `crops`, the whole image."""
    boxes = [None]
    if crops is not None:
        if size[0] > shape[0] or size[1] > shape[1]:
            raise ValueError(
                f"crops of {size[0]} x {size[1]} pixels don't fit images of "
                f"{shape[0]} x {shape[1]}. Load larger images (ImageLoader(size=)) or "
                "pass a smaller crop_size."
            )
        boxes = [_make_box(shape, size, position) for position in _POSITIONS[:crops]]
    flips = (False, True) if horizontal_flip else (False,)
    return [Window(box, flipped) for flipped in flips for box in boxes]


def _make_box(shape, size, position):
    """Return the box of a crop, or None if the crop is the whole image."""
    if tuple(size) == tuple(shape):
        return None
    row, column = (_HALVES[name] for name in position.split("_"))
    top, left = (shape[0] - size[0]) * row // 2, (shape[1] - size[1]) * column // 2
    return top, left, top + size[0], left + size[1]
