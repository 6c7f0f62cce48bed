"""What image files are, of which nothing is decoded: format, size, bytes, digest."""

import functools
import hashlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import pandas as pd
from tqdm.auto import tqdm

from skart.images._formats import UNREADABLE, explain, read_header
from skart.images._loader import ImageLoader


def survey_files(paths, *, digests=True, verbose=True):
    """Read the header and the digest of each image file.

    Parameters
    ----------
    paths : array-like of str or path, shape (n_paintings,)
        Image files. They may be unreadable, or gone.
    digests : bool, default=True
        Whether all bytes of a file are read, not its header only.
    verbose : bool, default=True
        Whether a progress bar shows when it takes more than a second.

    Returns
    -------
    files : DataFrame, a row a path, in their order
        ``path``; ``format``, ``width`` and ``height`` (as the image is seen, but for
        an orientation that stands behind the pixels, as PNGs may have it), ``bytes``
        and ``sha256``, missing where they can't be read; ``problem``, the reason, else
        missing.
    """
    paths = ImageLoader().transform(paths).paths  # checked
    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        rows = list(
            tqdm(
                pool.map(functools.partial(_survey, digest=digests), paths),
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


def read_sizes(paths):
    """Read the sizes of image files, without those that can't be read.

    Parameters
    ----------
    paths : array-like of str or path, shape (n_paintings,)
        Image files.

    Returns
    -------
    sizes : ndarray of int, shape (n_readable, 2)
        Width and height as the image is seen. Files that can't be read are left out,
        with a warning that lists them.

    Raises
    ------
    ValueError
        If none can be read.
    """
    files = survey_files(paths, digests=False)
    broken = files["problem"].notna()
    listed = "\n".join(
        f"  {path!r}: {problem}"
        for path, problem in zip(
            files["path"][broken], files["problem"][broken], strict=True
        )
    )
    if broken.all():
        raise ValueError(f"no image can be read:\n{listed}")
    if broken.any():
        warnings.warn(
            f"{broken.sum()} images can't be read and are left out:\n{listed}",
            stacklevel=2,
        )
    return files.loc[~broken, ["width", "height"]].to_numpy(int)


def _survey(path, digest):
    row = {}
    try:
        # Ahead of the digest, which would wait for ever at the end of a pipe.
        row["format"], row["width"], row["height"] = read_header(path)
    except UNREADABLE as error:
        row["problem"] = explain(error)
    if digest and os.path.isfile(path):
        try:
            with open(path, "rb") as file:
                row["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
                row["bytes"] = file.tell()
        except OSError as error:
            row["problem"] = explain(error)
    return row
