import functools
import json
import re

import helpers
import pytest
from helpers import save_image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

import skart
from skart import HandcraftedFeatures, ImageLoader
from skart.datasets import load_image_folder


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """A folder of 24 paintings by six artists in two movements."""
    folder = tmp_path_factory.mktemp("map") / "collection"
    for i in range(24):
        artist = f"artist {i % 6}"
        movement = "Cubism" if i % 6 < 3 else "Fauvism"
        save_image(folder / movement / artist / f"{i:02}.png", (60, 40), i)
    return folder


@pytest.fixture(scope="module")
def model(paintings, tmp_path_factory):
    """A model file with features that need no network."""
    folder = tmp_path_factory.mktemp("model")
    pipe = Pipeline(
        [
            ("load", ImageLoader(40)),
            ("features", HandcraftedFeatures("hsv", cache=folder / "cache")),
            ("head", LogisticRegression()),
        ]
    )
    bunch = load_image_folder(paintings)
    skart.save_model(pipe.fit(bunch.paths, bunch.labels), folder / "model.skart")
    return folder / "model.skart"


run = functools.partial(helpers.run, "map")


def read_data(page):
    text = page.read_text("utf-8")
    return json.loads(re.search(r'<script id="data".*?>(.*?)</script>', text)[1])


def test_map_with_a_model_shows_right_and_wrong(paintings, model, tmp_path):
    out = tmp_path / "map.html"
    arguments = (paintings, "--model", model, "--out", out, "--cache", tmp_path / "c")
    done = run(*arguments)
    assert done.exit_code == 0, done.stderr
    assert "cross-validated" in done.stderr and "artists kept apart" in done.stderr
    assert f"saved {out}: 24 paintings" in done.stderr
    data = read_data(out)
    assert [facet["name"] for facet in data["facets"]] == [
        *("movement", "artist", "predicted", "result")
    ]
    assert data["columns"][0][0] == "confidence"
    artists = data["facets"][1]["codes"]
    for i, near in enumerate(data["neighbors"]):
        assert len(near) == 4 and all(artists[j] != artists[i] for j in near)
    assert "<title>collection</title>" in out.read_text("utf-8")
    again = run(*arguments)
    assert again.exit_code == 2 and "Pass --force to replace it" in again.stderr
    assert run(*arguments, "--force", "--title", "Mine").exit_code == 0
    assert "<title>Mine</title>" in out.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "title"), [("works.v1.2", "works.v1.2"), ("..", "collection")]
)
def test_title_is_the_name_of_the_folder(
    paintings, model, tmp_path, monkeypatch, name, title
):
    (tmp_path / "works.v1.2").symlink_to(paintings)
    monkeypatch.chdir(paintings / "Cubism" if name == ".." else tmp_path)
    out = tmp_path / "map.html"
    options = ("--layout", "pca", "--cache", model.parent / "cache")
    done = run(name, "--model", model, "--out", out, *options)
    assert done.exit_code == 0, done.stderr
    assert f"<title>{title}</title>" in out.read_text("utf-8")


def test_map_shows_other_columns_of_a_table(paintings, model, tmp_path):
    bunch, table = load_image_folder(paintings), tmp_path / "works.csv"
    frame = bunch.frame.assign(
        year=range(1900, 1924), title=[f"No. {i}" for i in range(24)]
    )
    frame.to_csv(table, index=False)
    out = tmp_path / "map.html"
    done = run(table, "--model", model, "--out", out, "--cache", tmp_path / "c")
    assert done.exit_code == 0, done.stderr
    text = out.read_text("utf-8")
    assert "No. 7" in text and "1907" in text
    wrong = run(paintings, "--out", tmp_path / "map.txt")
    assert wrong.exit_code == 2 and "must end in .html" in wrong.stderr


@pytest.mark.slow  # a network
def test_map_of_a_folder_without_movements(tmp_path):
    for i in range(7):
        save_image(tmp_path / "flat" / f"{i}.png", (60, 40), i)
    (tmp_path / "flat" / "8.png").write_bytes(b"no image")
    arguments = (
        tmp_path / "flat",
        "--out",
        tmp_path / "map.html",
        "--weights",
        "random",
    )
    arguments += ("--layout", "pca", "--cache", tmp_path / "c")
    done = run(*arguments)
    assert done.exit_code == 2 and "8.png" in done.stderr
    done = run(*arguments, "--on-error", "skip")
    assert done.exit_code == 0, done.stderr
    assert "read without movements" in done.stderr
    data = read_data(tmp_path / "map.html")
    assert data["facets"] == [] and len(data["x"]) == 7
