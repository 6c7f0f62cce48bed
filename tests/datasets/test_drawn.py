import hashlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import HandcraftedFeatures, ImageLoader
from skart.datasets import load_image_folder, make_paintings

SMALL = {"n_artists": 2, "n_per_artist": 2, "size_range": (48, 96), "verbose": False}


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*.*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return make_paintings(tmp_path_factory.mktemp("drawn"), **SMALL)


@pytest.mark.slow
def test_same_seed_draws_the_same_files(drawn, tmp_path):
    again = make_paintings(tmp_path / "again", n_jobs=2, **SMALL)
    other = make_paintings(tmp_path / "other", random_state=1, **SMALL)
    assert digests(again) == digests(drawn)
    assert not set(digests(other).values()) & set(digests(drawn).values())


def test_paintings_do_not_depend_on_their_number(drawn, tmp_path):
    parameters = SMALL | {"movements": ["Cubism"], "n_per_artist": 3}
    more = digests(make_paintings(tmp_path / "more", **parameters))
    first = {
        name: digest for name, digest in digests(drawn).items() if "Cubism" in name
    }
    assert len(more) == 7
    assert first.items() <= more.items()


def test_folders_are_movements_and_artists(drawn):
    paintings = load_image_folder(drawn)
    assert len(paintings.target_names) == 10
    assert set(Counter(paintings.labels).values()) == {4}
    assert set(Counter(paintings.artists).values()) == {2}
    assert not paintings.skipped  # the note of what was drawn is not mentioned


@pytest.mark.slow
def test_sizes_and_formats_vary(tmp_path):
    root = make_paintings(
        tmp_path,
        movements=["Neoplasticism", "Suprematism"],
        n_artists=6,
        n_per_artist=8,
        size_range=(64, 800),
        verbose=False,
    )
    formats, sizes = Counter(), []
    for path in load_image_folder(root).paths:
        with Image.open(path) as image:
            image.load()
            formats[image.format] += 1
            sizes.append(image.size)
    sizes = np.array(sizes)
    assert set(formats) == {"JPEG", "PNG"} and min(formats.values()) > 10
    longest = sizes.max(axis=1)
    assert longest.min() >= 64 and longest.max() <= 800
    assert longest.min() < 128 and longest.max() > 400
    ratios = sizes[:, 0] / sizes[:, 1]
    assert ratios.min() < 0.7 and ratios.max() > 1.7 and (abs(ratios - 1) < 0.01).any()


@pytest.mark.slow
def test_smallest_paintings_of_many_artists(tmp_path):
    parameters = {"n_artists": 20, "n_per_artist": 1, "size_range": (32, 33)}
    root = make_paintings(tmp_path, **parameters, verbose=False)
    images = np.asarray(ImageLoader(32).transform(load_image_folder(root).paths))
    assert len(images) == 200
    assert (np.ptp(images.reshape(200, -1), axis=1) > 0).all()


def test_finished_folder_is_not_changed(drawn):
    before = {path: path.stat().st_mtime_ns for path in drawn.rglob("*")}
    assert make_paintings(drawn, **SMALL) == drawn
    assert {path: path.stat().st_mtime_ns for path in drawn.rglob("*")} == before


def test_interrupted_run_is_continued(tmp_path):
    root = make_paintings(tmp_path / "a", **SMALL)
    expected = digests(root)
    lost, *kept = sorted(root.glob("*/*/*.*"))
    before = {path: path.stat().st_mtime_ns for path in kept}
    lost.unlink()
    make_paintings(root, **SMALL)
    assert digests(root) == expected
    assert {path: path.stat().st_mtime_ns for path in kept} == before


def test_other_contents_are_not_changed(tmp_path, drawn):
    (tmp_path / "letter.txt").write_text("keep me")
    with pytest.raises(FileExistsError, match="has other contents"):
        make_paintings(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    before = digests(drawn)
    with pytest.raises(FileExistsError):
        make_paintings(drawn, **(SMALL | {"n_per_artist": 1}))
    assert digests(drawn) == before


@pytest.mark.slow
def test_files_do_not_predict_movements(tmp_path):
    root = make_paintings(
        tmp_path,
        movements=["Op Art", "Suprematism", "Pop Art", "Neoplasticism"],
        n_artists=8,
        n_per_artist=6,
        size_range=(32, 96),
        verbose=False,
    )
    paintings, traits = load_image_folder(root), []
    for path in paintings.paths:
        with Image.open(path) as image:
            width, height = image.size
            traits.append([max(width, height), width / height, image.format == "PNG"])
    scores = cross_val_score(
        RandomForestClassifier(100, min_samples_leaf=3, random_state=0),
        np.array(traits, float),
        paintings.labels,
        groups=paintings.artists,
        cv=StratifiedGroupKFold(4),
    )
    assert scores.mean() < 0.4


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"movements": ["Cubbism"]}, "Did you mean 'Cubism'"),
        ({"movements": []}, "different names"),
        ({"movements": ["Cubism", "Cubism"]}, "different names"),
        ({"n_artists": 0}, "'n_artists' .*range"),
        ({"n_artists": 99}, "'n_artists' .*range"),
        ({"n_per_artist": 1.5}, "'n_per_artist' .*must be an int"),
        ({"size_range": (300, 200)}, "size_range must be"),
        ({"size_range": (1, 2, 3)}, "size_range must be"),
        ({"size_range": 300}, "'size_range' .*must be"),
        ({"random_state": -1}, "'random_state' .*range"),
    ],
)
def test_invalid_parameters_raise(tmp_path, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_paintings(tmp_path / "new", **parameters)
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def exhibition(tmp_path_factory):
    return load_image_folder(
        make_paintings(
            tmp_path_factory.mktemp("exhibition"),
            n_artists=4,
            n_per_artist=3,
            size_range=(64, 128),
            verbose=False,
        )
    )


@pytest.mark.slow
def test_colour_alone_does_not_predict_movements(exhibition):
    images = np.asarray(ImageLoader(64).transform(exhibition.paths))
    codes = images // 32 @ np.array([64, 8, 1])
    shares = [np.bincount(code.ravel(), minlength=512) / code.size for code in codes]
    scores = cross_val_score(
        LogisticRegression(C=100, max_iter=2000),
        np.sqrt(shares),
        exhibition.labels,
        groups=exhibition.artists,
        cv=StratifiedGroupKFold(4),
    )
    assert scores.mean() < 0.5


@pytest.mark.slow
def test_features_predict_movements_of_other_artists(exhibition):
    classifier = make_pipeline(
        ImageLoader(128),
        HandcraftedFeatures(cache=None, verbose=False),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    scores = cross_val_score(
        classifier,
        exhibition.paths,
        exhibition.labels,
        groups=exhibition.artists,
        cv=StratifiedGroupKFold(4),
    )
    assert scores.mean() > 0.5
