import hashlib
import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

from skart import ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.datasets._brushes import finish, invent_painter, manner
from skart.datasets._drawn_movements import MOVEMENTS

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


def test_the_same_seed_gives_the_same_bytes(drawn, tmp_path):
    again = make_paintings(tmp_path / "again", n_jobs=2, **SMALL)
    other = make_paintings(tmp_path / "other", random_state=1, **SMALL)
    assert digests(again) == digests(drawn)
    assert not set(digests(other).values()) & set(digests(drawn).values())


def test_more_paintings_keep_the_first(drawn, tmp_path):
    more = make_paintings(
        tmp_path / "more", **(SMALL | {"movements": ["Cubism"], "n_per_artist": 3})
    )
    first = {
        name: digest for name, digest in digests(drawn).items() if "Cubism" in name
    }
    assert len(digests(more)) == 7
    assert first.items() <= digests(more).items()


def test_layout(drawn):
    paintings = load_image_folder(drawn)
    assert len(paintings.target_names) == 10
    assert set(Counter(paintings.labels).values()) == {4}
    assert set(Counter(paintings.artists).values()) == {2}
    assert paintings.skipped == {"hidden": 1}


def test_sizes_and_formats(tmp_path):
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


def test_what_is_finished_is_not_drawn_again(drawn):
    before = {path: path.stat().st_mtime_ns for path in drawn.rglob("*")}
    assert make_paintings(drawn, **SMALL) == drawn
    assert {path: path.stat().st_mtime_ns for path in drawn.rglob("*")} == before


def test_an_interrupted_run_is_drawn_anew(tmp_path):
    root = make_paintings(tmp_path / "a", **SMALL)
    expected = digests(root)
    marker = root / ".skart-paintings.json"
    marker.rename(root / ".skart-paintings.json.part")
    next(root.rglob("*.jpg")).write_bytes(b"half a pic")
    make_paintings(root, **SMALL)
    assert digests(root) == expected
    next(root.rglob("*.jpg")).unlink()
    make_paintings(root, **SMALL)
    assert digests(root) == expected


def test_what_is_in_the_way_stays(tmp_path, drawn):
    (tmp_path / "letter.txt").write_text("keep me")
    with pytest.raises(FileExistsError, match="holds something else"):
        make_paintings(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    before = digests(drawn)
    with pytest.raises(FileExistsError):
        make_paintings(drawn, **(SMALL | {"n_per_artist": 1}))
    assert digests(drawn) == before
    assert (
        json.loads((drawn / ".skart-paintings.json").read_text())["n_per_artist"] == 2
    )


def test_files_do_not_tell_the_movement(tmp_path):
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


def test_painters_differ():
    painters = [invent_painter(np.random.default_rng(seed)) for seed in range(60)]
    assert len({painter.palette.tobytes() for painter in painters}) > 50
    for manners in (2, 3, 4):
        rng = np.random.default_rng(0)
        chosen = Counter(manner(rng, painter, manners) for painter in painters)
        assert set(chosen) == set(range(manners))
        assert chosen.most_common(1)[0][0] == 0


@pytest.mark.parametrize("movement", MOVEMENTS)
@pytest.mark.parametrize("size", [(16, 16), (16, 35), (70, 32)])
def test_every_manner_fits_every_size(movement, size):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        painter = invent_painter(rng)
        image = finish(rng, MOVEMENTS[movement](rng, *size, painter), painter)
        assert image.mode == "RGB" and image.size == size[::-1]


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"movements": ["Cubbism"]}, "Did you mean 'Cubism'"),
        ({"movements": []}, "different names"),
        ({"n_artists": 0}, "n_artists must be"),
        ({"n_artists": 99}, "n_artists must be at most"),
        ({"n_per_artist": 1.5}, "n_per_artist must be"),
        ({"size_range": (300, 200)}, "size_range must be"),
        ({"size_range": 300}, "size_range must be"),
        ({"random_state": -1}, "random_state must be"),
    ],
)
def test_bad_parameters(tmp_path, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_paintings(tmp_path / "new", **parameters)
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_colour_alone_does_not_tell_movements_apart(tmp_path):
    root = make_paintings(
        tmp_path, n_artists=4, n_per_artist=3, size_range=(64, 128), verbose=False
    )
    paintings = load_image_folder(root)
    images = np.asarray(ImageLoader(64).transform(paintings.paths))
    codes = images // 32 @ np.array([64, 8, 1])
    shares = [np.bincount(code.ravel(), minlength=512) / code.size for code in codes]
    scores = cross_val_score(
        LogisticRegression(C=100, max_iter=2000),
        np.sqrt(shares),
        paintings.labels,
        groups=paintings.artists,
        cv=StratifiedGroupKFold(4),
    )
    assert scores.mean() < 0.5
