"""Palettes, painters and what several movements draw with."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

# Each from dark to light. All movements paint from all palettes: colour alone must not
# tell one from another.
PALETTES = tuple(
    np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in line.split()])
    for line in (
        "1b2a41 2f6690 3a7ca5 81c3d7 d9dcd6 f4f1de",  # sea
        "2d1e2f 7a1f1d c8553d f28f3b ffd5a1 fff4e0",  # fire
        "1f2d1b 3f5e2b 6a994e a7c957 e0d68a f6f1d1",  # meadow
        "22181c 5c4033 8b5e3c b08968 ddb892 f3e9dc",  # earth
        "101419 3d434a 6c757d 9aa5b1 cfd6dd f2f2ef",  # slate
        "141414 1d3f8f c1121f f2c014 e8e4d8 fbf8ef",  # primaries
        "2b2d42 6d6875 b5838d e5989b ffcdb2 fff1e6",  # rose
        "0b132b 1c2541 3a506b 5bc0be c9d6c3 f5efd6",  # night
        "2f1847 5a2a82 a23b72 f18f01 f7c59f fdf6ec",  # dusk
        "12312b 1b6b63 2a9d8f e9c46a f4a261 fdf0d5",  # harbour
        "3b1c32 6a1e55 a64d79 d88fb0 f3d1dc fbf3f5",  # peony
        "1a1a1a 4a3f35 a3262a d4a017 e6d5b8 f7f0e0",  # lacquer
        "14213d 3b5b8c 8ea8c3 fca311 e5e5e5 fafafa",  # amber and blue
        "233d4d 5e8c61 fe7f2d fcca46 a1c181 f8f4e3",  # orchard
    )
)


@dataclass(frozen=True)
class Painter:
    """The habits of an invented artist, each in 0-1 but for the palette.

    Parameters
    ----------
    palette : ndarray of shape (6, 3)
        RGB colours in 0-255, from dark to light.
    scale : float
        From fine to broad.
    density : float
        From sparse to crowded.
    order : float
        From disorder to order.
    contrast : float
        From quiet to loud.
    motif : int
        Preferred subject.
    texture : float
        Relief of canvas and paint.
    """

    palette: np.ndarray
    scale: float
    density: float
    order: float
    contrast: float
    motif: int
    texture: float


def invent_painter(rng):
    """Draw a painter's habits.

    Parameters
    ----------
    rng : numpy.random.Generator
        The painter's own.

    Returns
    -------
    painter : Painter
        One whose palette leans to one of all palettes, with a colour of another.
    """
    first, second = rng.choice(len(PALETTES), 2, replace=False)
    palette = PALETTES[first].astype(float).copy()
    swapped = rng.integers(1, 5)
    palette[swapped] = PALETTES[second][swapped]
    scale, density, order, contrast, texture = rng.random(5)
    return Painter(
        palette, scale, density, order, contrast, int(rng.integers(1000)), texture
    )


def colour(rng, painter, spread=10, low=0, high=6):
    """Mix one of the palette's colours, off by a little."""
    mixed = painter.palette[rng.integers(low, high)] + rng.normal(0, spread, 3)
    return tuple(int(value) for value in np.clip(mixed, 0, 255))


def noise(rng, height, width, cells):
    """Draw smooth noise in 0-1 with about so many bumps along the long side."""
    scale = cells / max(height, width)
    coarse = rng.random(
        (max(2, int(height * scale)) + 3, max(2, int(width * scale)) + 3)
    )
    zoom = ((height + 1) / (coarse.shape[0] - 2), (width + 1) / (coarse.shape[1] - 2))
    smooth = ndimage.zoom(coarse, zoom, order=3, mode="nearest")[:height, :width]
    low, high = smooth.min(), smooth.max()
    return (smooth - low) / (high - low + 1e-9)


