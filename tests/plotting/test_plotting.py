from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import save_image
from PIL import Image
from sklearn.calibration import calibration_curve
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skart import ImageLoader
from skart.evaluation import Evaluation
from skart.images import UnreadableImageError
from skart.images._headers import read_sizes
from skart.plotting import (
    ConfusionDisplay,
    CoverageDisplay,
    HistoryDisplay,
    ImageSizeDisplay,
    MistakesDisplay,
    ReliabilityDisplay,
    SamplesDisplay,
    SearchDisplay,
)
from skart.plotting._axes import as_label


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_history_marks_the_best_validation_epochs():
    history = {
        "loss": [2.0, 1.0, 0.5],
        "accuracy": [0.2, 0.5, 0.8],
        "val_loss": [2.1, 1.2, 1.4],
        "val_accuracy": [0.2, 0.6, 0.5],
    }
    display = HistoryDisplay(history=history).plot()
    loss, accuracy = display.axes_
    assert loss.lines[0].get_ydata().tolist() == history["loss"]
    assert loss.lines[1].get_ydata().tolist() == history["val_loss"]
    assert loss.lines[2].get_xydata().tolist() == [[2, 1.2]]  # the best epoch
    assert accuracy.lines[2].get_xydata().tolist() == [[2, 0.6]]
    _, axes = plt.subplots(2)
    assert (
        HistoryDisplay(history={"loss": [1], "accuracy": [1]}).plot(axes).axes_[0]
        is axes[0]
    )
    with pytest.raises(ValueError, match="ax must hold 2 Axes; got 3"):
        HistoryDisplay(history=history).plot(plt.subplots(3)[1])


def test_confusion_matrix_with_long_names():
    names = np.array(
        [f"The {i}th of eighteen movements with long names" for i in range(18)]
    )
    truth = np.repeat(names, 4)
    predicted = truth.copy()
    predicted[0] = names[1]
    display = ConfusionDisplay.from_predictions(truth, predicted)
    row = sorted(names).index(names[0])
    assert display.confusion_matrix[row, row] == 3
    assert display.text_[row, row].get_text() == "75"
    assert display.text_[row, sorted(names).index(names[2])].get_text() == ""
    figure = display.figure_
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in display.ax_.get_yticklabels()]
    assert all(a.y0 >= b.y1 - 1 for a, b in zip(boxes, boxes[1:], strict=False))
    assert min(box.x0 for box in boxes) >= 0  # no name is cut


def test_samples_show_each_artist_once_first(image_paths):
    labels = np.array(["Op Art", "Pop Art"] * 6)
    artists = np.array(["a", "b", "a", "b", "c", "d", "a", "b", "a", "b", "a", "b"])
    display = SamplesDisplay.from_paths(
        image_paths, labels, n_samples=3, size=24, artists=artists
    )
    assert {name: len(images) for name, images in display.images.items()} == {
        "Op Art": 3,
        "Pop Art": 3,
    }
    texts = {text.get_text() for ax in display.axes_.flat for text in ax.texts}
    assert texts == {"Op Art", "Pop Art"}


def test_samples_need_a_label_for_each_path(image_paths):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SamplesDisplay.from_paths(image_paths, ["Op Art", "Pop Art"])
    with pytest.raises(ValueError, match="no paintings to plot: paths is empty"):
        SamplesDisplay.from_paths([], [])


def test_history_marks_stages():
    history = {"loss": [3.0, 2.0, 1.0], "accuracy": [0.1, 0.2, 0.3], "stage": [1, 1, 2]}
    loss, _ = HistoryDisplay(history=history).plot().axes_
    assert loss.lines[1].get_xdata() == [2.5, 2.5]
    assert [text.get_text() for text in loss.texts] == ["stage 2"]
    with pytest.raises(NotFittedError):
        HistoryDisplay.from_estimator(make_pipeline(DecisionTreeClassifier()))


def test_sizes_are_read_from_headers(image_paths, tmp_path):
    expected, whole = [], image_paths
    image_paths = [tmp_path / f"{i}.jpg" for i in range(len(whole))]
    for path, cut in zip(whole, image_paths, strict=True):
        with Image.open(path) as image:
            expected.append(image.size)
        # Keep the header only.
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


def test_sizes_follow_the_orientation_of_the_file(tmp_path):
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


def test_mistakes_are_sorted_by_confidence(image_paths):
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


class ConstantClassifier:
    """Predicts the second class for all paintings."""

    classes_ = np.array(["Baroque", "Rococo"])

    def predict_proba(self, paths):
        return np.tile([0.25, 0.75], (len(paths), 1))


def test_mistakes_from_estimator(image_paths):
    y = ["Rococo"] * 10 + ["Baroque"] * 2
    display = MistakesDisplay.from_estimator(
        ConstantClassifier(), image_paths, y, size=24
    )
    assert display.y_pred.tolist() == ["Rococo"] * 2
    assert display.confidence.tolist() == [0.75] * 2


def test_search_marks_the_best_candidate():
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
    with pytest.raises(ValueError, match="no parameter was searched"):
        SearchDisplay(results={"mean_test_score": [0.5]}).plot()


