"""Links in documents that were fetched: only public ones are followed."""

import re
from urllib.parse import quote, urljoin, urlsplit

from skart._utils._remote import check_public, fetch_document

_SCHEME = r"[A-Za-z][\w+.-]*:"


class Links:
    """Follows links; a document that was fetched may lead to public addresses only.

    `base` is the URL of the document in which a link stands, after redirects. Links to
    the server of this URL are allowed, too, and any link if it is None or "": then the
    user has written it, or it stands in a file of the user.
    """

    def __init__(self, timeout=30):
        self._timeout = timeout
        self._checked = {}  # error or None, by server

    def resolve(self, link, base):
        """Return a link as a URL of http or https that may be fetched.

        In a document of another file system, a relative link is a file there.
        """
        text = re.sub(r"[\t\r\n]", "", link).strip()
        scheme = (base or "").partition("://")[0]
        if scheme not in ("", "http", "https", "file") and not re.match(_SCHEME, text):
            return f"{base.rpartition('/')[0]}/{text}"
        try:
            # What is not allowed in a URL is escaped, except in the name of the host.
            host = re.match(r"(\w+:)?//[^/?#]*", text)
            host = host[0] if host else ""
            rest = quote(text[len(host) :], safe="%/:?#[]@!$&'()*+,;=~|")
            url = urljoin(base or "", host + rest)
            server = _server(url)
        except ValueError as error:
            raise OSError(f"the link {link!r} is malformed: {error}") from None
        if server[0] not in ("http", "https") or not server[1]:
            raise OSError(
                f"it links to {link!r}; only http and https addresses are allowed"
            )
        if base and server != _server(base):
            self._check(server, url, link)
        return url

    def fetch(self, link, base, max_bytes):
        """Return the content of a link, and its URL after redirects."""
        url = self.resolve(link, base)
        is_own = not base or _server(url) == _server(base)
        return fetch_document(
            url, timeout=self._timeout, max_bytes=max_bytes, allow_local=is_own
        )

    def _check(self, server, url, link):
        """Raise OSError if a server is not public; each is checked once."""
        if server not in self._checked:
            problem = None
            try:
                check_public(url, timeout=self._timeout)
            except OSError as error:
                problem = str(error)
            # Only now: other threads ask meanwhile.
            self._checked[server] = problem
        if self._checked[server]:
            raise OSError(
                f"it links to {link!r}: {self._checked[server]}. If you trust that "
                "server, save the document to a file, whose links may lead to any "
                "address, or list the URLs in a table of your own"
            )


def _server(url):
    """Return scheme, host and port of a URL."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port
