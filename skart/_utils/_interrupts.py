"""Ctrl-C: the first one ends a command in order, the second one at once.

The first raises KeyboardInterrupt in the main thread, so that files that are being
written are finished or removed. The exception may be lost: TensorFlow turns it into
another one while it traces a graph, or prints that one, so commands call
:func:`check_interrupt`, and nothing is printed after the message. Python ignores
exceptions in finalizers, which training often runs, so it is raised again.
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
    "them. Ctrl-C again ends it at once."
)
TRAINING = (
    "\nskart: interrupted. Features computed so far are kept: the same command finds "
    "them; training starts again. Ctrl-C again ends it at once."
)
WITHOUT_FEATURES = "\nskart: interrupted. Ctrl-C again ends it at once."

_IGNORED = b"\0"  # other bytes are numbers of signals

_announced = threading.Event()
_raised = threading.Event()
_message = MESSAGE


@contextlib.contextmanager
def ending_in_order():
    """Handle SIGINT while a command runs; if interrupted, exit with status 130.

    Nothing changes where SIGINT is ignored, as in background jobs of a shell.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    received, sent = socket.socketpair()
    sent.setblocking(False)
    usual_hook = sys.unraisablehook

    def hook(unraisable):
        if _is_interrupt(unraisable.exc_value):
            sent.send(_IGNORED)
        elif not was_interrupted():
            usual_hook(unraisable)

    sys.unraisablehook = hook
    threading.Thread(target=_watch, args=[received, hook], daemon=True).start()
    signal.set_wakeup_fd(sent.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, _interrupt)
    # Runs last: when Python frees its modules, the watching thread has stopped.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        _stop_interrupting()
        if was_interrupted():
            sys.exit(130)
        _announced.set()  # nor to announce


@contextlib.contextmanager
def announcing(message):
    """Print another message at the first SIGINT in the block."""
    global _message
    before, _message = _message, message
    try:
        yield
    finally:
        _message = before


def was_interrupted():
    """Return whether the command has received SIGINT."""
    return _announced.is_set()


def print_error(*error):
    """Print an exception as `sys.excepthook`, unless the command was interrupted."""
    if not was_interrupted():
        sys.__excepthook__(*error)


def check_interrupt():
    """Raise KeyboardInterrupt if the command has received SIGINT."""
    if was_interrupted():
        raise KeyboardInterrupt


def _is_interrupt(error):
    """Return whether an exception is a KeyboardInterrupt, or stands in its place."""
    seen, left = [], [error]
    while left:
        error = left.pop()
        if isinstance(error, KeyboardInterrupt):
            return True
        if error is not None and error not in seen:  # `raise error from error`
            seen.append(error)
            left += [error.__cause__, error.__context__]
    return False


def _interrupt(*_):
    """Handle SIGINT in the main thread."""
    while not was_interrupted():  # Event.wait would deadlock on a second SIGINT
        time.sleep(0.001)
    if _raised.is_set():  # _watch exits too, but the main thread may end before that
        os._exit(130)
    _raised.set()
    raise KeyboardInterrupt


def _stop_interrupting():
    """Ignore SIGINT, since there is nothing to interrupt any more."""
    while True:
        try:
            return signal.signal(signal.SIGINT, lambda *_: None)
        except KeyboardInterrupt:  # of a signal that was on its way
            pass


def _watch(received, hook):
    """Announce the first SIGINT; exit on the second, even if the main thread can't."""
    n_signals = 0
    while n_signals < 2:
        byte = received.recv(1)
        if byte == _IGNORED:
            while _is_running(hook):  # there it would be ignored again
                time.sleep(0.001)
            n_signals -= 1  # the next lines send the first signal again
            _raised.clear()
            _thread.interrupt_main()
        elif byte[0] == signal.SIGINT:
            n_signals += 1
            if not was_interrupted():
                # Not by print, which the main thread may be in the middle of.
                with contextlib.suppress(OSError, ValueError, AttributeError):  # closed
                    os.write(sys.stderr.fileno(), f"{_message}\n".encode())
                _announced.set()
    os._exit(130)


def _is_running(function):
    """Return whether the main thread is in a function."""
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame is not None and frame.f_code is not function.__code__:
        frame = frame.f_back
    return frame is not None
