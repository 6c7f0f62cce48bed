"""JPEG files that lack their end marker only."""

import re

END = b"\xff\xd9"

# More data, in which pixels that a file lacks would be decoded differently.
_OTHER_DATA = (b"\x55" * 200, b"\xaa" * 200)


def lacks_end_only(jpeg, read_pixels):
    """Return whether a truncated JPEG has all pixels, as `read_pixels` decodes them."""
    # Data after the last pixel is ignored. But it is ignored between scans, too.
    pixels = {read_pixels(jpeg + data + END) for data in (b"", *_OTHER_DATA)}
    return len(pixels) == 1 and _has_all_scans(jpeg)


def _has_all_scans(jpeg):
    """Return whether the scans of a JPEG hold all bits of all coefficients."""
    frames = list(re.finditer(rb"\xff[\xc0-\xc2]..\x08....(.)", jpeg, re.DOTALL))
    if not frames:
        return False
    frame = frames[-1]  # those before it are of thumbnails
    n_components = frame[1][0]
    components = jpeg[frame.end() :][: 3 * n_components : 3]
    missing = {(component, place) for component in components for place in range(64)}
    for scan in re.finditer(rb"\xff\xda..(.)", jpeg[frame.end() :], re.DOTALL):
        length = 2 * scan[1][0] + 3
        header = scan.string[scan.end() :][:length]
        if len(header) < length:
            return False
        first, last, bits = header[-3:]
        if bits % 16 == 0:
            places = range(first, last + 1)
            missing -= {(item, place) for item in header[:-3:2] for place in places}
    return not missing
