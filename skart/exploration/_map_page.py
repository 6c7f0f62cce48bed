"""The page of a map: sheets of thumbnails, and what is known of the paintings."""

import base64
import colorsys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from skart._utils._files import relative_paths
from skart._utils._pages import encode_jpeg, encode_text, render_app
from skart.exploration._index import hide_unknown
from skart.images._thumbnails import load_thumbnails

# Largest number of paintings for each longer side of thumbnails. Sides are multiples of
# 16: no block of JPEG, 16 x 16 pixels for colours, lies on two thumbnails.
_SIDES = ((400, 256), (1000, 160), (2000, 112), (5000, 80), (12_000, 64))
_LEAST_SIDE = 48
_SHEET = 2048  # largest side of a sheet in pixels: phones decode it
_QUALITY = 80
_GREY = "#8a857d"
_RESULTS = {"right": "#3b7ea1", "wrong": "#d1622b"}
# Distinguishable on light and dark backgrounds.
_COLOURS = (
    *("#3f78a3", "#c8702f", "#6d8f4e", "#a8455a", "#c2a13a", "#7a62a8", "#3d9991"),
    *("#c27fa0", "#8d6a48", "#6f9fd0"),
)


def render_map(
    map, paths, *, predicted, confidence, metadata, title, side, n_neighbors
):
    """Return the HTML of a map."""
    n = len(paths)
    side = choose_side(n) if side is None else -(-side // 16) * 16
    images = load_thumbnails(paths, side, verbose=map.verbose)
    places = map.embedding_ - map.embedding_.min(axis=0)
    places = places / max(places.max(), 1e-12)
    files = [_as_text(path) for path in relative_paths(paths)[1]]
    names = [Path(file).stem.replace("_", " ") for file in files]
    columns = [] if metadata is None else _list_columns(metadata)
    if (given := dict(columns).get("title")) is not None:
        names = [name or file for name, file in zip(given, names, strict=True)]
    if confidence is not None:
        shares = [None if pd.isna(one) else round(float(one), 4) for one in confidence]
        others = [column for column in columns if column[0] != "confidence"]
        columns = [("confidence", shares), *others]
    artists = map.artists_
    if artists is not None:
        artists = hide_unknown(artists)
    facets = [
        _make_facet("movement", map.movements_),
        _make_facet("artist", artists),
        _make_facet("predicted", predicted, like=map.movements_),
    ]
    if predicted is not None and map.movements_ is not None:
        facets.append(_make_facet("result", _compare(predicted, map.movements_)))
    facets = [facet for facet in facets if facet is not None]
    taken = {"path", "file", *(facet["name"] for facet in facets)}
    neighbors = map.index_.kneighbors(n_neighbors=n_neighbors, return_distance=False)
    by = "" if artists is None else " by other artists"
    sheets, sheet_side = _make_sheets(images, side)
    data = {
        "x": places[:, 0].round(5).tolist(),
        "y": places[:, 1].round(5).tolist(),
        "extent": places.max(axis=0).tolist(),
        "column": map.grid_[:, 0].tolist(),
        "row": map.grid_[:, 1].tolist(),
        "width": [side if image is None else image.shape[1] for image in images],
        "height": [side if image is None else image.shape[0] for image in images],
        "colour": [_mean_colour(image) for image in images],
        "name": names,
        "path": files,
        "facets": facets,
        "columns": [column for column in columns if column[0] not in taken],
        "neighbors": [[int(i) for i in row if i >= 0] for row in neighbors],
        "neighborsTitle": f"Nearest paintings{by}",
        "side": side,
        "sheetSide": sheet_side,
        "sheets": sheets,
    }
    return render_app(
        "skart.exploration",
        "map",
        title=title,
        data=data,
        scripts=["map_canvas.js", "map.js", "map_events.js"],
    )


def choose_side(n_paintings):
    """Return the longer side of thumbnails: a file of 2,000 stays below 10 MB."""
    sides = [side for most, side in _SIDES if n_paintings <= most]
    return sides[0] if sides else _LEAST_SIDE


def make_palette(n):
    """Return `n` colours, as hexadecimal codes."""
    colours = list(_COLOURS[:n])
    for i in range(len(colours), n):
        levels = ((0.46, 0.55), (0.62, 0.45), (0.38, 0.4))[i % 3]
        # Steps of the golden ratio spread any number of hues evenly.
        hue = 0.618034 * i % 1
        colours.append(_as_hex(255 * np.array(colorsys.hls_to_rgb(hue, *levels))))
    return colours


def order_names(values):
    """Return the distinct known values, the most frequent first."""
    return pd.Series(values, dtype=object).dropna().value_counts().index.tolist()


def sort_names(names):
    """Return names in order: numbers by value, names of several types as text."""
    try:
        return sorted(names)
    except TypeError:
        return sorted(names, key=str)


def _make_facet(name, values, like=None):
    """Return a facet: names, their colours, and a code for each painting, or None."""
    if values is None:
        return None
    # The first colours are for the most frequent values.
    order = order_names(values)
    if like is not None:
        order = list(dict.fromkeys([*order_names(like), *order]))
    colours = (
        _RESULTS
        if name == "result"
        else dict(zip(order, make_palette(len(order)), strict=True))
    )
    names = sort_names(order)
    codes = {value: code for code, value in enumerate(names)}
    return {
        "name": name,
        "values": [_as_text(value) for value in names],
        "codes": [codes.get(value, -1) for value in values],
        "colours": [colours[value] for value in names],
    }


def _compare(predicted, movements):
    """Return "right" or "wrong" for each prediction, None where one is unknown."""
    return [
        None if pd.isna(one) or pd.isna(other) else "right" if one == other else "wrong"
        for one, other in zip(predicted, movements, strict=True)
    ]


def _list_columns(frame):
    """Return names and texts of the columns of a DataFrame; None for missing values."""
    return [
        (_as_text(name), [_as_cell(value) for value in frame.iloc[:, place]])
        for place, name in enumerate(frame.columns)
    ]


def _as_cell(value):
    """Return a value as text, None if it is missing; lists are texts, too."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    # A column of years is one of floats if some are missing.
    is_whole = isinstance(value, float) and value.is_integer()
    return _as_text(int(value) if is_whole else value)


def _as_text(value):
    """Return a value as text; bytes that are not UTF-8 are escaped."""
    return encode_text(str(value)).decode()


def _make_sheets(images, side):
    """Return sheets of thumbnails as base64 of JPEG, and their side in pixels."""
    per_row = _SHEET // side
    sheets = []
    for start in range(0, len(images), per_row**2):
        part = images[start : start + per_row**2]
        n_rows = -(-len(part) // per_row)
        sheet = np.full((n_rows * side, per_row * side, 3), 138, np.uint8)
        for place, image in enumerate(part):
            if image is None:
                continue
            height, width = image.shape[:2]
            top, left = (side * at for at in divmod(place, per_row))
            # The edges are repeated: JPEG blurs sharp ones.
            widths = ((0, side - height), (0, side - width), (0, 0))
            cell = np.pad(image, widths, "edge")
            sheet[top : top + side, left : left + side] = cell
        jpeg = encode_jpeg(Image.fromarray(sheet), _QUALITY, "4:2:0")
        sheets.append(base64.b64encode(jpeg).decode())
    return sheets, per_row * side


def _mean_colour(image):
    """Return the mean colour of an image, as a hexadecimal code."""
    return _GREY if image is None else _as_hex(image.mean(axis=(0, 1)))


def _as_hex(levels):
    """Return levels of red, green and blue, 0 to 255, as a hexadecimal code."""
    return "#{:02x}{:02x}{:02x}".format(*np.round(levels).astype(int))
