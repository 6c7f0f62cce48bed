import io
import os
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import Elements, decoded
from jinja2 import UndefinedError
from PIL import Image

from skart.report._html import Page

HOSTILE = "<script>alert('x')</script>\"&\n\x00"


@pytest.fixture
def page():
    return Page("A collection", "of paintings")


def test_sections_and_contents(page):
    page.section("First").text("One.\n\nTwo\nlines.")
    page.section("Second").facts({"paintings": 12})
    html = page.render()
    elements = Elements(html)
    assert len(elements.all("h1")) == 1
    headings = [f"#{attributes['id']}" for attributes in elements.all("h2")]
    assert [link["href"] for link in elements.all("a")] == headings
    assert elements.all("html") == [{"lang": "en"}]
    assert any(meta.get("name") == "viewport" for meta in elements.all("meta"))
    assert "<p>One.</p>\n<p>Two lines.</p>" in html
    assert "<dt>paintings</dt><dd>12</dd>" in html
    assert not elements.all("script") and not elements.all("link")


def test_everything_is_escaped():
    page = Page(HOSTILE, HOSTILE)
    section = page.section(HOSTILE)
    section.text(HOSTILE)
    section.facts({HOSTILE: HOSTILE})
    frame = pd.DataFrame({HOSTILE: [HOSTILE]}, index=[HOSTILE])
    section.table(frame, caption=HOSTILE, code=(HOSTILE,))
    section.gallery([{"image": None, "lines": [HOSTILE], "link": HOSTILE}])
    section.download(f"{HOSTILE}.csv", frame, text=HOSTILE)
    figure, _ = plt.subplots()
    section.figure(figure, alt=HOSTILE, caption=HOSTILE)
    elements = Elements(page.render())
    assert not elements.all("script")
    (image,) = elements.all("img")
    assert image["alt"].startswith("<script>")
    assert image.keys() == {"src", "alt"}
    # Line breaks are shown as text.
    assert elements.text.count(r"\n\x00") >= 7


def test_file_names_with_invalid_bytes(page, tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    section = page.section("Files")
    section.table(pd.DataFrame({"path": [name]}, dtype=object))
    section.download(
        "files.csv", pd.DataFrame({"path": [name]}, dtype=object), text="All:"
    )
    html = page.write(tmp_path / "page.html").read_text("utf-8")
    assert r"caf\udce9.jpg" in html


def test_tables(page):
    frame = pd.DataFrame(
        {
            "share": [0.1234, None],
            "paintings": [12345, 2],
            "of": ["72.3% (61.0–80.2)", "1%"],
            "word": ["a", "b"],
        },
        index=pd.Index(["Fauvism", "Op Art"], name="movement"),
    )
    page.section("Results").table(frame, caption="Each", formats={"share": ".1%"})
    html = page.render()
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.S)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    assert cells == [
        ["movement", "share", "paintings", "of", "word"],
        ["Fauvism", "12.3%", "12,345", "72.3% (61.0–80.2)", "a"],
        ["Op Art", "–", "2", "1%", "b"],
    ]
    elements = Elements(html)
    assert [head["scope"] for head in elements.all("th")] == ["col"] * 5 + ["row"] * 2
    assert [cell["class"] for cell in elements.all("td")[:4]] == ["number"] * 3 + [""]
    assert elements.all("div")[0]["aria-label"] == "Each"
    # A RangeIndex is not shown; columns may share a name.
    page.section("Plain").table(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    assert page.render().count('scope="row"') == 2
    page.section("Empty").table(pd.DataFrame({"a": []}))
    assert page.render().count("<table>") == 3


def test_figures(page):
    plt.close("all")  # figures of other tests
    section = page.section("Figures")
    drawing, ax = plt.subplots(figsize=(5, 4))
    ax.plot([1, 2])
    section.figure(drawing, alt="a line", caption="A line.")
    photograph, ax = plt.subplots(figsize=(5, 4))
    ax.imshow(np.zeros((4, 4, 3), np.uint8))
    section.figure(photograph, alt="a painting")
    crowded, ax = plt.subplots()
    ax.scatter(*np.random.default_rng(0).random((2, 5000)))
    section.figure(crowded, alt="points")
    assert plt.get_fignums() == []
    line, painting, points = Elements(page.render()).all("img")
    assert line["src"].startswith("data:image/svg+xml;base64,")
    assert painting["src"].startswith("data:image/jpeg;base64,")
    assert points["src"].startswith("data:image/png;base64,")
    assert [image["alt"] for image in (line, painting, points)] == [
        "a line",
        "a painting",
        "points",
    ]
    assert 400 < section.blocks[0]["width"] < 490  # CSS pixels, 96 an inch
    natural = section.blocks[1]["width"]
    with Image.open(io.BytesIO(decoded(painting["src"]))) as image:
        assert abs(image.width - 2 * natural) <= 1


def test_gallery(page):
    pixels = np.zeros((3, 5, 3), np.uint8)
    items = [
        {"image": pixels, "lines": ["a.jpg", "5 x 3 px"], "link": "file:///a.jpg"},
        {"image": None, "lines": ["b.jpg", "truncated"]},
    ]
    page.section("Duplicates").gallery(items, caption="Cluster 1")
    elements = Elements(page.render())
    (image,) = elements.all("img")
    with Image.open(io.BytesIO(decoded(image["src"]))) as thumbnail:
        assert thumbnail.size == (5, 3)
    assert elements.all("a")[-1] == {"href": "file:///a.jpg"}
    assert "b.jpg" in elements.text and "truncated" in elements.text


def test_large_downloads_are_split(page):
    frame = pd.DataFrame({"path": [f"{i:0200}.jpg" for i in range(20_000)]})
    page.section("Files").download("all.csv", frame, text="All:")
    links = [a for a in Elements(page.render()).all("a") if "download" in a]
    names = [link["download"] for link in links]
    assert names == ["all-1.csv", "all-2.csv", "all-3.csv"]
    assert all(len(link["href"]) < 2_000_000 for link in links)
    parts = [pd.read_csv(io.BytesIO(decoded(link["href"]))) for link in links]
    assert pd.concat(parts)["path"].tolist() == frame["path"].tolist()


def test_write_is_atomic(page, tmp_path):
    path = page.write(tmp_path / "new" / "page.html")
    before = path.read_bytes()
    page.section("Broken").blocks.append({"kind": "table"})
    with pytest.raises(UndefinedError, match="no attribute 'rows'"):
        page.write(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["page.html"]
    with pytest.raises(IsADirectoryError, match="is a folder; name a file in it"):
        page.write(tmp_path)
    with pytest.raises(NotADirectoryError, match="page.html.*Name another folder"):
        page.write(path / "page.html")


def test_small_shares_are_not_shown_as_none(page):
    shares = {"a": 1, "b": 0.9999, "c": 0.994, "d": 0.006, "e": 0.0001, "f": 0}
    page.section("Shares").portrait(None, lines=["One"], bars=shares)
    text = Elements(page.render()).text
    found = re.findall(r"[<>]?\d+%", text.partition("One")[2])
    assert found == ["100%", ">99%", "99%", "1%", "<1%", "0%"]


def test_portraits_have_one_size(page):
    small, tall = np.zeros((16, 32, 3), np.uint8), np.zeros((400, 100, 3), np.uint8)
    more = [{"image": tall, "lines": ["Tall"]}]
    page.section("Images").portrait(small, lines=["Small"], more=more)
    styles = [image["style"] for image in Elements(page.render()).all("img")]
    assert styles == ["width: 200px", "width: 50px"]
