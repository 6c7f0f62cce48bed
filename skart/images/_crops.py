"""Parts of images that a network sees one at a time."""

from typing import NamedTuple

_GRID = [
    (f"{row}_{column}", i, j)
    for i, row in enumerate(("top", "middle", "bottom"))
    for j, column in enumerate(("left", "centre", "right"))
]
_MIDDLE = [place for place in _GRID if place[1:] == (1, 1)]
_CORNERS = [place for place in _GRID if 1 not in place[1:]]
_SIDES = [place for place in _GRID if place[1:].count(1) == 1]
_PLACES = {1: _MIDDLE, 5: _MIDDLE + _CORNERS, 9: _MIDDLE + _CORNERS + _SIDES}


class Window(NamedTuple):
    """A part of an image, as it is or mirrored.

    Parameters
    ----------
    name : str
        Where it is.
    box : (int, int, int, int) or None
        Top, left, bottom and right in pixels; None for the whole image.
    mirrored : bool
        Whether left and right are exchanged.
    """

    name: str
    box: tuple
    mirrored: bool

    @property
    def key(self):
        """What tells it from other windows: a list, None for a whole image."""
        if self.box is None and not self.mirrored:
            return None
        return [*(self.box or ()), self.mirrored]

    def cut(self, images):
        """Cut it out of images.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, 3)
            The images.

        Returns
        -------
        parts : ndarray of shape (n, h, w, 3)
            A view of them.
        """
        if self.box is not None:
            top, left, bottom, right = self.box
            images = images[:, top:bottom, left:right]
        return images[:, :, ::-1] if self.mirrored else images


def name_windows(crops, mirror):
    """Name the windows through which an image is seen.

    Parameters
    ----------
    crops : {1, 5, 9, None}
        The middle; and the corners; and the middles of the sides. None is the whole.
    mirror : bool
        Whether each is seen mirrored, too.

    Returns
    -------
    names : list of str
        Those of fewer crops are the first of those of more.
    """
    names = ["whole"] if crops is None else [name for name, _, _ in _PLACES[crops]]
    return names + [f"{name}_mirrored" for name in names] * mirror


def make_windows(shape, crops, size, mirror):
    """List the windows through which an image is seen.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the images in pixels.
    crops : {1, 5, 9, None}
        See :func:`name_windows`.
    size : (int, int) or None
        Height and width of a crop in pixels; unused for whole images.
    mirror : bool
        See :func:`name_windows`.

    Returns
    -------
    windows : list of Window
        In the order of their names.

    Raises
    ------
    ValueError
        If a crop is larger than the images.
    """
    boxes = [None] if crops is None else _place(shape, crops, size)
    seen = [(box, False) for box in boxes] + [(box, True) for box in boxes] * mirror
    names = name_windows(crops, mirror)
    return [Window(name, *how) for name, how in zip(names, seen, strict=True)]


def _place(shape, crops, size):
    """Give the boxes of crops; None for one that is the whole image."""
    if size[0] > shape[0] or size[1] > shape[1]:
        raise ValueError(
            f"crops of {size[0]} x {size[1]} pixels don't fit images of {shape[0]} x "
            f"{shape[1]}. Load larger images (ImageLoader(size=)) or pass a smaller "
            "crop_size."
        )
    if tuple(size) == tuple(shape):
        return [None] * crops
    boxes = []
    for _, i, j in _PLACES[crops]:
        top, left = (shape[0] - size[0]) * i // 2, (shape[1] - size[1]) * j // 2
        boxes.append((top, left, top + size[0], left + size[1]))
    return boxes
