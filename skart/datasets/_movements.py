"""One function a movement: a generator, a canvas and a painter to a picture."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from skart.datasets._brushes import (
    blend,
    canvas_of,
    colour,
    noise,
    relief,
    scene,
    to_image,
    weave,
)


def impressionism(rng, height, width, painter):
    """Cover a scene with short strokes of thick paint that follow its forms."""
    view = scene(rng, height, width, painter)
    image, draw = canvas_of(painter.palette[3], height, width)
    unit = max(height, width) / 640
    flow = noise(rng, height, width, 3) * (1 + painter.order) * np.pi
    for size in (1.7, 1.0):
        length = unit * size * (8 + 10 * painter.scale)
        n_strokes = int(2.6 * height * width / (length * length / 2.2))
        ys = rng.integers(0, height, n_strokes)
        xs = rng.integers(0, width, n_strokes)
        angles = flow[ys, xs] * 0.5 + rng.normal(0, 0.35, n_strokes)
        colours = view[ys, xs] + rng.normal(
            0, 9 + 14 * painter.contrast, (n_strokes, 3)
        )
        colours = np.clip(colours, 0, 255).astype(int)
        dx, dy = np.cos(angles) * length / 2, np.sin(angles) * length / 2
        thickness = max(2, round(length * 0.32))
        ends = np.stack([xs - dx, ys - dy, xs + dx, ys + dy], axis=1).tolist()
        for line, fill in zip(ends, colours.tolist(), strict=True):
            draw.line(line, fill=tuple(fill), width=thickness)
    return relief(image, 0.12 + 0.12 * painter.texture)


def pointillism(rng, height, width, painter):
    """Break a scene up into dots of unmixed colours."""
    view = scene(rng, height, width, painter)
    image, draw = canvas_of(painter.palette[5], height, width)
    step = max(height, width) / 640 * (4.5 + 4 * painter.scale)
    for layer in range(3):
        ys, xs = np.mgrid[0 : height : step * 0.9, 0 : width : step * 0.9]
        ys = (ys + rng.normal(0, step * 0.4, ys.shape)).ravel()
        xs = (xs + rng.normal(0, step * 0.4, xs.shape)).ravel()
        rows = np.clip(ys.astype(int), 0, height - 1)
        columns = np.clip(xs.astype(int), 0, width - 1)
        seen = view[rows, columns] + rng.normal(0, 42, (len(xs), 3))
        # The nearest pure colour, not a mixture: the eye is to mix them.
        far = np.linalg.norm(seen[:, None] - painter.palette[None], axis=2)
        pure = painter.palette[far.argmin(axis=1)] + rng.normal(0, 7, (len(xs), 3))
        pure = np.clip(pure, 0, 255).astype(int).tolist()
        radii = step * rng.uniform(0.3, 0.5, len(xs)) * (1 - 0.1 * layer)
        for x, y, r, fill in zip(xs, ys, radii, pure, strict=True):
            draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(fill))
    return image


def color_field(rng, height, width, painter):
    """Stack a few large rectangles with soft edges on a stained ground."""
    ground = np.array(colour(rng, painter, 8), float)
    pixels = np.tile(ground, (height, width, 1))
    pixels += 14 * (noise(rng, height, width, 5) - 0.5)[..., None]
    n_fields = 2 + int(painter.density * 2.5)
    heights = rng.dirichlet(np.full(n_fields, 4.0)) * 0.86
    margin = rng.uniform(0.05, 0.12)
    soft = max(height, width) * (0.006 + 0.016 * painter.scale)
    top = 0.07
    wobble = 1 + 0.12 * (noise(rng, height, width, 30) - 0.5)
    for share in heights:
        mask = np.zeros((height, width))
        rows = slice(int(top * height), int((top + share - 0.025) * height))
        mask[rows, int(margin * width) : int((1 - margin) * width)] = 1
        mask = ndimage.gaussian_filter(mask, soft) * wobble
        stain = np.array(colour(rng, painter, 14), float)
        cloud = 26 * (noise(rng, height, width, 7) - 0.5)[..., None]
        pixels += np.clip(mask, 0, 1)[..., None] * (stain + cloud - pixels)
        top += share
    return weave(rng, to_image(pixels), 0.5 + 0.7 * painter.texture)


def neoplasticism(rng, height, width, painter):
    """Divide the canvas by straight black lines; fill some of the fields."""
    image, draw = canvas_of(painter.palette[5], height, width)
    line = max(2, int(max(height, width) * (0.008 + 0.014 * painter.scale)))
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
        fill = (
            colour(rng, painter, 5, 0, 5) if strong else colour(rng, painter, 4, 5, 6)
        )
        draw.rectangle(field, fill=fill)
    for left, top, right, bottom in fields:
        for ends in ((left, top, right, top), (left, top, left, bottom)):
            draw.line(ends, fill=(22, 20, 22), width=line)
    return weave(rng, image, 0.25 * painter.texture)


def op_art(rng, height, width, painter):
    """Bend stripes, rings or a chequerboard until they seem to move."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    cx, cy = rng.uniform(0.25, 0.75) * x.max(), rng.uniform(0.25, 0.75) * y.max()
    radius = np.hypot(x - cx, y - cy)
    frequency = 14 + 26 * painter.density
    swell = rng.uniform(0.05, 0.14) * np.exp(-((radius / rng.uniform(0.2, 0.35)) ** 2))
    turn = rng.uniform(0, np.pi)
    u = x * np.cos(turn) + y * np.sin(turn)
    v = y * np.cos(turn) - x * np.sin(turn)
    wave = 0.035 * np.sin(v * rng.uniform(8, 22) + rng.uniform(0, 6))
    kind = painter.motif % 4
    if kind == 0:
        phase = np.sin(2 * np.pi * frequency * 0.8 * (u + wave + swell))
    elif kind == 1:
        phase = np.sin(2 * np.pi * frequency * 0.9 * (radius + 0.5 * wave))
    elif kind == 2:
        pull = 1 - 2.2 * swell / (radius + 0.25)
        a, b = cx + (x - cx) * pull, cy + (y - cy) * pull
        phase = np.sin(np.pi * frequency * a) * np.sin(np.pi * frequency * b)
    else:
        spokes = np.arctan2(y - cy, x - cx) * round(frequency / 2)
        phase = np.sin(spokes + 40 * radius * painter.order) * np.sin(
            2 * np.pi * frequency * 0.35 * radius
        )
    dark, light = colour(rng, painter, 6, 0, 2), colour(rng, painter, 6, 4, 6)
    sharp = 1 / (1 + np.exp(-np.clip(phase * 9, -30, 30)))
    tint = np.array(light, float)
    if painter.contrast > 0.6:  # a second colour comes in across the canvas
        across = (u - u.min()) / (u.max() - u.min())
        tint = blend(across, [light, colour(rng, painter, 6, 2, 5)])
    return to_image(np.array(dark) * (1 - sharp[..., None]) + tint * sharp[..., None])


