"""Files that are written whole or not at all."""

import contextlib
import os
import uuid
from pathlib import Path


@contextlib.contextmanager
def written_whole(path):
    """Write a file beside its place and put it there in the end, unless that fails.

    Parameters
    ----------
    path : str or path
        The file; one that is there is replaced.

    Yields
    ------
    part : pathlib.Path
        What to write to.
    """
    path = Path(path)
    part = path.with_name(f".skart-{uuid.uuid4().hex}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
