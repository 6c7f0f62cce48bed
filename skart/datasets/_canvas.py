"""Palettes, invented painters, and the canvas that all drawn movements are made on."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from scipy import ndimage

# Six colours each, from dark to light. All movements use all palettes, so that colour
# alone does not separate the movements.
_PALETTES = """
1b2a41 2f6690 3a7ca5 81c3d7 d9dcd6 f4f1de   2d1e2f 7a1f1d c8553d f28f3b ffd5a1 fff4e0
1f2d1b 3f5e2b 6a994e a7c957 e0d68a f6f1d1   22181c 5c4033 8b5e3c b08968 ddb892 f3e9dc
101419 3d434a 6c757d 9aa5b1 cfd6dd f2f2ef   141414 1d3f8f c1121f f2c014 e8e4d8 fbf8ef
2b2d42 6d6875 b5838d e5989b ffcdb2 fff1e6   0b132b 1c2541 3a506b 5bc0be c9d6c3 f5efd6
2f1847 5a2a82 a23b72 f18f01 f7c59f fdf6ec   12312b 1b6b63 2a9d8f e9c46a f4a261 fdf0d5
3b1c32 6a1e55 a64d79 d88fb0 f3d1dc fbf3f5   1a1a1a 4a3f35 a3262a d4a017 e6d5b8 f7f0e0
14213d 3b5b8c 8ea8c3 fca311 e5e5e5 fafafa   233d4d 5e8c61 fe7f2d fcca46 a1c181 f8f4e3
""".split()
_PALETTES = np.array([list(bytes.fromhex(code)) for code in _PALETTES], float)
_PALETTES = _PALETTES.reshape(-1, 6, 3)

BLACK = (20, 18, 21)


class Painter:
    """Habits of an invented artist; from 0 to 1 unless a comment says otherwise."""

    def __init__(self, rng):
        first, second = rng.choice(len(_PALETTES), 2, replace=False)
        swapped = rng.integers(1, 5)
        self.palette = _PALETTES[first].copy()
        self.palette[swapped] = _PALETTES[second][swapped]
        self.scale, self.density, self.order, self.contrast = rng.random(4)
        self.texture, self.school = rng.random(2)
        self.motif = int(rng.integers(1000))  # preferred subject
        self.ground = rng.choice(["smooth", "canvas", "paper", "impasto"])
        # Unpainted border, as a share of the shorter side.
        self.margin = rng.uniform(0.02, 0.05) if rng.random() < 0.25 else 0.0


class Canvas:
    """An image, its painter, its random generator, and methods that draw on it."""

    def __init__(self, rng, height, width, painter):
        self.rng, self.painter, self.palette = rng, painter, painter.palette
        self.height, self.width = height, width
        self.size = np.array([width, height])
        self.long, self.short = max(height, width), min(height, width)
        self.pen = max(1, round(self.long / 400))  # width of lines
        self.fill(self.palette[5])

    def fill(self, pixels):
        """Replace the image by pixels, or by one colour."""
        pixels = np.broadcast_to(pixels, (self.height, self.width, 3))
        self.image = to_image(pixels)
        self.draw = ImageDraw.Draw(self.image)

    def variant(self, n_variants):
        """Return the variant of the movement, in most cases the painter's usual one."""
        if self.rng.random() < 0.2:
            return int(self.rng.integers(n_variants))
        # Variant 0 is the classic one: 60 % of the painters prefer it.
        other = (self.painter.school - 0.6) / 0.4 * (n_variants - 1)
        return int(1 + other) if other >= 0 else 0

    def mix(self, spread=10, low=0, high=6):
        """Return a random colour near one of `palette[low:high]`."""
        colour = self.palette[self.rng.integers(low, high)]
        return np.clip(colour + self.rng.normal(0, spread, 3), 0, 255)

    def place(self, low=0.0, high=1.0):
        """Return a random point, from `low` to `high` of the width and the height."""
        return self.rng.uniform(low, high, 2) * self.size

    def grid(self):
        """Return y and x of all pixels, as shares of the longer side."""
        return np.mgrid[0 : self.height, 0 : self.width] / self.long

    def noise(self, cells):
        """Return smooth noise in 0-1 with `cells` bumps along the longer side."""
        rows, columns = np.maximum(2, self.size[::-1] * cells // self.long) + 2
        coarse = Image.fromarray(self.rng.random((rows, columns), np.float32))
        size = self.width, self.height
        smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), float)
        return (smooth - smooth.min()) / (np.ptp(smooth) + 1e-9)

    def disc(self, centre, radius, fill, outline=None):
        """Draw a disc."""
        self.draw.circle(tuple(centre), radius, ink(fill), ink(outline), self.pen)

    def box(self, corners, fill, outline=None, radius=0):
        """Draw an upright rectangle: left, top, right, bottom."""
        corners, fill, outline = np.ravel(corners).tolist(), ink(fill), ink(outline)
        self.draw.rounded_rectangle(corners, radius, fill, outline, self.pen)

    def line(self, points, fill, width=None):
        """Draw a line through points, with round corners."""
        points = np.ravel(points).tolist()
        self.draw.line(points, ink(fill), width or self.pen, joint="curve")

    def polygon(self, points, fill, outline=None, width=1):
        """Draw a polygon."""
        points, fill, outline = np.ravel(points).tolist(), ink(fill), ink(outline)
        self.draw.polygon(points, fill, outline, width)

    def bar(self, centre, turn, long, thin, fill, n_corners=4):
        """Draw a turned rectangle, or half of it as a triangle."""
        along = direction(turn) * long / 2
        across = direction(turn + np.pi / 2) * thin / 2
        corners = along + across, along - across, -along - across, -along + across
        self.polygon(np.add(centre, corners)[:n_corners], fill)


