"""Files: atomic writes, fingerprints, digests and names."""

import contextlib
import hashlib
import os
import re
import shutil
import stat
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


def file_stamp(path):
    """Return size, mtime, ctime and inode of a regular file; None for anything else."""
    # A copy over a file of the same size, dated back, still has another ctime.
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: no file can have such a name
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def file_digest(path):
    """Return the SHA-256 of the bytes of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def is_url(text):
    """Return whether a text is a URL, not a path."""
    return isinstance(text, str) and bool(re.match(r"[A-Za-z][\w+.-]+://", text))


def absolute(path):
    """Return an absolute path; a URL as it is."""
    return path if is_url(path) else os.path.abspath(path)


def relative_paths(paths):
    """Return the common folder of paths or URLs, and the paths relative to it."""
    paths = [absolute(path) for path in paths]
    if any(map(is_url, paths)):
        folder = os.path.commonprefix(paths).rpartition("/")[0]
        if not is_url(folder):  # of several servers, or a scheme only
            return "", paths
        return folder, [path[len(folder) + 1 :] for path in paths]
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:  # on several drives
        return "", paths
    return folder, [
        os.path.relpath(path, folder).replace(os.sep, "/") for path in paths
    ]


def escape(value):
    """Return a value as text that is valid Unicode: other bytes become escapes."""
    return str(value).encode("utf-8", "backslashreplace").decode()
