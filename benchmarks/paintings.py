"""Shared by the scripts: labelled paintings, cross-validation, tables."""

import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from common import describe_machine, spread
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart.datasets import (
    load_catalogue,
    load_image_folder,
    load_pandora18k,
    load_wikiart,
    make_paintings,
)
from skart.evaluation import evaluate
from skart.images import find_readable

_ROLES = "path", "movement", "artist"


def add_collection_options(parser):
    """Add the options of `load_paintings` and `Accuracy`."""
    reading = parser.add_argument_group("paintings")
    reading.add_argument("--data", help="folder or table; by default, drawn paintings")
    reading.add_argument("--kind", choices=["folder", "table", "wikiart", "pandora18k"])
    reading.add_argument("--artists", help="artists of a folder, as `skart train` does")
    for role in _ROLES:
        reading.add_argument(f"--{role}-column", help=f"column of the {role}")
    reading.add_argument("--root", help="folder of relative paths in a table")
    reading.add_argument("--skip-unreadable", action="store_true")
    reading.add_argument("--drawn-artists", type=int, default=6, metavar="N")
    reading.add_argument("--drawn-per-artist", type=int, default=8, metavar="N")
    reading.add_argument("--folds", type=int, default=5)
    reading.add_argument("--seeds", type=int, default=3, help="number of repetitions")
    reading.add_argument("--cache", help="feature store; by default, a temporary one")


def load_paintings(args, folder):
    """Load or draw paintings, and print what they are and what is left out.

    Parameters
    ----------
    args : argparse.Namespace
        Values of the options of `add_collection_options`.
    folder : str or path
        Where paintings are drawn without ``--data``.

    Returns
    -------
    frame : DataFrame
        Columns path, movement and artist; artist is None if artists can't be kept
        apart.
    """
    bunch = _read(args, folder)
    columns = {"path": bunch.paths, "movement": bunch.labels, "artist": bunch.artists}
    frame = pd.DataFrame(columns, dtype=object)
    if args.skip_unreadable:
        frame = frame[find_readable(frame["path"])]
    few = frame.groupby("movement")["path"].transform("size") < args.folds
    _say_left_out(frame["movement"][few], f"left out, of fewer than {args.folds}")
    frame = frame[~few].reset_index(drop=True)
    n_artists = frame.groupby("movement")["artist"].nunique()
    if (n_artists > 1).sum() < 2:
        print("Artists can't be kept apart: fewer than two movements have two of them.")
        frame["artist"] = None
    else:
        alone = n_artists.index[n_artists == 1]
        _say_left_out(alone, "by a single artist, trained on but not tested")
    print(
        f"{len(frame):,} paintings, {frame['movement'].nunique()} movements, "
        f"{frame['artist'].nunique()} artists. {describe_machine()}\n"
    )
    return frame


def _read(args, folder):
    kind, data = args.kind, args.data
    if data is None:
        data = make_paintings(
            Path(folder, "paintings"),
            n_artists=args.drawn_artists,
            n_per_artist=args.drawn_per_artist,
            random_state=0,
            n_jobs=-1,
            verbose=False,
        )
        kind = "folder"
    elif kind is None:
        kind = "folder" if Path(data).expanduser().is_dir() else "table"
    if kind == "table":
        columns = {role: getattr(args, f"{role}_column") for role in _ROLES}
        return load_catalogue(data, root=args.root, **columns)
    if kind == "wikiart":
        return load_wikiart(data)
    if kind == "pandora18k":
        return load_pandora18k(data, on_mismatch="ignore")
    return load_image_folder(data, artists=args.artists)


def _say_left_out(movements, reason):
    if len(movements):
        print(f"Movements {reason}: {', '.join(map(str, sorted(set(movements))))}.")


class Accuracy:
    """Cross-validate on one collection, with artists apart and with random folds.

    Parameters
    ----------
    paintings : DataFrame
        Result of `load_paintings`.
    n_folds, n_seeds : int
        Number of folds, and of repetitions with other folds and initial weights.
    """

    def __init__(self, paintings, n_folds, n_seeds):
        self.paths = paintings["path"].to_numpy()
        self.labels = paintings["movement"].to_numpy(str)
        self.artists = paintings["artist"].to_numpy()
        self.apart = self.artists[0] is not None
        self.n_folds, self.n_seeds = n_folds, n_seeds
        if (n := len(self.splits(0))) < n_folds:
            print(f"Folds: {n}; with more, a training set would lack a movement.\n")

    @property
    def columns(self):
        """Titles of the columns of `cells`."""
        return ["new artists", "random folds"] if self.apart else ["random folds"]

    def measure(self, make, X=None):
        """Return accuracies of each seed by title of the column, and seconds a fit.

        Parameters
        ----------
        make : callable
            Function from a seed to a classifier.
        X : array-like, default=None
            Features. If None, the paths.
        """
        X = self.paths if X is None else X
        found, start, n_fits = {x: [] for x in self.columns}, time.perf_counter(), 0
        for seed in range(self.n_seeds):
            result = self._evaluate(make(seed), X, seed)
            results = [result, result.random_folds] if self.apart else [result]
            for title, one in zip(self.columns, results, strict=True):
                found[title].append(one.metrics["accuracy"])
                n_fits += one.folds.max() + 1
        return found, (time.perf_counter() - start) / n_fits

    def splits(self, seed):
        """Return the folds of a seed, with artists apart if possible."""
        result = self._evaluate(DummyClassifier(), self.paths, seed, random_folds=False)
        splits = []
        for fold in range(result.folds.max() + 1):
            test = result.tested[result.folds == fold]
            train = np.setdiff1d(np.arange(len(self.labels)), test)
            if self.apart:  # also those of movements that are not tested
                train = train[~np.isin(self.artists[train], self.artists[test])]
            splits.append((train, test))
        return splits

    def _evaluate(self, model, X, seed, **options):
        options |= {"cv": self.n_folds, "random_state": seed}
        groups = self.artists if self.apart else None
        with warnings.catch_warnings():
            # Printed by load_paintings.
            warnings.filterwarnings("ignore", ".* can't be tested: ")
            return evaluate(model, X, self.labels, groups=groups, **options)

    def cells(self, make, X=None):
        """Return the accuracies as cells of a table."""
        return [spread(x, ".1%") for x in self.measure(make, X)[0].values()]


def make_logistic(seed):
    """Make logistic regression on standardized features; it needs no seed."""
    # PCA only rotates, which saves time if there are more features than paintings.
    return make_pipeline(StandardScaler(), PCA(), LogisticRegression(max_iter=2000))


def print_row(*cells):
    """Print a row of a Markdown table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def print_header(*titles):
    """Print the header of a Markdown table."""
    print_row(*titles)
    print("|" + "---|" * len(titles))


def count_colours(images):
    """Count colours in 8 x 8 x 8 bins: (n, 512) square roots of shares."""
    codes = [image // 32 @ np.array([64, 8, 1]) for image in images]
    counts = [np.bincount(code.ravel(), minlength=512) for code in codes]
    return np.sqrt(np.array(counts) / codes[0].size)
