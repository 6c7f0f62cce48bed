from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import save_image
from PIL import Image
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from skart import ImageLoader
from skart.evaluation import Evaluation
from skart.images import UnreadableImageError
from skart.images._headers import read_sizes
from skart.plotting import (
    HistoryDisplay,
    ImageSizeDisplay,
    MistakesDisplay,
    SamplesDisplay,
    SearchDisplay,
    plot_confusion_matrix,
    plot_coverage,
    plot_reliability,
)


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
    names = np.array(
        [f"The {i}th of eighteen movements with long names" for i in range(18)]
    )
    truth = np.repeat(names, 4)
    predicted = truth.copy()
    predicted[0] = names[1]
    display = plot_confusion_matrix(truth, predicted)
    row = sorted(names).index(names[0])
    assert display.confusion_matrix[row, row] == 75
    assert display.text_[row, row].get_text() == "75"
    assert display.text_[row, sorted(names).index(names[2])].get_text() == ""
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


def test_stages_of_a_history():
    history = {"loss": [3.0, 2.0, 1.0], "accuracy": [0.1, 0.2, 0.3], "stage": [1, 1, 2]}
    loss, _ = HistoryDisplay(history).plot().axes_
    assert loss.lines[1].get_xdata() == [2.5, 2.5]
    assert [text.get_text() for text in loss.texts] == ["stage 2"]
    with pytest.raises(NotFittedError):
        HistoryDisplay.from_estimator(make_pipeline(DecisionTreeClassifier()))


def test_sizes(image_paths, tmp_path):
    expected, whole = [], image_paths
    image_paths = [tmp_path / f"{i}.jpg" for i in range(len(whole))]
    for path, cut in zip(whole, image_paths, strict=True):
        with Image.open(path) as image:
            expected.append(image.size)
        # Headers are enough: the rest can't be decoded.
        cut.write_bytes(Path(path).read_bytes()[:700])
    with pytest.raises(UnreadableImageError):
        np.asarray(ImageLoader(8).transform(image_paths))
    display = ImageSizeDisplay.from_paths(image_paths)
    assert list(zip(display.widths, display.heights, strict=True)) == expected
    assert display.axes_[0].collections[0].get_offsets().tolist() == [
        list(size) for size in expected
    ]
    for ax in display.axes_[1:]:
        assert sum(patch.get_height() for patch in ax.patches) == 12
    longer = np.max(expected, axis=1)
    cut = int(np.median(longer))
    assert len(ImageSizeDisplay.from_paths(image_paths, below=cut).widths) == np.sum(
        longer < cut
    )
    assert len(ImageSizeDisplay.from_paths(image_paths, above=cut).widths) == np.sum(
        longer >= cut
    )
    with pytest.raises(ValueError, match="no image has a longer side below=3"):
        ImageSizeDisplay.from_paths(image_paths, below=3)


def test_sizes_are_those_that_are_seen(tmp_path):
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(turned, exif=exif)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    with pytest.warns(UserWarning, match="1 images can't be read.*\n.*broken.jpg"):
        assert read_sizes([turned, broken]).tolist() == [[20, 30]]
    with pytest.raises(ValueError, match="no image can be read"):
        read_sizes([broken])


def test_mistakes(image_paths):
    true = np.array(["Rococo", "Baroque"] * 6)
    predicted = true.copy()
    predicted[[3, 5, 8]] = "Cubism"
    confidence = np.linspace(0.3, 0.9, 12)
    display = MistakesDisplay.from_predictions(
        image_paths, true, predicted, confidence, n_mistakes=2, size=48
    )
    assert display.y_true.tolist() == ["Rococo", "Baroque"]
    assert display.confidence.tolist() == confidence[[8, 5]].tolist()
    loader = ImageLoader(48, resize="pad")
    expected = loader.transform([image_paths[8], image_paths[5]])
    np.testing.assert_array_equal(display.images, expected)
    titles = [ax.get_title(loc="left") for ax in display.figure_.axes[:2]]
    assert titles[0] == f"Cubism? {confidence[8]:.0%}\nis Rococo"
    none = MistakesDisplay.from_predictions(image_paths, true, true, confidence)
    assert len(none.images) == 0


