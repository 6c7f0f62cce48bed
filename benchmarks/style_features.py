"""Compare features for style: layers, statistics, crops, descriptors and stacks.

Cross-validated accuracy on drawn paintings with random folds and with painters apart,
and the size of the features in the store. Prints Markdown tables.

    python benchmarks/style_features.py --weights FILE
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from common import describe_machine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skart import (
    FeatureExtractor,
    FeatureStore,
    HandcraftedFeatures,
    ImageLoader,
    make_cnn_pipeline,
    make_stacked_pipeline,
)
from skart.datasets import load_image_folder, make_paintings
from skart.features import descriptors
from skart.model_selection import (
    CITED,
    ArtistKFold,
    make_cited_pipeline,
    make_head_search,
)

LAYERS = ["mixed2", "mixed5", "mixed8"]
POOLINGS = ["avg", "max", "std", ["avg", "std"], "gram", ["avg", "std", "gram"]]


class Accuracy:
    """Cross-validate on one collection, with and without painters kept apart."""

    def __init__(self, paintings):
        self.paths, self.labels = paintings.paths, paintings.labels
        apart = StratifiedGroupKFold(4, shuffle=True, random_state=0)
        mixed = StratifiedKFold(4, shuffle=True, random_state=0)
        artists = paintings.artists
        self.artists = dict(zip(paintings.paths, artists, strict=True))
        self.apart = list(apart.split(self.labels, self.labels, artists))
        self.mixed = list(mixed.split(self.labels, self.labels))

    def of(self, model, X=None):
        X = self.paths if X is None else X
        return [
            cross_val_score(model, X, self.labels, cv=cv, error_score="raise").mean()
            for cv in (self.mixed, self.apart)
        ]


def head():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))


def row(name, accuracy, *more):
    print("| " + " | ".join([name, *(f"{x:.1%}" for x in accuracy), *more]) + " |")


def layers_and_statistics(args, images, accuracy, store):
    extractor = FeatureExtractor(
        weights=args.weights,
        layer=[None, *LAYERS],
        pooling=["avg", "max", "std", "gram"],
        cache=store,
    ).precompute(images)
    print("| features | random folds | painters apart | numbers |")
    print("|---|---|---|---|")
    for layer in [None, *LAYERS, LAYERS]:
        name = "the last layer" if layer is None else " + ".join(np.ravel(layer))
        for pooling in POOLINGS:
            extractor.set_params(layer=layer, pooling=pooling)
            X = extractor.transform(images)
            row(
                f"{name}, {' + '.join(np.ravel(pooling))}",
                accuracy.of(head(), X),
                f"{X.shape[1]:,}",
            )
    print()


def crops(args, paths, accuracy, store):
    extractor = FeatureExtractor(weights=args.weights, cache=store)
    images = ImageLoader(398).transform(paths)
    print(
        "| seen through | joined by | last layer, random folds | painters apart |",
        end="",
    )
    print(" mixed5, random folds | painters apart |")
    print("|---|---|---|---|---|---|")
    ways = [("299 px, whole", ImageLoader(299).transform(paths), {}, ["mean"])]
    ways += [("398 px, whole", images, {}, ["mean"])]
    for n in (1, 5, 9):
        joins = ["mean"] if n == 1 else ["mean", "max", "concat"]
        ways.append((f"{n} of 299 px", images, {"crops": n}, joins))
    ways.append(
        ("5 and mirrored", images, {"crops": 5, "horizontal_flip": True}, ["mean"])
    )
    for name, source, how, joins in ways:
        for join in joins:
            measured = []
            how = {"crops": None, "horizontal_flip": False} | how
            extractor.set_params(layer=[None, "mixed5"], crop_pooling=join, **how)
            extractor.precompute(source)
            for layer in (None, "mixed5"):
                extractor.set_params(layer=layer)
                measured += accuracy.of(head(), extractor.transform(source))
            print(
                f"| {name} | {join} | " + " | ".join(f"{x:.1%}" for x in measured), "|"
            )
    print()


def by_hand(args, images, accuracy, store):
    print("| features | random folds | painters apart | numbers |")
    print("|---|---|---|---|")
    deep = FeatureExtractor(weights=args.weights, layer="mixed5", cache=store)
    mine = HandcraftedFeatures(cache=store, n_jobs=-1)
    for kind in descriptors.__all__:
        one = HandcraftedFeatures(kind, cache=store, n_jobs=-1)
        X = one.fit_transform(images)
        row(kind, accuracy.of(head(), X), f"{X.shape[1]:,}")
    X = mine.fit_transform(images)
    row("the default kinds", accuracy.of(head(), X), f"{X.shape[1]:,}")
    X = make_union(mine, deep).fit_transform(images)
    row("the default kinds and mixed5", accuracy.of(head(), X), f"{X.shape[1]:,}")
    X = deep.transform(images)
    row("mixed5", accuracy.of(head(), X), f"{X.shape[1]:,}")
    print()


def systems(args, accuracy, store):
    print("| system | random folds | painters apart |")
    print("|---|---|---|")
    for name in CITED:
        model = make_cited_pipeline(name, weights=args.weights, cache=store)
        row(f'`make_cited_pipeline("{name}")`', accuracy.of(model))
    options = {"weights": args.weights, "cache": store}
    row("`make_stacked_pipeline()`", accuracy.of(make_stacked_pipeline(**options)))
    folds = ArtistKFold(4, artists=accuracy.artists)
    stack = make_stacked_pipeline(**options, cv=folds)
    row("`make_stacked_pipeline(cv=ArtistKFold(4, artists=...))`", accuracy.of(stack))
    stack = make_stacked_pipeline(**options, cv=folds, descriptors=None)
    row("the same without hand-made features", accuracy.of(stack))
    print()


def search(args, accuracy, store):
    found = make_head_search(
        "style",
        cache=store,
        n_iter=args.candidates,
        cv=accuracy.apart,
        random_state=0,
        weights=args.weights,
    )
    found.set_params(refit=False).fit(accuracy.paths, accuracy.labels)
    results = found.cv_results_
    order = np.argsort(results["rank_test_score"], kind="stable")
    print("| layer | pooling | head | painters apart |")
    print("|---|---|---|---|")
    for i in order[:5]:
        candidate = results["params"][i]
        head = candidate.get("head", found.estimator[-1])
        kind = type(head[-1] if hasattr(head, "steps") else head).__name__
        layer = " + ".join(np.ravel(candidate["features__layer"]))
        pooling = " + ".join(np.ravel(candidate["features__pooling"]))
        score = results["mean_test_score"][i]
        print(f"| {layer} | {pooling} | {kind} | {score:.1%} |")
    print()


def test_time_augmentation(accuracy):
    model = make_cnn_pipeline(
        size=96,
        batch_norm=True,
        epochs=20,
        learning_rate_schedule="cosine",
        optimizer__learning_rate=2e-3,
        random_state=0,
        verbose=0,
    )
    print("| hybrid CNN, views | painters apart, two folds |")
    print("|---|---|")
    views = (), ("horizontal_flip",), ("crops",), ("horizontal_flip", "crops")
    scores = {how: [] for how in views}
    for train, test in accuracy.apart[:2]:
        model.fit(accuracy.paths[train], accuracy.labels[train])
        for how, found in scores.items():
            model.set_params(cnn__test_time_augmentation=[*how])
            found.append(model.score(accuracy.paths[test], accuracy.labels[test]))
        model.set_params(cnn__test_time_augmentation=None)
    for how, found in scores.items():
        print(f"| `{[*how]}` | {np.mean(found):.1%} |")
    print()


def room(store):
    print("| in the store | bytes a painting |")
    print("|---|---|")
    sizes = {}
    for section in store.info()["sections"]:
        identity = section["identity"]
        if "handcrafted" in identity:
            name = identity["handcrafted"]
        else:
            name = f"{identity['layer'] or 'the last layer'}, {identity['pooling']}"
        sizes[name] = section["bytes"] / section["arrays"]
    for name, n_bytes in sizes.items():
        print(f"| {name} | {n_bytes:,.0f} |")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="a file; without it, random ones")
    parser.add_argument("--artists", type=int, default=6)
    parser.add_argument("--per-artist", type=int, default=8)
    parser.add_argument("--candidates", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--parts",
        nargs="+",
        default=["layers", "crops", "hand", "systems", "search", "views", "room"],
        help="which tables",
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = make_paintings(
            Path(folder) / "paintings",
            n_artists=args.artists,
            n_per_artist=args.per_artist,
            random_state=args.seed,
            n_jobs=-1,
        )
        paintings = load_image_folder(root)
        store = FeatureStore(Path(folder) / "store")
        images = ImageLoader(299).transform(paintings.paths)
        accuracy = Accuracy(paintings)
        print(f"{len(images)} paintings. {describe_machine()}\n")
        parts = {
            "layers": lambda: layers_and_statistics(args, images, accuracy, store),
            "crops": lambda: crops(args, paintings.paths, accuracy, store),
            "hand": lambda: by_hand(args, images, accuracy, store),
            "systems": lambda: systems(args, accuracy, store),
            "search": lambda: search(args, accuracy, store),
            "views": lambda: test_time_augmentation(accuracy),
            "room": lambda: room(store),
        }
        # One thread: on a shared machine, threads of BLAS wait for each other.
        with threadpool_limits(1, "blas"):
            for part in args.parts:
                parts[part]()


if __name__ == "__main__":
    main()
