"""Self-contained pages: what all of them share, and pages with a script."""

import base64
import hashlib
import io
import json
from importlib import resources

import jinja2
import markupsafe
from PIL import Image

from skart._utils._files import atomic_write, expand
from skart._utils._validation import visible


def make_environment(package):
    """Return the Jinja environment for templates of a package and the shared ones."""
    loaders = [jinja2.PackageLoader(name) for name in (package, "skart._utils")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["visible"] = visible
    environment.filters["digest"] = _digest
    return environment


def render_app(package, name, *, title, data, scripts=None):
    """Render `name`.html of a package with its script and style, and data as JSON.

    The template extends app.html. Its script, by default `name`.js, finds the data as
    ``data``; no other script runs, and nothing is loaded.
    """
    files = [("skart._utils", file) for file in ("app.js", "data.js")]
    files += [(package, file) for file in scripts or [f"{name}.js"]]
    script = "\n".join(
        (resources.files(source) / "templates" / file).read_text("utf-8")
        for source, file in files
    )
    return (
        make_environment(package)
        .get_template(f"{name}.html")
        .render(
            title=title,
            name=name,
            data=_embed_json(data),
            script=markupsafe.Markup(script),
        )
    )


def check_target(path):
    """Return the path of a page; raise OSError if it can't be written."""
    path = expand(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"{str(path)!r} is a folder; name a file in it, "
            f"{str(path / 'report.html')!r} for instance"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(
            f"{str(path)!r} can't be written: {error.filename!r} is a file, not a "
            "folder. Name another folder."
        ) from error
    return path


def write_page(path, html):
    """Write a page atomically, and return its path; folders are created."""
    path = check_target(path)
    with atomic_write(path) as part:
        part.write_bytes(encode_text(html))
    return path


def encode_text(text):
    """Return a text as UTF-8; file names may hold bytes that are not."""
    return text.encode("utf-8", "backslashreplace")


def encode_jpeg(image, quality, subsampling="4:4:4"):
    """Return a PIL image as JPEG bytes."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()


def jpeg_uri(pixels, quality=80):
    """Return an array of pixels as a data URI."""
    return data_uri("image/jpeg", encode_jpeg(Image.fromarray(pixels), quality))


def data_uri(kind, data):
    """Return bytes as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _digest(text):
    """Return the SHA-256 of a text as a Content Security Policy names it."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _embed_json(data):
    """Return data as JSON that can stand in a script element."""
    # Without "<", no text can end the element; ASCII holds lone surrogates as well.
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return markupsafe.Markup(text.replace("<", "\\u003c"))
