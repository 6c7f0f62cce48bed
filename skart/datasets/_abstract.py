"""Drawn movements without a subject, from Color Field to Suprematism."""

import numpy as np
from PIL import Image
from scipy import ndimage, special

from skart.datasets._canvas import BLACK, Canvas, blend, cover, direction, ink


def paint_color_field(canvas, rng, painter):
    """Float a few large colours with soft edges on a stained ground."""
    variant, side = canvas.variant(3), canvas.long
    pixels = canvas.mix(8) + 18 * (canvas.noise(5) - 0.5)[..., None]
    soft = side * (0.006 + 0.012 * painter.scale) * (0.4 if variant == 1 else 1)
    ragged = soft * (0.4 + 0.7 * painter.contrast)
    ragged = ragged * (canvas.noise(14) + canvas.noise(60) - 1)
    down, right = canvas.grid() * side
    # Fields lie between starts and ends along one axis, and low and high on the other.
    if variant == 0:  # stacked rectangles
        shares = rng.dirichlet(np.full(2 + int(painter.density * 2.2), 5.0))
        edges = np.cumsum([0.06, *0.9 * shares])
        starts, ends = edges[:-1] + 0.006, edges[1:] - 0.006
        low = rng.uniform(0.05, 0.12)
        high = 1 - low
    elif variant == 1:  # upright stripes
        starts = rng.uniform(0.05, 0.95, 1 + int(4 * painter.density))
        ends = starts + rng.choice([0.01, 0.03, 0.2], len(starts))
        low, high = -1, 2
    else:  # veils of thin paint
        edges = np.linspace(0.1, 0.9, 5 + int(8 * painter.density))
        starts, ends = edges[:-1] - 0.02, edges[1:] + 0.02
        low, high = rng.uniform(-0.2, 0.2), rng.uniform(0.75, 1.2)
        right = right + 0.25 * canvas.width * (canvas.noise(2) - 0.5)
    along, across = (right, down) if variant else (down, right)
    length, breadth = canvas.size if variant else canvas.size[::-1]
    margin = np.minimum(across - low * breadth, high * breadth - across) + ragged
    for start, end in zip(starts * length, ends * length, strict=True):
        inside = np.minimum(np.minimum(along - start, end - along) + ragged, margin)
        opacity = (0.75 if variant == 2 else 0.95) * special.expit(2.4 * inside / soft)
        stain = canvas.mix(12) + 30 * (canvas.noise(7) - 0.5)[..., None]
        pixels = cover(pixels, opacity, stain)
    canvas.fill(pixels)


