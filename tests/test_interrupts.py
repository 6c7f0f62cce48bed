"""Ctrl-C at any moment: the end comes soon, the store is sound, the way on is told."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import skart
from skart import FeatureStore
from skart.datasets import make_paintings

# Seconds: two where nothing else runs; what waits in vain takes longer.
SOON = 8


def heed_interrupts():
    # Where tests run in the background, a shell has interrupts ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Paintings of two movements."""
    return make_paintings(
        tmp_path_factory.mktemp("drawn") / "paintings",
        movements=["Neoplasticism", "Op Art"],
        n_artists=4,
        n_per_artist=3,
        size_range=(100, 200),
        verbose=False,
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Paintings that take seconds to decode."""
    folder = tmp_path_factory.mktemp("large")
    picture = Image.effect_noise((500, 500), 60).resize((9000, 9000)).convert("RGB")
    picture.save(folder / "picture.png", compress_level=1)
    for movement in ("Cubism", "Fauvism"):
        for i in range(4):
            path = folder / "paintings" / movement / f"Painter {i}" / "a.png"
            path.parent.mkdir(parents=True)
            os.link(folder / "picture.png", path)
    return folder / "paintings"


TRANSFER = ("--weights", "random", "--layer", "mixed2")


@pytest.mark.parametrize(
    ("folder", "arguments", "begun"),
    [
        ("drawn", (*TRANSFER, "--size", "80"), "Paintings: "),
        ("drawn", (*TRANSFER, "--size", "299"), "Fit: "),
        ("large", (*TRANSFER, "--size", "299"), "Fit: "),
        ("drawn", (*TRANSFER, "--size", "80", "--search", "50"), "search: "),
        ("drawn", ("--model", "vgg-lite", "--size", "224"), "Fit: "),
    ],
    ids=["start", "extraction", "decoding", "search", "training"],
)
def test_interrupts(folder, arguments, begun, request, tmp_path):
    folder = request.getfixturevalue(folder)
    cache = tmp_path / "cache"
    with subprocess.Popen(
        [sys.executable, "-c", "from skart.cli import main; main()", "train", folder]
        + [*arguments, "--cache", cache, "--out", tmp_path / "model.skart"],
        env={**os.environ, "PYTHONPATH": str(Path(skart.__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as process:
        said = ""
        while begun not in said:
            assert process.poll() is None, said
            said += process.stderr.readline()
        time.sleep(random.Random(begun).uniform(0.2, 2))
        assert process.poll() is None, said + process.stderr.read()
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        said = process.stderr.read()
        assert process.wait() == 130, said
        assert time.monotonic() - sent < SOON
    assert said.count("interrupted. Features computed so far are kept") == 1
    assert "Traceback" not in said
    assert not (tmp_path / "model.skart").exists()
    store = FeatureStore(cache)
    if store.exists():
        report = store.verify()
        assert not report["damaged"] and not report["problems"]


SLOW = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from skart.cli import _app

@_app.command
def wait():
    with ThreadPoolExecutor() as pool:
        print("begun")
        pool.submit(time.sleep, 30).result()

sys.argv[1:] = ["wait"]
_app.main()
"""


def test_what_holds_python_up_is_not_waited_for():
    with subprocess.Popen(
        [sys.executable, "-uc", SLOW],
        env={**os.environ, "PYTHONPATH": str(Path(skart.__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as process:
        assert process.stderr.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        assert process.stderr.read().count("interrupted") == 1
        assert process.wait() == 130
        assert time.monotonic() - sent < SOON
