"""What `skart evaluate` says of artists, and what `skart report` adds."""

import json
import os
from pathlib import Path

import pytest
from helpers import run
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import HandcraftedFeatures, ImageLoader, save_model


@pytest.fixture
def evaluate(make_folder, tmp_path):
    """Run `skart evaluate` on paintings of two movements, and return its output."""

    def evaluate(pattern, *words, code=0):
        names = [pattern.format(name, i % 3, i) for name in "ab" for i in range(6)]
        root = make_folder(names)
        paths = sorted(map(str, root.rglob("*.jpg")))
        labels = [Path(path).relative_to(root).parts[0] for path in paths]
        pipe = make_pipeline(
            ImageLoader(16), HandcraftedFeatures(["hsv"]), LogisticRegression()
        )
        save_model(pipe.fit(paths, labels), tmp_path / "model.skart")
        words = [tmp_path / "model.skart", root, "--cache", tmp_path / "c", *words]
        return run("evaluate", *words, code=code).stdout

    return evaluate


def test_artists_with_mistakes_are_listed(evaluate):
    words = ("{0}/{0} artist {1}/{2}.jpg", "--folds", "3")
    artists = json.loads(evaluate(*words, "--format", "json"))["artists"]
    assert sorted(row["artist"] for row in artists) == [
        f"{name} artist {i}" for name in "ab" for i in range(3)
    ]
    mistakes = [row["mistakes"] for row in artists]
    assert mistakes == sorted(mistakes, reverse=True) and mistakes[0] > 0
    text = evaluate(*words).partition("artists with the most mistakes\n")[2]
    lines = text.splitlines()
    assert len(lines) == 1 + min(5, sum(n > 0 for n in mistakes))
    assert artists[0]["artist"] in lines[1] and "often taken for" in lines[0]


def test_unknown_artists_are_not_listed(evaluate):
    words = ("{0}/{2}.jpg", "--folds", "3")
    assert json.loads(evaluate(*words, "--format", "json"))["artists"] is None
    assert "artists with" not in evaluate(*words)


def test_a_movement_may_be_named_all(evaluate):
    words = ("{0}ll/{0} artist {1}/{2}.jpg", "--folds", "3")
    sets = json.loads(evaluate(*words, "--format", "json"))["prediction_sets"]
    assert [row["movement"] for row in sets["movements"]] == ["all", "bll"]
    assert sets["all"]["paintings"] == 12
    assert "\nall" in evaluate(*words)


def test_figures_are_shown_if_predictions_cannot_be_written(
    evaluate, tmp_path, monkeypatch
):
    table, replace = tmp_path / "all.csv", os.replace
    table.write_text("an older one")

    def fail(source, target):
        if Path(target) == table:
            raise OSError("no space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    words = ("--folds", "3", "--predictions", table, "--force")
    assert "accuracy" in evaluate("{0}/{0} artist {1}/{2}.jpg", *words, code=2)
    assert table.read_text() == "an older one"


@pytest.mark.slow
def test_report_shows_nearest_paintings_of_the_models_features(evaluate, tmp_path):
    evaluate("{0}/{0} artist {1}/{2}.jpg", "--folds", "3")
    words = [tmp_path / "model.skart", tmp_path / "folder", "--cache", tmp_path / "c"]
    words += ["--out", tmp_path / "page.html", "--folds", "3"]
    run("report", *words, code=0)
    html = (tmp_path / "page.html").read_text("utf-8")
    assert 'class="comparison"' in html and "Map of 12 paintings" in html
