"""What ``skart demo`` does: the whole way of a user with a folder of paintings."""

import textwrap
import time
from pathlib import Path

import matplotlib.pyplot as plt
import typer
from sklearn.base import clone
from sklearn.model_selection import (
    RandomizedSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
)

from skart.cli._collection import (
    Collection,
    choose_splitter,
    choose_weights,
    validation_share,
)
from skart.cli._interrupts import check_interrupt
from skart.datasets import make_paintings
from skart.evaluation import Evaluation
from skart.model_selection import head_search_space, make_transfer_pipeline
from skart.plotting import ConfusionDisplay, HistoryDisplay, SamplesDisplay

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
        weights if Keras has them or they can be downloaded, else random ones.
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
    weights = choose_weights(weights, typer.echo, fall_back=True)
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

    splitter, why = choose_splitter(paintings, _N_FOLDS)
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

    held_out = validation_share(y)
    _say(
        "Fit", f"on {len(y)} paintings, {held_out:.0%} of them held out for the curves"
    )
    best.set_params(head__validation_split=held_out, head__patience=10)
    best.fit(X, y, head__groups=groups)
    typer.echo(f"  {len(best[-1].history_['loss'])} epochs")

    _say("Test", f"on {len(test)} paintings that nothing above has seen")
    evaluation = Evaluation(
        test["movement"],
        probabilities=best.predict_proba(test["path"]),
        classes=best.classes_,
        groups=test["artist"],
    )
    test = test.assign(
        predicted=evaluation.y_pred, probability=evaluation.confidence.round(4)
    )
    _report(evaluation, y)

    _say("Saved", f"in {out.resolve()}")
    samples = SamplesDisplay.from_paths(
        paintings["path"], paintings["movement"], artists=paintings["artist"]
    )
    figures = {
        "samples.png": samples.figure_,
        "learning-curves.png": HistoryDisplay.from_estimator(best).figure_,
        "confusion-matrix.png": ConfusionDisplay.from_evaluation(evaluation).figure_,
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
    """Load the paintings, or draw some, and tell what is in the folder."""
    if data is None:
        data = out / "paintings"
        _say("Paintings", f"drawn into {data}")
        make_paintings(data, n_artists=6, n_per_artist=5, random_state=seed, n_jobs=-1)
    else:
        _say("Paintings", f"from {data}")
    collection = Collection(data)
    typer.echo(textwrap.indent(collection.summary().to_string(), "  "))
    for remark in collection.remarks():
        typer.echo(f"  {remark}")
    return collection.frame


def _report(evaluation, trained_on):
    metrics = evaluation.metrics
    chance = (evaluation.y_true == trained_on.mode()[0]).mean()
    typer.echo(
        f"  accuracy {metrics['accuracy']:.1%}; chance "
        f"{1 / len(evaluation.classes):.1%}, always the most frequent movement "
        f"{chance:.1%}\n"
    )
    table = evaluation.per_movement()[["paintings", "precision", "recall", "f1"]]
    text = table.to_string(float_format="{:.2f}".format)
    typer.echo(textwrap.indent(text, "  "))
    for pair in evaluation.most_confused(1).itertuples():
        typer.echo(
            f"\n  most confused: {pair.movement} taken for {pair.predicted} "
            f"{pair.paintings} times of {pair.paintings / pair.share:.0f}"
        )
    if evaluation.metrics["accuracy"] == 1:
        typer.echo("\n  no movement was taken for another")


def _say(step, what):
    check_interrupt()
    typer.secho(f"\n{step}", bold=True, nl=False)
    typer.echo(f": {what}")
