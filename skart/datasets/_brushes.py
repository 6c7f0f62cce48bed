"""Palettes, painters and what several movements draw with."""

import functools
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
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
    """The habits of an invented artist, each in 0-1 but for palette, motif and ground.

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
    school : float
        Preferred manner within the movement.
    ground : {"smooth", "canvas", "paper", "impasto"}
        What the paint lies on, or how it lies.
    margin : float
        Unpainted border, as a share of the shorter side.
    """

    palette: np.ndarray
    scale: float
    density: float
    order: float
    contrast: float
    motif: int
    texture: float
    school: float
    ground: str
    margin: float


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
    scale, density, order, contrast, texture, school = rng.random(6)
    return Painter(
        palette,
        scale,
        density,
        order,
        contrast,
        int(rng.integers(1000)),
        texture,
        school,
        str(rng.choice(["smooth", "canvas", "paper", "impasto"])),
        float(rng.uniform(0.02, 0.05) if rng.random() < 0.25 else 0.0),
    )


def manner(rng, painter, n_manners):
    """Choose how to paint this time: mostly the painter's own way, now and then not."""
    if rng.random() < 0.2:
        return int(rng.integers(n_manners))
    # Every movement has a classic manner, which more painters follow.
    return int(max(0.0, painter.school - 0.4) / 0.6 * n_manners)


def colour(rng, painter, spread=10, low=0, high=6):
    """Mix one of the palette's colours, off by a little."""
    mixed = painter.palette[rng.integers(low, high)] + rng.normal(0, spread, 3)
    return ink(mixed)


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
    """Paint an outdoor view for strokes or dots to be sampled from.

    Parameters
    ----------
    rng : numpy.random.Generator
        The painting's own.
    height, width : int
        Size of the view.
    painter : Painter
        Whose motif it is.

    Returns
    -------
    view : ndarray of shape (height, width, 3)
        Colours in 0-255.
    flow : ndarray of shape (height, width)
        Direction of the forms, in radians.
    """
    y, x = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    ratio = width / height
    palette = painter.palette
    kind = (painter.motif + 2 * (rng.random() < 0.3)) % 5
    horizon = 0.04 if kind == 4 else rng.uniform(0.32, 0.6)
    clouds, patches = noise(rng, height, width, 6), noise(rng, height, width, 10)
    sky = palette[[3, 4, 5]] if painter.motif % 2 else palette[[4, 5, 3]]
    view = blend(y / horizon * 0.55 + clouds * 0.55, sky)
    hills = horizon - 0.1 * noise(rng, 1, width, 4) * (y > 0)
    view = np.where((y > hills)[..., None], blend(patches, palette[[2, 3]]), view)
    land = y > horizon
    sun_x, sun_y = rng.uniform(0.2, 0.8), horizon * rng.uniform(0.35, 0.75)
    flow = 1.5 * (clouds - 0.5)
    if kind in (0, 1):  # water, with what stands above it mirrored
        ripple = 0.5 + 0.5 * np.sin(2 * np.pi * (26 * y**0.7 + 3 * patches))
        water = blend(0.55 * patches + 0.45 * ripple, palette[[1, 2, 3, 4]])
        if kind == 0:
            disc = np.hypot((x - sun_x) * ratio, y - sun_y)
            view += np.exp(-((disc / 0.07) ** 4))[..., None] * (palette[5] - view)
            haze = 0.6 * np.exp(-((disc / 0.25) ** 2))[..., None]
            view += haze * (palette[4] - view)
            path = np.exp(-(((x - sun_x) * ratio / (0.03 + 0.16 * (y - horizon))) ** 2))
            lit = (path * (ripple > 0.35) * land)[..., None]
            water += 0.9 * lit * (palette[5] - water)
        else:
            for _ in range(rng.integers(4, 9)):
                _plant(rng, view, x, y, ratio, horizon, clouds, palette)
            mirror = np.clip(2 * horizon - y + 0.02 * ripple, 0, horizon) * height
            rows = np.clip(mirror, 0, height - 1).astype(int)
            seen = np.take_along_axis(view, rows[..., None], axis=0)
            water = 0.4 * water + 0.6 * seen
        view = np.where(land[..., None], water, view)
        if kind == 0:
            for _ in range(rng.integers(1, 4)):
                _sail(rng, view, x, y, ratio, horizon, palette)
        flow = np.where(land, 0.15 * (patches - 0.5), flow)
    elif kind == 4:  # lilies on a pond
        view = blend(0.7 * clouds + 0.3 * patches, palette[[1, 2, 1, 3]])
        for _ in range(rng.integers(16, 34)):
            depth = rng.uniform(0.08, 1)
            size = 0.03 + 0.06 * depth
            px, py = rng.uniform(0, 1), depth
            pad = np.hypot((x - px) * ratio / 1.9, y - py) < size
            view[pad] = palette[rng.integers(2, 5)]
            bloom = np.hypot((x - px) * ratio, (y - py + 0.4 * size) * 1.4) < size / 2
            view[bloom] = palette[5] if rng.random() < 0.6 else palette[4]
        flow = 0.3 * (patches - 0.5)
    else:  # a field with flowers, or with trees and stacks of hay
        field = blend((y - horizon) * 0.8 + patches * 0.6, palette[[2, 1, 3, 2]])
        view = np.where(land[..., None], field, view)
        if kind == 2:
            spots = noise(rng, height, width, 45) * (0.55 + 0.5 * y) * land
            view[spots > 0.52] = palette[3 + painter.motif % 2]
            view[spots > 0.66] = palette[5]
        else:
            for _ in range(rng.integers(1, 4)):
                cx, size = rng.uniform(0.1, 0.9), rng.uniform(0.12, 0.24)
                base = horizon + rng.uniform(0.1, 0.3)
                out = abs(x - cx) * ratio
                stack = (y < base) & (y > base - size + 1.1 * out**1.5 / size**0.5)
                stack &= out < 0.75 * size
                side = np.clip((x - cx) * ratio / size + 0.5, 0, 1)
                view = np.where(stack[..., None], blend(side, palette[[4, 1]]), view)
        for _ in range(rng.integers(2, 6)):
            _plant(rng, view, x, y, ratio, horizon, clouds, palette)
        flow = np.where(land, np.pi / 2 + 1.2 * (patches - 0.5), flow)
    return np.clip(view, 0, 255), flow