def test_search_draws_the_defaults_as_a_line():
    results = {
        "param_units": [None, 64, 128],
        "param_widths": [None, (64, 32), (128, 32)],
        "mean_test_score": [0.7, 0.6, 0.5],
        "std_test_score": [0.1, 0.1, 0.1],
    }
    for ax in SearchDisplay(results=results).plot().axes_:
        (line,) = (line for line in ax.lines if line.get_label() == "defaults")
        assert set(line.get_ydata()) == {0.7}
        assert "best" not in [line.get_label() for line in ax.lines]


def test_reliability():
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.3, 1, 400)
    correct = generator.random(400) < confidence
    display = ReliabilityDisplay.from_predictions(
        correct, np.ones(400, bool), confidence, n_bins=5
    )
    accuracy, mean_confidence = calibration_curve(correct, confidence, n_bins=5)
    np.testing.assert_allclose(display.line_.get_xdata(), mean_confidence)
    np.testing.assert_allclose(display.line_.get_ydata(), accuracy)


def test_coverage():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(3), 60)
    evaluation = Evaluation(
        generator.integers(0, 3, 60), probabilities=probabilities, classes=[0, 1, 2]
    )
    line = CoverageDisplay.from_evaluation(evaluation).line_
    half = np.argmin(np.abs(line.get_xdata() - 0.5))
    surest = np.argsort(-evaluation.confidence)[:30]
    correct = evaluation.y_true == evaluation.y_pred
    assert line.get_ydata()[half] == correct[surest].mean()


@pytest.mark.parametrize(
    "kind", [ConfusionDisplay, ReliabilityDisplay, CoverageDisplay]
)
def test_displays_of_predictions_agree(kind):
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.where(X[:, 0] + X[:, 1] / 2 > 0, "a", "b")
    model = GaussianNB().fit(X[:30], y[:30])
    probabilities = model.predict_proba(X)
    evaluation = Evaluation(y, probabilities=probabilities, classes=model.classes_)
    figure, axes = plt.subplots(1, 2)
    displays = [
        kind.from_estimator(model, X, y, ax=axes[0]),
        kind.from_evaluation(evaluation, ax=axes[1]),
    ]
    assert [display.ax_ for display in displays] == axes.tolist()
    assert all(display.figure_ is figure for display in displays)
    for name, values in vars(displays[0]).items():
        if isinstance(values, np.ndarray) and not name.endswith("_"):
            np.testing.assert_array_equal(values, getattr(displays[1], name))
    predicted_only = Evaluation(y, y_pred=evaluation.y_pred)
    if kind is ConfusionDisplay:
        assert kind.from_evaluation(predicted_only, normalize=None).text_[0, 0]
    else:
        with pytest.raises(ValueError, match="needs probabilities"):
            kind.from_evaluation(predicted_only)


def test_displays_of_several_parts_are_drawn_within_axes(image_paths):
    figure, axes = plt.subplots(2, 2)
    history = {"loss": [1], "accuracy": [1]}
    displays = [
        HistoryDisplay(history=history).plot(axes[0, 0]),
        ImageSizeDisplay(widths=[1, 2], heights=[3, 4]).plot(axes[0, 1]),
        SamplesDisplay(images={"a": np.zeros((2, 4, 4, 3))}).plot(axes[1, 0]),
        MistakesDisplay.from_predictions(image_paths[:1], ["a"], ["b"], ax=axes[1, 1]),
    ]
    assert all(display.figure_ is figure for display in displays)
    assert [display.axes_.size for display in displays] == [2, 4, 2, 1]
    figure.canvas.draw()


def test_names_with_dollar_signs_are_drawn_as_text(image_paths):
    names = np.array([r"$\frac{", "a$b$c", "x" * 90, "two\nlines"])
    display = ConfusionDisplay.from_predictions(names, names)
    display.figure_.canvas.draw()  # and the long one leaves room for the matrix
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert "two lines" in labels
    SamplesDisplay.from_paths(image_paths[:4], names, size=16).figure_.canvas.draw()
    MistakesDisplay.from_predictions(
        image_paths[:4], names, names[::-1], np.ones(4), size=16
    ).figure_.canvas.draw()


def test_mistakes_are_drawn_without_padding(tmp_path):
    wide = save_image(tmp_path / "wide.png", (40, 10))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.warns(UserWarning, match="1 of 2 images can't be read"):
        display = MistakesDisplay.from_predictions(
            [wide, broken], ["a", "a"], ["b", "b"], [0.9, 0.8], size=20
        )
    shapes = [ax.images[0].get_array().shape for ax in display.figure_.axes[:2]]
    assert shapes == [(5, 20, 3), (20, 20, 3)]


def test_labels_are_broken_after_underscores():
    assert as_label("Northern_Renaissance", 14) == "Northern_\nRenaissance"
    assert as_label("Op_Art", 14) == "Op_Art"
    assert as_label("Northern_Renaissance") == "Northern_Renaissance"


def test_classifier_without_probabilities_is_pointed_to_calibration():
    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    for estimator in (LinearSVC(), make_pipeline(StandardScaler(), LinearSVC())):
        with pytest.raises(TypeError, match="LinearSVC .*CalibratedClassifierCV"):
            ReliabilityDisplay.from_estimator(estimator.fit(X, y), X, y)
