"""Images that are none of the movements, by `skart predict --unknown`."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from helpers import Elements, run
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import HandcraftedFeatures, ImageLoader, save_model
from skart.datasets import load_image_folder
from skart.exploration import NoveltyDetector
from skart.persistence._parts import digest_paintings

HUES = {"Cubism": (200, 60, 40), "Rococo": (40, 60, 200)}
CONFIDENCE = [0.4 + 0.01 * i for i in range(50)]


def save_colour(file, colour, generator, spread=25):
    """Save an image of blocks of similar colours."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = generator.normal(colour, spread, (6, 6, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).resize((48, 48), 0).save(file)
    return file


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    folder, generator = tmp_path_factory.mktemp("unknown"), np.random.default_rng(0)
    for movement, hue in HUES.items():
        for artist in "ABCDE":
            for i in range(5):
                name = f"{movement}/{artist} of {movement}/{i}.png"
                save_colour(folder / "paintings" / name, hue, generator)
    return load_image_folder(folder / "paintings")


@pytest.fixture(scope="module")
def folder(paintings, tmp_path_factory):
    """The folder of the paintings, a model and two images."""

    folder = Path(paintings.paths[0]).parents[3]
    features = HandcraftedFeatures("color_layout", cache=folder / "c", verbose=False)
    pipe = make_pipeline(ImageLoader(24), features, LogisticRegression())
    pipe.fit(paintings.paths, paintings.labels)
    notes = {"digests": digest_paintings(paintings.paths, folder / "c")}
    save_model(pipe, folder / "plain.skart", notes=notes)
    notes["calibration"] = {"confidence": CONFIDENCE}
    save_model(pipe, folder / "model.skart", notes=notes)
    generator = np.random.default_rng(1)
    save_colour(folder / "known.png", HUES["Cubism"], generator)
    save_colour(folder / "green.png", (20, 250, 20), generator, spread=0)
    return folder


@pytest.fixture
def predict(folder):
    """Return a function that runs `skart predict` on the two images."""

    def predict(*options, model="model.skart", images=("known.png", "green.png")):
        images = [folder / name for name in images]
        return run(
            "predict", folder / model, *images, "--cache", folder / "c", *options
        )

    return predict


def test_images_are_compared_by_their_features(predict, folder, paintings):
    options = ("--unknown", "0.1", "--data", folder / "paintings")
    known, green = json.loads(predict(*options, "--format", "json").stdout)
    assert not known["none_of_these"] and green["none_of_these"]
    extractor = make_pipeline(
        ImageLoader(24), HandcraftedFeatures("color_layout", verbose=False)
    )
    detector = NoveltyDetector(extractor, refusal_rate=0.1)
    detector.fit(paintings.paths, paintings.labels, artists=paintings.artists)
    files = [str(folder / "known.png"), str(folder / "green.png")]
    assert detector.predict(files).tolist() == [1, -1]
    (score,) = detector.score_samples(files[:1])
    expected = (1 + np.sum(detector.scores_ <= score)) / 51
    assert known["typicality"] == pytest.approx(expected, abs=1e-6)
    assert green["typicality"] == pytest.approx(1 / 51, abs=1e-6)
    # Features need no probabilities of known paintings.
    assert predict(*options, model="plain.skart").exit_code == 0


def test_images_are_compared_by_their_probabilities(predict):
    plain = json.loads(predict("--format", "json").stdout)
    for share in (0.02, 0.3, 0.5):
        found = json.loads(predict("--unknown", share, "--format", "json").stdout)
        for one, given in zip(found, plain, strict=True):
            highest = one["predictions"][0]["probability"]
            expected = (1 + np.sum(np.array(CONFIDENCE) <= highest)) / 51
            assert one["typicality"] == pytest.approx(expected, abs=1e-6)
            assert one["none_of_these"] == (expected <= share)
            assert one["predictions"] == given["predictions"]
            assert "typicality" not in given


