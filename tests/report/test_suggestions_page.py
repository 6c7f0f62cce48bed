"""The page on which suggested paintings are labelled, in a browser."""

import csv

import pytest
from helpers import save_image

from skart.report._suggestions import write_suggestions

pytestmark = pytest.mark.slow

# A script, quotes, a right-to-left override, control characters, a lone surrogate.
HOSTILE = "</script><b>\"'&,\u202e\n\x07\udcff" + "x" * 80


@pytest.fixture
def open_labels(tmp_path, open_page):
    """Write and open a page on two paintings, the second of which is missing."""

    def open_labels(share=0.5, name=HOSTILE, **options):
        image, gone = save_image(tmp_path / "a.png"), str(tmp_path / "gone.png")
        page = write_suggestions(
            tmp_path / f"page{share}.html",
            {image: name, gone: "gone.png"},
            {image: [(name, share)], gone: []},
            title=name,
            movements=[name],
            verbose=False,
        )
        return open_page(page, **options)

    return open_labels


def test_hostile_names_are_text_and_fit_a_phone(open_labels, tmp_path):
    window = open_labels(width=390, height=800)
    assert window.evaluate("document.documentElement.scrollWidth") == 390
    assert window.locator("b").count() == 0
    assert "can't be read" in window.locator("article").nth(1).inner_text()
    window.keyboard.press("Tab")
    window.keyboard.press("Enter")  # the prediction of the first painting
    assert window.inner_text("#count") == "1 of 2 done"
    with window.expect_download() as download:
        window.get_by_role("button", name="Download labels").click()
    download.value.save_as(tmp_path / "labels.csv")
    with open(tmp_path / "labels.csv", encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert {row["path"], row["predicted"]} == {HOSTILE.replace("\udcff", "\\udcff")}
    assert row["confidence"] == "0.5" and row["artist"] == row["runner_up"] == ""


def test_names_are_offered_once_they_are_entered(open_labels):
    window = open_labels(name="Dada")
    options = window.locator("#movements option")

    def offered():
        return [one.get_attribute("value") for one in options.all()]

    field = window.get_by_label("Movement").last
    field.press_sequentially("Cub")
    assert offered() == ["Dada"]
    field.press_sequentially("ism")
    field.press("Tab")
    assert offered() == ["Cubism", "Dada"]


def test_labels_are_kept_for_this_page_alone(open_labels):
    window = open_labels(name="Dada")
    window.get_by_label("Artist").first.fill("Ann")
    window.get_by_role("button", name="Can't tell").last.click()
    window.reload()
    assert window.get_by_label("Artist").first.input_value() == "Ann"
    assert window.inner_text("#count") == "1 of 2 done"
    kept = window.evaluate("Object.entries(localStorage)")
    other = open_labels(0.75, name="Dada")
    other.evaluate(
        "kept => kept.forEach(([key, value]) => localStorage.setItem(key, value))", kept
    )
    other.reload()
    assert other.inner_text("#count") == "0 of 2 done"
    # What is no label is left out.
    window.evaluate("localStorage.setItem(localStorage.key(0), '[[\"Dada\", 3]]')")
    window.reload()
    assert window.inner_text("#count") == "0 of 2 done"
