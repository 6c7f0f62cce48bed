"""The page on which suspect labels are decided, in a browser."""

import numpy as np
import pandas as pd
import pytest
from helpers import save_image

from skart.audit import apply_corrections, find_label_issues
from skart.evaluation import Evaluation
from skart.exploration import PaintingIndex
from skart.report import write_suspects

MOVEMENTS = ["Cubism", "Dada", "Fauvism"]
# A script, quotes, a right-to-left override, control characters, a lone surrogate.
HOSTILE = "</script><b>\"'&,\u202e\n\x07\udcff" + "x" * 80


def make(folder, movements=MOVEMENTS, artists=None):
    """Write a page on six paintings; return it, with their paths and labels."""
    paths = [
        save_image(folder / "art" / f"{i}.jpg", (90 + 40 * i, 300 - 40 * i), i)
        for i in range(6)
    ]
    paths[5] = str(folder / "art" / "gone.jpg")
    labels = np.array([movements[i % 3] for i in range(6)], dtype=object)
    artists = artists or [f"Artist {i % 4}" for i in range(6)]
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 6)
    evaluation = Evaluation(
        labels, probabilities=probabilities, classes=movements, groups=artists
    )
    index = PaintingIndex().fit(np.random.default_rng(1).normal(size=(6, 4)))
    table = find_label_issues(evaluation, index=index, n_neighbors=2)
    table.at[0, "duplicates"] = (3,)
    table.at[0, "duplicate_movements"] = (movements[0],)
    page = write_suspects(table, paths, folder / "suspects.html", artists=artists)
    return page, table, paths, labels


def test_table_must_fit_the_paths(tmp_path):
    _, table, paths, _ = make(tmp_path)
    with pytest.raises(ValueError, match="table lacks the columns .'reason'"):
        write_suspects(table.drop(columns="reason"), paths, tmp_path / "a.html")
    with pytest.raises(ValueError, match="position 5, and there are 5 paths"):
        write_suspects(table, paths[:5], tmp_path / "a.html")


def test_page_names_no_folder_of_this_machine(tmp_path):
    unknown = [f"unknown artist of {tmp_path}/art/{i}.jpg" for i in range(6)]
    page, *_ = make(tmp_path, artists=[*unknown[:4], "Braque", "Gris"])
    text = page.read_text("utf-8")
    assert str(tmp_path) not in text and "Braque" in text


@pytest.fixture
def opened(tmp_path, open_page):
    page, table, paths, labels = make(tmp_path)
    return open_page(page), table, paths, labels


def save(window, tmp_path):
    """Return the corrections that the page downloads, and their file."""
    with window.expect_download() as download:
        window.get_by_role("button", name="Download corrections").click()
    assert download.value.suggested_filename == "corrections.csv"
    file = tmp_path / "corrections.csv"
    download.value.save_as(file)
    return pd.read_csv(file, keep_default_na=False), file


@pytest.mark.slow
def test_keys_decide_and_the_file_applies(opened, tmp_path):
    window, table, paths, labels = opened
    expect = table.set_index("position")
    press = window.keyboard.press
    press("c")
    press("k")
    press("x")
    assert window.inner_text("#count") == "3 of 6 decided"
    assert window.inner_text("#place") == "Painting 4 of 6"
    press("o")  # another movement than label and suggestion
    (other,) = set(MOVEMENTS) - set(table.loc[3, ["movement", "suggested"]])
    assert window.locator("#other option").all_inner_texts() == [other]
    press("Enter")
    press("k")
    press("u")
    press("ArrowLeft")
    assert window.inner_text("#decided") == f"Decided: changed to {other}"
    press("ArrowRight")
    assert window.inner_text("#place") == "Painting 5 of 6"
    assert window.inner_text("#count") == "4 of 6 decided"
    rows, file = save(window, tmp_path)
    assert rows["decision"].tolist() == ["change", "keep", "exclude", "change"]
    assert rows["corrected"].tolist() == [table["suggested"][0], "", "", other]
    assert rows["movement"].tolist() == table["movement"][:4].tolist()
    changed, kept = apply_corrections(file, paths, labels)
    positions = table["position"]
    assert changed[positions[0]] == expect["suggested"][positions[0]]
    assert changed[positions[3]] == other and (changed != labels).sum() == 2
    assert np.flatnonzero(~kept).tolist() == [positions[2]]


@pytest.mark.slow
def test_buttons_decide_and_undo(opened):
    window, table, *_ = opened

    def click(name):
        window.get_by_role("button", name=name).click()

    assert window.get_by_role("button", name="Download").is_disabled()
    click("Exclude")
    click("Painting 1, excluded")
    assert window.locator("#exclude").get_attribute("aria-pressed") == "true"
    click(f"Keep {table['movement'][0]}")
    click("Painting 1, kept")
    click("Undo")
    assert window.inner_text("#decided") == "Decided: excluded"
    click("Undo")
    assert window.inner_text("#decided") == ""
    assert window.inner_text("#count") == "0 of 6 decided"
    assert (
        window.locator("#undo").is_disabled() and window.locator("#back").is_disabled()
    )


