"""Compare the training of the hybrid CNN in skart and plain Keras.

All train on the same images, one epoch per round: Keras on an array, skart on the array
and from files. Then drawn paintings are classified with both dtypes. Prints Markdown
tables.

    python benchmarks/training_step.py
"""

import argparse
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from common import describe_machine, spread, time_in_turn
from sklearn.model_selection import StratifiedGroupKFold

from skart import HybridCNNClassifier, ImageLoader
from skart.datasets import load_image_folder, make_paintings
from skart.networks import hybrid_cnn

BATCH_SIZE = 8
N_PAINTINGS = 18_038  # Pandora18K
REPORT_SECONDS = 300  # per epoch, on a cloud GPU


def with_keras(images, codes, dtype):
    """Make a function that trains for an epoch."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    network = hybrid_cnn(images.shape[1:], len(set(codes)))
    keras.config.set_dtype_policy(before)
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return lambda: network.fit(images, codes, batch_size=BATCH_SIZE, verbose=0)


def with_skart(images, labels, dtype):
    classifier = HybridCNNClassifier(
        dtype=dtype, epochs=1, batch_size=BATCH_SIZE, warm_start=True, random_state=0
    )
    return lambda: classifier.fit(images, labels)


def measure_step(paths, labels, size, rounds):
    files = ImageLoader(size).transform(paths)
    images = np.asarray(files)
    codes = np.unique(labels, return_inverse=True)[1]
    seconds, _ = time_in_turn(
        {
            "Keras, float32": with_keras(images, codes, "float32"),
            "Keras, bfloat16": with_keras(images, codes, "mixed_bfloat16"),
            "skart, float32": with_skart(images, labels, "float32"),
            "skart, float32, from files": with_skart(files, labels, "float32"),
            "skart, bfloat16": with_skart(images, labels, "mixed_bfloat16"),
        },
        rounds,
    )
    print(f"| hybrid CNN at {size} x {size}, batches of {BATCH_SIZE} ", end="")
    print("| images per second | relative to Keras, float32 ", end="")
    print(f"| epoch of {N_PAINTINGS:,} |")
    print("|---|---|---|---|")
    base = seconds["Keras, float32"]
    for name, value in seconds.items():
        minutes = N_PAINTINGS / len(paths) * np.median(value) / 60
        print(
            f"| {name} | {spread(len(paths) / value, '.1f')} | {spread(base / value)} "
            f"| {minutes:.0f} minutes |"
        )
    if size == 500:
        minutes = REPORT_SECONDS / 60
        print(
            f"\nThe report's epoch took {minutes:.0f} minutes, on a GPU in the cloud."
        )
    print(flush=True)


def measure_accuracy(paintings, size, epochs):
    """Train on four fifths of the painters, test with the others."""
    images = np.asarray(ImageLoader(size).fit_transform(paintings.paths))
    labels = paintings.labels
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    train, test = next(folds.split(labels, labels, paintings.artists))
    print(f"| {epochs} epochs of {len(train)} at {size} x {size}, ", end="")
    print(f"{len(set(labels))} movements | seconds | training | test |")
    print("|---|---|---|---|")
    for dtype in ("float32", "mixed_bfloat16"):
        classifier = HybridCNNClassifier(
            dtype=dtype,
            epochs=epochs,
            batch_size=BATCH_SIZE,
            learning_rate_schedule="cosine",
            optimizer__learning_rate=2e-3,
            random_state=0,
        )
        begun = time.perf_counter()
        classifier.fit(images[train], labels[train])
        seconds = time.perf_counter() - begun
        print(
            f"| {dtype} | {seconds:.0f} | {classifier.history_['accuracy'][-1]:.1%} | "
            f"{classifier.score(images[test], labels[test]):.1%} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[128, 500])
    parser.add_argument(
        "--megapixels", type=float, default=4, help="of the images of each size"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--epochs", type=int, default=15, help="for the accuracies; 0 for none"
    )
    args = parser.parse_args()
    print(describe_machine() + "\n")
    with tempfile.TemporaryDirectory() as folder:
        make_paintings(
            folder,
            movements=["Cubism", "Impressionism", "Op Art", "Pointillism"],
            n_artists=20,
            size_range=(300, 600),
            n_jobs=-1,
            verbose=False,
        )
        paintings = load_image_folder(folder)
        for size in args.sizes:
            n_images = max(1, round(args.megapixels * 1e6 / size**2 / BATCH_SIZE))
            # Complete batches with all movements.
            rows = np.linspace(0, len(paintings.paths) - 1, n_images * BATCH_SIZE)
            rows = rows.astype(int)
            measure_step(
                paintings.paths[rows], paintings.labels[rows], size, args.rounds
            )
        if args.epochs:
            measure_accuracy(paintings, 64, args.epochs)


if __name__ == "__main__":
    main()
