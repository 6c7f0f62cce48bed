"""What ``skart demo`` does: the whole way of a user with a folder of paintings."""

import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import typer
from sklearn.base import clone
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix
from sklearn.model_selection import (
    RandomizedSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)

from skart.datasets import load_image_folder, make_paintings
from skart.pipelines import head_search_space, make_transfer_pipeline
from skart.plotting import HistoryDisplay, SamplesDisplay, plot_confusion_matrix

# A movement needs paintings to train on, to validate with and to test on.
_LEAST_PAINTINGS = 4
_N_FOLDS = 3


def run(data, out, *, weights=None, layer=None, n_candidates=6, epochs=30, seed=0):
    """Load paintings, extract, search, cross-validate, fit, test; print and save.

    Parameters
    ----------
    data : str, path or None
        A folder of paintings; None draws some.
    out : str or path
        Folder for figures, predictions and features.
    weights : str, path or None, default=None
        File of InceptionV3 weights, ``"imagenet"`` or ``"random"``; None takes ImageNet
        weights if they can be had within a minute, else random ones.
    layer : str, default=None
        Layer that features are taken from; None for the last.
    n_candidates : int, default=6
        Heads that the randomized search tries.
    epochs : int, default=30
        Epochs of each head.
    seed : int, default=0
        Seed of all that is random.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        The fitted pipeline.
    """
    started = time.monotonic()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    weights = _choose_weights(weights)
    paintings = _load(data, out, seed)
    pipe = make_transfer_pipeline(
        weights=weights,
        layer=layer,
        scale=weights is None,
        cache=out / "features",
        epochs=epochs,
        random_state=seed,
    )

    _say(
        "Features", "each painting goes through the network once, then comes from disk"
    )
    features = pipe[:2].fit_transform(paintings["path"])
    typer.echo(f"  {features.shape[0]} vectors of {features.shape[1]} numbers")

    splitter, why = _choose_splitter(paintings)
    folds = splitter(_N_FOLDS, shuffle=True, random_state=seed)
    apart = splitter is StratifiedGroupKFold
    halves = splitter(_N_FOLDS + 1, shuffle=True, random_state=seed).split(
        paintings["path"], paintings["movement"], paintings["artist"] if apart else None
    )
    training, test = (paintings.iloc[rows] for rows in next(halves))
    X, y, groups = training["path"], training["movement"], None
    if apart:
        groups = training["artist"]

    _say("Search", f"{n_candidates} heads, {_N_FOLDS} folds, {why}")
    search = RandomizedSearchCV(
        pipe,
        head_search_space(),
        n_iter=n_candidates,
        cv=folds,
        refit=False,
        random_state=seed,
    ).fit(X, y, groups=groups)
    for name, value in search.best_params_.items():
        typer.echo(f"  {name.removeprefix('head__'):24} {value:.3g}")

    best = clone(pipe).set_params(**search.best_params_)
    # Not on the folds that chose it, where the best of several is too good.
    folds = splitter(_N_FOLDS, shuffle=True, random_state=seed + 1)
    scores = cross_val_score(best, X, y, groups=groups, cv=folds)
    typer.echo(f"  accuracy on other folds  {scores.mean():.1%} +/- {scores.std():.1%}")

    # Room for one painting of each movement, where there are few.
    held_out = max(0.15, 1.01 * y.nunique() / len(y))
    _say(
        "Fit", f"on {len(y)} paintings, {held_out:.0%} of them held out for the curves"
    )
    best.set_params(head__validation_split=held_out, head__patience=10)
    best.fit(X, y, head__groups=groups)
    typer.echo(f"  {len(best[-1].history_['loss'])} epochs")

    _say("Test", f"on {len(test)} paintings that nothing above has seen")
    probabilities = best.predict_proba(test["path"])
    test = test.assign(
        predicted=best.classes_[probabilities.argmax(axis=1)],
        probability=probabilities.max(axis=1).round(4),
    )
    _report(test, y)

    _say("Saved", f"in {out.resolve()}")
    samples = SamplesDisplay.from_paths(
        paintings["path"], paintings["movement"], artists=paintings["artist"]
    )
    figures = {
        "samples.png": samples.figure_,
        "learning-curves.png": HistoryDisplay.from_estimator(best).figure_,
        "confusion-matrix.png": plot_confusion_matrix(
            test["movement"], test["predicted"]
        ).figure_,
    }
    for name, figure in figures.items():
        figure.savefig(out / name, dpi=120, bbox_inches="tight")
        plt.close(figure)
    test.to_csv(out / "predictions.csv", index=False)
    for name in (*figures, "predictions.csv"):
        typer.echo(f"  {name}")
    typer.echo(f"\nDone in {time.monotonic() - started:.0f} s.")
    return best


