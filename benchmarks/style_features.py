"""Compare statistics, crops, hand-crafted features, cited systems and searches.

Accuracy on new artists and with random folds, with the layers of one backbone; see
`real_art.py` for backbones and heads. Prints Markdown tables.

    python benchmarks/style_features.py --data paintings/ --parts statistics crops
"""

import argparse
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from paintings import (
    Accuracy,
    add_collection_options,
    load_paintings,
    make_logistic,
    print_header,
    print_row,
)
from threadpoolctl import threadpool_limits

from skart import (
    HandcraftedFeatures,
    ImageLoader,
    make_cnn_pipeline,
    make_head_search,
    make_stacked_classifier,
    make_transfer_pipeline,
)
from skart.features import descriptors
from skart.model_selection import CITED, make_cited_pipeline
from skart.networks import style_layers

POOLINGS = ["avg", "max", "std", "gram", "avg+std", "avg+std+gram"]


def join(names):
    return " + ".join("last" if name is None else name for name in np.ravel(names))


def make_features(args, **options):
    """Return a pipeline from paths to features."""
    options = {"size": args.size} | options
    options |= {"backbone": args.backbone, "weights": args.weights}
    return make_transfer_pipeline(cache=args.cache, verbose=False, **options)[:-1]


def statistics(args, accuracy):
    print_header("layers", "pooling", *accuracy.columns, "features")
    for layer in [None, *args.layers, args.layers, [*args.layers, None]]:
        for pooling in args.poolings:
            features = make_features(args, layer=layer, pooling=pooling.split("+"))
            X = features.transform(accuracy.paths)
            row = (
                join(layer),
                join(pooling),
                *accuracy.cells(make_logistic, X),
                f"{X.shape[1]:,}",
            )
            print_row(*row)


def crops(args, accuracy):
    print_header("images", "combined by", "layers", *accuracy.columns)
    size = make_features(args)["load"].size
    larger = size * 4 // 3
    ways = [(f"{size} px", size, {}, "mean"), (f"{larger} px", larger, {}, "mean")]
    flip = {"horizontal_flip": True}
    ways.append((f"{size} px, also flipped", size, flip, "mean"))
    for n in (1, 5, 9):
        for how in ["mean"] if n == 1 else ["mean", "max", "concat"]:
            ways.append((f"{n} of {size} px", larger, {"crops": n}, how))
    ways.append((f"5 of {size} px, also flipped", larger, {"crops": 5} | flip, "mean"))
    for name, pixels, options, how in ways:
        for layer in (None, args.layers):
            options = options | {"crop_pooling": how, "size": pixels}
            features = make_features(args, layer=layer, **options)
            X = features.transform(accuracy.paths)
            print_row(name, how, join(layer), *accuracy.cells(make_logistic, X))


def handcrafted(args, accuracy):
    print_header("features", *accuracy.columns, "number")
    images = ImageLoader(256).transform(accuracy.paths)
    deep = make_features(args, layer=args.layers).transform(accuracy.paths)
    mine = {name: HandcraftedFeatures(name) for name in descriptors.__all__}
    mine["the default descriptors"] = HandcraftedFeatures()
    for name, features in mine.items():
        # The words of "sift" are learned from all paintings, but not from their labels.
        features.set_params(cache=args.cache, n_jobs=-1, verbose=False)
        X = features.fit_transform(images)
        print_row(name, *accuracy.cells(make_logistic, X), f"{X.shape[1]:,}")
    print_row(
        join(args.layers), *accuracy.cells(make_logistic, deep), f"{deep.shape[1]:,}"
    )
    X = np.hstack([deep, X])
    print_row(
        "the last two joined", *accuracy.cells(make_logistic, X), f"{X.shape[1]:,}"
    )


