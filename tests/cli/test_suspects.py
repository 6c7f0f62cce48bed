"""`skart suspects`, and corrections in the commands that read a collection."""

import functools
import io
import json
import os
import shutil

import helpers
import numpy as np
import pandas as pd
import pytest
from helpers import finish, needs_names_of_bytes, save_image, start
from PIL import Image
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skart import ImageLoader, save_model
from skart.cli._collection import Collection
from skart.cli._options import Source
from skart.features import HandcraftedFeatures
from skart.persistence._parts import digest_paintings

COLOURS = {"Cubism": (160, 120, 60), "Dada": (60, 60, 60), "Fauvism": (220, 60, 40)}

run = functools.partial(helpers.run, code=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Paintings of three colours by two artists each; one lies in a wrong folder."""
    root = tmp_path_factory.mktemp("art")
    generator = np.random.default_rng(0)
    for movement, colour in COLOURS.items():
        for number in range(8):
            pixels = generator.normal(colour, 20, (24, 32, 3)).clip(0, 255)
            file = root / movement / f"{movement} {number % 2}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(file)
    wrong = root / "Dada" / "Cubism 1"
    wrong.mkdir()
    os.rename(root / "Cubism" / "Cubism 1" / "3.png", wrong / "3.png")
    return root


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    """A model file with the notes of `skart train`."""
    file = tmp_path_factory.mktemp("model") / "model.skart"
    cache = file.parent / "store"
    collection = Collection(Source(folder))
    features = HandcraftedFeatures(["color_names"], verbose=False)
    pipe = make_pipeline(ImageLoader(16), features, GaussianNB())
    pipe.fit(collection.paths, collection.labels)
    save_model(pipe, file, notes={"digests": digest_paintings(collection.paths, cache)})
    return file


def test_table_json_and_csv_name_the_suspect(folder, model, tmp_path):
    arguments = ("suspects", folder, "--model", model, "--cache", tmp_path / "store")
    result = run(*arguments, "-n", 2)
    assert "24 paintings, the most suspect" in result.stdout
    assert "! wrong by confident learning, which is cautious: 1" in result.stdout
    assert "to decide on them: pass --html" in result.stdout
    assert "! Dada/Cubism 1/3.png: Dada, suggested Cubism" in result.stdout
    assert "3 of 3 other paintings by Cubism 1: Cubism" in result.stdout
    csv = tmp_path / "s.csv"
    text = run(*arguments, "-n", 2, "--csv", csv, "--format", "csv").stdout
    assert text == csv.read_text()
    table = pd.read_csv(io.StringIO(text))
    assert len(table) == 2 and table["path"][0] == "Dada/Cubism 1/3.png"
    assert table["artist"][0] == "Cubism 1" and table["issue"].tolist() == [True, False]
    assert str(folder) not in text
    found = json.loads(run(*arguments, "--format", "json").stdout)
    assert len(found) == 20 and found[0]["suggested"] == "Cubism"
    assert len(found[0]["neighbors"]) == 5
    result = run(*arguments, "--csv", csv, code=2)
    assert "s.csv: it exists already" in result.stderr


@needs_names_of_bytes
@pytest.mark.parametrize("format", ["table", "csv", "json"])
def test_names_that_are_no_utf_8(format, folder, model, tmp_path):
    root, csv = tmp_path / "art", tmp_path / "suspects.csv"
    shutil.copytree(folder, root)
    artist = root / "Dada" / os.fsdecode(b"Andr\xe9")
    (root / "Dada" / "Cubism 1").rename(artist)
    (artist / "3.png").rename(artist / os.fsdecode(b"caf\xe9.png"))
    script = "from skart.cli import main; main()"  # which sets the encoding
    options = ("--model", model, "--cache", tmp_path / "c", "--format", format)
    told = finish(start(script, "suspects", root, "--csv", csv, *options))
    assert r"Dada/Andr\udce9/caf\udce9.png" in told.replace("\\\\", "\\")
    assert pd.read_csv(csv)["path"][0] == r"Dada/Andr\udce9/caf\udce9.png"


def test_corrections_of_the_page_are_applied(folder, model, tmp_path):
    page, cache = tmp_path / "s.html", tmp_path / "store"
    run("suspects", folder, "--model", model, "--html", page, "--cache", cache)
    assert "Dada/Cubism 1/3.png" in page.read_text()
    assert str(folder) not in page.read_text()
    corrections = tmp_path / "corrections.csv"
    corrections.write_text(
        "\ufeffpath,movement,decision,corrected\r\n"
        "Dada/Cubism 1/3.png,Dada,change,Cubism\r\n"
        "Fauvism/Fauvism 0/0.png,Fauvism,exclude,\r\n"
        "Fauvism/Fauvism 0/2.png,Fauvism,keep,\r\n"
    )
    collection = Collection(Source(folder, corrections=[corrections]))
    assert collection.summary()["paintings"].to_dict() == {
        "Cubism": 8,
        "Dada": 8,
        "Fauvism": 7,
    }
    assert collection.remarks() == ["corrections: 1 changed, 1 left out"]
    options = ("--corrections", corrections, "--cache", cache)
    result = run("evaluate", model, folder, *options)
    assert "corrections: 1 changed, 1 left out" in result.stderr
    result = run("suspects", folder, "--model", model, *options)
    assert "corrections: 1 changed, 1 left out" in result.stderr
    assert "23 paintings, the most suspect" in result.stdout
    assert "which is cautious: 0" in result.stdout


def test_later_corrections_are_made_on_earlier_ones(folder, tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    titles = "path,movement,decision,corrected\n"
    first.write_text(f"{titles}Dada/Cubism 1/3.png,Dada,change,Fauvism\n")
    second.write_text(f"{titles}Dada/Cubism 1/3.png,Fauvism,change,Cubism\n")
    source = Source(folder, corrections=[first, second])
    collection = Collection(source)
    assert collection.summary()["paintings"].tolist() == [8, 8, 8]
    assert collection.remarks() == ["corrections: 1 changed, 0 left out"]
    words = source.as_arguments()
    assert words[1:] == ["--corrections", str(first), "--corrections", str(second)]
    result = run("profile", *words)
    assert "corrections: 1 changed, 0 left out" in result.stdout
    run("profile", folder, "--corrections", second, "--corrections", first, code=2)


def test_errors_of_corrections_name_row_and_file(folder, tmp_path):
    file = tmp_path / "c.csv"
    file.write_text("path,movement,decision,corrected\nDada/9.png,Dada,keep,\n")
    arguments = ("profile", folder, "--corrections", file)
    result = run(*arguments, code=2)
    assert f"'{file}', row 2: there is no such painting" in result.stderr
    file.write_text(
        "path,movement,decision,corrected\nDada/Dada 0/0.png,Dada,change,Cubsm\n"
    )
    result = run(*arguments, code=2)
    assert "has no movement 'Cubsm'" in result.stderr and "row 2" in result.stderr
    result = run("profile", folder, "--corrections", tmp_path / "no.csv", code=2)
    assert "there is no table" in result.stderr


def test_bad_options_are_errors_first(folder, tmp_path):
    result = run("suspects", folder, "--html", tmp_path / "s.htm", code=2)
    assert "the name must end in .html" in result.stderr
    result = run("suspects", folder, "--weights", tmp_path / "w.h5", code=2)
    assert "--weights is for the network of --model" in result.stderr
    save_image(tmp_path / "one" / "a.jpg")
    run("suspects", tmp_path / "one", code=2)
