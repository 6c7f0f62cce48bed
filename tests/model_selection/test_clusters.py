"""Searches and evaluations on the workers of a Dask cluster."""

import itertools
import os
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.model_selection import RandomizedSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from skart import (
    DenseHeadClassifier,
    FeatureExtractor,
    FeatureStore,
    ImageLoader,
    make_head_search,
)
from skart.evaluation import evaluate

pytest.importorskip("distributed")
import dask_clusters  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    # Of Dask, when its processes end.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

LIMIT = 180  # seconds for anything to happen


class Cluster(dask_clusters.Cluster):
    """A cluster with a feature store on each worker, and a record of what they do."""

    def __init__(self, folder, upstream):
        python_path = f"{self.python_path}{os.pathsep}{Path(__file__).parent}"
        environment = {"SKART_UPSTREAM": str(upstream), "PYTHONPATH": python_path}
        super().__init__(folder, environment, "--no-nanny")
        self.record = folder / "decoded.txt"
        self.record.touch()
        self.client.run(_record_decodes, self.record)

    def stores(self):
        """Return the stores of the workers."""
        roots = self.folder.glob("worker-*/.cache/skart")
        return [FeatureStore(root, upstream=False) for root in roots]


def _record_decodes(file):
    """Write the name of each file that is decoded from now on to another file."""
    from PIL import ImageFile

    prepare = ImageFile.ImageFile.load_prepare

    def recording(image):
        with open(file, "a") as opened:
            opened.write(f"{image.filename}\n")
        return prepare(image)

    ImageFile.ImageFile.load_prepare = recording


def _record_traces(folder):
    """Write a byte to a file of the process for each graph of a step of training."""
    import tensorflow as tf

    class Tape(tf.GradientTape):
        def __init__(self):
            super().__init__()
            with open(f"{folder}/traces-{os.getpid()}", "a") as opened:
                opened.write(".")

    tf.GradientTape = Tape


@pytest.fixture(scope="module")
def shared(paintings, tmp_path_factory):
    """An upstream with the features of the paintings."""
    folder = tmp_path_factory.mktemp("first")
    store = FeatureStore(folder / "store", upstream=False)
    for layer in (None, ["block2", "block5"]):
        pipe = pipeline().set_params(features__cache=store, features__layer=layer)
        pipe["features"].precompute(pipe["load"].transform(paintings.paths))
    store.push(folder / "shared", verbose=False)
    return folder / "shared"


@pytest.fixture
def cluster(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "client"))  # which has no features
    monkeypatch.setenv("SKART_UPSTREAM", str(shared))
    cluster = Cluster(tmp_path / "cluster", shared)
    with cluster.client.as_current():
        yield cluster
    cluster.close()


BACKBONE = {"backbone": "EfficientNetLite0", "cache": "~/.cache/skart"}


def pipeline(**head):
    return Pipeline(
        [
            ("load", ImageLoader(size=32)),
            ("features", FeatureExtractor(**BACKBONE, verbose=False)),
            ("head", DenseHeadClassifier(epochs=4, random_state=0, **head)),
        ]
    )


SPACE = {
    "head__units": [4, 8, 16],
    "head__optimizer__learning_rate": [1e-3, 1e-2, 3e-2],
}


def search_of_scikit_learn(n_iter, cv=None):
    return RandomizedSearchCV(
        pipeline(),
        SPACE,
        n_iter=n_iter,
        cv=StratifiedGroupKFold(2) if cv is None else cv,
        random_state=0,
    )


def search_of_skart(n_iter):
    return make_head_search(
        "layers",
        **BACKBONE,
        layers=["block2", "block5"],
        n_iter=n_iter,
        cv=StratifiedGroupKFold(2),
        random_state=0,
        size=32,
        epochs=2,
        verbose=False,
    )


@pytest.mark.parametrize("make", [search_of_scikit_learn, search_of_skart])
def test_search(paintings, cluster, tmp_path, make, work):
    X, y, artists = paintings.paths, paintings.labels, paintings.artists
    before = work()
    expected = make(6).fit(X, y, groups=artists)
    cluster.client.run(_record_traces, tmp_path)
    with joblib.parallel_config(backend="dask"):
        search = make(6).fit(X, y, groups=artists)
    found, wanted = search.cv_results_, expected.cv_results_
    assert list(map(str, found["params"])) == list(map(str, wanted["params"]))
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(found[name], wanted[name])
    np.testing.assert_allclose(
        search.predict_proba(X), expected.predict_proba(X), rtol=1e-4, atol=1e-6
    )
    # Both workers have worked, and none has computed a feature.
    assert len(cluster.stores()) == 2
    assert cluster.record.read_text() == ""
    assert work() == before
    traces = [path.stat().st_size for path in tmp_path.glob("traces-*")]
    assert len(traces) == 2
    if make is search_of_scikit_learn:  # a graph for each of three widths
        assert max(traces) <= len(SPACE["head__units"])


@pytest.fixture
def killed(cluster):
    """Kill a worker as soon as both have begun; a list of what they were doing."""
    killed = []

    def kill():
        dask_clusters.wait_for(lambda: len(cluster.stores()) == 2, LIMIT)
        killed.extend(cluster.client.processing().values())
        cluster.workers[0].kill()

    thread = threading.Thread(target=kill)
    thread.start()
    yield killed
    thread.join(LIMIT)
    assert all(killed) and len(killed) == 2
    assert cluster.workers[0].wait(LIMIT) < 0
    assert len(cluster.client.scheduler_info()["workers"]) == 1
    assert cluster.record.read_text() == ""


def test_search_with_a_killed_worker(paintings, killed):
    """Its fits are done again by the other."""
    X, y = paintings.paths, paintings.labels
    splits = list(StratifiedGroupKFold(2).split(X, y, paintings.artists))
    everything = [X, y, *itertools.chain(*splits)]
    with joblib.parallel_config(backend="dask", scatter=everything):
        search = search_of_scikit_learn(9, splits).fit(X, y)
    assert killed
    expected = search_of_scikit_learn(9, splits).fit(X, y)
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(
            search.cv_results_[name], expected.cv_results_[name]
        )


def test_evaluate_with_a_killed_worker(paintings, killed):
    X, y, artists = paintings.paths, paintings.labels, paintings.artists
    with joblib.parallel_config(backend="dask"):
        evaluation = evaluate(pipeline(), X, y, groups=artists)
    assert killed
    expected = evaluate(pipeline(), X, y, groups=artists)
    np.testing.assert_array_equal(evaluation.y_pred, expected.y_pred)
    assert evaluation.leakage_gap.equals(expected.leakage_gap)