def systems(args, accuracy):
    print_header("system", *accuracy.columns)
    size = make_features(args)["load"].size
    for name, system in CITED.items():

        def make(seed, name=name, system=system):
            options = {"cache": args.cache, "random_state": seed, "verbose": False}
            pipeline = make_cited_pipeline(name, weights=args.weights, **options)
            if not system.descriptors:
                pipeline.set_params(features__backbone=args.backbone, load__size=size)
            return pipeline

        print_row(f'`make_cited_pipeline("{name}")`', *accuracy.cells(make))
    options = {"backbone": args.backbone, "weights": args.weights, "cache": args.cache}
    # Its own folds are random: a training set may hold a single artist of a movement.
    options |= {"layers": args.layers, "cv": args.folds, "verbose": False}
    for name, more in {
        "`make_stacked_classifier()`": {},
        "the same without hand-crafted features": {"descriptors": None},
    }.items():
        stack = make_stacked_classifier(**options, **more)
        print_row(name, *accuracy.cells(lambda seed, stack=stack: stack))


def search(args, accuracy):
    """Search on folds with artists apart; the best of many is slightly optimistic."""
    print_header("layers", "pooling", "head", accuracy.columns[0])
    found = make_head_search(
        "style",
        backbone=args.backbone,
        layers=args.layers,
        weights=args.weights,
        cache=args.cache,
        n_iter=args.candidates,
        cv=accuracy.splits(0),
        random_state=0,
        verbose=False,
    )
    found.set_params(refit=False).fit(accuracy.paths, accuracy.labels)
    results = found.cv_results_
    for i in np.argsort(results["rank_test_score"], kind="stable")[:5]:
        # The first candidate has the defaults.
        candidate = found.estimator.get_params() | results["params"][i]
        layer, pooling = candidate["features__layer"], candidate["features__pooling"]
        head = candidate["head"]
        kind = type(head[-1] if hasattr(head, "steps") else head).__name__
        score = f"{results['mean_test_score'][i]:.1%}"
        print_row(join(layer), join(pooling), kind, score)


def views(args, accuracy):
    print_header("`test_time_augmentation` of a hybrid CNN", accuracy.columns[0])
    model = make_cnn_pipeline(
        size=96,
        batch_norm=True,
        epochs=20,
        learning_rate_schedule="cosine",
        optimizer__learning_rate=2e-3,
        random_state=0,
        verbose=0,
    )
    ways = [], ["horizontal_flip"], ["crops"], ["horizontal_flip", "crops"]
    scores = {str(way): [] for way in ways}
    paths, labels = accuracy.paths, accuracy.labels
    for train, test in accuracy.splits(0):
        model.set_params(cnn__test_time_augmentation=None).fit(
            paths[train], labels[train]
        )
        for way in ways:
            model.set_params(cnn__test_time_augmentation=way)
            scores[str(way)].append(model.score(paths[test], labels[test]))
    for way, found in scores.items():
        print_row(f"`{way}`", f"{np.mean(found):.1%}")


PARTS = {
    part.__name__: part
    for part in (statistics, crops, handcrafted, systems, search, views)
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_collection_options(parser)
    add = parser.add_argument
    add("--backbone", default="EfficientNetLite0")
    add("--weights", default="imagenet", help="'imagenet' or a file")
    add("--size", type=int, help="of the images; by default, that of the backbone")
    add("--layers", nargs="+", help="by default, the recommended ones")
    add("--poolings", nargs="+", default=POOLINGS, metavar="POOLING+POOLING")
    add("--candidates", type=int, default=30)
    add("--parts", nargs="+", default=[*PARTS], choices=PARTS, help="which tables")
    args = parser.parse_args()
    args.layers = args.layers or style_layers(args.backbone)
    # One thread: on a shared machine, threads of BLAS wait for each other.
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1, "blas"):
        args.cache = args.cache or os.path.join(folder, "store")
        paintings = load_paintings(args, folder)
        accuracy = Accuracy(paintings, args.folds, args.seeds)
        for part in args.parts:
            PARTS[part](args, accuracy)
            print()


if __name__ == "__main__":
    main()
