import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import HandcraftedFeatures, ImageLoader
from skart.explanation import occlusion, overlay_heat
from skart.plotting import ExplanationDisplay


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def pipe(image_paths):
    features = HandcraftedFeatures("hsv", verbose=False)
    pipe = make_pipeline(ImageLoader(32), features, LogisticRegression())
    return pipe.fit(image_paths, ["Cubism", "Pop_Art", "$Rococo$"] * 4)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_from_estimator_plots_paintings_heat_and_probabilities(pipe, image_paths):
    display = ExplanationDisplay.from_estimator(
        pipe, image_paths[:2], titles=["One", "Two"], top_k=2, verbose=False
    )
    assert display.axes_.shape == (2, 3) and display.figure_ is plt.gcf()
    found = occlusion(pipe, image_paths[:2])
    np.testing.assert_array_equal(display.heat, found.heat)
    for row, axes in enumerate(display.axes_):
        painting, overlay = (ax.images[0].get_array() for ax in axes[:2])
        np.testing.assert_array_equal(painting, found.images[row])
        expected = overlay_heat(found.images[row], found.heat[row])
        np.testing.assert_array_equal(overlay, expected)
        best = np.sort(found.probabilities[row])[::-1][:2]
        widths = [bar.get_width() for bar in axes[2].patches]
        np.testing.assert_allclose(widths, best)
    assert display.axes_[1, 0].get_title(loc="left") == "Two"
    movement = pipe.predict(image_paths[:1])[0].replace("$", r"\$")
    assert display.axes_[0, 1].get_title(loc="left") == f"for {movement}"


def test_tables_with_an_index(pipe, image_paths):
    found = occlusion(pipe, image_paths[:2])
    display = ExplanationDisplay(
        images=found.images.tolist(),
        heat=found.heat.tolist(),
        movements=pd.Series(found.movements, index=[5, 6]),
        probabilities=pd.DataFrame(found.probabilities, columns=found.classes),
        classes=found.classes,
        titles=pd.Series(["One", "Two"], index=[7, 8]),
    ).plot()
    expected = ExplanationDisplay.from_explanation(found, titles=["One", "Two"])
    for axes, others in zip(display.axes_.flat, expected.axes_.flat, strict=True):
        assert axes.get_title(loc="left") == others.get_title(loc="left")
        assert texts(axes) == texts(others)


def test_the_explained_movement_has_a_bar(pipe, image_paths):
    worst = pipe.classes_[pipe.predict_proba(image_paths[:1]).argmin()]
    display = ExplanationDisplay.from_estimator(
        pipe, image_paths[:1], movements=worst, top_k=1, verbose=False
    )
    (text,) = texts(display.axes_[0, 2])
    assert text.startswith(worst.replace("$", r"\$"))


def test_plot_into_axes(pipe, image_paths):
    found = occlusion(pipe, image_paths[:1])
    _, axes = plt.subplots(1, 3)
    display = ExplanationDisplay.from_explanation(found, ax=axes)
    assert display.axes_[0].tolist() == axes.tolist()
    _, ax = plt.subplots()
    assert ExplanationDisplay.from_explanation(found, ax=ax).figure_ is ax.figure
    with pytest.raises(ValueError, match="ax must hold 3 Axes; got 2"):
        display.plot(plt.subplots(1, 2)[1])


def test_wrong_options(pipe, image_paths):
    with pytest.raises(ValueError, match="'method' parameter"):
        ExplanationDisplay.from_estimator(pipe, image_paths, method="x")
    with pytest.raises(TypeError, match="its head is|its steps are"):
        ExplanationDisplay.from_estimator(pipe, image_paths, method="grad_cam")
    with pytest.raises(ValueError, match="top_k must be a positive int"):
        ExplanationDisplay.from_estimator(pipe, image_paths[:1], top_k=0)


def test_small_probabilities_are_not_shown_as_none():
    display = ExplanationDisplay(
        images=np.zeros((1, 8, 8, 3)),
        heat=np.eye(8)[None],
        movements=["Cubism"],
        probabilities=[[0.999, 0.001, 0]],
        classes=["Cubism", "Fauvism", "Rococo"],
    ).plot()
    found = [text.split()[-1] for text in texts(display.axes_[0, 2])]
    assert found == [">99%", "<1%", "0%"]
