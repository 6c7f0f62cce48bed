"""The page of a map in a browser; open_page fails on any outside request."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from helpers import save_image

from skart.exploration import CollectionMap

pytestmark = pytest.mark.slow

MOVEMENTS = np.repeat(["Cubism", "Fauvism"], 20).astype(object)
ARTISTS = np.tile(["Ann", "Bob", "Cleo", "Dora"], 10).astype(object)
PREDICTED = np.where(np.arange(40) % 10 == 0, "Fauvism", MOVEMENTS)
HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(2)>'",
    "שלום \u202egnp.exe",
    "line\nbreak\ttab\x1b[31m",
    "half \udcff name",
    "x" * 180,
    "=cmd()|'a'!A1, \"quoted\"",
    "{{ 7 * 7 }} ${alert(3)} &amp;",
]


def write_map(folder, *, names=None, movements=MOVEMENTS, artists=ARTISTS, **options):
    """Write a map of two groups, the first of which is on the left."""
    n = len(movements)
    names = names or [f"Movement/painting {i:02}.png" for i in range(n)]
    paths = []
    for i, name in enumerate(names):
        size = (60, 40) if i % 2 else (30, 50)
        paths.append(save_image(folder / "images" / name, size, i))
    features = np.random.default_rng(0).normal(size=(n, 6))
    features[: n // 2] += 9
    fitted = CollectionMap(layout="pca", verbose=False).fit(
        features, movements, artists=artists
    )
    # The sign of a principal component is arbitrary.
    left = fitted.embedding_[: n // 2, 0].mean() < fitted.embedding_[:, 0].mean()
    page = fitted.to_html(folder / "map.html", paths=paths, **options)
    return page, fitted, bool(left)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A page of 40 paintings, its map, and whether the first half is on the left."""
    return write_map(
        tmp_path_factory.mktemp("map"),
        predicted=PREDICTED,
        confidence=np.linspace(0.5, 1, 40),
        metadata=pd.DataFrame({"year": range(1900, 1940)}),
        title="Two movements",
    )


@pytest.fixture
def page(written, open_page):
    page = open_page(written[0], reduced_motion="reduce")
    page.wait_for_selector("body[data-ready]", state="attached")
    return page


def state(page):
    return page.evaluate("({...document.body.dataset})")


def choose(page, facet, value):
    page.locator("details", has_text=facet).get_by_label(value).check()


def drag(page, points, shift=False):
    """Drag along points, shares of the canvas."""
    box = page.locator("#canvas").bounding_box()
    points = [
        (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points
    ]
    if shift:
        page.keyboard.down("Shift")
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=5)
    page.mouse.up()
    page.keyboard.up("Shift")


def download(page):
    """Return the rows of the selection as it is downloaded, dicts."""
    with page.expect_download() as waiting:
        page.click("#download")
    with open(waiting.value.path(), "rb") as file:
        text = file.read().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_page_shows_all_paintings(page):
    assert page.title() == "Two movements"
    assert page.inner_text("#status") == "40 paintings"
    assert state(page)["shown"] == "40"
    colours = page.evaluate(
        """() => {
          const canvas = document.getElementById("canvas");
          const {width, height} = canvas;
          const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
          return new Set(new Uint32Array(data.buffer)).size;
        }"""
    )
    assert colours > 1000


def test_filters_and_search_combine(page):
    choose(page, "Movement", "Cubism")
    assert page.inner_text("#status") == "20 of 40 paintings shown"
    choose(page, "Artist", "Ann")
    assert state(page)["shown"] == "5"
    choose(page, "Artist", "Bob")
    assert state(page)["shown"] == "10"
    choose(page, "Result", "wrong")
    wrong = (MOVEMENTS == "Cubism") & (PREDICTED != MOVEMENTS)
    wrong &= np.isin(ARTISTS, ["Ann", "Bob"])
    assert state(page)["shown"] == str(wrong.sum())
    clear = page.locator("details").get_by_role("button", name="Show all")
    while clear.count():
        clear.first.click()
    assert state(page)["shown"] == "40"
    page.fill("#search", "PAINTING 07")
    assert state(page)["shown"] == "1"
    page.fill("#search", "bob fauvism")
    assert state(page)["shown"] == "5"
    page.fill("#search", "1939")  # the year
    assert state(page)["shown"] == "1"
    page.fill("#search", "nothing like it")
    assert page.inner_text("#status") == "0 of 40 paintings shown"


