"""Compare backbones, layers and heads on real art, with artists apart and at random.

Accuracy on new artists and with random folds, speed, training time and sizes. Backbones
without weights at hand are left out. Prints a Markdown table.

    python benchmarks/real_art.py --data paintings/
    python benchmarks/real_art.py --data wikiart/ --kind wikiart --encoder my:clip
"""

import argparse
import dataclasses
import functools
import importlib
import os
import socket
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from common import spread, time_in_turn
from paintings import (
    Accuracy,
    add_collection_options,
    count_colours,
    load_paintings,
    make_logistic,
    print_header,
    print_row,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from skart import (
    DenseHeadClassifier,
    ImageLoader,
    make_stacked_classifier,
    make_transfer_pipeline,
)

HEADS = {
    "logistic": make_logistic,
    "svm": lambda seed: make_pipeline(StandardScaler(), SVC(C=3)),
    "dense": lambda seed: DenseHeadClassifier(random_state=seed),
}


@dataclasses.dataclass
class Features:
    """Features of all paintings, and what they cost."""

    backbone: str
    size: str
    layer: str
    X: np.ndarray
    images_per_second: float
    relative: float  # to the first
    megabytes: float  # of the weights
    stack: dict | None = None  # options of a stack of the recommended layers

    @classmethod
    def compute(cls, args, paths, backbone, weights, layer, size):
        """Compute features of images of a size; None is that of the backbone."""
        pipeline = make_transfer_pipeline(
            backbone=backbone,
            weights=weights,
            layer=layer,
            size=size,
            pooling=args.pooling,
            cache=args.cache,
            verbose=False,
        )
        load, extractor = pipeline["load"], pipeline["features"]
        X = pipeline[:-1].transform(paths)
        few = np.asarray(load.transform(paths[: args.images]))
        runs = {"pass": lambda: [*extractor.iter_transform(few)]}
        runs["first"] = args.first = args.first or runs["pass"]
        seconds, _ = time_in_turn(runs, args.rounds)
        megabytes = np.nan
        if isinstance(backbone, str):
            megabytes = 4e-6 * extractor.network(few.shape[1:]).count_params()
        name = getattr(backbone, "name", backbone)
        text = " + ".join(name or "last" for name in np.ravel(layer))
        speed = len(few) / np.min(seconds["pass"])
        relative = np.median(seconds["first"] / seconds["pass"])
        stack = {"backbone": backbone, "weights": weights, "size": load.size}
        stack = stack if layer == "style" else None
        return cls(name, str(load.size), text, X, speed, relative, megabytes, stack)

    @classmethod
    def join(cls, several):
        """Concatenate features of several backbones or sizes."""
        names = [(one.backbone, one.size, one.layer) for one in several]
        texts = [" + ".join(dict.fromkeys(parts)) for parts in zip(*names, strict=True)]
        X = np.hstack([one.X for one in several])
        speeds = np.array([(one.images_per_second, one.relative) for one in several])
        weights = {one.backbone: one.megabytes for one in several}
        return cls(*texts, X, *1 / (1 / speeds).sum(axis=0), sum(weights.values()))


def list_backbones(args):
    """Return backbones and their weights."""
    backbones = [("InceptionV3", args.weights or "imagenet")]
    backbones += [(x, "imagenet") for x in ("EfficientNetLite0", *args.backbones)]
    for text in args.encoder:
        module, _, name = text.partition(":")
        backbones.append((getattr(importlib.import_module(module), name), "imagenet"))
    return backbones


def list_options(texts, backbone):
    """Return what options such as NAME:LAYER say of a backbone."""
    parts = [text.rpartition(":") for text in texts]
    return [chosen for name, _, chosen in parts if name == backbone]


def list_layers(args, backbone):
    """Return the last layer, the recommended ones and those of --layers."""
    if not isinstance(backbone, str):
        return [None]
    named = [text.split("+") for text in list_options(args.layers, backbone)]
    named = [[None if x == "last" else x for x in names] for names in named]
    return [None, "style", *named]


def compute_features(args, paths):
    """Yield the features of each backbone, size and layer, then joined ones."""
    everything = []
    for backbone, weights in list_backbones(args):
        found = {}  # those of the recommended layers, or else the last, by size
        for size in [None, *map(int, list_options(args.sizes, backbone))]:
            for layer in list_layers(args, backbone):
                try:
                    one = Features.compute(args, paths, backbone, weights, layer, size)
                except (ImportError, OSError, ValueError) as error:
                    name = f"{getattr(backbone, 'name', backbone)}, {layer or 'last'}"
                    print(f"Left out: {name}: {error}", file=sys.stderr)
                    continue
                if layer in (None, "style"):
                    found[size] = one
                yield one
        if len(found) > 1:
            yield Features.join(found.values())
        everything.append(found)
    if sum(map(bool, everything)) > 1:
        yield Features.join([one for found in everything for one in found.values()])


def make_stack(args, options):
    """Return a function from a seed to a stack of the layers of a backbone."""
    options = options | {"pooling": args.pooling, "cache": args.cache}
    # Its own folds are random: a training set may hold a single artist of a movement.
    options |= {"cv": args.folds, "descriptors": None, "verbose": False}
    return lambda seed: make_stacked_classifier(**options, random_state=seed)


def draw(points, title, file):
    """Draw accuracy against speed."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(10, 5), layout="constrained")
    for i, (name, speed, scores) in enumerate(points):
        middle = np.median(scores)
        error = [[middle - np.min(scores)], [np.max(scores) - middle]]
        marker = "os^vDPX*"[i % 8]
        axes.errorbar(speed, middle, error, fmt=marker, capsize=3, label=name)
    axes.set(xscale="log", xlabel="images per second, the first = 1", ylabel=title)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    axes.figure.savefig(file, dpi=120)


def compare(args, paintings):
    accuracy = Accuracy(paintings, args.folds, args.seeds)
    titles = ["backbone", "size", "layers", "head", *accuracy.columns, "images/s"]
    titles += ["relative", "s a fit", "MB per 1,000 images", "MB of weights"]
    shares = paintings["movement"].value_counts(normalize=True)
    least = {"chance": 1 / len(shares), "most frequent": shares.max()}
    print_header(*titles)
    for name, value in least.items():
        cells = [f"{value:.1%}"] * len(accuracy.columns)
        print_row(name, *[""] * 3, *cells, *[""] * 5)
    colours = count_colours(ImageLoader(224).transform(accuracy.paths))
    colours = Features("colour histogram", "224", "", colours, *[np.nan] * 3)
    points = []

    def measure(features, head, make, X):
        scores, seconds = accuracy.measure(make, X)
        cells = [features.backbone, features.size, features.layer, head]
        cells += [spread(x, ".1%") for x in scores.values()]
        numbers = features.images_per_second, features.relative, seconds
        numbers += features.X.shape[1] * 4e-3, features.megabytes
        print_row(*cells, *["" if np.isnan(x) else f"{x:.2f}" for x in numbers])
        return scores[accuracy.columns[0]]

    measure(colours, "logistic", make_logistic, colours.X)
    for features in compute_features(args, accuracy.paths):
        found = {}
        for head in args.heads:
            make, X = HEADS.get(head), features.X
            if head == "stack" and features.stack:
                make, X = make_stack(args, features.stack), accuracy.paths
            if make is not None:
                found[head] = measure(features, head, make, X)
        best = max(found, key=lambda head: np.median(found[head]), default="")
        name = f"{features.backbone}, {features.size}, {features.layer}, {best}"
        points.append((name, features.relative, found.get(best, np.nan)))
    if args.figure:
        draw(points, f"accuracy, {accuracy.columns[0]}", args.figure)


def refuse(host, *_, **__):
    raise socket.gaierror(f"pass --download to download from {host}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_collection_options(parser)
    add = parser.add_argument
    many = functools.partial(add, nargs="*", default=[])
    add("--weights", help="file of InceptionV3 weights, instead of ImageNet's")
    many("--backbones", metavar="NAME", help="further ones")
    many("--encoder", metavar="MODULE:NAME", help="skart.Encoder objects")
    add("--download", action="store_true", help="download missing weights")
    many("--layers", metavar="NAME:LAYER+LAYER", help="further layers of a backbone")
    many("--sizes", default=["EfficientNetLite0:448"], metavar="NAME:SIZE")
    many("--pooling", default=["avg"])
    many("--heads", default=[*HEADS, "stack"], choices=[*HEADS, "stack"])
    add("--images", type=int, default=44, help="images of a pass that is timed")
    add("--rounds", type=int, default=5, help="passes, of which the fastest counts")
    add("--figure", help="PNG file of accuracy against speed")
    args = parser.parse_args()
    args.first = None
    if not args.download:
        socket.getaddrinfo = refuse
        keras.utils.disable_interactive_logging()  # of downloads
    sys.path.insert(0, os.getcwd())  # of the encoders
    # One thread: on a shared machine, threads of BLAS wait for each other.
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1, "blas"):
        args.cache = args.cache or os.path.join(folder, "store")
        compare(args, load_paintings(args, folder))


if __name__ == "__main__":
    main()
