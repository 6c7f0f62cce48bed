"""What images are read from: files, bytes, Pillow images and arrays."""

import os
import reprlib

import numpy as np
import pandas as pd
from PIL import Image

from skart.images._formats import MemoryImage, is_supported


def list_sources(X):
    """Return X as a list of str and MemoryImage, and its index if it is of pandas."""
    index = X.index if isinstance(X, (pd.Series, pd.DataFrame)) else None
    if _is_one_image(X):
        X = [X]
    if isinstance(X, (set, frozenset, dict)) or not pd.api.types.is_list_like(X):
        raise TypeError(
            f"X must be a list, array or Series of images; got {type(X).__name__}"
        )
    if hasattr(X, "ndim") and not _holds_pixels(X):
        X = np.asarray(X, dtype=object)
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim != 1:
            raise ValueError(
                f"X must be one column of images; got shape {X.shape}. Select the "
                "column of the paths, X['path'] for instance."
            )
    X = list(X) if not hasattr(X, "__len__") else X
    if len(X) == 0:
        raise ValueError("X holds 0 images; at least 1 is required")
    return [_to_source(item, place) for place, item in enumerate(X)], index


def _is_one_image(X):
    """Return whether X is a single image."""
    if isinstance(X, np.ndarray):
        return _holds_pixels(X) and X.ndim in (2, 3)
    return isinstance(X, (str, bytes, os.PathLike, Image.Image)) or hasattr(X, "read")


def _holds_pixels(X):
    """Return whether X is an array of numbers."""
    return isinstance(X, np.ndarray) and X.dtype.kind in "uif"


def _to_source(item, place):
    """Return a path as str, and any other image as a MemoryImage."""
    name = f"image {place}"
    if isinstance(item, (str, os.PathLike)):
        return os.path.expanduser(os.fsdecode(item))
    if isinstance(item, (bytes, bytearray, memoryview)):
        return MemoryImage(bytes(item), name)
    if isinstance(item, Image.Image):
        file = getattr(item, "fp", None)
        # Decoded from its file if that shows the same image.
        is_unloaded = file is not None and getattr(item, "tile", None)
        content = _read_all(file) if is_unloaded and item.tell() == 0 else b""
        if is_supported(content):
            return MemoryImage(content, name)
        return MemoryImage(item.copy(), name)
    if hasattr(item, "read"):
        content = _read_all(item)
        if isinstance(content, bytes):
            return MemoryImage(content, name)
    if isinstance(item, np.ndarray) and item.dtype == np.uint8:
        if item.ndim == 2 or (item.ndim == 3 and item.shape[2] in (3, 4)):
            return MemoryImage(Image.fromarray(item), name)
    kind = f"{reprlib.repr(item)} of type {type(item).__name__}"
    if isinstance(item, np.ndarray):
        kind = f"an array of shape {item.shape} and dtype {item.dtype}"
    raise TypeError(
        f"X[{place}] must be a path, the bytes of an image file, a binary file, a "
        f"Pillow image or a uint8 array of shape (height, width, 3); got {kind}"
    )


def _read_all(file):
    """Return the content of a file object from its beginning; keep its position."""
    if not getattr(file, "seekable", lambda: False)():
        return file.read()
    place = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(place)
    return content