def cubism(rng, height, width, painter):
    """Break a subject into overlapping, shaded planes with dark edges."""
    side = max(height, width)
    shades = noise(rng, height, width, 4)
    ground = blend(shades, painter.palette[[1, 2, 3]])
    image = to_image(0.65 * ground + 0.35 * painter.palette[3])
    n_facets = 55 + int(75 * painter.density)
    tilt = rng.choice([0.3, 0.8, 1.2]) * np.pi / 2
    for index in range(n_facets):
        spread = 0.3 - 0.14 * index / n_facets
        cx, cy = rng.normal(0.5, spread) * width, rng.normal(0.5, spread) * height
        size = side * rng.uniform(0.07, 0.19) * (1.25 - 0.5 * painter.scale)
        corners = rng.integers(3, 6)
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        angles = tilt * np.round(angles / tilt * 1.5) / 1.5 + rng.normal(
            0, 0.16, corners
        )
        reach = size * rng.uniform(0.5, 1.3, corners)
        points = np.stack([cx + np.cos(angles) * reach, cy + np.sin(angles) * reach], 1)
        low = np.maximum(points.min(axis=0).astype(int), 0)
        high = np.minimum(points.max(axis=0).astype(int) + 1, (width, height))
        if np.any(high - low < 4):
            continue
        w, h = high - low
        outline = [tuple(point) for point in points - low]
        mask = Image.new("L", (int(w), int(h)))
        ImageDraw.Draw(mask).polygon(outline, fill=235)
        run = rng.uniform(0, 2 * np.pi)
        gy, gx = np.mgrid[0:h, 0:w] / max(h, w)
        shade = (gx * np.cos(run) + gy * np.sin(run)) % 1.0
        tone = np.array(colour(rng, painter, 10), float)
        plane = to_image(tone * (0.62 + 0.62 * shade[..., None]))
        image.paste(plane, tuple(int(value) for value in low), mask)
        edge = tuple(int(value) for value in painter.palette[0] * 0.8)
        points = [tuple(point) for point in points]
        draw = ImageDraw.Draw(image)
        draw.line([*points, points[0]], fill=edge, width=max(1, round(side / 420)))
    draw = ImageDraw.Draw(image)
    for _ in range(
        3 + painter.motif % 4
    ):  # strings of a guitar, a neck, a table's edge
        x, y = rng.uniform(0.3, 0.7) * width, rng.uniform(0.2, 0.5) * height
        length, lean = rng.uniform(0.15, 0.4) * height, rng.normal(0, 0.3)
        for string in range(rng.integers(1, 5)):
            start = x + string * side / 90
            draw.line(
                (start, y, start + lean * length, y + length),
                fill=tuple(int(value) for value in painter.palette[5 if string else 0]),
                width=max(1, round(side / 350)),
            )
    return relief(image, 0.04 + 0.08 * painter.texture)


