"""Find wrong labels: skart and cleanlab, on the same out-of-fold probabilities.

Some labels are changed at random, or to a similar movement. Rankings are compared by
average precision, and by recall among as many paintings as have wrong labels.
"""

import argparse
import os
import tempfile
import warnings

import numpy as np
from common import spread
from paintings import (
    add_collection_options,
    load_paintings,
    print_header,
    print_row,
)
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skart import DenseHeadClassifier, make_transfer_pipeline
from skart.audit import find_label_issues
from skart.evaluation import evaluate

try:
    import cleanlab
    from cleanlab.filter import find_label_issues as find_by_cleanlab
    from cleanlab.rank import get_label_quality_scores
except ImportError:
    cleanlab = None


def find_similar(X, labels):
    """Return for each movement the two with the most similar mean features."""
    movements = np.unique(labels)
    X = StandardScaler().fit_transform(X)
    means = np.array([X[labels == movement].mean(axis=0) for movement in movements])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    similarity = means @ means.T - 2 * np.eye(len(means))
    nearest = movements[np.argsort(-similarity, axis=1)[:, :2]]
    return dict(zip(movements, nearest, strict=True))


def change_labels(labels, share, others, seed):
    """Return labels of which a share are changed, and a mask of these."""
    generator = np.random.default_rng(seed)
    changed = labels.copy()
    for place in generator.permutation(len(labels))[: round(share * len(labels))]:
        changed[place] = generator.choice(others[labels[place]])
    return changed, changed != labels


def rank(evaluation):
    """Yield names of rankings, and positions with the most suspect labels first."""
    yield "skart", find_label_issues(evaluation)["position"].to_numpy()
    artists, evaluation.groups = evaluation.groups, None
    name = "skart" if artists is None else "skart, without artists"
    yield name, find_label_issues(evaluation)["position"].to_numpy()
    if cleanlab is None:
        return
    labels = np.searchsorted(evaluation.classes, evaluation.y_true)
    probabilities = evaluation.probabilities
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    for method in ("self_confidence", "normalized_margin"):
        quality = get_label_quality_scores(labels, probabilities, method=method)
        order = np.argsort(quality, kind="stable")
        yield f"cleanlab, {method}", order
        issues = find_by_cleanlab(
            labels, probabilities, return_indices_ranked_by=method, n_jobs=1
        )
        # Others come after its issues, in the order of the same quality.
        rest = order[~np.isin(order, issues)]
        yield f"cleanlab, issues by {method}", np.r_[issues, rest].astype(int)


def measure(X, paintings, share, others, seed):
    """Yield kind of folds, ranking, average precision, and recall among the first."""
    labels = paintings["movement"].to_numpy(str)
    labels, wrong = change_labels(labels, share, others, seed)
    artists = paintings["artist"].to_numpy()
    if artists[0] is None:
        artists = None
    head = DenseHeadClassifier(random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* can't be tested: ")
        found = evaluate(head, X, labels, groups=artists, random_state=seed)
    evaluations = {"random": found.random_folds or found}
    if artists is not None:
        evaluations["artists apart"] = found
        found.random_folds = None
    for folds, evaluation in evaluations.items():
        bad = wrong[evaluation.tested]
        if artists is not None:
            evaluation.groups = artists[evaluation.tested]
        evaluation.tested = np.arange(len(bad))
        for name, order in rank(evaluation):
            scores = np.empty(len(bad))
            scores[order] = -np.arange(len(bad))
            recall = bad[order[: bad.sum()]].mean()
            yield folds, name, average_precision_score(bad, scores), recall


def compare(args, paintings):
    """Print a table of all rankings."""
    cache = os.path.expanduser(args.cache)
    pipe = make_transfer_pipeline(backbone=args.backbone, cache=cache, verbose=False)
    X = np.asarray(pipe[:-1].fit_transform(paintings["path"].to_numpy()))
    labels = paintings["movement"].to_numpy(str)
    movements = np.unique(labels)
    kinds = {
        "at random": {name: movements[movements != name] for name in movements},
        "similar": find_similar(X, labels),
    }
    if cleanlab is None:
        print("cleanlab is not installed, and left out: pip install 'skart[bench]'\n")
    else:
        print(f"cleanlab {cleanlab.__version__}\n")
    columns = [(share, kind) for share in args.shares for kind in kinds]
    found = {}
    for share, kind in columns:
        for seed in range(args.seeds):
            for folds, name, *scores in measure(X, paintings, share, kinds[kind], seed):
                row = found.setdefault((folds, name), {})
                row.setdefault((share, kind), []).append(scores)
    for place, title in enumerate(("average precision", "recall")):
        print(f"Labels changed, {title}:\n")
        print_header("folds", "ranking", *(f"{x:.0%} {kind}" for x, kind in columns))
        for (folds, name), row in found.items():
            cells = [spread(np.array(row[column])[:, place]) for column in columns]
            print_row(folds, name, *cells)
        print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_collection_options(parser)
    parser.add_argument("--backbone", default="EfficientNetLite0")
    parser.add_argument("--shares", type=float, nargs="*", default=[0.05, 0.1])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1, "blas"):
        args.cache = args.cache or os.path.join(folder, "store")
        compare(args, load_paintings(args, folder))


if __name__ == "__main__":
    main()