def blend(values, colours):
    """Map values in 0-1 to a gradient through colours: (..., 3)."""
    colours = np.asarray(colours, float)
    position = np.clip(values, 0, 1) * (len(colours) - 1)
    below = np.minimum(position.astype(int), len(colours) - 2)
    part = (position - below)[..., None]
    return colours[below] * (1 - part) + colours[below + 1] * part


def scene(rng, height, width, painter):
    """Paint an outdoor scene for strokes or dots to be sampled from: (h, w, 3)."""
    y, x = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    horizon = rng.uniform(0.3, 0.65)
    sky = (
        painter.palette[[4, 5, 3]] if painter.motif % 2 else painter.palette[[3, 4, 5]]
    )
    ground = painter.palette[[2, 1, 2, 3]]
    clouds = noise(rng, height, width, 6)
    canvas = blend(y / horizon * 0.6 + clouds * 0.5, sky)
    patches = noise(rng, height, width, 9)
    below = blend((y - horizon) * 0.9 + patches * 0.6, ground)
    hills = horizon + 0.1 * (noise(rng, 1, width, 5) - 0.5)
    canvas = np.where((y > hills)[..., None], below, canvas)
    sun_x, sun_y = rng.uniform(0.2, 0.8), horizon * rng.uniform(0.35, 0.8)
    ratio = width / height
    distance = np.hypot((x - sun_x) * ratio, y - sun_y)
    accent = painter.palette[rng.integers(3, 5)]
    kind = painter.motif % 3
    if kind == 0:  # a sun and its path on the water
        glow = np.exp(-((distance / 0.09) ** 2))
        path = np.exp(-(((x - sun_x) * ratio / 0.08) ** 2)) * (y > hills)
        glow = np.maximum(glow, path * 0.8 * (patches > 0.35))
        canvas += glow[..., None] * (painter.palette[5] - canvas)
    elif kind == 1:  # trees
        for _ in range(rng.integers(3, 8)):
            trunk, top = rng.uniform(0, 1), horizon - rng.uniform(0.05, 0.3)
            crown = np.hypot((x - trunk) * ratio / 0.7, (y - top) * 0.8)
            shade = np.clip(1.6 - crown / rng.uniform(0.06, 0.14), 0, 1)
            stem = (abs(x - trunk) * ratio < 0.008) & (y > top) & (y < horizon + 0.1)
            shade = np.maximum(shade * (clouds + 0.4).clip(0, 1), stem)[..., None]
            canvas += shade * (painter.palette[rng.integers(0, 3)] - canvas)
    else:  # flowers in the field
        spots = noise(rng, height, width, 40) * (y > hills) * (0.4 + y)
        canvas += (spots > 0.62)[..., None] * 0.85 * (accent - canvas)
    return np.clip(canvas + rng.normal(0, 3, canvas.shape), 0, 255)


def relief(image, strength):
    """Light the paint from the upper left, as if it stood out."""
    pixels = np.asarray(image, float)
    grey = ndimage.gaussian_filter(pixels.mean(axis=2), 0.8)
    light = ndimage.sobel(grey, 0) + ndimage.sobel(grey, 1)
    return to_image(pixels + strength * np.clip(light, -60, 60)[..., None])


def weave(rng, image, strength):
    """Let the weave of the canvas show through."""
    pixels = np.asarray(image, float)
    height, width = pixels.shape[:2]
    threads = rng.normal(0, 1, (height, 1)) + rng.normal(0, 1, (1, width))
    grain = ndimage.gaussian_filter(rng.normal(0, 1, (height, width)), 0.7)
    return to_image(pixels + strength * (2.2 * threads + 5 * grain)[..., None])


def canvas_of(colour_, height, width):
    """Prime a canvas with one colour, with its drawing tool."""
    image = Image.new("RGB", (width, height), tuple(int(value) for value in colour_))
    return image, ImageDraw.Draw(image)


def to_image(pixels):
    """Make an image of an array, clipped to 0-255."""
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
