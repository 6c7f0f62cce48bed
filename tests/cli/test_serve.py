"""``skart serve`` as a process: what it refuses, and how it ends."""

import http.client
import json
import re
import signal
import socket
import struct
import sys
import threading

import numpy as np
import pandas as pd
import pytest
from helpers import start
from served_models import HUES, draw, encode, save_served
from typer.testing import CliRunner

from skart.cli import app

# Seconds after which a test that hangs is ended; nothing is measured.
GUARD = 120
IMAGE = draw(HUES["Cubism"], 1000)
COMMAND = "from skart.cli import main; main()"


def run(*arguments):
    runner = CliRunner(env={"COLUMNS": "100"})
    return runner.invoke(app, ["serve", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    save_served(folder)
    return folder


@pytest.fixture(scope="module")
def begin(folder):
    """Return a function that starts the command; it returns the process and port."""
    started = []

    def begin(*options):
        options = "--port", "0", "--no-open", "--cache", folder / "store", *options
        process = start(COMMAND, "serve", folder / "model.skart", *options)
        started.append(process)
        lines = []
        while found := process.stderr.readline():
            lines.append(found)
            if match := re.search(r"Serving model.skart at http://.*:(\d+)/", found):
                return process, int(match[1])
        raise AssertionError("".join(lines))

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def port(begin, folder):
    """The port of a server with a collection that all tests share."""
    return begin("--data", folder / "paintings", "--max-mb", "1")[1]


def post(port, content, query="", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GUARD)
    connection.request("POST", f"/predict{query}", content, headers)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def send(port, data, *, end=False):
    """Send bytes, and return all that is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=GUARD) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(2**16):
            answer += part
    return answer


def test_taken_port(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        done = run(folder / "model.skart", "--port", number)
    assert done.exit_code == 2
    assert f"--port {number}: address already in use. Pass another" in done.output


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("model.skart", ["--artists", "names"], "--artists is for --data: pass both"),
        ("none.skart", [], "does not exist"),
        ("plain.skart", ["--sets", "0.9"], "--sets 0.9 needs a calibrated model"),
        ("plain.skart", ["--unknown", "0.1"], "or pass --data with the paintings"),
        ("model.skart", ["--unknown", "0.01"], "--unknown 0.01: with 50 known"),
        ("model.skart", ["--host", "no.such.host.invalid"], "--host no.such.host.inv"),
        ("model.skart", ["--host", "192.0.2.1"], "192.0.2.1: no address of this mach"),
    ],
)
def test_errors(folder, model, options, message):
    done = run(folder / model, "--port", "0", *options)
    assert done.exit_code == 2 and message in " ".join(done.output.split())


def test_tables_of_paintings(folder):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"picture": [IMAGE], "movement": ["Cubism"]}).to_parquet(
        folder / "works.parquet"
    )
    for data, option, message in (
        ("works.parquet", "--image-column", "has no column 'x' of the bytes of images"),
        ("works.parquet", "--manifest-column", "'x', passed as --manifest-column"),
        ("paintings", "--manifest-column", "--manifest-column is for tables"),
    ):
        done = run(folder / "model.skart", "--data", folder / data, option, "x")
        assert done.exit_code == 2 and message in done.output


@pytest.mark.slow
def test_missing_packages():
    code = (
        "import sys; sys.modules['starlette'] = None; sys.argv[1:] = ['serve', 'm'];"
        "from skart.cli import main; main()"
    )
    process = start(code)
    assert "Run: pip install 'skart[serve]'" in process.communicate(timeout=GUARD)[1]
    assert process.returncode == 2


@pytest.mark.slow
def test_answers(port):
    status, found = post(port, IMAGE, "?neighbors=true")
    assert status == 200
    assert found["movements"][0]["movement"] == "Cubism" and found["neighbors"]
    with pytest.raises(OSError):
        socket.create_connection((_other_address(), port), timeout=GUARD)


def _other_address():
    """Return an address of this machine that is not served."""
    return "127.0.0.2" if sys.platform == "linux" else socket.gethostname()


@pytest.mark.slow
def test_large_body_is_answered(port):
    # A client that sends all of it before it reads gets the answer, too.
    status, found = post(port, bytes(20_000_000))
    assert status == 413 and found["error"].startswith("the file has more than 1 MB")


@pytest.mark.slow
def test_half_a_header_is_answered(port):
    answer = send(port, b"POST /predict HTTP/1.1\r\nHost: loc")
    assert answer.startswith(b"HTTP/1.1 408 ") and b"headers did not arrive" in answer
    assert b"Content-Security-Policy" in answer and b"erver:" not in answer


@pytest.mark.slow
@pytest.mark.parametrize(
    "begun",
    [b"", b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1"],
)
def test_connections_do_not_shut_out_others(port, begun):
    connections = []
    try:
        for _ in range(400):
            connections.append(socket.create_connection(("127.0.0.1", port)))
            connections[-1].sendall(begun)
        assert post(port, IMAGE)[0] == 200
    finally:
        for connection in connections:
            connection.close()


def make_hostile(number):
    """Return the bytes of a hostile request."""
    generator = np.random.default_rng(number)

    def request(body, *headers, length=None):
        lines = ["POST /predict HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [
            f"Content-Length: {len(body) if length is None else length}",
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    jpeg = draw(HUES["Rococo"], number, (200, 160), kind="JPEG")
    kinds = [
        lambda: request(jpeg[: generator.integers(1, len(jpeg) // 2)]),
        lambda: request(IMAGE[: generator.integers(1, len(IMAGE) - 100)]),
        lambda: request(generator.bytes(5000)),
        lambda: request(jpeg[:20] + generator.bytes(5000)),
        lambda: request(_claim(60_000)),
        lambda: request(b"", length=2_000_000_000),
        lambda: request(IMAGE, "Content-Type: multipart/form-data; boundary=x"),
        lambda: request(
            b'{"url": "file:///etc/passwd"}', "Content-Type: application/json"
        ),
        lambda: request(bytes(1_500_000)),
        lambda: request(IMAGE, "Origin: http://other.example"),
        lambda: request(IMAGE, "Transfer-Encoding: chunked"),
        lambda: request(b"", "Host: other.example").replace(
            b"Host: localhost\r\n", b""
        ),
        lambda: b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        lambda: generator.bytes(300) + b"\r\n\r\n",
        lambda: request(encode(np.zeros((9, 9), np.uint8), "BMP")[:40]),
        lambda: request(b"GIF89a" + generator.bytes(200)),
        lambda: request(b"II*\0" + generator.bytes(200)),
    ]
    return kinds[number % len(kinds)]()


def _claim(side):
    """Return the bytes of an image that claims `side` times `side` pixels."""
    content = bytearray(encode(np.zeros((8, 8, 3), np.uint8), "BMP"))
    content[18:26] = struct.pack("<ii", side, side)
    return bytes(content)


@pytest.mark.slow
def test_hostile_requests(port):
    for number in range(500):
        answer = send(port, make_hostile(number))
        assert re.match(rb"HTTP/1.1 4\d\d ", answer), (number, answer[:300])
        assert b"Traceback" not in answer and b"skart/" not in answer
        if number % 10 == 0:
            assert post(port, IMAGE)[0] == 200
    assert post(port, IMAGE)[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)]
)
def test_signals_end_it_when_all_is_answered(begin, number, status):
    process, port = begin()
    answers = []
    clients = [
        threading.Thread(
            target=lambda: answers.append(post(port, IMAGE, "?heat=true")[0])
        )
        for _ in range(3)
    ]
    idle = socket.create_connection(("127.0.0.1", port))
    with socket.create_connection(("127.0.0.1", port)) as late:
        head = (
            f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(IMAGE)}\r\n\r\n"
        )
        late.sendall(head.replace(": x", ": localhost").encode() + IMAGE[:100])
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        process.send_signal(number)
        late.sendall(IMAGE[100:])
        assert late.recv(2**16).startswith(b"HTTP/1.1 200 ")
    stderr = process.communicate(timeout=GUARD)[1]
    assert process.returncode == status, stderr
    assert stderr.strip() in ("", "skart: ending. Ctrl-C again ends it at once.")
    assert answers == [200] * 3
    idle.close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=GUARD)


@pytest.mark.slow
def test_logs_say_nothing_of_images(begin, folder):
    process, port = begin("--host", "0.0.0.0")
    for content in (IMAGE, b"no image"):
        post(port, content, Host="127.0.0.1")
    for number in range(17):  # Pillow warns of some
        send(port, make_hostile(number))
    # Pillow logs that it can't decode so many samples per pixel.
    tiff = bytearray(encode(np.zeros((8, 8, 3), np.uint8), "TIFF"))
    tag = tiff.index(struct.pack("<HHI", 277, 3, 1))
    tiff[tag + 8 : tag + 10] = struct.pack("<H", 9000)
    status, _ = post(port, bytes(tiff), Host="127.0.0.1")
    assert status == 400
    process.terminate()
    lines = process.communicate(timeout=GUARD)[1].splitlines()
    assert all(line.startswith("In the network: http://") for line in lines)
    assert len(lines) <= 1 and process.returncode == 0
