"""Systems that came before, on drawn paintings; their descriptors and their table."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import AdaBoostClassifier
from sklearn.svm import SVC

from skart import load_model, save_model
from skart.datasets import load_image_folder, make_paintings
from skart.features.descriptors import color_names, gunsel, topography
from skart.features.descriptors._lightness import TOPOGRAPHY_NAMES
from skart.model_selection import CITED, BoostedSVC, make_cited_pipeline
from skart.reproduction._cited import compare_cited, format_cited, run_cited

ROOT = Path(__file__).parents[2]
# Of little work; of the others, the network or thousands of local features are slow.
QUICK = ["gunsel2005", "gunsel2005-bayes", "condorovici2015"]


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """Thirty-six drawn paintings of four movements, three painters each; read only."""
    root = make_paintings(
        tmp_path_factory.mktemp("paintings"),
        movements=["Impressionism", "Op Art", "Pop Art", "Ukiyo-e"],
        n_artists=3,
        n_per_artist=3,
        size_range=(64, 96),
        verbose=False,
    )
    return load_image_folder(root)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def make(store):
    """Small systems, whose networks have random weights."""

    def make(name, **options):
        defaults = {"size": 128, "weights": None, "cache": store, "verbose": False}
        return make_cited_pipeline(name, **(defaults | options))

    return make


@pytest.fixture(scope="module")
def many_paintings(tmp_path_factory):
    """Drawn paintings of four movements, eight painters each; read only."""
    root = make_paintings(
        tmp_path_factory.mktemp("many"),
        movements=["Impressionism", "Op Art", "Pop Art", "Ukiyo-e"],
        n_artists=8,
        n_per_artist=6,
        size_range=(100, 200),
        verbose=False,
    )
    return load_image_folder(root)


@pytest.mark.slow
@pytest.mark.parametrize("name", CITED)
def test_pipelines_learn(name, make, many_paintings):
    paintings = many_paintings
    painters = paintings.frame.groupby("movement")["artist"].unique()
    seen = ~np.isin(paintings.artists, np.concatenate([x[:3] for x in painters]))
    pipe = make(name).fit(paintings.paths[seen], paintings.labels[seen])
    accuracy = pipe.score(paintings.paths[~seen], paintings.labels[~seen])
    assert accuracy > 0.4  # chance is a quarter


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name in CITED
    ],
)
def test_pipelines_are_saved(name, make, paintings, tmp_path):
    pipe = make(name).fit(paintings.paths, paintings.labels)
    predicted = pipe.predict(paintings.paths)
    save_model(pipe, tmp_path / "model.skart")
    again = load_model(tmp_path / "model.skart")
    np.testing.assert_array_equal(again.predict(paintings.paths), predicted)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arora2012", "bar2014"])
def test_random_steps_have_a_seed(name, make, paintings):
    paths, labels = paintings.paths, paintings.labels
    pipe = make(name).fit(paths, labels)
    numbers = pipe[:-1].transform(paths)
    again = clone(pipe).fit(paths, labels)
    np.testing.assert_array_equal(again[:-1].transform(paths), numbers)
    other = make(name, random_state=1).fit(paths, labels)
    assert (other[:-1].transform(paths) != numbers).any()


@pytest.mark.slow
def test_binary_features_are_binary(make, many_paintings):
    paintings = many_paintings
    pipe = make("bar2014").fit(paintings.paths, paintings.labels)
    bits = pipe[:-1].transform(paintings.paths)
    assert bits.shape == (len(paintings.paths), 1024)
    assert set(np.unique(bits)) == {0, 1}
    # About as many of one as of the other: features are centred first.
    assert 0.3 < bits.mean() < 0.7


def test_unknown_name_raises():
    with pytest.raises(ValueError, match="got 'kahn2014'. Did you mean 'khan2014'"):
        make_cited_pipeline("kahn2014")


def test_sizes():
    assert make_cited_pipeline("khan2014")["load"].size == 256
    assert make_cited_pipeline("bar2014")["load"].size == 299
    assert make_cited_pipeline("bar2014", size=(96, 128))["load"].size == (96, 128)


@pytest.mark.parametrize("name", CITED)
def test_cited_systems_are_described(name):
    system = CITED[name]
    assert system.name == name
    for field in dataclasses.fields(system):
        if field.type == "str" or field.type is str:
            assert getattr(system, field.name).strip(), field.name
    assert (system.figure is None) == (system.measured_on is None)
    assert system.figure is None or 0 < system.figure < 100
    assert f'- ``"{name}"``: ' in make_cited_pipeline.__doc__
    page = (ROOT / "docs/from_the_report.md").read_text("utf-8")
    row = f"{system.reference.rstrip('.')} | {system.taken_over} | {system.published} |"
    assert f"| `{name}`: {row}" in page


def test_table_compares_published_and_measured_accuracy():
    results = {
        "khan2014": {"train": 0.9, "test": 0.5, "minutes": 1.25},
        "gunsel2005": {"failed": "ValueError: too few"},
    }
    table = compare_cited(results)
    row = table.loc["khan2014"]
    assert row["published"] == 62.2 and row["test"] == 50 and row["minutes"] == 1.25
    assert table.loc["gunsel2005", ["published", "test"]].isna().all()
    shown = format_cited(table)
    assert shown.loc["khan2014", "here"] == "50.0 %"
    assert shown.loc["khan2014", "published"] == "62.2 %"
    assert shown.loc["khan2014", "measured on"].startswith("Painting-91")
    assert shown.loc["gunsel2005", "here"] == "ValueError: too few"
    assert shown.loc["gunsel2005", "published"] == "not certain"


class Reproduction:
    """A reproduction whose experiments all raise."""

    def __init__(self, error):
        self.error, self.said = error, []

    def say(self, text):
        self.said.append(text)

    def keep(self, name, experiment):
        raise self.error


@pytest.mark.parametrize("error", [ValueError("too few"), OSError("too few")])
def test_failing_system_does_not_stop_the_others(error):
    reproduction = Reproduction(error)
    results = run_cited(reproduction)
    reason = f"{type(error).__name__}: too few"
    assert results == {name: {"failed": reason} for name in CITED}
    assert f"gunsel2005 failed: {reason}" in reproduction.said


@pytest.mark.parametrize("error", [AttributeError("a bug"), TypeError("a bug")])
def test_errors_of_skart_are_raised(error):
    with pytest.raises(type(error), match="a bug"):
        run_cited(Reproduction(error))


def test_no_system_gives_an_empty_table():
    assert compare_cited({}).reset_index().to_dict("records") == []


def test_boosted_svc_uses_relative_weights(blobs):
    X, y = blobs
    X = X[:, :2]  # where classes overlap
    weights = np.where(y == "Cubism", 5.0, 1.0)
    weighted = [
        BoostedSVC(C=0.1).fit(X, y, sample_weight=factor * weights).predict(X)
        for factor in (1e-4, 1, 1e4)
    ]
    np.testing.assert_array_equal(weighted[0], weighted[1])
    np.testing.assert_array_equal(weighted[2], weighted[1])
    plain = BoostedSVC(C=0.1).fit(X, y).predict(X)
    np.testing.assert_array_equal(plain, SVC(C=0.1).fit(X, y).predict(X))
    assert np.sum(weighted[1] == "Cubism") > np.sum(plain == "Cubism")


def test_boosting_fits_several_machines(blobs):
    X, y = blobs
    boosted = AdaBoostClassifier(BoostedSVC(C=1), n_estimators=4, random_state=0)
    boosted.fit(X[:, :2], y)
    assert len(boosted.estimators_) > 1


def grey(surface):
    """An image of these levels."""
    levels = np.clip(np.round(surface), 0, 255).astype(np.uint8)
    return np.repeat(levels[:, :, None], 3, axis=2)


class TestTopography:
    down, right = np.mgrid[:64, :64] - 32.0
    shares = ("flat", "peak", "pit", "ridge", "ravine", "saddle", "slope")

    def describe(self, surface):
        level = topography(grey(surface))[:31]
        names = dict(zip(self.shares, level[:7], strict=True))
        assert level[:7].sum() == pytest.approx(1)
        return names, level[7:].reshape(3, 8)

    def test_topography_of_a_slope(self):
        names, (gradient, *_) = self.describe(128 + 3 * self.right)
        assert names["slope"] > 0.8
        assert gradient.argmax() == 0 and gradient[0] > 0.9  # to the right
        _, (gradient, *_) = self.describe(128 + 3 * self.down)
        assert gradient[2] > 0.9  # downwards, a quarter of a turn on

    def test_topography_of_a_ridge_and_a_ravine(self):
        wall = 200 * np.exp(-(self.right**2) / 32)
        names, (_, ridge, ravine) = self.describe(wall)
        assert names["ridge"] > names["ravine"] and ridge[0] > 0.9  # it bends across
        names, (_, ridge, ravine) = self.describe(255 - wall.T)
        assert names["ravine"] > names["ridge"] and ravine[4] > 0.9

    def test_topography_of_a_peak_a_pit_and_a_saddle(self):
        hill = 200 * np.exp(-(self.right**2 + self.down**2) / 32)
        names, _ = self.describe(hill)
        assert names["peak"] > 0 and names["pit"] == names["saddle"] == 0
        names, _ = self.describe(255 - hill)
        assert names["pit"] > 0 and names["peak"] == names["saddle"] == 0
        names, _ = self.describe(128 + (self.right**2 - self.down**2) / 2)
        assert names["saddle"] > 0 and names["peak"] == names["pit"] == 0

    def test_topography_has_as_many_names_as_features(self):
        for shape in ((16, 17), (90, 40)):
            image = grey(np.random.default_rng(0).integers(0, 256, shape))
            assert topography(image).shape == (len(TOPOGRAPHY_NAMES),) == (93,)


def test_color_names_of_plain_colours():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:20, :20] = 250, 240, 245  # nearly white
    image[:20, 20:] = 200, 20, 30  # red
    image[20:, :20] = 20, 30, 220  # blue
    image[20:, 20:] = 110, 110, 115  # grey
    shares = color_names(image).reshape(5, 11)
    named = ["blue", "grey", "red", "white"]
    order = "black blue brown grey green orange pink purple red white yellow".split()
    assert [order[i] for i in np.flatnonzero(shares[0])] == named
    np.testing.assert_allclose(shares[0][shares[0] > 0], 0.25)
    assert [order[i] for i in shares[1:].argmax(axis=1)] == [
        "white",
        "red",
        "blue",
        "grey",
    ]


def test_gunsel_has_six_features():
    flat = gunsel(np.full((40, 50, 3), 100, np.uint8))
    assert flat[0] == 0 and flat[1] == 0 and flat[2] == 1
    assert abs(flat[3] - 100) <= 2 and flat[4] == flat[5] == 0
    few_lights = np.full((40, 50, 3), 30, np.uint8)
    few_lights[:4, :5] = 250
    dark = gunsel(few_lights)
    assert dark[0] == pytest.approx(0.99) and dark[1] > 0 and dark[2] == 2
    assert abs(dark[3] - 30) <= 2 and dark[4] > 0 and dark[5] > 5
    assert gunsel(255 - few_lights)[5] < -5
