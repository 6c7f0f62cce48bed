"""Ctrl-C: the first ends a command in order, the second at once."""

import os
import re
import signal
import subprocess
import time

import pytest
from helpers import needs_posix, start
from PIL import Image

from skart import FeatureStore
from skart.datasets import make_paintings

pytestmark = needs_posix

# Seconds after which a test that hangs is ended; nothing is measured.
GUARD = 300


COMMAND = """
import atexit, hashlib, pathlib, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from skart._utils._files import atomic_write
from skart.cli import main
from skart.cli._app import command, say

folder = pathlib.Path(sys.argv.pop())
atexit.register((folder / "ended in order").touch)

def wait():
    print("begun")
    while True:
        time.sleep(0.01)

def save():
    with atomic_write(folder / "saved") as part:
        part.write_text("half")
        wait()

def save_afterwards():
    try:
        wait()
    except KeyboardInterrupt:
        with atomic_write(folder / "saved") as part:
            part.write_text("whole")

def turn_into(error):
    try:
        wait()
    except KeyboardInterrupt:
        raise error

def turn_into_one_from_itself():
    try:
        wait()
    except KeyboardInterrupt:
        error = SystemError("of TensorFlow")
        raise error from error

def print_another_error():  # as C++ does by PyErr_Print
    try:
        wait()
    except KeyboardInterrupt:
        error = SystemError("of TensorFlow")
        sys.excepthook(type(error), error, None)
    say("going on")

def lose_in_a_finalizer(function):
    class Lost:
        def __del__(self):
            function()
    Lost()
    while True:
        time.sleep(0.01)

def swallow():
    try:
        turn_into(AssertionError("Nesting violated"))
    except Exception:
        say("going on")
    while True:
        time.sleep(0.01)

def search():
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold
    from skart.model_selection._random_search import random_search

    class Interrupted(LogisticRegression):
        n_fits = 0

        def fit(self, X, y):
            Interrupted.n_fits += 1
            if Interrupted.n_fits == 2:  # scikit-learn takes it for a bad candidate
                turn_into(AssertionError("Nesting violated"))
            return super().fit(X, y)

    X, y, space = [[0.0], [1.0]] * 4, [0, 1] * 4, {"C": range(1, 10**6)}
    random_search(Interrupted(), space, X, y, n_candidates=10**5, cv=KFold(2))

def compute():
    try:
        print("begun")
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
    finally:  # if the first interrupt came ahead of it
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)

def join():
    with ThreadPoolExecutor() as pool:
        pool.submit(threading.Event().wait)
        wait()

def leave_a_thread():
    ThreadPoolExecutor().submit(threading.Event().wait)
    wait()

@command
def NAME():
    BODY

sys.argv[1:] = ["NAME"]
main()
"""


@pytest.fixture
def begin(tmp_path):
    """Start a command and return it once it has begun."""
    started = []

    def begin(body, name="run", first="", **options):
        script = first + COMMAND.replace("BODY", body).replace("NAME", name)
        process = start(script, tmp_path, **options)
        started.append(process)
        assert process.stderr.readline() == "begun\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("wait()", []),
        ("save()", []),
        ("save_afterwards()", ["saved"]),
        ("lose_in_a_finalizer(wait)", []),
        ("lose_in_a_finalizer(lambda: turn_into(SystemError('of TensorFlow')))", []),
        ("lose_in_a_finalizer(turn_into_one_from_itself)", []),
        ("swallow()", []),
        ("print_another_error()", []),
        ("turn_into(AssertionError('Nesting violated'))", []),
        ("turn_into(ValueError('of TensorFlow'))", []),
        ("turn_into(BaseExceptionGroup('', [KeyboardInterrupt()]))", []),
    ],
)
def test_first_interrupt_ends_in_order(body, left, begin, tmp_path):
    process = begin(body)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=GUARD)
    assert process.returncode == 130, stderr
    (line,) = stderr.split("\n")[1:-1]
    assert line.startswith("skart: interrupted. Features computed so far are kept")
    assert line.endswith("Ctrl-C again ends it at once.")
    assert not stdout
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == ["ended in order", *left]
    assert all((tmp_path / name).read_text() == "whole" for name in left)


