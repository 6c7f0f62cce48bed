"""Prediction sets by the commands, and the calibration in model files."""

import csv
import functools
import io
import json

import helpers
import numpy as np
import pytest
from helpers import Elements
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import HandcraftedFeatures, ImageLoader, load_model, save_model
from skart.cli._sets import list_sets
from skart.datasets import load_image_folder
from skart.evaluation import Evaluation
from skart.persistence import model_info
from skart.persistence._calibration import promise_coverage

NAMES = [
    f"{movement}/{movement} {artist}/{i}.jpg"
    for movement in ("Dada", "Fauvism", "Rococo")
    for artist in range(6)
    for i in range(2)
]

ARTISTS = (
    "with artists apart, each movement has one artist left to train on, and none to "
    "validate with. Add paintings by other artists:"
)

run = functools.partial(helpers.run, code=0)


@pytest.fixture
def paintings(make_folder):
    return load_image_folder(make_folder(NAMES))


@pytest.fixture
def make_model(paintings, tmp_path):
    """Save a model whose calibration is given; return its file and the pipeline."""
    features = HandcraftedFeatures(["hsv"], verbose=False)
    pipe = make_pipeline(ImageLoader(16), features, LogisticRegression(C=0.02))
    pipe.fit(paintings.paths, paintings.labels)

    def make(calibration, **notes):
        file = tmp_path / "model.skart"
        save_model(pipe, file, notes={"calibration": calibration, **notes})
        return file, pipe

    return make


def calibration(probability, artists):
    return {"method": "", "accuracy": 0.5, "interval": [0.4, 0.6]} | {
        "artists": artists,
        "probability": probability,
        "confidence": probability,
        "movements": [0] * len(probability),
    }


def test_sets_of_images(make_model, paintings, tmp_path):
    paths = paintings.paths[:8]
    _, pipe = make_model(None)
    probabilities = pipe.predict_proba(paths)
    # Ten artists of one painting: at 80 %, the second lowest probability decides.
    least = np.median(probabilities).item()
    file, _ = make_model(calibration([0, least, *[0.9] * 8], list(range(10))))
    options = ["--cache", tmp_path / "c", "--sets", "0.8"]
    done = run("predict", file, *paths, *options, "--format", "json")
    assert "Sets hold the movement of 80% of paintings by new artists" in done.stderr
    rows = json.loads(done.stdout)
    sizes = set()
    for row, expected in zip(rows, probabilities, strict=True):
        found = {x["movement"] for x in row["predictions"]}
        assert found == set(pipe.classes_[expected >= least]) and found
        sizes.add(len(found))
    assert len(sizes) > 1
    text = run("predict", file, *paths, *options, "--format", "csv").stdout
    table = list(csv.DictReader(io.StringIO(text)))
    assert [(x["path"], x["movement"]) for x in table] == [
        (row["path"], x["movement"]) for row in rows for x in row["predictions"]
    ]
    page = tmp_path / "page.html"
    text = run("predict", file, *paths, *options, "--html", page).stdout
    assert len(text.splitlines()) == len(paths) + len(table)
    assert "Sets hold the movement of 80% of paintings by new artists" in (
        page.read_text("utf-8")
    )


def test_artists_weigh_the_same_if_they_are_known(make_model, paintings):
    # Half of all paintings, but one of ten artists.
    low, high = [0.3] * 9, [0.9] * 9
    artists = [0] * 9 + list(range(1, 10))
    file, _ = make_model(calibration(low + high, artists))
    done = run("predict", file, paintings.paths[0], "--sets", "0.8", "--format", "json")
    assert len(json.loads(done.stdout)[0]["predictions"]) == 1
    file, pipe = make_model(calibration(low + high, None))
    done = run("predict", file, paintings.paths[0], "--sets", "0.8", "--format", "json")
    n_likely = (pipe.predict_proba(paintings.paths[:1]) >= 0.3).sum()
    assert len(json.loads(done.stdout)[0]["predictions"]) == n_likely > 1
    assert "other paintings by the same artists, since artists are unk" in done.stderr


