"""Network file systems, on which SQLite's locks can't be relied on."""

import functools
import os
import re
import tempfile
import warnings
from pathlib import Path

_TABLE = Path("/proc/self/mounts")  # Linux only

# Types of file systems, those in user space without "fuse.".
_NETWORK = frozenset(
    "9p afs auristorfs beegfs ceph ceph-fuse cifs curlftpfs cvmfs cvmfs2 davfs davfs2 "
    "gcsfuse gfs2 glusterfs gpfs juicefs lustre mfs moosefs ncpfs nfs nfs3 nfs4 ocfs2 "
    "orangefs panfs pvfs2 rclone s3fs smb2 smb3 smbfs sshfs".split()
)


@functools.cache  # once per store and process
def warn_of_network(root):
    """Warn if a store is on a network file system.

    Parameters
    ----------
    root : Path
        Folder of the store.
    """
    kind = find_network_file_system(root)
    if kind is not None:
        local = Path(tempfile.gettempdir(), "skart")
        warnings.warn(
            f"the feature store {root} is on a network file system ({kind}), where "
            "several processes that write at once can damage it. Keep it on a local "
            f"disk: pass cache={str(local)!r}, for instance; to a command, --cache "
            f"{local}, or set SKART_CACHE.",
            stacklevel=6,
        )


def find_network_file_system(path, table=None):
    """Return the type of the network file system that a path is on.

    Parameters
    ----------
    path : str or path
        A file or folder, which need not exist.
    table : str, default=None
        Mounted file systems in the format of ``/proc/self/mounts``; None for those of
        this process.

    Returns
    -------
    kind : str or None
        ``"nfs4"``, for instance; None for a local or an unknown file system.
    """
    if table is None:
        try:
            table = _TABLE.read_text(errors="surrogateescape")
        except OSError:
            return None
    path = Path(os.path.realpath(path))
    depth, found = -1, None
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        place, kind = Path(_unescape(fields[1])), fields[2]
        # A later mount hides an earlier one at the same place.
        if path.is_relative_to(place) and len(place.parts) >= depth:
            depth, found = len(place.parts), kind
    return found if found and found.removeprefix("fuse.") in _NETWORK else None


def _unescape(text):
    """Decode octal escapes, by which the table writes spaces, for instance."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
