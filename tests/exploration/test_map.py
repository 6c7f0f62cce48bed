import json
import re

import numpy as np
import pandas as pd
import pytest
from helpers import save_image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import NearestNeighbors

from skart import FeatureExtractor
from skart.exploration import CollectionMap, PaintingIndex


@pytest.fixture(scope="module")
def groups():
    """Features of 60 paintings in three groups that lie far apart."""
    generator = np.random.default_rng(0)
    codes = np.repeat(np.arange(3), 20)
    centres = generator.normal(scale=9, size=(3, 12))
    return centres[codes] + generator.normal(size=(60, 12)), codes


def purity(places, codes, k=4):
    """Share of the nearest places that are of the same group."""
    found = NearestNeighbors(n_neighbors=k).fit(places)
    return (codes[found.kneighbors(return_distance=False)] == codes[:, None]).mean()


def read_data(page):
    """Return what the script of a page reads."""
    text = page.read_text("utf-8")
    return json.loads(re.search(r'<script id="data".*?>(.*?)</script>', text)[1])


@pytest.mark.parametrize(
    "layout", ["tsne", "pca", pytest.param("umap", marks=pytest.mark.slow)]
)
def test_similar_paintings_are_near(groups, layout):
    if layout == "umap":
        pytest.importorskip("umap")
    X, codes = groups
    fitted = CollectionMap(layout=layout, verbose=False).fit(X)
    assert fitted.layout_ == layout and fitted.embedding_.shape == (60, 2)
    assert purity(fitted.embedding_, codes) == 1
    assert purity(fitted.grid_.astype(float), codes) > 0.8


def test_map_is_reproducible(groups):
    X, _ = groups
    first, again = (CollectionMap(random_state=3).fit(X).embedding_ for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 29])
def test_grid_has_neither_gaps_nor_overlap(n):
    X = np.random.default_rng(n).normal(size=(n, 4))
    fitted = CollectionMap(verbose=False).fit(X)
    assert np.isfinite(fitted.embedding_).all()
    columns, rows = fitted.grid_.T
    width = columns.max() + 1
    assert sorted(rows * width + columns) == list(range(n))


def test_grid_keeps_the_order_of_places():
    X = np.random.default_rng(0).normal(size=(12, 2)) * [5, 1]
    fitted = CollectionMap(layout="pca").fit(X)
    left = fitted.embedding_[fitted.grid_[:, 0] < 2, 0]
    right = fitted.embedding_[fitted.grid_[:, 0] >= 2, 0]
    assert left.max() < right.min()


@pytest.mark.parametrize("n", [1, 4, 40])
def test_equal_features_are_one_place(n):
    fitted = CollectionMap(verbose=False).fit(np.ones((n, 3)))
    assert not fitted.embedding_.any()
    assert len(np.unique(fitted.grid_, axis=0)) == n


def test_one_feature(groups):
    fitted = CollectionMap(layout="pca").fit(groups[0][:, :1])
    assert fitted.embedding_.shape == (60, 2)


def test_fitted_index_gives_features(groups):
    index = PaintingIndex().fit(groups[0])
    fitted = CollectionMap(layout="pca").fit(index.features_)
    np.testing.assert_array_equal(fitted.index_.features_, index.features_)
    assert fitted.paths_ is None


def test_parameters():
    with pytest.raises(ValueError, match="Did you mean 'tsne'"):
        CollectionMap(layout="t-sne").fit(np.eye(7))
    with pytest.raises(ValueError, match="'random_state' parameter"):
        CollectionMap(random_state=None).fit(np.eye(7))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        CollectionMap().fit(np.eye(7), ["Cubism"])
    assert clone(CollectionMap(layout="pca")).layout == "pca"
    with pytest.raises(NotFittedError):
        CollectionMap().to_html("map.html")


