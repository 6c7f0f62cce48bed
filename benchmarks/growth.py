"""Fit how the time of extraction and of a search grows with the number of paintings.

Imports, building and tracing of networks are not included. The images are noise. Prints
a Markdown table.

    python benchmarks/growth.py
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from common import describe_machine
from sklearn.model_selection import RandomizedSearchCV

from skart import DenseHeadClassifier, FeatureExtractor, ImageLoader
from skart.model_selection import head_search_space

SIZE = 32


def make_files(folder, n_files):
    generator = np.random.default_rng(0)
    paths = [f"{folder}/{i:06}.ppm" for i in range(n_files)]
    for path in paths:
        pixels = generator.bytes(SIZE * SIZE * 3)
        Path(path).write_bytes(f"P6 {SIZE} {SIZE} 255\n".encode() + pixels)
    return paths


def extract(paths):
    with tempfile.TemporaryDirectory() as store:
        # Trace the batch sizes that occur, before the clock starts.
        FeatureExtractor(
            "MobileNetV2", weights=None, cache=store, batch_size=50, verbose=False
        ).transform(ImageLoader(SIZE).transform(paths))


def search(X):
    space = head_search_space("")
    del space["units"]  # each width is traced separately
    head = DenseHeadClassifier(units=64, epochs=20, random_state=0)
    labels = np.arange(len(X)) % 4
    RandomizedSearchCV(head, space, n_iter=2, cv=4, random_state=0).fit(X, labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--paintings", type=int, nargs="+", default=[500, 2000, 8000], help="by 50"
    )
    parser.add_argument(
        "--rounds", type=int, default=1, help="the least seconds of them are taken"
    )
    args = parser.parse_args()
    sizes = args.paintings
    print(describe_machine() + "\n")
    print("| seconds for | " + " | ".join(f"{n:,} paintings" for n in sizes), end="")
    print(" | exponent |")
    print("|" + "---|" * (len(sizes) + 2))
    generator = np.random.default_rng(0)
    X = generator.random((max(sizes), 2048), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(folder, max(sizes))
        for name, run, data in (
            ("extraction into a store", extract, paths),
            ("a search over heads", search, X),
        ):
            run(data[: min(sizes)])
            seconds = np.full((args.rounds, len(sizes)), np.nan)
            for row in seconds:
                for i, n in enumerate(sizes):
                    begun = time.perf_counter()
                    run(data[:n])
                    row[i] = time.perf_counter() - begun
            least = seconds.min(axis=0)
            power = np.polyfit(np.log(sizes), np.log(least), 1)[0]
            cells = " | ".join(f"{value:.1f}" for value in least)
            print(f"| {name} | {cells} | {power:.2f} |", flush=True)


if __name__ == "__main__":
    main()
