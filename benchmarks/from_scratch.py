"""Compare networks trained from scratch in the same time.

Paintings of eight movements at 96 x 96 pixels; four of twenty painters of each movement
are the test set. The time of the second epoch determines the number of epochs. Prints a
Markdown table.

    python benchmarks/from_scratch.py --minutes 5
"""

import argparse
import os
import platform
import tempfile
import time
from datetime import date
from importlib.metadata import version

import keras
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold

from skart import CNNClassifier, ImageLoader
from skart.datasets import load_image_folder, make_paintings

MOVEMENTS = [
    "Impressionism",
    "Pointillism",
    "Color Field",
    "Neoplasticism",
    "Op Art",
    "Cubism",
    "Pop Art",
    "Action Painting",
]
COMMON = {"learning_rate_schedule": "cosine", "dtype": "mixed_bfloat16"}
NETWORKS = {
    "hybrid CNN": CNNClassifier(**COMMON),
    "hybrid CNN, batch norm": CNNClassifier(batch_norm=True, **COMMON),
    "hybrid CNN, batch norm, augment light": CNNClassifier(
        batch_norm=True, augment="light", **COMMON
    ),
    "VGG-lite": CNNClassifier("vgg_lite", **COMMON),
    "VGG-lite, batch norm": CNNClassifier("vgg_lite", batch_norm=True, **COMMON),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--painters", type=int, default=20)
    parser.add_argument("--rates", type=float, nargs="+", default=[2e-3])
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        root = make_paintings(
            folder,
            movements=MOVEMENTS,
            n_artists=args.painters,
            size_range=(200, 600),
            random_state=args.seed,
            n_jobs=-1,
        )
        paintings = load_image_folder(root)
        images = ImageLoader(96, cache_pixels=True).transform(paintings.paths)
        train, test = next(
            StratifiedGroupKFold(5, shuffle=True, random_state=args.seed).split(
                paintings.labels, paintings.labels, paintings.artists
            )
        )
        print(
            f"{len(train)} paintings to train on, {len(test)} of other painters to "
            f"test with; {args.minutes:g} minutes each; seed {args.seed}; "
            f"{date.today()}, Python {platform.python_version()}, "
            + ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow"))
            + f"; {platform.system()} {platform.machine()}, {os.cpu_count()} cores\n"
        )
        print("| network | learning rate | epochs | seconds | training | test |")
        print("|---|---|---|---|---|---|")
        for name in args.only:
            for rate in args.rates:
                row = measure(
                    NETWORKS[name], images, paintings.labels, train, test, rate, args
                )
                print(f"| {name} | {rate:g} | {row} |", flush=True)


def measure(network, images, labels, train, test, rate, args):
    network = clone(network).set_params(
        optimizer__learning_rate=rate, random_state=args.seed
    )
    ends = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    trial = clone(network).set_params(epochs=2, callbacks=clock)
    trial.fit(images[train], labels[train])
    n_epochs = int(args.minutes * 60 / (ends[1] - ends[0]))
    network.set_params(epochs=max(1, n_epochs))
    begun = time.perf_counter()
    network.fit(images[train], labels[train])
    seconds = time.perf_counter() - begun
    accuracy = network.score(images[test], labels[test])
    return (
        f"{network.epochs} | {seconds:.0f} | {network.history_['accuracy'][-1]:.1%} | "
        f"{accuracy:.1%}"
    )


if __name__ == "__main__":
    main()
