"""Drawn movements with a subject: Impressionism, Pointillism, Cubism."""

import numpy as np

from skart.datasets._canvas import Canvas, blend, cover, direction


def paint_impressionism(canvas, rng, painter):
    """Cover a scene with short strokes of thick paint that follow its forms."""
    view, flow = _paint_scene(canvas, rng, painter)
    variant = canvas.variant(3)
    unit = canvas.long / 640 * (7 + 7 * painter.scale)
    canvas.fill(canvas.palette[3])
    for size, share in ((2.4, 2.0), (1.5, 1.6), (1.0, 0.9)):
        length = unit * size * (0.8 if variant == 2 else 1.15)
        broad = max(2, round(unit * size * (0.42, 0.26, 0.7)[variant]))
        n = int(share * canvas.height * canvas.width / (length * broad))
        spots = rng.uniform(0, canvas.size, (n, 2))
        tones, angles = _sample(spots, view, flow)
        angles = angles + rng.normal(0, 0.18 + 0.4 * (1 - painter.order), n)
        tones = tones + rng.normal(0, 10 + 12 * painter.contrast, (n, 1))
        tones += rng.normal(0, 9, (n, 3))
        reaches = direction(angles) * length / 2
        lines = np.hstack([spots - reaches, spots + reaches]).tolist()
        for line, fill in zip(lines, _inks(tones), strict=True):
            canvas.draw.line(line, fill, broad)


def paint_pointillism(canvas, rng, painter):
    """Divide a scene into dots of unmixed colours."""
    view, flow = _paint_scene(canvas, rng, painter)
    step = canvas.long / 640 * (5.6 + 4.4 * painter.scale)
    pure = np.concatenate([canvas.palette, 0.5 * canvas.palette + 110])
    for layer in range(3):
        width, height = canvas.size + step
        spots = np.stack(np.mgrid[0:width:step, 0:height:step], -1).reshape(-1, 2)
        spots = rng.normal(spots, step * 0.35)
        tones, _ = _sample(spots, view, flow)
        noisy = tones + rng.normal(0, 20, tones.shape)
        nearest = np.linalg.norm(noisy[:, None] - pure, axis=2).argmin(axis=1)
        fills = pure[nearest] + rng.normal(0, 7, tones.shape)
        strays = rng.random(len(spots)) < 0.04
        fills[strays] = 255 - 0.8 * tones[strays]
        radii = step * rng.uniform(0.36, 0.58, len(spots)) * (1 - 0.1 * layer)
        for spot, r, fill in zip(spots, radii, _inks(fills), strict=True):
            canvas.disc(spot, r, fill)


def _inks(colours):
    """Return many colours as Pillow expects them."""
    return map(tuple, np.clip(colours, 0, 255).astype(int).tolist())


def _sample(spots, view, flow):
    """Return the colours and directions of a scene of half the size at points."""
    last = np.array(flow.shape[::-1]) - 1
    columns, rows = np.clip(spots / 2, 0, last).astype(int).T
    return view[rows, columns], flow[rows, columns]


