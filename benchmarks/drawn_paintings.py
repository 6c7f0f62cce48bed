"""Measure which features separate the drawn movements.

Cross-validated accuracy of logistic regression on colour histograms, tiny grey images
and features of a frozen InceptionV3, with random folds and with painters apart. Prints
a Markdown table.

    python benchmarks/drawn_paintings.py --weights FILE
"""

import argparse
import os
import platform
import tempfile
from datetime import date
from importlib.metadata import version

import numpy as np
from paintings import count_colours
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import FeatureExtractor, ImageLoader
from skart.datasets import load_image_folder, make_paintings


def grey_thumbnails(paths):
    """Shrink to 32 x 32 grey pixels: (n, 1024)."""
    images = np.asarray(ImageLoader(32).transform(paths), float)
    return images.mean(axis=3).reshape(len(images), -1) / 255


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="a file, beside random ones")
    parser.add_argument("--layers", nargs="+", default=["mixed5", "mixed10"])
    parser.add_argument("--artists", type=int, default=6)
    parser.add_argument("--per-artist", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        root = make_paintings(
            folder,
            n_artists=args.artists,
            n_per_artist=args.per_artist,
            random_state=args.seed,
            n_jobs=-1,
        )
        paintings = load_image_folder(root)
        images = ImageLoader(299).transform(paintings.paths)
        features = {
            "colour histogram": count_colours(images),
            "32 x 32 grey pixels": grey_thumbnails(paintings.paths),
        }
        for weights in [None, args.weights] if args.weights else [None]:
            kind = "weights from a file" if weights else "random weights"
            for layer in args.layers:
                extractor = FeatureExtractor(weights=weights, layer=layer)
                name = f"InceptionV3, {layer}, {kind}"
                features[name] = extractor.transform(images)
    labels, n_movements = paintings.labels, len(paintings.target_names)
    print(
        f"{len(paintings.paths)} paintings of {n_movements} movements, seed {args.seed}"
        f"; {date.today()}, Python {platform.python_version()}, "
        + ", ".join(
            f"{name} {version(name)}"
            for name in ("numpy", "pillow", "scikit-learn", "keras", "tensorflow")
        )
        + f"; {platform.system()} {platform.machine()}, {os.cpu_count()} cores\n"
    )
    print("| features | random folds | painters apart |")
    print("|---|---|---|")
    print(f"| chance | {1 / n_movements:.1%} | {1 / n_movements:.1%} |")
    kept_apart = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    folds = [
        list(StratifiedKFold(4, shuffle=True, random_state=0).split(labels, labels)),
        list(kept_apart.split(labels, labels, groups=paintings.artists)),
    ]
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)
    )
    for name, X in features.items():
        scores = [cross_val_score(classifier, X, labels, cv=cv).mean() for cv in folds]
        print(f"| {name} | {scores[0]:.1%} | {scores[1]:.1%} |")


if __name__ == "__main__":
    main()
