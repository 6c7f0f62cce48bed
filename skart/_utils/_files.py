"""Files: atomic writes, fingerprints, digests and names."""

import contextlib
import hashlib
import os
import re
import shutil
import stat
import uuid
from pathlib import Path
from urllib.parse import quote, unquote

# An image in a table: the file, a column and a row, counted from 0.
_ROW = re.compile(r"(.+)#([^#=]+)=(\d{1,18})", re.DOTALL)


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
    """Return size, mtime, ctime and inode of a regular file; None for anything else.

    The stamp of an image in a Parquet file is that of the file.
    """
    # A copy over a file of the same size, dated back, still has another ctime.
    row = parse_row(path)
    try:
        found = os.stat(row[0] if row else path)
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


def expand(path):
    """Return a path in which ~ is expanded; it stays if there is no such user."""
    return Path(os.path.expanduser(path))


def absolute(path):
    """Return an absolute path; a URL as it is."""
    return path if is_url(path) else os.path.abspath(path)


def row_name(file, column, row):
    """Return the name of an image in a Parquet file: ``file.parquet#image=17``."""
    return f"{file}#{quote(column, safe=' ')}={row}"


def parse_row(name):
    """Return file, column and row of an image in a Parquet file; None for others."""
    found = _ROW.fullmatch(name) if isinstance(name, str) else None
    # A URL may end like this, and so may the name of a file.
    if found is None or is_url(name) or os.path.lexists(name):
        return None
    return found[1], unquote(found[2]), int(found[3])


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


def unescape(text):
    r"""Return text with escapes such as ``\udce9`` replaced by the bytes they name."""
    return re.sub(
        r"\\udc([89a-f][0-9a-f])", lambda found: chr(0xDC00 + int(found[1], 16)), text
    )
