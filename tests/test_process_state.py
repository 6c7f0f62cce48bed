"""Importing skart and fitting with it leave the process as it was."""

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.base import clone

import skart
from skart import DenseHeadClassifier, HybridCNNClassifier

# Two logical CPUs can be had only as long as TensorFlow's runtime is not initialised,
# so this runs in a process of its own.
SCRIPT = """
import importlib
import json
import logging
import os
import pkgutil
import random
import signal
import sys

import keras
import numpy as np
import tensorflow as tf

METHODS = [
    (keras_class, name)
    for keras_class in (
        keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer
    )
    for name in ("__reduce__", "__reduce_ex__", "__deepcopy__", "__copy__")
]


def look():
    stderr = os.fstat(2)
    return {
        "environment": dict(os.environ),
        "standard error": (stderr.st_dev, stderr.st_ino),
        "methods of Keras": [repr(getattr(*x, None)) for x in METHODS],
        "random": str(random.getstate()),
        "numpy.random": str(np.random.get_state()),
        "signals": str(list(map(signal.getsignal, signal.valid_signals()))),
        "log filters": str(logging.getLogger("tensorflow").filters),
        "dtype policy": str(keras.config.dtype_policy()),
    }


def compare(before):
    after = look()
    return [name for name in before if before[name] != after[name]]


changed, before = {}, look()
import skart
for module in pkgutil.walk_packages(skart.__path__, "skart."):
    if not module.name.startswith(("skart.cli", "skart.commands")):
        importlib.import_module(module.name)
changed["import"] = compare(before)

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)

generator = np.random.default_rng(0)
y = np.arange(16) % 2
images = generator.integers(0, 256, (16, 32, 32, 3), np.uint8)
options = {"epochs": 2, "batch_size": 8, "random_state": 0}
fits = {
    "head": lambda: skart.DenseHeadClassifier(8, dropout=0.0, **options).fit(
        images[:, 0, :, 0], y
    ),
    "cnn": lambda: skart.HybridCNNClassifier(
        units=4, augment="light", **options
    ).fit(images, y),
    "fine-tuning": lambda: skart.FineTuneClassifier(
        skart.DenseHeadClassifier(8, dropout=0.0, epochs=1, random_state=0),
        backbone="VGG16", weights=None, unfreeze_from="block5_conv3",
        optimizer__learning_rate=0.001, verbose=0, **options,
    ).fit(images, y),
}
strategy, spread = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), {}
for name in sys.argv[1:]:
    with strategy.scope():
        model = fits[name]()
    spread[name] = [
        float(abs(np.subtract(*strategy.experimental_local_results(v.value))).max())
        for v in model.model_.trainable_variables
    ]

before = look()
fits[sys.argv[1]]()
changed["fit"] = compare(before)
print(json.dumps({"changed": changed, "spread": spread}))
"""


def run_script(*fits):
    environment = {**os.environ, "PYTHONPATH": str(Path(skart.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *fits],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("fits", [["head"], ["cnn", "fine-tuning"]])
def test_process_state_and_replicas(fits):
    seen = run_script(*fits)
    assert seen["changed"] == {"import": [], "fit": []}
    assert [*map(set, seen["spread"].values())] == [{0}] * len(fits)


@pytest.mark.slow
@pytest.mark.parametrize("callbacks", [None, [keras.callbacks.Callback()]])
def test_memory_does_not_grow_with_fits(callbacks):
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs Linux's /proc")
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(64, 4096)).astype("f4"), np.arange(64) % 4
    pages = []
    for _ in range(20):
        DenseHeadClassifier(512, epochs=1, callbacks=callbacks, random_state=0).fit(
            X, y
        )
        pages.append(int(statm.read_text().split()[1]))
    # Weights and Adam's state are 24 MiB a fit: 360 MiB if they were not freed.
    grown = (pages[-1] - pages[4]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    assert grown < 90


def fit_and_predict(classifier, X, y):
    return clone(classifier).fit(X, y).predict_proba(X)


@pytest.mark.parametrize(
    "classifier",
    [
        DenseHeadClassifier(8, epochs=2, random_state=0),
        # A callback takes the head through Keras' own loop.
        pytest.param(
            DenseHeadClassifier(
                8, epochs=2, random_state=0, callbacks=[keras.callbacks.Callback()]
            ),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            HybridCNNClassifier(
                units=4, dropout=0.5, epochs=2, augment="light", random_state=0
            ),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["head", "head with callbacks", "cnn"],
)
def test_threads_fit_at_once(classifier):
    generator = np.random.default_rng(0)
    X, y = generator.integers(0, 256, (24, 24, 24, 3), np.uint8), np.arange(24) % 3
    if isinstance(classifier, DenseHeadClassifier):
        X = X[:, 0, :, 0].astype(np.float32)
    alone = fit_and_predict(classifier, X, y)
    other = clone(classifier).set_params(random_state=1)
    together, ended = [], threading.Event()

    def draw():
        while not ended.is_set():
            random.random(), np.random.rand()

    def fit(model):
        together.append((model, fit_and_predict(model, X, y)))

    drawing = threading.Thread(target=draw)
    fits = [threading.Thread(target=fit, args=(m,)) for m in (classifier, other)]
    for thread in (drawing, *fits):
        thread.start()
    for thread in fits:
        thread.join()
    ended.set()
    drawing.join()
    together = dict(together)
    np.testing.assert_array_equal(together[classifier], alone)
    np.testing.assert_array_equal(together[other], fit_and_predict(other, X, y))
    assert not np.allclose(together[other], alone)
