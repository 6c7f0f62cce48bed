"""Time reading stored features, and a search over heads on them.

A store is filled with vectors for as many small files as Pandora18K has paintings. No
network runs, and the files are in the page cache. The search from paths is compared
with a search on the matrix of features. Prints Markdown tables.

    python benchmarks/store.py
"""

import argparse
import itertools
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from common import describe_machine, spread, time_in_turn
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline

from skart import DenseHeadClassifier, FeatureExtractor, FeatureStore, ImageLoader
from skart.model_selection import head_search_space

N_MOVEMENTS = 18
SIZE = 75


def make_files(folder, n_files, generator):
    """Write different small images, a folder a movement: paths in order."""
    paths = [Path(folder, f"{i % N_MOVEMENTS:02}", f"{i}.ppm") for i in range(n_files)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"P6 32 32 255\n" + generator.bytes(32 * 32 * 3))
    time.sleep(2.1)  # newer files are digested again each time
    return [str(path) for path in paths]


def fill(store, paths, generator):
    """Store made-up features as those of the extractor: (n, 2048)."""
    images = ImageLoader(SIZE).transform(paths)
    extractor = FeatureExtractor(weights=None, cache=store, verbose=False)
    extractor.transform(images[:1])  # creates the section of the store
    section = store.section(store.info()["sections"][0]["identity"])
    centers = generator.normal(scale=0.12, size=(N_MOVEMENTS, 2048))
    movements = np.arange(len(paths)) % N_MOVEMENTS
    digests = store.digest_files(paths)
    for start in range(0, len(paths), 1000):
        rows = slice(start, start + 1000)
        features = generator.normal(size=(len(digests[rows]), 2048))
        features = np.maximum(features + centers[movements[rows]], 0)
        section.write(digests[rows], features.astype("float32"))
    return movements


def steps(store):
    return ImageLoader(SIZE), FeatureExtractor(weights=None, cache=store, verbose=False)


def measure_reading(store, paths, rounds):
    load, extract = steps(store)
    seconds, _ = time_in_turn(
        {
            "all": lambda: extract.transform(load.transform(paths)),
            "digests": lambda: store.digest_files(paths),
        },
        rounds,
    )
    size = store.info()["bytes"] / 1e6
    print("| transform of stored paintings | seconds |\n|---|---|")
    print(f"| {len(paths):,}, {size:.0f} MB | {spread(seconds['all'])} |")
    print("| of which checking the files and looking up their digests | ", end="")
    print(f"{spread(seconds['digests'])} |\n")


def measure_search(store, paths, movements, candidates, epochs, rounds):
    space = head_search_space("")
    # Trace first: heads of one width share a graph.
    del space["units"]
    load, extract = steps(store)
    X = extract.transform(load.transform(paths))
    head = DenseHeadClassifier(epochs=epochs, random_state=0)

    def search(pipeline, space, X, seed):
        found = RandomizedSearchCV(
            pipeline,
            space,
            n_iter=candidates // rounds,
            cv=StratifiedKFold(4),
            refit=False,
            random_state=seed,
        ).fit(X, movements)
        return found.cv_results_["mean_test_score"]

    named = {f"denseheadclassifier__{name}": value for name, value in space.items()}
    pipeline = make_pipeline(load, extract, head)
    seeds = [itertools.count(), itertools.count()]
    seconds, scores = time_in_turn(
        {
            "paths": lambda: search(pipeline, named, paths, next(seeds[0])),
            "matrix": lambda: search(head, space, X, next(seeds[1])),
        },
        rounds,
    )
    assert np.array_equal(scores["paths"], scores["matrix"])
    n_fits = candidates // rounds * rounds * 4
    print(
        f"| {n_fits} fits of heads, {len(paths):,} paintings, {epochs} epochs | ",
        end="",
    )
    print("seconds |\n|---|---|")
    for name, what in (("matrix", "features in memory"), ("paths", "paths, stored")):
        print(f"| {what} | {seconds[name].sum():.1f} |")
    print(
        f"\nPaths / memory: {seconds['paths'].sum() / seconds['matrix'].sum():.3f} of "
        f"the time; a round {spread(seconds['paths'] / seconds['matrix'], '.3f')}."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paintings", type=int, default=18_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--search-paintings", type=int, default=2000, help="to search with; 0 for none"
    )
    parser.add_argument("--candidates", type=int, default=20, help="in four folds each")
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()
    print(describe_machine() + "\n")
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(f"{folder}/files", args.paintings, generator)
        store = FeatureStore(f"{folder}/store")
        movements = fill(store, paths, generator)
        measure_reading(store, paths, args.rounds)
        if args.search_paintings:
            rows = slice(args.search_paintings)
            measure_search(
                store,
                paths[rows],
                movements[rows],
                args.candidates,
                args.epochs,
                args.rounds,
            )


if __name__ == "__main__":
    main()
