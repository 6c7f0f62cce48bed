"""Movements without a subject: a generator, a canvas and a painter to a picture."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from skart.datasets._brushes import (
    blend,
    canvas_of,
    colour,
    fine,
    ink,
    manner,
    noise,
    to_image,
)

_BLACK = (22, 20, 22)


def color_field(rng, height, width, painter):
    """Let a few large colours with soft edges float on a stained ground."""
    side = max(height, width)
    kind = manner(rng, painter, 3)
    ground = np.array(colour(rng, painter, 8), float)
    pixels = ground + 18 * (noise(rng, height, width, 5) - 0.5)[..., None]
    soft = side * (0.006 + 0.012 * painter.scale)
    rough = noise(rng, height, width, 14) + noise(rng, height, width, 60) - 1
    ragged = soft * (0.4 + 0.7 * painter.contrast) * rough
    y, x = np.mgrid[0:height, 0:width].astype(float)
    boxes = []
    if kind == 0:  # stacked rectangles
        n_fields = 2 + int(painter.density * 2.2)
        shares = 0.88 * rng.dirichlet(np.full(n_fields, 5.0))
        margin, top = rng.uniform(0.05, 0.12) * width, 0.06
        for share in shares:
            boxes.append((margin, top * height, width - margin, (top + share) * height))
            top += share + 0.012
    elif kind == 1:  # one field, parted by a few upright stripes
        for _ in range(1 + int(4 * painter.density)):
            at, wide = rng.uniform(0.05, 0.95) * width, rng.choice([0.01, 0.03, 0.2])
            boxes.append((at, -side, at + wide * width, 2 * side))
        sharp = rng.choice([0.15, 0.6])
        soft, ragged = soft * sharp, ragged * sharp * 0.5
    else:  # veils of thin paint, one beside the other
        n_veils = 4 + int(8 * painter.density)
        bend = 0.25 * width * (noise(rng, height, width, 2) - 0.5)
        x = x + bend
        edges = np.linspace(0.1, 0.9, n_veils + 1) * width
        low = height * rng.uniform(-0.2, 0.2)
        for left, right in zip(edges[:-1], edges[1:], strict=True):
            end = height * rng.uniform(0.75, 1.2)
            boxes.append((left - 0.02 * width, low, right + 0.02 * width, end))
    for left, top, right, bottom in boxes:
        inside = np.minimum(np.minimum(x - left, right - x), bottom - y)
        inside = np.minimum(inside, y - top) + ragged
        cover = 1 / (1 + np.exp(-np.clip(2.4 * inside / soft, -30, 30)))
        stain = np.array(colour(rng, painter, 12), float)
        cloud = 30 * (noise(rng, height, width, 7) - 0.5)[..., None]
        opaque = 0.75 if kind == 2 else 0.95
        pixels += opaque * cover[..., None] * (stain + cloud - pixels)
    return to_image(pixels)


@fine
def neoplasticism(rng, height, width, painter):
    """Divide the canvas by straight black lines; fill some of the fields."""
    kind = manner(rng, painter, 4)
    if kind == 1:  # the same, on the diagonal
        side = int(1.45 * max(height, width))
        image = _grid(rng, side, side, painter).rotate(
            45 if painter.order > 0.3 else 30, Image.Resampling.BICUBIC
        )
        left, top = (side - width) // 2, (side - height) // 2
        return image.crop((left, top, left + width, top + height))
    if kind == 0:
        return _grid(rng, height, width, painter)
    image, draw = canvas_of(painter.palette[5], height, width)
    side = max(height, width)
    if kind == 2:  # planes without lines
        cell = side / (6 + 8 * painter.density)
        for _ in range(int(0.45 * (width / cell + 1) * (height / cell + 1))):
            left = int(rng.uniform(-0.5, width / cell)) * cell
            top = int(rng.uniform(-0.5, height / cell)) * cell
            wide, tall = cell * rng.choice([0.5, 1, 2, 3], 2) - 0.12 * cell
            fill = colour(rng, painter, 6, 0, 5)
            draw.rectangle((left, top, left + wide, top + tall), fill=fill)
        return image
    band = side * (0.018 + 0.016 * painter.scale)  # streets of small squares
    for upright in (True, False):
        extent, run = (width, height) if upright else (height, width)
        for at in np.sort(rng.uniform(0, extent, 3 + int(6 * painter.density))):
            tone = colour(rng, painter, 5, 3, 5)
            for step in range(int(run / band) + 1):
                fill = colour(rng, painter, 5, 0, 5) if rng.random() < 0.35 else tone
                box = (at, step * band, at + band, step * band + band)
                draw.rectangle(box if upright else _mirrored(box), fill=fill)
    for _ in range(3 + int(5 * painter.contrast)):
        left, top = rng.uniform(0, width), rng.uniform(0, height)
        wide, tall = band * rng.integers(2, 7, 2)
        fill = colour(rng, painter, 5, 0, 5)
        draw.rectangle((left, top, left + wide, top + tall), fill=fill)
    return image


def _mirrored(box):
    return box[1], box[0], box[3], box[2]


def _grid(rng, height, width, painter):
    """Draw fields of colour between black lines."""
    image, draw = canvas_of(painter.palette[5], height, width)
    line = max(2, int(max(height, width) * (0.006 + 0.013 * painter.scale)))
    smallest = min(height, width) * (0.10 + 0.12 * (1 - painter.density))
    fields, pending = [], [(0, 0, width, height)]
    while pending:
        left, top, right, bottom = pending.pop()
        across = (right - left) * rng.uniform(0.7, 1.4) > bottom - top
        extent = right - left if across else bottom - top
        big = extent > max(height, width) * 0.55
        if extent < 2.4 * smallest or (not big and rng.random() < 0.22):
            fields.append((left, top, right, bottom))
            continue
        cut = int(rng.uniform(smallest, extent - smallest))
        if across:
            pending += [
                (left, top, left + cut, bottom),
                (left + cut, top, right, bottom),
            ]
        else:
            pending += [(left, top, right, top + cut), (left, top + cut, right, bottom)]
    filled = 0.2 + 0.3 * painter.contrast
    for index, field in enumerate(fields):
        strong = rng.random() < filled or index == 0
        low, high = (0, 5) if strong else (5, 6)
        draw.rectangle(field, fill=colour(rng, painter, 4, low, high))
    for left, top, right, bottom in fields:
        broad = int(line * rng.choice([0.6, 1, 1, 1.6]))
        for ends in ((left, top, right, top), (left, top, left, bottom)):
            draw.line(ends, fill=_BLACK, width=max(2, broad))
    return image


def op_art(rng, height, width, painter):
    """Bend stripes, rings, dots or a chequerboard until they seem to move."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    cx, cy = rng.uniform(0.25, 0.75) * x.max(), rng.uniform(0.25, 0.75) * y.max()
    radius = np.hypot(x - cx, y - cy)
    frequency = 14 + 26 * painter.density
    swell = rng.uniform(0.05, 0.14) * np.exp(-((radius / rng.uniform(0.2, 0.35)) ** 2))
    turn = rng.uniform(0, np.pi)
    u = x * np.cos(turn) + y * np.sin(turn)
    v = y * np.cos(turn) - x * np.sin(turn)
    wave = 0.035 * np.sin(v * rng.uniform(8, 22) + rng.uniform(0, 6))
    pull = 1 - 2.2 * swell / (radius + 0.25)
    a, b = cx + (x - cx) * pull, cy + (y - cy) * pull
    dark, light = colour(rng, painter, 6, 0, 2), colour(rng, painter, 6, 4, 6)
    tint = np.array(light, float)
    if painter.contrast > 0.6:  # a second colour comes in across the canvas
        across = (u - u.min()) / (u.max() - u.min())
        tint = blend(across, [light, colour(rng, painter, 6, 2, 5)])
    kind = (painter.motif + (rng.random() < 0.2)) % 6
    if kind == 0:
        phase = np.sin(2 * np.pi * frequency * 0.8 * (u + wave + swell))
    elif kind == 1:
        phase = np.sin(2 * np.pi * frequency * 0.9 * (radius + 0.5 * wave))
    elif kind == 2:
        phase = np.sin(np.pi * frequency * a) * np.sin(np.pi * frequency * b)
    elif kind == 3:
        spokes = np.arctan2(y - cy, x - cx) * round(frequency / 2)
        phase = np.sin(spokes + 40 * radius * painter.order) * np.sin(
            2 * np.pi * frequency * 0.35 * radius
        )
    else:  # a grid of dots, or of squares in squares, each with its own colour
        n_cells = 8 + int(0.5 * frequency)
        column, row = (
            np.floor(a * n_cells).astype(int),
            np.floor(b * n_cells).astype(int),
        )
        across, down = 2 * (a * n_cells % 1) - 1, 2 * (b * n_cells % 1) - 1
        table = rng.integers(2, 6, (64, 64))
        tint = painter.palette[table[row % 64, column % 64]]
        size = 0.45 + 0.4 * noise(rng, 64, 64, 6)[row % 64, column % 64]
        if kind == 4:
            phase = 2.5 * (size - np.hypot(across, down))
        else:
            ring = np.maximum(abs(across), abs(down))
            phase = 2.5 * np.where(ring < 0.5 * size, ring - 0.22, 0.92 - ring)
    sharp = 1 / (1 + np.exp(-np.clip(phase * 9, -30, 30)))[..., None]
    return to_image(np.array(dark) * (1 - sharp) + tint * sharp)


