"""Drawn movements with a subject: Impressionism, Pointillism, Cubism."""

import numpy as np
from scipy import ndimage

from skart.datasets._canvas import blend, cover, smooth_noise


def paint_impressionism(canvas):
    """Cover a scene with short strokes of thick paint that follow its forms."""
    rng, painter = canvas.rng, canvas.painter
    view, flow = _paint_scene(canvas)
    variant = canvas.variant(3)
    unit = canvas.long / 640 * (7 + 7 * painter.scale)
    if variant == 1:
        flow = flow + 2.2 * (smooth_noise(rng, *flow.shape, 4) - 0.5)
    canvas.fill(canvas.palette[3])
    for size, share in ((2.4, 2.0), (1.5, 1.6), (1.0, 0.9)):
        length = unit * size * (0.8 if variant == 2 else 1.15)
        broad = max(2, round(unit * size * (0.42, 0.26, 0.7)[variant]))
        n = int(share * canvas.height * canvas.width / (length * broad))
        ys, xs = rng.integers(0, canvas.height, n), rng.integers(0, canvas.width, n)
        tones, angles = _sample(xs, ys, view, flow)
        angles = angles + rng.normal(0, 0.18 + 0.4 * (1 - painter.order), n)
        tones = tones + rng.normal(0, 10 + 12 * painter.contrast, (n, 1))
        tones += rng.normal(0, 9, (n, 3))
        _stroke(canvas, xs, ys, angles, np.full(n, length / 2), tones, broad)


def paint_pointillism(canvas):
    """Divide a scene into dots of unmixed colours."""
    rng = canvas.rng
    view, flow = _paint_scene(canvas)
    dashes = canvas.variant(3) == 2
    step = canvas.long / 640 * (5.6 + 4.4 * canvas.painter.scale)
    pure = np.concatenate([canvas.palette, 0.5 * canvas.palette + 110])
    for layer in range(3):
        rows, columns = (np.arange(0, end + step, step) for end in canvas.size[::-1])
        ys, xs = np.meshgrid(rows, columns, indexing="ij")
        ys = (ys + rng.normal(0, step * 0.35, ys.shape)).ravel()
        xs = (xs + rng.normal(0, step * 0.35, xs.shape)).ravel()
        tones, angles = _sample(xs, ys, view, flow)
        # Colours are not mixed: each dot has the pure colour nearest to the scene's.
        noisy = tones + rng.normal(0, 20, tones.shape)
        nearest = np.linalg.norm(noisy[:, None] - pure, axis=2).argmin(axis=1)
        spots = pure[nearest] + rng.normal(0, 7, tones.shape)
        strays = rng.random(len(xs)) < 0.04
        spots[strays] = 255 - 0.8 * tones[strays]
        radii = step * rng.uniform(0.36, 0.58, len(xs)) * (1 - 0.1 * layer)
        if dashes:
            broad = max(2, round(0.65 * step))
            _stroke(canvas, xs, ys, angles, radii, spots, broad)
            continue
        spots = np.clip(spots, 0, 255).astype(int).tolist()
        for x, y, r, fill in zip(xs, ys, radii, spots, strict=True):
            canvas.disc((x, y), r, tuple(fill))


def _sample(xs, ys, view, flow):
    """Return the colours and directions of a scene of half the size at points."""
    rows = np.clip(ys / 2, 0, len(view) - 1).astype(int)
    columns = np.clip(xs / 2, 0, view.shape[1] - 1).astype(int)
    return view[rows, columns], flow[rows, columns]


def _stroke(canvas, xs, ys, angles, reaches, tones, broad):
    """Draw straight strokes, centred at points."""
    dx, dy = np.cos(angles) * reaches, np.sin(angles) * reaches
    ends = np.stack([xs - dx, ys - dy, xs + dx, ys + dy], 1).tolist()
    tones = np.clip(tones, 0, 255).astype(int).tolist()
    for line, fill in zip(ends, tones, strict=True):
        canvas.draw.line(line, tuple(fill), broad)


