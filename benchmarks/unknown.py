"""Images that are none of the known movements: scores, and shares that are refused.

Each movement is left out in turn. On the others, artists are kept apart: scores come
from those in training, known paintings from the rest. Unknown are the movement that was
left out, photographs and pages that come with Python packages, noise, plots and blank
images. Prints AUROC, and what is refused if 5 % of the known paintings may be.
"""

import argparse
import os
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib
import numpy as np
import pandas as pd
from paintings import (
    add_collection_options,
    load_paintings,
    make_logistic,
    print_header,
    print_row,
)
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import OneClassSVM
from threadpoolctl import threadpool_limits

from skart import DenseHeadClassifier, FeatureExtractor, ImageLoader
from skart.evaluation import evaluate
from skart.evaluation._cross_validation import keep_artists_apart
from skart.exploration import NoveltyDetector, PaintingIndex
from skart.networks._style_layers import default_size

matplotlib.use("Agg")
import matplotlib.pyplot as plt

RATE = 0.05
PHOTOGRAPHS = {
    "skimage": "data/{}.png",
    "sklearn": "datasets/images/{}.jpg",
    "matplotlib": "mpl-data/sample_data/{}.jpg",
}
NAMES = {
    "skimage": "astronaut camera chelsea coffee motorcycle_left motorcycle_right grass "
    "gravel brick coins moon",
    "sklearn": "china flower",
    "matplotlib": "grace_hopper",
}
WITH_THRESHOLDS = (1, "cosine", ""), (10, "euclidean", ", standardized")
PAGES = {"skimage": "page text ihc cell"}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="EfficientNetLite0")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--head", choices=["logistic", "dense"], default="logistic")
    add_collection_options(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1, "blas"):
        compare(load_paintings(args, folder), folder, args)


def compare(paintings, folder, args):
    others = draw_others(Path(folder, "others"))
    paths = [*paintings["path"], *(path for some in others.values() for path in some)]
    extractor = FeatureExtractor(
        args.backbone, weights=args.weights, layer="style", cache=args.cache
    )
    loader = ImageLoader(default_size(args.backbone))
    features = extractor.fit_transform(loader.transform(paths)).astype(float)
    cuts = np.cumsum([len(paintings), *map(len, others.values())])[:-1]
    known, *rest = np.split(features, cuts)
    unlike = dict(zip(others, rest, strict=True))
    labels, artists = paintings["movement"].to_numpy(str), paintings["artist"]
    artists = artists.to_numpy(str)
    areas, refused = [], []
    for movement in np.unique(labels):
        for seed in range(args.seeds):
            left_out = labels == movement
            measure_one(
                known[~left_out],
                labels[~left_out],
                artists[~left_out],
                {"left out": known[left_out], **unlike},
                {"movement": movement, "seed": seed},
                areas,
                refused,
                args,
            )
    counts = ", ".join(f"{len(some)} {name}" for name, some in others.items())
    print(f"{known.shape[1]} features. Unknown: the movement left out, {counts}.\n")
    print("AUROC:\n")
    print_table(pd.DataFrame(areas), ".2f")
    print("\nAUROC of each movement left out:\n")
    print_by_movement(pd.DataFrame(areas))
    print(f"\nRefused, if stated is {RATE:.0%}:\n")
    print_table(pd.DataFrame(refused), ".1%")


