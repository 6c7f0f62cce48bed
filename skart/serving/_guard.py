"""Checks of hosts and origins, and headers, for all requests and answers."""

import asyncio
import contextlib
import ipaddress
import logging

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src "
    "'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
ANY_ADDRESS = {"0.0.0.0", "::"}

# Seconds for which the rest of a body is read after an answer, in all and while nothing
# arrives: a client that is still sending when the connection is closed may not get it.
_LINGER, _PAUSE = 3, 0.3


def error_response(status, text, headers=None):
    """Return an error as JSON."""
    return JSONResponse({"error": text}, status, headers)


class Guard:
    """ASGI middleware that checks where requests come from, and secures answers.

    A page of another site can reach an address of this machine by a name of its own
    (DNS rebinding), so only the names in `hosts` are answered. If one of them is
    0.0.0.0 or ::, so are all numeric addresses, which no site can take.
    """

    def __init__(self, app, hosts):
        self.app = app
        self._hosts = {host.strip("[]").lower() for host in hosts}
        self._any_address = bool(self._hosts & ANY_ADDRESS)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        body = _Body(receive, length == "0" and "transfer-encoding" not in headers)
        started = False

        async def send_guarded(message):
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                answer = MutableHeaders(scope=message)
                answer.update(HEADERS)
                if not body.ended:
                    answer["Connection"] = "close"
            elif not message.get("more_body") and not body.ended:
                await send({**message, "more_body": True})
                await body.discard()
                message = {"type": "http.response.body"}
            await send(message)

        app = self._refuse(scope["method"], headers) or self.app
        try:
            await app(scope, body.receive, send_guarded)
        except asyncio.CancelledError:  # by Uvicorn, which ends
            if not started:
                error = error_response(503, "the server is ending")
                await error(scope, body.receive, send_guarded)
            raise
        except Exception:
            # The message may name what is not for the client.
            logging.getLogger("skart").exception("an internal error")
            if started:
                raise
            error = error_response(500, "an internal error")
            await error(scope, body.receive, send_guarded)

    def _refuse(self, method, headers):
        """Return the answer to a request of another site, else None."""
        host = headers.get("host", "")
        if not self._is_known(host):
            text = "this address is not served under the name that was asked for"
            return error_response(403, text)
        if method in ("GET", "HEAD"):
            return None
        origin = headers.get("origin")
        is_own = origin is None or origin.partition("://")[2].lower() == host.lower()
        site = headers.get("sec-fetch-site", "none")
        if is_own and site in ("none", "same-origin"):
            return None
        return error_response(403, "pages of other sites may not send images")

    def _is_known(self, host):
        """Return whether a Host header has an allowed name, with any port or none."""
        name = host.lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        else:
            name = name.partition(":")[0]
        if name in self._hosts:
            return True
        if not self._any_address:
            return False
        try:
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return False


class _Body:
    """The body of a request, and whether it was read to its end."""

    def __init__(self, receive, ended):
        self._receive, self.ended = receive, ended

    async def receive(self):
        message = await self._receive()
        if not message.get("more_body"):  # the end, or a client that has gone
            self.ended = True
        return message

    async def discard(self):
        """Read the rest of the body, for a few seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while not self.ended:
                    async with asyncio.timeout(_PAUSE):
                        await self.receive()
