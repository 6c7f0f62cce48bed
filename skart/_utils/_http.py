"""HTTP for `fetch`: targets, connections to checked addresses, and answers."""

import base64
import collections
import contextlib
import email.utils
import functools
import http.client
import importlib
import ipaddress
import re
import ssl
import threading
import time
from typing import NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit

import skart
from skart._utils._interrupts import check_interrupt

PATIENCE = 10  # an image may take this many times the timeout
PORTS = {"http": 80, "https": 443}

_N_CONNECTIONS = 4  # of a process to a host
_N_IDLE = 32  # connections that are kept open, to all hosts
_TEMPORARY = {429, 500, 502, 503, 504}

# Not public, whatever the version of Python says of them: addresses that embed
# others, and those reserved for protocols.
_NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
]
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class TemporaryError(OSError):
    """A failure after which another try may succeed.

    `pause` is how long the server asks to wait, in seconds; `unreachable` is the origin
    if no connection was made.
    """

    def __init__(self, reason, pause=None, unreachable=None):
        super().__init__(reason)
        self.pause = pause
        self.unreachable = unreachable


class Target(NamedTuple):
    """What is asked for, and of whom."""

    scheme: str
    host: str
    port: int
    path: str  # and the query
    authorization: bytes | None = None

    @property
    def origin(self):
        return self[:3]

    @property
    def netloc(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self):
        return f"{self.scheme}://{self.netloc}{self.path}"


class Connection:
    """A connection to checked addresses; waits for the network end by a deadline."""

    # It is its own network backend and stream, as httpcore calls them.

    def __init__(self, target, addresses, backend, ssl_context, public):
        httpcore = require("httpcore")
        self.origin = target.origin
        self.public = public
        self.deadline = None
        self._addresses = addresses
        self._backend = backend
        self._stream = None
        self.http = httpcore.HTTPConnection(
            httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port),
            ssl_context=ssl_context,
            network_backend=self,
            keepalive_expiry=10,
        )

    def connect_tcp(self, host, port, timeout=None, local_address=None, **options):
        httpcore = require("httpcore")
        *others, last = self._addresses
        for address in others:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return self._connect(address, port, timeout)
        return self._connect(last, port, timeout)

    def _connect(self, address, port, timeout):
        self._stream = self._backend.connect_tcp(address, port, self._limit(timeout))
        return self

    def start_tls(self, ssl_context, server_hostname=None, timeout=None):
        limit = self._limit(timeout)
        self._stream = self._stream.start_tls(ssl_context, server_hostname, limit)
        return self

    def read(self, max_bytes, timeout=None):
        return self._stream.read(max_bytes, self._limit(timeout))

    def write(self, buffer, timeout=None):
        self._stream.write(buffer, self._limit(timeout))

    def close(self):
        if self._stream is not None:
            self._stream.close()

    def get_extra_info(self, info):
        return self._stream.get_extra_info(info)

    def _limit(self, timeout):
        check_interrupt()
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(timeout, left)


class ConnectionPool:
    """Connections of a process that are kept open, and the limit for each host."""

    def __init__(self):
        self._lock = threading.Lock()
        self._idle = []
        self._limits = collections.defaultdict(
            functools.partial(threading.Semaphore, _N_CONNECTIONS)
        )
        self.unreachable = {}  # since when, and why, by origin

    def limit(self, host):
        with self._lock:
            return self._limits[host]

    def check_reachable(self, origin):
        """Raise OSError if all tries to connect failed less than a minute ago."""
        since, reason = self.unreachable.get(origin, (-60, ""))
        if time.monotonic() - since < 60:
            raise OSError(reason)

    def take(self, target, public):
        """Return an open connection, or None; close one to make room for another."""
        with self._lock:
            same = [line for line in self._idle if line.origin[1] == target.host]
            fit = [
                line
                for line in same
                if line.origin == target.origin and (line.public or not public)
            ]
            for line in (fit or same)[-1:]:
                self._idle.remove(line)
                if fit and not line.http.has_expired():
                    return line
                line.close()
        return None

    def give_back(self, line):
        """Keep a connection open if it can be used again."""
        with self._lock:
            if not line.http.is_available():
                line.close()
                return
            self._idle.append(line)
            if len(self._idle) > _N_IDLE:
                self._idle.pop(0).close()

    def close(self):
        with self._lock:
            while self._idle:
                self._idle.pop().close()


def is_public(address):
    """Return whether an IP address is one that anybody on the internet may ask."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6:
        if ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        elif ip not in _PUBLIC_V6:  # which IPv4-mapped addresses are neither
            return False
    return (
        ip.is_global
        and not ip.is_multicast
        and not ip.is_reserved
        and not any(ip in network for network in _NOT_PUBLIC)
    )


def require(package):
    """Import a package of the extra `remote`."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"images at URLs need {package}, which is not installed. Run: pip install "
            "'skart[remote]'"
        ) from error