class Guesser:
    """Takes all paintings for the second class."""

    classes_ = np.array(["Baroque", "Rococo"])

    def predict_proba(self, paths):
        return np.tile([0.25, 0.75], (len(paths), 1))


def test_mistakes_of_an_estimator(image_paths):
    y = ["Rococo"] * 10 + ["Baroque"] * 2
    display = MistakesDisplay.from_estimator(Guesser(), image_paths, y, size=24)
    assert display.y_pred.tolist() == ["Rococo"] * 2
    assert display.confidence.tolist() == [0.75] * 2


def test_search():
    X = np.random.default_rng(0).normal(size=(60, 4))
    space = {
        "max_depth": [1, 2, 3],
        "criterion": ["gini", "entropy"],
        "ccp_alpha": [1e-4, 1e-2, 1e-1],
    }
    search = RandomizedSearchCV(
        DecisionTreeClassifier(random_state=0), space, n_iter=8, random_state=0
    ).fit(X, X[:, 0] > 0)
    display = SearchDisplay.from_estimator(search)
    assert {ax.get_xlabel() for ax in display.axes_} == set(space)
    by_name = {ax.get_xlabel(): ax for ax in display.axes_}
    assert by_name["ccp_alpha"].get_xscale() == "log"
    assert by_name["max_depth"].get_xscale() == "linear"
    depths = by_name["max_depth"].lines[0].get_xydata()
    expected = search.cv_results_["mean_test_score"]
    np.testing.assert_allclose(depths[:, 1], expected)
    best = by_name["max_depth"].lines[-1].get_xydata()[0]
    assert best.tolist() == [search.best_params_["max_depth"], search.best_score_]
    with pytest.raises(NotFittedError):
        SearchDisplay.from_estimator(RandomizedSearchCV(DecisionTreeClassifier(), {}))


def test_reliability():
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.3, 1, 400)
    correct = generator.random(400) < confidence
    display = plot_reliability(correct, confidence, n_bins=5)
    chosen = (confidence > 0.6) & (confidence <= 0.8)
    place = np.argmin(np.abs(display.prob_pred - confidence[chosen].mean()))
    assert display.prob_pred[place] == pytest.approx(confidence[chosen].mean())
    assert display.prob_true[place] == pytest.approx(correct[chosen].mean())


def test_coverage():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(3), 60)
    evaluation = Evaluation(generator.integers(0, 3, 60), probabilities, [0, 1, 2])
    line = plot_coverage(evaluation).lines[-1]
    half = np.argmin(np.abs(line.get_xdata() - 0.5))
    surest = np.argsort(-evaluation.confidence)[:30]
    assert line.get_ydata()[half] == evaluation.correct[surest].mean()


def test_names_are_no_mathematics(image_paths):
    names = np.array([r"$\frac{", "a$b$c", "x" * 90, "two\nlines"])
    display = plot_confusion_matrix(names, names)
    display.figure_.canvas.draw()  # and the long one leaves room for the matrix
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert "two lines" in labels
    SamplesDisplay.from_paths(image_paths[:4], names, size=16).figure_.canvas.draw()
    MistakesDisplay.from_predictions(
        image_paths[:4], names, names[::-1], np.ones(4), size=16
    ).figure_.canvas.draw()


def test_mistakes_are_drawn_without_the_black_that_fills_up(tmp_path):
    wide = save_image(tmp_path / "wide.png", (40, 10))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.warns(UserWarning, match="1 of 2 images can't be read"):
        display = MistakesDisplay.from_predictions(
            [wide, broken], ["a", "a"], ["b", "b"], [0.9, 0.8], size=20
        )
    shapes = [ax.images[0].get_array().shape for ax in display.figure_.axes[:2]]
    assert shapes == [(5, 20, 3), (20, 20, 3)]
