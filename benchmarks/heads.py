"""Compare heads on features of real art, and settings of the dense head.

Accuracy in cross-validations over all paintings, averaged over seeds, with the artists
apart and at random. Prints Markdown tables.

    python benchmarks/heads.py --data FOLDER_OR_TABLE --weights FILE
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import numpy as np
from common import describe_machine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skart import DenseHeadClassifier, FeatureExtractor, ImageLoader
from skart.classifiers import report_head
from skart.datasets import load_catalogue, load_image_folder

STAGES = ["block4", "block7", "block10", "block14"]
# Name: backbone, layers, image size.
FEATURES = {
    "InceptionV3, last layer": ("InceptionV3", None, 299),
    "InceptionV3, mixed5": ("InceptionV3", "mixed5", 299),
    "InceptionV3, mixed2+5+8": ("InceptionV3", ["mixed2", "mixed5", "mixed8"], 299),
    "EfficientNetLite0, last layer": ("EfficientNetLite0", None, 224),
    "EfficientNetLite0, 4 stages": ("EfficientNetLite0", STAGES, 224),
    "EfficientNetLite0, 4 stages, 448": ("EfficientNetLite0", STAGES, 448),
}
RATE = "optimizer__learning_rate"
STOPPED = {"validation_split": 0.15}
DENSE = {
    "dense head, the defaults": {},
    "not standardized, constant rate, 30 epochs": {
        "standardize": False,
        "learning_rate_schedule": None,
        "epochs": 30,
    },
    "not standardized": {"standardize": False},
    "constant rate, 30 epochs": {"learning_rate_schedule": None, "epochs": 30},
    "constant rate": {"learning_rate_schedule": None},
    "30 epochs": {"epochs": 30},
    "60 epochs": {"epochs": 60},
    "200 epochs": {"epochs": 200},
    "dropout 0.5": {"dropout": 0.5},
    "dropout 0.8": {"dropout": 0.8},
    "256 units": {"units": 256},
    "1300 units": {"units": 1300},
    "learning rate 5e-4": {RATE: 5e-4},
    "learning rate 2e-3": {RATE: 2e-3},
    "15 % held out, patience 5": STOPPED | {"patience": 5},
    "15 % held out, patience 10": STOPPED | {"patience": 10},
    "15 % held out, best of all epochs": STOPPED | {"patience": 100},
    "the report's head": report_head().get_params(),
}
LINEAR = ["logistic regression, C = 1", "logistic regression, C searched"]


def make_head(name, seed, folds):
    if name in DENSE:
        return DenseHeadClassifier(**{**DENSE[name], "random_state": seed})
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    if name == LINEAR[0]:
        return linear
    grid = {"logisticregression__C": np.logspace(-4, 1, 6)}
    return GridSearchCV(linear, grid, cv=folds)


def cross_validate(name, X, labels, artists, seed):
    """Return the share of the paintings that are predicted rightly."""
    splitter = StratifiedKFold if artists is None else StratifiedGroupKFold
    predicted = np.empty_like(labels)
    for training, test in splitter(5, shuffle=True, random_state=seed).split(
        X, labels, artists
    ):
        # The folds of the search and of the validation keep artists apart as well.
        groups = {} if artists is None else {"groups": artists[training]}
        head = make_head(name, seed, splitter(3, shuffle=True, random_state=seed))
        if name == LINEAR[0]:
            groups = {}
        head.fit(X[training], labels[training], **groups)
        predicted[test] = head.predict(X[test])
    return np.mean(predicted == labels)


def compare(features, names, collection, seeds, splits):
    labels, artists = collection.labels, collection.artists
    head = "| head | " + " | ".join(features) + " |"
    groups_of = {"apart": ("artists apart", artists), "random": ("random folds", None)}
    for title, groups in [groups_of[split] for split in splits]:
        print(f"### {title}\n\n{head}\n|---|{'---|' * len(features)}")
        for name in names:
            accuracies = [
                [cross_validate(name, X, labels, groups, seed) for seed in seeds]
                for X in features.values()
            ]
            cells = [f"{np.mean(x):.1%} ± {np.std(x):.1%}" for x in accuracies]
            print("| " + " | ".join([name, *cells]) + " |", flush=True)
        print()


def extract(args, paths):
    features = {}
    for name, (backbone, layer, size) in FEATURES.items():
        weights = args.weights if backbone == "InceptionV3" else "imagenet"
        if weights is None or not all(x in name for x in args.features):
            continue
        extractor = FeatureExtractor(
            backbone, weights=weights, layer=layer, cache=args.cache
        )
        images = ImageLoader(size).transform(paths)
        features[name] = extractor.fit_transform(images)
    return features


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", required=True, help="Movement/Artist/file, or a table"
    )
    parser.add_argument("--movement", help="column of the movements in a table")
    parser.add_argument("--artist", help="column of the artists in a table")
    parser.add_argument("--weights", help="a file for InceptionV3")
    parser.add_argument("--cache", help="folder of the features")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--features", nargs="*", default=[], help="parts of the names of features"
    )
    parser.add_argument("--heads", nargs="*", help="only these; default: all")
    parser.add_argument(
        "--splits", nargs="*", default=["apart", "random"], help="of paintings"
    )
    args = parser.parse_args()
    if Path(args.data).is_dir():
        collection = load_image_folder(args.data)
    else:
        collection = load_catalogue(
            args.data, movement=args.movement, artist=args.artist
        )
    print(
        f"{len(collection.paths)} paintings of {len(set(collection.labels))} movements "
        f"by {len(set(collection.artists))} artists, {args.seeds} seeds. "
        f"{describe_machine()}\n"
    )
    features = extract(args, collection.paths)
    names = args.heads or [*LINEAR, *DENSE]
    # One thread: on a shared machine, threads of BLAS wait for each other.
    with threadpool_limits(1, "blas"):
        compare(features, names, collection, range(args.seeds), args.splits)


if __name__ == "__main__":
    main()