def parse_target(url):
    """Return the target of a HTTP URL; raise OSError if it is malformed."""
    try:
        if re.search(r"[\x00-\x1f\x7f\\]", url):
            raise ValueError("a control character or a backslash")
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        host = (parts.hostname or "").encode("idna").decode()
        if not re.fullmatch(r"[\w.:-]+", host):
            raise ValueError("no name of a host")
        port = PORTS[scheme] if parts.port is None else parts.port
        if port == 0:
            raise ValueError("the port 0")
        # Characters that are allowed in a URL are not escaped, nor is "%".
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
        if parts.query:
            path += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?[]|")
        authorization = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = b"Basic " + base64.b64encode(pair.encode())
    except ValueError as error:
        raise OSError(f"a malformed URL: {error}") from None
    return Target(scheme, host, port, path, authorization)


def redirect(target, location):
    """Return the target to which a server redirects; raise OSError if not allowed."""
    try:
        if not re.fullmatch(r"[\x21-\x7e]+", location):
            raise ValueError("a character that is not allowed in URLs")
        url = urljoin(target.url, location)
        scheme = urlsplit(url).scheme.lower()
    except ValueError as error:
        raise OSError(f"redirects to a malformed URL: {error}") from None
    if scheme not in PORTS or (target.scheme, scheme) == ("https", "http"):
        raise OSError(f"redirects from {target.scheme} to {scheme}, which is refused")
    onward = parse_target(url)
    same = onward.origin == target.origin
    return onward._replace(authorization=target.authorization if same else None)


def ask(line, target, timeout, max_bytes):
    """Return the content of a target, bytes, or the location it redirects to, a str."""
    httpcore = require("httpcore")
    headers = {
        "Host": target.netloc,
        "User-Agent": f"skart/{skart.__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    if target.authorization:
        headers["Authorization"] = target.authorization
    url = httpcore.URL(
        scheme=target.scheme, host=target.host, port=target.port, target=target.path
    )
    waits = dict.fromkeys(("connect", "read", "write"), timeout)
    request = httpcore.Request(
        "GET", url, headers=headers, extensions={"timeout": waits}
    )
    try:
        response = line.http.handle_request(request)
        with contextlib.closing(response):
            return _read_response(response, max_bytes)
    except (TimeoutError, httpcore.TimeoutException, httpcore.NetworkError) as error:
        if time.monotonic() >= line.deadline:
            raise OSError(
                f"not complete after {PATIENCE * timeout:g} s, ten times the timeout"
            ) from None
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            reason = error.__cause__.verify_message
            raise OSError(f"the certificate of {target.host}: {reason}") from None
        reason = f"no answer within {timeout:g} s"
        if isinstance(error, httpcore.NetworkError):
            reason = (
                f"no connection to {target.netloc}: {explain(error.__cause__ or error)}"
            )
        connecting = isinstance(error, (httpcore.ConnectTimeout, httpcore.ConnectError))
        unreachable = target.origin if connecting else None
        raise TemporaryError(reason, unreachable=unreachable) from None
    except httpcore.ProtocolError as error:
        raise TemporaryError(f"a broken answer: {explain(error)}") from None


def _read_response(response, max_bytes):
    """Return the body of a response, or its location; raise OSError for others."""
    headers = {name.lower(): value for name, value in response.headers}
    if response.status in (301, 302, 303, 307, 308) and b"location" in headers:
        return headers[b"location"].decode("latin-1")
    text = f"HTTP {response.status} {http.client.responses.get(response.status, '')}"
    text = text.strip()
    if response.status in _TEMPORARY:
        raise TemporaryError(text, _retry_after(headers.get(b"retry-after", b"")))
    if response.status != 200:
        raise OSError(text)
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")
    if encoding.strip().lower() not in ("", "identity"):
        raise OSError(f"sent as {encoding!r}, which was not asked for")
    if int(headers.get(b"content-length", 0)) > max_bytes:
        raise too_large(max_bytes)
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > max_bytes:
            raise too_large(max_bytes)
    return bytes(body)


def too_large(max_bytes):
    """Return the error of a content that is too long."""
    return OSError(f"more than max_bytes={max_bytes} ({max_bytes / 1e6:g} MB)")


def _retry_after(value):
    """Return the seconds of a Retry-After header, or None."""
    value = value.decode("latin-1").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
        return max(0, date.timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def explain(error):
    """Return the reason of an exception in one line."""
    reason = getattr(error, "strerror", None) or error
    return " ".join(str(reason).split()) or type(error).__name__
