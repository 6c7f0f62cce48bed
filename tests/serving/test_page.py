"""The page of `skart serve` in a browser, against the server itself."""

from pathlib import Path

import numpy as np
import pytest
from helpers import draw, head, save_image
from PIL import Image
from served_pages import (
    Server,
    bars,
    choose,
    drop,
    drop_link,
    open_served,
    paste,
    read_saturation,
    rows,
    save_csv,
    wait,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import FeatureExtractor, HandcraftedFeatures, ImageLoader, save_model
from skart.persistence import export_model
from skart.persistence._parts import digest_paintings
from skart.serving import make_app

pytestmark = pytest.mark.slow

MOVEMENTS = ["Color Field", "Op Art", "Pointillism"]
MAX_BYTES = 300_000
REFUSED = "status of 400"
HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    "\"'&amp; <b>{{ 7 * 7 }}${alert(2)}.png",
    "שלום \u202egnp.exe.png",
    "x" * 180 + ".png",
    "=HYPERLINK(1).png",
    "+1.png",
    "@SUM(1).png",
    " =1.png",
]


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("drawn") / "paintings", 2)


def train(paintings, file, **notes):
    """Save a model of drawn paintings, with a calibration; return the pipeline."""
    features = HandcraftedFeatures(["hsv", "lbp"], verbose=False)
    pipe = make_pipeline(ImageLoader(32), features, LogisticRegression())
    pipe.fit(paintings.paths, paintings.labels)
    save_model(pipe, file, notes=notes)
    return pipe


@pytest.fixture(scope="module")
def fitted(paintings, tmp_path_factory):
    """A calibrated model of the paintings, and its file."""
    file = tmp_path_factory.mktemp("model") / "drawn.skart"
    n = len(paintings.paths)
    calibration = {
        "method": "drawn",
        "accuracy": 0.75,
        "interval": [0.5, 0.9],
        "artists": np.unique(paintings.artists, return_inverse=True)[1].tolist(),
        "movements": [0] * n,
        "probability": np.linspace(0.2, 0.99, n).tolist(),
        "confidence": np.linspace(0.4, 0.99, n).tolist(),
    }
    digests = digest_paintings(paintings.paths, file.parent / "store")
    return train(paintings, file, calibration=calibration, digests=digests), file


@pytest.fixture(scope="module")
def server(fitted, paintings):
    app = make_app(
        fitted[1],
        data=paintings,
        refusal_rate=0.1,
        max_bytes=MAX_BYTES,
        cache=fitted[1].parent / "store",
    )
    server = Server(app).start()
    yield server
    server.stop()


@pytest.fixture
def page(server, open_page):
    return open_served(server, open_page)


@pytest.fixture
def images(tmp_path):
    """Three images that the model was not trained on."""
    return [
        save_image(tmp_path / f"{name}.png", (90, 60), i)
        for i, name in enumerate("abc")
    ]


def test_answer_is_that_of_the_model(page, fitted, paintings):
    path = paintings.paths[0]
    choose(page, [path])
    chances = fitted[0].predict_proba([path])[0]
    expected = dict(zip(fitted[0].classes_, chances, strict=True))
    best = max(expected, key=expected.get)
    assert page.inner_text("#verdict") == best
    assert list(bars(page)) == sorted(expected, key=expected.get, reverse=True)
    for movement, text in bars(page).items():
        chance = expected[movement]
        share = f"{chance:.0%}"
        if 0 < chance < 1:
            share = {"0%": "<1%", "100%": ">99%"}.get(share, share)
        assert text == share
    assert page.is_visible("#trained")
    assert "in the running" in page.inner_text("#set")
    assert "90% of paintings by new artists" in page.inner_text("#promise")
    assert "knows 3 movements" in page.inner_text("#about")
    line = "It is right on about 75% of paintings by new artists (between 50% and 90%)."
    assert line in page.inner_text("#about")
    assert "Nothing leaves this machine, and nothing is kept" in page.inner_text(
        "#kept"
    )
    near = page.locator("#neighbors li")
    heading = page.inner_text("#neighbors h3")
    assert "by other artists" in heading  # a painting of the collection
    assert near.count() == 6
    assert paintings.artists[0] not in page.inner_text("#neighbors")
    sizes = near.locator("img").evaluate_all(
        "all => all.map((one) => one.naturalWidth)"
    )
    assert len(sizes) == 6 and min(sizes) > 0
    assert Path(path).name in page.inner_text("#status") and best in page.inner_text(
        "#status"
    )
    assert page.evaluate("document.activeElement.id") == "verdict"


