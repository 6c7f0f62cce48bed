"""Which paintings `skart suggest` and `skart predict --sort` put first."""

import csv
import functools
import io
import json
import os

import numpy as np
import pytest
from helpers import finish, needs_names_of_bytes, run, start
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import HandcraftedFeatures, ImageLoader, save_model

COLORS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


@pytest.fixture
def scans(tmp_path):
    """Eight images of each colour, a file that is no image, and a name with a comma."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "scans"
    (folder / "box, left").mkdir(parents=True)
    for color, rgb in COLORS.items():
        for i in range(8):
            noise = generator.integers(-30, 30, (24, 24, 3))
            pixels = np.clip(np.array(rgb) + noise, 0, 255).astype(np.uint8)
            name = f"box, left/{color}{i}.png" if i < 2 else f"{color}{i}.png"
            Image.fromarray(pixels).save(folder / name)
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def model(scans, tmp_path):
    """A model on colours alone, which needs no network."""
    paths = sorted(map(str, scans.glob("[rgb]*[0-9].png")))
    labels = ["cool" if "blue" in path else "warm" for path in paths]
    pipe = make_pipeline(
        ImageLoader(24), HandcraftedFeatures(["hsv"]), LogisticRegression()
    )
    save_model(pipe.fit(paths, labels), tmp_path / "model.skart")
    return tmp_path / "model.skart"


@pytest.fixture
def suggest(scans, model, tmp_path):
    """Run `skart suggest`, and return the result."""

    cache = ("--cache", tmp_path / "c")
    return functools.partial(run, "suggest", scans, "--model", model, *cache)


def color_of(path):
    return next(color for color in COLORS if color in path)


def read_rows(result):
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def write_rows(file, rows, movement):
    """Write the rows of a round as a curator fills them in."""
    with open(file, "w", newline="") as raw:
        table = csv.DictWriter(raw, rows[0])
        table.writeheader()
        for row in rows:
            table.writerow(row | {"movement": movement(row["path"])})
    return file


def test_rounds_of_suggestions_and_labels(suggest, tmp_path):
    first = suggest("-n", 3, "--format", "csv")
    assert "no labels yet: paintings are chosen to differ" in first.stderr
    assert "broken.png' can't be read" in first.stderr
    rows = read_rows(first)
    assert {color_of(row["path"]) for row in rows} == set(COLORS)
    assert {row["movement"] + row["predicted"] for row in rows} == {""}
    seen = {row["path"] for row in rows}
    words = ["--labelled", write_rows(tmp_path / "1.csv", rows, color_of)]
    for number in (2, 3):
        result = suggest("-n", 6, "--format", "csv", *words)
        assert f"labelled: {len(seen)} paintings of 3 movements" in result.stderr
        rows = read_rows(result)
        paths = {row["path"] for row in rows}
        assert len(paths) == 6 and not paths & seen
        for row in rows:
            assert {row["predicted"], row["runner_up"]} < set(COLORS)
            assert 1 / 3 < float(row["confidence"]) <= 1
        seen |= paths
        file = write_rows(tmp_path / f"{number}.csv", rows, color_of)
        words += ["--labelled", file]
    rest = read_rows(suggest("--format", "csv", *words))
    assert len(rest) == 24 - len(seen)
    assert all(row["predicted"] == color_of(row["path"]) for row in rest)


def test_tables_can_be_appended_to_each_other(suggest, tmp_path):
    one, two = (tmp_path / f"{name}.csv" for name in ("one", "two"))
    write_rows(one, read_rows(suggest("-n", 3, "--format", "csv")), color_of)
    rows = read_rows(suggest("-n", 4, "--format", "csv", "--labelled", one))
    write_rows(two, rows, color_of)
    with open(one, "a") as file:
        file.writelines(two.read_text().splitlines(keepends=True)[1:])
    result = suggest("--labelled", one)
    assert "labelled: 7 paintings of 3 movements" in result.stderr
    # A painting is one, however its path is written.
    for row in rows:
        row["path"] = f"box, left/../{row['path']}"
    write_rows(two, rows, lambda path: "another")
    result = suggest("--labelled", one, "--labelled", two)
    assert "labelled: 7 paintings of 4 movements" in result.stderr
    assert "labelled differently, the last movement counts: 4\n" in result.stderr
    assert "differently" not in suggest("--labelled", two, "--labelled", two).stderr


@needs_names_of_bytes
def test_names_that_are_no_utf_8_are_read_again(scans, model, tmp_path):
    strange = os.fsdecode(b"caf\xe9.png")
    (scans / "red5.png").rename(scans / strange)
    script = "from skart.cli import main; main()"  # which sets the encoding
    words = ["suggest", scans, "--model", model, "--cache", tmp_path / "c"]
    told = finish(start(script, *words, "-n", 30, "--format", "csv"))
    rows = list(csv.DictReader(io.StringIO(told)))
    assert r"caf\udce9.png" in {row["path"] for row in rows}
    rows = [row for row in rows if "blue" not in row["path"]]
    file = write_rows(tmp_path / "1.csv", rows, lambda path: path[-5])
    rest = read_rows(run(*words, "--labelled", file, "-n", 30, "--format", "csv"))
    assert {color_of(row["path"]) for row in rest} == {"blue"} and len(rest) == 8


def test_paintings_left_blank_are_not_suggested_again(suggest, tmp_path):
    rows = read_rows(suggest("-n", 6, "--format", "csv"))
    blank = write_rows(tmp_path / "blank.csv", rows, lambda path: "")
    result = suggest("-n", 30, "--format", "csv", "--labelled", blank)
    assert "left out, listed without a movement: 6" in result.stderr
    assert "no labels yet" in result.stderr
    again = {row["path"] for row in read_rows(result)}
    assert len(again) == 18 and not again & {row["path"] for row in rows}
    # A label in another table counts, whichever comes first.
    full = write_rows(tmp_path / "full.csv", rows, color_of)
    for tables in ((blank, full), (full, blank)):
        words = [word for table in tables for word in ("--labelled", table)]
        assert "labelled: 6 paintings" in suggest(*words).stderr


def test_one_movement_is_no_classifier(suggest, tmp_path):
    rows = read_rows(suggest("-n", 3, "--format", "csv"))
    file = write_rows(tmp_path / "1.csv", rows, lambda path: "Fauvism")
    result = suggest("-n", 4, "--labelled", file)
    assert "one movement only: paintings are chosen to differ" in result.stderr
    assert len(result.stdout.splitlines()) == 4


def test_formats_and_page(suggest, tmp_path):
    rows = read_rows(suggest("-n", 3, "--format", "csv"))
    file = write_rows(tmp_path / "1.csv", rows, color_of)
    page = tmp_path / "next.html"
    words = ("-n", 4, "--labelled", file)
    found = json.loads(suggest(*words, "--format", "json", "--html", page).stdout)
    table = suggest(*words).stdout
    paths = [one["path"] for one in found]
    assert [line for line in table.splitlines() if line[:1] != " "] == paths
    assert [row["path"] for row in read_rows(suggest(*words, "--format", "csv"))] == (
        paths
    )
    for one in found:
        assert len(one["predictions"]) == 3
        assert sum(x["probability"] for x in one["predictions"]) == pytest.approx(1)
    html = page.read_text("utf-8")
    assert html.count("data:image/jpeg") == 4
    assert all(path in html for path in paths) and str(tmp_path) not in html
    assert "already" in suggest(*words, "--html", page).stderr


def test_errors_name_options(suggest, scans, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("path,movement\nnone.png,Fauvism\n")
    result = suggest("--labelled", table)
    assert result.exit_code == 2
    assert "lists files that don't exist, 1 in all" in result.stderr
    assert f"refer to the folder {str(scans)!r}" in " ".join(result.stderr.split())
    names = sorted(path.relative_to(scans) for path in scans.rglob("*.png"))
    table.write_text("path;movement\n" + "".join(f"{name};x\n" for name in names))
    other = tmp_path / "other.csv"
    other.write_text("Scan,Epoch\nred3.png,Dada\ngreen4.png,Dada\nblue5.png,Pop\n")
    assert "pass --path-column" in suggest("--labelled", other).stderr
    for name in ("--path-column", "--movement-column"):
        result = suggest(name, "Scan")
        assert result.exit_code == 2
        assert f"{name} is for --labelled: pass both" in result.stderr
    words = ("--path-column", "Scan", "--movement-column", "Epoch")
    result = suggest("--labelled", other, *words)
    assert "labelled: 3 paintings of 2 movements" in result.stderr
    assert "all images" in suggest("--labelled", table).stderr
    result = run("suggest", table)
    assert result.exit_code == 2 and "must be a folder" in result.stderr


def test_predict_sorts_by_certainty(model, scans, tmp_path):
    base = ["predict", model, scans, "--cache", tmp_path / "c", "--format"]

    def predict(*words):
        return run(*base, *words).stdout

    given = json.loads(predict("json"))
    found = json.loads(predict("json", "--sort", "unsure"))
    assert "error" in found[-1]  # unreadable files last
    margins = [
        one["predictions"][0]["probability"] - one["predictions"][1]["probability"]
        for one in found[:-1]
    ]
    assert margins == sorted(margins) and len(set(margins)) > 1
    assert {one["path"] for one in found} == {one["path"] for one in given}
    paths = [one["path"] for one in found[:-1]]
    # Another number of movements shown does not change the order.
    rows = csv.DictReader(io.StringIO(predict("csv", "--sort", "unsure", "--top-k", 1)))
    assert [row["path"] for row in rows][:-1] == paths
    lines = predict("table", "--sort", "unsure", "--top-k", 1).splitlines()
    assert lines[::2] == paths


@pytest.mark.slow
def test_labels_from_the_page_are_learned(suggest, open_page, tmp_path):
    rows = read_rows(suggest("-n", 3, "--format", "csv"))
    first = write_rows(tmp_path / "1.csv", rows, color_of)
    page = tmp_path / "next.html"
    found = json.loads(
        suggest("-n", 3, "--labelled", first, "--format", "json", "--html", page).stdout
    )
    window = open_page(page)
    cards = window.locator("article")
    assert window.inner_text("#count") == "0 of 3 done"
    assert window.locator("#save").is_disabled()
    assert cards.nth(0).locator("h2").inner_text() == found[0]["path"]
    # One by its prediction, one by hand, and one that can't be told.
    predicted = found[0]["predictions"][0]["movement"]
    cards.nth(0).get_by_role("button", name=predicted).click()
    cards.nth(1).get_by_label("Movement").fill(' Op "Art", late')
    cards.nth(1).get_by_label("Artist").fill("Riley")
    assert window.inner_text("#count") == "2 of 3 done"
    window.reload()  # labels are kept
    assert window.inner_text("#count") == "2 of 3 done"
    cards.nth(2).get_by_role("button", name="tell").click()
    assert cards.nth(2).get_by_label("Movement").is_disabled()
    with window.expect_download() as download:
        window.get_by_role("button", name="Download labels").click()
    assert download.value.suggested_filename == "next.csv"
    second = tmp_path / "2.csv"
    download.value.save_as(second)
    with open(second, encoding="utf-8-sig", newline="") as file:
        saved = list(csv.DictReader(file))
    assert list(saved[0]) == list(rows[0])
    assert [row["path"] for row in saved] == [one["path"] for one in found]
    assert [row["movement"] for row in saved] == [
        predicted,
        'Op "Art", late',
        "",
    ]
    assert [row["artist"] for row in saved] == ["", "Riley", ""]
    result = suggest("--labelled", first, "--labelled", second)
    assert "labelled: 5 paintings of 4 movements" in result.stderr
    assert "left out, listed without a movement: 1" in result.stderr
