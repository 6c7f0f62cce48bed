"""Heat maps over paintings, as pixels."""

import matplotlib as mpl
import numpy as np


def overlay_heat(image, heat, *, cmap="inferno"):
    """Lay a heat map over a painting.

    Places without heat show the painting in pale grey, the hottest place has the last
    colour of the colour map.

    Parameters
    ----------
    image : array-like of shape (height, width, 3)
        Painting with values from 0 to 255.
    heat : array-like of shape (height, width)
        Heat. Values of 0 and less are shown as no heat; the highest sets the scale.
    cmap : str or matplotlib.colors.Colormap, default="inferno"
        Colour map.

    Returns
    -------
    overlay : ndarray of shape (height, width, 3), dtype uint8
        The painting with the heat map.

    See Also
    --------
    skart.plotting.ExplanationDisplay : The same as a figure.

    Examples
    --------
    >>> import numpy as np
    >>> from skart.explanation import overlay_heat
    >>> overlay_heat(np.zeros((2, 2, 3)), [[0, 1], [2, -1]]).shape
    (2, 2, 3)
    """
    image, heat = np.asarray(image, np.float32), np.maximum(heat, 0)
    if image.shape != (*heat.shape, 3):
        raise ValueError(
            "image and heat must have the same height and width; got shapes "
            f"{image.shape} and {heat.shape}"
        )
    if not np.isfinite(heat).all():
        raise ValueError("heat must be finite; it holds NaN or infinity")
    colours = colour_heat(heat, cmap)
    grey = 64 + 0.6 * image @ np.array([0.299, 0.587, 0.114], np.float32)
    weight = colours[..., 3:]
    mixed = (1 - weight) * grey[..., None] + weight * colours[..., :3] * 255
    return mixed.round().clip(0, 255).astype(np.uint8)


def colour_heat(heat, cmap="inferno"):
    """Return the colours of heat as RGBA from 0 to 1: the hotter, the more opaque."""
    heat = np.maximum(heat, 0)
    share = heat / max(heat.max(), np.finfo(np.float32).tiny)
    colours = mpl.colormaps.get_cmap(cmap)(share)
    colours[..., 3] = 0.85 * share
    return colours
