"""A web server of this machine, for the tests of URLs."""

import collections
import contextlib
import io
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image


def encode(seed, size=(40, 30), kind="PNG"):
    """Return the bytes of a random image."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


class LocalServer:
    """Serves what `pages` holds: by path, the bytes of a page, or a function.

    The function is called with the handler of the request and the number of requests
    for its path so far. `requests` counts them; `most` is the largest number of
    connections that were open at once.
    """

    def __init__(self, pages=None):
        self.pages = pages or {}
        self.requests = collections.Counter()
        self.headers = []
        self.n_open = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self))
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # clients that hang up
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=[0.01]).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def n_requests(self):
        return sum(self.requests.values())

    def secure(self, context):
        """Speak TLS from now on."""
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )

    @contextlib.contextmanager
    def _connected(self):
        with self._lock:
            self.n_open += 1
            self.most = max(self.most, self.n_open)
        try:
            yield
        finally:
            with self._lock:
                self.n_open -= 1

    def _answer(self, handler):
        with self._lock:
            self.requests[handler.path] += 1
            n_requests = self.requests[handler.path]
            self.headers.append(dict(handler.headers))
        page = self.pages.get(handler.path)
        if page is None:
            send(handler, b"", 404)
        elif isinstance(page, bytes):
            send(handler, page)
        else:
            page(handler, n_requests)


def _make_handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self):
            with server._connected(), contextlib.suppress(OSError):
                super().handle()

        def do_GET(self):
            server._answer(self)

        def log_message(self, *_):
            pass

    return Handler


def send(handler, body=b"", status=200, **headers):
    """Answer a request; the names of headers have underscores for hyphens."""
    handler.send_response(status)
    for name, value in {"Content_Length": len(body), **headers}.items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(body)


def failing(status, n_times=None, body=b"", **headers):
    """Return a page that fails, the first times or always."""

    def page(handler, n_requests):
        if n_times is None or n_requests <= n_times:
            send(handler, b"", status, **headers)
        else:
            send(handler, body)

    return page


def redirecting(location, status=302):
    """Return a page that redirects."""
    return lambda handler, _: send(handler, b"", status, Location=location)


def stalling(seconds):
    """Return a page that answers nothing for a time."""

    def page(handler, _):
        time.sleep(seconds)
        handler.close_connection = True

    return page


def cut_off(handler, _):
    """Promise more bytes than are sent."""
    send(handler, b"a part", Content_Length=1000)
    handler.close_connection = True


def dripping(handler, _):
    """Send a byte ten times a second, for a minute."""
    send(handler, Content_Length=600)
    for _ in range(600):
        handler.wfile.write(b"x")
        time.sleep(0.1)


def endless(handler, _):
    """Send bytes until the client hangs up."""
    send(handler, Content_Length=None)
    while True:
        handler.wfile.write(bytes(2**16))
