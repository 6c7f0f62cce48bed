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

from skart import ImageLoader
from skart.evaluation import Evaluation, evaluate
from skart.report import write_report


def guesses(codes, n_classes, strength, seed=0):
    """Probabilities that tend to the truth."""
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
    """As of features that give the artist away."""
    _, y, artists = collection
    generator = np.random.default_rng(0)
    codes, hands = pd.factorize(y, sort=True)[0], pd.factorize(artists)[0]
    X = generator.normal(size=(4, 6))[codes] + generator.normal(size=(48, 6)) * 0.4
    X += generator.normal(size=(16, 6))[hands] * 1.5
    return evaluate(LogisticRegression(), X, y, groups=artists)


@pytest.fixture(scope="module")
def html(collection, evaluation, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    plt.close("all")  # figures of other tests
    assert write_report(path, evaluation, collection[0], verbose=False) == path
    assert plt.get_fignums() == []
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Elements(html)


def write(folder, *args, **options):
    """Write a report, and parse it."""
    path = write_report(folder / "report.html", *args, verbose=False, **options)
    return Elements(path.read_text("utf-8"))


def facts(page):
    """Texts under the names of all facts of a page."""
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page, re.S))


def test_the_order_of_the_sections(page):
    links = [a["href"] for a in page.all("a") if a["href"].startswith("#")]
    assert links == [f"#{h2['id']}" for h2 in page.all("h2")]
    titles = (
        "In short|The paintings|Results|How sure is it|Mistakes|Model card|"
        "Parameters and versions|Files"
    ).split("|")
    places = [page.text.rindex(f"\n{title}\n") for title in titles]
    assert len(links) == len(titles) and places == sorted(places)


def test_the_leakage_gap_is_scikit_learns(page, evaluation):
    rows = {row[0]: row[1:4] for row in page.table("The whole")}
    assert rows["measure"] == ["artists apart", "random folds", "gap"]
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
    low, high = evaluation.intervals().loc["leakage gap"] * 100
    gap = evaluation.leakage_gap.loc["accuracy", "gap"] * 100
    assert gap > 5
    assert f"{gap:+.1f} points (95% interval {low:+.1f} to {high:+.1f})" in page.text


def test_each_movement_and_what_it_is_taken_for(page, evaluation):
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


def test_in_short(page, evaluation):
    short = page.text.rpartition("\nIn short\n")[2].partition("\nThe paintings\n")[0]
    short = " ".join(short.split())
    low, high = evaluation.intervals().loc["accuracy"] * 100
    for expected in (
        f"the movement of {evaluation.correct.mean():.1%} of the paintings "
        f"(95% interval {low:.1f}–{high:.1f}%)",
        "Always answering any one movement would be right for 25.0%.",
        "artists kept apart, in 4 folds: each of the 48 paintings by 16 artists",
    ):
        assert expected in short
    recall = evaluation.per_movement()["recall"]
    assert f"best at {recall.idxmax()}" in short
    assert f"worst at {recall.idxmin()}" in short


def test_confidence(page, evaluation):
    confidence, correct = evaluation.confidence, evaluation.correct
    bins = np.ceil(confidence * 10)
    error = sum(
        abs(confidence[bins == b].mean() - correct[bins == b].mean())
        * np.mean(bins == b)
        for b in np.unique(bins)
    )
    assert f"ten bins of confidence, is {error:.1%}" in page.text
    surest = np.argsort(-confidence)[: int(0.8 * 48)]
    assert f"right for {correct[surest].mean():.1%} of the rest" in page.text


def test_the_most_confident_mistakes_come_first(page, collection, evaluation):
    wrong = np.flatnonzero(evaluation.y_pred != evaluation.y_true)
    wrong = wrong[np.argsort(-evaluation.confidence[wrong])][:12]
    rows = page.table("Their files")[1:]
    assert [row[0] for row in rows] == [
        "/".join(Path(collection[0][i]).parts[-3:]) for i in wrong
    ]
    assert [row[-1] for row in rows] == [
        f"{evaluation.confidence[i]:.1%}" for i in wrong
    ]


