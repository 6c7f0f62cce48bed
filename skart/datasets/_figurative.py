"""Movements that paint a subject: a generator, a canvas and a painter to a picture."""

import numpy as np
from PIL import ImageDraw
from scipy import ndimage

from skart.datasets._brushes import (
    blend,
    canvas_of,
    colour,
    ink,
    manner,
    noise,
    scene,
    to_image,
)


def impressionism(rng, height, width, painter):
    """Cover a scene with short strokes of thick paint that follow its forms."""
    view, flow = scene(rng, height // 2, width // 2, painter)
    kind = manner(rng, painter, 3)
    unit = max(height, width) / 640 * (7 + 7 * painter.scale)
    thin = (0.42, 0.26, 0.7)[kind]
    if kind == 1:
        flow = flow + 2.2 * (noise(rng, *flow.shape, 4) - 0.5)
    image, draw = canvas_of(painter.palette[3], height, width)
    for size, cover in ((2.4, 2.0), (1.5, 1.6), (1.0, 0.9)):
        length = unit * size * (0.8 if kind == 2 else 1.15)
        broad = max(2, round(unit * size * thin))
        n_strokes = int(cover * height * width / (length * broad))
        ys, xs = rng.integers(0, height, n_strokes), rng.integers(0, width, n_strokes)
        rows = np.minimum(ys // 2, len(view) - 1)
        columns = np.minimum(xs // 2, view.shape[1] - 1)
        angles = flow[rows, columns]
        angles = angles + rng.normal(0, 0.18 + 0.4 * (1 - painter.order), n_strokes)
        tones = view[rows, columns] + rng.normal(
            0, 10 + 12 * painter.contrast, (n_strokes, 1)
        )
        tones += rng.normal(0, 9, (n_strokes, 3))
        dx, dy = np.cos(angles) * length / 2, np.sin(angles) * length / 2
        ends = np.stack([xs - dx, ys - dy, xs + dx, ys + dy], 1).tolist()
        tones = np.clip(tones, 0, 255).astype(int).tolist()
        for line, fill in zip(ends, tones, strict=True):
            draw.line(line, fill=tuple(fill), width=broad)
    return image


def pointillism(rng, height, width, painter):
    """Break a scene up into dots of unmixed colours."""
    view, flow = scene(rng, height // 2, width // 2, painter)
    dashes = manner(rng, painter, 3) == 2
    image, draw = canvas_of(painter.palette[5], height, width)
    step = max(height, width) / 640 * (5.6 + 4.4 * painter.scale)
    pure = np.concatenate([painter.palette, 0.5 * painter.palette + 110])
    for layer in range(3):
        ys, xs = np.mgrid[0 : height + step : step, 0 : width + step : step]
        ys = (ys + rng.normal(0, step * 0.35, ys.shape)).ravel()
        xs = (xs + rng.normal(0, step * 0.35, xs.shape)).ravel()
        rows = np.clip(ys / 2, 0, len(view) - 1).astype(int)
        columns = np.clip(xs / 2, 0, view.shape[1] - 1).astype(int)
        seen = view[rows, columns] + rng.normal(0, 20, (len(xs), 3))
        # The nearest pure colour, not a mixture: the eye is to mix them.
        nearest = np.linalg.norm(seen[:, None] - pure[None], axis=2).argmin(axis=1)
        spots = pure[nearest] + rng.normal(0, 7, (len(xs), 3))
        strays = rng.random(len(xs)) < 0.04
        spots[strays] = 255 - 0.8 * view[rows, columns][strays]
        spots = np.clip(spots, 0, 255).astype(int).tolist()
        radii = (step * rng.uniform(0.36, 0.58, len(xs)) * (1 - 0.1 * layer)).tolist()
        turns = flow[rows, columns].tolist()
        marks = zip(xs.tolist(), ys.tolist(), radii, turns, spots, strict=True)
        for x, y, r, turn, fill in marks:
            if dashes:
                dx, dy = r * np.cos(turn), r * np.sin(turn)
                ends = (x - dx, y - dy, x + dx, y + dy)
                draw.line(ends, fill=tuple(fill), width=max(2, int(1.4 * r)))
            else:
                draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(fill))
    return image


def cubism(rng, height, width, painter):
    """Break a still life into shifted, shaded planes."""
    kind = manner(rng, painter, 3)
    side = max(height, width)
    view = np.asarray(_still_life(rng, height, width, painter, flat=kind > 0), float)
    if kind == 2:
        view = _discs(rng, view, painter)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / side
    n_cuts = (14, 12, 6)[kind] + int((16, 10, 6)[kind] * painter.density)
    # A few directions only: planes that share them hold the picture together.
    turns = rng.uniform(0, np.pi) + np.array([0, 0.7, 1.35, 2.1, 2.6])
    shift, light = np.zeros((2, height, width), np.float32), np.zeros_like(x)
    cells = np.zeros((height, width), np.int64)
    edges = []
    for _ in range(n_cuts):
        turn = rng.choice(turns) + rng.normal(0, 0.05)
        cx, cy = rng.uniform(0.05, 0.95) * x.max(), rng.uniform(0.05, 0.95) * y.max()
        off = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        along = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        reach = rng.uniform(0.1, 0.34)
        near, beyond = abs(along) < reach, off > 0
        push = rng.normal(0, 0.03 + 0.04 * painter.contrast, 2).astype(np.float32)
        shift += (near & beyond) * push[:, None, None]
        cells += (near & beyond) * rng.integers(1, 1 << 30)
        fade = np.exp(-abs(off) / rng.uniform(0.03, 0.1)) * near
        light += np.where(beyond, -rng.uniform(0.1, 0.36), rng.uniform(0.1, 0.4)) * fade
        ends = np.array([[-reach, reach]]).T * [-np.sin(turn), np.cos(turn)]
        edges.append((ends + [cx, cy]) * side)
    rows = np.clip((y + shift[0]) * side, 0, height - 1).astype(int)
    columns = np.clip((x + shift[1]) * side, 0, width - 1).astype(int)
    planes = view[rows, columns]
    some = painter.palette[[2, 3, 4, 1, 3]] if kind == 0 else painter.palette[:5]
    part = (0.5, 0.75, 0.3)[kind] * ((cells % 97) / 97)[..., None]
    planes += part * (some[(cells // 7) % 5] - planes)
    if kind == 0:  # hatched with short level dabs
        planes += (
            26
            * (ndimage.gaussian_filter(rng.normal(0, 1, y.shape), (1, 5)))[..., None]
            * (1 + 2 * painter.texture)
        )
    image = to_image(
        planes * (1 + light.clip(-0.6, 0.5) * (0.6 if kind else 1))[..., None]
    )
    draw = ImageDraw.Draw(image)
    for edge in edges:
        draw.line(
            [tuple(end) for end in edge.tolist()],
            fill=ink(painter.palette[0] * 0.7),
            width=max(1, round(side / (220 if kind else 330))),
        )
    return image


def _still_life(rng, height, width, painter, flat):
    """Draw a table with a guitar, bottles and fruit."""
    palette, side = painter.palette, min(height, width)
    ground = noise(rng, height, width, 3) if not flat else np.zeros((height, width))
    image = to_image(blend(ground, palette[[2, 3, 4]] if not flat else palette[[3, 4]]))
    draw = ImageDraw.Draw(image)
    table = rng.uniform(0.55, 0.75) * height
    corner = (rng.uniform(0.3, 0.7) * width, table - 0.06 * side)
    draw.polygon(
        [(0, table), corner, (width, table), (width, height), (0, height)],
        fill=colour(rng, painter, 10, 1, 3),
    )
    line = max(1, round(side / 130))
    dark = ink(palette[0])
    for index in range(3 + painter.motif % 3):
        x = rng.uniform(0.12, 0.88) * width
        thing = (painter.motif + index) % 3
        fill = colour(rng, painter, 12, 1, 5)
        y, r = table + rng.uniform(0, 0.12) * height, side * rng.uniform(0.09, 0.15)
        if index == 0:  # always a guitar, large and near the middle
            x, y, r = rng.normal(width / 2, side * 0.08), 0.62 * height, side * 0.2
            draw.line((x, y, x, y - 3.3 * r), fill=dark, width=int(r / 3))
            for dy, size in ((0.45 * r, r), (-0.75 * r, 0.72 * r)):
                box = (x - size, y + dy - size, x + size, y + dy + size)
                draw.ellipse(box, fill=fill, outline=dark, width=line)
            hole = (x - r / 3, y - r / 2, x + r / 3, y + r / 6)
            draw.ellipse(hole, fill=dark)
            for string in np.linspace(-0.12, 0.12, 4) * r:
                ends = (x + string, y + 0.9 * r, x + string, y - 3.1 * r)
                draw.line(ends, fill=ink(palette[5]), width=max(1, line // 2))
        elif thing == 0:
            neck, tall = r / 4, 3.4 * r
            draw.rectangle((x - neck, y - tall, x + neck, y - r), fill=fill)
            box = (x - r / 1.7, y - 0.6 * tall, x + r / 1.7, y)
            draw.rounded_rectangle(box, r / 2, fill=fill, outline=dark, width=line)
            label = (x - r / 2, y - 0.35 * tall, x + r / 2, y - 0.15 * tall)
            draw.rectangle(label, fill=ink(palette[5]))
        elif thing == 1:
            box = (x - r / 2, y - r, x + r / 2, y)
            draw.ellipse(box, fill=fill, outline=dark, width=line)
        else:  # a sheet of print
            sheet = (x - r, y - r, x + r, y + 0.4 * r)
            draw.rectangle(sheet, fill=ink(palette[5]), outline=dark, width=line)
            for row in np.arange(y - 0.8 * r, y + 0.3 * r, max(3.0, r / 5)):
                ends = (x - 0.8 * r, row, x + 0.8 * r, row)
                draw.line(ends, fill=ink(palette[1]), width=max(1, line // 2))
    return image


def _discs(rng, view, painter):
    """Lay discs of many colours, broken up along rays, over a view."""
    height, width = view.shape[:2]
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    for _ in range(3 + int(4 * painter.density)):
        cx, cy = rng.uniform(0, 1) * x.max(), rng.uniform(0, 1) * y.max()
        radius, turn = np.hypot(x - cx, y - cy), np.arctan2(y - cy, x - cx)
        size, n_rings = rng.uniform(0.14, 0.34), rng.integers(3, 7)
        ring = (radius / size * n_rings).astype(int)
        sector = np.floor((turn + rng.uniform(0, 6)) / (np.pi / rng.integers(1, 3)))
        table = painter.palette[rng.integers(0, 6, 97)]
        disc = table[(5 * ring + 13 * sector.astype(int)) % 97]
        fold = ((turn * 2 / np.pi) % 1)[..., None]
        view = np.where((radius < size)[..., None], disc * (0.75 + 0.4 * fold), view)
    return view