def _paint_scene(canvas, rng, painter):
    """Return the pixels of a landscape of half the size, and its directions."""
    palette, scene = canvas.palette, Canvas(rng, *canvas.size[::-1] // 2, painter)
    clouds, patches = scene.noise(6), scene.noise(10)
    y, x = np.mgrid[0 : scene.height, 0 : scene.width] / scene.height
    ratio = scene.width / scene.height
    subject = (painter.motif + 2 * (rng.random() < 0.3)) % 4
    if subject == 3:  # a pond with water lilies
        view = blend(0.7 * clouds + 0.3 * patches, palette[[1, 2, 1, 3]])
        for _ in range(rng.integers(16, 34)):
            depth, across = rng.uniform(0.08, 1), x - rng.uniform(0, ratio)
            size = 0.03 + 0.06 * depth
            view[np.hypot(across / 1.9, y - depth) < size] = palette[rng.integers(2, 5)]
            bloom = np.hypot(across, 1.4 * (y - depth + 0.4 * size)) < size / 2
            view[bloom] = palette[5]
        return view, 0.3 * (patches - 0.5)

    horizon = rng.uniform(0.32, 0.6)
    view = blend(0.55 * (y / horizon + clouds), np.roll(palette[3:], painter.motif, 0))
    sun = rng.uniform((0.2 * ratio, 0.35 * horizon), (0.8 * ratio, 0.75 * horizon))
    distance = np.hypot(x - sun[0], y - sun[1])
    view = cover(view, 0.6 * np.exp(-((distance / 0.25) ** 2)), palette[4])
    view = cover(view, distance < 0.06, palette[5])
    hills = y > horizon - 0.1 * scene.noise(4)[0]
    view = cover(view, hills, blend(patches, palette[[2, 3]]))
    for _ in range(rng.integers(3, 9) if subject else 0):  # trees
        at, tall = rng.uniform(0, ratio), rng.uniform(0.12, 0.9) * horizon
        crown = np.hypot((x - at) / rng.choice([0.22, 0.55]), y - horizon + tall / 2)
        tree = crown / (tall / 2) + 0.5 * (clouds - 0.5) < 0.95
        colours = palette[rng.integers(0, 2) + np.arange(3)]
        view[tree] = blend(0.5 - (x - at) / tall, colours)[tree]

    if subject == 2:  # a meadow with flowers
        ground = blend((y - horizon) * 0.8 + patches * 0.6, palette[[2, 1, 3, 2]])
        flowers = scene.noise(45) * (0.55 + 0.5 * y)
        ground[flowers > 0.52] = palette[3 + painter.motif % 2]
        ground[flowers > 0.66] = palette[5]
        turn = np.pi / 2 + 1.2 * (patches - 0.5)
    else:  # a river or the sea, in which trees and sky are mirrored
        ripple = 0.5 + 0.5 * np.sin(2 * np.pi * (26 * y**0.7 + 3 * patches))
        ground = blend(0.55 * patches + 0.45 * ripple, palette[1:5])
        shore = int(horizon * scene.height)
        rows = np.clip(2 * shore - np.arange(scene.height), 0, shore)
        ground = cover(ground, 0.6, view[rows])
        turn = 0.15 * (patches - 0.5)
    view = cover(view, y > horizon, ground)
    for _ in range(0 if subject else rng.integers(1, 4)):  # boats on the sea
        at, depth = rng.uniform(0.1, 0.9) * ratio, rng.uniform(0.04, 0.25)
        size = 0.05 + 0.5 * depth
        across, up = (x - at) / size, (horizon + depth - y) / size
        view[(up < 0.18) & (up > 0) & (abs(across) < 0.6 + up)] = palette[0]
        view[(up > 0.22) & (across > -0.4) & (across < 0.4 * (1.7 - up))] = palette[5]
    return np.clip(view, 0, 255), np.where(y > horizon, turn, 1.5 * (clouds - 0.5))


def paint_cubism(canvas, rng, painter):
    """Divide a still life into shifted, shaded planes."""
    side, flat = canvas.long, canvas.variant(2)  # flat as in synthetic cubism
    _draw_still_life(canvas, rng, painter, flat)
    view = np.asarray(canvas.image, float)
    y, x = canvas.grid().astype(np.float32)
    # Cuts have few directions, which holds the composition together.
    turns = rng.uniform(0, np.pi) + np.array([0, 0.7, 1.35, 2.1, 2.6])
    shift, light = np.zeros((2, *x.shape), np.float32), np.zeros_like(x)
    cells, edges = np.zeros(x.shape, np.int64), []
    for _ in range(13 + int(14 * painter.density)):
        centre, reach = canvas.place(0.05, 0.95) / side, rng.uniform(0.1, 0.34)
        cos, sin = along = direction(rng.choice(turns) + rng.normal(0, 0.05))
        near = abs((x - centre[0]) * cos + (y - centre[1]) * sin) < reach
        off = (y - centre[1]) * cos - (x - centre[0]) * sin
        beyond = near & (off > 0)
        push = rng.normal(0, 0.03 + 0.04 * painter.contrast, 2).astype(np.float32)
        shift += beyond * push[:, None, None]
        cells += beyond * rng.integers(1, 1 << 30)
        fade = np.exp(-abs(off) / rng.uniform(0.03, 0.1)) * near
        light += np.where(beyond, -rng.uniform(0.1, 0.36), rng.uniform(0.1, 0.4)) * fade
        edges.append(side * np.stack([centre - reach * along, centre + reach * along]))
    rows = np.clip((y + shift[0]) * side, 0, canvas.height - 1).astype(int)
    columns = np.clip((x + shift[1]) * side, 0, canvas.width - 1).astype(int)
    colours = canvas.palette[[0, 1, 2, 3, 4] if flat else [2, 3, 4, 1, 3]]
    opacity = (0.75 if flat else 0.5) * (cells % 97) / 97
    planes = cover(view[rows, columns], opacity, colours[(cells // 7) % 5])
    if not flat:  # dabs of the brush
        dabs = rng.normal(0, 9, (canvas.height, canvas.width // 5 + 1))
        planes += (1 + painter.texture) * dabs.repeat(5, 1)[:, : canvas.width, None]
    canvas.fill(planes * (1 + light.clip(-0.6, 0.5) * (0.6 if flat else 1))[..., None])
    for edge in edges:
        canvas.line(edge, canvas.palette[0] * 0.7)


def _draw_still_life(canvas, rng, painter, flat):
    """Draw a table with a guitar, bottles and fruit."""
    palette, (width, height), side = canvas.palette, canvas.size, canvas.short
    canvas.fill(palette[3] if flat else blend(canvas.noise(3), palette[2:5]))
    table = rng.uniform(0.55, 0.75) * height
    corner = (rng.uniform(0.3, 0.7) * width, table - 0.06 * side)
    top = [(0, table), corner, (width, table), (width, height), (0, height)]
    canvas.polygon(top, canvas.mix(10, 1, 3))
    dark, light = palette[0], palette[5]
    # A guitar, large and near the middle.
    x, y, r = rng.normal(width / 2, side * 0.08), 0.62 * height, side * 0.2
    fill = canvas.mix(12, 1, 5)
    canvas.line((x, y, x, y - 3.3 * r), dark, int(r / 3))
    canvas.disc((x, y + 0.45 * r), r, fill, dark)
    canvas.disc((x, y - 0.75 * r), 0.72 * r, fill, dark)
    canvas.disc((x, y - r / 6), r / 3, dark)
    for string in x + np.linspace(-0.12, 0.12, 4) * r:
        canvas.line((string, y + 0.9 * r, string, y - 3.1 * r), light, 1)
    for index in range(2 + painter.motif % 3):
        x, fill = rng.uniform(0.12, 0.88) * width, canvas.mix(12, 1, 5)
        y, r = table + rng.uniform(0, 0.12) * height, side * rng.uniform(0.09, 0.15)
        if (painter.motif + index) % 2:  # a fruit
            canvas.disc((x, y - r / 2), r / 2, fill, dark)
        else:  # a bottle with a label
            canvas.box((x - r / 4, y - 3.4 * r, x + r / 4, y - r), fill)
            body = (x - 0.6 * r, y - 2 * r, x + 0.6 * r, y)
            canvas.box(body, fill, dark, radius=r / 2)
            canvas.box((x - r / 2, y - 1.2 * r, x + r / 2, y - r / 2), light)
