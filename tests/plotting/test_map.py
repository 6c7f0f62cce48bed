import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from skart.exploration import CollectionMap
from skart.plotting import MapDisplay


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def fit(n, movements=None):
    X = np.random.default_rng(0).normal(size=(n, 4))
    return CollectionMap(layout="pca", verbose=False).fit(X, movements)


def legend(display):
    """Return the colours in the legend, by name."""
    found = display.ax_.get_legend()
    return {
        text.get_text(): to_hex(handle.get_facecolor()[0])
        for text, handle in zip(found.texts, found.legend_handles, strict=True)
    }


def test_points_are_coloured_by_movement():
    movements = ["Cubism", "Op Art", None, "_Dada $5"] * 5
    fitted = fit(20, movements)
    display = MapDisplay.from_map(fitted)
    colours = legend(display)
    assert len(set(colours.values())) == 4
    names = [name.strip("\u200b").replace("\\", "") for name in colours]
    assert names == ["unknown", "Cubism", "Op Art", "_Dada $5"]
    points = {to_hex(x.get_facecolor()[0]): x for x in display.ax_.collections}
    for name in ("Cubism", "Op Art"):
        rows = [movement == name for movement in movements]
        np.testing.assert_allclose(
            points[colours[name]].get_offsets(), fitted.embedding_[rows]
        )
    display.figure_.canvas.draw()


def test_legend_of_many_movements_stays_readable():
    movements = np.repeat([f"movement {i:03}" for i in range(300)], 2)
    colours = legend(MapDisplay.from_map(fit(600, movements)))
    assert len(colours) == 25 and "276 more" in colours
    eighteen = legend(MapDisplay.from_map(fit(600, np.resize(movements[:36], 600))))
    assert len(set(eighteen.values())) == 18


def test_numbers_are_in_order():
    assert [*legend(MapDisplay.from_map(fit(24, np.arange(24) % 12)))] == [
        str(code) for code in range(12)
    ]


def test_no_movements_and_given_axes():
    _, ax = plt.subplots()
    display = MapDisplay.from_map(fit(1), ax=ax)
    assert display.ax_ is ax and display.figure_ is ax.figure
    assert ax.get_legend() is None and ax.yaxis_inverted()
    assert len(MapDisplay(embedding=np.eye(2)).plot().ax_.collections) == 1


def test_thumbnails_do_not_overlap(image_paths, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    paths = [*image_paths * 5, str(broken)]
    fitted = fit(len(paths))
    display = MapDisplay.from_map(fitted, thumbnails=True, paths=paths, n_columns=6)
    boxes = np.array([image.get_extent() for image in display.ax_.images])
    assert 6 < len(boxes) <= 36
    left, right, bottom, top = boxes.T
    for i in range(len(boxes)):
        apart = (right <= left[i]) | (left >= right[i])
        apart |= (bottom <= top[i]) | (top >= bottom[i])
        assert apart.sum() == len(boxes) - 1
    low, high = sorted(display.ax_.get_ylim())
    assert low <= top.min() and bottom.max() <= high
    with pytest.raises(ValueError, match="n_columns must be a positive int; got 0"):
        MapDisplay.from_map(fitted, thumbnails=True, paths=paths, n_columns=0)
    with pytest.raises(ValueError, match="image files are unknown: pass paths"):
        MapDisplay.from_map(fitted, thumbnails=True)


def test_thumbnails_lie_where_their_paintings_do(image_paths):
    fitted = fit(12)
    display = MapDisplay.from_map(
        fitted, thumbnails=True, paths=image_paths, n_columns=40
    )
    middles = [
        np.array(x.get_extent()).reshape(2, 2).mean(1) for x in display.ax_.images
    ]
    assert len(middles) == 12
    side = display.image_size / 0.92
    np.testing.assert_allclose(middles, fitted.embedding_, atol=side / 2)
