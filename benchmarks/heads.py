"""Compare heads on features of real art, and settings of the dense head.

Accuracy in cross-validations over all paintings, averaged over seeds, with the artists
apart and at random. Prints Markdown tables.

    python benchmarks/heads.py --data FOLDER_OR_TABLE --weights FILE
"""

import argparse
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from paintings import add_collection_options, load_paintings, print_header, print_row
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
SHORT = {"dropout": 0.5, "epochs": 60}
RATE = "optimizer__learning_rate"
HELD_OUT = {"validation_split": 0.15}
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
    "dropout 0.5, 60 epochs": SHORT,
    "dropout 0.6, 60 epochs": SHORT | {"dropout": 0.6},
    "dropout 0.5, 60 epochs, batches of 16": SHORT | {"batch_size": 16},
    "dropout 0.5, 60 epochs, 1,300 units": SHORT | {"units": 1300},
    "dropout 0.5, 60 epochs, learning rate 5e-4": SHORT | {RATE: 5e-4},
    "learning rate 5e-4": {RATE: 5e-4},
    "15 % held out, patience 10": HELD_OUT | {"patience": 10},
    "15 % held out, best of all epochs": HELD_OUT | {"patience": 100},
    "15 % held out, last of all epochs": HELD_OUT,
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


def cross_validate(name, X, labels, artists, n_folds, seed):
    """Return the share of the paintings that are predicted correctly."""
    splitter = StratifiedKFold if artists is None else StratifiedGroupKFold
    predicted = np.empty_like(labels)
    for training, test in splitter(n_folds, shuffle=True, random_state=seed).split(
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


def compare(args, features, paintings):
    """Print a table of heads for artists apart, and one for random folds."""
    labels = paintings["movement"].to_numpy(str)
    artists = paintings["artist"].to_numpy()
    groups_of = {"random": ("random folds", None)}
    if artists[0] is not None:
        groups_of["apart"] = ("artists apart", artists)
    for title, groups in [groups_of[x] for x in args.splits if x in groups_of]:
        print(f"### {title}\n")
        print_header("head", *features)
        for name in args.heads or [*LINEAR, *DENSE]:
            accuracies = [
                [
                    cross_validate(name, X, labels, groups, args.folds, seed)
                    for seed in range(args.seeds)
                ]
                for X in features.values()
            ]
            print_row(
                name, *(f"{np.mean(x):.1%} ± {np.std(x):.1%}" for x in accuracies)
            )
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
    add_collection_options(parser)
    parser.add_argument("--weights", help="a file for InceptionV3")
    parser.add_argument(
        "--features", nargs="*", default=[], help="parts of the names of features"
    )
    parser.add_argument("--heads", nargs="*", help="only these; default: all")
    parser.add_argument(
        "--splits", nargs="*", default=["apart", "random"], help="of paintings"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paintings = load_paintings(args, folder)
        features = extract(args, paintings["path"])
    # One thread: on a shared machine, threads of BLAS wait for each other.
    with threadpool_limits(1, "blas"):
        compare(args, features, paintings)


if __name__ == "__main__":
    main()
