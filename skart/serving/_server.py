"""Uvicorn with limits on connections and headers, and signals of our own."""

import contextlib
import json
import signal
import socket
import sys
from http import HTTPStatus

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from skart.serving._guard import HEADERS

# Seconds in which the headers of a request must arrive, for which a connection may stay
# without a request, and for which a client may leave an answer unread.
_IDLE = 10
_N_CONNECTIONS = 256
_GRACE = 8  # seconds for the requests that are under way at the end


def bind(host, port):
    """Return a socket at an address, which does not listen yet."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        # On Windows, the option would let two servers have one port.
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def serve(app, bound, announce):
    """Answer at a bound socket until SIGTERM or SIGINT; call `announce` when ready."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_GRACE,
        h11_max_incomplete_event_size=2**14,
    )
    _Server(config, announce).run([bound])


class _Server(uvicorn.Server):
    """A server whose signals end it, and are not raised again."""

    def __init__(self, config, announce):
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self):
        def stop(*_):
            self.should_exit = True

        before = {
            number: signal.signal(number, stop)
            for number in (signal.SIGINT, signal.SIGTERM)
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Protocol(H11Protocol):
    """HTTP/1.1 that closes idle connections, also those with half a header.

    If there are too many connections, the one that is idle for longest is closed; if
    none is idle, the oldest whose body has not arrived.
    """

    def connection_made(self, transport):
        super().connection_made(transport)
        self._n_unsent, self._since = 0, self.loop.time()
        self._timer = self.loop.call_later(_IDLE, self._check)
        if len(self.connections) > _N_CONNECTIONS:
            others = self.connections - {self}
            idle = [one for one in others if one._is_idle]
            slow = [one for one in others if one.cycle and one.cycle.more_body]
            min(idle or slow or [self], key=lambda one: one._since)._close()

    @property
    def _is_idle(self):
        return self.cycle is None or self.cycle.response_complete

    def _check(self):
        """Close the connection if it is idle, or if its client reads no answer."""
        n_unsent = self.transport.get_write_buffer_size()
        if n_unsent and n_unsent == self._n_unsent:
            return self.transport.abort()
        self._n_unsent = n_unsent
        self._timer = self.loop.call_later(_IDLE, self._check)
        if self._is_idle and not self.transport.is_closing():
            self._close()

    def _close(self):
        if self._is_idle and self.conn.trailing_data[0]:  # half a header
            self._send_error(408, "the headers did not arrive in time")
        self.transport.close()

    def on_response_complete(self):
        self._since = self.loop.time()
        self._timer.cancel()
        self._timer = self.loop.call_later(_IDLE, self._check)
        super().on_response_complete()

    def connection_lost(self, exc):
        self._timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg):
        self._send_error(400, "this is no valid HTTP request")
        self.transport.close()

    def _send_error(self, status, text):
        """Send an error ahead of the application, if nothing was sent yet."""
        body = json.dumps({"error": text}).encode()
        headers = [
            *HEADERS.items(),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        with contextlib.suppress(h11.LocalProtocolError):
            for event in (
                h11.Response(
                    status_code=status,
                    headers=headers,
                    reason=HTTPStatus(status).phrase.encode(),
                ),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event))
