"""Facts about image files that need no decoding: format, size, bytes and digest."""

import hashlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pandas as pd
from tqdm.auto import tqdm

from skart._utils._validation import check_paths
from skart.images._elsewhere import count_threads
from skart.images._formats import (
    UNREADABLE,
    MemoryImage,
    explain,
    format_failures,
    load_source,
    read_header,
)

# Of the facts about a file; `problem` is the reason if it can't be read.
_DTYPES = {
    "format": object,
    "width": "Int64",
    "height": "Int64",
    "bytes": "Int64",
    "sha256": object,
    "problem": object,
}


def survey_files(paths, *, digests=True, verbose=True):
    """Return a data frame with the facts about each file, in the order of the paths."""
    paths = check_paths("paths", paths)
    survey = partial(_survey_file, digest=digests)
    with ThreadPoolExecutor(count_threads(paths)) as pool:
        rows = tqdm(
            pool.map(survey, paths),
            "reading files",
            len(paths),
            unit="file",
            delay=1,
            disable=not verbose,
        )
        files = pd.DataFrame(list(rows), columns=[*_DTYPES]).astype(_DTYPES)
    # Of objects: the strings of pandas can't hold all file names.
    files.insert(0, "path", pd.Series(paths, dtype=object))
    return files


def read_sizes(paths):
    """Return width and height of the readable files; warn of all others."""
    files = survey_files(paths, digests=False)
    unreadable = files["problem"].notna()
    failures = files[unreadable].set_index("path")["problem"]
    listed = format_failures(failures)
    if unreadable.all():
        raise ValueError(f"no image can be read:\n{listed}")
    if unreadable.any():
        warnings.warn(
            f"{unreadable.sum()} images can't be read and are left out:\n{listed}",
            stacklevel=2,
        )
    return files.loc[~unreadable, ["width", "height"]].to_numpy(int)


def _survey_file(path, digest):
    row, source = {}, path
    try:
        source = load_source(path)
        row["format"], row["width"], row["height"] = read_header(source)
    except UNREADABLE as error:
        row["problem"] = explain(error)
    if isinstance(source, MemoryImage):
        row["sha256"], row["bytes"] = source.digest.hex(), len(source.content)
    elif digest and os.path.isfile(path):
        try:
            with open(path, "rb") as file:
                row["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
                row["bytes"] = file.tell()
        except OSError as error:
            row["problem"] = explain(error)
    return row
