"""Files that are written whole or not at all."""

import contextlib
import os
import shutil
import uuid
from pathlib import Path


@contextlib.contextmanager
def written_whole(path):
    """Write a file beside its place and put it there in the end, unless that fails.

    Parameters
    ----------
    path : str or path
        The file. One that is there is replaced, and keeps its mode; links are followed.
        What is no file, such as a pipe, is written to as it is.

    Yields
    ------
    part : pathlib.Path
        What to write to.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        yield path
        return
    part = path.with_name(f".skart-{uuid.uuid4().hex}.part")
    try:
        yield part
        if path.exists():
            shutil.copymode(path, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
