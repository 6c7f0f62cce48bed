import email.utils
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

import fsspec
import httpcore
import pytest
from local_server import (
    LocalServer,
    cut_off,
    dripping,
    endless,
    failing,
    redirecting,
    send,
    stalling,
)

import skart
from skart._utils._remote import Fetcher, check_public, fetch_document, is_url

PUBLIC = "93.184.215.14"  # stands for an address of the internet; none is asked


class Internet:
    """Names and addresses of the tests: each address is a port of this machine."""

    def __init__(self, names, ports):
        self.names, self.ports = names, ports
        self.resolved, self.connected = [], []

    def resolve(self, host, port, type):
        self.resolved.append(host)
        found = self.names[host]
        if callable(found):
            found = found(len(self.resolved))
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in found]

    def connect_tcp(self, host, port, timeout=None, *_, **__):
        self.connected.append(host)
        port = self.ports.get(host, port)
        return httpcore.SyncBackend().connect_tcp("127.0.0.1", port, timeout)


@pytest.fixture
def server():
    with LocalServer({"/a": b"content"}) as server:
        yield server


@pytest.fixture
def make_fetcher():
    fetchers = []

    def make(names=None, ports=None, **options):
        if names is not None:
            internet = Internet(names, ports or {})
            options |= {"resolve": internet.resolve, "backend": internet}
        fetchers.append(Fetcher(pauses=(0.05, 0.1), **options))
        if names is None:
            return fetchers[-1]
        return fetchers[-1], internet

    yield make
    for fetcher in fetchers:
        fetcher.close()


@pytest.fixture
def fetcher(make_fetcher):
    return make_fetcher()


def test_urls_are_told_from_paths():
    for url in ("https://museum.example/1.jpg", "s3://bucket/key", "memory://a"):
        assert is_url(url)
    for path in ("a.jpg", "/a/b", "C:\\a.jpg", "c://a", "a#b=1", "://a", b"s3://a"):
        assert not is_url(path)


def test_content_is_fetched_over_few_connections(fetcher, server):
    server.pages |= {f"/{i}": bytes([i]) * 100 for i in range(40)}
    found = [None] * 40

    def work(start):
        for i in range(start, 40, 8):
            found[i] = fetcher.fetch(f"{server.url}/{i}#part")

    threads = [threading.Thread(target=work, args=[i]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [bytes([i]) * 100 for i in range(40)]
    assert server.n_requests == 40
    assert server.most <= 4
    headers = server.headers[0]
    assert headers["User-Agent"] == f"skart/{skart.__version__}"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    "page, n_requests, reason",
    [
        (failing(404), 1, "HTTP 404 Not Found"),
        (failing(403), 1, "HTTP 403"),
        (failing(204), 1, "HTTP 204"),
        (failing(500), 3, r"HTTP 500 .* \(3 tries\)"),
        (failing(429, Retry_After="100"), 1, "HTTP 429 .* wait 100 s, longer than"),
        (cut_off, 3, r"without sending complete .*\(3 tries\)"),
        (stalling(2), 3, r"no answer within 0.3 s \(3 tries\)"),
        (dripping, 1, "not complete after 3 s, ten times the timeout"),
        (endless, 1, r"more than max_bytes=1000000 \(1 MB\)"),
        (
            lambda handler, _: send(handler, Content_Length=10**12),
            1,
            "more than max_bytes=1000000",
        ),
        (
            lambda handler, _: send(handler, b"x", Content_Encoding="gzip"),
            1,
            "sent as 'gzip'",
        ),
        (lambda handler, _: handler.wfile.write(b"no HTTP\r\n\r\n"), 3, "broken"),
        (lambda handler, _: send(handler, b"x", Content_Length="many"), 3, "broken"),
        (redirecting("/page"), 6, "more than 5 redirects"),
    ],
)
def test_sick_servers_are_told(page, n_requests, reason, fetcher, server):
    server.pages["/page"] = page
    start = time.monotonic()
    with pytest.raises(OSError, match=reason) as raised:
        fetcher.fetch(f"{server.url}/page", timeout=0.3, max_bytes=1_000_000)
    assert "\n" not in str(raised.value)
    assert server.n_requests == n_requests
    assert time.monotonic() - start < 20
    assert fetcher.fetch(f"{server.url}/a") == b"content"


def test_temporary_failures_are_tried_again(fetcher, server):
    soon = email.utils.formatdate(time.time() + 1, usegmt=True)
    server.pages |= {
        "/once": failing(500, 1, b"fine"),
        "/busy": failing(429, 1, b"fine", Retry_After="1"),
        "/date": failing(503, 1, b"fine", Retry_After=soon),
        "/odd": failing(503, 2, b"fine", Retry_After="never"),
    }
    for path in ("/once", "/busy", "/date", "/odd"):
        start = time.monotonic()
        assert fetcher.fetch(server.url + path) == b"fine"
        assert time.monotonic() - start >= (1 if path == "/busy" else 0)
    assert server.requests == {"/once": 2, "/busy": 2, "/date": 2, "/odd": 3}


def test_unreachable_host_is_not_tried_for_each_image(make_fetcher, server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fetcher, internet = make_fetcher({"gone.example": ["127.0.0.1"]})
    for i in range(5):
        with pytest.raises(OSError, match=r"no connection to gone.*refused \(3 tries"):
            fetcher.fetch(f"http://gone.example:{port}/{i}")
    assert len(internet.connected) == 3


def test_slow_resolver_is_not_waited_for(make_fetcher):
    ended = threading.Event()
    fetcher = make_fetcher(resolve=lambda *_, **__: ended.wait(20) and [])
    start = time.monotonic()
    with pytest.raises(OSError, match=r"museum.example was not resolved within 0.2 s"):
        fetcher.fetch("http://museum.example/", timeout=0.2)
    assert time.monotonic() - start < 10
    ended.set()


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://[::1",
        "http://a:b/",
        "http://a:99999/",
        "http://a:0/",
        "http://a\x00b/",
        "http://a\nb/",
        "http://a\\b/",
        "http://..a/",
        "http://\udcff/",
        "https://" + "a" * 100 + ".example/",
    ],
)
def test_malformed_urls_are_errors(url, fetcher):
    with pytest.raises(OSError, match="a malformed URL"):
        fetcher.fetch(url)