@pytest.mark.parametrize("name", ["audit", "extract", "train"])
def test_message_says_what_is_kept(name, begin):
    process = begin("wait()", name=name)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=GUARD)[1]
    assert ("training starts again" in stderr) == (name == "train")
    assert ("are kept" in stderr) == (name != "audit")
    assert "interrupted. " in stderr and "Ctrl-C again ends it at once" in stderr


@pytest.mark.slow
def test_interrupt_in_a_fit_ends_a_search(begin, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    process = begin("search()")
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=GUARD)[1]
    assert process.returncode == 130 and stderr.startswith("\nskart: interrupted. ")


@pytest.mark.parametrize("body", ["compute()", "join()", "leave_a_thread()"])
def test_second_interrupt_ends_at_once(body, begin, tmp_path):
    process = begin(body)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "\n"
    assert process.stderr.readline().startswith("skart: interrupted. ")
    assert process.poll() is None  # what it waits for never ends
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=GUARD) == ("", "")
    assert process.returncode == 130
    assert not (tmp_path / "ended in order").exists()


def test_ignored_interrupts_stay_ignored(begin):
    process = begin(
        "print('begun'); input(); return 'done'",
        first="signal.signal(signal.SIGINT, signal.SIG_IGN)",
        stdin=subprocess.PIPE,
    )
    process.send_signal(signal.SIGINT)
    assert process.communicate("\n", timeout=GUARD) == ("done\n", "")
    assert process.returncode == 0


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "arguments", "moment"),
    [
        ("drawn", (*TRANSFER, "--size", "80"), "Paintings: "),
        ("large", (*TRANSFER, "--size", "299"), FeatureStore.exists),
        ("drawn", (*TRANSFER, "--size", "299"), lambda store: store.info()["arrays"]),
        ("drawn", (*TRANSFER, "--size", "80"), r"\| [1-9]\d*/300000 "),
        ("drawn", (*TRANSFER, "--size", "80", "--epochs", "90"), "Calibration: "),
        ("drawn", ("--kind", "vgg-lite", "--size", "64"), "Search: "),
        ("drawn", ("--kind", "vgg-lite", "--size", "64"), "Epoch 1/"),
        ("drawn", ("--kind", "vgg-lite", "--size", "64"), "Epoch 3/"),
    ],
    ids=[
        *("start", "decoding", "extraction", "search", "calibration"),
        *("a network is built", "training begins", "training"),
    ],
)
def test_interrupts_of_training(folder, arguments, moment, request, tmp_path):
    log, store = tmp_path / "log", FeatureStore(tmp_path / "cache")
    command = ["train", request.getfixturevalue(folder), *arguments]
    # A search that never ends, or a training that takes long, whatever the moment.
    is_epoch = isinstance(moment, str) and moment.startswith("Epoch")
    is_calibration = moment == "Calibration: "
    if is_epoch:
        command += ["--epochs", "1000"]
    elif not is_calibration:
        command += ["--candidates", "100000"]
    command += ["--cache", tmp_path / "cache"]
    with (
        open(log, "w") as output,
        start(
            *("from skart.cli import main; main()", *command),
            *("--out", tmp_path / "model.skart"),
            stdout=subprocess.DEVNULL,
            stderr=output,
        ) as process,
    ):
        try:
            give_up = time.monotonic() + GUARD
            while not (
                re.search(moment, log.read_text(errors="replace"))
                if isinstance(moment, str)
                else moment(store)
            ):
                assert process.poll() is None and time.monotonic() < give_up, (
                    log.read_text()
                )
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            status = process.wait(timeout=GUARD)
        finally:
            process.kill()
    said = log.read_text()
    assert status == 130, said
    assert said.count("interrupted. Features computed so far are kept") == 1
    assert "Traceback" not in said
    # A model that waits for its calibration is kept.
    assert (tmp_path / "model.skart").exists() == is_calibration
    note = f"{tmp_path / 'model.skart'} is saved without calibration: the same command"
    assert (f"{note} with --force trains again" in said) == is_calibration
    assert ("training starts again" in said) != is_calibration
    report = store.verify()
    assert not report["damaged"] and not report["problems"]