@pytest.mark.parametrize("tool", ["shift", "lasso"])
def test_lasso_selects_and_downloads(page, written, tool):
    _, fitted, first_is_left = written
    if tool == "lasso":
        page.click("#lasso")
    half = [(0.01, 0.01), (0.5, 0.01), (0.5, 0.99), (0.01, 0.99)]
    drag(page, half, shift=tool == "shift")
    expected = range(20) if first_is_left else range(20, 40)
    rows = download(page)
    assert [row["path"] for row in rows] == [f"painting {i:02}.png" for i in expected]
    for row, i in zip(rows, expected, strict=True):
        assert row["movement"] == MOVEMENTS[i] and row["artist"] == ARTISTS[i]
        assert row["predicted"] == PREDICTED[i]
        assert row["result"] == ("right" if MOVEMENTS[i] == PREDICTED[i] else "wrong")
        assert row["year"] == str(1900 + i)
        assert float(row["confidence"]) == pytest.approx(0.5 + i / 78, abs=1e-4)
    page.click("#clear")
    assert state(page)["selected"] == "0" and page.is_hidden("#selection")


def test_lasso_selects_only_what_is_shown(page):
    page.fill("#search", "ann")
    drag(page, [(0, 0), (0.99, 0), (0.99, 0.99), (0, 0.99)], shift=True)
    assert {row["artist"] for row in download(page)} == {"Ann"}
    page.fill("#search", "bob")
    page.click("#select-shown")
    assert [row["artist"] for row in download(page)] == ["Bob"] * 10


def click_cell(page, fitted, i):
    """Click on a painting in the grid."""
    columns, rows = fitted.grid_.max(axis=0) + 1
    box = page.locator("#canvas").bounding_box()
    cell = min((box["width"] - 32) / columns, (box["height"] - 32) / rows)
    left = box["x"] + (box["width"] - cell * columns) / 2
    top = box["y"] + (box["height"] - cell * rows) / 2
    column, row = fitted.grid_[i]
    page.mouse.click(left + (column + 0.5) * cell, top + (row + 0.5) * cell)


def test_details_show_neighbours_by_other_artists(page, written):
    _, fitted, _ = written
    page.click("[data-view=grid]")
    click_cell(page, fitted, 13)
    assert state(page)["picked"] == "13"
    text = page.inner_text("#details")
    for known in ("painting 13", "Cubism", "Bob", "67%", "1913"):
        assert known in text
    near = page.locator(".neighbors button")
    expected = fitted.index_.kneighbors(n_neighbors=4, return_distance=False)[13]
    found = [int(button.get_attribute("data-painting")) for button in near.all()]
    assert found == expected.tolist()
    assert "Bob" not in [ARTISTS[j] for j in found]
    near.first.click()
    assert state(page)["picked"] == str(expected[0])
    page.keyboard.press("Escape")
    assert page.is_hidden("#details") and state(page)["picked"] == ""
    assert page.evaluate("document.activeElement.id") == "canvas"


def test_hover_shows_a_painting(page, written):
    page.click("[data-view=grid]")
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert "painting" in page.inner_text("#tip")
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    assert page.is_hidden("#tip")