def test_the_manifest(html, page, collection, evaluation):
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
    assert [row[-1] for row in page.table("Paths")[1:]] == manifest["SHA-256"].tolist()
    assert f"SHA-256 {hashlib.sha256(decoded(link['href'])).hexdigest()}" in page.text


def test_it_needs_nothing_beside_it(html, page):
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


def test_all_that_can_be_given(collection, evaluation, tmp_path):
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
        skipped={"empty": 3},
    )
    for expected in ("The gallery", "Bought in one lot.", "Labels by one hand."):
        assert expected in page.text
    assert page.table("Files that were passed over")[1] == ["empty", "3"]
    assert page.table("Mistakes and time")[-1][0] == "all"
    alts = " ".join(image["alt"] for image in page.all("img"))
    assert "Learning curves" in alts and "each candidate" in alts
    parameters = dict(page.table("Every parameter")[1:])
    assert parameters["param_distributions"] == ("{model__C: loguniform(0.001, 0.1)}")
    assert parameters["estimator__model"] == "LogisticRegression"
    assert parameters["estimator__model__C"] == "1.0"
    assert "estimator__steps" not in parameters


def test_two_movements_without_artists_or_mistakes(collection, tmp_path):
    paths = collection[0][:6]
    y = np.array(["Op Art", "Pop Art"] * 3)
    evaluation = Evaluation(y, np.eye(2)[[0, 1] * 3], ["Op Art", "Pop Art"])
    page = write(
        tmp_path, evaluation, paths, periods={"Op Art": (1, 2), "Pop Art": (3, 4)}
    )
    assert "on a test set of 6 paintings." in page.text
    assert "It made no mistakes." in page.text
    assert "It recognises 100.0% of the paintings of each movement." in page.text
    assert "gives more than four paintings in five the same confidence" in page.text
    assert page.table("The whole")[0] == ["measure", "value", "what it says"]


@pytest.mark.slow
def test_random_folds_alone_are_told(collection, tmp_path):
    paths, y, _ = collection
    codes = np.unique(y, return_inverse=True)[1]
    evaluation = Evaluation(
        y, guesses(codes, 4, 1), np.unique(y), folds=np.arange(48) % 4
    )
    page = write(tmp_path, evaluation, paths)
    assert "in 4 folds at random" in page.text
    assert "Artists were not told apart." in page.text
    assert "How it does on artists that it has not met was not measured." in page.text


def test_hostile_names(tmp_path):
    names = ["<script>alert(1)</script>", r"$\frac{", "a\nb", "x" * 80]
    hostile = [f"<img src=x onerror=alert(1)>{i}.png" for i in range(8)]
    paths = [save_image(tmp_path / name, (20, 20), i) for i, name in enumerate(hostile)]
    codes = np.arange(8) % 4
    classes = np.unique(names)
    evaluation = Evaluation(
        classes[codes],
        guesses(codes, 4, 0),
        classes,
        groups=[f"</td><script>{i // 2}" for i in range(8)],
    )
    page = write(tmp_path, evaluation, paths, title="<b>", notes="<script>")
    assert not page.all("script") and not page.all("b")
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    cells = {cell for row in page.table("Each movement") for cell in row}
    assert {"<script>alert(1)</script>", r"$\frac{", r"a\nb", "x" * 80} <= cells
    assert {row[0] for row in page.table("Paths")[1:]} == set(hostile)


