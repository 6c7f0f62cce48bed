"""Movements of flat colour and outlines: to a picture, as all movements are."""

import numpy as np
from PIL import ImageDraw, ImageFont
from scipy import interpolate

from skart.datasets._brushes import (
    blend,
    canvas_of,
    colour,
    fine,
    ink,
    manner,
    to_image,
)

_BLACK = (18, 16, 20)


@fine
def pop_art(rng, height, width, painter):
    """Set flat, heavily outlined motifs over halftone dots."""
    side = max(height, width)
    kind = manner(rng, painter, 3)
    image, draw = canvas_of(painter.palette[5], height, width)
    if kind == 1:
        _burst(rng, draw, height, width, painter)
        return image
    if kind == 2:
        _target(rng, draw, height, width, painter)
        return image
    columns = 1 + int(painter.density * 3)
    rows = max(1, round(columns * height / width))
    w, h = width / columns, height / rows
    cell, step = min(w, h), max(6.0, side / 640 * (9 + 9 * painter.scale))
    for row in range(rows):
        for column in range(columns):
            left, top = column * w, row * h
            ground, dots, front, inner = painter.palette[rng.permutation(6)[:4]]
            box = (left, top, left + w, top + h)
            draw.rectangle(box, fill=ink(ground))
            _halftone(draw, box, step, painter.order > 0.5, ink(dots))
            centre = np.array([left + w / 2, top + h / 2])
            shape = _motif(painter.motif + (rng.random() < 0.25), rng)
            for scale, fill in ((0.42, front), (0.24, inner)):
                points = [tuple(point) for point in centre + shape * cell * scale]
                draw.polygon(points, fill=ink(fill))
                stroke = max(3, int(cell * 0.025))
                outline = [*points, *points[:2]]
                draw.line(outline, fill=_BLACK, width=stroke, joint="curve")
    for column in range(1, columns):
        ends = (column * w, 0, column * w, height)
        draw.line(ends, fill=_BLACK, width=max(3, side // 200))
    for row in range(1, rows):
        ends = (0, row * h, width, row * h)
        draw.line(ends, fill=_BLACK, width=max(3, side // 200))
    return image


def _halftone(draw, box, step, down, fill):
    """Print dots that swell across a box."""
    left, top, right, bottom = box
    h, w = bottom - top, right - left
    ys, xs = np.mgrid[step / 2 : h : step, step / 2 : w : step]
    xs[1::2] += step / 2
    swell = ys / h if down else xs / w
    dots = np.stack([xs, ys, step * (0.16 + 0.32 * swell)], -1).reshape(-1, 3)
    for x, y, r in dots.tolist():
        if x + r < w and y + r < h:
            corner = (left + x - r, top + y - r, left + x + r, top + y + r)
            draw.ellipse(corner, fill=fill)


def _burst(rng, draw, height, width, painter):
    """Let a word explode, as comics do."""
    side, least = max(height, width), min(height, width)
    ground, dots, rays, flash, front, word = painter.palette[rng.permutation(6)]
    draw.rectangle((0, 0, width, height), fill=ink(ground))
    step = max(6.0, side / 640 * (9 + 9 * painter.scale))
    centre = np.array([width, height]) * rng.uniform(0.42, 0.58, 2)
    _halftone(draw, (0, 0, width, height), step, painter.order > 0.5, ink(dots))
    n_rays = 10 + int(8 * painter.density)
    for index in range(n_rays if painter.contrast > 0.4 else 0):
        turn = 2 * np.pi * (index + np.array([0, 0.45])) / n_rays
        ends = centre + 2 * side * np.stack([np.cos(turn), np.sin(turn)], 1)
        draw.polygon([tuple(centre), *map(tuple, ends)], fill=ink(rays))
    n_tips = int(rng.integers(10, 17))
    t = np.linspace(0, 2 * np.pi, 2 * n_tips, endpoint=False)
    for size, fill in ((0.5, flash), (0.38, front)):
        reach = least * size * np.where(np.arange(2 * n_tips) % 2, 0.66, 1)
        reach = reach * rng.uniform(0.85, 1.12, 2 * n_tips)
        points = np.stack([1.15 * np.cos(t), 0.9 * np.sin(t)], 1) * reach[:, None]
        points = [tuple(point) for point in (centre + points).tolist()]
        draw.polygon(points, fill=ink(fill))
        outline = [*points, *points[:2]]
        draw.line(outline, fill=_BLACK, width=max(3, least // 70), joint="curve")
    text = rng.choice(["POW!", "WHAM", "ZAP!", "BOOM", "OH…", "CRASH", "POP"])
    size = max(12, int(least * 0.74 / len(text)))
    black = _BLACK if word.mean() > 90 else ink(painter.palette[5])
    for stroke, fill in ((size // 7 + 2, black), (size // 18 + 1, ink(word))):
        draw.text(
            tuple(centre),
            str(text),
            fill=fill,
            font=ImageFont.load_default(size),
            anchor="mm",
            stroke_width=stroke,
            stroke_fill=fill,
        )


def _target(rng, draw, height, width, painter):
    """Paint a target above or beside stripes or a row of motifs."""
    least = min(height, width)
    order = rng.permutation(6)
    draw.rectangle((0, 0, width, height), fill=ink(painter.palette[order[0]]))
    step = max(6.0, max(height, width) / 640 * (9 + 9 * painter.scale))
    box, dots = (0, 0, width, height), ink(painter.palette[order[1]])
    _halftone(draw, box, step, painter.order > 0.5, dots)
    centre = np.array([width, height]) * rng.uniform(0.4, 0.6, 2)
    n_rings, line = int(rng.integers(4, 7)), max(3, least // 110)
    for ring in range(n_rings):
        r = 0.44 * least * (1 - ring / n_rings)
        fill = ink(painter.palette[order[2 + ring % 4]])
        box = (*(centre - r), *(centre + r))
        draw.ellipse(box, fill=fill, outline=_BLACK, width=line)
    size = least * 0.11
    n_motifs = int(width / size / 2.6)
    for index in range(n_motifs):
        spot = np.array([(index + 0.5) * width / n_motifs, height - 1.3 * size])
        points = [tuple(point) for point in spot + size * _motif(painter.motif, rng)]
        draw.polygon(points, fill=ink(painter.palette[order[5 - index % 2]]))
        draw.line([*points, *points[:2]], fill=_BLACK, width=line, joint="curve")


def _motif(kind, rng):
    """Outline a heart, star, flower, cloud or bottle within (-1, 1): (n, 2)."""
    t = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    kind %= 5
    if kind == 0:
        x = np.sin(t) ** 3
        y = (
            -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
            / 16
        )
    elif kind == 1:
        t = np.linspace(0, 2 * np.pi, 20 + 2 * rng.integers(0, 3), endpoint=False)
        reach = np.where(np.arange(len(t)) % 2, 0.62, 1.05)
        x, y = reach * np.sin(t), -reach * np.cos(t)
    elif kind == 2:
        reach = 0.72 + 0.3 * np.cos(rng.integers(5, 8) * t)
        x, y = reach * np.sin(t), -reach * np.cos(t)
    elif kind == 3:
        reach = 0.85 + 0.12 * np.abs(np.sin(4 * t))
        x, y = 1.15 * reach * np.sin(t), -0.75 * reach * np.cos(t)
    else:
        outline = [(0.22, -1.1), (0.22, -0.5), (0.5, -0.2), (0.5, 1.05)]
        x, y = np.array(outline + [(-a, b) for a, b in outline[::-1]]).T
    return np.stack([x, y], axis=1)


@fine
def ukiyo_e(rng, height, width, painter):
    """Print waves, a mountain or blossoms in flat colours, the sky shaded off."""
    side, least = max(height, width), min(height, width)
    palette, kind = painter.palette, manner(rng, painter, 3)
    y = np.linspace(0, 1, height)[:, None] * np.ones((1, width))
    sky = palette[[2, 4, 5, 5]] if painter.order > 0.5 else palette[[5, 5, 4, 3]]
    image = to_image(blend(y * 1.25, sky))
    draw = ImageDraw.Draw(image)
    line = max(2, round(side / 300))
    if painter.motif % 3 or kind == 2:
        r = least * rng.uniform(0.07, 0.12) * (1.6 if kind == 2 else 1)
        x, top = rng.uniform(0.2, 0.8) * width, rng.uniform(0.16, 0.32) * height
        draw.ellipse(
            (x - r, top - r, x + r, top + r), fill=colour(rng, painter, 5, 1, 4)
        )
    sea = rng.uniform(0.58, 0.72) * height
    if kind != 2 or rng.random() < 0.4:
        _mountain(rng, draw, sea, height, width, painter, line)
    for _ in range(rng.integers(1, 4)):  # bands of mist
        top, thick = rng.uniform(0.35, 0.9) * sea, height * rng.uniform(0.015, 0.035)
        start = rng.uniform(-0.1, 0.6) * width
        box = (start, top, start + rng.uniform(0.3, 0.6) * width, top + thick)
        draw.rounded_rectangle(box, radius=thick / 2, fill=ink(palette[5]))
    if kind == 0:
        _seigaiha(rng, draw, sea, height, width, painter, line)
    elif kind == 1:
        _billows(rng, draw, sea, height, width, painter, line)
    else:
        _blossoms(rng, draw, height, width, painter, line)
    box = np.array([0.03, 0.05, 0.07, 0.17]) * least  # the seal
    if painter.order > 0.3:
        left = width - 0.1 * least if painter.motif % 2 else 0
        seal = tuple((box + [left, 0, left, 0]).tolist())
        draw.rectangle(
            seal, fill=ink(palette[2]), outline=ink(palette[0]), width=line // 2
        )
    return image


def _mountain(rng, draw, sea, height, width, painter, line):
    """Print slopes that flatten out below a cap of snow with a jagged edge."""
    peak = rng.uniform(0.3, 0.7) * width, sea - height * rng.uniform(0.25, 0.42)
    reach, t = width * rng.uniform(0.3, 0.5), np.linspace(0, 1, 30)
    slope = peak[1] + (sea - peak[1]) * t**0.75
    left = np.stack([peak[0] - 0.03 * width - reach * t, slope], 1)
    right = np.stack([peak[0] + 0.03 * width + reach * t, slope], 1)
    ridge = [tuple(point) for point in np.concatenate([left[::-1], right]).tolist()]
    draw.polygon(ridge, fill=colour(rng, painter, 6, 1, 3))
    n_snow = int(rng.integers(6, 12))
    jag = left[n_snow][1] + height * 0.04 * np.where(np.arange(9) % 2, 1, -0.4)
    edge = np.stack([np.linspace(right[n_snow][0], left[n_snow][0], 9), jag], 1)
    cap = np.concatenate([left[n_snow::-1], right[: n_snow + 1], edge])
    draw.polygon([tuple(point) for point in cap.tolist()], fill=ink(painter.palette[5]))
    draw.line(ridge, fill=ink(painter.palette[0]), width=line, joint="curve")


def _seigaiha(rng, draw, sea, height, width, painter, line):
    """Print the sea as rows of overlapping scales, each with rings inside."""
    scale = max(height, width) * (0.06 + 0.08 * painter.scale)
    deep, middle, pale = (
        colour(rng, painter, 5, *part) for part in ((1, 3), (2, 5), (4, 6))
    )
    row, top = 0, sea
    while top < height + scale:
        swing = scale * 0.5 * np.sin(row * 0.9 + rng.uniform(0, 0.6))
        for x in np.arange(-scale, width + scale, scale) + (row % 2) * scale / 2:
            crest = top + swing * np.sin(2.5 * np.pi * x / width)
            for part, fill in ((1, deep), (0.76, pale), (0.52, middle), (0.28, pale)):
                r = scale * 0.56 * part
                box = (x - r, crest - r, x + r, crest + r)
                rim = ink(painter.palette[0])
                draw.ellipse(box, fill=fill, outline=rim, width=max(1, line // 2))
        row, top = row + 1, top + scale * 0.34


# A breaker that curls to the right, seen from the side; its foam is at the lip.
_BREAKER = np.array(
    "-3.2,.2 -2,-.02 -1.2,-.45 -.55,-1 .05,-1.3 .6,-1.22 .92,-.92 .95,-.62 .72,-.78 "
    ".45,-.78 .2,-.5 .22,-.18 .6,.06 1.4,.14 2.4,0 3.4,.15".replace(" ", ",").split(
        ","
    ),
    dtype=float,
).reshape(-1, 2)


def _billows(rng, draw, sea, height, width, painter, line):
    """Print great waves that curl over, striped, with claws of foam."""
    palette, least = painter.palette, min(height, width)
    dark, foam = ink(palette[0]), ink(palette[5])
    curve = interpolate.CubicSpline(np.arange(len(_BREAKER)), _BREAKER)
    breaker = curve(np.linspace(0, len(_BREAKER) - 1, 120))
    lip = curve(np.linspace(2.6, 9.2, 34))
    draw.rectangle((0, sea, width, height), fill=ink(palette[2]))
    for depth in range(3):
        size = least * (0.22 + 0.12 * depth) * (0.8 + 0.5 * painter.scale)
        base = sea + (height - sea) * (0.2 + 0.4 * depth)
        way = 1 if (painter.motif + depth // 2) % 2 else -1
        spot = np.array([width * (0.5 - way * rng.uniform(-0.05, 0.38)), base])
        scale = np.array([way * size, size * rng.uniform(0.9, 1.15)])
        for inset, fill in enumerate((palette[1], palette[4], palette[2], palette[4])):
            pivot = np.array([-0.5, 0.9])
            shape = pivot + (breaker - pivot) * (1 - 0.1 * inset) + [0, 0.03 * inset]
            points = [tuple(point) for point in (spot + scale * shape).tolist()]
            feet = [(points[-1][0], 2 * height), (points[0][0], 2 * height)]
            draw.polygon([*points, *feet], fill=ink(fill))
            draw.line(points, fill=dark, width=line, joint="curve")
        drops = np.repeat(spot + scale * lip, 3, axis=0)
        drops = drops + rng.normal(0, 0.045 * size, drops.shape)
        spray = spot + scale * rng.normal((0.7, -1.35), (0.5, 0.16), (18, 2))
        for centres, low, high in ((drops, 0.04, 0.085), (spray, 0.01, 0.025)):
            for x, y in centres.tolist():
                r = size * rng.uniform(low, high)
                box = (x - r, y - r, x + r, y + r)
                draw.ellipse(box, fill=foam, outline=dark, width=max(1, line // 2))


def _blossoms(rng, draw, height, width, painter, line):
    """Print a bough in flower from one side of the sheet."""
    palette, least, side = painter.palette, min(height, width), max(height, width)
    way = 1 if painter.motif % 2 else -1
    petal, heart = colour(rng, painter, 8, 3, 6), ink(palette[2])
    boughs = [(width * (0.5 - 0.52 * way), height * rng.uniform(0.5, 0.95), 0.0, 1.0)]
    ends = []
    while boughs:
        x, y, lean, thick = boughs.pop()
        for _ in range(9 if thick == 1 else 5):
            lean += rng.normal(-0.06, 0.28)
            lean = np.clip(lean, -1.3, 0.7)
            step = side * 0.085 * (0.55 + 0.45 * thick)
            to = x + way * step * np.cos(lean), y + step * np.sin(lean)
            broad = max(2, int(least * 0.045 * thick))
            draw.line((x, y, *to), fill=ink(palette[0]), width=broad)
            r = broad / 2
            draw.ellipse(
                (to[0] - r, to[1] - r, to[0] + r, to[1] + r), fill=ink(palette[0])
            )
            x, y = to
            thick *= 0.88
            ends.append(to)
            if thick > 0.42 and rng.random() < 0.7:
                boughs.append((x, y, lean + rng.choice([-0.9, 0.8]), thick * 0.6))
    for x, y in ends:
        for _ in range(rng.integers(0, 3 + int(3 * painter.density))):
            px, py = rng.normal((x, y), least * 0.035)
            size = least * rng.uniform(0.014, 0.03) * (0.8 + 0.6 * painter.scale)
            for turn in np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 1):
                qx, qy = px + size * np.cos(turn), py + size * np.sin(turn)
                box = (
                    qx - size * 0.7,
                    qy - size * 0.7,
                    qx + size * 0.7,
                    qy + size * 0.7,
                )
                draw.ellipse(
                    box, fill=petal, outline=ink(palette[0]), width=max(1, line // 3)
                )
            r = size * 0.4
            draw.ellipse((px - r, py - r, px + r, py + r), fill=heart)
