"""Images and metadata of IIIF manifests, also of those in collections."""

import contextlib
import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urljoin

import pandas as pd
from tqdm.auto import tqdm

from skart._utils._files import expand
from skart._utils._remote import is_url
from skart._utils._validation import check_choice, check_count
from skart.datasets._iiif_documents import (
    describe,
    find_painting,
    image_url,
    kind_of,
    link_of,
    list_canvases,
    list_links,
    read_metadata,
)
from skart.datasets._links import Links

# Bytes of a manifest or collection.
_MOST_BYTES = 20_000_000
# Levels of collections within collections.
_MOST_LEVELS = 20
# Requests at once.
_N_THREADS = 4


def read_manifests(
    sources, reader, *, base=None, on_error="raise", max_manifests=1000, verbose=True
):
    """Read manifests, and those in collections; return their images, and the skipped.

    An image is a tuple: the place of the source that led to it, a dict of its row, and
    a dict of its metadata. `base` is the URL of the document in which the sources
    stand, or None if the user has written them.
    """
    check_choice("on_error", on_error, ("raise", "skip"))
    check_count("max_manifests", max_manifests)
    found, failures, skipped = {}, {}, {}
    seen = {(place, _join(base, source)) for place, source in enumerate(sources)}
    level = [((place,), source, base) for place, source in enumerate(sources)]
    with (
        ThreadPoolExecutor(_N_THREADS) as pool,
        tqdm(
            desc="reading manifests", unit="manifest", delay=1, disable=not verbose
        ) as progress,
    ):
        for _ in range(_MOST_LEVELS):
            n_left = max_manifests - len(found)
            _note(
                skipped, "beyond max_manifests", [link for _, link, _ in level[n_left:]]
            )
            level = level[:n_left]
            # Each is fetched once, even if it occurs several times.
            links = list(dict.fromkeys((link, base) for _, link, base in level))
            pages = {}
            read = pool.map(lambda link: reader.try_read(*link), links)
            with contextlib.closing(read):
                for link, page in zip(links, read, strict=True):
                    pages[link] = page
                    progress.update()
            above, level = level, []
            for key, link, base in above:
                page = pages[link, base]
                if isinstance(page, OSError):
                    failures[link] = page.strerror or str(page)
                elif page.links is None:
                    found[key] = page.images
                    _note(skipped, "canvas without an image", page.blank)
                else:
                    for place, child in enumerate(page.links):
                        target = key[0], _join(page.url, child)
                        if target not in seen:
                            seen.add(target)
                            level.append(((*key, place), child, page.url))
    _note(skipped, "nested too deep", [link for _, link, _ in level])
    if failures:
        listed = "\n".join(f"  {link!r}: {why}" for link, why in failures.items())
        n_read = len(failures) + len(found)
        text = f"{len(failures)} of {n_read} manifests can't be read:\n{listed}\n"
        if on_error == "raise":
            raise OSError(f"{text}Pass on_error='skip' to leave them out.")
        warnings.warn(f"{text}They are left out.", stacklevel=3)
    _note(skipped, "unreadable", failures)
    if "beyond max_manifests" in skipped:
        warnings.warn(
            f"{len(skipped['beyond max_manifests'])} links to manifests are not "
            "followed: raise max_manifests to load more",
            stacklevel=3,
        )
    return [
        (key[0], row, metadata)
        for key, images in sorted(found.items())
        for row, metadata in images
    ], skipped


def _join(base, link):
    """Return the URL of a link, by which it is recognised."""
    with contextlib.suppress(ValueError):  # malformed
        return urljoin(base or "", link)
    return link


def _note(skipped, reason, names):
    """Add names to the lists of skipped ones if there are any."""
    if names:
        skipped.setdefault(reason, []).extend(names)


@dataclass
class _Page:
    """What was read: the links of a collection, or the images of a manifest."""

    url: str  # "" of a local file, which leads to no other
    links: list | None = None
    images: list = field(default_factory=list)
    blank: list = field(default_factory=list)


class Reader:
    """Reads manifests and collections."""

    def __init__(self, longer_side=600, language="en", timeout=30):
        self._longer_side = check_count("longer_side", longer_side)
        self._language = language
        self._links = Links(timeout)

    def try_read(self, link, base):
        """Return the page of a link or a file; if it can't be read, the OSError."""
        try:
            return self._read(link, base)
        except OSError as error:
            return error
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            return OSError(f"not a manifest or collection of IIIF ({error})")

    def _read(self, link, base):
        if base is not None or is_url(link):
            content, url = self._links.fetch(link, base, _MOST_BYTES)
        else:
            url, file = "", expand(link)
            if file.stat().st_size > _MOST_BYTES:
                raise OSError(f"more than {_MOST_BYTES} bytes")
            content = file.read_bytes()
        data = json.loads(content)
        kind = kind_of(data)
        if kind in ("collection", "collectionpage"):
            return _Page(url, links=list_links(data))
        if kind != "manifest":
            raise ValueError("another type of document")
        page = _Page(url)
        common, metadata = (f(data, self._language) for f in (describe, read_metadata))
        for canvas in list_canvases(data):
            image, selector = find_painting(canvas)
            if image is None:
                page.blank.append(link_of(canvas))
                continue
            asked = image_url(
                image,
                selector,
                self._longer_side,
                lambda info: self._read_info(info, url),
            )
            own = {k: v for k, v in describe(canvas, self._language).items() if v}
            row = {
                "path": self._links.resolve(asked, url),
                "manifest": link_of(data) or link,
                "canvas": link_of(canvas),
                **(own | {k: v for k, v in common.items() if v or k not in own}),
            }
            page.images.append((row, metadata | read_metadata(canvas, self._language)))
        return page

    def _read_info(self, link, base):
        """Return the description of an image service; an empty dict if it fails."""
        try:
            data = json.loads(self._links.fetch(link, base, _MOST_BYTES)[0])
        except (OSError, ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) else {}


def tabulate(found):
    """Return the rows and the metadata of images, and new names of the latter.

    These are for labels that are also columns of a collection. Labels that differ in
    case only are one.
    """
    rows = pd.DataFrame([row for _, row, _ in found], dtype=object)
    labels = {}
    metadata = [
        {
            labels.setdefault(label.casefold(), label): text
            for label, text in one.items()
        }
        for _, _, one in found
    ]
    metadata = pd.DataFrame(metadata, rows.index, [*labels.values()], dtype=object)
    taken = {"movement", "artist", *rows.columns}
    renamed = {label: f"{label} (metadata)" for label in metadata if label in taken}
    return rows, metadata, renamed