def test_too_few_artists_for_a_coverage(make_model, paintings):
    file, _ = make_model(calibration([0.9] * 10, list(range(10))))
    done = run(
        "predict", file, paintings.paths[0], "--sets", "0.95", "--format", "json"
    )
    assert len(json.loads(done.stdout)[0]["predictions"]) == 3
    assert "a coverage of 95 % needs 19 artists, and there are 10" in done.stderr
    assert "At most 90.9 % can be promised" in done.stderr
    done = run("predict", file, paintings.paths[0], "--sets", "0.909")
    assert "warning" not in done.stderr


def test_model_without_calibration(make_model, paintings):
    file, _ = make_model(None)
    done = run("predict", file, paintings.paths[0], "--sets", "0.9", code=2)
    assert (
        "model.skart' isn't calibrated: train it again by `skart train" in done.stderr
    )
    done = run("predict", file, paintings.paths[0], "--sets", "90", code=2)
    assert "--sets 90: pass a share between 0.01 and 0.999: 0.9 for 90 %" in done.stderr
    done = run("predict", file, paintings.paths[0], "--sets", "1", code=2)
    assert "sets of 100 % would hold all movements; pass 0.9" in done.stderr
    done = run("predict", file, "a.jpg", "--sets", "0.9", "--top-k", "2", code=2)
    assert "--top-k 2 and --sets: pass one of them" in done.stderr
    file, _ = make_model(calibration([0.3, 0.9], [0]))
    done = run("predict", file, paintings.paths[0], "--sets", "0.9", code=2)
    assert "model.skart' can't be loaded: it is damaged" in done.stderr


def test_too_few_artists_to_calibrate(make_folder, tmp_path, toy_backbone):
    # Both artists have painted both movements.
    artists = [f"{m}/{a}/{i}.jpg" for m in "xy" for a in "st" for i in range(3)]
    root, file = make_folder(artists), tmp_path / "m.skart"
    cache = ["--cache", tmp_path / "cache"]
    options = ["--backbone", toy_backbone, "--weights", "random", "--layer", "relu3"]
    done = run("train", root, *options, *cache, "--epochs", 1, "--out", file)
    reason = "a movement needs three or more"
    assert f"it is not calibrated: {ARTISTS} {reason}" in done.stderr
    assert "skart evaluate" not in done.stdout and "validation_split" not in done.stderr
    done = run("predict", file, root, *cache, "--sets", 0.9, code=2)
    assert f"{reason}. Then train it again" in done.stderr
    done = run("evaluate", file, root, *cache, code=2)
    assert f"skart: {ARTISTS} {reason}" in done.stderr


@pytest.mark.slow
def test_train_notes_what_sets_need(paintings, tmp_path, toy_backbone):
    file, root = tmp_path / "m.skart", tmp_path / "folder"
    options = ["--backbone", toy_backbone, "--weights", "random", "--layer", "relu3"]
    options += ["--epochs", "1", "--cache", tmp_path / "cache", "--out", file]
    done = run("train", root, *options)
    notes = model_info(file)["notes"]["calibration"]
    low, high = notes["interval"]
    assert 0 <= low < notes["accuracy"] < high <= 1
    line = (
        f"accuracy on new artists {notes['accuracy']:.1%} (95 % interval {low:.0%} to "
        f"{high:.0%}): cross-validated with 4 folds"
    )
    assert line in done.stdout and "validation accuracy" not in done.stdout
    n_paintings = len(paintings.paths)
    assert np.bincount(notes["artists"]).tolist() == [2] * 18
    classes = load_model(file).classes_
    assert classes[notes["movements"]].tolist() == paintings.labels.tolist()
    probability = np.array(notes["probability"])
    confidence = np.array(notes["confidence"])
    assert len(probability) == n_paintings and (probability <= confidence).all()
    # The predicted movement is the true one where both are equal.
    assert np.mean(probability == confidence) == pytest.approx(notes["accuracy"])
    assert "probability" not in run("info", file).stdout
    done = run("predict", file, paintings.paths[0], "--sets", "0.9")
    assert "by new artists" in done.stderr
    done = run("train", root, *options, "--no-calibrate", "--force", "--format", "json")
    assert model_info(file)["notes"]["calibration"] is None
    assert json.loads(done.stdout)["calibration"] is None


