"""Write files atomically."""

import contextlib
import os
import shutil
import uuid
from pathlib import Path


@contextlib.contextmanager
def atomic_write(path):
    """Yield a temporary path that replaces `path` if the block succeeds."""
    # A file keeps its mode; links are followed; a pipe is written to directly.
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