def test_name_that_does_not_exist_is_told(fetcher):
    def resolve(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(OSError, match="name no.example can't be resolved: Name or"):
        Fetcher(resolve=resolve).fetch("http://no.example/")


def test_signs_in_urls_are_escaped(fetcher, server):
    server.pages |= {"/K%C3%A4the%20K.jpg?a=%C3%A4&b=1": b"x", "/a%2Fb": b"y"}
    assert fetcher.fetch(f"{server.url}/Käthe K.jpg?a=ä&b=1#c") == b"x"
    assert fetcher.fetch(f"{server.url}/a%2Fb") == b"y"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "192.0.0.8",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:93.184.215.14",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2002:a00:1::",
        "2001:0:a00:1::",
        "2001:db8::1",
    ],
)
def test_redirects_to_private_addresses_are_refused(address, make_fetcher, server):
    # One private address among public ones is enough.
    names = {"museum.example": ["127.0.0.1"], "inner.example": [PUBLIC, address]}
    fetcher, internet = make_fetcher(names)
    server.pages["/to"] = redirecting(f"http://inner.example:{server.port}/a")
    with pytest.raises(OSError, match="leads to inner.example.*must lead to public"):
        fetcher.fetch(f"http://museum.example:{server.port}/to")
    assert internet.connected == ["127.0.0.1"]
    assert server.requests == {"/to": 1}
    with pytest.raises(OSError, match="must lead to public"):
        fetcher.fetch(f"http://inner.example:{server.port}/a", allow_local=False)
    with pytest.raises(OSError, match="must lead to public"):
        fetcher.check_public("http://inner.example/")
    assert server.n_requests == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
def test_redirect_to_another_server_of_this_machine_is_refused(host, fetcher, server):
    with LocalServer({"/secret": b"secret"}) as inner:
        server.pages["/to"] = redirecting(f"http://{host}:{inner.port}/secret")
        with pytest.raises(OSError, match="must lead to public addresses"):
            fetcher.fetch(f"{server.url}/to")
        assert inner.most == 0
        # Not even back to the private host that the user named.
        assert fetcher.fetch(f"{inner.url}/secret") == b"secret"


def test_redirects_on_the_same_server_are_followed(fetcher, server):
    server.pages |= {
        "/1": redirecting("2", 301),
        "/2": redirecting(f"{server.url}/3?x", 307),
        "/3?x": redirecting("//" + server.url.removeprefix("http://") + "/a", 308),
    }
    url = server.url.replace("http://", "http://user:pass@")
    assert fetcher.fetch(f"{url}/1") == b"content"
    assert {one["Authorization"] for one in server.headers} == {"Basic dXNlcjpwYXNz"}


