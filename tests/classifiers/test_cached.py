"""Stored fits, and searches that are resumed."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn
from helpers import head, save_image
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

import skart
from skart import ImageLoader
from skart.classifiers import CachedClassifier, CNNClassifier

SEARCH = """
import os, sys
import numpy as np
from scipy.stats import uniform
from sklearn.model_selection import RandomizedSearchCV
from skart import DenseHeadClassifier
from skart.classifiers import CachedClassifier

class Counted(DenseHeadClassifier):
    n_fits, n_most = 0, int(sys.argv[2])

    def fit(self, X, y, **fit_params):
        if Counted.n_fits == Counted.n_most:
            raise KeyboardInterrupt
        super().fit(X, y, **fit_params)
        Counted.n_fits += 1
        return self

generator = np.random.default_rng(0)
X = generator.normal(size=(60, 8)).astype("f4")
y = np.where(X[:, 0] > 0, "Cubism", "Rococo")
search = RandomizedSearchCV(
    CachedClassifier(Counted(units=8, epochs=1, random_state=0), memory=sys.argv[1]),
    {"estimator__dropout": uniform(0.1, 0.5)}, n_iter=3, cv=2, random_state=0,
)
try:
    search.fit(X, y)
    print(search.cv_results_["mean_test_score"].tolist(), search.best_params_)
except KeyboardInterrupt:
    print("interrupted")