def test_keyboard_alone(page):
    page.focus("#canvas")
    page.keyboard.press("Enter")
    first = state(page)["picked"]
    assert first != "" and page.is_visible("#details")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert state(page)["picked"] not in ("", first)
    assert page.inner_text("#announcement").startswith("painting ")
    page.keyboard.press("Space")
    assert state(page)["selected"] == "1"
    assert page.inner_text("#announcement") == "1 painting selected"
    page.keyboard.press("Enter")  # into the details
    assert page.evaluate("document.activeElement.tagName") == "H2"
    page.keyboard.press("Tab")
    for name in ("Add to selection", "Remove from selection"):
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.textContent") == name
    page.keyboard.press("Escape")
    assert page.is_hidden("#details")
    page.keyboard.press("Escape")
    assert state(page)["selected"] == "0"

    def shot():
        return page.evaluate("document.getElementById('canvas').toDataURL()")

    page.wait_for_timeout(100)  # the canvas takes the place of the details
    whole = shot()
    for key in ("+", "ArrowLeft"):
        before = shot()
        page.keyboard.press(key)
        page.wait_for_timeout(100)
        assert shot() != before
    page.keyboard.press("0")
    page.wait_for_timeout(100)
    assert shot() == whole


def test_search_does_not_depend_on_accents(open_page, tmp_path):
    names = ["Ce\u0301zanne.png", "Cernan.png"]
    page = open_page(
        write_map(tmp_path, names=names, movements=MOVEMENTS[:2], artists=None)[0]
    )
    for text in ("cezanne", "C\u00e9zanne", "Ce\u0301z"):
        page.fill("#search", text)
        assert state(page)["shown"] == "1"


def test_escape_clears_a_search_before_it_clears_the_selection(page):
    page.click("#select-shown")
    page.fill("#search", "ann")
    page.keyboard.press("Escape")
    assert page.input_value("#search") == ""
    assert state(page)["shown"] == state(page)["selected"] == "40"
    page.keyboard.press("Escape")
    assert state(page)["selected"] == "0"


def test_table_lists_what_is_shown(page):
    page.click("[data-view=table]")
    assert page.locator("tbody tr").count() == 40
    assert page.locator("thead th").all_inner_texts() == [
        *("painting", "file", "movement", "artist", "predicted", "result")
    ]
    page.fill("#search", "dora")
    assert page.locator("tbody tr").count() == 10
    page.get_by_role("button", name="painting 11").click()
    assert state(page)["picked"] == "11"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent") == "painting 11"
    page.keyboard.press("Enter")
    page.locator(".neighbors button").last.click()
    assert page.is_visible("#table")


def test_table_has_pages(open_page, tmp_path):
    movements = np.array(["Cubism"] * 130, dtype=object)
    written = write_map(tmp_path, movements=movements, artists=None)
    page = open_page(written[0])
    page.click("[data-view=table]")
    assert page.locator("tbody tr").count() == 100
    page.get_by_role("button", name="Next").click()
    assert page.locator("tbody tr").count() == 30
    assert "101–130 of 130" in page.inner_text("#table")
    page.get_by_role("button", name="Back").click()
    assert page.locator("tbody tr").count() == 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone(written, open_page, scheme):
    page = open_page(
        written[0], width=390, height=800, has_touch=True, color_scheme=scheme
    )
    page.wait_for_selector("body[data-ready]", state="attached")
    fits = "document.documentElement.scrollWidth <= innerWidth"

    def check():
        assert page.evaluate(fits)
        assert page.evaluate("document.body.scrollWidth <= innerWidth")

    check()
    page.tap("#open-filters")
    check()
    assert page.is_hidden("#canvas")  # no focus behind the filters
    page.get_by_label("Cubism").first.check()
    page.tap("#close-filters")
    assert state(page)["shown"] == "20"
    page.tap("[data-view=grid]")
    page.wait_for_timeout(1200)
    page.tap("#canvas", position={"x": 195, "y": 330})
    check()
    assert state(page)["picked"] != ""
    page.tap("#details .close")
    page.tap("[data-view=table]")
    check()
    style = "getComputedStyle(document.body)"
    paper = page.evaluate(f"{style}.backgroundColor")
    assert (paper == "rgb(252, 251, 248)") == (scheme == "light")