def test_files_that_cannot_be_read_are_named(collection, evaluation, tmp_path):
    paths = collection[0].astype(object)
    broken, cut, gone = (tmp_path / name for name in ("no.jpg", "cut.jpg", "gone.jpg"))
    broken.write_bytes(b"no image")
    save_image(cut, (300, 200))
    cut.write_bytes(cut.read_bytes()[:900])
    mistake, *others = np.flatnonzero(~evaluation.correct)[:1], 5, 9
    paths[mistake[0]], paths[others[0]], paths[others[1]] = broken, cut, gone
    # Few enough that all are among the samples.
    page = write(tmp_path, evaluation, paths)
    reasons = {Path(row[0]).name: row[1] for row in page.table("3 files")[1:]}
    assert reasons.keys() == {"no.jpg", "cut.jpg", "gone.jpg"}
    assert reasons["no.jpg"].startswith("not an image of a kind that is read")
    assert reasons["gone.jpg"] == "no such file or directory"
    rows = {Path(row[0]).name: row for row in page.table("Paths")[1:]}
    assert rows["gone.jpg"][-2:] == ["–", "–"]
    assert rows["no.jpg"][-1] == hashlib.sha256(b"no image").hexdigest()


@pytest.mark.slow
def test_mistakes_that_cannot_be_decoded_are_named(collection, evaluation, tmp_path):
    paths = collection[0].astype(object)
    for row in np.flatnonzero(~evaluation.correct):
        paths[row] = save_image(tmp_path / "cut" / f"{row}.jpg", (300, 200), row)
        data = Path(paths[row]).read_bytes()
        Path(paths[row]).write_bytes(data[: len(data) // 2])
    rows = write(tmp_path, evaluation, paths).table("Their files")
    assert rows[0][-1] == "black, since"
    assert all("truncated" in row[-1] for row in rows[1:])


@pytest.mark.slow
def test_a_movement_that_the_test_set_lacks(collection, tmp_path):
    codes = np.arange(48) % 2
    evaluation = Evaluation(codes, guesses(codes, 3, 1), [0, 1, 2])
    page = write(tmp_path, evaluation, collection[0])
    assert page.table("Each movement")[3][:3] == ["2", "0", "–"]


@pytest.mark.slow
def test_no_file_can_be_read(evaluation, tmp_path):
    page = write(tmp_path, evaluation, [f"gone/{i}.jpg" for i in range(48)])
    assert len(page.table("48 files")) == 49


@pytest.mark.slow
def test_thousands_of_files(collection, tmp_path):
    paths = np.resize(collection[0], 1200)
    codes = np.arange(1200) % 2
    evaluation = Evaluation(codes, guesses(codes, 2, 1), [0, 1])
    page = write(tmp_path, evaluation, paths)
    table = page.table("More than 1,000 files")
    assert [row[:2] for row in table] == [
        ["movement", "files"],
        ["0", "600"],
        ["1", "600"],
    ]
    (link,) = (a for a in page.all("a") if a.get("download") == "manifest.csv")
    assert len(pd.read_csv(io.BytesIO(decoded(link["href"])))) == 1200


def test_bad_input(collection, evaluation, tmp_path):
    file = tmp_path / "report.html"
    with pytest.raises(ValueError, match="the 48 paintings of the evaluation.*got 5"):
        write_report(file, evaluation, collection[0][:5])
    with pytest.raises(ValueError, match="name no years of Baroque"):
        write_report(file, evaluation, collection[0], periods={})
    with pytest.raises(IsADirectoryError, match="name a file in it"):
        write_report(tmp_path, evaluation, collection[0])
    with pytest.raises(TypeError, match="must hold paths"):
        write_report(file, evaluation, np.zeros(48))
    assert not file.exists()


@pytest.mark.slow
def test_tensorflow_is_not_imported():
    code = (
        "import sys; from skart._utils._versions import list_versions; "
        "from skart.report import write_report; "
        "assert list_versions()['tensorflow'][0].isdigit(); "
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_whole_way(image_paths, tmp_path):
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
    evaluation = evaluate(pipe, image_paths, y, n_splits=2)
    page = write(tmp_path, evaluation, image_paths, estimator=pipe)
    assert "ImageLoader → FunctionTransformer → LogisticRegression" in page.text
    assert dict(page.table("Every parameter")[1:])["load__size"] == "16"