def action_painting(rng, height, width, painter):
    """Throw, drip and sweep paint onto the canvas."""
    side = max(height, width)
    kind = manner(rng, painter, 3)
    ground = np.array(colour(rng, painter, 6, 3, 6), float)
    stain = noise(rng, height, width, 6)[..., None] * rng.uniform(10, 60)
    image = to_image(ground - stain * (1 - ground / 300))
    draw = ImageDraw.Draw(image)
    n_throws = 34 + int(50 * painter.density)
    if kind == 1:  # broad sweeps of a dry brush, few drips
        n_throws = 6 + int(8 * painter.density)
        for _ in range(4 + int(10 * painter.density)):
            _sweep(rng, draw, height, width, painter)
    elif kind == 2:  # blots that run
        n_throws //= 4
        for _ in range(10 + int(22 * painter.density)):
            fill = colour(rng, painter, 10)
            x, y = rng.uniform(0, width), rng.uniform(0, height)
            for _ in range(rng.integers(6, 16)):
                r = side * rng.uniform(0.006, 0.035) * (0.6 + painter.scale)
                px, py = rng.normal((x, y), side * 0.03)
                draw.ellipse((px - r, py - r, px + r, py + r), fill=fill)
            for _ in range(rng.integers(1, 5)):
                px = rng.normal(x, side * 0.03)
                end = y + side * rng.exponential(0.16)
                draw.line((px, y, px, end), fill=fill, width=max(1, side // 220))
            _spatter(rng, draw, np.array([[x, y]]), side, fill, 24)
    for _ in range(n_throws):
        fill = colour(rng, painter, 8)
        n_steps = int(rng.integers(90, 260))
        bend = rng.normal(0, 0.1 + 0.3 * (1 - painter.order), n_steps)
        heading = np.cumsum(ndimage.gaussian_filter1d(bend, 2) * 1.6)
        heading += rng.uniform(0, 2 * np.pi)
        pace = side * rng.uniform(0.005, 0.012)
        start = rng.uniform(-0.05, 1.05, 2) * (width, height)
        steps = np.stack([np.cos(heading), np.sin(heading)], 1) * pace
        track = start + np.cumsum(steps, axis=0)
        flow = ndimage.gaussian_filter1d(rng.random(n_steps), 7)
        flow = (flow - flow.min()) / (np.ptp(flow) + 1e-9)
        broad = rng.choice([0.5, 1, 1.6]) * (0.004 + 0.007 * painter.scale)
        radii = side * (0.001 + broad * flow**3)
        before = track[0].tolist()
        for (x, y), r in zip(track.tolist(), radii.tolist(), strict=True):
            draw.line((*before, x, y), fill=fill, width=max(1, round(2 * r)))
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
            before = x, y
        _spatter(rng, draw, track, side, fill, int(rng.integers(12, 40)))
    return image


def _spatter(rng, draw, track, side, fill, n_drops):
    """Let drops fall along a track."""
    for _ in range(n_drops):
        x, y = track[rng.integers(len(track))] + rng.standard_t(3, 2) * side * 0.025
        r = min(side * 0.0012 * (0.7 + rng.pareto(1.5)), side * 0.014)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def _sweep(rng, draw, height, width, painter):
    """Draw one broad stroke of many bristles along an arc."""
    side = max(height, width)
    start = rng.uniform(0, 1, 2) * (width, height)
    heading, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 1.2)
    t = np.linspace(0, 1, 26)
    turn = heading + bend * t
    steps = np.stack([np.cos(turn), np.sin(turn)], 1)
    track = start + np.cumsum(steps, axis=0) * side * rng.uniform(0.015, 0.035)
    normal = np.stack([-steps[:, 1], steps[:, 0]], 1)
    broad = side * (0.02 + 0.05 * painter.scale) * rng.uniform(0.5, 1.3)
    base = np.array(colour(rng, painter, 6), float)
    for offset in np.arange(-broad, broad, max(1.0, side / 260)):
        first = int(rng.integers(0, 4))
        last = int(26 - rng.exponential(4 * (1 - painter.order) + 1))
        points = (track + normal * offset)[first : max(first + 2, last)]
        fill = ink(base + rng.normal(0, 16))
        wide = max(1, round(side / 200))
        draw.line([tuple(point) for point in points.tolist()], fill=fill, width=wide)


@fine
def suprematism(rng, height, width, painter):
    """Let a few flat, tilted shapes float on a pale ground."""
    image, draw = canvas_of(colour(rng, painter, 4, 5, 6), height, width)
    side = min(height, width)
    kind = manner(rng, painter, 3)
    centre = np.array([width, height]) * rng.uniform(0.42, 0.58, 2)
    if kind == 1:  # one or two great shapes, upright
        size = side * rng.uniform(0.28, 0.42)
        for _ in range(1 + (painter.density > 0.5) + (rng.random() < 0.3)):
            fill = colour(rng, painter, 5, 0, 4)
            shape = rng.integers(4)
            turn = rng.normal(0, 0.06)
            if shape == 0:
                draw.ellipse((*(centre - size), *(centre + size)), fill=fill)
            elif shape < 3:
                draw.polygon(_bar(centre, turn, 2 * size, 2 * size), fill=fill)
            else:
                thin = size * rng.uniform(0.3, 0.6)
                draw.polygon(_bar(centre, turn, 2.2 * size, thin), fill=fill)
                draw.polygon(_bar(centre, turn, thin, 2.2 * size), fill=fill)
            centre = centre + rng.normal(0, 0.25, 2) * (width, height)
            size *= rng.uniform(0.3, 0.6)
        return image
    lean = rng.uniform(0.3, 1.0) * rng.choice([-1, 1])
    axis = np.array([np.cos(lean), np.sin(lean)])
    normal = np.array([-axis[1], axis[0]])
    for index in range(7 + int(16 * painter.density)):
        long = side * rng.uniform(0.08, 0.55) * (0.6 + 0.7 * painter.scale)
        thin = long * rng.choice([0.04, 0.1, 0.25, 0.6])
        if index == 0:
            long, thin = side * rng.uniform(0.4, 0.62), side * rng.uniform(0.2, 0.42)
        spot = centre + axis * rng.normal(0, 0.25 if index else 0.05) * width * 0.9
        spot = spot + normal * rng.normal(0, 0.2 if index else 0.05) * height * 0.9
        fill = colour(rng, painter, 5, 0, 5)
        turn = lean + (np.pi / 2) * (rng.random() < 0.3) + rng.normal(0, 0.07)
        if rng.random() < (0.35 if kind == 2 else 0.1):
            r = long * rng.uniform(0.12, 0.4)
            box = (*(spot - r), *(spot + r))
            if rng.random() < 0.4:
                draw.ellipse(box, outline=fill, width=max(2, int(r * 0.16)))
            else:
                draw.ellipse(box, fill=fill)
            continue
        corners = _bar(spot, turn, long, thin)
        draw.polygon(corners[: 3 if rng.random() < 0.15 else 4], fill=fill)
    for _ in range(int(rng.integers(2, 9)) if kind == 2 else 0):
        turn = lean + rng.choice([0, np.pi / 2, 0.5])
        spot = centre + rng.normal(0, 0.2, 2) * (width, height)
        bar = _bar(spot, turn, side * rng.uniform(0.5, 1.3), side * 0.006)
        draw.polygon(bar, fill=ink(painter.palette[0]))
    return image


def _bar(spot, turn, long, thin):
    """Corners of a turned rectangle."""
    along = np.array([np.cos(turn), np.sin(turn)]) * long / 2
    across = np.array([-np.sin(turn), np.cos(turn)]) * thin / 2
    corners = (along + across, along - across, -along - across, -along + across)
    return [tuple((spot + corner).tolist()) for corner in corners]
