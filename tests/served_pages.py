"""A server in a thread, and what is done with its page."""

import csv
import io
import re
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


class Server:
    """The app at a port of the loopback address, in a thread."""

    def __init__(self, app):
        self.app = app
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"

    def start(self):
        uvicorn = pytest.importorskip("uvicorn")
        config = uvicorn.Config(
            self.app, port=self.port, log_level="critical", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            self._thread.join(0.01)
        return self

    def stop(self):
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()


def open_served(server, open_page, **options):
    """Open the page, and wait until it knows the model."""
    page = open_page(server.address, reduced_motion="reduce", **options)
    page.wait_for_selector("#about:not(:empty)")
    return page


def wait(page):
    """Wait until all paintings have an answer."""
    page.wait_for_selector("#rows:not(:has(.waiting, .computing)):not(:empty)")


def choose(page, files):
    """Choose files, and wait for their answers."""
    page.set_input_files("#files", files)
    wait(page)


def rows(page):
    """Return the texts in the list."""
    return [
        [
            re.sub(r"[\u200b\u2068\u2069]", "", text)
            for text in row.locator("th, td:visible").all_inner_texts()
        ]
        for row in page.locator("#rows tr").all()
    ]


def bars(page):
    """Return the probabilities by movement, as they are shown."""
    found = page.locator("#movements li").all()
    return {
        one.locator("bdi").inner_text(): one.locator(".number").inner_text()
        for one in found
    }


def drop(page, files):
    """Drop files of the disk, as a file manager does."""
    session = page.context.new_cdp_session(page)
    data = {
        "items": [],
        "files": [str(file) for file in files],
        "dragOperationsMask": 1,
    }
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send(
            "Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 300, "data": data}
        )


def paste(page, content=None):
    """Paste an image, or a text if `content` is None."""
    page.evaluate(
        """(bytes) => {
          const clipboardData = new DataTransfer();
          if (bytes) {
            const type = "image/png";
            const file = new File([new Uint8Array(bytes)], "image.png", {type});
            clipboardData.items.add(file);
          } else clipboardData.setData("text/plain", "https://example.org/a.jpg");
          const options = {clipboardData, bubbles: true};
          document.body.dispatchEvent(new ClipboardEvent("paste", options));
        }""",
        content and list(content),
    )


def drop_link(page):
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.setData("text/uri-list", "https://example.org/a.jpg");
          const options = {dataTransfer, bubbles: true, cancelable: true};
          document.body.dispatchEvent(new DragEvent("drop", options));
        }"""
    )


def save_csv(page):
    """Return the rows of the list as it is downloaded, dicts."""
    with page.expect_download() as waiting:
        page.click("#save")
    assert waiting.value.suggested_filename == "predictions.csv"
    text = Path(waiting.value.path()).read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read_saturation(page):
    """Return the mean saturation of the left, middle and right third of the frame."""
    shot = Image.open(io.BytesIO(page.locator("#frame").screenshot())).convert("HSV")
    thirds = np.array_split(np.asarray(shot)[..., 1].astype(float), 3, axis=1)
    return [float(third.mean()) for third in thirds]