def test_page_of_paintings(image_paths, toy_backbone, tmp_path):
    extractor = FeatureExtractor(toy_backbone, weights=None, verbose=False)
    movements = ["Cubism", "Fauvism", None] * 4
    artists = ["Ann", "Bob", None, "unknown"] * 3
    predicted = ["Cubism"] * 11 + ["Dada"]
    fitted = CollectionMap(extractor, verbose=False).fit(
        image_paths, movements, artists=artists
    )
    assert fitted.paths_ == image_paths
    page = fitted.to_html(
        tmp_path / "new" / "map.html",
        predicted=predicted,
        confidence=np.linspace(0, 1, 12),
        metadata=pd.DataFrame(
            {
                "title": [f"No. {i}" for i in range(12)],
                "year": [1900 + i if i else None for i in range(12)],
                "tags": [["sea", i] for i in range(12)],
            },
            index=range(5, 17),
        ),
        n_neighbors=3,
    )
    data = read_data(page)
    assert "<title>Map of paintings</title>" in page.read_text("utf-8")
    assert data["path"] == [path.rsplit("/")[-1] for path in image_paths]
    assert data["name"][4] == "No. 4"
    columns = dict(data["columns"])
    assert columns["year"][:2] == [None, "1901"] and "sea" in columns["tags"][3]
    assert data["columns"][0][0] == "confidence" and columns["confidence"][11] == 1
    movement, artist, guess, result = data["facets"]
    assert movement["values"] == ["Cubism", "Fauvism"]
    assert movement["codes"] == [0, 1, -1] * 4
    assert artist["codes"] == [0, 1, -1, -1] * 3  # "unknown" is no artist
    assert guess["values"] == ["Cubism", "Dada", "Fauvism"]
    shared = dict(zip(guess["values"], guess["colours"], strict=True))
    assert movement["colours"] == [shared["Cubism"], shared["Fauvism"]]
    assert [result["values"][code] for code in result["codes"][:2]] == [
        "right",
        "wrong",
    ]
    assert result["codes"][2] == -1
    for i, near in enumerate(data["neighbors"]):
        assert len(near) == 3
        assert all(artists[j] != artists[i] or i % 4 > 1 for j in near)
    with pytest.raises(IsADirectoryError):
        fitted.to_html(tmp_path)


def test_page_tells_nothing_of_the_machine(image_paths, tmp_path):
    folder = image_paths[0].rpartition("/")[0]
    artists = [f"unknown artist of {path}" for path in image_paths]
    fitted = CollectionMap(layout="pca").fit(np.eye(12), artists=artists)
    page = fitted.to_html(tmp_path / "map.html", paths=image_paths)
    assert folder not in page.read_text("utf-8")


def test_page_needs_paths(image_paths, tmp_path):
    fitted = CollectionMap(layout="pca", verbose=False).fit(np.eye(12))
    with pytest.raises(ValueError, match="the page lacks the image files: pass paths"):
        fitted.to_html(tmp_path / "map.html")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fitted.to_html(tmp_path / "map.html", paths=image_paths[:3])
    with pytest.raises(ValueError, match="'thumbnail_size' parameter"):
        fitted.to_html(tmp_path / "map.html", paths=image_paths, thumbnail_size=4)


def test_numbers_as_movements_are_in_order(image_paths, tmp_path):
    movements = pd.DataFrame({"movement": np.arange(12)[::-1]})
    fitted = CollectionMap(verbose=False).fit(np.eye(12), movements)
    page = fitted.to_html(
        tmp_path / "map.html", paths=image_paths, predicted=np.arange(1, 13)
    )
    movement, predicted, result = read_data(page)["facets"]
    assert movement["values"] == [str(code) for code in range(12)]
    assert movement["codes"] == [*range(11, -1, -1)]
    assert predicted["values"] == [str(code) for code in range(13)]
    assert result["codes"].count(0) == 1  # right, in the middle
    with pytest.raises(ValueError, match="'metadata' parameter"):
        fitted.to_html(tmp_path / "map.html", metadata={"year": [1900] * 12})


def test_thumbnails_are_small_and_unreadable_files_grey(image_paths, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    wide = save_image(tmp_path / "wide.jpg", (300, 60))
    paths = [*image_paths[:2], str(broken), wide]
    fitted = CollectionMap(verbose=False).fit(np.eye(4))
    page = fitted.to_html(tmp_path / "map.html", paths=paths, thumbnail_size=32)
    data = read_data(page)
    assert data["side"] == 32 and len(data["sheets"]) == 1
    assert data["colour"][2] == "#8a857d"
    assert (data["width"][3], data["height"][3]) == (32, 6)
    assert max(data["width"] + data["height"]) == 32


def test_sheets_are_of_a_size_that_phones_decode(image_paths, tmp_path):
    paths = image_paths * 6
    fitted = CollectionMap(layout="pca", verbose=False).fit(np.eye(72))
    page = fitted.to_html(tmp_path / "map.html", paths=paths, thumbnail_size=256)
    data = read_data(page)
    assert data["sheetSide"] == 2048 and len(data["sheets"]) == 2


@pytest.mark.slow
def test_large_collections_are_laid_out_by_opentsne():
    pytest.importorskip("openTSNE")
    generator = np.random.default_rng(0)
    codes = np.arange(10_001) % 9
    centres = generator.normal(scale=9, size=(9, 6))
    X = centres[codes] + generator.normal(size=(10_001, 6))
    first, again = (CollectionMap(verbose=False).fit(X) for _ in range(2))
    assert first.layout_ == "opentsne"
    np.testing.assert_array_equal(first.embedding_, again.embedding_)
    assert purity(first.embedding_, codes) > 0.99
    assert purity(first.grid_.astype(float), codes) > 0.9
