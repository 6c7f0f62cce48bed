"""Functions that several test modules share."""

import base64
import contextlib
import os
import subprocess
import sys
import warnings
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import skart
from skart import CNNClassifier, DenseHeadClassifier, FeatureExtractor
from skart.cli import app
from skart.datasets import load_image_folder, make_paintings

# oneDNN has no convolution in bfloat16 for these; TensorFlow, which looks at the
# processor alone, asks for one all the same.
needs_bfloat16 = pytest.mark.skipif(
    os.environ.get("ONEDNN_MAX_CPU_ISA", "").startswith(("SSE", "AVX2", "AVX_"))
    or os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX",
    reason="ONEDNN_MAX_CPU_ISA leaves oneDNN without bfloat16",
)

needs_posix = pytest.mark.skipif(
    os.name != "posix", reason="needs the signals, pipes and limits of POSIX"
)
needs_names_of_bytes = pytest.mark.skipif(
    sys.platform in ("darwin", "win32"), reason="names of files are Unicode here"
)


def save_image(path, size=(120, 90), seed=0, **options):
    """Write a smooth random picture, (width, height) pixels."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(path, **options)
    return str(path)


def run(*arguments, code=None, **options):
    """Run ``skart`` in this process, and check its exit status if one is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        runner = CliRunner(env={"COLUMNS": "100"})
        done = runner.invoke(app, [str(x) for x in arguments], **options)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert code is None or done.exit_code == code, done.output
    return done


def psnr(a, b):
    """Likeness of two images of levels in 0-255, in dB."""
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return 10 * np.log10(255**2 / error)


def assert_near(found, expected):
    """Check that features are equal, but for the rounding of another processor."""
    # A network adds thousands of float32 numbers, of eps 1e-7, in tens of layers.
    atol = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=atol)


def head(**parameters):
    """A head that is quickly trained."""
    defaults = {"units": 16, "dropout": 0.1, "epochs": 6, "random_state": 0}
    return DenseHeadClassifier(
        **(defaults | {"optimizer__learning_rate": 0.01} | parameters)
    )


def shallow(**parameters):
    """Extract features by the first layers of a network, with random weights."""
    defaults = {"weights": None, "layer": "block1_pool", "verbose": False}
    return FeatureExtractor("VGG16", **(defaults | parameters))


class Elements(HTMLParser):
    """Start tags of a page with their attributes, its text, and its tables.

    A table is a list of rows of texts, the head first, under its caption.
    """

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.tables = [], "", {}
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "wbr":  # a possible line break within a word
            return
        self.tags.append((tag, dict(attributes)))
        if tag == "table":
            self.rows, self.caption = [], ""
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.text += data
        tag = self.tags[-1][0] if self.tags else ""
        if tag == "caption":
            self.caption += data
        elif tag in ("td", "th"):
            self.rows[-1][-1] += data.strip()

    def handle_endtag(self, tag):
        if tag == "table":
            self.tables[self.caption.strip()] = self.rows

    def all(self, tag):
        """Attributes of all elements of a kind, in order."""
        return [attributes for name, attributes in self.tags if name == tag]

    def table(self, start):
        """The rows of the table whose caption starts so."""
        (rows,) = (rows for name, rows in self.tables.items() if name.startswith(start))
        return rows


def decoded(uri):
    """The bytes of a data: address."""
    return base64.b64decode(uri.partition(";base64,")[2])


def rewritten(file, target, members, compression=zipfile.ZIP_STORED):
    """Copy a model file with other members."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            content = members.get(name, source.read(name))
            archive.writestr(name, content, compression)
    return target


def keys(n, start=0):
    """Digests of images, as a store takes them."""
    return [f"image {i}".encode().ljust(32) for i in range(start, start + n)]


def vectors(n, start=0, width=500):
    """Features of these images, all different."""
    return (np.arange(start, start + n)[:, None] + np.arange(width) / width).astype(
        "f4"
    )


# Fills a store, without Keras, as an extractor does: n arrays in batches. It prints
# what it is about to write, and in the end waits to be ended, if that is asked for.
STAND_IN = """
import signal, sys
import numpy as np
from skart import FeatureStore

root, n, batch, *waits = sys.argv[1:]
section = FeatureStore(root).section({"backbone": "stand-in"})
keys = [f"image {i}".encode().ljust(32) for i in range(int(n))]
for start in range(0, int(n), int(batch)):
    rows = np.arange(start, min(start + int(batch), int(n)))
    rows = rows[section.missing([keys[row] for row in rows])]
    if len(rows):
        print(*rows, flush=True)
        values = rows[:, None] + np.arange(500) / 500
        section.write([keys[row] for row in rows], values.astype("f4"))
while waits:
    signal.pause()
"""


# Where tests run in the background, a shell has interrupts ignored.
HEED_INTERRUPTS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
"""


def start(script, *arguments, **options):
    """Start a Python script that can import skart, and can be interrupted."""
    # Not by preexec_fn: after a fork, it may wait for a lock of another thread.
    defaults = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [sys.executable, "-c", HEED_INTERRUPTS + script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(Path(skart.__file__).parents[1])},
        **defaults | options,
    )


def finish(process):
    """Give what a script printed, once it has ended well."""
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    return stdout


@contextlib.contextmanager
def mounted(folder, *options):
    """Mount a file system, as far as one may."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", *options, str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"file systems can't be mounted here: {done.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def read_only(folder):
    """Let nobody write to a folder, root included."""
    if os.name != "posix":
        pytest.skip("folders have no such mode here")
    if os.geteuid():
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)
        return
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield


def hybrid(**parameters):
    """A small network."""
    defaults = {"units": 16, "epochs": 2, "batch_size": 8, "random_state": 0}
    # Tracing a graph would take longer than a few steps of a small network.
    defaults["compile__run_eagerly"] = True
    return CNNClassifier(**(defaults | parameters))


def draw(folder, n_per_artist):
    """Paintings of three movements that differ in texture."""
    root = make_paintings(
        folder,
        movements=["Op Art", "Pointillism", "Color Field"],
        n_artists=6,
        n_per_artist=n_per_artist,
        size_range=(80, 160),
        verbose=False,
    )
    return load_image_folder(root)
