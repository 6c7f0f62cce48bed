"""Fetching of URLs: by HTTP, or from any file system that fsspec knows."""

import base64
import collections
import concurrent.futures
import contextlib
import email.utils
import functools
import hashlib
import http.client
import importlib
import ipaddress
import os
import re
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit

import skart
from skart._utils._files import atomic_write, is_url
from skart._utils._interrupts import check_interrupt

MAX_BYTES = 200_000_000

_N_CONNECTIONS = 4  # of a process to a host
_N_IDLE = 32  # connections that are kept open, to all hosts
_N_REDIRECTS = 5
_LONGEST_PAUSE = 60  # seconds, between two tries
_PATIENCE = 10  # an image may take so many times the timeout
_TEMPORARY = {429, 500, 502, 503, 504}
_PORTS = {"http": 80, "https": 443}

# Not public, whatever the version of Python says of them: addresses that stand for
# others, and addresses of a protocol.
_NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
]
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class _TemporaryError(OSError):
    """A failure after which another try may succeed, after `pause` seconds or None."""

    def __init__(self, reason, pause=None, unreachable=False):
        super().__init__(reason)
        self.pause = pause
        self.unreachable = unreachable


class _Target(NamedTuple):
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
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class Fetcher:
    """Fetches URLs politely; `fetch` is the method of an instance that all share.

    Tests replace `resolve`, which is called like ``socket.getaddrinfo``; `backend`, a
    ``httpcore.NetworkBackend``; and `pauses`, seconds between two tries.
    """

    def __init__(
        self,
        *,
        resolve=socket.getaddrinfo,
        backend=None,
        ssl_context=None,
        pauses=(0.5, 2.0),
    ):
        self._resolve = resolve
        self._backend = backend
        self._given_context = ssl_context
        self._pauses = pauses
        self._pools = {}  # by process: a fork must not use connections of its parent

    def fetch(
        self, url, *, timeout=30, max_bytes=MAX_BYTES, keep=None, allow_local=True
    ):
        """Return the content of a URL; raise OSError with a reason of one line.

        Parameters
        ----------
        url : str
            An address, such as ``https://museum.example/1.jpg`` or ``s3://bucket/key``.
        timeout : float, default=30
            Longest wait for a name, a connection or the next bytes, in seconds. The
            whole content may take ten times as long.
        max_bytes : int, default=200_000_000
            Longer contents are errors.
        keep : str or path, default=None
            Folder in which contents are kept, and found without asking the server.
            If None, nothing is written.
        allow_local : bool, default=True
            Whether this machine, private networks and file systems may be read: False
            for any address that the user didn't type, such as a link in a fetched file.
        """
        if not is_url(url):
            raise OSError("not a URL")
        scheme = url.partition("://")[0].lower()
        if scheme not in _PORTS and not allow_local:
            raise OSError(
                f"a {scheme} address in a fetched file; only http and https are allowed"
            )
        # Elsewhere, the sign "#" is part of a name.
        name = url.partition("#")[0] if scheme in _PORTS else url
        file = keep and _name_kept(keep, name)
        if file and file.is_file():
            return file.read_bytes()
        if scheme in _PORTS:
            content = self._try_http(_parse(url), timeout, max_bytes, not allow_local)
        else:
            content = _read_other(url, timeout, max_bytes)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(file) as part:
                part.write_bytes(content)
        return content

    def close(self):
        """Close the connections that are kept open."""
        for pool in self._pools.values():
            pool.close()

    def _try_http(self, target, timeout, max_bytes, public):
        """Follow redirects from a target, several times after temporary failures."""
        pool = self._pools.setdefault(os.getpid(), _Pool())
        pool.check_reachable(target.origin)
        for n_tries, pause in enumerate((*self._pauses, None), start=1):
            try:
                return self._follow(pool, target, timeout, max_bytes, public)
            except _TemporaryError as error:
                reason, asked = str(error), error.pause or 0
                if asked > _LONGEST_PAUSE:
                    raise OSError(
                        f"{reason}: the server asks to wait {asked:.0f} s, longer than "
                        f"the {_LONGEST_PAUSE} s that are waited; try again then"
                    ) from None
                if pause is None:
                    reason = f"{reason} ({n_tries} tries)"
                    if error.unreachable:
                        pool.unreachable[target.origin] = time.monotonic(), reason
                    raise OSError(reason) from None
                _sleep(max(pause, asked))

    def _follow(self, pool, target, timeout, max_bytes, public):
        """Return the content of a target or of where it redirects to."""
        left = _PATIENCE * timeout
        for _ in range(_N_REDIRECTS + 1):
            with pool.limit(target.host):  # a wait that does not count
                start = time.monotonic()
                line = pool.take(target, public)
                if line is None:
                    line = self._open(target, public, timeout)
                line.deadline = start + left
                try:
                    answer = _ask(line, target, timeout, max_bytes)
                finally:
                    pool.give_back(line)
                left -= time.monotonic() - start
            if isinstance(answer, bytes):
                return answer
            onward = _redirect(target, answer)
            public = public or onward.origin != target.origin
            target = onward
        raise OSError(f"more than {_N_REDIRECTS} redirects")

    def _open(self, target, public, timeout):
        """Return a connection to an address that was checked."""
        httpcore = require("httpcore")
        _, host, port = target.origin
        resolve = functools.partial(self._resolve, host, port, type=socket.SOCK_STREAM)
        try:
            found = _in_time(resolve, timeout)
        except concurrent.futures.TimeoutError:
            raise _TemporaryError(
                f"the name {host} was not resolved within {timeout:g} s"
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OSError(f"the name {host} can't be resolved: {reason}") from None
        addresses = list(dict.fromkeys(info[4][0] for info in found))
        private = [address for address in addresses if not is_public(address)]
        if public and private:
            raise OSError(
                f"leads to {host}, which has the address {private[0]}: redirects and "
                "links in fetched files must lead to public addresses"
            )
        if not addresses:
            raise OSError(f"the name {host} has no address")
        backend = self._backend or httpcore.SyncBackend()
        context = self._context if target.scheme == "https" else None
        return _Line(target, addresses, backend, context, public=not private)

    @functools.cached_property
    def _context(self):
        return self._given_context or require("httpcore").default_ssl_context()


class _Line:
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
        *others, last = self._addresses
        for address in others:
            with contextlib.suppress(*_unreachable()):
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


class _Pool:
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
            "skart[remote]"
        ) from error


