"""A reproduction that is killed goes on after its last finished fit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import skart
from skart.datasets import make_paintings

NAMES = ["hybrid", "reported-head", "transfer", "leakage"]

# Runs experiments, and kills itself when a number of fits is finished.
SCRIPT = """
import os, signal, sys
from pathlib import Path
import skart
from skart.cli._collection import Collection
from skart.cli._options import Source
from skart.reproduction._experiments import Reproduction
from skart.reproduction._settings import Settings

data, out, n_most, *names = sys.argv[1:]
n_fits = 0

def count(kind):
    fit = kind.fit

    def counted(self, *args, **options):
        global n_fits
        if n_fits == int(n_most):
            os.kill(os.getpid(), signal.SIGKILL)
        fit(self, *args, **options)
        n_fits += 1
        return self

    kind.fit = counted

count(skart.CNNClassifier)
count(skart.DenseHeadClassifier)
reproduction = Reproduction(
    Collection(Source(Path(data))), out,
    Settings(
        size=32, pretrained_size=32, n_networks=3, n_heads=3, search_epochs=1,
        epochs=1, head_epochs=2,
    ),
    backbone="EfficientNetLite0", weights="imagenet",
)
results = {}
for name in names:
    run = reproduction.experiments[name]
    results[name] = reproduction.keep(name, lambda: run(results))
print("fits:", n_fits)
"""


@pytest.fixture
def paintings(tmp_path):
    options = {"movements": ["Op Art", "Cubism"], "size_range": (64, 80)}
    return make_paintings(
        tmp_path / "paintings", n_artists=4, n_per_artist=3, verbose=False, **options
    )


def reproduce(data, out, n_most=-1):
    """Return the number of fits, or None if the process was killed."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(data), str(out), str(n_most), *NAMES],
        env={**os.environ, "PYTHONPATH": str(Path(skart.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rpartition("fits:")[2])


def read(out, name):
    """Return a result without what was measured by the clock."""
    result = json.loads((out / f"{name}.json").read_text())
    del result["minutes"]
    result.pop("seconds_per_epoch", None)
    return result


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_no_finished_fit_is_done_again(paintings, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    # Three candidates and the best network; a head; three and the best; two heads with
    # four random folds and four that keep artists apart.
    assert reproduce(paintings, whole) == 4 + 1 + 4 + 16
    assert not (whole / "fits").exists()

    assert reproduce(paintings, parts, 2) is None  # in the search over networks
    assert len([*(parts / "fits").rglob("output.pkl")]) == 2
    assert not (parts / "hybrid.json").exists()
    assert reproduce(paintings, parts, 2 + 1 + 2) is None  # in the one over heads
    assert (parts / "reported-head.json").exists()
    assert reproduce(paintings, parts, 2 + 11) is None  # in the folds
    assert (parts / "transfer.json").exists()
    assert reproduce(paintings, parts) == 5
    assert not (parts / "fits").exists()
    for name in NAMES:
        assert read(parts, name) == read(whole, name)
