"""A lock between processes that tells what it waits for, if that takes long."""

import logging
import os
from pathlib import Path

import filelock

_PATIENCE = 10  # seconds

# Not a warning: where several processes share the work, it is as it should be.
_log = logging.getLogger("skart")


class WaitingLock(filelock.FileLock):
    """A ``filelock.FileLock`` of a feature store that doesn't wait in silence."""

    def acquire(self, timeout=None, **options):
        """Take the lock; after some seconds, say once what is waited for.

        Parameters
        ----------
        timeout : float, default=None
            Seconds after which it gives up, silently; by default, never.
        **options : object
            As ``filelock.FileLock.acquire`` takes them.

        Returns
        -------
        lock : context manager
            Gives the lock back.
        """
        if timeout is None and not options:
            try:
                return super().acquire(_PATIENCE)
            except filelock.Timeout:
                holder = _holder(self.lock_file)
                if holder != os.getpid():  # else another thread has it
                    _log.warning(
                        "Waiting for another process%s that works on the same "
                        "features: it holds %s. This one goes on once that is done; if "
                        "the other is stopped or hangs, continue it or end it.",
                        f" (number {holder})" if holder else "",
                        self.lock_file,
                    )
        return super().acquire(timeout, **options)


def _holder(file):
    """Find which process holds a file's lock, where the system tells, as Linux."""
    try:
        seen = os.stat(file)
        device = f"{os.major(seen.st_dev):02x}:{os.minor(seen.st_dev):02x}"
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, process, place, *_ = line.split()
            if (kind, place) == ("FLOCK", f"{device}:{seen.st_ino}"):
                return int(process)
    except (OSError, ValueError, AttributeError):
        pass
    return None