def _unreachable():
    httpcore = require("httpcore")
    return httpcore.ConnectError, httpcore.ConnectTimeout


def _name_kept(keep, name):
    """Return the file in which the content of a URL is kept."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return Path(keep).expanduser() / digest


def _parse(url):
    """Return the target of a HTTP URL; raise OSError if it is malformed."""
    try:
        if re.search(r"[\x00-\x1f\x7f\\]", url):
            raise ValueError("a control character or a backslash")
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        host = (parts.hostname or "").encode("idna").decode()
        if not re.fullmatch(r"[\w.:-]+", host):
            raise ValueError("no name of a host")
        port = _PORTS[scheme] if parts.port is None else parts.port
        if port == 0:
            raise ValueError("the port 0")
        # Signs that may stand in a URL stay as they are, "%" as well.
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
        if parts.query:
            path += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?[]|")
        authorization = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = b"Basic " + base64.b64encode(pair.encode())
    except ValueError as error:
        raise OSError(f"a malformed URL: {error}") from None
    return _Target(scheme, host, port, path, authorization)


def _redirect(target, location):
    """Return the target to which a server redirects; raise OSError if not allowed."""
    base = f"{target.scheme}://{target.netloc}{target.path}"
    try:
        if not re.fullmatch(r"[\x21-\x7e]+", location):
            raise ValueError("a sign that no URL holds")
        url = urljoin(base, location)
        scheme = urlsplit(url).scheme.lower()
    except ValueError as error:
        raise OSError(f"redirects to a malformed URL: {error}") from None
    if scheme not in _PORTS or (target.scheme, scheme) == ("https", "http"):
        raise OSError(f"redirects from {target.scheme} to {scheme}, which is refused")
    onward = _parse(url)
    same = onward.origin == target.origin
    return onward._replace(authorization=target.authorization if same else None)


def _ask(line, target, timeout, max_bytes):
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
    except (TimeoutError, httpcore.TimeoutException) as error:
        if time.monotonic() >= line.deadline:
            raise OSError(
                f"not complete after {_PATIENCE * timeout:g} s, ten times the timeout"
            ) from None
        raise _TemporaryError(
            f"no answer within {timeout:g} s",
            unreachable=isinstance(error, httpcore.ConnectTimeout),
        ) from None
    except httpcore.NetworkError as error:
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            reason = error.__cause__.verify_message
            raise OSError(f"the certificate of {target.host}: {reason}") from None
        raise _TemporaryError(
            f"no connection to {target.netloc}: {_one_line(error)}",
            unreachable=isinstance(error, httpcore.ConnectError),
        ) from None
    except httpcore.ProtocolError as error:
        raise _TemporaryError(f"a broken answer: {_one_line(error)}") from None


def _read_response(response, max_bytes):
    """Return the body of a response, or its location; raise OSError for others."""
    headers = {name.lower(): value for name, value in response.headers}
    if response.status in (301, 302, 303, 307, 308) and b"location" in headers:
        return headers[b"location"].decode("latin-1")
    text = f"HTTP {response.status} {http.client.responses.get(response.status, '')}"
    text = text.strip()
    if response.status in _TEMPORARY:
        raise _TemporaryError(text, _retry_after(headers.get(b"retry-after", b"")))
    if response.status != 200:
        raise OSError(text)
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")
    if encoding.strip().lower() not in ("", "identity"):
        raise OSError(f"sent as {encoding!r}, which was not asked for")
    if int(headers.get(b"content-length", 0)) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes):
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


def _read_other(url, timeout, max_bytes):
    """Return the content of a URL of any file system that fsspec knows."""
    fsspec = require("fsspec")

    def read():
        with fsspec.open(url, "rb") as file:
            return file.read(max_bytes + 1)

    try:
        content = _in_time(read, _PATIENCE * timeout)
    except concurrent.futures.TimeoutError:
        raise OSError(f"not complete after {_PATIENCE * timeout:g} s") from None
    except ImportError:  # which names the package of the file system
        raise
    except Exception as error:  # each file system raises exceptions of its own
        raise OSError(_one_line(error)) from error
    if len(content) > max_bytes:
        raise _too_large(max_bytes)
    return content


def _in_time(function, seconds):
    """Return what a function returns in time; else raise TimeoutError."""
    # A daemon, for which a process that ends does not wait.
    answer = concurrent.futures.Future()

    def call():
        try:
            answer.set_result(function())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return answer.result(seconds)


def _sleep(seconds):
    """Sleep; end early if the command is interrupted."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        check_interrupt()
        time.sleep(min(left, 0.2))


def _one_line(error):
    """Return the text of an exception in one line."""
    return " ".join(str(error).split()) or type(error).__name__


DEFAULT = Fetcher()
fetch = DEFAULT.fetch