def test_tables_and_pages_mark_them(predict, folder, tmp_path):
    options = ("--unknown", "0.1", "--data", folder / "paintings")
    html = tmp_path / "page.html"
    lines = predict(*options, "--html", html).stdout.splitlines()
    green = lines.index(str(folder / "green.png"))
    remark = "None of these: 2% of the known paintings are as unusual"
    assert lines[green + 1] == f"  {remark}"
    assert sum("None of these" in line for line in lines) == 1
    page = Elements(html.read_text())
    assert page.text.count(remark) == page.text.count("None of these") == 1
    line = "less like the known paintings than 10% of these, compared by their feat"
    assert line in page.text
    text = predict(*options, "--format", "csv", "--top-k", 1).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["none_of_these"] for row in rows] == ["False", "True"]
    assert 0 < float(rows[1]["typicality"]) < float(rows[0]["typicality"]) <= 1
    assert "typicality" not in predict("--format", "csv").stdout


def test_unreadable_images_have_no_mark(predict, folder):
    (folder / "broken.png").write_bytes(b"no image")
    options = ("--unknown", "0.1", "--format", "csv")
    done = predict(*options, images=("broken.png", "known.png"))
    assert done.exit_code == 1
    broken, *_ = csv.DictReader(io.StringIO(done.stdout))
    assert broken["none_of_these"] == "" and "error" in broken and broken["error"]
    page = folder / "broken.html"
    done = predict(*options, "--html", page, images=("broken.png",))
    assert done.exit_code == 1 and "saved" not in done.stderr and not page.exists()
    assert done.stdout.startswith("path,rank,movement,probability,none_of_these,typic")


def test_training_paintings_are_named(predict, folder, paintings, tmp_path):
    html, trained = tmp_path / "page.html", paintings.paths[:5]
    names = ", ".join(trained[:3])
    for options in ((), ("--unknown", "0.1")):
        images = ("known.png", *trained)
        done = predict(*options, "--format", "json", images=images)
        answers = json.loads(done.stdout)
        assert [x["trained_on"] for x in answers] == [False] + [True] * 5
        assert done.stderr.count("trained on") == 1
        assert "The model was trained on 5 of 6 images, and their pred" in done.stderr
        assert f"new paintings: {names} and 2 more\n" in done.stderr
        words = (*options, "--format", "csv", "--top-k", 1, "--html", html, "--force")
        rows = csv.DictReader(io.StringIO(predict(*words, images=images).stdout))
        assert [row["trained_on"] for row in rows] == ["False"] + ["True"] * 5
        text = Elements(html.read_text()).text
        assert text.count("The model was trained on this image.") == 5
    # More images than those for which an exported model is used.
    done = predict("--format", "json", images=["known.png", *paintings.paths[:40]])
    found = [answer["trained_on"] for answer in json.loads(done.stdout)]
    assert found == [False] + [True] * 40
    assert "trained on" not in predict().stderr


def test_unknown_artists_are_said(predict, folder):
    options = ("--unknown", "0.1", "--data", folder / "paintings", "--artists")
    done = predict(*options, r"(?P<artist>of \w+)/")
    assert done.exit_code == 0 and "artists are not known" not in done.stderr
    flat = folder / "flat"
    for movement in HUES:
        for file in (folder / "paintings" / movement).glob("*/*.png"):
            copy = flat / movement / f"{file.parent.name}{file.name}"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    done = predict("--unknown", "0.1", "--data", flat)
    assert done.exit_code == 0 and "artists are not known" in done.stderr


def test_what_is_missing_is_said(predict, folder):
    done = predict("--root", folder)
    assert done.exit_code == 2 and "is for a table: pass one" in done.stderr
    done = predict("--unknown", "0.1", model="plain.skart")
    assert done.exit_code == 2
    assert "--unknown needs a calibrated model" in done.stderr
    assert "or pass --data with the paintings it was trained on" in done.stderr
    done = predict("--unknown", "0.01", images=["known.png", "none.png"])
    assert done.exit_code == 2
    assert (
        "with 50 known paintings, the smallest share is 0.0197. Pass a" in done.stderr
    )
    assert "can't be read" not in done.stderr  # it is told before the predictions
    done = predict("--unknown", "0.7")
    assert done.exit_code == 2
    assert "--unknown 0.7: pass a share between 0.001 and 0.5\n" in done.stderr
    done = predict("--unknown", "5")
    assert "between 0.001 and 0.5: 0.05 for 5 %" in done.stderr
    assert "--unknown 0: pass a share" in predict("--unknown", "0").stderr
    done = predict("--data", folder / "paintings")
    assert done.exit_code == 2 and "pass one of them" in done.stderr
