"""What the image files of a report are: format, size, bytes and digest."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import joblib
import pandas as pd
from tqdm.auto import tqdm

from skart._image_file import explain, read_header
from skart.images import ImageLoader


def survey_files(paths, *, verbose=True):
    """Read the header and the digest of each image file.

    Parameters
    ----------
    paths : array-like of str or path, shape (n_paintings,)
        Image files. They may be unreadable, or gone.
    verbose : bool, default=True
        Whether a progress bar shows when it takes more than a second.

    Returns
    -------
    files : DataFrame, a row a path, in their order
        ``path``; ``format``, ``width`` and ``height`` (as the image is seen),
        ``bytes`` and ``sha256``, missing where they can't be read; ``problem``, the
        reason, else missing.
    """
    paths = ImageLoader().transform(paths).paths  # checked
    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        rows = list(
            tqdm(
                pool.map(_survey, paths),
                total=len(paths),
                desc="reading files",
                unit="file",
                delay=1,
                disable=not verbose,
            )
        )
    files = pd.DataFrame(
        rows,
        columns=["format", "width", "height", "bytes", "sha256", "problem"],
    )
    files.insert(0, "path", [str(path) for path in paths])
    numbers = dict.fromkeys(("width", "height", "bytes"), "Int64")
    texts = dict.fromkeys(("format", "sha256", "problem"), object)  # also if all lack
    return files.astype(numbers | texts)


def relative_paths(paths):
    """Cut what all paths have in common.

    Parameters
    ----------
    paths : iterable of str
        Files.

    Returns
    -------
    folder : str
        Their common folder; empty if they have none.
    relative : list of str
        The paths from there, with slashes.
    """
    paths = [os.path.abspath(path) for path in paths]
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:  # on several drives
        return "", paths
    return folder, [
        os.path.relpath(path, folder).replace(os.sep, "/") for path in paths
    ]


def _survey(path):
    row = {}
    try:
        # Ahead of the digest, which would wait for ever at the end of a pipe.
        row["format"], row["width"], row["height"] = read_header(path)
    except Exception as error:  # decoders raise many kinds
        row["problem"] = explain(error)
    if os.path.isfile(path):
        try:
            with open(path, "rb") as file:
                row["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
                row["bytes"] = file.tell()
        except OSError as error:
            row["problem"] = explain(error)
    return row