def paint_neoplasticism(canvas, rng, painter):
    """Divide the canvas by straight black lines, and fill some of the fields."""
    side, variant = canvas.long, canvas.variant(3)
    if variant == 0:
        _draw_grid(canvas, rng, painter)
    elif variant == 1:  # diagonal
        square = Canvas(rng, int(1.45 * side), int(1.45 * side), painter)
        _draw_grid(square, rng, painter)
        turn = 45 if painter.order > 0.3 else 30
        image = square.image.rotate(turn, Image.Resampling.BICUBIC)
        canvas.image.paste(image, tuple(((canvas.size - square.size) // 2).tolist()))
    else:  # planes without lines
        cell = side / (6 + 8 * painter.density)
        columns, rows = canvas.size / cell
        for _ in range(int(0.45 * (columns + 1) * (rows + 1))):
            corner = cell * np.trunc(rng.uniform(-0.5, (columns, rows)))
            extent = cell * rng.choice([0.5, 1, 2, 3], 2) - 0.12 * cell
            canvas.box((corner, corner + extent), canvas.mix(6, 0, 5))


def _draw_grid(canvas, rng, painter):
    """Divide the canvas into fields of colour between black lines."""
    line = max(2, int(canvas.long * (0.006 + 0.013 * painter.scale)))
    smallest = canvas.short * (0.10 + 0.12 * (1 - painter.density))
    filled = 0.2 + 0.3 * painter.contrast
    pending = [(np.zeros(2), canvas.size.astype(float))]
    while pending:
        low, high = pending.pop()
        sides = high - low
        axis = int(np.argmax(sides * rng.uniform(0.7, 1.4, 2)))
        big = sides[axis] > canvas.long * 0.55
        if sides[axis] < 2.4 * smallest or (not big and rng.random() < 0.22):
            fill = canvas.mix(4, 0, 5) if rng.random() < filled else canvas.mix(4, 5, 6)
            broad = max(2, int(line * rng.choice([0.6, 1, 1, 1.6])))
            corners = low - broad / 2, high + broad / 2
            canvas.draw.rectangle(np.ravel(corners).tolist(), ink(fill), BLACK, broad)
            continue
        end, start = high.copy(), low.copy()
        cut = low[axis] + rng.uniform(smallest, sides[axis] - smallest)
        end[axis] = start[axis] = cut
        pending += [(low, end), (start, high)]


def paint_op_art(canvas, rng, painter):
    """Bend stripes, rings, dots or a chequerboard so that they seem to move."""
    y, x = canvas.grid()
    x0, y0 = canvas.place(0.25, 0.75) / canvas.long
    radius = np.hypot(x - x0, y - y0)
    frequency = np.pi * (14 + 26 * painter.density)
    swell = rng.uniform(0.05, 0.14) * np.exp(-((radius / rng.uniform(0.2, 0.35)) ** 2))
    pull = 1 - 2.2 * swell / (radius + 0.25)
    bent_x, bent_y = x0 + (x - x0) * pull, y0 + (y - y0) * pull
    cos, sin = direction(rng.uniform(0, np.pi))
    across, along = x * cos + y * sin, y * cos - x * sin
    wave = 0.035 * np.sin(along * rng.uniform(8, 22) + rng.uniform(0, 6))
    dark, light = canvas.mix(6, 0, 2), canvas.mix(6, 4, 6)
    if painter.contrast > 0.6:  # a second light colour
        share = (across - across.min()) / np.ptp(across)
        light = blend(share, [light, canvas.mix(6, 2, 5)])
    subject = (painter.motif + (rng.random() < 0.2)) % 6
    if subject == 0:
        phase = np.sin(1.6 * frequency * (across + wave + swell))
    elif subject == 1:
        phase = np.sin(1.8 * frequency * (radius + 0.5 * wave))
    elif subject == 2:
        phase = np.sin(frequency * bent_x) * np.sin(frequency * bent_y)
    elif subject == 3:
        spokes = np.arctan2(y - y0, x - x0) * round(frequency / 6)
        twist = 40 * radius * painter.order
        phase = np.sin(spokes + twist) * np.sin(0.7 * frequency * radius)
    else:  # dots or squares of all sizes in many colours
        cells = np.stack([bent_x, bent_y]) * round(8 + frequency / 6)
        column, row = np.floor(cells).astype(int) % 64
        light = canvas.palette[rng.integers(2, 6, (64, 64))[row, column]]
        offset = np.abs(2 * (cells % 1) - 1)
        reach = np.hypot(*offset) if subject == 4 else offset.max(axis=0)
        phase = 2.5 * (rng.uniform(0.45, 0.85, (64, 64))[row, column] - reach)
    canvas.fill(cover(dark, special.expit(9 * phase), light))


def paint_action(canvas, rng, painter):
    """Throw and drip paint onto the canvas."""
    side, blots = canvas.long, canvas.variant(2)
    ground, stain = canvas.mix(6, 3, 6), canvas.noise(6)[..., None]
    canvas.fill(ground - stain * rng.uniform(10, 60) * (1 - ground / 300))
    for _ in range(10 + int(22 * painter.density) if blots else 0):
        fill, spot = canvas.mix(), canvas.place()
        for centre in rng.normal(spot, side * 0.03, (rng.integers(6, 16), 2)):
            r = side * rng.uniform(0.006, 0.035) * (0.6 + painter.scale)
            canvas.disc(centre, r, fill)
        for x, y in rng.normal(spot, side * 0.03, (rng.integers(1, 5), 2)):
            canvas.line((x, y, x, y + side * rng.exponential(0.16)), fill)
        _spatter(canvas, rng, spot[None], fill)
    for _ in range((8 if blots else 34) + int((12 if blots else 50) * painter.density)):
        fill, n_steps = ink(canvas.mix(8)), int(rng.integers(90, 260))
        bend = rng.normal(0, 0.1 + 0.3 * (1 - painter.order), n_steps)
        turns = rng.uniform(0, 2 * np.pi) + np.cumsum(
            ndimage.gaussian_filter1d(bend, 2)
        )
        steps = side * rng.uniform(0.005, 0.012) * direction(1.6 * turns)
        track = canvas.place(-0.05, 1.05) + np.cumsum(steps, axis=0)
        flow = ndimage.gaussian_filter1d(rng.random(n_steps), 7)
        flow = (flow - flow.min()) / np.ptp(flow)
        broad = rng.choice([0.5, 1, 1.6]) * (0.004 + 0.007 * painter.scale)
        radii, points = side * (0.001 + broad * flow**3), track.tolist()
        for start, end, r in zip(points[:-1], points[1:], radii[1:], strict=True):
            canvas.draw.line((*start, *end), fill, max(1, round(2 * r)))
            canvas.disc(end, r, fill)
        _spatter(canvas, rng, track, fill)


def _spatter(canvas, rng, track, fill):
    """Draw drops around the points of a track."""
    n, side = rng.integers(12, 40), canvas.long
    spots = rng.choice(track, n) + 0.025 * side * rng.standard_t(3, (n, 2))
    radii = side * np.minimum(0.0012 * (0.7 + rng.pareto(1.5, n)), 0.014)
    for spot, r in zip(spots, radii, strict=True):
        canvas.disc(spot, r, fill)


def paint_suprematism(canvas, rng, painter):
    """Float a few flat, tilted shapes on a pale ground."""
    canvas.fill(canvas.mix(4, 5, 6))
    side, variant, centre = canvas.short, canvas.variant(3), canvas.place(0.42, 0.58)
    if variant == 1:  # a few large shapes, upright
        size = side * rng.uniform(0.56, 0.84)
        for _ in range(rng.integers(1, 4)):
            fill, turn = canvas.mix(5, 0, 4), rng.normal(0, 0.06)
            shape = rng.choice(["disc", "square", "square", "cross"])
            if shape == "disc":
                canvas.disc(centre, size / 2, fill)
            else:
                thin = size / 4 if shape == "cross" else size
                canvas.bar(centre, turn, size, thin, fill)
                canvas.bar(centre, turn, thin, size, fill)
            centre = centre + rng.normal(0, 0.25, 2) * canvas.size
            size *= rng.uniform(0.3, 0.6)
        return
    lean = rng.uniform(0.3, 1.0) * rng.choice([-1, 1])
    axes = np.stack([direction(lean), direction(lean + np.pi / 2)], axis=1)
    for index in range(7 + int(16 * painter.density)):
        fill, spread = canvas.mix(5, 0, 5), np.array([0.225, 0.18])
        long = side * rng.uniform(0.08, 0.55) * (0.6 + 0.7 * painter.scale)
        thin = long * rng.choice([0.04, 0.1, 0.25, 0.6])
        if index == 0:  # the largest shape, in the centre
            long, thin = side * rng.uniform((0.4, 0.2), (0.62, 0.42))
            spread = spread / 5
        spot = centre + axes @ (rng.normal(0, spread) * canvas.size)
        if rng.random() < (0.35 if variant == 2 else 0.1):
            canvas.disc(spot, long * rng.uniform(0.12, 0.4), fill)
            continue
        turn = lean + rng.choice([0, 0, np.pi / 2]) + rng.normal(0, 0.07)
        canvas.bar(spot, turn, long, thin, fill, 3 if rng.random() < 0.15 else 4)
    for _ in range(rng.integers(2, 9) if variant == 2 else 0):  # long lines
        turn = lean + rng.choice([0, np.pi / 2, 0.5])
        spot = centre + rng.normal(0, 0.2, 2) * canvas.size
        canvas.bar(spot, turn, side * rng.uniform(0.5, 1.3), side * 0.006, BLACK)