def test_fingers_zoom_and_draw_a_lasso(written, open_page):
    page = open_page(written[0], width=390, height=800, has_touch=True)
    page.wait_for_selector("body[data-ready]", state="attached")
    box = page.locator("#canvas").bounding_box()
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        places = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
            for x, y in points
        ]
        for finger, place in enumerate(places):
            place["id"] = finger
        session.send(
            "Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": places}
        )
        page.wait_for_timeout(100)

    def shot():
        return page.evaluate("document.getElementById('canvas').toDataURL()")

    whole = shot()
    touch("Start", (0.4, 0.5), (0.6, 0.5))
    touch("Move", (0.2, 0.5), (0.8, 0.5))
    touch("End")
    assert shot() != whole
    assert "picked" not in state(page)
    page.tap("#show-all")
    page.wait_for_timeout(600)
    assert shot() == whole
    page.tap("#lasso")
    touch("Start", (0.01, 0.01))
    for point in ((0.5, 0.01), (0.5, 0.99), (0.01, 0.99)):
        touch("Move", point)
    touch("End")
    expected = range(20) if written[2] else range(20, 40)
    rows = download(page)
    assert [row["path"] for row in rows] == [f"painting {i:02}.png" for i in expected]


def test_hostile_names(open_page, tmp_path):
    names = [f"{name.replace('/', '∕')[:120]}{i}.png" for i, name in enumerate(HOSTILE)]
    page_file, fitted, _ = write_map(
        tmp_path,
        names=names,
        movements=np.array(HOSTILE, dtype=object),
        artists=np.array(HOSTILE[::-1], dtype=object),
        metadata=pd.DataFrame({HOSTILE[0]: HOSTILE, "note": HOSTILE}, dtype=object),
        title=HOSTILE[0],
    )
    page = open_page(page_file)
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.wait_for_selector("body[data-ready]", state="attached")
    assert page.inner_text("h1") == HOSTILE[0]
    page.click("[data-view=table]")
    page.locator("tbody th button").first.click()
    assert HOSTILE[0] in page.inner_text("#details dl")
    page.click("#select-shown")
    rows = download(page)
    kept = [name.replace("\udcff", r"\udcff") for name in HOSTILE]
    assert [row["movement"] for row in rows] == kept
    assert [row["note"] for row in rows] == kept
    assert page.locator("img, iframe, object").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert dialogs == []


def test_300_movements(open_page, tmp_path):
    movements = np.array([f"Movement {i:03}" for i in range(300)], dtype=object)
    page = open_page(write_map(tmp_path, movements=movements, artists=None)[0])
    movement = page.locator("details", has_text="Movement").first
    movement.locator("summary").click()
    movement.get_by_label("Find in movement").fill("movement 29")
    assert movement.locator("li:visible").count() == 10
    movement.get_by_label("Movement 299").check()
    assert state(page)["shown"] == "1"


def test_without_movements_and_artists(open_page, tmp_path):
    fitted_file, *_ = write_map(tmp_path, movements=MOVEMENTS[:2], artists=None)
    fitted = CollectionMap().fit(np.eye(1))
    paths = [str(tmp_path / "images/Movement/painting 00.png")]
    file = fitted.to_html(tmp_path / "one.html", paths=paths)
    page = open_page(file, reduced_motion="reduce")
    page.wait_for_selector("body[data-ready]", state="attached")
    assert page.inner_text("#status") == "1 painting"
    assert page.is_hidden("#filters")  # there are none
    page.click("#select-shown")
    assert state(page)["selected"] == "1"
    page.focus("#canvas")
    page.keyboard.press("Enter")
    assert "painting 00" in page.inner_text("#details")
    assert page.locator(".neighbors").count() == 0
