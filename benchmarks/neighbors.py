"""Nearest paintings: PaintingIndex, scikit-learn and FAISS on the same features.

The features are random: of exact searches, the time does not depend on their values.
All must find the same neighbours. The second table is of labelled paintings: how many
of the nearest paintings by other artists have the movement of the query.
"""

import argparse
import tempfile

import numpy as np
from common import PACKAGES, describe_machine, spread, time_in_turn
from paintings import add_collection_options, load_paintings, print_header, print_row
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler, normalize

from skart import FeatureExtractor
from skart.exploration import PaintingIndex

try:
    import faiss
except ImportError:
    faiss = None


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shapes",
        nargs="*",
        default=["18000x2048", "100000x424", "400000x424"],
        metavar="NxD",
        help="numbers of paintings and of features",
    )
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--neighbors", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backbone", default="EfficientNetLite0")
    add_collection_options(parser)
    args = parser.parse_args()
    if args.shapes:
        if faiss is None:
            print("FAISS is not installed: pip install faiss-cpu")
        names = PACKAGES if faiss is None else (*PACKAGES, "faiss-cpu")
        print(describe_machine(*names), end="\n\n")
        time_searches(args)
    with tempfile.TemporaryDirectory() as folder:
        compare_features(load_paintings(args, folder), args)


def time_searches(args):
    """Print the seconds of an index and of queries."""
    print_header(
        "paintings x features",
        "search",
        f"index and {args.queries} queries, s",
        f"{args.queries} queries, s",
        "one query, ms",
    )
    generator = np.random.default_rng(0)
    for shape in args.shapes:
        n, d = map(int, shape.split("x"))
        features = generator.normal(size=(n, d)).astype(np.float32)
        queries = generator.normal(size=(args.queries, d)).astype(np.float32)
        index = {name: make(features) for name, make in SEARCHES.items()}

        def whole(make, X=features, Q=queries):
            return lambda: make(X)(Q, args.neighbors)

        def search(name, Q, index=index):
            return lambda: index[name](Q, args.neighbors)

        times, found = [], None
        for functions in (
            {name: whole(make) for name, make in SEARCHES.items()},
            {name: search(name, queries) for name in SEARCHES},
            {name: search(name, queries[:1]) for name in SEARCHES},
        ):
            seconds, results = time_in_turn(functions, args.rounds)
            times.append(seconds)
            found = found or results
        check_equal(found)
        for name in SEARCHES:
            print_row(
                f"{n:,} x {d}",
                name,
                *(spread(seconds[name]) for seconds in times[:2]),
                spread(1000 * times[2][name], ".0f"),
            )
    print()


def index_of_skart(features):
    index = PaintingIndex(verbose=False).fit(features)
    return lambda queries, n: index.kneighbors(queries, n)


def index_of_scikit_learn(features):
    index = NearestNeighbors(metric="cosine", algorithm="brute").fit(features)
    return lambda queries, n: index.kneighbors(queries, n)


def index_of_faiss(features):
    index = faiss.IndexFlatIP(features.shape[1])
    index.add(normalize(features))

    def search(queries, n):
        similarities, indices = index.search(normalize(queries), n)
        return 1 - similarities, indices

    return search


SEARCHES = {
    "PaintingIndex": index_of_skart,
    "NearestNeighbors, brute": index_of_scikit_learn,
}
if faiss is not None:
    SEARCHES["FAISS, IndexFlatIP"] = index_of_faiss


def check_equal(found):
    """Raise AssertionError if searches differ by more than rounding."""
    (distances, indices), *others = found.values()
    for other, positions in others:
        np.testing.assert_allclose(distances, other, atol=1e-5)
        # Distances that are equal but for rounding may change places.
        assert np.mean(indices == positions) > 0.99


def compare_features(paintings, args):
    """Print the share of neighbours of the same movement."""
    labels, artists = paintings["movement"].to_numpy(), paintings["artist"].to_numpy()
    extractor = FeatureExtractor(args.backbone, layer="style", cache=args.cache)
    features = (
        PaintingIndex(extractor).fit(paintings["path"], artists=artists).features_
    )
    counts = np.unique(labels, return_counts=True)[1]
    chance = ((counts / len(labels)) ** 2).sum()
    print(f"Neighbours of the same movement; by chance {chance:.1%}:\n")
    print_header("features", "distance", "nearest", "five nearest", "of any artist")
    scaled = StandardScaler().fit_transform(features)
    for name, X in (("as they are", features), ("standardized", scaled)):
        for metric in ("cosine", "euclidean"):
            index = PaintingIndex(metric=metric, verbose=False).fit(X, artists=artists)
            found = (
                index.kneighbors(n_neighbors=n, other_artists=others)[1]
                for n, others in ((1, True), (5, True), (1, False))
            )
            print_row(name, metric, *(f"{share(x, labels):.1%}" for x in found))


def share(indices, labels):
    """Return the share of neighbours with the label of the query."""
    return (labels[indices] == labels[:, None])[indices >= 0].mean()


if __name__ == "__main__":
    main()