def test_several_files_are_answered_one_after_the_other(page, images):
    at_once, most = 0, 0

    def count(step):
        nonlocal at_once, most
        at_once += step
        most = max(most, at_once)

    def on(event, step):
        page.on(event, lambda request: "predict" in request.url and count(step))

    on("request", 1), on("requestfinished", -1)
    choose(page, images)
    assert most == 1
    assert [row[0] for row in rows(page)] == ["a.png", "b.png", "c.png"]
    assert page.inner_text("#name") == "a.png"
    choose(page, images[2:])  # the same once more
    assert len(rows(page)) == 4 and page.inner_text("#name") == "c.png"
    page.click("#rows button >> nth=1")
    assert page.inner_text("#name") == "b.png"
    assert page.get_attribute("#rows button >> nth=1", "aria-current") == "true"
    page.wait_for_selector("#image", state="visible")
    width = page.evaluate("document.getElementById('image').naturalWidth")
    assert width == 90


def test_drops(page, images, tmp_path):
    drop(page, images[:2])
    wait(page)
    assert [row[0] for row in rows(page)] == ["a.png", "b.png"]
    (tmp_path / "scans").mkdir()
    drop(page, [tmp_path / "scans"])
    assert "scans\u2069 is a folder. Drop the files in it." in page.inner_text("#alert")
    assert len(rows(page)) == 2
    drop(page, [tmp_path / "scans", images[2]])
    wait(page)
    assert len(rows(page)) == 3 and "is a folder" in page.inner_text("#alert")
    drop_link(page)
    assert "drop the file itself" in page.inner_text("#alert")
    choose(page, images[:1])
    assert page.inner_text("#alert") == ""


def test_pasted_images(page, images):
    paste(page)
    assert "The clipboard has no image" in page.inner_text("#alert")
    paste(page, Path(images[0]).read_bytes())
    paste(page, Path(images[1]).read_bytes())
    wait(page)
    assert [row[0] for row in rows(page)] == ["Pasted image 1", "Pasted image 2"]
    assert page.inner_text("#alert") == ""


def test_photos_are_taken_on_phones_only(page, server, open_page, images):
    assert page.is_hidden("#photo")
    phone = open_served(server, open_page, width=390, has_touch=True, is_mobile=True)
    assert phone.get_attribute("#camera", "capture") == "environment"
    phone.on("filechooser", lambda chooser: chooser.set_files(images[0]))
    phone.tap("#photo")
    wait(phone)
    assert phone.inner_text("#name") == "a.png"


def test_heat_of_each_movement(page, images):
    asked = []
    page.on(
        "request",
        lambda request: "heat=true" in request.url and asked.append(request.url),
    )
    choose(page, images[:1])
    assert not asked and page.is_hidden("#heat") and page.is_hidden("#legend")
    page.click("#looked")
    page.wait_for_selector("#heat:visible")
    first, other = list(bars(page))[:2]
    assert first in page.inner_text("#legend")
    assert page.get_attribute("#looked", "aria-pressed") == "true"
    page.wait_for_selector("#cropped:visible")
    overlay = page.get_attribute("#heat", "src")
    page.locator("#movements button", has_text=other).click()
    page.wait_for_selector(f"#legend:has-text('Bright places speak for \u2068{other}')")
    assert page.get_attribute("#heat", "src") != overlay
    for name, url in zip([first, other], asked, strict=True):
        assert url.endswith(f"movement={name.replace(' ', '+')}")
    pressed = page.locator("#movements [aria-pressed=true]")
    assert pressed.locator("bdi").all_inner_texts() == [other]
    page.click("#plain")
    assert page.is_hidden("#heat") and page.is_visible("#image")
    page.locator("#movements button", has_text=first).click()
    assert page.get_attribute("#heat", "src") == overlay and len(asked) == 2


def test_heat_lies_over_what_the_model_sees(page, tmp_path):
    generator = np.random.default_rng(0)
    pixels = np.repeat(generator.integers(0, 256, (60, 180, 1), np.uint8), 3, axis=2)
    file = tmp_path / "wide.png"
    Image.fromarray(pixels).save(file)
    choose(page, [file])
    assert max(read_saturation(page)) < 1
    page.click("#looked")
    page.wait_for_selector("#cropped:visible")
    assert "only the middle of the painting" in page.inner_text("#cropped")
    left, middle, right = read_saturation(page)
    assert middle > 10 and left < 2 and right < 2


def test_none_of_these(page, tmp_path, open_page):
    file = tmp_path / "green.png"
    Image.new("RGB", (60, 40), (20, 250, 20)).save(file)
    choose(page, [file])
    assert page.inner_text("#verdict") == "None of these"
    text = page.inner_text("#unusual")
    assert "probably none of the movements that the model knows" in text
    # What sets promise holds for known movements alone.
    assert page.is_hidden("#set") and page.is_hidden("#promise")
    assert page.inner_text("#probabilities") == "If it is one of them after all"
    assert rows(page) == [["green.png", "None of these"]]
    (saved,) = save_csv(page)
    assert saved["none_of_these"] == "true" and saved["set"] == ""
    assert "None of these" in page.inner_text("#status")


