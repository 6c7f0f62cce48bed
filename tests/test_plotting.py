import matplotlib.pyplot as plt
import numpy as np
import pytest

from skart.datasets._pandora import _MOVEMENTS
from skart.plotting import HistoryDisplay, SamplesDisplay, plot_confusion_matrix


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_history():
    history = {
        "loss": [2.0, 1.0, 0.5],
        "accuracy": [0.2, 0.5, 0.8],
        "val_loss": [2.1, 1.2, 1.4],
        "val_accuracy": [0.2, 0.6, 0.5],
    }
    display = HistoryDisplay(history).plot()
    loss, accuracy = display.axes_
    assert loss.lines[0].get_ydata().tolist() == history["loss"]
    assert loss.lines[1].get_ydata().tolist() == history["val_loss"]
    assert loss.lines[2].get_xydata().tolist() == [[2, 1.2]]  # the best epoch
    assert accuracy.lines[2].get_xydata().tolist() == [[2, 0.6]]
    _, axes = plt.subplots(2)
    assert (
        HistoryDisplay({"loss": [1], "accuracy": [1]}).plot(axes=axes).axes_[0]
        is axes[0]
    )


def test_confusion_matrix_with_long_names():
    names = np.array([name for _, name, _, _ in _MOVEMENTS])
    truth = np.repeat(names, 4)
    predicted = truth.copy()
    predicted[0] = "Cubism"
    display = plot_confusion_matrix(truth, predicted)
    row = sorted(names).index(names[0])
    assert display.confusion_matrix[row, row] == 75
    assert display.text_[row, row].get_text() == "75"
    assert display.text_[0, 1].get_text() == ""
    figure = display.figure_
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in display.ax_.get_yticklabels()]
    assert all(a.y0 >= b.y1 - 1 for a, b in zip(boxes, boxes[1:], strict=False))
    assert min(box.x0 for box in boxes) >= 0  # no name is cut


def test_samples(image_paths):
    labels = np.array(["Op Art", "Pop Art"] * 6)
    artists = np.array(["a", "b", "a", "b", "c", "d", "a", "b", "a", "b", "a", "b"])
    display = SamplesDisplay.from_paths(
        image_paths, labels, n_samples=3, size=24, artists=artists
    )
    assert {name: len(images) for name, images in display.images.items()} == {
        "Op Art": 3,
        "Pop Art": 3,
    }
    texts = {text.get_text() for ax in display.figure_.axes for text in ax.texts}
    assert texts == {"Op Art", "Pop Art"}
