import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import save_image

from skart.exploration import PaintingIndex
from skart.images import ImageLoader
from skart.plotting import NeighborsDisplay

FEATURES = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.3], [0.0, 1.0]])
LABELS = ["Rococo", "Cubism", "Cubism", "Rococo"]
ARTISTS = ["A", "A", "B", "$C$"]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def paths(image_paths):
    return np.array(image_paths[:4], dtype=object)


def titles(display):
    return [[ax.get_title(loc="left") for ax in row] for row in display.axes_]


def test_neighbours_of_queries(paths):
    index = PaintingIndex().fit(FEATURES, artists=ARTISTS)
    display = NeighborsDisplay.from_index(
        index,
        FEATURES[:2],
        paths,
        LABELS,
        query_paths=paths[:2],
        n_neighbors=2,
        size=24,
    )
    assert display.indices.tolist() == [[2, 3], [2, 3]]
    np.testing.assert_allclose(display.similarities[0], [1 / np.hypot(1, 0.3), 0])
    images = ImageLoader(24, resize="pad").transform(paths)
    np.testing.assert_array_equal(display.queries, images[:2])
    np.testing.assert_array_equal(display.neighbors[1], images[2:])
    assert titles(display)[0] == ["00.jpg", "Cubism\nB\n0.96", "Rococo\n\\$C\\$\n0.00"]
    assert len(display.axes_[0, 1].images) == 1
    display.figure_.canvas.draw()
    display.labels = [[None, np.nan]] * 2
    assert titles(display.plot())[0][1:] == ["B\n0.96", "\\$C\\$\n0.00"]


def test_options_of_the_index_and_titles(paths):
    index = PaintingIndex(metric="euclidean").fit(FEATURES)
    display = NeighborsDisplay.from_index(
        index,
        FEATURES[:1],
        paths,
        query_paths=paths[:1],
        titles=["mine"],
        n_neighbors=2,
        size=24,
        among=np.array([True, True, False, False]),
    )
    assert display.indices.tolist() == [[1, -1]]
    # Without labels, artists and a similarity, nothing is said of a neighbour.
    assert titles(display) == [["mine", "", ""]]
    assert [len(ax.images) for ax in display.axes_[0]] == [1, 1, 0]


def test_paths_of_an_index_with_an_extractor(paths, toy_backbone):
    from skart import FeatureExtractor

    extractor = FeatureExtractor(toy_backbone, weights=None, verbose=False)
    index = PaintingIndex(extractor).fit(paths, artists=ARTISTS)
    display = NeighborsDisplay.from_index(index, paths[:1], paths, n_neighbors=1)
    assert display.indices[0, 0] in (2, 3)
    assert display.queries.shape == (1, 200, 200, 3)


def test_given_axes_are_used(paths):
    index = PaintingIndex().fit(FEATURES)
    figure, axes = plt.subplots(1, 2)
    options = {"query_paths": paths[:1], "n_neighbors": 3, "size": 24}
    display = NeighborsDisplay.from_index(
        index, FEATURES[:1], paths, ax=axes[0], **options
    )
    assert display.figure_ is figure and display.axes_.shape == (1, 4)
    with pytest.raises(ValueError, match="ax must hold 4 Axes"):
        display.plot(axes)


def test_bad_input_is_named(paths, tmp_path):
    index = PaintingIndex().fit(FEATURES)
    with pytest.raises(ValueError, match="X doesn't hold paths: pass .* query_paths"):
        NeighborsDisplay.from_index(index, FEATURES[:1], paths)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        NeighborsDisplay.from_index(index, FEATURES, paths[:3], query_paths=paths)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    options = {"query_paths": [save_image(tmp_path / "q.png")], "n_neighbors": 1}
    with pytest.warns(UserWarning, match="broken.png"):
        display = NeighborsDisplay.from_index(
            index, FEATURES[:1], [paths[0], broken, *paths[2:]], **options
        )
    assert not display.neighbors.any()