def measure_one(X, y, artists, unknown, row, areas, refused, args):
    """Add a row to the areas and the shares of each score, for each fold."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        splits, _ = keep_artists_apart(y, artists, args.folds, row["seed"])
    for train, test in splits:
        train = train[~np.isin(artists[train], artists[test])]
        queries = {"known": X[test], **unknown}
        cuts = np.cumsum([*map(len, queries.values())])[:-1]
        Q = np.concatenate([*queries.values()])
        scored = score_all(X[train], y[train], artists[train], Q, row["seed"], args)
        for name, (scores, thresholds) in scored.items():
            parts = dict(zip(queries, np.split(scores, cuts), strict=True))
            known = parts["known"]
            found = {kind: area(known, parts[kind]) for kind in unknown}
            areas.append(row | {"score": name} | found)
            for how, threshold in thresholds.items():
                shares = {kind: np.mean(s < threshold) for kind, s in parts.items()}
                refused.append(row | {"score": name, "threshold": how} | shares)


def area(known, unknown):
    is_known = np.repeat([1, 0], [len(known), len(unknown)])
    return roc_auc_score(is_known, np.concatenate([known, unknown]))


def score_all(X, y, artists, Q, seed, args):
    """Return the scores of queries, and thresholds by how they were found, by name."""
    detector = NoveltyDetector(refusal_rate=RATE).fit(X, y, artists=artists)
    one = NoveltyDetector(refusal_rate=RATE).fit(X, None, artists=artists)
    unit = NoveltyDetector().fit(normalize(X), y, artists=artists)
    squared = NoveltyDetector().fit(square(X), y, artists=artists)
    distance, distance_one = detector.score_samples(Q), one.score_samples(Q)
    thresholds = {
        "artists apart": detector.offset_,
        "random folds": NoveltyDetector(refusal_rate=RATE).fit(X, y).offset_,
        "training set": np.quantile(detector.score_samples(X), RATE),
    }
    head = make_logistic(seed)
    if args.head == "dense":
        head = DenseHeadClassifier(random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"cv": 3, "random_folds": False, "random_state": seed}
        known = evaluate(head, X, y, groups=artists, **options).confidence
    P = np.sort(clone(head).fit(X, y).predict_proba(Q))
    found = {
        "NoveltyDetector": (distance, thresholds),
        "NoveltyDetector, without movements": (
            distance_one,
            {"artists apart": one.offset_},
        ),
        "NoveltyDetector, unit length": (unit.score_samples(normalize(Q)), {}),
        "Mahalanobis, no square roots": (squared.score_samples(square(Q)), {}),
        "relative Mahalanobis": (distance_one**2 - distance**2, {}),
        "highest probability": (
            P[:, -1],
            {"artists apart": np.quantile(known, RATE)},
        ),
        "margin": (P[:, -1] - P[:, -2], {}),
        "sum of distance and probability": (
            scale(distance, detector.scores_) + scale(P[:, -1], known),
            {},
        ),
    }
    scaler = StandardScaler().fit(X)
    Xs, Qs = scaler.transform(X), scaler.transform(Q)
    for metric in ("cosine", "euclidean"):
        for name, A, B in (("", X, Q), (", standardized", Xs, Qs)):
            index = PaintingIndex(metric=metric, verbose=False).fit(A, artists=artists)
            for k in (1, 10):
                scores = -index.kneighbors(B, k)[0][:, -1]
                thresholds = {}
                if (k, metric, name) in WITH_THRESHOLDS:
                    thresholds["artists apart"] = find_threshold(index, k, True)
                    thresholds["any artist"] = find_threshold(index, k, False)
                found[f"neighbour {k}, {metric}{name}"] = scores, thresholds
    local = LocalOutlierFactor(novelty=True, metric="cosine").fit(X)
    forest = IsolationForest(random_state=seed).fit(Xs)
    found["LocalOutlierFactor, cosine"] = local.score_samples(Q), {}
    found["IsolationForest"] = forest.score_samples(Qs), {}
    found["OneClassSVM"] = OneClassSVM(nu=RATE).fit(Xs).score_samples(Qs), {}
    return found


def square(features):
    """Return features whose square roots, with their signs, are the given ones."""
    return features * np.abs(features)


def scale(scores, known):
    """Return scores on the scale of those of known paintings."""
    low, middle, high = np.nanquantile(known, [0.25, 0.5, 0.75])
    return (scores - middle) / (high - low)


def find_threshold(index, k, other_artists):
    distances, _ = index.kneighbors(n_neighbors=k, other_artists=other_artists)
    return np.quantile(-distances[:, -1], RATE)


def print_table(frame, form):
    keys = [name for name in ("score", "threshold") if name in frame]
    table = frame.drop(columns=["movement", "seed"]).groupby(keys, sort=False)
    table = table.mean()
    if "threshold" not in frame:
        table["mean"] = table.mean(axis=1)
        table = table.sort_values("mean", ascending=False)
    print_header(*keys, *table.columns)
    for key, row in table.iterrows():
        print_row(*np.ravel(key), *(f"{x:{form}}" for x in row))


def print_by_movement(frame):
    names = ["NoveltyDetector", "highest probability", "neighbour 1, cosine"]
    table = frame.pivot_table("left out", "movement", "score")[names]
    print_header("movement left out", *names)
    for movement, row in table.iterrows():
        print_row(movement, *(f"{x:.2f}" for x in row))


def draw_others(folder):
    """Return files of photographs, pages, noise, plots and blank images."""
    folder.mkdir()
    generator = np.random.default_rng(0)

    def save(name, pixels):
        file = folder / f"{name}.png"
        Image.fromarray(np.asarray(pixels, np.uint8)).save(file)
        return str(file)

    noise = [
        save(f"noise{i}", generator.integers(0, 256, (224, 224, 3))) for i in range(10)
    ]
    for i in range(10):
        blurred = gaussian_filter(
            generator.normal(size=(224, 224, 3)), (2**i % 31, 4, 0)
        )
        shifted = blurred - blurred.min()
        noise.append(save(f"blurred{i}", 255 * shifted / shifted.max()))
    colours = (0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 30, 30), (20, 40, 160)
    blank = [
        save(f"blank{i}", np.full((224, 224, 3), colour))
        for i, colour in enumerate(colours)
    ]
    plots = [draw_plot(folder / f"plot{i}.png", i, generator) for i in range(20)]
    found = {
        "photographs": find_files(NAMES),
        "pages": find_files(PAGES),
        "noise": noise,
        "plots": plots,
        "blank": blank,
    }
    return {name: files for name, files in found.items() if files}


def draw_plot(file, number, generator):
    figure, ax = plt.subplots(figsize=(5, 4))
    kind = number % 5
    if kind == 0:
        ax.plot(generator.normal(size=(60, 3)).cumsum(axis=0))
    elif kind == 1:
        ax.bar(range(8), generator.random(8))
    elif kind == 2:
        ax.scatter(*generator.normal(size=(2, 100)), c=generator.random(100))
    elif kind == 3:
        ax.imshow(generator.random((9, 9)))
    else:
        ax.hist(generator.normal(size=500), 30)
    ax.set(title=f"Plot {number}", xlabel="x")
    figure.savefig(file)
    plt.close(figure)
    return str(file)


def find_files(names):
    """Return the images of installed packages."""
    found = []
    for package, text in names.items():
        spec = find_spec(package)
        if spec is not None:
            root = Path(spec.origin).parent
            files = [root / PHOTOGRAPHS[package].format(name) for name in text.split()]
            found += [str(file) for file in files if file.is_file()]
    return found


if __name__ == "__main__":
    main()
