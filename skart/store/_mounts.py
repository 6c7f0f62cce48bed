"""Warning for stores on network file systems, where SQLite's locks may not work."""

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
def warn_if_network(root):
    """Warn if a folder is on a network file system."""
    kind = find_network_file_system(root)
    if kind is not None:
        local = Path(tempfile.gettempdir(), "skart")
        warnings.warn(
            f"the feature store {root} is on a network file system ({kind}), where "
            "several processes that write at once can damage it. Keep it on a local "
            f"disk: pass cache={str(local)!r}, for instance; to a command, --cache "
            f"{local}, or set SKART_CACHE. To share features between machines, set "
            "SKART_UPSTREAM to a folder on the network and run skart cache push.",
            stacklevel=6,
        )


def find_network_file_system(path, table=None):
    """Return the type of the network file system of a path, or None if it is local."""
    try:
        table = _TABLE.read_text(errors="surrogateescape") if table is None else table
    except OSError:
        return None
    path = Path(os.path.realpath(path))
    depth, found = 0, ""
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Spaces, for instance, are written as octal escapes.
        place = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[1])
        # A later mount hides an earlier one at the same place.
        if path.is_relative_to(place) and len(Path(place).parts) >= depth:
            depth, found = len(Path(place).parts), fields[2]
    return found if found.removeprefix("fuse.") in _NETWORK else None
