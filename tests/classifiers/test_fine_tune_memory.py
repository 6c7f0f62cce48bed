"""Maps of fine-tuning stay on the disk."""

import subprocess
import sys

import pytest

TRAIN = """
import sys
from pathlib import Path
import keras
import numpy as np
from skart import DenseHeadClassifier, FineTuneClassifier

def anonymous():  # memory-mapped maps don't count
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024

used = []
shades = np.random.default_rng(0).integers(0, 256, ({n}, 1, 1, 3), np.uint8)
X = np.broadcast_to(shades, ({n}, 64, 64, 3))
FineTuneClassifier(
    DenseHeadClassifier(units=8, epochs=1),
    backbone="MobileNetV2",
    weights=None,
    unfreeze_from="Conv1_relu",
    cache=sys.argv[1],
    epochs=1,
    verbose=0,
    callbacks=keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: used.append(anonymous())
    ),
).fit(X, np.arange({n}) % 2)
print(max(used))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_memory_does_not_grow_with_the_paintings(tmp_path):
    used = []
    for n in (200, 1600):
        done = subprocess.run(
            [sys.executable, "-c", TRAIN.format(n=n), str(tmp_path / str(n))],
            capture_output=True,
            text=True,
            check=True,
        )
        used.append(float(done.stdout.split()[-1]))
    # Maps of the larger set are 100 MiB in float16 and 200 in float32; its vectors 8.
    assert used[1] - used[0] < 70
