"""Nearest paintings and explained predictions by the commands."""

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import Elements, finish, run, start
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import HandcraftedFeatures, ImageLoader, save_model
from skart.datasets import load_image_folder
from skart.exploration import PaintingIndex
from skart.persistence._parts import digest_paintings

NAMES = [
    f"{movement}/{artist}/{i}.png"
    for movement, artists in (("Cubism", "AB"), ("Rococo", "CD"))
    for artist in artists
    for i in range(3)
]
DESCRIPTORS = ("color_layout", "hsv")


@pytest.fixture
def paintings(make_folder):
    return load_image_folder(make_folder(NAMES))


@pytest.fixture
def model(paintings, tmp_path):
    """A model file without a network; it was trained on all paintings but the last."""
    cache = tmp_path / "cache"
    features = HandcraftedFeatures(DESCRIPTORS, cache=cache, verbose=False)
    pipe = make_pipeline(ImageLoader(24), features, LogisticRegression())
    pipe.fit(paintings.paths[:-1], paintings.labels[:-1])
    digests = digest_paintings(paintings.paths[:-1], cache)
    save_model(pipe, tmp_path / "model.skart", notes={"digests": digests})
    return tmp_path / "model.skart"


@pytest.fixture
def similar(paintings, model, tmp_path):
    """Return a function that runs `skart similar` on the paintings."""

    def similar(*arguments):
        options = ("--model", model, "--cache", tmp_path / "cache")
        return run("similar", tmp_path / "folder", *arguments, *options)

    return similar


@pytest.fixture
def index(paintings):
    features = HandcraftedFeatures(DESCRIPTORS, verbose=False)
    extractor = make_pipeline(ImageLoader(24), features)
    return PaintingIndex(extractor).fit(paintings.paths, artists=paintings.artists)


def test_neighbours_are_those_of_the_index(similar, index, paintings):
    done = similar(*paintings.paths[[0, 7]], "-n", 4, "--format", "json")
    assert done.exit_code == 0, done.output
    distances, indices = index.kneighbors(paintings.paths[[0, 7]], 4)
    for row, answer in enumerate(json.loads(done.stdout)):
        assert answer["image"] == paintings.paths[[0, 7][row]]
        found = answer["neighbors"]
        assert [x["path"] for x in found] == [*paintings.paths[indices[row]]]
        assert [x["movement"] for x in found] == [*paintings.labels[indices[row]]]
        assert [x["artist"] for x in found] == [*paintings.artists[indices[row]]]
        expected = 1 - distances[row]
        np.testing.assert_allclose([x["similarity"] for x in found], expected, 1e-5)


def test_artists_of_images(similar, index, paintings, tmp_path):
    new = shutil.copy(paintings.paths[0], tmp_path / "new.png")
    (answer,) = json.loads(similar(new, "-n", 20, "--format", "json").stdout)
    assert {x["artist"] for x in answer["neighbors"]} == {*"BCD"}
    done = similar(new, "-n", 20, "--format", "json", "--any-artist")
    (answer,) = json.loads(done.stdout)
    assert len(answer["neighbors"]) == 11
    done = similar(new, "-n", 20, "--format", "json", "--artist", "C")
    (answer,) = json.loads(done.stdout)
    assert {x["artist"] for x in answer["neighbors"]} == {*"BD"}
    again = similar(new, "-n", 20, "--format", "json", "--artist", " c")
    assert again.stdout == done.stdout  # in another spelling
    done = similar(new, "--artist", "E")
    assert done.exit_code == 2
    assert "--artist E: no painting" in done.stderr and "A, B, C, D" in done.stderr
    done = similar(new, "--artist", "C", "--any-artist")
    assert done.exit_code == 2 and "pass one of them" in done.stderr


def test_table_keeps_names_of_files_whole_in_a_pipe(similar, paintings, tmp_path):
    long = tmp_path / "folder/Cubism" / ("Artist " * 9).strip() / f"{'title ' * 20}.png"
    long.parent.mkdir()
    shutil.copy(paintings.paths[0], long)
    done = similar(paintings.paths[0], paintings.paths[7], "-n", 12)
    lines = done.stdout.splitlines()
    assert lines[0] == paintings.paths[0] and paintings.paths[7] in lines
    assert any(line.endswith(long.name) for line in lines)
    assert all("Artist Artist Artis…" in line for line in lines if long.name in line)
    # The copy by another artist is the painting itself.
    assert "1.000" not in done.stdout
    assert lines[-1] == f"Files are in {tmp_path / 'folder'}"