def test_redirect_to_a_public_host_is_followed_and_not_back(make_fetcher, server):
    with LocalServer() as other:
        names = {"museum.example": ["127.0.0.1"], "cdn.example": [PUBLIC]}
        fetcher, internet = make_fetcher(names, {PUBLIC: other.port})
        here = f"http://museum.example:{server.port}"
        server.pages["/to"] = redirecting("http://cdn.example/b")
        server.pages["/back"] = redirecting("http://cdn.example/back")
        other.pages |= {"/b": redirecting("/c"), "/c": b"c"}
        other.pages["/back"] = redirecting(f"{here}/a")
        url = here.replace("//", "//user:pass@")
        assert fetcher.fetch_document(f"{url}/to") == (b"c", "http://cdn.example/c")
        assert internet.connected == ["127.0.0.1", PUBLIC, PUBLIC]
        assert all("Authorization" not in one for one in other.headers)
        with pytest.raises(OSError, match="leads to museum.example"):
            fetcher.fetch(f"{here}/back")
        assert server.requests == {"/to": 1, "/back": 1}


def test_name_that_becomes_private_is_refused(make_fetcher, server):
    # It is resolved once for a connection, which goes to the address that was checked.
    answers = {1: [PUBLIC], 2: ["127.0.0.1"]}
    names = {"museum.example": answers.get}
    fetcher, internet = make_fetcher(names, {PUBLIC: server.port})
    url = f"http://museum.example:{server.port}/a"
    assert fetcher.fetch(url, allow_local=False) == b"content"
    assert fetcher.fetch(url, allow_local=False) == b"content"  # same connection
    assert (internet.resolved, internet.connected) == (["museum.example"], [PUBLIC])
    fetcher.close()
    with pytest.raises(OSError, match="must lead to public addresses"):
        fetcher.fetch(url, allow_local=False)
    assert internet.connected == [PUBLIC]


@pytest.mark.parametrize("how", ["link", "redirect"])
def test_host_of_a_link_stays_public(how, make_fetcher, server):
    # Images are fetched later than the manifests that link to them.
    answers = [[PUBLIC], ["127.0.0.1"]]
    names = {"evil.example": lambda _: answers.pop(0), "own.example": ["127.0.0.1"]}
    fetcher, _ = make_fetcher(names, {PUBLIC: server.port})
    url = f"http://evil.example:{server.port}/a"
    if how == "link":
        fetcher.check_public(url)
    else:
        server.pages["/to"] = redirecting(url)
        own = f"http://own.example:{server.port}/to"
        assert fetcher.fetch_document(own) == (b"content", url)
        fetcher.close()
    n_requests = server.n_requests
    with pytest.raises(OSError, match="leads to evil.example, which has the address"):
        fetcher.fetch(url)
    assert server.n_requests == n_requests
    # A host that was refused is still one that the user may name.
    with pytest.raises(OSError, match="must lead to public addresses"):
        fetcher.check_public(f"http://own.example:{server.port}/a")
    assert fetcher.fetch(f"http://own.example:{server.port}/a") == b"content"


def test_connection_of_a_private_host_is_not_used_for_links(make_fetcher, server):
    fetcher, _ = make_fetcher({"museum.example": ["127.0.0.1"]})
    url = f"http://museum.example:{server.port}/a"
    assert fetcher.fetch(url) == b"content"  # its connection is kept open
    with pytest.raises(OSError, match="must lead to public addresses"):
        fetcher.fetch(url, allow_local=False)
    assert server.n_requests == 1


@pytest.mark.parametrize(
    "location, reason",
    [
        ("http://museum.example:99999/", "malformed URL: Port out of range"),
        ("http://museum.example:x/", "malformed URL: Port"),
        ("http://[::1/", "malformed URL"),
        ("http://[a]/", "malformed URL"),
        ("http://museum.exämple/", "malformed URL: a character that is not"),
        ("/a b", "malformed URL: a character"),
        ("file:///etc/passwd", "from http to file, which is refused"),
        ("s3://bucket/key", "from http to s3"),
        ("javascript:alert(1)", "from http to javascript"),
    ],
)
def test_bad_locations_are_errors(location, reason, fetcher, server):
    server.pages["/to"] = redirecting(location)
    with pytest.raises(OSError, match=reason):
        fetcher.fetch(f"{server.url}/to")
    assert server.n_requests == 1


def test_location_with_a_nul_is_an_error(fetcher, server):
    server.pages["/to"] = redirecting("/a\0")
    with pytest.raises(OSError, match="broken answer|malformed"):
        fetcher.fetch(f"{server.url}/to")