def _plant(rng, view, x, y, ratio, horizon, clouds, palette):
    """Paint a poplar or a round tree on the horizon, in place."""
    at, tall = rng.uniform(0, 1), rng.uniform(0.12, 0.9) * horizon
    slim = rng.choice([0.22, 0.55])
    top = horizon - tall / 2
    crown = np.hypot((x - at) * ratio / slim, y - top) / (tall / 2)
    inside = crown + 0.5 * (clouds - 0.5) < 0.95
    inside |= (abs(x - at) * ratio < 0.006) & (y > top) & (y < horizon + 0.02)
    lit = blend(0.5 - (x - at) * ratio / tall, palette[rng.integers(0, 2) + [0, 1, 2]])
    view[inside] = lit[inside]


def _sail(rng, view, x, y, ratio, horizon, palette):
    """Paint a boat under sail, in place."""
    at, base = rng.uniform(0.1, 0.9), horizon + rng.uniform(0.04, 0.25)
    size = 0.05 + 0.5 * (base - horizon)
    across, up = (x - at) * ratio / size, (base - y) / size
    view[(up < 0.18) & (up > 0) & (abs(across) < 0.6 + up)] = palette[0]
    view[(up > 0.22) & (across > -0.4) & (across < 0.8 * (1.7 - up) * 0.5)] = palette[5]


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


def finish(rng, image, painter):
    """Age, light and frame a painting; no movement has a finish of its own.

    Parameters
    ----------
    rng : numpy.random.Generator
        The painting's own.
    image : PIL.Image.Image
        Fresh paint.
    painter : Painter
        Who paints on what.

    Returns
    -------
    image : PIL.Image.Image
        As photographed: of the same size.
    """
    if painter.ground == "impasto":
        image = relief(image, 0.03 + 0.1 * painter.texture)
    elif painter.ground == "canvas":
        image = weave(rng, image, 0.3 + 0.6 * painter.texture)
    pixels = np.asarray(image, np.float32)
    height, width = pixels.shape[:2]
    if painter.ground == "paper":
        grain = rng.normal(0, 3 + 5 * painter.texture, (height, width, 1))
        pixels = pixels + grain
    across = np.linspace(-1, 1, width)[None, :, None] * rng.normal(0, 0.05)
    down = np.linspace(-1, 1, height)[:, None, None] * rng.normal(0, 0.05)
    varnish = 1 - np.array([0.2, 0.6, 1.6]) * rng.uniform(0, 0.07)
    pixels = pixels * (1 + across + down) * varnish * rng.uniform(0.92, 1.05)
    if painter.margin:
        border = max(1, round(painter.margin * min(height, width)))
        inner = to_image(pixels).resize((width - 2 * border, height - 2 * border))
        image, _ = canvas_of(painter.palette[5], height, width)
        image.paste(inner, (border, border))
    else:
        image = to_image(pixels)
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    return image


def fine(paint):
    """Draw flat shapes at twice the size, so that their edges come out smooth."""

    @functools.wraps(paint)
    def painted(rng, height, width, painter):
        return paint(rng, 2 * height, 2 * width, painter).reduce(2)

    return painted


def canvas_of(colour_, height, width):
    """Prime a canvas with one colour, with its drawing tool."""
    image = Image.new("RGB", (width, height), ink(colour_))
    return image, ImageDraw.Draw(image)


def ink(colour_):
    """Make whole numbers of a colour, as Pillow wants them."""
    return tuple(int(value) for value in np.clip(colour_, 0, 255))


def to_image(pixels):
    """Make an image of an array, clipped to 0-255."""
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
