import hashlib
import io
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import Elements, decoded, save_image
from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    recall_score,
)
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skart import FeatureExtractor, ImageLoader
from skart.evaluation import Evaluation, evaluate
from skart.report import write_report
from skart.report._html import Page


def guesses(codes, n_classes, strength, seed=0):
    """Return probabilities that are higher for the true class."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(len(codes), n_classes))
    logits[np.arange(len(codes)), codes] += strength
    odds = np.exp(2 * logits)
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """Paths, movements and artists of 48 small images, shuffled."""
    folder = tmp_path_factory.mktemp("collection")
    rows = [
        (
            save_image(folder / name / f"{artist}" / f"{i}.png", (24, 18), i),
            name,
            artist,
        )
        for name in ("Baroque", "Cubism", "Fauvism", "Rococo")
        for artist in (f"{name[0]}{k}" for k in range(4))
        for i in range(3)
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    return tuple(np.array(column)[order] for column in zip(*rows, strict=True))


@pytest.fixture(scope="module")
def evaluation(collection):
    """Evaluation on features that differ by artist more than by movement."""
    _, y, artists = collection
    generator = np.random.default_rng(0)
    codes, hands = pd.factorize(y, sort=True)[0], pd.factorize(artists)[0]
    X = generator.normal(size=(4, 6))[codes] + generator.normal(size=(48, 6)) * 0.4
    X += generator.normal(size=(16, 6))[hands] * 1.5
    return evaluate(LogisticRegression(), X, y, groups=artists)


@pytest.fixture(scope="module")
def html(collection, evaluation, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    plt.close("all")
    assert write_report(evaluation, collection[0], path, verbose=False) == path
    assert plt.get_fignums() == []
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Elements(html)


def write(folder, *args, **options):
    """Write a report and parse it."""
    path = write_report(*args, folder / "report.html", verbose=False, **options)
    return Elements(path.read_text("utf-8"))


def test_order_of_the_sections(page):
    links = [a["href"] for a in page.all("a") if a["href"].startswith("#")]
    assert links == [f"#{h2['id']}" for h2 in page.all("h2")]
    titles = (
        "Summary|Results|Confidence|Mistakes|Labels to check|The paintings|Model card|"
        "Parameters and versions|Files"
    ).split("|")
    places = [page.text.rindex(f"\n{title}\n") for title in titles]
    assert len(links) == len(titles) and places == sorted(places)


def test_prediction_sets_of_each_movement(page, evaluation):
    rows = {row[0]: row[1:] for row in page.table("Prediction sets")}
    table = evaluation.sets_per_movement(0.1).drop(columns="paintings")
    for name, (covered, size, random_covered, random_size) in table.T.items():
        assert rows[str(name)] == [
            f"{covered:.1%}",
            f"{size:.1f}",
            f"{random_covered:.1%}",
            f"{random_size:.1f}",
        ]


def test_metrics_equal_scikit_learn(page, evaluation):
    rows = {row[0]: row[1:4] for row in page.table("All paintings")}
    assert rows["metric"] == ["artists apart", "random folds", "gap"]
    y, labels = evaluation.y_true, evaluation.classes
    for name, score in (
        ("accuracy", accuracy_score),
        ("balanced accuracy", balanced_accuracy_score),
        ("macro F1", lambda *args: f1_score(*args, average="macro")),
    ):
        apart, random = (
            score(y, labels[found.probabilities.argmax(axis=1)])
            for found in (evaluation, evaluation.random_folds)
        )
        assert rows[name][0].startswith(f"{apart:.1%} (")
        assert rows[name][1:] == [f"{random:.1%}", f"{random - apart:+.1%}"]
    loss = log_loss(y, evaluation.probabilities)
    assert rows["log loss"][0] == f"{loss:.3f}"
    low, high = evaluation.intervals().loc["leakage_gap"] * 100
    gap = evaluation.leakage_gap.loc["accuracy", "gap"] * 100
    assert gap > 5
    interval = f"(95% confidence interval {low:+.1f} to {high:+.1f})"
    assert f"{gap:+.1f} points {interval}" in page.text


def test_scores_and_confusions_equal_scikit_learn(page, evaluation):
    y, predicted = evaluation.y_true, evaluation.y_pred
    recalls = recall_score(y, predicted, average=None)
    rows = page.table("Each movement")[1:]
    assert [row[0] for row in rows] == evaluation.classes.tolist()
    assert [row[2].split(" (")[0] for row in rows] == [f"{r:.1%}" for r in recalls]
    counts = confusion_matrix(y, predicted)
    np.fill_diagonal(counts, 0)
    true, taken_for, times, share = page.table("Most confused")[1]
    assert int(times) == counts.max()
    codes = np.searchsorted(evaluation.classes, [true, taken_for])
    assert counts[tuple(codes)] == counts.max()
    assert share == f"{counts.max() / np.sum(y == true):.1%}"


def test_summary(page, evaluation):
    short = page.text.rpartition("\nSummary\n")[2].partition("\nThe paintings\n")[0]
    short = " ".join(short.split())
    low, high = evaluation.intervals().loc["accuracy"] * 100
    for expected in (
        f"the movement of {evaluation.metrics['accuracy']:.1%} of the paintings "
        f"(95% confidence interval {low:.1f}–{high:.1f}%)",
        "Always predicting the same movement has an accuracy of 25.0%.",
        "4 folds and artists kept apart: each of the 48 paintings by 16 artists",
    ):
        assert expected in short
    recall = evaluation.per_movement()["recall"]
    assert f"recognises {recall.idxmax()} best" in short
    assert f"{recall.idxmin()} worst" in short


def test_confidence(page, evaluation):
    confidence = evaluation.confidence
    correct = evaluation.y_pred == evaluation.y_true
    bins = np.ceil(confidence * 10)
    error = sum(
        abs(confidence[bins == b].mean() - correct[bins == b].mean())
        * np.mean(bins == b)
        for b in np.unique(bins)
    )
    assert f"ten bins of confidence, is {error:.1%}" in page.text
    surest = np.argsort(-confidence)[: int(0.8 * 48)]
    assert f"accuracy on the others is {correct[surest].mean():.1%}" in page.text


def test_mistakes_are_sorted_by_confidence(page, collection, evaluation):
    wrong = np.flatnonzero(evaluation.y_pred != evaluation.y_true)
    wrong = wrong[np.argsort(-evaluation.confidence[wrong])][:12]
    rows = page.table("Files of these")[1:]
    assert [row[0] for row in rows] == [
        "/".join(Path(collection[0][i]).parts[-3:]) for i in wrong
    ]
    assert [row[-1] for row in rows] == [
        f"{evaluation.confidence[i]:.1%}" for i in wrong
    ]


def test_manifest_lists_all_files(html, page, collection, evaluation):
    paths, y, artists = collection
    (link,) = (a for a in page.all("a") if a.get("download") == "manifest.csv")
    manifest = pd.read_csv(io.BytesIO(decoded(link["href"])))
    assert manifest["movement"].tolist() == y.tolist()
    assert manifest["artist"].tolist() == artists.tolist()
    assert manifest["predicted"].tolist() == evaluation.y_pred.tolist()
    for path, row in zip(paths, manifest.itertuples(), strict=True):
        data = Path(path).read_bytes()
        assert path.endswith(row.path) and row.bytes == len(data)
        assert row[-1] == hashlib.sha256(data).hexdigest()
    assert [row[-1] for row in page.table("Files, with paths")[1:]] == manifest[
        "SHA-256"
    ].tolist()
    assert f"SHA-256 {hashlib.sha256(decoded(link['href'])).hexdigest()}" in page.text


def test_page_is_self_contained(html, page):
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            assert attributes.get(name, "#").startswith(("data:", "#"))
    assert not page.all("script") and not page.all("link")
    assert not re.search(r"@import|url\(", html)
    images = page.all("img")
    assert (
        len(images) == 6
    )  # sizes, samples, confusion, reliability, coverage, mistakes
    assert all(image["alt"] for image in images)


@pytest.mark.slow
def test_all_options(collection, evaluation, tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    pipe = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())])
    search = RandomizedSearchCV(
        pipe, {"model__C": loguniform(1e-3, 1e-1)}, n_iter=2, cv=2
    ).fit(X, np.repeat(["a", "b"], 20))
    search.best_estimator_[-1].history_ = {"loss": [2, 1], "accuracy": [0.5, 0.9]}
    page = write(
        tmp_path,
        evaluation,
        collection[0],
        title="The gallery",
        description="Bought in one lot.",
        notes="Labels by one hand.",
        estimator=search,
        search=search,
        periods=dict.fromkeys(evaluation.classes, (1600, 1700)),
        skipped={"empty": ["a.jpg", "b.jpg", "c.jpg"]},
    )
    for expected in ("The gallery", "Bought in one lot.", "Labels by one hand."):
        assert expected in page.text
    assert page.table("Skipped files")[1] == ["empty", "3"]
    assert page.table("Mistakes and time")[-1][0] == "all"
    alts = " ".join(image["alt"] for image in page.all("img"))
    assert "Learning curves" in alts and "each candidate" in alts
    parameters = dict(page.table("Parameters of the classifier")[1:])
    assert parameters["param_distributions"] == ("{model__C: loguniform(0.001, 0.1)}")
    assert parameters["estimator__model"] == "LogisticRegression"
    assert parameters["estimator__model__C"] == "1.0"
    assert "estimator__steps" not in parameters


@pytest.mark.slow
def test_test_set_without_artists_and_mistakes(collection, tmp_path):
    paths = collection[0][:6]
    y = np.array(["Op Art", "Pop Art"] * 3)
    evaluation = Evaluation(
        y, probabilities=np.eye(2)[[0, 1] * 3], classes=["Op Art", "Pop Art"]
    )
    page = write(
        tmp_path, evaluation, paths, periods={"Op Art": (1, 2), "Pop Art": (3, 4)}
    )
    assert "on a test set of 6 paintings." in page.text
    assert "The classifier made no mistakes." in page.text
    assert "It recognises 100.0% of the paintings of each movement." in page.text
    assert "More than 80% of the paintings have the same confidence" in page.text
    assert page.table("All paintings")[0] == ["metric", "value", "meaning"]


@pytest.mark.slow
def test_evaluation_with_random_folds_only(collection, tmp_path):
    paths, y, _ = collection
    codes = np.unique(y, return_inverse=True)[1]
    evaluation = Evaluation(
        y,
        probabilities=guesses(codes, 4, 1),
        classes=np.unique(y),
        folds=np.arange(48) % 4,
    )
    page = write(tmp_path, evaluation, paths)
    assert "4 folds that do not keep artists apart" in page.text
    assert "The artists are unknown." in page.text
    assert "The accuracy on new artists was not measured." in page.text


@pytest.mark.slow
def test_hostile_names_are_escaped(tmp_path):
    names = ["<script>alert(1)</script>", r"$\frac{", "a\nb", "x" * 80]
    hostile = [f"<img src=x onerror=alert(1)>{i}.png" for i in range(8)]
    paths = [save_image(tmp_path / name, (20, 20), i) for i, name in enumerate(hostile)]
    codes = np.arange(8) % 4
    classes = np.unique(names)
    evaluation = Evaluation(
        classes[codes],
        probabilities=guesses(codes, 4, 0),
        classes=classes,
        groups=[f"</td><script>{i // 2}" for i in range(8)],
    )
    page = write(tmp_path, evaluation, paths, title="<b>", notes="<script>")
    assert not page.all("script") and not page.all("b")
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    cells = {cell for row in page.table("Each movement") for cell in row}
    assert {"<script>alert(1)</script>", r"$\frac{", r"a\nb", "x" * 80} <= cells
    assert {row[0] for row in page.table("Files, with paths")[1:]} == set(hostile)


@pytest.mark.slow
def test_unreadable_files_are_listed(collection, evaluation, tmp_path):
    paths = collection[0].astype(object)
    broken, cut, gone = (tmp_path / name for name in ("no.jpg", "cut.jpg", "gone.jpg"))
    broken.write_bytes(b"no image")
    save_image(cut, (300, 200))
    cut.write_bytes(cut.read_bytes()[:900])
    mistake, *others = np.flatnonzero(evaluation.y_pred != evaluation.y_true)[:1], 5, 9
    paths[mistake[0]], paths[others[0]], paths[others[1]] = broken, cut, gone
    # All of them are among the samples.
    page = write(tmp_path, evaluation, paths)
    reasons = {
        Path(row[0]).name: row[1] for row in page.table("Unreadable files: 3")[1:]
    }
    assert reasons.keys() == {"no.jpg", "cut.jpg", "gone.jpg"}
    assert reasons["no.jpg"].startswith("not an image in a supported format")
    assert reasons["gone.jpg"] == "no such file or directory"
    rows = {Path(row[0]).name: row for row in page.table("Files, with paths")[1:]}
    assert rows["gone.jpg"][-2:] == ["–", "–"]
    assert rows["no.jpg"][-1] == hashlib.sha256(b"no image").hexdigest()


@pytest.mark.slow
def test_undecodable_mistakes_are_listed(collection, evaluation, tmp_path):
    paths = collection[0].astype(object)
    for row in np.flatnonzero(evaluation.y_pred != evaluation.y_true):
        paths[row] = save_image(tmp_path / "cut" / f"{row}.jpg", (300, 200), row)
        data = Path(paths[row]).read_bytes()
        Path(paths[row]).write_bytes(data[: len(data) // 2])
    rows = write(tmp_path, evaluation, paths).table("Files of these")
    assert rows[0][-1] == "shown black, because"
    assert all("truncated" in row[-1] for row in rows[1:])


@pytest.mark.slow
def test_movement_without_paintings(collection, tmp_path):
    codes = np.arange(48) % 2
    evaluation = Evaluation(
        codes, probabilities=guesses(codes, 3, 1), classes=[0, 1, 2]
    )
    page = write(tmp_path, evaluation, collection[0])
    assert page.table("Each movement")[3][:3] == ["2", "0", "–"]


@pytest.mark.slow
def test_all_files_unreadable(evaluation, tmp_path):
    page = write(tmp_path, evaluation, [f"gone/{i}.jpg" for i in range(48)])
    assert len(page.table("Unreadable files: 48")) == 49


@pytest.mark.slow
def test_many_files_are_summarized(collection, tmp_path):
    paths = np.resize(collection[0], 1200)
    codes = np.arange(1200) % 2
    evaluation = Evaluation(codes, probabilities=guesses(codes, 2, 1), classes=[0, 1])
    page = write(tmp_path, evaluation, paths)
    table = page.table("Files of each movement")
    assert [row[:2] for row in table] == [
        ["movement", "files"],
        ["0", "600"],
        ["1", "600"],
    ]
    (link,) = (a for a in page.all("a") if a.get("download") == "manifest.csv")
    assert len(pd.read_csv(io.BytesIO(decoded(link["href"])))) == 1200


def test_invalid_input_raises_before_files_are_read(collection, evaluation, tmp_path):
    file = tmp_path / "report.html"
    with pytest.raises(ValueError, match="the 48 paintings of the evaluation.*got 5"):
        write_report(evaluation, collection[0][:5], file)
    with pytest.raises(ValueError, match="name no years of Baroque"):
        write_report(evaluation, collection[0], file, periods={})
    with pytest.raises(IsADirectoryError, match="name a file in it"):
        write_report(evaluation, collection[0], tmp_path)
    with pytest.raises(TypeError, match="must hold paths"):
        write_report(evaluation, np.zeros(48), file)
    assert not file.exists()


@pytest.mark.slow
def test_classifier_without_probabilities(collection, tmp_path):
    paths, y, artists = collection
    evaluation = Evaluation(y, y_pred=np.roll(y, 1), groups=artists)
    page = write(tmp_path, evaluation, paths)
    assert "The classifier returns no probabilities" in page.text
    assert [row[0] for row in page.table("All paintings")[1:]] == [
        *("accuracy", "balanced accuracy", "macro F1", "most frequent")
    ]
    assert "confidence" not in page.table("Files, with paths")[0]
    assert "Mistakes: 12 paintings" in [image["alt"] for image in page.all("img")]


@pytest.mark.slow
def test_tensorflow_is_not_imported():
    code = (
        "import sys; from skart._utils._versions import list_versions; "
        "from skart.report import write_report; "
        "assert list_versions()['tensorflow'][0].isdigit(); "
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.slow
def test_report_of_a_cross_validated_pipeline(image_paths, tmp_path):
    def colours(images):
        return np.asarray(images).mean(axis=(1, 2))

    pipe = Pipeline(
        [
            ("load", ImageLoader(16)),
            ("colours", FunctionTransformer(colours)),
            ("model", LogisticRegression(max_iter=1000)),
        ]
    )
    y = np.array(["Op Art", "Pop Art"] * 6)
    evaluation = evaluate(pipe, image_paths, y, cv=2, scoring="jaccard_macro")
    page = write(tmp_path, evaluation, image_paths, estimator=pipe)
    assert "ImageLoader → FunctionTransformer → LogisticRegression" in page.text
    assert page.table("Additional scores")[0] == ["fold", "jaccard_macro"]
    assert dict(page.table("Parameters of the classifier")[1:])["load__size"] == "16"


@pytest.mark.slow
def test_page_names_no_local_folder(collection, evaluation, tmp_path):
    pipe = Pipeline(
        [
            ("load", ImageLoader(16)),
            ("features", FeatureExtractor(weights=None, cache=tmp_path / "store")),
            ("model", LogisticRegression()),
        ]
    )
    page = write(tmp_path, evaluation, collection[0], estimator=pipe)
    parameters = dict(page.table("Parameters of the classifier")[1:])
    assert parameters["features__cache"] == "PosixPath('…/store')"
    assert str(tmp_path) not in page.text


def test_long_names_are_breakable_after_underscores(tmp_path):
    page = Page("Styles")
    names = pd.Index(["Northern_Renaissance"], name="movement")
    page.section("One").table(pd.DataFrame({"paintings": [1]}, index=names))
    html = page.write(tmp_path / "page.html").read_text("utf-8")
    assert "Northern_<wbr>Renaissance" in html
    assert 'data-name="paintings"' in html  # the label on phones
