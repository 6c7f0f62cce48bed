"""One self-contained HTML page: sections of text, tables and figures.

Nothing on it is fetched from elsewhere, no script runs, and all that is put in is
escaped, so that it can be mailed, printed and kept.
"""

import base64
import hashlib
import io
import re
import warnings
from pathlib import Path

import jinja2
import matplotlib.pyplot as plt
import pandas as pd
from PIL import Image

from skart._utils._files import atomic_write
from skart._utils._validation import visible

# Drawings grow with what is in them: above this they are smaller as pixels.
_MOST_SVG_BYTES = 150_000
_PIXELS_PER_INCH = 96  # of CSS
# Browsers let a link hold two million characters; base64 makes four of three bytes.
_MOST_LINK_BYTES = 1_400_000
_NUMBER = re.compile(r"[-+−]?[\d,.]+%?( \(.*\))?")
_MISSING = "–"

# What the figures of a page have in common; ``with plt.rc_context(FIGURE_STYLE)``.
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
    """A page to be filled section by section, and written.

    Parameters
    ----------
    title : str
        Of the page.
    subtitle : str, default=""
        Under it.

    Attributes
    ----------
    sections : list of Section
        What was put on it, in order.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from skart.report._html import Page
    >>> page = Page("A collection")
    >>> section = page.section("Movements")
    >>> section.text("There are two of them.")
    >>> section.table(pd.DataFrame({"paintings": [3, 5]}, index=["Fauvism", "Op Art"]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(page.write(f"{folder}/page.html").name)
    page.html
    """

    def __init__(self, title, subtitle=""):
        self.title = title
        self.subtitle = subtitle
        self.sections = []

    def section(self, title):
        """Begin a section.

        Parameters
        ----------
        title : str
            Its heading, and its entry in the contents.

        Returns
        -------
        section : Section
            Empty.
        """
        self.sections.append(Section(title))
        return self.sections[-1]

    def render(self):
        """Make the page.

        Returns
        -------
        html : str
            All of it.
        """
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("skart.report"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        environment.filters["visible"] = visible
        return environment.get_template("page.html").render(page=self)

    def write(self, path):
        """Write the page: all of it or, if that fails, nothing.

        Parameters
        ----------
        path : str or path
            The file; one that is there is replaced. Folders are made as needed.

        Returns
        -------
        path : pathlib.Path
            The file.

        Raises
        ------
        OSError
            If it can't be written.
        """
        path = check_target(path)
        with atomic_write(path) as part:
            part.write_bytes(_encode(self.render()))
        return path


class Section:
    """A part of a page under a heading; :meth:`Page.section` makes it.

    Parameters
    ----------
    title : str
        Its heading.

    Attributes
    ----------
    blocks : list of dict
        What was put into it, in order.
    """

    def __init__(self, title):
        self.title = title
        self.blocks = []

    def text(self, text):
        """Add paragraphs.

        Parameters
        ----------
        text : str
            Plain text; an empty line parts two paragraphs.
        """
        paragraphs = re.split(r"\n\s*\n", str(text).strip())
        self._add("text", paragraphs=[" ".join(part.split()) for part in paragraphs])

    def facts(self, facts):
        """Add a list of names and what they stand for.

        Parameters
        ----------
        facts : dict of str to object
            Values are shown as they print.
        """
        self._add("facts", facts=facts)

    def table(self, frame, *, caption="", formats=None, code=(), links=None):
        """Add a table.

        Parameters
        ----------
        frame : DataFrame
            A row a row. Its index heads the rows, unless it only counts them.
        caption : str, default=""
            Above it.
        formats : dict, default=None
            By column: a format such as ``".1%"``, or a function of the value. Without,
            whole numbers are grouped by thousands, others have three digits, and
            missing ones are a dash.
        code : tuple of str, default=()
            Columns to be set in a typewriter face and broken anywhere: file names,
            digests.
        links : dict of str to list, default=None
            By column: the URI that each cell links to, or None.
        """
        formats = formats or {}
        counts = isinstance(frame.index, pd.RangeIndex)
        columns = [
            [_shown(value, formats.get(name)) for value in frame.iloc[:, place]]
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
        heads = [None] * len(frame) if counts else list(frame.index)
        cells = zip(*columns, strict=True) if columns else [()] * len(frame)
        self._add(
            "table",
            caption=caption,
            corner=None if counts else frame.index.name or "",
            names=list(frame.columns),
            kinds=kinds,
            rows=list(zip(heads, cells, strict=True)),
        )

    def figure(self, figure, *, alt, caption=""):
        """Add a figure, and close it.

        Photographs become a JPEG, drawings an SVG, or a PNG where that is smaller;
        pixels are two for each one of the screen.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or display
            Drawn.
        alt : str
            What it shows, for those who can't see it.
        caption : str, default=""
            Under it.
        """
        figure = getattr(figure, "figure_", figure)
        kind, data, width = _image(figure)
        plt.close(figure)
        uri = _data_uri(f"image/{kind}", data)
        self._add("figure", uri=uri, width=width, alt=alt, caption=caption)

    def gallery(self, images, *, title):
        """Add small images side by side, with captions.

        Parameters
        ----------
        images : list of dict
            ``jpeg``, the bytes of a JPEG, or None; ``name`` and ``link``, the first
            line of the caption and the URI it links to; ``lines``, its other lines.
        title : str
            Heading above the images.
        """
        images = [
            image | {"uri": image["jpeg"] and _data_uri("image/jpeg", image["jpeg"])}
            for image in images
        ]
        self._add("gallery", images=images, title=title)

    def download(self, name, frame, *, text):
        """Add a table as a CSV file that is kept within the page.

        Parameters
        ----------
        name : str
            Of the file: ``"manifest.csv"``. A large one is cut into numbered parts,
            each with a head line, for the sake of browsers. The SHA-256 of each file
            stands beside it.
        frame : DataFrame
            The table, without its index.
        text : str
            What the file holds.
        """
        n_parts = -(-len(_encode(frame.to_csv(index=False))) // _MOST_LINK_BYTES)
        size = max(1, -(-len(frame) // n_parts))
        links = []
        for number, start in enumerate(range(0, len(frame), size), 1):
            rows = frame.iloc[start : start + size]
            part = name.replace(".", f"-{number}.", 1) if n_parts > 1 else name
            # Spreadsheets take a file without the mark for one of another encoding.
            data = _encode("\ufeff" + rows.to_csv(index=False))
            digest = hashlib.sha256(data).hexdigest()
            links.append((part, _data_uri("text/csv;charset=utf-8", data), digest))
        self._add("download", text=text, links=links)

    def _add(self, kind, **content):
        self.blocks.append({"kind": kind, **content})


def check_target(path):
    """Check that a page can be written, before the work that goes into it.

    Parameters
    ----------
    path : str or path
        The file; ``~`` is expanded, and folders are made as needed.

    Returns
    -------
    path : pathlib.Path
        The file.

    Raises
    ------
    OSError
        If it is a folder, or a folder around it can't be made.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise IsADirectoryError(
            f"{str(path)!r} is a folder; name a file in it, "
            f"{str(path / 'report.html')!r} for instance"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(
            f"{str(path)!r} can't be written: a file stands in the place of the folder "
            f"{error.filename!r}. Name another folder."
        ) from error
    return path


def _shown(value, form):
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


def _image(figure):
    """Give a figure's kind, bytes, and width in CSS pixels."""
    shown = [image for ax in figure.axes for image in ax.images]
    photographs = any(image.get_array().ndim == 3 for image in shown)
    if not photographs:
        data = _saved(figure, format="svg", metadata={"Date": None})
        if len(data) <= _MOST_SVG_BYTES:
            points = re.search(rb'width="([\d.]+)pt"', data)[1]
            return "svg+xml", data, round(float(points) / 72 * _PIXELS_PER_INCH)
    data = _saved(figure, format="png", dpi=2 * _PIXELS_PER_INCH)
    with Image.open(io.BytesIO(data)) as image:
        width = round(image.width / 2)
        if not photographs:
            return "png", data, width
        smaller = io.BytesIO()
        image.convert("RGB").save(smaller, "JPEG", quality=88, subsampling=0)
    return "jpeg", smaller.getvalue(), width


def _saved(figure, **options):
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Names in scripts that the font lacks stand in the tables.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(file, bbox_inches="tight", pad_inches=0.05, **options)
    return file.getvalue()


def _data_uri(kind, data):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _encode(text):
    # Names of files may hold bytes that are no UTF-8.
    return text.encode("utf-8", "backslashreplace")