def pop_art(rng, height, width, painter):
    """Repeat a flat, heavily outlined motif over halftone dots."""
    side = max(height, width)
    columns = 1 + int(painter.density * 3)
    rows = max(1, round(columns * height / width))
    image, draw = canvas_of(painter.palette[5], height, width)
    w, h = width / columns, height / rows
    cell = min(w, h)
    for row in range(rows):
        for column in range(columns):
            left, top = column * w, row * h
            picks = rng.permutation(6)
            ground, dots, front, inner = painter.palette[picks[:4]].astype(int).tolist()
            draw.rectangle((left, top, left + w, top + h), fill=tuple(ground))
            step = max(5.0, side / 640 * (9 + 9 * painter.scale))
            ys, xs = np.mgrid[step / 2 : h : step, step / 2 : w : step]
            xs[1::2] += step / 2
            swell = (ys / h if painter.order > 0.5 else xs / w).ravel()
            for x, y, part in zip(xs.ravel(), ys.ravel(), swell, strict=True):
                r = step * (0.16 + 0.32 * part)
                if x + r < w and y + r < h:
                    box = (left + x - r, top + y - r, left + x + r, top + y + r)
                    draw.ellipse(box, fill=tuple(dots))
            centre = np.array([left + w / 2, top + h / 2])
            stroke = max(3, int(cell * 0.025))
            shape = _motif(painter.motif + (rng.random() < 0.25), rng)
            for scale, fill in ((0.42, front), (0.24, inner)):
                points = [tuple(point) for point in centre + shape * cell * scale]
                draw.polygon(points, fill=tuple(fill))
                draw.line(
                    [*points, *points[:2]],
                    fill=(18, 16, 20),
                    width=stroke,
                    joint="curve",
                )
    if columns * rows > 1:
        for column in range(1, columns):
            draw.line((column * w, 0, column * w, height), fill=(18, 16, 20), width=3)
        for row in range(1, rows):
            draw.line((0, row * h, width, row * h), fill=(18, 16, 20), width=3)
    return image


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


def action_painting(rng, height, width, painter):
    """Throw and drip paint: long loops of changing width, and splashes."""
    side = max(height, width)
    image, draw = canvas_of(colour(rng, painter, 6, 3, 6), height, width)
    n_throws = 16 + int(34 * painter.density)
    for _ in range(n_throws):
        fill = colour(rng, painter, 8)
        n_steps = int(rng.integers(120, 320))
        heading = np.cumsum(rng.normal(0, 0.16 + 0.2 * (1 - painter.order), n_steps))
        heading += rng.uniform(0, 2 * np.pi)
        pace = side * rng.uniform(0.006, 0.012)
        xs = rng.uniform(0, 1) * width + np.cumsum(np.cos(heading) * pace)
        ys = rng.uniform(0, 1) * height + np.cumsum(np.sin(heading) * pace)
        flow = ndimage.gaussian_filter1d(rng.random(n_steps), 9)
        flow = (flow - flow.min()) / (np.ptp(flow) + 1e-9)
        radii = side * (0.0008 + (0.002 + 0.006 * painter.scale) * flow**2)
        for x, y, r in zip(xs, ys, radii, strict=True):
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        thick = [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]
        draw.line(thick, fill=fill, width=max(1, round(side * 0.0022)))
        for _ in range(int(rng.integers(8, 30))):  # splashes along the way
            at = rng.integers(n_steps)
            far = rng.normal(0, side * 0.03, 2)
            r = side * 0.0012 * rng.pareto(1.6) + side * 0.001
            x, y = xs[at] + far[0], ys[at] + far[1]
            r = min(r, side * 0.012)
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    return relief(image, 0.10 + 0.12 * painter.texture)


def suprematism(rng, height, width, painter):
    """Let a few flat, tilted shapes float on a pale ground."""
    image, draw = canvas_of(colour(rng, painter, 4, 5, 6), height, width)
    side = min(height, width)
    lean = rng.uniform(-0.9, 0.9)
    centre = np.array([width, height]) * rng.uniform(0.4, 0.6, 2)
    axis = np.array([np.cos(lean), np.sin(lean)])
    normal = np.array([-axis[1], axis[0]])
    for index in range(4 + int(12 * painter.density)):
        long = side * rng.uniform(0.08, 0.5) * (0.6 + 0.8 * painter.scale)
        thin = long * rng.choice([0.06, 0.12, 0.3, 0.7])
        if index == 0:
            long, thin = side * rng.uniform(0.35, 0.55), side * rng.uniform(0.2, 0.4)
        spot = centre + axis * rng.normal(0, 0.3) * width * 0.8
        spot = spot + normal * rng.normal(0, 0.24) * height * 0.8
        fill = colour(rng, painter, 5, 0, 5)
        turn = lean + (np.pi / 2) * (rng.random() < 0.3) + rng.normal(0, 0.07)
        if rng.random() < 0.16:
            r = long * 0.35
            x, y = spot
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
            continue
        along = np.array([np.cos(turn), np.sin(turn)]) * long / 2
        across = np.array([-np.sin(turn), np.cos(turn)]) * thin / 2
        corners = [along + across, along - across, -along - across, -along + across]
        if rng.random() < 0.15:
            corners = corners[:3]
        draw.polygon([tuple(spot + corner) for corner in corners], fill=fill)
    return weave(rng, image, 0.3 + 0.4 * painter.texture)


