"""Time, throughput and memory of ``skart serve``.

``POST /predict`` is timed in turn with ``predict_proba`` of the same pipeline from the
same bytes, in a process of its own; neither stores features. Then hey (or wrk) sends
requests by several clients, and the memory of the server is read. By default, a model
is trained on drawn paintings, and drawn paintings are sent.

    python benchmarks/serving.py --model model.skart --image painting.jpg
"""

import argparse
import contextlib
import http.client
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import PACKAGES, describe_machine, spread, time_in_turn
from PIL import Image

SKART = "from skart.cli import main; main()"
WRK = 'wrk.method = "POST"; wrk.body = io.open("{}", "rb"):read("*a")'


def train(folder, backbone):
    """Train a model on drawn paintings; return its file and an image."""
    from skart import make_transfer_pipeline, save_model
    from skart.datasets import load_image_folder, make_paintings

    root = make_paintings(
        folder / "paintings",
        n_artists=1,
        n_per_artist=4,
        size_range=(1000, 1400),
        random_state=0,
        verbose=False,
    )
    paintings = load_image_folder(root)
    pipe = make_transfer_pipeline(
        backbone=backbone, layer="style", epochs=20, verbose=False
    )
    save_model(pipe.fit(paintings.paths, paintings.labels), folder / "model.skart")
    return folder / "model.skart", Path(paintings.paths[0])


@contextlib.contextmanager
def serving(model, cache):
    """Serve a model; yield the process and the port."""
    command = ["serve", model, "--port", "0", "--no-open", "--cache", cache]
    server = subprocess.Popen(
        [sys.executable, "-c", SKART, *map(str, command)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        port = None
        while port is None:
            line = server.stderr.readline()
            if not line:
                sys.exit("the server did not start")
            found = re.search(r"http://\S+?:(\d+)/", line)
            port = found and int(found[1])
        yield server, port
    finally:
        server.send_signal(signal.SIGTERM)
        print(f"\nExit status of the server after SIGTERM: {server.wait()}.")


def measure_load(tool, port, image, n_requests, n_clients):
    """Return requests a second by `n_clients`, and how many failed."""
    url = f"http://127.0.0.1:{port}/predict"
    if tool == "hey":
        n_requests = n_requests // n_clients * n_clients  # as hey does
        done = subprocess.run(
            ["hey", "-n", str(n_requests), "-c", str(n_clients), "-m", "POST"]
            + ["-t", "60", "-T", "image/jpeg", "-D", str(image), url],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        answered = sum(map(int, re.findall(r"\[200\]\s+(\d+) responses", done)))
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1])
        return rate, n_requests - answered
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK.format(image))
        script.flush()
        done = subprocess.run(
            ["wrk", "-t", "2", "-c", str(n_clients), "-d", "30s", "--timeout", "60s"]
            + ["-s", script.name, url],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    failed = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", done)))
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", done)
    failed += sum(map(int, errors.groups())) if errors else 0
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]), failed


def read_memory(server):
    """Return the resident memory of a process in MB; nan where it can't be read."""
    try:
        status = Path(f"/proc/{server.pid}/status").read_text()
    except OSError:
        return np.nan
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="file of skart train")
    parser.add_argument("--image", type=Path, help="image to send")
    parser.add_argument("--backbone", default="EfficientNetLite0")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--requests", type=int, default=1008)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--memory-requests", type=int, default=2000)
    args = parser.parse_args()
    print(describe_machine(*PACKAGES, "openvino", "starlette", "uvicorn") + "\n")
    tool = next(filter(shutil.which, ("hey", "wrk")), None)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model, image = args.model, args.image
        if model is None or image is None:
            drawn = train(folder, args.backbone)
            model, image = model or drawn[0], image or drawn[1]
        content = image.read_bytes()
        with Image.open(image) as opened:
            print(
                f"{opened.format}, {opened.width} x {opened.height} pixels, "
                f"{len(content) / 1e3:,.0f} kB.\n"
            )
        with serving(model, folder / "cache") as (server, port):
            compare(model, port, content, args.rounds)
            if tool is None:
                return print("\nNeither hey nor wrk is installed: no load.")
            rate, failed = measure_load(tool, port, image, args.requests, args.clients)
            print(
                f"\n{tool}, {args.requests:,} requests by {args.clients} clients: "
                f"{rate:.1f} a second, {failed} failed."
            )
            report_memory(tool, server, port, image, args)


def compare(model, port, content, rounds):
    """Print a table of the times of one image."""
    from skart import load_model

    pipe = load_model(model)
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(query=""):
        connection.request("POST", f"/predict{query}", content)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status

    seconds, _ = time_in_turn(
        {
            "`pipe.predict_proba([content])`": lambda: pipe.predict_proba([content]),
            "`POST /predict`": ask,
            "`POST /predict?heat=true`": lambda: ask("?heat=true"),
        },
        rounds,
    )
    first = next(iter(seconds.values()))
    print("| one image | ms | ratio |\n|---|---|---|")
    for name, values in seconds.items():
        ratio = np.median(values) / np.median(first)
        print(f"| {name} | {spread(1e3 * values, '.1f')} | {ratio:.2f} |")


def report_memory(tool, server, port, image, args):
    """Print the memory of the server after each fifth of many requests."""
    sizes = [read_memory(server)]
    for _ in range(5):
        measure_load(tool, port, image, args.memory_requests // 5, args.clients)
        sizes.append(read_memory(server))
    text = ", ".join(f"{size:.0f}" for size in sizes)
    print(f"\nMemory in MB, before and during {args.memory_requests:,} more: {text}.")


if __name__ == "__main__":
    main()
