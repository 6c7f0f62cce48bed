"""Training of networks from scratch: decoding, precision, searches, memory."""

import math
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import hybrid, needs_bfloat16
from PIL import ImageFile
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)

from skart import ImageLoader
from skart.model_selection import cnn_search_space


def test_next_batch_is_decoded_while_training(paintings, monkeypatch):
    decoding = threading.Semaphore(0)
    prepare = ImageFile.ImageFile.load_prepare

    def release_and_prepare(image):
        decoding.release()
        return prepare(image)

    class Waiting(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            while decoding.acquire(blocking=False):  # Keras has read two batches
                pass

        def on_train_batch_end(self, batch, logs=None):
            n_images = [16, 8, 0][batch]  # of this batch and the next
            for _ in range(n_images):
                assert decoding.acquire(timeout=60), f"batch {batch} waits for decoding"

    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", release_and_prepare)
    images = ImageLoader(24).transform(paintings.paths[:24])
    model = hybrid(epochs=1, callbacks=Waiting())
    model.fit(images, ["a", "b"] * 12)


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype",
    [pytest.param("mixed_bfloat16", marks=needs_bfloat16), "mixed_float16"],
)
def test_half_precision(stripes, dtype):
    X, y = stripes
    model = hybrid(dtype=dtype, epochs=12, compile__run_eagerly=False).fit(X, y)
    assert model.model_.layers[2].compute_dtype == dtype.removeprefix("mixed_")
    assert {weight.dtype for weight in model.model_.get_weights()} == {
        np.dtype(np.float32)
    }
    probabilities = model.predict_proba(X)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert model.score(X, y) > 0.75  # chance: 0.5
    assert keras.config.dtype_policy().name == "float32"


def test_divergence_is_an_error(stripes):
    X, y = stripes
    for parameters in (
        {"optimizer__learning_rate": 1e30, "epochs": 5},
        {"optimizer__learning_rate": math.nan, "epochs": 1, "batch_size": 24},
    ):
        model = hybrid(optimizer="sgd", **parameters)
        with pytest.raises(ValueError, match="(?s)diverged.* Lower optimizer__learn"):
            model.fit(X, y)
        with pytest.raises(NotFittedError):
            model.predict(X)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_fit_in_a_forked_process_is_an_error(stripes):
    # In a new process, without threads whose locks a fork could copy.
    code = """
import multiprocessing, sys
import numpy as np
from skart import HybridCNNClassifier

def fit(queue):
    try:
        HybridCNNClassifier().fit(np.zeros((4, 8, 8, 3), np.uint8), [0, 0, 1, 1])
    except RuntimeError as error:
        queue.put(str(error))

context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=fit, args=(queue,), daemon=True)
process.start()
print(queue.get(timeout=60))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert "can't compute in a process that was forked" in done.stdout, done.stderr


@pytest.mark.slow
def test_history_and_early_stopping(stripes, capsys):
    X, y = stripes
    shuffled = np.random.default_rng(0).permutation(y)
    model = hybrid(epochs=40, validation_split=0.25, patience=1, verbose=1)
    model.fit(X, shuffled)
    assert set(model.history_) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    n_epochs = len(model.history_["val_loss"])
    assert n_epochs == np.argmin(model.history_["val_loss"]) + 2 < 40
    assert capsys.readouterr().out.count("val_accuracy") == n_epochs


@pytest.mark.slow
def test_search(stripes, tmp_path):
    search = RandomizedSearchCV(
        hybrid(epochs=1), cnn_search_space(""), n_iter=2, cv=2, random_state=0
    ).fit(*stripes)
    units = search.best_estimator_.units
    dense = search.best_estimator_.model_.layers
    assert (
        units == tuple(x.units for x in dense if isinstance(x, keras.layers.Dense))[:2]
    )
    optimizer = search.best_estimator_.model_.optimizer
    assert optimizer.epsilon == search.best_params_["optimizer__epsilon"]


def test_search_space_is_that_of_the_report():
    space = cnn_search_space()
    drawn = {
        name: space[f"cnn__optimizer__{name}"].rvs(2000, random_state=0)
        for name in ("learning_rate", "beta_1", "beta_2", "epsilon")
    }
    bounds = {
        "learning_rate": (10**-3.5, 10**-2.5),
        "beta_1": (0.9, 0.999),
        "beta_2": (0.9, 0.999),
        "epsilon": (1e-9, 1e-7),
    }
    for name, (low, high) in bounds.items():
        assert low <= drawn[name].min() < low * 1.02
        assert high * 0.98 < drawn[name].max() <= high
    for name in ("learning_rate", "epsilon"):  # uniform in the exponent
        exponents = np.log10(drawn[name])
        middle = np.log10(bounds[name]).mean()
        assert np.median(exponents) == pytest.approx(middle, abs=0.05)


@pytest.mark.slow
def test_epochs_as_the_resource_of_successive_halving(stripes):
    search = HalvingRandomSearchCV(
        hybrid(),
        {"optimizer__learning_rate": [1e-3, 1e-2]},
        resource="epochs",
        n_candidates=2,
        min_resources=1,
        max_resources=2,
        factor=2,
        cv=2,
        random_state=0,
    ).fit(*stripes)
    assert search.n_resources_ == [1, 2]
    assert len(search.best_estimator_.history_["loss"]) == 2


def peak(code):
    """Return the peak resident memory of a new process that runs code, in MiB."""
    report = (
        "\nimport resource\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + report],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


TRAIN = """
import numpy as np
from skart import HybridCNNClassifier, ImageLoader
paths = {paths!r} * {times}
X = ImageLoader({size}).transform(paths)
model = HybridCNNClassifier(units=8, epochs=1, batch_size=8)
model.fit(X, np.arange(len(paths)) % 2).predict(X[:8])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="units of ru_maxrss")
def test_memory_does_not_grow_with_the_data(image_paths):
    used = [peak(TRAIN.format(paths=image_paths, times=n, size=160)) for n in (5, 50)]
    # The larger set is 44 MiB in uint8 and 176 in float32.
    assert used[1] - used[0] < 100


# Weights and Adam's state of the first are 80 MiB a fit; what TensorFlow compiles for
# either is 3 MiB.
@pytest.mark.slow
@pytest.mark.parametrize(("units", "n_fits", "most"), [(512, 20, 300), (8, 40, 35)])
def test_memory_does_not_grow_with_fits(stripes, units, n_fits, most):
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs Linux's /proc")
    model = hybrid(pooling="flatten", units=units, epochs=1, compile__run_eagerly=False)
    used = []
    for _ in range(n_fits):
        clone(model).fit(*stripes)
        used.append(int(statm.read_text().split()[1]) * 4096 / 2**20)
    assert used[-1] - used[4] < most
