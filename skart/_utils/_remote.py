"""Fetching of URLs: by HTTP, or from any file system that fsspec knows."""

import concurrent.futures
import functools
import hashlib
import os
import socket
import threading
import time

from skart._utils._files import atomic_write, expand, is_url
from skart._utils._http import (
    PATIENCE,
    PORTS,
    Connection,
    ConnectionPool,
    TemporaryError,
    ask,
    explain,
    is_public,
    parse_target,
    redirect,
    require,
    too_large,
)
from skart._utils._interrupts import check_interrupt

MAX_BYTES = 200_000_000

_N_REDIRECTS = 5
_LONGEST_PAUSE = 60  # seconds, between two tries


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
        self._public = set()  # hosts to which fetched files have led

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
        file = None
        if keep is not None:
            _check_scheme(url, allow_local)
            file = kept_file(keep, url)
            if file.is_file():
                return file.read_bytes()
        content, _ = self.fetch_document(
            url, timeout=timeout, max_bytes=max_bytes, allow_local=allow_local
        )
        if file is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(file) as part:
                    part.write_bytes(content)
            except OSError as error:
                raise OSError(
                    f"can't be kept in {str(keep)!r}: {explain(error)}"
                ) from error
        return content

    def fetch_document(self, url, *, timeout=30, max_bytes=MAX_BYTES, allow_local=True):
        """Return the content of a URL, and the URL after redirects."""
        if _check_scheme(url, allow_local) in PORTS:
            require("httpcore")  # before a name is looked up, which may fail
            target = parse_target(url)
            return self._try_http(target, timeout, max_bytes, not allow_local)
        return _read_other(url, timeout, max_bytes), url

    def check_public(self, url, *, timeout=30):
        """Raise OSError if the host of an HTTP URL has an address that isn't public.

        From then on, this process asks the host at public addresses only, so that a
        name can't be checked here and lead to a private network when it is fetched.
        """
        self._find_addresses(parse_target(url), True, timeout)

    def close(self):
        """Close the connections that are kept open."""
        for pool in self._pools.values():
            pool.close()

    def _try_http(self, target, timeout, max_bytes, public):
        """Follow redirects from a target, several times after temporary failures."""
        pool = self._pools.setdefault(os.getpid(), ConnectionPool())
        for n_tries, pause in enumerate((*self._pauses, None), start=1):
            try:
                return self._follow(pool, target, timeout, max_bytes, public)
            except TemporaryError as error:
                reason, asked = str(error), error.pause or 0
                if asked > _LONGEST_PAUSE:
                    raise OSError(
                        f"{reason}: the server asks to wait {asked:.0f} s, longer than "
                        f"the {_LONGEST_PAUSE} s that are waited; try again then"
                    ) from None
                if pause is None:
                    reason = f"{reason} ({n_tries} tries)"
                    if error.unreachable:
                        pool.unreachable[error.unreachable] = time.monotonic(), reason
                    raise OSError(reason) from None
                _sleep(max(pause, asked))

    def _follow(self, pool, target, timeout, max_bytes, public):
        """Return the content of a target or of where it redirects to."""
        left = PATIENCE * timeout
        for _ in range(_N_REDIRECTS + 1):
            public = public or target.host in self._public
            pool.check_reachable(target.origin)
            with pool.limit(target.host):  # a wait that does not count
                start = time.monotonic()
                line = pool.take(target, public)
                if line is None:
                    line = self._open(target, public, timeout)
                line.deadline = start + left
                try:
                    answer = ask(line, target, timeout, max_bytes)
                finally:
                    pool.give_back(line)
                left -= time.monotonic() - start
            if isinstance(answer, bytes):
                return answer, target.url
            onward = redirect(target, answer)
            public = public or onward.origin != target.origin
            target = onward
        raise OSError(f"more than {_N_REDIRECTS} redirects")

    def _open(self, target, public, timeout):
        """Return a connection to an address that was checked."""
        addresses, private = self._find_addresses(target, public, timeout)
        backend = self._backend or require("httpcore").SyncBackend()
        context = self._context if target.scheme == "https" else None
        return Connection(target, addresses, backend, context, public=not private)

    def _find_addresses(self, target, public, timeout):
        """Return the addresses of a host, and those that are not public."""
        _, host, port = target.origin
        resolve = functools.partial(self._resolve, host, port, type=socket.SOCK_STREAM)
        try:
            found = _in_time(resolve, timeout)
        except (OSError, ValueError) as error:
            reason = f"the name {host} can't be resolved: {explain(error)}"
            if isinstance(error, TimeoutError):
                reason = f"the name {host} was not resolved within {timeout:g} s"
            elif getattr(error, "errno", None) != socket.EAI_AGAIN:
                raise OSError(reason) from None
            raise TemporaryError(reason, unreachable=target.origin) from None
        addresses = list(dict.fromkeys(info[4][0] for info in found))
        private = [address for address in addresses if not is_public(address)]
        if public and private:
            raise OSError(
                f"leads to {host}, which has the address {private[0]}: redirects and "
                "links in fetched files must lead to public addresses"
            )
        if not addresses:
            raise OSError(f"the name {host} has no address")
        if public:
            self._public.add(host)
        return addresses, private

    @functools.cached_property
    def _context(self):
        return self._given_context or require("httpcore").default_ssl_context()


def kept_file(keep, url):
    """Return the file in a folder in which the content of a URL is kept."""
    if url.lower().startswith(tuple(PORTS)):  # elsewhere, "#" is part of a name
        url = url.partition("#")[0]
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
    return expand(keep) / digest


def _check_scheme(url, allow_local):
    """Return the scheme of a URL; raise OSError if it is not allowed."""
    if not is_url(url):
        raise OSError("not a URL")
    scheme = url.partition("://")[0].lower()
    if scheme not in PORTS and not allow_local:
        raise OSError(
            f"a {scheme} address in a fetched file; only http and https are allowed"
        )
    return scheme


def _read_other(url, timeout, max_bytes):
    """Return the content of a URL of any file system that fsspec knows."""
    fsspec = require("fsspec")

    def read():
        with fsspec.open(url, "rb") as file:
            return file.read(max_bytes + 1)

    try:
        content = _in_time(read, PATIENCE * timeout)
    except TimeoutError:
        raise OSError(f"not complete after {PATIENCE * timeout:g} s") from None
    except ImportError:  # which names the package of the file system
        raise
    except FileNotFoundError:
        raise OSError("no such file") from None
    except Exception as error:  # each file system raises exceptions of its own
        raise OSError(explain(error)) from error
    if len(content) > max_bytes:
        raise too_large(max_bytes)
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


DEFAULT = Fetcher()
fetch = DEFAULT.fetch
fetch_document = DEFAULT.fetch_document
check_public = DEFAULT.check_public