def test_evaluate_shows_sets(make_model, tmp_path):
    file, _ = make_model(None)
    words = [file, tmp_path / "folder", "--folds", "3", "--cache", tmp_path / "c"]
    answer = json.loads(run("evaluate", *words, "--format", "json").stdout)
    sets = answer["prediction_sets"]
    assert sets["coverage"] == 0.9
    assert [x["movement"] for x in sets["movements"]] == ["Dada", "Fauvism", "Rococo"]
    assert set(sets["all"]) == {
        *("paintings", "covered", "size", "random_covered", "random_size")
    }
    text = run("evaluate", *words).stdout
    assert "prediction sets for 90% of paintings by new artists" in text
    row = next(line.split() for line in text.splitlines() if line.startswith("all "))
    assert row[1:3] == [
        f"{100 * sets['all']['covered']:.0f}",
        f"{sets['all']['size']:.1f}",
    ]


@pytest.mark.parametrize(
    ("artists", "whose"),
    [([0, 1], "paintings by new artists"), (None, "other paintings by the same")],
)
def test_promise_is_that_of_the_calibration(artists, whose):
    known = np.array([0.5, 0.6]), artists
    for groups in (None, ["Arp", "Ernst"]):  # of the new paintings
        evaluation = Evaluation(
            ["Dada", "Rococo"],
            probabilities=[[0.7, 0.3], [0.4, 0.6]],
            classes=["Dada", "Rococo"],
            groups=groups,
        )
        title = " ".join(list_sets(evaluation, known)[1:4])
        assert f"sets for 90% of {whose}" in title
        assert f"90% of {whose}" in promise_coverage(0.9, known)


@pytest.mark.slow
def test_evaluate_counts_the_sets_of_the_model_on_new_paintings(
    make_model, paintings, tmp_path
):
    _, pipe = make_model(None)
    probabilities = pipe.predict_proba(paintings.paths)
    # Ten artists of one painting: at 90 %, the lowest probability decides.
    least = np.median(probabilities).item()
    file, _ = make_model(calibration([least, *[0.9] * 9], list(range(10))), digests=[])
    words = [file, tmp_path / "folder", "--cache", tmp_path / "c"]
    answer = json.loads(run("evaluate", *words, "--format", "json").stdout)
    sets = answer["prediction_sets"]
    expected = probabilities >= least
    expected[np.arange(36), probabilities.argmax(axis=1)] = True
    codes = np.searchsorted(pipe.classes_, paintings.labels)
    assert sets["calibrated_in_training"]
    assert sets["all"]["size"] == pytest.approx(expected.sum(axis=1).mean())
    assert sets["all"]["covered"] == pytest.approx(
        expected[np.arange(36), codes].mean()
    )
    assert "by new artists, calibrated in" in run("evaluate", *words).stdout
    page = tmp_path / "page.html"
    run("report", *words, "--out", page)
    caption = "Prediction sets"
    (row,) = [x for x in Elements(page.read_text()).table(caption) if x[0] == "all"]
    size = f"{sets['all']['size']:.1f}"
    assert row == ["all", f"{sets['all']['covered']:.1%}", size]
    assert "those of the model, which was calibrated before" in page.read_text()


@pytest.mark.slow
def test_exported_model_has_the_calibration(paintings, tmp_path, toy_backbone):
    file, root = tmp_path / "m.skart", tmp_path / "folder"
    options = ["--backbone", toy_backbone, "--weights", "random", "--layer", "relu3"]
    options += ["--epochs", "1", "--cache", tmp_path / "cache", "--out", file]
    run("train", root, *options)
    run("export", file)
    words = [paintings.paths[0], "--sets", "0.8", "--format", "json"]
    answers = [
        json.loads(run("predict", one, *words, "--cache", tmp_path / "c").stdout)
        for one in (file, tmp_path / "m.openvino")
    ]
    assert [answer[0]["trained_on"] for answer in answers] == [True, True]
    found = [[x["movement"] for x in answer[0]["predictions"]] for answer in answers]
    assert found[0] == found[1]
