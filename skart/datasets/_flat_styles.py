"""Drawn movements of flat colours and outlines: Pop Art and Ukiyo-e."""

import numpy as np
from PIL import ImageFont
from scipy import interpolate

from skart.datasets._canvas import blend, ink

_BLACK = (18, 16, 20)


def paint_pop_art(canvas):
    """Draw flat motifs with thick outlines over halftone dots."""
    rng, painter = canvas.rng, canvas.painter
    if canvas.variant(2):
        _draw_burst(canvas)
        return
    columns = 1 + int(painter.density * 3)
    rows = max(1, round(columns * canvas.height / canvas.width))
    size = canvas.size / (columns, rows)
    for row in range(rows):
        for column in range(columns):
            colours = canvas.palette[rng.permutation(6)[:4]]
            corner = size * (column, row)
            _print_dots(canvas, (*corner, *(corner + size)), *colours[:2])
            shape = _motif(painter.motif + (rng.random() < 0.25), rng)
            for scale, fill in zip((0.42, 0.24), colours[2:], strict=True):
                points = corner + size / 2 + shape * min(size) * scale
                canvas.polygon(points, fill, _BLACK, max(3, int(min(size) * 0.025)))
    broad = max(3, canvas.long // 200)
    for x in size[0] * np.arange(1, columns):
        canvas.line((x, 0, x, canvas.height), _BLACK, broad)
    for y in size[1] * np.arange(1, rows):
        canvas.line((0, y, canvas.width, y), _BLACK, broad)


def _print_dots(canvas, box, ground, fill):
    """Fill a box with dots that become larger from one side to the other."""
    left, top, right, bottom = box
    canvas.box(box, ground)
    step = max(6.0, canvas.long / 640 * (9 + 9 * canvas.painter.scale))
    height, width = bottom - top, right - left
    ys, xs = np.mgrid[step / 2 : height : step, step / 2 : width : step]
    xs[1::2] += step / 2
    swell = ys / height if canvas.painter.order > 0.5 else xs / width
    radii = step * (0.16 + 0.32 * swell)
    fill = ink(fill)
    fits = (xs + radii < width) & (ys + radii < height)
    for x, y, r in zip(xs[fits], ys[fits], radii[fits], strict=True):
        canvas.disc((left + x, top + y), r, fill)


def _draw_burst(canvas):
    """Draw an exploding word, as in comics."""
    rng, painter, least = canvas.rng, canvas.painter, canvas.short
    ground, dots, rays, flash, front, word = canvas.palette[rng.permutation(6)]
    _print_dots(canvas, (0, 0, canvas.width, canvas.height), ground, dots)
    centre = canvas.place(0.42, 0.58)
    n_rays = 10 + int(8 * painter.density)
    for index in range(n_rays if painter.contrast > 0.4 else 0):
        turn = 2 * np.pi * (index + np.array([0, 0.45])) / n_rays
        ends = centre + 2 * canvas.long * np.stack([np.cos(turn), np.sin(turn)], 1)
        canvas.polygon([centre, *ends], rays)
    n_tips = int(rng.integers(10, 17))
    t = np.linspace(0, 2 * np.pi, 2 * n_tips, endpoint=False)
    for size, fill in ((0.5, flash), (0.38, front)):
        reach = least * size * np.where(np.arange(2 * n_tips) % 2, 0.66, 1)
        reach = reach * rng.uniform(0.85, 1.12, 2 * n_tips)
        points = np.stack([1.15 * np.cos(t), 0.9 * np.sin(t)], 1) * reach[:, None]
        canvas.polygon(centre + points, fill, _BLACK, max(3, least // 70))
    text = str(rng.choice(["POW!", "WHAM", "ZAP!", "BOOM", "OH…", "CRASH", "POP"]))
    size = max(12, int(least * 0.74 / len(text)))
    outline = _BLACK if word.mean() > 90 else canvas.palette[5]
    for stroke, fill in ((size // 7 + 2, outline), (size // 18 + 1, word)):
        canvas.draw.text(
            centre.tolist(),
            text,
            ink(fill),
            ImageFont.load_default(size),
            "mm",
            stroke_width=stroke,
        )


def _motif(kind, rng):
    """Return the outline of a heart, star, flower, cloud or bottle within (-1, 1)."""
    kind %= 5
    n_points = 20 + 2 * rng.integers(0, 3) if kind == 1 else 90
    t = np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    if kind == 0:
        waves = np.cos(np.outer([1, 2, 3, 4], t))
        return np.stack([np.sin(t) ** 3, np.array([-13, 5, 2, 1]) @ waves / 16], 1)
    if kind == 4:
        half = np.array([(0.22, -1.1), (0.22, -0.5), (0.5, -0.2), (0.5, 1.05)])
        return np.concatenate([half, half[::-1] * (-1, 1)])
    if kind == 1:
        reach = np.where(np.arange(n_points) % 2, 0.62, 1.05)
    elif kind == 2:
        reach = 0.72 + 0.3 * np.cos(rng.integers(5, 8) * t)
    else:
        reach = 0.85 + 0.12 * np.abs(np.sin(4 * t))
    stretch = (1.15, 0.75) if kind == 3 else (1, 1)
    return np.stack([np.sin(t), -np.cos(t)], 1) * reach[:, None] * stretch


def paint_ukiyo_e(canvas):
    """Print waves, a mountain or blossoms in flat colours under a shaded sky."""
    rng, painter, palette = canvas.rng, canvas.painter, canvas.palette
    height, width, least = canvas.height, canvas.width, canvas.short
    variant = canvas.variant(3)
    sky = palette[[2, 4, 5, 5]] if painter.order > 0.5 else palette[[5, 5, 4, 3]]
    canvas.fill(blend(np.linspace(0, 1.25, height)[:, None], sky))
    line = max(2, round(canvas.long / 300))
    if painter.motif % 3 or variant == 2:  # the sun
        r = least * rng.uniform(0.07, 0.12) * (1.6 if variant == 2 else 1)
        centre = canvas.place((0.2, 0.16), (0.8, 0.32))
        canvas.disc(centre, r, canvas.mix(5, 1, 4))
    sea = rng.uniform(0.58, 0.72) * height
    if variant != 2 or rng.random() < 0.4:
        _print_mountain(canvas, sea, line)
    for _ in range(rng.integers(1, 4)):  # bands of mist
        top, thick = rng.uniform(0.35, 0.9) * sea, height * rng.uniform(0.015, 0.035)
        left = rng.uniform(-0.1, 0.6) * width
        right = left + rng.uniform(0.3, 0.6) * width
        canvas.box((left, top, right, top + thick), palette[5], radius=thick / 2)
    if variant == 0:
        _print_scales(canvas, sea, line)
    elif variant == 1:
        _print_breakers(canvas, sea, line)
    else:
        _print_blossoms(canvas, line)
    if painter.order > 0.3:  # the seal
        left = width - 0.1 * least if painter.motif % 2 else 0
        box = np.array([0.03, 0.05, 0.07, 0.17]) * least + [left, 0, left, 0]
        canvas.box(box, palette[2], palette[0], line // 2)


def _print_mountain(canvas, sea, line):
    """Draw a mountain: slopes that flatten out, and snow with a jagged edge."""
    rng, width, height = canvas.rng, canvas.width, canvas.height
    x, top = rng.uniform(0.3, 0.7) * width, sea - height * rng.uniform(0.25, 0.42)
    t = np.linspace(0, 1, 30)
    across = 0.03 * width + width * rng.uniform(0.3, 0.5) * t
    down = top + (sea - top) * t**0.75
    left, right = np.stack([x - across, down], 1), np.stack([x + across, down], 1)
    ridge = np.concatenate([left[::-1], right])
    canvas.polygon(ridge, canvas.mix(6, 1, 3))
    n = int(rng.integers(6, 12))
    jag = down[n] + height * 0.04 * np.where(np.arange(9) % 2, 1, -0.4)
    edge = np.stack([np.linspace(right[n][0], left[n][0], 9), jag], 1)
    snow = np.concatenate([left[n::-1], right[: n + 1], edge])
    canvas.polygon(snow, canvas.palette[5])
    canvas.line(ridge, canvas.palette[0], line)


def _print_scales(canvas, sea, line):
    """Print the sea as rows of overlapping scales with rings (seigaiha)."""
    rng, width = canvas.rng, canvas.width
    scale = canvas.long * (0.06 + 0.08 * canvas.painter.scale)
    deep, middle, pale = (canvas.mix(5, *part) for part in ((1, 3), (2, 5), (4, 6)))
    for row, top in enumerate(np.arange(sea, canvas.height + scale, scale * 0.34)):
        swing = scale * 0.5 * np.sin(row * 0.9 + rng.uniform(0, 0.6))
        for x in np.arange(-scale, width + scale, scale) + (row % 2) * scale / 2:
            spot = x, top + swing * np.sin(2.5 * np.pi * x / width)
            for part, fill in ((1, deep), (0.76, pale), (0.52, middle), (0.28, pale)):
                r, rim = scale * 0.56 * part, max(1, line // 2)
                canvas.disc(spot, r, fill, canvas.palette[0], rim)


# Points of a breaker that curls to the right, seen from the side.
_BREAKER = """
-3.2 .2  -2 -.02  -1.2 -.45  -.55 -1  .05 -1.3  .6 -1.22  .92 -.92  .95 -.62
.72 -.78  .45 -.78  .2 -.5  .22 -.18  .6 .06  1.4 .14  2.4 0  3.4 .15
"""
_BREAKER = np.array(_BREAKER.split(), float).reshape(-1, 2)


def _print_breakers(canvas, sea, line):
    """Print large striped waves that curl over, with foam."""
    rng, painter, palette = canvas.rng, canvas.painter, canvas.palette
    width, height = canvas.width, canvas.height
    curve = interpolate.CubicSpline(np.arange(16), _BREAKER)
    breaker, lip = curve(np.linspace(0, 15, 120)), curve(np.linspace(2.6, 9.2, 34))
    canvas.box((0, sea, width, height), palette[2])
    for depth in range(3):
        size = canvas.short * (0.22 + 0.12 * depth) * (0.8 + 0.5 * painter.scale)
        base = sea + (height - sea) * (0.2 + 0.4 * depth)
        way = 1 if (painter.motif + depth // 2) % 2 else -1
        spot = np.array([width * (0.5 - way * rng.uniform(-0.05, 0.38)), base])
        scale = np.array([way * size, size * rng.uniform(0.9, 1.15)])
        for inset, fill in enumerate(palette[[1, 4, 2, 4]]):
            pivot = np.array([-0.5, 0.9])
            shape = pivot + (breaker - pivot) * (1 - 0.1 * inset) + [0, 0.03 * inset]
            points = spot + scale * shape
            feet = [(points[-1][0], 2 * height), (points[0][0], 2 * height)]
            canvas.polygon([*points, *feet], fill)
            canvas.line(points, palette[0], line)
        drops = np.repeat(spot + scale * lip, 3, axis=0)
        drops = drops + rng.normal(0, 0.045 * size, drops.shape)
        spray = spot + scale * rng.normal((0.7, -1.35), (0.5, 0.16), (18, 2))
        for centres, low, high in ((drops, 0.04, 0.085), (spray, 0.01, 0.025)):
            for centre in centres:
                r, rim = size * rng.uniform(low, high), max(1, line // 2)
                canvas.disc(centre, r, palette[5], palette[0], rim)


def _print_blossoms(canvas, line):
    """Print a flowering branch that enters from one side."""
    rng, painter, palette = canvas.rng, canvas.painter, canvas.palette
    least = canvas.short
    way = 1 if painter.motif % 2 else -1
    petal, start = canvas.mix(8, 3, 6), (0.5 - 0.52 * way, rng.uniform(0.5, 0.95))
    branches, ends = [(start * canvas.size, 0.0, 1.0)], []
    while branches:
        spot, lean, thick = branches.pop()
        for _ in range(9 if thick == 1 else 5):
            lean = np.clip(lean + rng.normal(-0.06, 0.28), -1.3, 0.7)
            step = canvas.long * 0.085 * (0.55 + 0.45 * thick)
            end = spot + step * np.array([way * np.cos(lean), np.sin(lean)])
            broad = max(2, int(least * 0.045 * thick))
            canvas.line([spot, end], palette[0], broad)
            canvas.disc(end, broad / 2, palette[0])
            ends.append(end)
            spot, thick = end, thick * 0.88
            if thick > 0.42 and rng.random() < 0.7:
                branches.append((spot, lean + rng.choice([-0.9, 0.8]), thick * 0.6))
    for end in ends:
        for _ in range(rng.integers(0, 3 + int(3 * painter.density))):
            spot = rng.normal(end, least * 0.035)
            size = least * rng.uniform(0.014, 0.03) * (0.8 + 0.6 * painter.scale)
            for turn in np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 1):
                centre = spot + size * np.array([np.cos(turn), np.sin(turn)])
                canvas.disc(centre, size * 0.7, petal, palette[0], max(1, line // 3))
            canvas.disc(spot, size * 0.4, palette[2])
