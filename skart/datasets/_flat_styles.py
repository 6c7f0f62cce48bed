"""Drawn movements of flat colours and outlines: Pop Art and Ukiyo-e."""

import numpy as np
from PIL import ImageFont
from scipy import interpolate

from skart.datasets._canvas import BLACK, blend, direction, ink


def paint_pop_art(canvas, rng, painter):
    """Draw flat motifs with thick outlines over halftone dots."""
    if canvas.variant(2):
        _draw_burst(canvas, rng, painter)
        return
    columns = 1 + int(painter.density * 3)
    rows = max(1, round(columns * canvas.height / canvas.width))
    size = canvas.size / (columns, rows)
    for corner in size * np.argwhere(np.ones((columns, rows))):
        colours = canvas.palette[rng.permutation(6)[:4]]
        _print_dots(canvas, painter, corner, size, *colours[:2])
        shape = _motif(painter.motif + (rng.random() < 0.25), rng)
        for scale, fill in zip((0.42, 0.24), colours[2:], strict=True):
            points = corner + size / 2 + shape * min(size) * scale
            canvas.polygon(points, fill, BLACK, max(3, int(min(size) * 0.03)))
        frame = corner + size * [[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]
        canvas.line(frame, BLACK, 2 * canvas.pen)


def _print_dots(canvas, painter, corner, size, ground, fill):
    """Fill a box with dots that become larger from one side to the other."""
    canvas.box((corner, corner + size), ground)
    step = max(6.0, canvas.long / 640 * (9 + 9 * painter.scale))
    xs, ys = np.mgrid[step / 2 : size[0] : step, step / 2 : size[1] : step]
    xs[:, 1::2] += step / 2
    swell = ys / size[1] if painter.order > 0.5 else xs / size[0]
    radii, spots, fill = step * (0.16 + 0.32 * swell), np.stack([xs, ys], -1), ink(fill)
    fits = (spots + radii[..., None] < size).all(axis=-1)
    for spot, r in zip((corner + spots[fits]).tolist(), radii[fits], strict=True):
        canvas.disc(spot, r, fill)


def _draw_burst(canvas, rng, painter):
    """Draw an exploding word, as in comics."""
    least = canvas.short
    ground, dots, rays, flash, front, word = canvas.palette[rng.permutation(6)]
    _print_dots(canvas, painter, np.zeros(2), canvas.size, ground, dots)
    centre = canvas.place(0.42, 0.58)
    for turn in np.pi / 8 * np.arange(16 if painter.contrast > 0.4 else 0):
        ends = centre + 2 * canvas.long * direction([turn, turn + 0.18])
        canvas.polygon([centre, *ends], rays)
    star = _star(rng.integers(10, 17)) * (1.15, 0.9)
    for size, fill in ((0.5, flash), (0.38, front)):
        points = least * size * star * rng.uniform(0.85, 1.12, (len(star), 1))
        canvas.polygon(centre + points, fill, BLACK, max(3, least // 60))
    text = str(rng.choice(["POW!", "WHAM", "ZAP!", "BOOM", "OH…", "CRASH", "POP"]))
    size = max(12, int(least * 0.74 / len(text)))
    font = ImageFont.load_default(size)
    outline = BLACK if word.mean() > 90 else canvas.palette[5]
    for bold, fill in ((size // 7 + 2, outline), (size // 18 + 1, word)):
        canvas.draw.text(
            centre.tolist(), text, ink(fill), font, "mm", stroke_width=bold
        )


def _motif(kind, rng):
    """Return the outline of a heart, star, flower, cloud or bottle within (-1, 1)."""
    kind %= 5
    t = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    if kind == 0:
        waves = np.cos(np.outer([1, 2, 3, 4], t))
        return np.stack([np.sin(t) ** 3, np.array([-13, 5, 2, 1]) @ waves / 16], 1)
    if kind == 1:
        return _star(10)
    if kind == 2:
        return direction(t) * (0.72 + 0.3 * np.cos(rng.integers(5, 8) * t))[:, None]
    if kind == 3:
        return direction(t) * (1 + 0.14 * np.abs(np.sin(4 * t)))[:, None] * (1, 0.65)
    half = np.array([(0.22, -1.1), (0.22, -0.5), (0.5, -0.2), (0.5, 1.05)])
    return np.concatenate([half, half[::-1] * (-1, 1)])


def _star(n_tips):
    """Return the outline of a star within (-1, 1)."""
    turns = np.arange(2 * n_tips) * np.pi / n_tips
    return direction(turns) * np.tile([1, 0.64], n_tips)[:, None]


def paint_ukiyo_e(canvas, rng, painter):
    """Print waves, a mountain or blossoms in flat colours under a shaded sky."""
    palette, (width, height), least = canvas.palette, canvas.size, canvas.short
    variant = canvas.variant(3)
    sky = palette[[2, 4, 5, 5]] if painter.order > 0.5 else palette[[5, 5, 4, 3]]
    canvas.fill(blend(np.linspace(0, 1.25, height)[:, None], sky))
    if painter.motif % 3 or variant == 2:  # the sun
        r = least * rng.uniform(0.07, 0.12) * (1.6 if variant == 2 else 1)
        centre = canvas.place((0.2, 0.16), (0.8, 0.32))
        canvas.disc(centre, r, canvas.mix(5, 1, 4))
    sea = rng.uniform(0.58, 0.72) * height
    if variant != 2 or rng.random() < 0.4:
        _print_mountain(canvas, rng, sea)
    for _ in range(rng.integers(1, 4)):  # bands of mist
        top, thick = rng.uniform(0.35, 0.9) * sea, height * rng.uniform(0.015, 0.035)
        left, long = width * rng.uniform((-0.1, 0.3), (0.6, 0.6))
        mist = (left, top, left + long, top + thick)
        canvas.box(mist, palette[5], radius=thick / 2)
    if variant == 2:
        _print_blossoms(canvas, rng, painter)
    else:
        print_sea = _print_breakers if variant else _print_scales
        print_sea(canvas, rng, painter, sea)
    if painter.order > 0.3:  # the seal
        left = width - 0.1 * least if painter.motif % 2 else 0
        seal = np.array([0.03, 0.05, 0.07, 0.17]) * least + [left, 0, left, 0]
        canvas.box(seal, palette[2], palette[0])


def _print_mountain(canvas, rng, sea):
    """Print a mountain: slopes that flatten out, and snow with a jagged edge."""
    width, height = canvas.size
    x, top = rng.uniform(0.3, 0.7) * width, sea - height * rng.uniform(0.25, 0.42)
    t = np.linspace(-1, 1, 60)
    across = x + np.sign(t) * width * (0.03 + rng.uniform(0.3, 0.5) * abs(t))
    ridge = np.stack([across, top + (sea - top) * abs(t) ** 0.75], 1)
    canvas.polygon(ridge, canvas.mix(6, 1, 3))
    n = int(rng.integers(6, 12))
    snow = ridge[30 - n : 30 + n]
    edge = np.linspace(snow[-1], snow[0], 9)
    edge[:, 1] += height * 0.04 * np.tile([-0.4, 1], 5)[:9]
    canvas.polygon([*snow, *edge], canvas.palette[5])
    canvas.line(ridge, canvas.palette[0])


def _print_scales(canvas, rng, painter, sea):
    """Print the sea as rows of overlapping scales with rings (seigaiha)."""
    width = canvas.width
    scale = canvas.long * (0.06 + 0.08 * painter.scale)
    deep, middle, pale = (canvas.mix(5, *part) for part in ((1, 3), (2, 5), (4, 6)))
    for row, top in enumerate(np.arange(sea, canvas.height + scale, scale * 0.34)):
        swing = scale * 0.5 * np.sin(row * 0.9 + rng.uniform(0, 0.6))
        for x in np.arange(-scale, width + scale, scale) + (row % 2) * scale / 2:
            spot = x, top + swing * np.sin(2.5 * np.pi * x / width)
            for part, fill in ((1, deep), (0.76, pale), (0.52, middle), (0.28, pale)):
                canvas.disc(spot, scale * 0.56 * part, fill, canvas.palette[0])


# Points of a breaker that curls to the right, seen from the side.
_BREAKER = """
-3.2 .2  -2 -.02  -1.2 -.45  -.55 -1  .05 -1.3  .6 -1.22  .92 -.92  .95 -.62
.72 -.78  .45 -.78  .2 -.5  .22 -.18  .6 .06  1.4 .14  2.4 0  3.4 .15
"""
_BREAKER = np.array(_BREAKER.split(), float).reshape(-1, 2)


def _print_breakers(canvas, rng, painter, sea):
    """Print large striped waves that curl over, with foam."""
    palette, (width, height) = canvas.palette, canvas.size
    curve = interpolate.CubicSpline(np.arange(16), _BREAKER)
    breaker, lip = curve(np.linspace(0, 15, 120)), curve(np.linspace(2.6, 9.2, 100))
    pivot, crest = np.array([-0.5, 0.9]), (0.7, -1.35)
    canvas.box((0, sea, width, height), palette[2])
    for depth in range(3):
        size = canvas.short * (0.22 + 0.12 * depth) * (0.8 + 0.5 * painter.scale)
        base = sea + (height - sea) * (0.2 + 0.4 * depth)
        way = 1 if (painter.motif + depth // 2) % 2 else -1
        spot = np.array([width * (0.5 - way * rng.uniform(-0.05, 0.38)), base])
        scale = np.array([way * size, size * rng.uniform(0.9, 1.15)])
        for inset, fill in enumerate(palette[[1, 4, 2, 4]]):
            shape = pivot + (breaker - pivot) * (1 - 0.1 * inset) + [0, 0.03 * inset]
            points = spot + scale * shape
            feet = [(points[-1][0], 2 * height), (points[0][0], 2 * height)]
            canvas.polygon([*points, *feet], fill)
            canvas.line(points, palette[0])
        foam, spray = rng.normal(lip, 0.045), rng.normal(crest, (0.5, 0.16), (18, 2))
        for centres, r in ((foam, 0.06), (spray, 0.02)):
            for centre in spot + scale * centres:
                radius = size * r * rng.uniform(0.7, 1.3)
                canvas.disc(centre, radius, palette[5], palette[0])


def _print_blossoms(canvas, rng, painter):
    """Print a flowering branch that enters from one side."""
    palette, least, way = canvas.palette, canvas.short, 1 if painter.motif % 2 else -1
    petal, branches = canvas.mix(8, 3, 6), []
    root = canvas.size * (0.5 - 0.52 * way, rng.uniform(0.5, 0.95))
    for thick, fork in ((1, 0), (0.55, -0.9), (0.55, 0.8), (0.4, -0.9)):
        leans = np.clip(fork + np.cumsum(rng.normal(-0.06, 0.28, 8)), -1.3, 0.7)
        steps = canvas.long * 0.085 * (0.55 + 0.45 * thick) * direction(leans)
        branch = root + np.cumsum([(0, 0), *steps * (way, 1)], axis=0)
        for index, end in enumerate(branch[1:]):
            broad = max(2, int(least * 0.045 * thick * 0.88**index))
            canvas.line([branch[index], end], palette[0], broad)
            canvas.disc(end, broad / 2, palette[0])
        branches.append(branch)
        root = branches[0][rng.integers(2, 6)]
    ends = np.concatenate(branches)
    n_blossoms = rng.integers(0, 3 + int(3 * painter.density), len(ends))
    for spot in rng.normal(np.repeat(ends, n_blossoms, axis=0), least * 0.035):
        size = least * rng.uniform(0.014, 0.03) * (0.8 + 0.6 * painter.scale)
        turns = np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 1)
        for centre in spot + size * direction(turns):
            canvas.disc(centre, size * 0.7, petal, palette[0])
        canvas.disc(spot, size * 0.4, palette[2])
