"""Accuracies on the random split, beside those with artists kept apart."""

import numpy as np
import pandas as pd

from skart.evaluation import Evaluation, evaluate
from skart.reproduction._reported import TITLES

# Heads on features that are computed once. Networks from scratch would take days.
EVALUATED = "reported-head", "transfer"

N_FOLDS = 4  # with random folds, and as many with artists kept apart

NOTE = (
    "The report's split is random: paintings of one artist are in training and test "
    "set. Here, the heads on the frozen features are also cross-validated, with "
    f"{N_FOLDS} random folds and with artists kept apart. The latter is the accuracy "
    "on new artists, and the gap is that of random folds minus it. In brackets are "
    "95 % confidence intervals, from bootstrap samples of artists."
)


def evaluate_apart(reproduction, result):
    """Cross-validate a head with random folds and with artists kept apart."""
    collection, is_test = reproduction.collection, reproduction.part == "test"
    split = evaluation_on_test(result, groups=collection.groups[is_test])
    pipe = reproduction.frozen().set_params(
        **result["best"],
        # As many epochs as the restored weights had.
        head__epochs=1 + int(np.argmin(result["history"]["val_loss"])),
    )
    apart = evaluate(
        reproduction.cached("leakage", pipe),
        collection.paths,
        collection.labels,
        groups=collection.groups,
        cv=N_FOLDS,
        random_state=reproduction.seed,
    )
    accuracies = {
        "random split": _accuracy(split),
        "random folds": _accuracy(apart.random_folds),
        "artists apart": _accuracy(apart),
        "gap": [
            apart.leakage_gap.loc["accuracy", "gap"],
            *apart.intervals().loc["leakage_gap"],
        ],
    }
    return {
        "accuracies": {
            name: [float(x) for x in values] for name, values in accuracies.items()
        },
        "scores": apart.leakage_gap.to_dict(),
    }


def _accuracy(evaluation):
    """Return the accuracy and the ends of its interval."""
    interval = evaluation.intervals().loc["accuracy"]
    return evaluation.metrics["accuracy"], *interval


def compare_artists(results):
    """Return accuracies in percent and their intervals, one row per head."""
    rows = {}
    for name in EVALUATED if "leakage" in results else ():
        row = rows.setdefault(TITLES[name], {})
        for column, values in results["leakage"][name]["accuracies"].items():
            for suffix, value in zip(("", " low", " high"), values, strict=True):
                row[column + suffix] = 100 * value
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment")


def format_artists(table):
    """Return the figures of `compare_artists` as texts, one column per head."""
    columns = {
        title: {
            name: f"{row[name]:.1f} {'points' if name == 'gap' else '%'} "
            f"({row[f'{name} low']:.1f} to "
            f"{row[f'{name} high']:.1f})"
            for name in table
            if not name.endswith((" low", " high"))
        }
        for title, row in table.iterrows()
    }
    return pd.DataFrame(columns)


def evaluation_on_test(result, groups=None):
    """Return the evaluation on the test paintings of the random split."""
    return Evaluation(
        np.array(result["y_true"]),
        probabilities=np.array(result["probabilities"]),
        classes=np.array(result["classes"]),
        groups=groups,
    )
