"""Inspection of files: each is decoded once, at reduced scale."""

import os
import stat
from collections import Counter
from typing import NamedTuple

import joblib
import numpy as np
from tqdm.auto import tqdm

from skart._utils._files import file_digest
from skart.audit._alignment import CHROMA_SIDE, SIDE, Picture
from skart.images._decode import decode_image
from skart.images._elsewhere import count_threads
from skart.images._formats import (
    UNREADABLE,
    MemoryImage,
    explain,
    load_source,
    read_header,
)

# Levels of 255 within which a margin counts as uniform, and an image as blank or grey.
_MARGIN_TOLERANCE = 12
# JPEG rings next to edges: how many pixels of a line may differ more, and how much.
_MARGIN_SHARE = 0.9
_RINGING = 48
_BLANK_TOLERANCE = 2
_GREY_TOLERANCE = 8

# Pixels of the thumbnail beyond which too little would be left to compare.
_WIDEST_MARGIN = 3 * SIDE // 8

_LUMA = np.array([0.299, 0.587, 0.114])
_CHROMA = np.array([[-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])


class Inspection(NamedTuple):
    """Facts of one file; without a picture if it cannot be decoded."""

    error: str | None  # why the file cannot be decoded
    # Size, device and inode of a regular file; size, digest and name of a URL.
    facts: tuple | None = None
    width: int | None = None
    height: int | None = None
    grey: bool = False  # whether it has no colour
    blank: bool = False  # whether it is of one colour
    border: float = 0.0  # share of the area that uniform margins take
    picture: Picture | None = None


def inspect_files(paths, *, n_threads=None, verbose=True):
    """Inspect files in threads, with a progress bar; return an Inspection of each."""
    return list(
        tqdm(
            _in_threads(n_threads or count_threads(paths), _inspect, paths),
            total=len(paths),
            desc="auditing",
            unit="painting",
            delay=1,
            mininterval=0.5,
            disable=not verbose,
        )
    )


def find_equal_files(paths, facts, *, n_threads=None):
    """Return the position of the first same file, and of the first of equal bytes."""
    same_file = _first_equal(facts)
    sizes = [fact and fact[0] for fact in facts]
    different = [index for index in sorted(set(same_file)) if facts[index]]
    n_files = Counter(sizes[index] for index in different)
    read = [index for index in different if n_files[sizes[index]] > 1]
    digests = [None] * len(paths)
    found = _in_threads(n_threads, _digest, [(paths[i], facts[i]) for i in read])
    for index, digest in zip(read, found, strict=True):
        digests[index] = digest
    return same_file, _first_equal([digests[index] for index in same_file], same_file)


def _inspect(path):
    facts = None
    try:
        source = load_source(path)
        if isinstance(source, MemoryImage):
            facts = len(source.content), source.digest, path
        elif stat.S_ISREG((seen := os.stat(path)).st_mode):
            facts = seen.st_size, seen.st_dev, seen.st_ino
        pixels = decode_image(source, (SIDE, SIDE), "stretch")
        _, width, height = read_header(source)
    except UNREADABLE as error:
        return Inspection(explain(error), facts)
    colours = pixels.astype(np.float32)
    blocks = colours.reshape(CHROMA_SIDE, SIDE // CHROMA_SIDE, CHROMA_SIDE, -1, 3)
    grey = np.rint(colours @ _LUMA)
    margins, border = _margins(pixels.astype(int))
    return Inspection(
        error=None,
        facts=facts,
        width=width,
        height=height,
        # A few pixels of colour are noise.
        grey=bool(np.quantile(np.ptp(colours, axis=2), 0.99) <= _GREY_TOLERANCE),
        blank=bool(np.ptp(colours, axis=(0, 1)).max() <= _BLANK_TOLERANCE),
        border=border,
        picture=Picture(
            grey=grey.astype(np.uint8),
            chroma=np.rint(blocks.mean(axis=(1, 3)) @ _CHROMA.T).astype(np.int8),
            content=_content(grey, margins),
            proportions=width / height,
        ),
    )


def _digest(file):
    path, (_, known, _) = file
    if isinstance(known, bytes):
        return known
    try:
        return file_digest(path)
    except OSError:  # deleted since it was inspected
        return None


def _first_equal(values, otherwise=None):
    """Return positions of the first equal value; of None, its own or `otherwise`."""
    first = {}
    otherwise = range(len(values)) if otherwise is None else otherwise
    return np.array(
        [
            first.setdefault(value, index) if value is not None else other
            for index, (value, other) in enumerate(zip(values, otherwise, strict=True))
        ]
    )


def _in_threads(n_threads, function, values):
    threads = joblib.Parallel(n_threads or -1, prefer="threads", return_as="generator")
    return threads(joblib.delayed(function)(value) for value in values)


def _margins(pixels):
    """Return the possible margin at each edge, and the share of surely uniform area."""
    margins, uniform, colours = [], [], []
    columns = pixels.transpose(1, 0, 2)
    for lines in (columns, pixels, columns[::-1], pixels[::-1]):
        colour = np.median(lines[0], axis=0)
        differences = np.abs(lines - colour).max(axis=2)
        alike = differences <= _MARGIN_TOLERANCE
        # All of it uniform is no margin.
        uniform.append(int(np.argmin(alike.all(axis=1))))
        ringing = differences.max(axis=1) <= _RINGING
        margin = int(np.argmin(ringing & (alike.mean(axis=1) >= _MARGIN_SHARE)))
        covered = 0
        if 0 < margin < SIDE - 1:
            # The line where it ends is in part margin, in part like the next.
            line, following = differences[margin : margin + 2].sum(axis=1)
            covered = 1 - min(line / max(following, 1), 1)
        margins.append(margin + covered)
        colours.append(colour)
    left = 1.0
    for one, other in ((0, 2), (1, 3)):
        alike = np.abs(colours[one] - colours[other]).max() <= _MARGIN_TOLERANCE
        if alike and uniform[one] and uniform[other]:
            left *= 1 - (uniform[one] + uniform[other]) / SIDE
    return np.array(margins), 1 - left


def _content(grey, margins):
    margins = np.where(margins <= _WIDEST_MARGIN, margins, 0)
    left, top, right, bottom = np.ceil(margins).astype(int)
    inside = grey[top : SIDE - bottom, left : SIDE - right]
    plain = np.abs(inside - np.median(inside)) <= _MARGIN_TOLERANCE
    if plain.mean() >= _MARGIN_SHARE and inside.size < SIDE**2 / 2:
        margins = np.zeros(4)  # a shape on a ground, which is no border
    margins = margins / SIDE
    return np.r_[margins[:2], 1 - margins[2:]]
