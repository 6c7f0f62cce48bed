"""Ctrl-C: the first ends a command in order, the second at once.

The first raises KeyboardInterrupt in the main thread, so that what is being written is
finished or removed. It does not always arrive: Python ignores what is raised in a
finalizer, of which training runs thousands, and TensorFlow may turn it into any other
exception while it traces a graph. So the process remembers that it was interrupted.
"""

import _thread
import atexit
import contextlib
import os
import signal
import socket
import sys
import threading
import time

MESSAGE = (
    "\nskart: interrupted. Features computed so far are kept: the same command finds "
    "them; what was being trained begins anew. Ctrl-C again ends it at once."
)

_RAISE_AGAIN = b"\0"  # other bytes are numbers of signals

_announced = threading.Event()
_announcing = threading.RLock()


@contextlib.contextmanager
def ending_in_order():
    """Handle SIGINT while a command runs; if interrupted, exit with status 130.

    Nothing changes where SIGINT is ignored, as in background jobs of a shell.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    watched, watching = socket.socketpair()
    watching.setblocking(False)

    def hear_of_ignored(unraisable):
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            watching.send(_RAISE_AGAIN)
        else:
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = hear_of_ignored
    signal.signal(signal.SIGINT, _interrupt)
    signal.set_wakeup_fd(watching.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=[watched], daemon=True).start()
    # Runs last: once Python frees its modules, no thread runs any more.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        # From here on there is nothing to interrupt, nor to announce.
        signal.signal(signal.SIGINT, lambda *_: None)
        interrupted = _announced.is_set()
        _announced.set()
        if interrupted:
            sys.exit(130)


def was_interrupted():
    """Return whether the command has received SIGINT."""
    return _announced.is_set()


def check_interrupt():
    """Raise KeyboardInterrupt if the command has received SIGINT."""
    if was_interrupted():
        raise KeyboardInterrupt


def _interrupt(*_):
    """Handle SIGINT in the main thread."""
    _announce()
    raise KeyboardInterrupt


def _watch(watched):
    """End the process on the second SIGINT, even while the main thread can't."""
    n_left = 2
    while n_left:
        received = watched.recv(1)
        if received == _RAISE_AGAIN:
            while _hears_of_ignored():  # where it would be ignored, too
                time.sleep(0.001)
            n_left += 1  # since the next line is heard as a signal
            _thread.interrupt_main()
        elif received[0] == signal.SIGINT:
            n_left -= 1
            _announce()
    os._exit(130)


def _hears_of_ignored():
    """Return whether the main thread is in ``sys.unraisablehook``."""
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame is not None and frame.f_code is not sys.unraisablehook.__code__:
        frame = frame.f_back
    return frame is not None


def _announce():
    """Print the message, once."""
    with _announcing, contextlib.suppress(OSError, AttributeError):  # closed
        if not _announced.is_set():
            _announced.set()
            # Not by print, which may be what was interrupted.
            os.write(sys.stderr.fileno(), f"{MESSAGE}\n".encode())