def test_csv_has_what_was_tried(server, open_page, fitted, paintings, images, tmp_path):
    page = open_served(server, open_page, expected=REFUSED)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    choose(page, [paintings.paths[0], images[0], broken])
    trained, new, failed = save_csv(page)
    for row, path in ((trained, paintings.paths[0]), (new, images[0])):
        chances = fitted[0].predict_proba([path])[0]
        assert row["file"] == Path(path).name and row["model"] == "drawn.skart"
        assert row["movement"] == fitted[0].classes_[chances.argmax()]
        assert float(row["probability"]) == pytest.approx(chances.max(), abs=1e-5)
        assert set(row["set"].split("; ")) <= set(MOVEMENTS) and row["set"]
        assert row["none_of_these"] in ("true", "false") and row["error"] == ""
        assert 0 < float(row["typicality"]) <= 1
    assert [trained["trained_on"], new["trained_on"]] == ["true", "false"]
    assert failed["movement"] == "" and failed["error"].startswith("This is no image")
    page.click("#clear")
    assert page.is_hidden("#tried") and page.is_hidden("#painting")
    assert page.is_visible("#intro")
    assert page.evaluate("document.activeElement.tagName") == "H2"
    choose(page, images[:1])
    assert [row["file"] for row in save_csv(page)] == ["a.png"]


def test_clearing_ends_what_is_computed(page, images):
    page.set_input_files("#files", images)
    page.click("#clear")
    assert page.is_visible("#intro") and page.is_hidden("#tried")
    choose(page, images[1:2])
    assert [row[0] for row in rows(page)] == ["b.png"]
    assert page.inner_text("#tried-title") == "1 painting"


def test_hostile_names_are_texts(page, images):
    content = Path(images[0]).read_bytes()
    files = [
        {"name": name, "mimeType": "image/png", "buffer": content} for name in HOSTILE
    ]
    choose(page, files)
    shown = [name.replace("\u202e", "\ufffd") for name in HOSTILE]
    assert page.locator("#rows .file").all_text_contents() == shown
    assert page.locator("b, [onerror]").count() == 0
    for place in range(len(HOSTILE)):
        page.locator("#rows button").nth(place).click()
        assert page.text_content("#name") == shown[place]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    saved = [row["file"] for row in save_csv(page)]
    assert saved == [
        f"'{name}" if name.lstrip()[0] in "=+-@" else name for name in shown
    ]


def test_errors_of_files(server, open_page, tmp_path, images):
    page = open_served(server, open_page, expected=REFUSED)
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    large, empty = tmp_path / "large.tif", tmp_path / "empty.png"
    large.write_bytes(bytes(MAX_BYTES + 1))
    empty.write_bytes(b"")
    choose(page, [large, empty])
    assert not [url for url in sent if "predict" in url]
    assert page.inner_text("#verdict") == "No answer"
    assert "at most 0.3 MB can be sent" in page.inner_text("#reason")
    assert rows(page)[1] == [
        "empty.png",
        "The file is empty, or it was moved or removed.",
    ]
    cut = tmp_path / "cut.png"
    cut.write_bytes(Path(images[0]).read_bytes()[:400])
    choose(page, [cut])
    assert page.inner_text("#reason").startswith("The image can't be read")
    assert page.inner_text("#reason") in page.inner_text("#status")
    choose(page, images[:1])
    assert page.inner_text("#verdict") in MOVEMENTS + ["None of these"]


def test_page_waits_for_a_busy_server(server, open_page, images):
    page = open_served(server, open_page, expected="status of 503")
    answers = [{"status": 503, "json": {"error": "busy"}}]
    page.route(
        "**/predict*",
        lambda route: route.fulfill(**answers.pop()) if answers else route.continue_(),
    )
    choose(page, images[:1])
    assert page.inner_text("#verdict") in [*MOVEMENTS, "None of these"]
    assert not answers


def test_server_that_ends_meanwhile(fitted, open_page, images):
    server = Server(make_app(fitted[1])).start()
    try:
        page = open_served(server, open_page, expected="net::ERR_")
        choose(page, images[:1])
    finally:
        server.stop()
    page.set_input_files("#files", images[1:])
    page.wait_for_selector("#again:visible")
    assert "skart serve, doesn't answer" in page.inner_text("#alert")
    assert page.inner_text("#verdict") == "Not sent yet"
    page.click("#rows button >> nth=0")  # known answers stay
    assert page.inner_text("#verdict") in MOVEMENTS + ["None of these"]
    page.click("#looked")
    assert page.is_hidden("#heat")
    page.click("#again")
    assert page.is_visible("#again")
    Path(images[2]).write_bytes(b"another file by now")
    try:
        server.start()
        page.click("#again")
        wait(page)
        assert page.is_hidden("#again") and page.inner_text("#alert") == ""
        first, second, third = rows(page)
        assert len(first) > 2 and len(second) > 2
        assert third[1].startswith("The file can't be sent: it was changed")
        page.wait_for_selector("#heat:visible")
    finally:
        server.stop()