def _load(data, out, seed):
    """Load the paintings, tell what is in the folder, leave out what is too little."""
    if data is None:
        data = out / "paintings"
        _say("Paintings", f"drawn into {data}")
        make_paintings(data, n_artists=6, n_per_artist=5, random_state=seed, n_jobs=-1)
    else:
        _say("Paintings", f"from {data}")
    bunch = load_image_folder(data)
    paintings = pd.DataFrame({"path": bunch.paths, "movement": bunch.labels})
    # Where no artist is known, all are one: too few to keep apart.
    paintings["artist"] = "unknown" if bunch.artists is None else bunch.artists
    table = paintings.groupby("movement").agg(
        paintings=("path", "size"), artists=("artist", "nunique")
    )
    if bunch.artists is None:
        table = table.drop(columns="artists")
    typer.echo(textwrap.indent(table.to_string(), "  "))
    for reason, count in bunch.skipped.items():
        typer.echo(f"  passed over: {count} {reason}")
    small = table.index[table["paintings"] < _LEAST_PAINTINGS]
    if len(small):
        typer.echo(
            f"  left out, with fewer than {_LEAST_PAINTINGS} paintings: "
            f"{', '.join(map(str, small))}"
        )
        paintings = paintings[~paintings["movement"].isin(small)]
    if paintings["movement"].nunique() < 2:
        raise ValueError(
            f"{str(data)!r} has fewer than two movements of {_LEAST_PAINTINGS} or more "
            "paintings: too little to train on and to test with"
        )
    return paintings


def _choose_weights(weights):
    """Fall back to random weights, and say so, if no better ones can be had."""
    if weights == "random":
        return None
    if weights is not None:
        if weights != "imagenet" and not Path(weights).expanduser().is_file():
            raise FileNotFoundError(
                f"--weights {weights}: there is no such file. Pass a file of "
                "InceptionV3 weights without the top (.weights.h5), 'imagenet' or "
                "'random'."
            )
        return weights
    if _imagenet_is_at_hand():
        return "imagenet"
    typer.echo(
        "No ImageNet weights here and none to be downloaded: going on with a randomly "
        "initialised InceptionV3, which recognises 64 % of drawn paintings where a "
        "pretrained one recognised 94 %, and fewer real ones. Give a file: --weights."
    )
    return None


def _imagenet_is_at_hand():
    models = Path(os.environ.get("KERAS_HOME", "~/.keras"), "models").expanduser()
    pattern = "inception_v3*notop.h5"
    if list(models.glob(pattern)):
        return True
    try:
        socket.create_connection(("storage.googleapis.com", 443), timeout=3).close()
    except OSError:
        return False
    typer.echo("Downloading ImageNet weights, 88 MB ...")
    load = "from skart.networks import load_backbone; load_backbone()"
    try:
        # In a process of its own, so that a download that crawls can be ended.
        done = subprocess.run(
            [sys.executable, "-c", load], capture_output=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        for fragment in models.glob(pattern):
            fragment.unlink()
        return False
    return done.returncode == 0


def _choose_splitter(paintings):
    by_movement = paintings.groupby("movement")["artist"].nunique()
    if by_movement.min() > _N_FOLDS:
        return StratifiedGroupKFold, "the paintings of an artist kept together"
    if paintings["artist"].nunique() == 1:
        return StratifiedKFold, "at random: the artists are not known"
    return (
        StratifiedKFold,
        f"at random: {by_movement.idxmin()} has too few artists to keep them apart",
    )


def _report(test, trained_on):
    truth, predicted = test["movement"], test["predicted"]
    names = np.unique(trained_on)
    chance = (truth == trained_on.mode()[0]).mean()
    typer.echo(
        f"  accuracy {accuracy_score(truth, predicted):.1%}; "
        f"chance {1 / len(names):.1%}, always the most frequent movement {chance:.1%}\n"
    )
    report = classification_report(truth, predicted, labels=names, zero_division=0)
    typer.echo(textwrap.indent(report.split("accuracy")[0].rstrip(), "  "))
    confused = confusion_matrix(truth, predicted, labels=names)
    np.fill_diagonal(confused, 0)
    if confused.any():
        row, column = np.unravel_index(confused.argmax(), confused.shape)
        typer.echo(
            f"\n  most confused: {names[row]} taken for {names[column]} "
            f"{confused[row, column]} times of {np.sum(truth == names[row])}"
        )
    else:
        typer.echo("\n  no movement was taken for another")


def _say(step, what):
    typer.secho(f"\n{step}", bold=True, nl=False)
    typer.echo(f": {what}")
