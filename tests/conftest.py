"""Image files, features and weights that several test modules share."""

import gc
import os
import random
import shutil

import matplotlib
import numpy as np
import pytest
from helpers import save_image
from PIL import ImageFile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

matplotlib.use("Agg")

# Not collected for doctests: a second import would register its layers again.
collect_ignore = ["own_parts.py"]


@pytest.hookimpl(tryfirst=True)  # ahead of pytest's own choice by markers
def pytest_collection_modifyitems(items):
    """Mark tests of real InceptionV3 weights as slow."""
    for item in items:
        if "inception_weights" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")


def pytest_collection_finish():
    """Keep the modules that are imported by now out of garbage collections."""
    # Each fit collects garbage, and half of its time would go to what TensorFlow has.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def image_paths(tmp_path_factory):
    """Twelve image files, each of its own size; read only."""
    folder = tmp_path_factory.mktemp("images")
    return [
        save_image(folder / f"{seed:02}.jpg", (130 + 7 * seed, 110 + 3 * seed), seed)
        for seed in range(12)
    ]


@pytest.fixture
def folder_of_images(tmp_path):
    """Six image files, to be changed at will."""
    return [save_image(tmp_path / "images" / f"{i}.jpg", seed=i) for i in range(6)]


@pytest.fixture
def count_decodes(monkeypatch):
    """List the files whose pixels are decoded, by path."""
    decoded = []
    prepare = ImageFile.ImageFile.load_prepare

    def counting(image):
        decoded.append(image.fp.name)
        return prepare(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", counting)
    return decoded


@pytest.fixture(scope="session")
def blobs():
    """Features of three classes that a head can tell apart, sorted by class."""
    generator = np.random.default_rng(0)
    centres = generator.normal(scale=2, size=(3, 16))
    codes = np.repeat(np.arange(3), 40)
    features = centres[codes] + generator.normal(size=(120, 16))
    return features.astype(np.float32), np.array(["Baroque", "Cubism", "Fauvism"])[
        codes
    ]


@pytest.fixture(scope="session")
def fitted(blobs):
    """A small pipeline without a network, fitted on ``blobs``; read only."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(*blobs)


@pytest.fixture(scope="session")
def inception_weights():
    """A file of InceptionV3 weights without the top."""
    path = os.environ.get("SKART_INCEPTION_WEIGHTS")
    if not path:
        pytest.skip("SKART_INCEPTION_WEIGHTS names no file of InceptionV3 weights")
    return path


@pytest.fixture
def n_passes(monkeypatch):
    """Return a function that counts the images, or crops, a frozen network has seen."""
    import keras
    import openvino

    done, predict = [], keras.Model.predict_on_batch
    start = openvino.AsyncInferQueue.start_async

    def counting(network, images):
        if not network.trainable:
            done.append(len(images))
        return predict(network, images)

    def counting_one(queue, inputs, *args):
        done.append(1)
        return start(queue, inputs, *args)

    monkeypatch.setattr(keras.Model, "predict_on_batch", counting)
    monkeypatch.setattr(openvino.AsyncInferQueue, "start_async", counting_one)
    return lambda: sum(done)


@pytest.fixture
def work(count_decodes, n_passes):
    """Return a function that counts decoded files, and images a network has seen."""
    return lambda: (len(count_decodes), n_passes())


@pytest.fixture
def global_generators():
    """Restore the states of Python's and NumPy's global generators."""
    states = random.getstate(), np.random.get_state()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])


@pytest.fixture(scope="session")
def toy_backbone():
    """Name of a small network that is registered with keras.applications."""
    import keras
    from toy_backbone import ToyNet

    keras.applications.ToyNet = ToyNet
    yield "ToyNet"
    del keras.applications.ToyNet


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium; the tests skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    # Without these, Chromium itself asks for addresses, of updates for instance.
    quiet = "background-networking component-update sync".split()
    arguments = ["--no-sandbox", *(f"--disable-{name}" for name in quiet)]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Return a function that opens a file, or an address that ends in a slash.

    The window has no other network. At the end, the test fails if the page asked for
    another address or had an error, but those in which `expected` is found.
    """
    contexts, problems = [], []

    def open_page(file, *, width=1280, height=800, expected=None, **options):
        viewport = {"width": width, "height": height}
        context = chromium.new_context(viewport=viewport, **options)
        contexts.append(context)
        is_file = not isinstance(file, str)
        address = file.resolve().as_uri() if is_file else file

        def route(route):
            asked = route.request.url.partition("#")[0]
            if asked == address or (asked.startswith(address) and not is_file):
                route.continue_()
            else:
                problems.append(f"asked for {route.request.url}")
                route.abort()

        context.route("**/*", route)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning")
                and not (expected and expected in message.text)
                and problems.append(message.text)
            ),
        )
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
