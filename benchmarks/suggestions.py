"""Accuracy by number of labelled paintings, for several ways of choosing them.

Paintings are labelled in rounds, and a logistic regression is tested on other artists
after each. Prints a Markdown table.

    python benchmarks/suggestions.py --data paintings/
"""

import argparse
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from paintings import (
    add_collection_options,
    load_paintings,
    make_logistic,
    print_header,
    print_row,
)
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from skart import make_transfer_pipeline
from skart.exploration import suggest_paintings
from skart.networks import available_backbone


def choose_at_random(X, labelled, probabilities, n, generator):
    return generator.choice(len(X), n, replace=False)


def choose_least_certain(X, labelled, probabilities, n, generator):
    return np.argsort(margins(probabilities))[:n]


def choose_by_entropy(X, labelled, probabilities, n, generator):
    logs = np.log(np.maximum(probabilities, 1e-12))
    return np.argsort((probabilities * logs).sum(axis=1))[:n]


def choose_far_apart(X, labelled, probabilities, n, generator):
    """Greedy k-centre: the farthest from all that are labelled."""
    return spread_out(X, labelled, np.ones(len(X)), n)


def choose_far_apart_by_margin(X, labelled, probabilities, n, generator):
    return spread_out(X, labelled, 1 - margins(probabilities), n)


def choose_like_badge(X, labelled, probabilities, n, generator):
    """Draw as k-means++ does, weighted by the margin."""
    weights = (1 - margins(probabilities)) ** 2
    return spread_out(X, labelled, weights, n, generator)


def choose_in_clusters(X, labelled, probabilities, n, generator):
    """Cluster the 5 n least certain, and choose the least certain of each cluster."""
    few = np.argsort(margins(probabilities))[: 5 * n]
    clusters = KMeans(n, n_init=1, random_state=new_seed(generator)).fit_predict(X[few])
    return few[np.unique(clusters, return_index=True)[1]]


def choose_typical(X, labelled, probabilities, n, generator):
    return suggest_paintings(X, n_paintings=n, random_state=new_seed(generator))


def choose_suggested(X, labelled, probabilities, n, generator):
    return suggest_paintings(
        X, probabilities, n_paintings=n, random_state=new_seed(generator)
    )


# Function of a round, and of the first one, in which there are no probabilities.
METHODS = {
    "random": (choose_at_random, choose_at_random),
    "least certain, by margin": (choose_least_certain, choose_at_random),
    "least certain, by entropy": (choose_by_entropy, choose_at_random),
    "k-centre": (choose_far_apart, choose_far_apart),
    "k-centre, weighted by margin": (choose_far_apart_by_margin, choose_far_apart),
    "k-means++, weighted by margin": (choose_like_badge, choose_at_random),
    "clusters of the least certain": (choose_in_clusters, choose_at_random),
    "`suggest_paintings` without probabilities": (choose_typical, choose_typical),
    "random, then `suggest_paintings`": (choose_suggested, choose_at_random),
    "`suggest_paintings`": (choose_suggested, choose_suggested),
}


def new_seed(generator):
    return int(generator.integers(2**31))


def margins(probabilities):
    """Return the differences between the two highest probabilities."""
    highest = np.sort(probabilities, axis=1)
    return highest[:, -1] - highest[:, -2]


def spread_out(X, labelled, weights, n, generator=None):
    """Choose one after the other by distance, weighted: the farthest, or by chance."""
    chosen = []
    if len(labelled):
        squares = pairwise_distances(X, labelled, metric="sqeuclidean").min(axis=1)
    else:
        squares = ((X - X.mean(axis=0)) ** 2).sum(axis=1)
        chosen.append(int(squares.argmin()))
        squares = ((X - X[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < n:
        score = squares * weights
        score[chosen] = 0
        if generator is None:
            chosen.append(int(np.sqrt(score).argmax()))
        else:
            chosen.append(int(generator.choice(len(X), p=score / score.sum())))
        squares = np.minimum(squares, ((X - X[chosen[-1]]) ** 2).sum(axis=1))
    return np.array(chosen)


def measure(method, X, y, pool, test, n, n_rounds, seed):
    """Return the accuracy on test paintings after each round of labelling."""
    generator = np.random.default_rng(seed)
    choose, choose_first = METHODS[method]
    directions = normalize(X)
    labelled, accuracies, model = np.array([], int), [], None
    for _ in range(n_rounds):
        rest = np.setdiff1d(pool, labelled)
        probabilities = None if model is None else model.predict_proba(X[rest])
        chosen = (choose_first if model is None else choose)(
            directions[rest], directions[labelled], probabilities, n, generator
        )
        labelled = np.concatenate([labelled, rest[chosen]])
        known = np.unique(y[labelled])
        if len(known) > 1:
            model = make_logistic(seed).fit(X[labelled], y[labelled])
            accuracies.append(model.score(X[test], y[test]))
        else:
            accuracies.append(np.mean(y[test] == known[0]))
    return accuracies


def compare(args, paintings):
    """Print the accuracy of each method after each round."""
    pipe = make_transfer_pipeline(
        backbone=available_backbone(), layer="style", cache=args.cache, verbose=False
    )
    X = pipe[:-1].transform(paintings["path"])
    y, artists = paintings["movement"].to_numpy(str), paintings["artist"].to_numpy()
    splitter = StratifiedKFold if artists[0] is None else StratifiedGroupKFold
    found = {method: [] for method in METHODS}
    for seed in range(args.seeds):
        folds = splitter(3, shuffle=True, random_state=seed).split(X, y, artists)
        pool, test = next(folds)
        for method in METHODS:
            found[method].append(
                measure(method, X, y, pool, test, args.per_round, args.rounds, seed)
            )
    totals = args.per_round * np.arange(1, args.rounds + 1)
    print_header(
        "labelled", *totals, "mean difference to random", "seeds better than random"
    )
    for method, curves in found.items():
        gain = 100 * np.mean(np.subtract(curves, found["random"]), axis=1)
        print_row(
            method,
            *(f"{100 * x:.1f}" for x in np.mean(curves, axis=0)),
            f"{np.median(gain):+.1f} ({gain.min():+.1f} to {gain.max():+.1f})",
            f"{(gain > 0).sum()} of {len(gain)}",
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_collection_options(parser)
    parser.add_argument("--per-round", type=int, default=20, help="paintings labelled")
    parser.add_argument("--rounds", type=int, default=6)
    parser.set_defaults(seeds=10, drawn_artists=10)
    args = parser.parse_args()
    # One thread: on a shared machine, threads of BLAS wait for each other.
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1, "blas"):
        args.cache = args.cache or os.path.join(folder, "store")
        compare(args, load_paintings(args, folder))


if __name__ == "__main__":
    main()