@pytest.mark.slow
def test_decisions_survive_a_reload(opened):
    window, *_ = opened
    window.keyboard.press("k")
    window.keyboard.press("x")
    window.reload()
    assert window.inner_text("#count") == "2 of 6 decided"
    assert window.inner_text("#place") == "Painting 3 of 6"  # the first to decide
    # What is not from this page is no decision.
    for text in ('{"art/0.jpg": 3}', '[["art/0.jpg", 3]]', "no JSON"):
        window.evaluate("text => localStorage.setItem(localStorage.key(0), text)", text)
        window.reload()
        assert window.inner_text("#count") == "0 of 6 decided"


@pytest.mark.slow
def test_decisions_are_not_those_of_another_page(opened, tmp_path, open_page):
    window, table, paths, _ = opened
    window.keyboard.press("k")
    kept = window.evaluate("Object.entries(localStorage)")
    table = table.assign(probability=table["probability"] / 2)
    other = open_page(write_suspects(table, paths, tmp_path / "other.html"))
    other.evaluate(
        "kept => kept.forEach(([key, value]) => localStorage.setItem(key, value))", kept
    )
    other.reload()
    assert other.inner_text("#count") == "0 of 6 decided"


@pytest.mark.slow
def test_page_works_without_storage(tmp_path, open_page):
    page, *_ = make(tmp_path)
    window = open_page(page)
    window.context.add_init_script(
        "Object.defineProperty(window, 'localStorage', "
        "{get() { throw new DOMException('denied', 'SecurityError'); }});"
    )
    window.reload()
    window.keyboard.press("c")
    assert window.inner_text("#count") == "1 of 6 decided"
    rows, _ = save(window, tmp_path)
    assert len(rows) == 1


@pytest.mark.slow
def test_screen_readers_hear_decision_and_progress(opened):
    window, table, *_ = opened
    window.keyboard.press("k")
    status = window.get_by_role("status")
    assert status.inner_text().startswith(
        f"kept as {table['movement'][0]}. 1 of 6 decided. Painting 2: "
    )
    for _ in range(5):
        window.keyboard.press("x")
    assert "All are decided: download the corrections. 6 of 6" in status.inner_text()


@pytest.mark.slow
def test_pictures_of_neighbors_and_unreadable_files(opened):
    window, table, *_ = opened
    assert window.locator("#duplicates li").count() == 1
    assert window.locator("#neighbors li").count() == 2
    place = table.index[table["position"] == 5][0]
    window.get_by_role("button", name=f"Painting {place + 1}, ").click()
    assert window.get_by_text("This file can't be read.").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_a_phone(tmp_path, open_page, scheme):
    names = [f"{HOSTILE}{i}" for i in range(3)]
    page, *_ = make(tmp_path, names, [HOSTILE] * 3 + ["b"] * 3)
    window = open_page(page, width=390, height=844, color_scheme=scheme)
    for _ in range(6):
        assert window.evaluate("document.documentElement.scrollWidth") <= 390
        window.keyboard.press("k")


@pytest.mark.slow
def test_decisions_stay_in_reach_on_a_phone(tmp_path, open_page):
    window = open_page(make(tmp_path)[0], width=390, height=700)
    window.evaluate("scrollTo(0, document.body.scrollHeight)")
    window.mouse.click(*middle(window, "#keep"))
    assert window.inner_text("#count") == "1 of 6 decided"
    # The next painting is in view.
    assert 0 <= window.locator("figure").bounding_box()["y"] < 100
    # Nothing stays behind the buttons.
    window.evaluate("scrollTo(0, document.body.scrollHeight)")
    window.mouse.click(*middle(window, "nav li:last-child button"))
    assert window.inner_text("#place") == "Painting 6 of 6"


def middle(window, selector):
    """Return the middle of an element in the window."""
    box = window.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.slow
def test_hostile_names_are_text(tmp_path, open_page):
    names = [f"{HOSTILE}{i}" for i in range(3)]
    page, table, paths, labels = make(tmp_path, names, [HOSTILE] * 3 + ["b"] * 3)
    window = open_page(page)
    assert window.locator("b").count() == 0
    assert "</script><b>" in window.locator("#movement").inner_text()
    window.keyboard.press("c")
    _, file = save(window, tmp_path)
    changed, _ = apply_corrections(file, paths, labels)
    assert changed[table["position"][0]] == table["suggested"][0]


@pytest.mark.slow
def test_page_without_suspects(tmp_path, open_page):
    _, table, paths, _ = make(tmp_path)
    window = open_page(write_suspects(table.head(0), paths, tmp_path / "none.html"))
    assert window.get_by_text("No label is suspect.").is_visible()
    assert window.get_by_role("button").count() == 0
