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


def make_windows(shape, crops, size, mirror):
    """List the windows through which an image is seen.

    Parameters
    ----------
    shape : (int, int) or None
        Height and width of the images; None where only the names are asked for.
    crops : {1, 5, 9, None}
        The middle; and the corners; and the middles of the sides. None is the whole.
    size : (int, int)
        Height and width of a crop in pixels.
    mirror : bool
        Whether each is seen mirrored, too.

    Returns
    -------
    windows : list of Window
        Those of fewer crops are the first of those of more.

    Raises
    ------
    ValueError
        If a crop is larger than the images.
    """
    plain = [("whole", None)]
    if crops is not None:
        height, width = size
        plain = []
        for name, i, j in _PLACES[crops]:
            if shape is None:
                plain.append((name, None))
                continue
            if height > shape[0] or width > shape[1]:
                raise ValueError(
                    f"crops of {height} x {width} pixels don't fit images of "
                    f"{shape[0]} x {shape[1]}. Load larger images (ImageLoader(size=)) "
                    "or pass a smaller crop_size."
                )
            top, left = (shape[0] - height) * i // 2, (shape[1] - width) * j // 2
            box = (int(top), int(left), int(top + height), int(left + width))
            whole = box == (0, 0, *shape[:2])
            plain.append((name, None if whole else box))
    return [
        Window(f"{name}_mirrored" if mirrored else name, box, mirrored)
        for mirrored in ([False, True] if mirror else [False])
        for name, box in plain
    ]