def ukiyo_e(rng, height, width, painter):
    """Print a mountain and waves in flat colours with outlines, the sky shaded off."""
    y = np.linspace(0, 1, height)[:, None] * np.ones((1, width))
    sky = (
        painter.palette[[2, 4, 5]]
        if painter.order > 0.5
        else painter.palette[[5, 4, 3]]
    )
    image = to_image(blend(y * 1.3, sky))
    draw = ImageDraw.Draw(image)
    ink = tuple(int(value) for value in painter.palette[0])
    line = max(2, round(max(height, width) / 260))
    sea = rng.uniform(0.5, 0.68) * height
    if painter.motif % 3:
        r = min(height, width) * rng.uniform(0.06, 0.1)
        x, top = rng.uniform(0.15, 0.85) * width, rng.uniform(0.12, 0.3) * height
        box = (x - r, top - r, x + r, top + r)
        draw.ellipse(box, fill=colour(rng, painter, 5, 1, 4))
    # The mountain: slopes that flatten out, and a snow cap with a jagged edge.
    peak = np.array(
        [rng.uniform(0.3, 0.7) * width, sea - height * rng.uniform(0.25, 0.4)]
    )
    reach = width * rng.uniform(0.3, 0.5)
    t = np.linspace(0, 1, 30)
    slope = (sea - peak[1]) * t**0.75
    left = np.stack([peak[0] - 0.04 * width - reach * t, peak[1] + slope], 1)
    right = np.stack([peak[0] + 0.04 * width + reach * t, peak[1] + slope], 1)
    ridge = [tuple(point) for point in np.concatenate([left[::-1], right])]
    draw.polygon(ridge, fill=colour(rng, painter, 6, 1, 3))
    n_snow = 11
    jag = left[n_snow][1] + height * 0.04 * np.where(np.arange(9) % 2, 1, -0.4)
    edge = np.stack([np.linspace(right[n_snow][0], left[n_snow][0], 9), jag], 1)
    cap = np.concatenate([left[n_snow::-1], right[: n_snow + 1], edge])
    snow = tuple(int(value) for value in painter.palette[5])
    draw.polygon([tuple(point) for point in cap], fill=snow)
    draw.line(ridge, fill=ink, width=line, joint="curve")
    for _ in range(rng.integers(1, 4)):  # bands of mist
        top, thick = rng.uniform(0.35, 0.9) * sea, height * rng.uniform(0.015, 0.035)
        start = rng.uniform(-0.1, 0.6) * width
        box = (start, top, start + rng.uniform(0.3, 0.6) * width, top + thick)
        draw.rounded_rectangle(box, radius=thick / 2, fill=snow)
    # The sea: rows of overlapping scales, each with rings inside.
    scale = max(height, width) * (0.05 + 0.05 * painter.scale)
    water = [colour(rng, painter, 5, 1, 5) for _ in range(3)]
    row, top = 0, sea
    while top < height + scale:
        swing = scale * 0.5 * np.sin(row * 0.9 + rng.uniform(0, 0.6))
        for x in np.arange(-scale, width + scale, scale) + (row % 2) * scale / 2:
            crest = top + swing * np.sin(2.5 * np.pi * x / width)
            for ring, part in enumerate((1.0, 0.68, 0.38)):
                r = scale * 0.56 * part
                draw.ellipse(
                    (x - r, crest - r, x + r, crest + r),
                    fill=snow if ring == 1 else water[(row + ring) % 3],
                    outline=ink,
                    width=max(1, line // 2),
                )
        row, top = row + 1, top + scale * 0.36
    return weave(rng, image, 0.2 + 0.3 * painter.texture)


MOVEMENTS = {
    "Impressionism": impressionism,
    "Pointillism": pointillism,
    "Color Field": color_field,
    "Neoplasticism": neoplasticism,
    "Op Art": op_art,
    "Cubism": cubism,
    "Pop Art": pop_art,
    "Action Painting": action_painting,
    "Suprematism": suprematism,
    "Ukiyo-e": ukiyo_e,
}
