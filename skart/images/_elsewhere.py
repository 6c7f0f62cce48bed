"""Images that are no local files of their own, named by a text.

They are at URLs, or rows of Parquet files.
"""

import os

from skart._utils._files import file_stamp, is_url, parse_row
from skart.images._rows import read_row

# Of URLs, whose content is taken as unchanging.
_STAMP = (0, 0, 0, 0)

_N_THREADS = 8  # of URLs: most of them wait for a server


def is_elsewhere(source):
    """Return whether a source is the name of an image that is no local file."""
    return is_url(source) or parse_row(source) is not None


def stamp_elsewhere(name):
    """Return what a remembered digest of an image depends on, as `file_stamp` does."""
    return _STAMP if is_url(name) else file_stamp(name)


def read_elsewhere(name, keep=None, timeout=30):
    """Return the bytes of an image, or raise OSError."""
    if not is_url(name):
        return read_row(name)
    from skart._utils._remote import fetch  # not needed for local files

    keep = keep or os.environ.get("SKART_KEEP") or None
    return fetch(name, timeout=timeout, keep=keep)


def count_threads(sources):
    """Return the number of threads that read and decode sources."""
    import joblib  # not needed for a single image

    n_cores = joblib.cpu_count()
    return max(n_cores, _N_THREADS) if any(map(is_url, sources)) else n_cores
