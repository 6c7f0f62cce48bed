"""Small copies of images, for pages and figures."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

from tqdm.auto import tqdm

from skart.images._decode import decode_image
from skart.images._elsewhere import count_threads
from skart.images._formats import UNREADABLE, load_source, read_header


def load_thumbnails(paths, side, *, verbose=True):
    """Return images whose longer side is at most `side`; None for unreadable files."""
    load = partial(_load_or_none, side=side)
    # Closing the iterator cancels what has not begun, if an interrupt ends the loop.
    with (
        ThreadPoolExecutor(count_threads(paths)) as pool,
        closing(pool.map(load, paths)) as images,
    ):
        return list(
            tqdm(
                images,
                "reading images",
                len(paths),
                unit="image",
                delay=1,
                disable=not verbose,
            )
        )


def load_thumbnail(path, side):
    """Return an image whose longer side is at most `side`, or raise `UNREADABLE`."""
    source = load_source(path)
    _, width, height = read_header(source)
    scale = min(1, side / max(width, height))
    size = [max(1, round(length * scale)) for length in (height, width)]
    return decode_image(source, size, "stretch")


def _load_or_none(path, side):
    try:
        return load_thumbnail(path, side)
    except UNREADABLE:
        return None