print(Counted.n_fits)
"""


class Weighted(LogisticRegression):
    n_fits = 0

    def __init__(self, weights=None):
        self.weights = weights
        super().__init__()

    def fit(self, X, y):
        Weighted.n_fits += 1
        return super().fit(X, y)


def search(folder, n_most):
    root = str(Path(skart.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, str(folder), str(n_most)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_interrupted_search_is_resumed(tmp_path):
    assert search(tmp_path / "one", 4) == ["interrupted", "4"]
    results, n_fits = search(tmp_path / "one", 100)
    assert n_fits == "3"  # of 3 candidates in 2 folds, and the best on all
    assert search(tmp_path / "other", 100) == [results, "7"]
    assert search(tmp_path / "one", 0) == [results, "0"]


def test_fits_depend_on_parameters_and_data(blobs, tmp_path):
    X, y = blobs
    classifier = CachedClassifier(LogisticRegression(), memory=tmp_path / "fits")
    first = clone(classifier).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clone(classifier).fit(X, y).predict_proba(X), first)
    for other in (
        clone(classifier).set_params(estimator__C=0.01).fit(X, y),
        clone(classifier).fit(X[1:], y[1:]),
        clone(classifier).fit(X, y, sample_weight=np.arange(len(y))),
    ):
        assert not np.array_equal(other.predict_proba(X), first)
    assert is_classifier(classifier)
    with pytest.raises(ValueError, match="'memory' parameter .* Got None"):
        CachedClassifier(head(), memory=None).fit(X, y)


def test_decision_function(blobs, tmp_path):
    X, y = blobs
    cached = CachedClassifier(LinearSVC(random_state=0), memory=tmp_path).fit(X, y)
    expected = LinearSVC(random_state=0).fit(X, y).decision_function(X)
    np.testing.assert_array_equal(cached.decision_function(X), expected)
    assert not hasattr(cached, "predict_proba")
    binary = y != "Cubism"
    scores = cross_val_score(
        clone(cached), X, binary, scoring="roc_auc", cv=StratifiedKFold(2)
    )
    assert scores.min() > 0.5


def test_metadata_routing(blobs, tmp_path):
    X, y = blobs
    weights = np.arange(len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        inner = LogisticRegression().set_fit_request(sample_weight=True)
        cached = CachedClassifier(inner, memory=tmp_path)
        cached.set_score_request(sample_weight=False)  # asked for by scikit-learn 1.7
        grid = GridSearchCV(cached, {"estimator__C": [0.1]}, cv=2)
        grid.fit(X, y, sample_weight=weights)
    expected = LogisticRegression(C=0.1).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(grid.predict_proba(X), expected.predict_proba(X))


class Counted(LogisticRegression):
    """A classifier of the lengths of paths that counts its fits."""

    n_fits = 0

    def fit(self, X, y):
        Counted.n_fits += 1
        return super().fit(np.array([[len(path)] for path in X]), y)


def test_repeated_search_loads_all_fits(tmp_path, blobs, monkeypatch):
    monkeypatch.setattr(Weighted, "n_fits", 0)
    cached = CachedClassifier(Weighted(), memory=tmp_path)
    grid = GridSearchCV(cached, {"estimator__weights": [None, "x"]}, cv=2)
    scores = clone(grid).fit(*blobs).cv_results_["mean_test_score"]
    assert Weighted.n_fits == 5  # of 2 candidates in 2 folds, and the best on all
    again = clone(grid).fit(*blobs).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(again, scores)
    assert Weighted.n_fits == 5


def test_changed_files_are_fitted_again(tmp_path, monkeypatch):
    monkeypatch.setattr(Counted, "n_fits", 0)
    paths = [save_image(tmp_path / f"{i}.png", (20, 20), i) for i in range(4)]
    cached = CachedClassifier(Counted(), memory=tmp_path / "fits")
    for n_fits in (1, 1):
        clone(cached).fit(paths, [0, 1, 0, 1])
        assert Counted.n_fits == n_fits
    save_image(tmp_path / "0.png", (30, 30))
    clone(cached).fit(paths, [0, 1, 0, 1])
    assert Counted.n_fits == 2


class Broken(LogisticRegression):
    """A classifier whose `classes_` raises an AttributeError."""

    def fit(self, X, y):
        return self

    @property
    def classes_(self):
        return self.no_such_attribute


def test_errors_of_the_estimator_are_raised(blobs, tmp_path):
    cached = CachedClassifier(Broken(), memory=tmp_path)
    for _ in range(2):  # computed, then loaded
        with pytest.raises(AttributeError, match="no_such_attribute"):
            clone(cached).fit(*blobs)


@pytest.mark.slow
def test_changed_images_in_a_pipeline_are_fitted_again(tmp_path):
    paths = [save_image(tmp_path / f"{i}.png", seed=i) for i in range(8)]
    movements = np.array(["Cubism", "Rococo"] * 4)
    pipe = Pipeline(
        [
            ("load", ImageLoader(size=32)),
            ("cnn", CNNClassifier("vgg_lite", units=4, epochs=1, random_state=0)),
        ]
    )
    cached = CachedClassifier(pipe, memory=tmp_path / "fits")
    found = GridSearchCV(cached, {"estimator__cnn__units": [4]}, cv=2)
    found.fit(paths, movements)
    before = clone(cached).fit(paths, movements).predict_proba(paths)
    np.testing.assert_array_equal(found.predict_proba(paths), before)
    model = tmp_path / "model.skart"
    skart.save_model(found.best_estimator_.estimator_, model)
    np.testing.assert_array_equal(skart.load_model(model).predict_proba(paths), before)
    for i in range(4):
        save_image(tmp_path / f"{i}.png", seed=i + 100)
    after = clone(cached).fit(paths, movements).predict_proba(paths)
    plain = clone(pipe).fit(paths, movements).predict_proba(paths)
    np.testing.assert_array_equal(after, plain)


def test_fits_depend_on_weights_and_versions(blobs, tmp_path, monkeypatch):
    monkeypatch.setattr(Weighted, "n_fits", 0)
    weights = tmp_path / "a.weights.h5"
    weights.write_bytes(b"1")
    cached = CachedClassifier(Weighted(weights), memory=tmp_path / "fits")
    assert clone(cached).fit(*blobs).fit(*blobs).n_features_in_ == blobs[0].shape[1]
    assert Weighted.n_fits == 1
    weights.write_bytes(b"22")
    clone(cached).fit(*blobs)
    assert Weighted.n_fits == 2
    monkeypatch.setattr(skart, "__version__", "1000")
    clone(cached).fit(*blobs)
    assert Weighted.n_fits == 3


@pytest.mark.parametrize(
    "damage",
    [lambda kept: kept[:100], lambda _: b"", lambda _: pickle.dumps(3)],
    ids=["short", "empty", "other"],
)
def test_damaged_fit_is_computed_again_with_a_warning(blobs, tmp_path, damage):
    cached = CachedClassifier(LogisticRegression(), memory=tmp_path)
    first = cached.fit(*blobs).predict_proba(blobs[0])
    (file,) = tmp_path.rglob("output.pkl")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.warns(UserWarning, match=r"a fit in .* can't be read") as told:
        again = clone(cached).fit(*blobs)
    assert len(told) == 1
    np.testing.assert_array_equal(again.predict_proba(blobs[0]), first)
    clone(cached).fit(*blobs)  # it is stored again


def test_each_folder_of_a_process_is_complete(blobs, tmp_path):
    for name in ("first", "second"):
        CachedClassifier(Weighted(), memory=tmp_path / name).fit(*blobs)
    files = [
        {path.name for path in (tmp_path / name).rglob("*")}
        for name in ("first", "second")
    ]
    # Without its code, joblib computes the first fit again in the next process.
    assert files[0] == files[1] and "func_code.py" in files[1]
