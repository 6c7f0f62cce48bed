"""The page of images with their predictions and the paintings nearest to them."""

from pathlib import Path

import pandas as pd

from skart._utils._files import relative_paths
from skart.images._thumbnails import load_thumbnails
from skart.report._audit import NamesAndLinks
from skart.report._html import Page
from skart.report._text import count

_SIDE = 200  # pixels of the longer side of a thumbnail
_MAX_IMAGES = 200


def write_neighbors(
    path,
    neighbors,
    *,
    title,
    captions,
    subtitle="",
    predictions=None,
    remarks=None,
    failures=None,
):
    """Write a page with a section for each image, and return its path.

    All are dicts by image: `neighbors` of lists of dicts, as `list_neighbors` makes
    them, `captions` of their headings, `predictions` of pairs of movement and
    probability, `remarks` of lines or None, `failures` of reasons.
    """
    page = Page(title, subtitle)
    shown = list(neighbors)[:_MAX_IMAGES]
    paths = [*shown, *(one["path"] for image in shown for one in neighbors[image])]
    paths = list(dict.fromkeys(paths))
    thumbnails = dict(zip(paths, load_thumbnails(paths, _SIDE), strict=True))
    links = NamesAndLinks(paths, path)
    names = [Path(image).name for image in neighbors]
    if len(set(names)) < len(names):
        _, names = relative_paths(neighbors)
    for image, name in zip(shown, names, strict=False):
        section = page.section(name)
        if remarks and remarks[image]:
            section.text(remarks[image])
        section.portrait(
            thumbnails[image],
            lines=["The image"],
            link=links.link(image),
            bars=dict(predictions[image]) if predictions else None,
        )
        items = [
            {
                "image": thumbnails[one["path"]],
                "lines": _describe(one),
                "link": links.link(one["path"]),
            }
            for one in neighbors[image]
        ]
        if items:
            section.gallery(items, caption=captions[image])
        elif image in captions:
            section.text("No other painting is left to compare it with.")
    if len(shown) < len(neighbors):
        n_others = count(len(neighbors) - len(shown), "image")
        page.section("Other images").text(f"{n_others} more are not on this page.")
    if failures:
        rows = [(Path(file).name, reason) for file, reason in failures.items()]
        page.section("Unreadable images").table(
            pd.DataFrame(rows, columns=["file", "reason"], dtype=object), code=("file",)
        )
    return page.write(path)


def _describe(neighbor):
    """Return the lines below a painting."""
    known = [neighbor[name] for name in ("movement", "artist")]
    lines = [str(name) for name in known if name is not None]
    name = Path(neighbor["path"]).name
    return [name, *lines, f"similarity {neighbor['similarity']:.2f}"]