@pytest.fixture
def certificate(tmp_path):
    """Return the files of a certificate of museum.example and of its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    files = [str(tmp_path / name) for name in ("cert.pem", "key.pem")]
    options = "-x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=museum.example -addext"
    command = ["openssl", "req", *options.split(), "subjectAltName=DNS:museum.example"]
    command += ["-out", files[0], "-keyout", files[1]]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return files


def test_certificate_must_be_of_the_name(certificate, make_fetcher, server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.secure(context)
    server.pages["/down"] = redirecting(f"http://museum.example:{server.port}/a")
    trusted = ssl.create_default_context(cafile=certificate[0])
    names = dict.fromkeys(["museum.example", "other.example"], ["127.0.0.1"])
    fetcher, _ = make_fetcher(names, ssl_context=trusted)
    url = f"https://museum.example:{server.port}"
    assert fetcher.fetch(f"{url}/a") == b"content"
    with pytest.raises(OSError, match="from https to http, which is refused"):
        fetcher.fetch(f"{url}/down")
    with pytest.raises(OSError, match="certificate of other.example: Hostname mism"):
        fetcher.fetch(f"https://other.example:{server.port}/a")
    fetcher, _ = make_fetcher(names)  # trusts no such authority
    with pytest.raises(OSError, match="certificate of museum.example: self.signed"):
        fetcher.fetch(f"{url}/a")


def test_contents_are_kept_by_url(fetcher, server, tmp_path):
    folder = tmp_path / "new" / "kept"
    for part in ("", "#part"):
        assert fetcher.fetch(f"{server.url}/a{part}", keep=folder) == b"content"
    assert server.n_requests == 1
    assert [file.read_bytes() for file in folder.iterdir()] == [b"content"]
    server.pages["/gone"] = failing(404)
    with pytest.raises(OSError, match="404"):
        fetcher.fetch(f"{server.url}/gone", keep=folder)
    assert len(list(folder.iterdir())) == 1
    with pytest.raises(OSError, match=r"can't be kept in '.*new/kept/\w+': \w+"):
        fetcher.fetch(f"{server.url}/a", keep=next(folder.iterdir()))


def test_other_file_systems(fetcher, tmp_path):
    file = tmp_path / "a#b.jpg"
    file.write_bytes(b"local")
    with fsspec.open("memory://museum/1.jpg", "wb") as memory:
        memory.write(b"in memory")
    assert fetcher.fetch("memory://museum/1.jpg") == b"in memory"
    assert fetcher.fetch(f"file://{file}") == b"local"
    for url, reason in {
        "memory://museum/2.jpg": "no such file",
        f"file://{tmp_path}/none": "no such file",
        "unknown://a": "Protocol not known: unknown",
    }.items():
        with pytest.raises(OSError, match=reason):
            fetcher.fetch(url)
    with pytest.raises(OSError, match="more than max_bytes=3"):
        fetcher.fetch("memory://museum/1.jpg", max_bytes=3)


def test_links_lead_to_no_file_system(fetcher, tmp_path):
    with fsspec.open("memory://museum/1.jpg", "wb") as memory:
        memory.write(b"in memory")
    fetcher.fetch("memory://museum/1.jpg", keep=tmp_path)
    for keep in (None, tmp_path):
        with pytest.raises(OSError, match="only http and https are allowed"):
            fetcher.fetch("memory://museum/1.jpg", allow_local=False, keep=keep)
    with pytest.raises(OSError, match="a file address in a fetched file"):
        fetch_document("file:///etc/hostname", allow_local=False)
    with pytest.raises(OSError, match="must lead to public addresses"):
        check_public("http://127.0.0.1/")


def test_fetching_packages_are_imported_for_urls_only(tmp_path):
    script = """
import sys
from PIL import Image
import skart
from skart import HandcraftedFeatures, ImageLoader
Image.new("RGB", (40, 30)).save("a.png")
images = ImageLoader(32).transform(["a.png"])
HandcraftedFeatures(verbose=False).fit_transform(images)
assert not {"fsspec", "httpcore", "h11"} & set(sys.modules)
for name in ("fsspec", "httpcore"):
    sys.modules[name] = None  # as if it were not installed
for url in ("http://127.0.0.1:1/a", "http://a.invalid/a", "memory://a"):
    try:
        ImageLoader(32).transform([url])[0]
    except ImportError as error:
        assert "pip install 'skart[remote]'" in str(error), error
    else:
        raise AssertionError(url)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
