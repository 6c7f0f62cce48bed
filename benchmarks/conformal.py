"""Prediction sets for new artists: skart and MAPIE, random folds and artists apart.

The artists are split at random: a classifier is fitted and calibrated on 60 % of them,
and its sets are counted on the paintings of the others. All rows have the same splits,
folds and classifier. Movements of fewer than five artists are left out.
"""

import argparse
import os
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
from common import describe_machine, spread
from paintings import (
    add_collection_options,
    load_paintings,
    make_logistic,
    print_header,
    print_row,
)
from sklearn.model_selection import (
    GroupShuffleSplit,
    PredefinedSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from skart import HandcraftedFeatures, ImageLoader, make_transfer_pipeline
from skart.evaluation import ConformalClassifier

try:
    from mapie.classification import CrossConformalClassifier
except ImportError:
    CrossConformalClassifier = None


def fit_skart(X, y, groups, folds, alpha, **options):
    """Return a function from features to sets, by skart."""
    model = ConformalClassifier(make_logistic(0), alpha=alpha, cv=folds, **options)
    return model.fit(X, y, groups=groups).predict_set


def fit_mapie(X, y, folds, alpha, score):
    """Return a function from features to sets, by MAPIE."""
    numbers = np.empty(len(y), int)
    for number, (_, test) in enumerate(folds):
        numbers[test] = number
    model = CrossConformalClassifier(
        make_logistic(0),
        confidence_level=1 - alpha,
        conformity_score=score,
        cv=PredefinedSplit(numbers),
        random_state=0,
    )
    model.fit_conformalize(X, y)
    return lambda X: model.predict_set(X)[1][:, :, 0]


def list_rows(X, y, artists, n_folds, alpha, seed):
    """Yield titles and functions that fit, for the paintings of one split."""
    options = {"n_splits": n_folds, "shuffle": True, "random_state": seed}
    apart = list(StratifiedGroupKFold(**options).split(X, y, artists))
    random = list(StratifiedKFold(**options).split(X, y))

    def skart(groups, folds, method="lac", allow_empty=True, **more):
        more |= {"method": method, "allow_empty": allow_empty}
        return lambda: fit_skart(X, y, groups, folds, alpha, **more)

    for method in ("lac", "aps", "raps"):
        yield f"skart, {method}", "artists apart", skart(artists, apart, method)
        yield f"skart, {method}", "random", skart(None, random, method)
    yield (
        "skart, lac, paintings of equal weight",
        "artists apart",
        skart(None, apart),
    )
    yield (
        "skart, lac, no empty sets",
        "artists apart",
        skart(artists, apart, allow_empty=False),
    )
    yield (
        "skart, lac, per movement",
        "artists apart",
        skart(artists, apart, per_movement=True),
    )
    if CrossConformalClassifier is not None:
        for score in ("lac", "aps"):
            for name, folds in {"artists apart": apart, "random": random}.items():
                yield (
                    f"MAPIE, {score}",
                    name,
                    lambda folds=folds, score=score: fit_mapie(
                        X, y, folds, alpha, score
                    ),
                )


def count(sets, y, artists):
    """Return the share of sets that hold the movement, by artist and by painting."""
    held = pd.Series(sets[np.arange(len(y)), y])
    sizes = pd.Series(sets.sum(axis=1))
    return {
        "artists": held.groupby(artists).mean().mean(),
        "paintings": held.mean(),
        "size": sizes.groupby(artists).mean().mean(),
        "empty": (sizes == 0).mean(),
    }


def run(X, y, artists, args):
    """Print a row for each kind of sets."""
    splitter = GroupShuffleSplit(10 * args.seeds, test_size=0.4, random_state=0)
    found, accuracies = {}, []
    for seed, (train, test) in enumerate(splitter.split(X, y, artists)):
        n_artists = pd.Series(artists[train]).groupby(y[train]).nunique()
        if len(n_artists) < len(np.unique(y)) or n_artists.min() < 2:
            continue
        if len(accuracies) == args.seeds:
            break
        given = X[train], y[train], artists[train]
        accuracies.append(make_logistic(0).fit(*given[:2]).score(X[test], y[test]))
        for name, folds, fit in list_rows(*given, args.folds, args.alpha, seed):
            start = time.perf_counter()
            counts = count(np.asarray(fit()(X[test])), y[test], artists[test])
            counts["seconds"] = time.perf_counter() - start
            found.setdefault((name, folds), []).append(counts)
    print(
        f"{args.seeds} splits, {len(np.unique(given[2]))} artists to calibrate on, "
        f"accuracy {spread(accuracies, '.1%')}\n"
    )
    print_header(
        "sets",
        "folds",
        f"coverage of new artists; promised {1 - args.alpha:.0%}",
        "of paintings",
        "size",
        "empty",
        "seconds",
    )
    for (name, folds), counts in found.items():
        table = pd.DataFrame(counts)
        mean = table.mean()
        error = table["artists"].sem()
        print_row(
            name,
            folds,
            f"{mean['artists']:.1%} ± {error:.1%}",
            f"{mean['paintings']:.1%}",
            f"{mean['size']:.2f}",
            f"{mean['empty']:.1%}",
            f"{mean['seconds']:.2f}",
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_collection_options(parser)
    parser.set_defaults(seeds=20, folds=4, drawn_artists=12, drawn_per_artist=6)
    parser.add_argument("--descriptor", help="in place of EfficientNetLite0: hsv, ...")
    parser.add_argument("--alpha", type=float, default=0.1)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        frame = load_paintings(args, folder)
        n_artists = frame.groupby("movement")["artist"].transform("nunique")
        frame = frame[n_artists >= 5]
        cache = args.cache or os.path.join(folder, "store")
        pipe = make_transfer_pipeline(backbone="EfficientNetLite0", cache=cache)
        if args.descriptor:
            features = HandcraftedFeatures([args.descriptor], cache=cache)
            pipe = make_pipeline(ImageLoader(96), features, "passthrough")
        X = np.asarray(pipe[:-1].fit_transform(frame["path"].to_numpy()))
        y = np.unique(frame["movement"], return_inverse=True)[1]
        run(X, y, frame["artist"].to_numpy(str), args)
    print(f"\n{describe_machine('numpy', 'scikit-learn', 'mapie')}")


if __name__ == "__main__":
    main()
