"""Predictions are equal in every process with the same seed, data and machine."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import skart
from skart import CNNClassifier, DenseHeadClassifier

SMALL = {"epochs": 2, "batch_size": 4, "random_state": 0, "validation_split": 0.2}
PARAMETERS = {
    "DenseHeadClassifier": {"units": 8},
    "hybrid": {"units": 8, "augment": "light"},
    "vgg_lite": {"units": 8, "augment": "light"},
    "squeezenet": {"augment": "light"},
    "alexnet": {"units": 8, "augment": "light"},
    "FineTuneClassifier": {
        "head": DenseHeadClassifier(units=8, epochs=1),
        "backbone": "VGG16",
        "weights": None,
        "unfreeze_from": "block5_conv3",
        "verbose": 0,
    },
}


def fit_and_predict(name):
    """Fit with a seed; return probabilities and losses bit for bit."""
    generator = np.random.default_rng(0)
    y = np.array(["Rococo", "Cubism", "Baroque"] * 8)
    X = generator.integers(0, 256, (24, 68, 68, 3), np.uint8)
    if name == "DenseHeadClassifier":
        X = generator.normal(size=(24, 16)).astype("f4")
    parameters = SMALL | PARAMETERS[name]
    if hasattr(skart, name):
        classifier = getattr(skart, name)(**parameters)
    else:
        classifier = CNNClassifier(name, **parameters)
    classifier.fit(X, y)
    probabilities = classifier.predict_proba(X)
    assert probabilities.shape == (24, 3)
    return f"{probabilities.tobytes().hex()} {classifier.history_['loss']}"


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_predictions_are_equal_in_a_new_process(name, global_generators):
    # This process has fitted other classifiers, and has another hash seed.
    np.random.seed(1)
    path = [Path(skart.__file__).parents[1], Path(__file__).parent]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONHASHSEED": "1",
    }
    script = f"from test_determinism import *; print(fit_and_predict({name!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == fit_and_predict(name)
