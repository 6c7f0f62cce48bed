"""Drawn movements without a subject, from Color Field to Suprematism."""

import numpy as np
from PIL import Image
from scipy import ndimage, special

from skart.datasets._canvas import Canvas, blend, cover, ink, smooth_noise

_BLACK = (22, 20, 22)


def paint_color_field(canvas):
    """Float a few large colours with soft edges on a stained ground."""
    rng, painter = canvas.rng, canvas.painter
    height, width, side = canvas.height, canvas.width, canvas.long
    variant = canvas.variant(3)
    pixels = canvas.mix(8) + 18 * (canvas.noise(5) - 0.5)[..., None]
    soft = side * (0.006 + 0.012 * painter.scale)
    ragged = soft * (0.4 + 0.7 * painter.contrast)
    ragged = ragged * (canvas.noise(14) + canvas.noise(60) - 1)
    y, x = canvas.grid() * side
    boxes = []
    if variant == 0:  # stacked rectangles
        n_fields = 2 + int(painter.density * 2.2)
        shares = 0.88 * rng.dirichlet(np.full(n_fields, 5.0))
        margin, top = rng.uniform(0.05, 0.12) * width, 0.06
        for share in shares:
            boxes.append((margin, top * height, width - margin, (top + share) * height))
            top += share + 0.012
    elif variant == 1:  # upright stripes
        for _ in range(1 + int(4 * painter.density)):
            left = rng.uniform(0.05, 0.95) * width
            right = left + rng.choice([0.01, 0.03, 0.2]) * width
            boxes.append((left, -side, right, 2 * side))
        sharp = rng.choice([0.15, 0.6])
        soft, ragged = soft * sharp, ragged * sharp * 0.5
    else:  # veils of thin paint
        x = x + 0.25 * width * (canvas.noise(2) - 0.5)
        edges = np.linspace(0.1, 0.9, 5 + int(8 * painter.density)) * width
        top, overlap = height * rng.uniform(-0.2, 0.2), 0.02 * width
        for left, right in zip(edges[:-1], edges[1:], strict=True):
            bottom = height * rng.uniform(0.75, 1.2)
            boxes.append((left - overlap, top, right + overlap, bottom))
    for left, top, right, bottom in boxes:
        inside = np.minimum(np.minimum(x - left, right - x), bottom - y)
        inside = np.minimum(inside, y - top) + ragged
        opacity = (0.75 if variant == 2 else 0.95) * special.expit(2.4 * inside / soft)
        stain = canvas.mix(12) + 30 * (canvas.noise(7) - 0.5)[..., None]
        pixels = cover(pixels, opacity, stain)
    canvas.fill(pixels)