def test_csv_has_a_row_for_each_neighbour(similar, paintings):
    done = similar(paintings.paths[0], "-n", 2, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert {row["image"] for row in rows} == {paintings.paths[0]}
    assert float(rows[0]["similarity"]) >= float(rows[1]["similarity"])
    assert all(row["artist"] in "BCD" for row in rows)


def test_unreadable_images_are_named_and_others_answered(similar, paintings, tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    shutil.copy(paintings.paths[3], scans / "good.png")
    (scans / "bad.png").write_bytes(b"no image")
    html = tmp_path / "page.html"
    done = similar(scans, "--format", "json", "--html", html)
    assert done.exit_code == 1
    assert "bad.png' can't be read: not an image" in done.stderr
    bad, good = json.loads(done.stdout)
    assert bad["error"].startswith("not an image") and len(good["neighbors"]) == 9
    page = Elements(html.read_text())
    assert len(page.all("img")) == 10
    assert page.table("")[1][0] == "bad.png"
    # Of the collection, they are left out.
    (tmp_path / "folder/Cubism/A/0.png").write_bytes(b"no image")
    done = similar(scans / "good.png", "--format", "json")
    assert len(json.loads(done.stdout)[0]["neighbors"]) == 8
    assert "A/0.png': not an image" in done.stderr and done.exit_code == 0


def test_one_movement_or_none(paintings, model, tmp_path):
    options = ("--cache", tmp_path / "cache", "--model", tmp_path / "model.skart")
    image, flat = paintings.paths[0], tmp_path / "one" / "Cubism"
    flat.mkdir(parents=True)
    for number, path in enumerate(paintings.paths[:4]):
        shutil.copy(path, flat / f"{number}.png")
    for folder, movement in ((flat.parent, "Cubism"), (flat, None)):
        done = run("similar", folder, image, *options, "--format", "json")
        assert done.exit_code == 0, done.stderr
        assert ("read without movements" in done.stderr) == (movement is None)
        (answer,) = json.loads(done.stdout)
        assert answer["image"] == image and len(answer["neighbors"]) == 3
        assert {one["movement"] for one in answer["neighbors"]} == {movement}
    done = run("similar", image, flat, *options)
    assert done.exit_code == 2 and "is an image: pass a folder" in done.stderr
    table = tmp_path / "works.csv"
    names = [str(path.relative_to(tmp_path)) for path in sorted(flat.iterdir())]
    rows = [f"{name},{artist}" for name, artist in zip(names, "ABAB", strict=True)]
    table.write_text("\n".join(["path,artist", *rows]))
    done = run("similar", table, image, *options, "--format", "json")
    artists = [x["artist"] for x in json.loads(done.stdout)[0]["neighbors"]]
    assert artists == ["B", "B"]
    table.write_text("\n".join(["path,style", *(f"{name},Cubism" for name in names)]))
    done = run("similar", table, image, *options, "--format", "json")
    (answer,) = json.loads(done.stdout)
    assert {one["movement"] for one in answer["neighbors"]} == {"Cubism"}
    table.write_text("path\nlost.png")
    done = run("similar", table, image, *options)
    assert done.exit_code == 2 and "--root" in done.stderr and "lost.png" in done.stderr
    assert "--on-error" not in done.stderr
    table.write_text("\n".join(["path", *names, "lost.png"]))
    done = run("similar", table, image, *options)
    assert done.exit_code == 0 and "row 5 ('lost.png'). They are" in done.stderr


def test_unknown_artists(similar, paintings, tmp_path):
    flat = tmp_path / "flat"
    for path, label in zip(paintings.paths, paintings.labels, strict=True):
        (flat / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, flat / label / path.replace("/", "_"))
    options = ("--cache", tmp_path / "cache", "--model", tmp_path / "model.skart")
    html = tmp_path / "page.html"
    done = run("similar", flat, paintings.paths[0], *options, "--html", html)
    assert done.exit_code == 0 and len(done.stdout.splitlines()) == 1 + 11 + 2
    assert "by other artists" not in html.read_text()
    done = run("similar", flat, paintings.paths[0], *options, "--artist", "A")
    assert done.exit_code == 2 and "are not known" in done.stderr


def test_file_whose_name_begins_with_a_dash(model, paintings, tmp_path):
    shutil.copy(paintings.paths[0], tmp_path / "-x.png")
    script = "from skart.cli import main; main()"
    process = start(script, "predict", model, "-x.png", cwd=tmp_path)
    _, stderr = process.communicate()
    assert process.returncode == 2 and "No such option" in stderr
    assert "'-x.png' is also a file: if you mean it, pass ./-x.png" in stderr


def test_page_is_replaced_only_by_force(
    similar, model, paintings, tmp_path, monkeypatch
):
    html = tmp_path / "page.html"
    html.write_text("mine")
    done = similar(paintings.paths[0], "--html", html)
    assert done.exit_code == 2 and "Pass --force" in done.stderr
    assert html.read_text() == "mine"
    assert similar(paintings.paths[0], "--html", html, "--force").exit_code == 0
    page = Elements(html.read_text())
    assert len(page.all("img")) == 10 and not page.all("script")
    assert not any(str(tmp_path) in str(tag) for tag in page.tags)
    monkeypatch.chdir(tmp_path / "folder")
    options = ("--model", model, "--cache", tmp_path / "cache", "--force")
    run("similar", ".", paintings.paths[0], "--html", html, *options, code=0)
    assert "of folder<" in html.read_text()
    done = similar(paintings.paths[0], "--html", tmp_path / "page.htm")
    assert done.exit_code == 2 and "must end in .html" in done.stderr


def test_predictions_are_explained_by_training_paintings(
    model, index, paintings, tmp_path
):
    html = tmp_path / "page.html"
    options = ("--cache", tmp_path / "cache", "--html", html, "--force")
    image = paintings.paths[-1]
    done = run("predict", model, image, *options, "--format", "json")
    assert done.exit_code == 0, done.output
    (answer,) = json.loads(done.stdout)
    page = Elements(html.read_text())
    assert len(page.all("img")) == 1
    for one in answer["predictions"]:
        assert f"{one['movement']}{one['probability']:.0%}\n" in page.text
    best = answer["predictions"][0]

    folder = tmp_path / "folder"
    assert run("predict", model, image, *options, "--data", folder).exit_code == 0
    page = Elements(html.read_text())
    assert len(page.all("img")) == 6
    assert f"nearest training paintings of {best['movement']}" in page.text
    assert "by other artists" not in page.text
    among = (paintings.labels == best["movement"]) & (paintings.paths != image)
    # The image is not one of the training paintings, so its artist is not known.
    _, (indices,) = index.kneighbors([image], 6, among=among, other_artists=False)
    found = indices[indices >= 0]
    links = [tag["href"] for tag in page.all("a") if tag["href"].startswith("folder")]
    expected = [str(x).replace(f"{tmp_path}/", "") for x in paintings.paths[found]]
    assert links[1:] == expected


def test_a_training_painting_is_not_explained_by_its_own_artist(
    model, paintings, tmp_path
):
    html = tmp_path / "page.html"
    options = ("--cache", tmp_path / "cache", "--html", html)
    folder = tmp_path / "folder"
    run("predict", model, paintings.paths[0], *options, "--data", folder)
    page = Elements(html.read_text())
    assert ", by other artists" in page.text
    links = [tag["href"] for tag in page.all("a")]
    links = [link for link in links if link.startswith("folder/")]
    assert links[0] == "folder/Cubism/A/0.png"
    assert len(links) > 1 and not any("/A/" in link for link in links[1:])


def test_explanations_are_of_corrected_movements(model, paintings, tmp_path):
    html, file = tmp_path / "page.html", tmp_path / "corrections.csv"
    rows = [f"Rococo/{x}/{i}.png,Rococo,exclude,\n" for x in "CD" for i in (1, 2)]
    file.write_text("path,movement,decision,corrected\n" + "".join(rows))
    data = ("--data", tmp_path / "folder", "--corrections", file, "--html", html)
    done = run("predict", model, paintings.paths[-1], *data, "--cache", tmp_path / "c")
    assert done.exit_code == 0 and "0 changed, 4 left out" in done.stderr
    links = {tag["href"] for tag in Elements(html.read_text()).all("a")}
    assert links & {f"folder/{name}" for name in NAMES[6:]} <= {
        *("folder/Rococo/C/0.png", "folder/Rococo/D/0.png"),
        "folder/Rococo/D/2.png",  # the image itself
    }
    assert any(link.endswith("0.png") for link in links)


def test_data_must_hold_training_paintings(model, paintings, tmp_path):
    options = ("--cache", tmp_path / "cache", "--data")
    html = ("--html", tmp_path / "page.html")
    done = run("predict", model, paintings.paths[0], *options, tmp_path / "folder")
    assert done.exit_code == 2 and "--data is for --html and --unknown" in done.stderr
    done = run("predict", model, paintings.paths[0], "--artists", "names")
    assert done.exit_code == 2 and "--artists is for --data" in done.stderr
    for path in paintings.paths:
        with open(path, "ab") as file:
            file.write(b"changed")
    done = run(
        "predict", model, paintings.paths[0], *options, tmp_path / "folder", *html
    )
    assert done.exit_code == 2
    assert "trained on none of these 12 paintings" in done.stderr


def test_data_may_be_a_table(model, paintings, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    table = paintings.frame.assign(
        file=[os.path.relpath(path, tmp_path / "folder") for path in paintings.paths],
        path="none.png",
    )
    table.to_csv(tmp_path / "works.csv", index=False)
    html = tmp_path / "page.html"
    options = ("--html", html, "--force", "--cache", tmp_path / "cache")
    options += ("--path-column", "file", "--root", tmp_path / "folder")
    for data in ("~/works.csv", tmp_path / "folder"):
        run("predict", model, paintings.paths[-1], *options, f"--data={data}", code=0)
        links = [tag["href"] for tag in Elements(html.read_text()).all("a")]
        assert sum(link.startswith("folder/") for link in links) == 6


def test_data_may_be_parquet_files_of_images(model, paintings, tmp_path):
    pytest.importorskip("pyarrow")
    images = [Path(path).read_bytes() for path in paintings.paths]
    table = paintings.frame.drop(columns="path").assign(picture=images)
    (tmp_path / "tables").mkdir()
    for part in range(2):
        file = tmp_path / "tables" / f"{part}.parquet"
        table.iloc[part::2].to_parquet(file, index=False)
    html = tmp_path / "page.html"
    options = ("--html", html, "--force", "--cache", tmp_path / "cache")
    options += ("--image-column", "picture", "--data")
    image = paintings.paths[-1]
    # The option may also be for the table of images alone.
    for data in ("tables", "folder"):
        for given in (image, tmp_path / "tables" / "0.parquet"):
            run("predict", model, given, *options, tmp_path / data, code=0)
            assert "training paintings" in Elements(html.read_text()).text
    missing = tmp_path / "tables" / "no-*.parquet"
    done = run("predict", model, image, *options, missing, code=2)
    assert "there is no Parquet file" in done.stderr


@pytest.mark.slow
def test_page_of_hostile_names_in_a_browser(model, paintings, tmp_path, open_page):
    artist = tmp_path / 'folder/"<b>Art&amp;/<img src=x onerror=alert(1)> \u202eabc'
    artist.mkdir(parents=True)
    for i, name in enumerate(("a" * 90, "$x$\x07", os.fsdecode(b"\xff\xfe"))):
        shutil.copy(paintings.paths[i], artist / f"{name}.png")
    html = tmp_path / "page.html"
    arguments = [
        *("similar", tmp_path / "folder", *artist.iterdir(), paintings.paths[7]),
        *("-n", "20", "--html", html, "--model", model, "--cache", tmp_path / "cache"),
    ]
    # In a process of its own, which prints names that are no Unicode.
    script = "from skart.cli import main; main()"
    lines = finish(start(script, *arguments)).splitlines()
    assert "\\udcff" in lines[0] + lines[10] + lines[20]
    for width in (1280, 390):
        page = open_page(html, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.locator("h2").count() == 4
        assert page.locator("img").count() == len(Elements(page.content()).all("img"))
        loaded = "Array.from(document.images, x => x.naturalWidth > 0)"
        assert all(page.evaluate(loaded))
        texts = page.locator(".gallery figcaption").all_inner_texts()
        assert any("<img src=x onerror=alert(1)>" in text for text in texts)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") in ("A", "NAV")
