"""Self-contained HTML pages: sections of text, tables, figures and images.

A page loads nothing from elsewhere and runs no script, and all its texts are escaped.
"""

import hashlib
import io
import re
import warnings

import markupsafe
import matplotlib.pyplot as plt
import pandas as pd
from PIL import Image

from skart._utils._pages import (
    check_target,
    data_uri,
    encode_jpeg,
    encode_text,
    jpeg_uri,
    make_environment,
    write_page,
)
from skart._utils._text import as_percent
from skart._utils._validation import visible

_MAX_SVG_BYTES = 150_000  # larger drawings become a PNG
_PIXELS_PER_INCH = 96  # of CSS
# Browsers accept links of two million characters; base64 has four for three bytes.
_MAX_LINK_BYTES = 1_400_000
_NUMBER = re.compile(r"[-+−]?[\d,.]+%?( \(.*\))?")
_PORTRAIT = 200  # CSS pixels of the longer side of an image
_MISSING = "–"

# Style of all figures of a page: ``with plt.rc_context(FIGURE_STYLE)``.
FIGURE_STYLE = {
    "axes.edgecolor": "0.4",
    "axes.prop_cycle": plt.cycler(color=["#2f5573", "#b4602c", "#5f7a4b", "#8a2b3c"]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "white",
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.hashsalt": "skart",
}


class Page:
    """HTML page with a title, a subtitle and sections."""

    def __init__(self, title, subtitle=""):
        self.title = title
        self.subtitle = subtitle
        self.sections = []

    def section(self, title):
        """Add a section, which is also an entry of the contents, and return it."""
        self.sections.append(Section(title))
        return self.sections[-1]

    def render(self):
        """Return the HTML."""
        environment = make_environment("skart.report")
        environment.filters |= {"breakable": _make_breakable, "percent": as_percent}
        return environment.get_template("page.html").render(page=self)

    def write(self, path):
        """Write the page atomically, and return its path; folders are created."""
        path = check_target(path)
        return write_page(path, self.render())


class Section:
    """Section of a page: a heading, and blocks of content in their order."""

    def __init__(self, title):
        self.title = title
        self.blocks = []

    def text(self, text):
        """Add paragraphs, separated by empty lines."""
        paragraphs = re.split(r"\n\s*\n", str(text).strip())
        self._add("text", paragraphs=[" ".join(part.split()) for part in paragraphs])

    def facts(self, facts):
        """Add a list of names and values, a dict."""
        self._add("facts", facts=facts)

    def table(self, frame, *, caption="", formats=None, code=(), links=None):
        """Add a table; its index is shown unless it is a RangeIndex."""
        # `formats`: by column, a format such as ".1%" or a function of the value.
        # `code`: columns in a monospaced font that are broken anywhere.
        # `links`: by column, the address for each cell, or None.
        formats = formats or {}
        numbered = isinstance(frame.index, pd.RangeIndex)
        columns = [
            [_format(value, formats.get(name)) for value in frame.iloc[:, place]]
            for place, name in enumerate(frame.columns)
        ]
        kinds = [
            "code"
            if name in code
            else "number"
            if all(_NUMBER.fullmatch(text) or text == _MISSING for text in column)
            else "long"
            if any(len(text) > 30 for text in column)
            else ""
            for name, column in zip(frame.columns, columns, strict=True)
        ]
        for name, uris in (links or {}).items():
            place = frame.columns.get_loc(name)
            columns[place] = list(zip(columns[place], uris, strict=True))
        heads = [None] * len(frame) if numbered else list(frame.index)
        cells = zip(*columns, strict=True) if columns else [()] * len(frame)
        self._add(
            "table",
            caption=caption,
            corner=None if numbered else frame.index.name or "",
            names=list(frame.columns),
            kinds=kinds,
            rows=list(zip(heads, cells, strict=True)),
        )

    def figure(self, figure, *, alt, caption=""):
        """Add a figure or a Display, and close it."""
        figure = getattr(figure, "figure_", figure)
        kind, data, width = _encode_figure(figure)
        plt.close(figure)
        uri = data_uri(f"image/{kind}", data)
        self._add("figure", uri=uri, width=width, alt=alt, caption=caption)

    def gallery(self, items, *, caption=""):
        """Add thumbnails, each a dict of `image`, `lines` and an optional `link`."""
        self._add("gallery", thumbnails=_encode_items(items), caption=caption)

    def comparison(self, item, others):
        """Add a thumbnail and, beside it, smaller ones, as in `gallery`."""
        self._add("comparison", thumbnails=_encode_items([item, *others]))

    def portrait(self, image, *, lines, link=None, bars=None, more=()):
        """Add a thumbnail, others as in `gallery`, and shares by name, a dict, as bars.

        They stand side by side. Small images are enlarged to the size of the others.
        """
        items = [{"image": image, "lines": lines, "link": link}, *more]
        thumbnails = _encode_items(items)
        for item, thumbnail in zip(items, thumbnails, strict=True):
            if item["image"] is not None:
                height, width = item["image"].shape[:2]
                scale = _PORTRAIT / max(height, width)
                thumbnail["width"] = max(1, round(scale * width))
        self._add("portrait", thumbnails=thumbnails, bars=bars or {})

    def download(self, name, frame, *, text):
        """Add a table as CSV files in the page, each with its SHA-256."""
        # Browsers limit the length of links: large tables are split into parts.
        n_parts = -(-len(encode_text(frame.to_csv(index=False))) // _MAX_LINK_BYTES)
        size = max(1, -(-len(frame) // n_parts))
        links = []
        for number, start in enumerate(range(0, len(frame), size), 1):
            rows = frame.iloc[start : start + size]
            part = name.replace(".", f"-{number}.", 1) if n_parts > 1 else name
            # Spreadsheets recognise UTF-8 by the byte order mark.
            data = encode_text("\ufeff" + rows.to_csv(index=False))
            digest = hashlib.sha256(data).hexdigest()
            links.append((part, data_uri("text/csv;charset=utf-8", data), digest))
        self._add("download", text=text, links=links)

    def _add(self, kind, **content):
        """Add a block."""
        self.blocks.append({"kind": kind, **content})


def _encode_items(items):
    """Return items of a gallery with the data of their images."""
    return [
        {
            "uri": None if item["image"] is None else jpeg_uri(item["image"]),
            "lines": item["lines"],
            "link": item.get("link"),
        }
        for item in items
    ]


def _make_breakable(value):
    """Return escaped text whose lines may be broken after underscores."""
    return markupsafe.escape(visible(value)).replace("_", markupsafe.Markup("_<wbr>"))


def _format(value, form):
    """Return the text of a cell."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return _MISSING
    if callable(form):
        return form(value)
    if form is not None:
        return format(value, form)
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if pd.api.types.is_integer(value):
        return f"{value:,}"
    return f"{value:.3g}" if pd.api.types.is_float(value) else str(value)


def _encode_figure(figure):
    """Return the image type, the bytes and the width in CSS pixels of a figure."""
    # Photographs are stored as JPEG, drawings as SVG or, if that is smaller, as PNG.
    images = [image for ax in figure.axes for image in ax.images]
    has_photographs = any(image.get_array().ndim == 3 for image in images)
    if not has_photographs:
        data = _save(figure, format="svg", metadata={"Date": None})
        if len(data) <= _MAX_SVG_BYTES:
            points = re.search(rb'width="([\d.]+)pt"', data)[1]
            return "svg+xml", data, round(float(points) / 72 * _PIXELS_PER_INCH)
    # Two pixels for each CSS pixel, for screens of high resolution.
    data = _save(figure, format="png", dpi=2 * _PIXELS_PER_INCH)
    with Image.open(io.BytesIO(data)) as image:
        width = round(image.width / 2)
        if not has_photographs:
            return "png", data, width
        return "jpeg", encode_jpeg(image.convert("RGB"), 88), width


def _save(figure, **options):
    """Return a figure as bytes."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Tables hold the names that the font can't draw.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(file, bbox_inches="tight", pad_inches=0.05, **options)
    return file.getvalue()
