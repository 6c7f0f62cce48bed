"""What is refused, and that nothing is said about the machine."""

import asyncio
import struct
import zlib

import httpx2
import numpy as np
import pytest
from served_models import HUES, draw, encode
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from skart.serving._guard import Guard

IMAGE = draw(HUES["Cubism"])


def make_bomb(side):
    """Return a PNG whose header claims `side` times `side` pixels."""

    def chunk(name, data):
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(10**6)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def post_all(app, requests):
    """Send requests at once; return their answers."""

    async def post():
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://localhost"
        ) as client:
            sent = [client.post("/predict", **request) for request in requests]
            return await asyncio.gather(*sent)

    return asyncio.run(post())


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 400, "the body is empty"),
        (b"no image", 400, "no image in a format that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 400, "no image in a format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", 400, "no image in a format"),
        (IMAGE[:100], 400, "damaged or incomplete"),
        (IMAGE[:8] + bytes(100), 400, "damaged or incomplete"),
        (b"\xff\xd8\xff\xe0" + bytes(50), 400, "damaged or incomplete"),
        (make_bomb(30_000), 413, "more than 200,000,000 pixels"),
    ],
)
def test_bad_images(client, content, status, words):
    answer = client.post("/predict", content=content)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert client.post("/predict", content=IMAGE).status_code == 200


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("heat=1", "heat must be true or false; got '1'"),
        ("neighbours=true", "unknown parameter 'neighbours'. Allowed are heat,"),
        ("heat=true&movement=Cubist", "movement 'Cubist'. Did you mean 'Cubism'?"),
        ("path=/etc/passwd", "unknown parameter 'path'"),
    ],
)
def test_bad_parameters(client, query, words):
    answer = client.post(f"/predict?{query}", content=IMAGE)
    assert answer.status_code == 400 and words in answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Encoding": "gzip"},
    ],
)
def test_forms_and_compressed_bodies_are_refused(client, headers):
    assert client.post("/predict", content=IMAGE, headers=headers).status_code == 415


def test_other_addresses_and_methods(client):
    for path in ("/nothing", "/%2e%2e/etc/passwd", "/health/", "/favicon.ico"):
        assert client.get(path).json() == {"error": "there is nothing at this address"}
        assert client.get(path).status_code == 404
    answer = client.get("/predict")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"
    assert answer.json() == {"error": "this address does not take this method"}
    assert client.post("/model").status_code == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("studio.local:80", 200),
        ("192.168.1.7:8000", 403),
        ("other.example", 403),
        ("localhost.other.example", 403),
        ("localhost@other.example", 403),
        ("", 403),
    ],
)
def test_hosts(make_client, host, status):
    client = make_client("plain.skart", hosts=["studio.local"])
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == status
    if status == 403:
        assert "name" in answer.json()["error"]


def test_any_numeric_address(make_client):
    client = make_client("plain.skart", hosts=["0.0.0.0"])
    for host in ("192.168.1.7:8000", "[fd00::7]:8000", "localhost"):
        assert client.get("/health", headers={"Host": host}).status_code == 200
    for host in ("other.example", "192.168.1.7.other.example"):
        assert client.get("/health", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://localhost:8000"}, 200),  # a proxy speaks HTTPS
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://localhost:9000"}, 403),
        ({"Origin": "http://other.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_origins(client, headers, status):
    answer = client.post("/predict", content=IMAGE, headers=headers)
    assert answer.status_code == status
    preflight = {"Access-Control-Request-Method": "POST", **headers}
    answer = client.options("/predict", headers=preflight)
    assert answer.status_code in (403, 405)
    assert not [x for x in answer.headers if x.startswith("access-control")]


def test_all_answers_have_safe_headers(client):
    answers = [client.get(path) for path in ("/", "/serve.js", "/model", "/nothing")]
    answers += [client.get("/", headers={"Host": "other.example"})]
    answers += [client.post("/predict", content=x) for x in (IMAGE, b"no image")]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "server" not in answer.headers


def test_large_bodies(make_client):
    client = make_client("plain.skart", max_bytes=10_000)
    text = "the file has more than 0.01 MB: send a smaller copy"
    answer = client.post("/predict", content=bytes(10_001))
    assert answer.status_code == 413 and answer.json() == {"error": text}
    # Without an announced length, as many bytes are read.
    read = []

    def stream():
        for _ in range(1000):
            read.append(1000)
            yield bytes(1000)

    answer = client.post("/predict", content=stream())
    assert answer.status_code == 413 and answer.json() == {"error": text}
    assert client.post("/predict", content=IMAGE).status_code == 200
    assert client.get("/model").json()["max_bytes"] == 10_000


def test_slow_bodies_do_not_delay_others(make_client):
    async def stall():
        yield IMAGE[:100]
        await asyncio.Event().wait()

    app = make_client("plain.skart", timeout=0.5).app
    slow = [{"content": stall()} for _ in range(100)]
    answers = post_all(app, [*slow, {"content": IMAGE}])
    assert answers.pop().status_code == 200
    assert {answer.status_code for answer in answers} == {408}
    text = "the body did not arrive within 0.5 seconds"
    assert answers[0].json() == {"error": text}


def test_queue_is_bounded(make_client):
    app = make_client("plain.skart").app
    answers = post_all(app, [{"content": IMAGE}] * 200)
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) < 200
    assert {answer.status_code for answer in refused} == {503}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    (answer,) = post_all(app, [{"content": IMAGE}])
    assert answer.status_code == 200


def test_clients_that_leave_do_no_harm(make_client):
    async def leave(app, messages):
        scope = {"type": "http", "method": "POST", "path": "/predict"}
        scope |= {"headers": [(b"host", b"localhost"), (b"content-length", b"999")]}
        scope |= {"query_string": b"", "root_path": "", "scheme": "http"}
        messages, sent = iter(messages), []

        async def receive():
            return next(messages, {"type": "http.disconnect"})

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)
        return sent

    app = make_client("plain.skart").app
    part = {"type": "http.request", "body": IMAGE[:50], "more_body": True}
    whole = {"type": "http.request", "body": IMAGE, "more_body": False}
    for messages in ([], [part], [whole]):
        sent = asyncio.run(leave(app, messages))
        assert sent[0]["status"] == 200 and sent[-1].get("body", b"") == b""
    (answer,) = post_all(app, [{"content": IMAGE}])
    assert answer.status_code == 200


def test_large_images_are_decoded(client):
    large = encode(np.full((6000, 6000), 128, np.uint8), "PNG", compress_level=1)
    app = client.app
    answers = post_all(
        app, [{"content": large}, {"content": IMAGE}, {"content": large}]
    )
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].json()["image"]["width"] == 6000


def test_internal_errors_say_nothing(caplog):
    async def app(scope, receive, send):
        if scope["path"] == "/late":
            await PlainTextResponse("begun")(scope, receive, send)
        raise RuntimeError("/home/user/model.skart")

    client = TestClient(Guard(app, {"localhost"}), "http://localhost")
    answer = client.get("/")
    assert answer.status_code == 500 and answer.json() == {"error": "an internal error"}
    assert answer.headers["cache-control"] == "no-store"
    assert "/home/user/model.skart" in caplog.text  # for who runs it
    with pytest.raises(RuntimeError):
        client.get("/late")


def test_request_that_outlasts_the_server_is_answered():
    async def app(scope, receive, send):
        raise asyncio.CancelledError

    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/"}
    scope["headers"] = [(b"host", b"localhost")]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Guard(app, {"localhost"})(scope, receive, send))
    assert sent[0]["status"] == 503 and b"the server is ending" in sent[1]["body"]
