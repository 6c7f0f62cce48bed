"""What the report shows of features: neighbours of mistakes, labels, the map."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from helpers import Elements, decoded, save_image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_distances

from skart.evaluation import Evaluation, evaluate
from skart.exploration import PaintingIndex
from skart.report import write_report


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """Paths, movements, artists and features of 60 small images; one label is wrong."""
    folder = tmp_path_factory.mktemp("collection")
    generator = np.random.default_rng(0)
    rows = [
        (str(save_image(folder / f"{artist}_{i}.png", (24, 18), i)), name, artist)
        for name in ("Baroque", "Cubism", "Fauvism")
        for artist in (f"{name[0]}<{k}>" for k in range(5))
        for i in range(4)
    ]
    paths, y, artists = (np.array(column) for column in zip(*rows, strict=True))
    codes, hands = pd.factorize(y)[0], pd.factorize(artists)[0]
    X = 1.5 * np.eye(3, 8)[codes] + generator.normal(size=(15, 8))[hands] * 0.3
    X = X + generator.normal(size=(60, 8)) * 0.5
    y = y.copy()
    y[0] = "Cubism"
    return paths, y, artists, X


@pytest.fixture(scope="module")
def evaluation(collection):
    _, y, artists, X = collection
    return evaluate(LogisticRegression(), X, y, groups=artists, random_folds=False)


@pytest.fixture(scope="module")
def html(collection, evaluation, tmp_path_factory):
    paths, _, _, X = collection
    file = tmp_path_factory.mktemp("page") / "report.html"
    index = PaintingIndex().fit(X)
    write_report(evaluation, paths, file, index=index, verbose=False)
    return file.read_text("utf-8")


def section(html, title):
    """Return the HTML of a section."""
    return html.partition(f">{title}</h2>")[2].partition("</section>")[0]


def captions(html):
    """Return the lines below each image, a list of lists."""
    return [
        [Elements(line).text for line in re.findall("<div>(.*?)</div>", caption)]
        for caption in re.findall("<figcaption>(.*?)</figcaption>", html, flags=re.S)
    ]


def test_mistakes_stand_beside_nearest_training_paintings(html, collection, evaluation):
    _, y, artists, X = collection
    wrong = np.flatnonzero(evaluation.y_pred != y)
    wrong = wrong[np.argsort(-evaluation.confidence[wrong])][:12]
    found = section(html, "Mistakes").split('<div class="comparison">')[1:]
    assert len(found) == len(wrong) > 1
    for row, text in zip(wrong, found, strict=True):
        mistake, *neighbors = captions(text)
        assert mistake == [
            f"{evaluation.y_pred[row]}? {evaluation.confidence[row]:.0%}",
            f"is {y[row]}",
            f"by {artists[row]}",
        ]
        distances = cosine_distances(X[row : row + 1], X)[0]
        distances[y != evaluation.y_pred[row]] = np.inf
        distances[artists == artists[row]] = np.inf
        distances[evaluation.folds == evaluation.folds[row]] = np.inf
        nearest = np.argsort(distances)[:4]
        assert neighbors == [[artists[i]] for i in nearest]
        assert text.count("data:image/jpeg") == 5


def test_wrong_label_is_shown(html, collection):
    text = section(html, "Labels to check")
    first = captions(text)[0]
    assert first[0] == "Cubism, or Baroque?"
    assert "3 of 3 other paintings by B<0>: Baroque" in first[1]
    assert first[2] == "B<0>_0.png"
    assert "data:image/jpeg" in text


def test_map_and_self_containment(html):
    page = Elements(html)
    alts = [image["alt"] for image in page.all("img")]
    assert sum(alt.startswith("Map of 60 paintings") for alt in alts) == 2
    assert not page.all("script") and not re.search(r"@import|url\(|https?://", html)
    for _, attributes in page.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("data:", "#"))


def test_accuracy_of_artists(html, evaluation):
    rows = Elements(html).table("Artists")
    assert rows[0][1:] == ["paintings", "movements", "accuracy", "mistakes"] + [
        "often taken for"
    ]
    for row, (artist, one) in zip(
        rows[1:], evaluation.per_artist().iterrows(), strict=True
    ):
        assert row == [
            artist,
            str(one["paintings"]),
            one["movements"],
            f"{one['accuracy']:.1%}",
            str(one["mistakes"]),
            one["mistake"] or "–",
        ]


@pytest.mark.slow
def test_many_artists_are_a_table_to_download(tmp_path):
    paths = [save_image(tmp_path / "one.png", (8, 8), 0)] * 50
    names = [f"artist {i}" for i in range(25)] * 2
    evaluation = Evaluation(["a", "b"] * 25, y_pred=["a", "a"] * 25, groups=names)
    file = write_report(evaluation, paths, tmp_path / "r.html", verbose=False)
    page = Elements(file.read_text("utf-8"))
    assert len(page.table("Artists, the 20 with the most mistakes of 25")) == 21
    (link,) = (a for a in page.all("a") if a.get("download") == "artists.csv")
    table = pd.read_csv(io.BytesIO(decoded(link["href"])))
    assert sorted(table["artist"]) == sorted(set(names))
    assert "Labels to check" not in page.text  # needs probabilities


@pytest.mark.slow
def test_mistakes_on_a_test_set_without_artists(collection, tmp_path):
    paths, y, _, X = collection
    model = LogisticRegression().fit(X[::2], y[::2])
    evaluation = Evaluation(
        y[1::2], probabilities=model.predict_proba(X[1::2]), classes=model.classes_
    )
    index = PaintingIndex().fit(X[1::2])
    options = {"index": index, "verbose": False}
    file = write_report(evaluation, paths[1::2], tmp_path / "r.html", **options)
    text = section(file.read_text("utf-8"), "Mistakes")
    assert "trained on" not in text and "other artists" not in text
    assert "artist" not in section(file.read_text("utf-8"), "Labels to check")
    n_mistakes = (evaluation.y_pred != y[1::2]).sum()
    assert text.count('class="comparison"') == n_mistakes > 0
    _, *neighbors = captions(text.split('<div class="comparison">')[1])
    assert len({name for (name,) in neighbors}) == 1  # the predicted movement


@pytest.mark.slow
def test_unreadable_mistake_has_no_image(collection, evaluation, tmp_path):
    paths, _, _, X = collection
    paths = paths.copy()
    wrong = np.flatnonzero(evaluation.y_pred != evaluation.y_true)
    for row in wrong:
        paths[row] = str(tmp_path / f"{row}.png")
        (tmp_path / f"{row}.png").write_bytes(b"no image")
    index = PaintingIndex().fit(X)
    options = {"index": index, "verbose": False}
    file = write_report(evaluation, paths, tmp_path / "r.html", **options)
    text = section(file.read_text("utf-8"), "Mistakes")
    assert "<img" not in text.split('<div class="comparison">')[1].split("</figure>")[0]


def test_index_of_other_paintings(collection, evaluation, tmp_path):
    paths, _, _, X = collection
    index = PaintingIndex().fit(X[1:])
    with pytest.raises(ValueError, match="index must be fitted on the 60 .* got 59"):
        write_report(evaluation, paths, tmp_path / "r.html", index=index)