def paint_neoplasticism(canvas):
    """Divide the canvas by straight black lines, and fill some of the fields."""
    rng, painter, side = canvas.rng, canvas.painter, canvas.long
    variant = canvas.variant(3)
    if variant == 0:
        _draw_grid(canvas)
    elif variant == 1:  # diagonal
        square = Canvas(rng, int(1.45 * side), int(1.45 * side), painter)
        _draw_grid(square)
        turn = 45 if painter.order > 0.3 else 30
        image = square.image.rotate(turn, Image.Resampling.BICUBIC)
        left, top = ((square.size - canvas.size) // 2).tolist()
        canvas.image.paste(image, (-left, -top))
    else:  # planes without lines
        cell = side / (6 + 8 * painter.density)
        columns, rows = canvas.size / cell
        for _ in range(int(0.45 * (columns + 1) * (rows + 1))):
            left, top = cell * np.trunc(rng.uniform(-0.5, (columns, rows)))
            wide, tall = cell * rng.choice([0.5, 1, 2, 3], 2) - 0.12 * cell
            canvas.box((left, top, left + wide, top + tall), canvas.mix(6, 0, 5))


def _draw_grid(canvas):
    """Divide the canvas into fields of colour between black lines."""
    rng, painter = canvas.rng, canvas.painter
    line = max(2, int(canvas.long * (0.006 + 0.013 * painter.scale)))
    smallest = canvas.short * (0.10 + 0.12 * (1 - painter.density))
    fields, pending = [], [(0, 0, canvas.width, canvas.height)]
    while pending:
        left, top, right, bottom = box = pending.pop()
        across = (right - left) * rng.uniform(0.7, 1.4) > bottom - top
        extent = right - left if across else bottom - top
        big = extent > canvas.long * 0.55
        if extent < 2.4 * smallest or (not big and rng.random() < 0.22):
            fields.append(box)
            continue
        cut = int(rng.uniform(smallest, extent - smallest))
        if across:
            cut += left
            pending += [(left, top, cut, bottom), (cut, top, right, bottom)]
        else:
            cut += top
            pending += [(left, top, right, cut), (left, cut, right, bottom)]
    filled = 0.2 + 0.3 * painter.contrast
    for index, field in enumerate(fields):
        strong = rng.random() < filled or index == 0
        canvas.box(field, canvas.mix(4, 0, 5) if strong else canvas.mix(4, 5, 6))
    for left, top, right, bottom in fields:
        broad = max(2, int(line * rng.choice([0.6, 1, 1, 1.6])))
        for end in ((right, top), (left, bottom)):
            canvas.line([(left, top), end], _BLACK, broad)


def paint_op_art(canvas):
    """Bend stripes, rings, dots or a chequerboard so that they seem to move."""
    rng, painter, (y, x) = canvas.rng, canvas.painter, canvas.grid()
    cx, cy = canvas.place(0.25, 0.75) / canvas.long
    radius = np.hypot(x - cx, y - cy)
    frequency = 14 + 26 * painter.density
    swell = rng.uniform(0.05, 0.14) * np.exp(-((radius / rng.uniform(0.2, 0.35)) ** 2))
    turn = rng.uniform(0, np.pi)
    u = x * np.cos(turn) + y * np.sin(turn)
    v = y * np.cos(turn) - x * np.sin(turn)
    wave = 0.035 * np.sin(v * rng.uniform(8, 22) + rng.uniform(0, 6))
    pull = 1 - 2.2 * swell / (radius + 0.25)
    a, b = cx + (x - cx) * pull, cy + (y - cy) * pull
    dark, light = canvas.mix(6, 0, 2), canvas.mix(6, 4, 6)
    if painter.contrast > 0.6:  # a second light colour across the canvas
        light = blend((u - u.min()) / np.ptp(u), [light, canvas.mix(6, 2, 5)])
    subject = (painter.motif + (rng.random() < 0.2)) % 6
    if subject == 0:
        phase = np.sin(2 * np.pi * frequency * 0.8 * (u + wave + swell))
    elif subject == 1:
        phase = np.sin(2 * np.pi * frequency * 0.9 * (radius + 0.5 * wave))
    elif subject == 2:
        phase = np.sin(np.pi * frequency * a) * np.sin(np.pi * frequency * b)
    elif subject == 3:
        spokes = np.arctan2(y - cy, x - cx) * round(frequency / 2)
        rings = np.sin(2 * np.pi * frequency * 0.35 * radius)
        phase = np.sin(spokes + 40 * radius * painter.order) * rings
    else:  # a grid of dots, or of squares in squares, in many colours
        n_cells = 8 + int(0.5 * frequency)
        column, row = (np.floor(c * n_cells).astype(int) % 64 for c in (a, b))
        across, down = (2 * (c * n_cells % 1) - 1 for c in (a, b))
        light = canvas.palette[rng.integers(2, 6, (64, 64))[row, column]]
        size = 0.45 + 0.4 * smooth_noise(rng, 64, 64, 6)[row, column]
        ring = np.maximum(abs(across), abs(down))
        square = np.where(ring < 0.5 * size, ring - 0.22, 0.92 - ring)
        phase = 2.5 * (size - np.hypot(across, down) if subject == 4 else square)
    canvas.fill(cover(dark, special.expit(9 * phase), light))


def paint_action(canvas):
    """Throw and drip paint onto the canvas."""
    rng, painter, side = canvas.rng, canvas.painter, canvas.long
    blots = canvas.variant(2)
    ground, stain = canvas.mix(6, 3, 6), canvas.noise(6)[..., None]
    canvas.fill(ground - stain * rng.uniform(10, 60) * (1 - ground / 300))
    n_throws = 34 + int(50 * painter.density)
    if blots:
        n_throws //= 4
        for _ in range(10 + int(22 * painter.density)):
            fill, spot = canvas.mix(), canvas.place()
            for _ in range(rng.integers(6, 16)):
                r = side * rng.uniform(0.006, 0.035) * (0.6 + painter.scale)
                canvas.disc(rng.normal(spot, side * 0.03), r, fill)
            for _ in range(rng.integers(1, 5)):
                x, y = rng.normal(spot[0], side * 0.03), spot[1]
                end = y + side * rng.exponential(0.16)
                canvas.line((x, y, x, end), fill, max(1, side // 220))
            _spatter(canvas, spot[None], fill, 24)
    for _ in range(n_throws):
        fill, n_steps = ink(canvas.mix(8)), int(rng.integers(90, 260))
        bend = rng.normal(0, 0.1 + 0.3 * (1 - painter.order), n_steps)
        heading = np.cumsum(ndimage.gaussian_filter1d(bend, 2) * 1.6)
        heading += rng.uniform(0, 2 * np.pi)
        pace, start = side * rng.uniform(0.005, 0.012), canvas.place(-0.05, 1.05)
        steps = np.stack([np.cos(heading), np.sin(heading)], 1) * pace
        track = start + np.cumsum(steps, axis=0)
        flow = ndimage.gaussian_filter1d(rng.random(n_steps), 7)
        flow = (flow - flow.min()) / (np.ptp(flow) + 1e-9)
        broad = rng.choice([0.5, 1, 1.6]) * (0.004 + 0.007 * painter.scale)
        radii = side * (0.001 + broad * flow**3)
        before = track[0].tolist()
        for spot, r in zip(track.tolist(), radii.tolist(), strict=True):
            canvas.draw.line((*before, *spot), fill, max(1, round(2 * r)))
            canvas.disc(spot, r, fill)
            before = spot
        _spatter(canvas, track, fill, int(rng.integers(12, 40)))


def _spatter(canvas, track, fill, n_drops):
    """Draw drops around the points of a track."""
    rng, side = canvas.rng, canvas.long
    for _ in range(n_drops):
        spot = track[rng.integers(len(track))] + rng.standard_t(3, 2) * side * 0.025
        r = min(side * 0.0012 * (0.7 + rng.pareto(1.5)), side * 0.014)
        canvas.disc(spot, r, fill)


def paint_suprematism(canvas):
    """Float a few flat, tilted shapes on a pale ground."""
    rng, painter, side = canvas.rng, canvas.painter, canvas.short
    canvas.fill(canvas.mix(4, 5, 6))
    variant = canvas.variant(3)
    centre = canvas.place(0.42, 0.58)
    if variant == 1:  # one or two large shapes, upright
        size = side * rng.uniform(0.28, 0.42)
        for _ in range(1 + (painter.density > 0.5) + (rng.random() < 0.3)):
            fill = canvas.mix(5, 0, 4)
            shape, turn = rng.integers(4), rng.normal(0, 0.06)
            if shape == 0:
                canvas.disc(centre, size, fill)
            elif shape < 3:
                canvas.bar(centre, turn, 2 * size, 2 * size, fill)
            else:
                thin = size * rng.uniform(0.3, 0.6)
                canvas.bar(centre, turn, 2.2 * size, thin, fill)
                canvas.bar(centre, turn, thin, 2.2 * size, fill)
            centre = centre + rng.normal(0, 0.25, 2) * canvas.size
            size *= rng.uniform(0.3, 0.6)
        return
    lean = rng.uniform(0.3, 1.0) * rng.choice([-1, 1])
    cos, sin = np.cos(lean), np.sin(lean)
    axes = np.array([[cos, -sin], [sin, cos]])
    for index in range(7 + int(16 * painter.density)):
        long = side * rng.uniform(0.08, 0.55) * (0.6 + 0.7 * painter.scale)
        thin = long * rng.choice([0.04, 0.1, 0.25, 0.6])
        if index == 0:
            long, thin = side * rng.uniform(0.4, 0.62), side * rng.uniform(0.2, 0.42)
        spread = (0.225, 0.18) if index else (0.045, 0.045)
        spot = centre + axes @ (rng.normal(0, spread) * canvas.size)
        fill = canvas.mix(5, 0, 5)
        turn = lean + (np.pi / 2) * (rng.random() < 0.3) + rng.normal(0, 0.07)
        if rng.random() < (0.35 if variant == 2 else 0.1):
            r = long * rng.uniform(0.12, 0.4)
            if rng.random() < 0.4:
                canvas.disc(spot, r, None, fill, max(2, int(r * 0.16)))
            else:
                canvas.disc(spot, r, fill)
        else:
            canvas.bar(spot, turn, long, thin, fill, 3 if rng.random() < 0.15 else 4)
    for _ in range(int(rng.integers(2, 9)) if variant == 2 else 0):
        turn = lean + rng.choice([0, np.pi / 2, 0.5])
        spot = centre + rng.normal(0, 0.2, 2) * canvas.size
        long, thin = side * rng.uniform(0.5, 1.3), side * 0.006
        canvas.bar(spot, turn, long, thin, canvas.palette[0])
