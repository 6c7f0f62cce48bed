"""What C++ writes to file descriptor 2 ahead of, or past, any log level."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def stderr_held_back():
    """Hold back what is written to the standard error; show it if that fails."""
    try:
        stderr = os.dup(2)
    except OSError:  # closed: nothing to hold back
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