def direction(angles):
    """Return unit vectors (x, y) of angles."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def blend(values, colours):
    """Map values in [0, 1] to colours of a gradient."""
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(values, stops, channel) for channel in np.transpose(colours)]
    return np.stack(channels, axis=-1)


def cover(pixels, opacity, colour):
    """Return pixels under a colour, or other pixels, of an opacity in 0-1."""
    return pixels + np.asarray(opacity)[..., None] * (colour - pixels)


def ink(colour):
    """Return a colour as Pillow expects it."""
    if colour is None or isinstance(colour, tuple):
        return colour
    return tuple(np.clip(colour, 0, 255).astype(int).tolist())


def to_image(pixels):
    """Return an image of pixels, clipped to 0-255."""
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def finish(rng, image, painter):
    """Return an image with the surface, light, varnish and border of a photograph."""
    pixels = np.asarray(image, float)
    height, width = pixels.shape[:2]
    strength, relief = 0.3 + 0.6 * painter.texture, np.zeros((height, width))
    if painter.ground == "impasto":  # lit from the upper left
        grey = ndimage.gaussian_filter(pixels.mean(axis=2), 0.8)
        slope = ndimage.sobel(grey, 0) + ndimage.sobel(grey, 1)
        relief = np.clip(slope, -60, 60) / 7
    elif painter.ground == "canvas":
        threads = rng.normal(size=(height, 1)) + rng.normal(size=(1, width))
        grain = ndimage.gaussian_filter(rng.normal(size=(height, width)), 0.7)
        relief = 2.2 * threads + 5 * grain
    elif painter.ground == "paper":
        relief = rng.normal(0, 9, (height, width))
    across = np.linspace(-1, 1, width)[None, :, None] * rng.normal(0, 0.05)
    down = np.linspace(-1, 1, height)[:, None, None] * rng.normal(0, 0.05)
    varnish = 1 - np.array([0.2, 0.6, 1.6]) * rng.uniform(0, 0.07)
    light = (1 + across + down) * varnish * rng.uniform(0.92, 1.05)
    image = to_image((pixels + strength * relief[..., None]) * light)
    if painter.margin:
        border = max(1, round(painter.margin * min(height, width)))
        inner = image.resize((width - 2 * border, height - 2 * border))
        image = ImageOps.expand(inner, border, ink(painter.palette[5]))
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    return image