def _paint_scene(canvas):
    """Return the pixels of an outdoor scene of half the size, and its directions."""
    rng, painter, palette = canvas.rng, canvas.painter, canvas.palette
    height, width = canvas.height // 2, canvas.width // 2
    y, x = np.mgrid[0:height, 0:width] / height
    ratio = width / height
    subject = (painter.motif + 2 * (rng.random() < 0.3)) % 5
    horizon = rng.uniform(0.32, 0.6)
    clouds, patches = (smooth_noise(rng, height, width, cells) for cells in (6, 10))
    if subject == 4:
        return _paint_pond(rng, palette, y, x, clouds, patches), 0.3 * (patches - 0.5)
    sky = palette[[3, 4, 5]] if painter.motif % 2 else palette[[4, 5, 3]]
    view = blend(y / horizon * 0.55 + clouds * 0.55, sky)
    hills = horizon - 0.1 * smooth_noise(rng, 1, width, 4)
    view = cover(view, y > hills, blend(patches, palette[[2, 3]]))
    land = y > horizon
    sun = rng.uniform(0.2, 0.8) * ratio, horizon * rng.uniform(0.35, 0.75)
    flow = 1.5 * (clouds - 0.5)

    def plant_trees(n_trees):
        for _ in range(n_trees):
            at, tall = rng.uniform(0, ratio), rng.uniform(0.12, 0.9) * horizon
            slim, top = rng.choice([0.22, 0.55]), horizon - tall / 2
            crown = np.hypot((x - at) / slim, y - top) / (tall / 2)
            tree = crown + 0.5 * (clouds - 0.5) < 0.95
            tree |= (abs(x - at) < 0.006) & (y > top) & (y < horizon + 0.02)
            colours = palette[rng.integers(0, 2) + np.arange(3)]
            view[tree] = blend(0.5 - (x - at) / tall, colours)[tree]

    if subject < 2:  # water
        ripple = 0.5 + 0.5 * np.sin(2 * np.pi * (26 * y**0.7 + 3 * patches))
        water = blend(0.55 * patches + 0.45 * ripple, palette[1:5])
        flow = np.where(land, 0.15 * (patches - 0.5), flow)
    if subject == 0:  # the sun over the sea, with boats
        distance = np.hypot(x - sun[0], y - sun[1])
        view = cover(view, np.exp(-((distance / 0.07) ** 4)), palette[5])
        view = cover(view, 0.6 * np.exp(-((distance / 0.25) ** 2)), palette[4])
        spread = 0.03 + 0.16 * np.maximum(y - horizon, 0)
        path = np.exp(-(((x - sun[0]) / spread) ** 2)) * (ripple > 0.35)
        view = cover(view, land, cover(water, 0.9 * path, palette[5]))
        for _ in range(rng.integers(1, 4)):
            at, depth = rng.uniform(0.1, 0.9) * ratio, rng.uniform(0.04, 0.25)
            size = 0.05 + 0.5 * depth
            across, up = (x - at) / size, (horizon + depth - y) / size
            view[(up < 0.18) & (up > 0) & (abs(across) < 0.6 + up)] = palette[0]
            sail = (up > 0.22) & (across > -0.4) & (across < 0.4 * (1.7 - up))
            view[sail] = palette[5]
    elif subject == 1:  # trees mirrored in a river
        plant_trees(rng.integers(4, 9))
        mirror = np.clip(2 * horizon - y + 0.02 * ripple, 0, horizon) * height
        rows = np.minimum(mirror.astype(int), height - 1)
        mirrored = np.take_along_axis(view, rows[..., None], axis=0)
        view = cover(view, land, cover(water, np.float64(0.6), mirrored))
    else:
        field = blend((y - horizon) * 0.8 + patches * 0.6, palette[[2, 1, 3, 2]])
        view = cover(view, land, field)
        flow = np.where(land, np.pi / 2 + 1.2 * (patches - 0.5), flow)
        if subject == 2:  # flowers
            spots = smooth_noise(rng, height, width, 45) * (0.55 + 0.5 * y) * land
            view[spots > 0.52] = palette[3 + painter.motif % 2]
            view[spots > 0.66] = palette[5]
        plant_trees(rng.integers(2, 6))
    return np.clip(view, 0, 255), flow


def _paint_pond(rng, palette, y, x, clouds, patches):
    """Return the pixels of a pond with water lilies."""
    view = blend(0.7 * clouds + 0.3 * patches, palette[[1, 2, 1, 3]])
    for _ in range(rng.integers(16, 34)):
        depth = rng.uniform(0.08, 1)
        size, across = 0.03 + 0.06 * depth, x - rng.uniform(0, x.max())
        view[np.hypot(across / 1.9, y - depth) < size] = palette[rng.integers(2, 5)]
        bloom = np.hypot(across, (y - depth + 0.4 * size) * 1.4) < size / 2
        view[bloom] = palette[5] if rng.random() < 0.6 else palette[4]
    return view