def test_images_that_the_browser_cannot_show(page, tmp_path, images):
    file = save_image(tmp_path / "scan.tif", (90, 60))
    choose(page, [file])
    page.wait_for_selector("#image[src^='data:image/jpeg']:visible")
    assert page.is_hidden("#unseeable")
    assert "this is what the model sees" in page.inner_text("#substitute")
    assert page.inner_text("#facts") == "90 × 60 TIFF"
    choose(page, images[:1])
    assert page.is_hidden("#substitute")


def test_model_that_promises_nothing(paintings, open_page, tmp_path, images):
    train(paintings, tmp_path / "plain.skart")
    server = Server(make_app(tmp_path / "plain.skart")).start()
    try:
        page = open_served(server, open_page)
        choose(page, images[:1])
        assert page.inner_text("#verdict") in MOVEMENTS
        for part in ("unusual", "set", "promise", "trained", "neighbors"):
            assert page.is_hidden(f"#{part}")
        assert save_csv(page)[0]["set"] == ""
        assert "in any image" in page.inner_text("#about")
    finally:
        server.stop()


def test_exported_models_have_no_heat(paintings, open_page, tmp_path):
    features = FeatureExtractor("EfficientNetLite0", layer="block2", verbose=False)
    pipe = make_pipeline(ImageLoader(64), features, head(epochs=1))
    pipe.fit(paintings.paths, paintings.labels)
    export_model(pipe, tmp_path / "model.openvino")
    server = Server(make_app(tmp_path / "model.openvino")).start()
    try:
        page = open_served(server, open_page)
        choose(page, [save_image(tmp_path / "scan.tif", (90, 60))])
        assert list(bars(page)) and page.locator("#movements button").count() == 0
        for part in ("views", "hint", "legend", "neighbors"):
            assert page.is_hidden(f"#{part}")
        page.wait_for_selector("#image[src^='data:image/jpeg']:visible")
    finally:
        server.stop()


def test_keyboard_alone(page, images):
    press = page.keyboard.press
    # Long before the key, since Chromium opens a dialog of its own otherwise.
    page.on("filechooser", lambda chooser: chooser.set_files(images[:2]))
    press("Tab")
    assert page.evaluate("document.activeElement.id") == "choose"
    press("Enter")
    wait(page)
    assert page.evaluate("document.activeElement.id") == "verdict"
    press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "looked"
    press("Space")
    page.wait_for_selector("#heat:visible")
    assert page.evaluate("document.activeElement.id") == "looked"
    press("Tab")
    press("Tab")  # the second movement
    focused = "document.activeElement.dataset.movement"
    second = list(bars(page))[1]
    for _ in range(2):
        if page.evaluate(focused) != second:
            press("Tab")
    press("Enter")
    assert page.evaluate(focused) == second
    page.wait_for_selector(f"#legend:has-text('{second}')")
    for _ in range(9):
        press("Tab")
        if page.evaluate(
            "document.activeElement.closest('tr')?.textContent.includes('b.png')"
        ):
            break
    press("Enter")
    assert page.inner_text("#name") == "b.png"
    assert page.evaluate("document.activeElement.id") == "verdict"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows(server, open_page, paintings, images, width, scheme):
    page = open_served(server, open_page, width=width, color_scheme=scheme)
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    choose(page, [*images, paintings.paths[0]])
    page.click("#looked")
    page.wait_for_selector("#heat:visible")
    assert page.evaluate(fits)
    light = (
        page.evaluate("getComputedStyle(document.body).backgroundColor")
        == "rgb(252, 251, 248)"
    )
    assert light == (scheme == "light")
    area = "((one) => one.offsetWidth * one.offsetHeight)"
    assert page.evaluate(
        f"{area}(document.getElementById('frame')) > 0.15 * innerWidth * innerHeight"
    )


def test_bars_are_seen_in_forced_colours_and_nothing_moves(server, open_page, images):
    page = open_served(server, open_page, forced_colors="active")
    choose(page, images[:1])
    colour = """(selector) => {
      const [place, part] = selector.split("::");
      const found = document.querySelector(place);
      return getComputedStyle(found, part ? `::${part}` : null).backgroundColor;
    }"""
    colours = [
        page.evaluate(colour, selector)
        for selector in ("body", ".bar::after", ".within .bar::after")
    ]
    assert colours[0] not in colours[1:]
    page.evaluate("document.getElementById('bar').hidden = false")
    moved = "getComputedStyle(document.getElementById('bar')).animationName"
    assert page.evaluate(moved) == "none"
