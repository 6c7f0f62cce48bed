"""Measure how peak memory grows with the number of paintings.

Each task runs in a new process, with a number of paintings and with four times as many.
Peak memory is VmHWM of /proc (Linux). The images are noise. Prints a Markdown table.

    python benchmarks/memory.py
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from common import describe_machine
from sklearn.model_selection import RandomizedSearchCV

import skart

SIZE = 96
N_FEATURES = 2048
BACKBONE = {"backbone": "MobileNetV2", "weights": None}


def extract(images, labels, store):
    skart.FeatureExtractor(**BACKBONE, cache=store, verbose=False).transform(images)


def search_heads(images, labels, store):
    generator = np.random.default_rng(0)
    X = generator.random((len(labels), N_FEATURES), np.float32)
    head = skart.DenseHeadClassifier(units=64, epochs=1)
    RandomizedSearchCV(
        head,
        skart.model_selection.head_search_space(""),
        n_iter=3,
        cv=4,
        random_state=0,
    ).fit(X, labels)


def train(images, labels, store):
    skart.HybridCNNClassifier(epochs=1, batch_size=32).fit(images, labels)


def fine_tune(images, labels, store):
    skart.FineTuneClassifier(
        skart.DenseHeadClassifier(units=64, epochs=1),
        **BACKBONE,
        unfreeze_from="block_15_add",
        cache=store,
        epochs=1,
        batch_size=32,
        verbose=0,
    ).fit(images, labels)


# Function; height and width of the images; factor of --paintings; bytes per painting of
# the input array. The smallest number of paintings fills a batch of extraction (two
# million pixels).
TASKS = {
    "extraction into a store": (extract, SIZE, 1, 0),
    "search over heads, on a matrix": (search_heads, SIZE, 4, N_FEATURES * 4),
    "hybrid CNN from scratch, from files": (train, 32, 4, 0),
    "fine-tuning, from stored maps": (fine_tune, SIZE, 1, 0),
}


def make_files(folder, n_files):
    generator = np.random.default_rng(0)
    head = f"P6 {SIZE} {SIZE} 255\n".encode()
    for i in range(n_files):
        pixels = generator.bytes(SIZE * SIZE * 3)
        Path(folder, f"{i:06}.ppm").write_bytes(head + pixels)


def run(task, folder, n_files):
    """Run a task in this process; return its peak memory in bytes."""
    paths = [str(path) for path in sorted(Path(folder).glob("*.ppm"))[:n_files]]
    labels = np.arange(n_files) % 4
    function, size, *_ = TASKS[task]
    with tempfile.TemporaryDirectory() as store:
        images = skart.ImageLoader(size).transform(paths)
        function(images, labels, store)
    # getrusage would include the memory of the parent process.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def run_in_child(task, folder, n_files):
    command = [sys.executable, __file__, "--task", task, folder, str(n_files)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paintings", type=int, default=500, help="and four times it")
    parser.add_argument("--rounds", type=int, default=1, help="the median is taken")
    parser.add_argument("--task", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        task, folder, n_files = args.task
        print(run(task, folder, int(n_files)))
        return
    print(describe_machine() + "\n")
    print("| task | paintings | peak, MB | KB per painting ", end="")
    print("| of which the input array |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        make_files(folder, 16 * args.paintings)
        for task, (_, _, times, n_bytes) in TASKS.items():
            few, many = times * args.paintings, 4 * times * args.paintings
            peaks = [
                [run_in_child(task, folder, n) for n in (few, many)]
                for _ in range(args.rounds)
            ]
            least, most = np.median(peaks, axis=0)
            print(
                f"| {task} | {few:,}; {many:,} | {least / 1e6:.0f}; {most / 1e6:.0f} | "
                f"{(most - least) / (many - few) / 1e3:.1f} | {n_bytes / 1e3:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
