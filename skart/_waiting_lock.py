"""A lock between processes that tells what it waits for, if that takes long."""

import os
import warnings
from pathlib import Path

import filelock

_PATIENCE = 5  # seconds


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
                warnings.warn(
                    f"waiting for another process{_holder(self.lock_file)} that works "
                    f"on the same features: it holds {self.lock_file}. It goes on once "
                    "that is done; if it is stopped or hangs, continue it or end it.",
                    stacklevel=3,
                )
        return super().acquire(timeout, **options)


def _holder(file):
    """Name the process that holds a file's lock, where the system tells, as Linux."""
    try:
        seen = os.stat(file)
        device = f"{os.major(seen.st_dev):02x}:{os.minor(seen.st_dev):02x}"
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, process, place, *_ = line.split()
            if (kind, place) == ("FLOCK", f"{device}:{seen.st_ino}"):
                return f" (number {process})"
    except (OSError, ValueError, AttributeError):
        pass
    return ""
