"""The page of images with heat maps."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from skart._utils._files import relative_paths
from skart.explanation import overlay_heat
from skart.report._audit import NamesAndLinks
from skart.report._html import Page

_SIDE = 320  # pixels of the longer side of a painting


def write_explanation(path, explained, *, method, subtitle, top_k, failures):
    """Write a page with a section for each explained image, and return its path.

    Each is a dict of `path`, `image`, `heat`, `movement`, and `ranked`, pairs of a
    movement and its probability.
    """
    page = Page("Where the model looked", subtitle)
    page.section("How to read it").text(_HELP[method])
    paths = [one["path"] for one in explained]
    links = NamesAndLinks(paths, path) if paths else None
    names = [Path(file).name for file in paths]
    if len(set(names)) < len(names):
        _, names = relative_paths(paths)
    for one, name in zip(explained, names, strict=True):
        painting = {
            "image": _shrink(one["image"]),
            "lines": ["As the model sees it"],
            "link": links.link(one["path"]),
        }
        heat = {
            "image": _shrink(overlay_heat(one["image"], one["heat"])),
            "lines": [f"What speaks for {one['movement']}"],
        }
        page.section(name).portrait(
            **painting,
            more=[heat],
            bars={str(name): chance for name, chance in one["ranked"][:top_k]},
        )
    if failures:
        rows = [(Path(file).name, reason) for file, reason in failures.items()]
        page.section("Unreadable images").table(
            pd.DataFrame(rows, columns=["file", "reason"], dtype=object), code=("file",)
        )
    return page.write(path)


def _shrink(pixels):
    """Return an image whose longer side is at most `_SIDE`."""
    image = Image.fromarray(pixels)
    image.thumbnail((_SIDE, _SIDE))
    return np.asarray(image)


_COMMON = (
    "Bright places speak for the movement, grey ones do not, or speak against it. The "
    "scale is that of each painting: a weak and a strong reason look alike. Heat shows "
    "where the model finds evidence, not what it sees there, and not whether it is "
    "right."
)
_HELP = {
    "occlusion": "Computed by occlusion: the probability of the movement falls if a "
    f"bright place is blurred. {_COMMON}\n\nEvidence that is in several places is not "
    "shown, because covering one of them changes nothing; nor are plain areas, which "
    "blurring leaves as they are.",
    "grad_cam": "Computed by Grad-CAM, from the gradients of the network at its "
    f"feature maps. {_COMMON}\n\nBright places are blurred, since the maps have few "
    "pixels, each of which sees a wide part of the painting.",
}
