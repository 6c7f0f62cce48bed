"""The page on which suggested paintings are labelled."""

from pathlib import Path

from skart._utils._files import escape
from skart._utils._pages import jpeg_uri, render_app, write_page
from skart.images._thumbnails import load_thumbnails

COLUMNS = ("path", "movement", "artist", "predicted", "confidence", "runner_up")
_SIDE = 400  # pixels of the longer side


def write_suggestions(
    file, names, predictions, *, title, movements=(), artists=(), verbose=True
):
    """Write a page to label paintings, which downloads a table; return its path.

    `names` is a dict of names in the table by path, `predictions` has pairs of movement
    and probability by path, and `movements` and `artists` are offered for completion.
    """
    images = load_thumbnails([*names], _SIDE, verbose=verbose)
    paintings = [
        {
            "path": escape(name),
            "image": None if image is None else jpeg_uri(image),
            "predictions": [(escape(name), share) for name, share in predictions[path]],
        }
        for (path, name), image in zip(names.items(), images, strict=True)
    ]
    table = Path(file).with_suffix(".csv").name
    html = render_app(
        "skart.report",
        "suggestions",
        title=title,
        data={
            "file": table,
            "columns": COLUMNS,
            "movements": sorted(map(escape, movements)),
            "artists": sorted(map(escape, artists)),
            "paintings": paintings,
        },
    )
    return write_page(file, html)