def paint_cubism(canvas):
    """Divide a still life into shifted, shaded planes."""
    rng, painter, side = canvas.rng, canvas.painter, canvas.long
    synthetic = canvas.variant(2)
    _draw_still_life(canvas, flat=synthetic)
    view = np.asarray(canvas.image, float)
    y, x = canvas.grid().astype(np.float32)
    n_cuts = (14, 12)[synthetic] + int((16, 10)[synthetic] * painter.density)
    # Cuts have few directions, which holds the composition together.
    turns = rng.uniform(0, np.pi) + np.array([0, 0.7, 1.35, 2.1, 2.6])
    shift, light = np.zeros((2, *x.shape), np.float32), np.zeros_like(x)
    cells, edges = np.zeros(x.shape, np.int64), []
    for _ in range(n_cuts):
        turn = rng.choice(turns) + rng.normal(0, 0.05)
        cx, cy = canvas.place(0.05, 0.95) / side
        off = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        along = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        reach = rng.uniform(0.1, 0.34)
        near, beyond = abs(along) < reach, off > 0
        push = rng.normal(0, 0.03 + 0.04 * painter.contrast, 2).astype(np.float32)
        shift += (near & beyond) * push[:, None, None]
        cells += (near & beyond) * rng.integers(1, 1 << 30)
        fade = np.exp(-abs(off) / rng.uniform(0.03, 0.1)) * near
        light += np.where(beyond, -rng.uniform(0.1, 0.36), rng.uniform(0.1, 0.4)) * fade
        ends = np.array([[-reach], [reach]]) * [-np.sin(turn), np.cos(turn)]
        edges.append((ends + [cx, cy]) * side)
    rows = np.clip((y + shift[0]) * side, 0, canvas.height - 1).astype(int)
    columns = np.clip((x + shift[1]) * side, 0, canvas.width - 1).astype(int)
    colours = canvas.palette[[0, 1, 2, 3, 4] if synthetic else [2, 3, 4, 1, 3]]
    opacity = (0.5, 0.75)[synthetic] * (cells % 97) / 97
    planes = cover(view[rows, columns], opacity, colours[(cells // 7) % 5])
    light = light.clip(-0.6, 0.5)
    if not synthetic:
        dabs = ndimage.gaussian_filter(rng.normal(0, 1, y.shape), (1, 5))
        planes += 26 * dabs[..., None] * (1 + 2 * painter.texture)
    canvas.fill(planes * (1 + light * (0.6 if synthetic else 1))[..., None])
    for edge in edges:
        broad = max(1, round(side / (220 if synthetic else 330)))
        canvas.line(edge, canvas.palette[0] * 0.7, broad)


def _draw_still_life(canvas, flat):
    """Draw a table with a guitar, bottles and fruit."""
    rng, painter, palette = canvas.rng, canvas.painter, canvas.palette
    height, width, side = canvas.height, canvas.width, canvas.short
    canvas.fill(palette[3] if flat else blend(canvas.noise(3), palette[2:5]))
    table = rng.uniform(0.55, 0.75) * height
    corner = (rng.uniform(0.3, 0.7) * width, table - 0.06 * side)
    top = [(0, table), corner, (width, table), (width, height), (0, height)]
    canvas.polygon(top, canvas.mix(10, 1, 3))
    dark, light, thin = palette[0], palette[5], max(1, round(side / 130))
    for index in range(3 + painter.motif % 3):
        x, fill = rng.uniform(0.12, 0.88) * width, canvas.mix(12, 1, 5)
        y, r = table + rng.uniform(0, 0.12) * height, side * rng.uniform(0.09, 0.15)
        if index and (painter.motif + index) % 2:  # a fruit
            canvas.disc((x, y - r / 2), r / 2, fill, dark, thin)
        elif index:  # a bottle with a label
            canvas.box((x - r / 4, y - 3.4 * r, x + r / 4, y - r), fill)
            body = (x - 0.6 * r, y - 2 * r, x + 0.6 * r, y)
            canvas.box(body, fill, dark, thin, radius=r / 2)
            canvas.box((x - r / 2, y - 1.2 * r, x + r / 2, y - r / 2), light)
        else:  # a guitar, large and near the middle
            x, y, r = rng.normal(width / 2, side * 0.08), 0.62 * height, side * 0.2
            canvas.line((x, y, x, y - 3.3 * r), dark, int(r / 3))
            canvas.disc((x, y + 0.45 * r), r, fill, dark, thin)
            canvas.disc((x, y - 0.75 * r), 0.72 * r, fill, dark, thin)
            canvas.disc((x, y - r / 6), r / 3, dark)
            for string in x + np.linspace(-0.12, 0.12, 4) * r:
                line = (string, y + 0.9 * r, string, y - 3.1 * r)
                canvas.line(line, light, max(1, thin // 2))
