"""``skart demo``: the whole workflow on drawn paintings or a folder."""

import copy
import textwrap
import time
from pathlib import Path

from typer import echo, secho

from skart._utils._interrupts import check_interrupt
from skart.cli import _options as options
from skart.cli._app import app, cli_errors, option
from skart.cli._evaluate import as_table

_N_FOLDS = 3


@app.command()
@cli_errors()
@options.reads_collection
def demo(
    data: option(
        str | None,
        "A folder Movement/Artist/file or Movement/file, or a table. By default, "
        "paintings are drawn.",
        metavar="DIR",
        parser=options.parse_image,
    ) = None,
    out: option(
        Path,
        "Folder for figures, predictions and features. Those of an earlier demo are "
        "replaced.",
    ) = Path("skart-demo"),
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    layer: option(
        str | None,
        "Layer of the features, such as mixed5, or 'last'. Default: the layers that "
        "are recommended for style.",
    ) = None,
    candidates: option(int, "Number of heads in the randomized search.", min=1) = 6,
    epochs: option(int, "Number of epochs of each head.", min=1) = 30,
    on_error: options.OnError = "raise",
    seed: options.Seed = 0,
):
    """Run the whole workflow: load, extract, search, cross-validate, fit, test, plot.

    Examples
    --------
        skart demo

        skart demo --data my_paintings --weights inception_v3.weights.h5
    """
    from sklearn.base import clone
    from sklearn.model_selection import RandomizedSearchCV, cross_val_score

    from skart.cli._collection import (
        choose_backbone,
        load_collection,
        make_folds,
        save_figure,
        validation_share,
    )
    from skart.datasets import make_paintings
    from skart.evaluation import Evaluation
    from skart.model_selection import head_search_space, make_transfer_pipeline
    from skart.plotting import ConfusionDisplay, HistoryDisplay, SamplesDisplay

    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    backbone, weights = choose_backbone(backbone, weights, echo)
    is_drawn = data is None
    if is_drawn:
        data = options.Source(out / "paintings")
        _step("Paintings", f"drawn into {data}")
        make_paintings(
            data.path, n_artists=6, n_per_artist=5, random_state=seed, n_jobs=-1
        )
    else:
        _step("Paintings", f"from {data}")
    collection = load_collection(data, _show, on_error)
    paintings = collection.frame
    pipe = make_transfer_pipeline(
        backbone=backbone,
        weights=weights,
        layer=options.parse_layer(layer),
        on_error=options.of_loader(on_error),
        cache=out / "features",
        epochs=epochs,
        random_state=seed,
    )

    _step(
        "Features", "each painting goes through the network once, then comes from disk"
    )
    features = pipe[:2].fit_transform(paintings["path"])
    _show(f"{features.shape[0]} vectors of {features.shape[1]} numbers")

    parts, how_tested = make_folds(collection, _N_FOLDS + 1, seed)
    training, test = copy.copy(collection), paintings.iloc[parts[0][1]]
    training.frame = paintings.iloc[parts[0][0]]
    X, y = training.paths, training.labels
    groups = training.groups if training.artists_apart else None
    folds, how = make_folds(training, _N_FOLDS, seed)

    _step("Search", f"{candidates} heads, {len(folds)} folds, {how}")
    search = RandomizedSearchCV(
        pipe,
        head_search_space(),
        n_iter=candidates,
        cv=folds,
        refit=False,
        random_state=seed,
    ).fit(X, y)
    for name, value in search.best_params_.items():
        _show(f"{name.removeprefix('head__'):24} {value:.3g}")

    best = clone(pipe).set_params(**search.best_params_)
    # On other folds than the search, where the best score is optimistic.
    folds, _ = make_folds(training, _N_FOLDS, seed + 1)
    scores = cross_val_score(best, X, y, cv=folds)
    _show(f"accuracy on other folds  {scores.mean():.1%} +/- {scores.std():.1%}")

    held_out = validation_share(y)
    _step("Fit", f"on {len(y)} paintings, some of them held out for the curves")
    best.set_params(head__validation_split=held_out)
    best.fit(X, y, head__groups=groups)
    _show(f"{len(best[-1].history_['loss'])} epochs")

    _step("Test", f"on paintings that were not used above, {how_tested}")
    evaluation = Evaluation(
        test["movement"],
        probabilities=best.predict_proba(test["path"]),
        classes=best.classes_,
        groups=test["artist"],
    )
    _show(
        f"accuracy {evaluation.metrics['accuracy']:.1%}, chance "
        f"{1 / len(evaluation.classes):.1%}\n"
    )
    _show(as_table(evaluation, "none of them used above"))

    _step("Saved", f"in {out.resolve()}")
    samples = SamplesDisplay.from_paths(
        paintings["path"],
        paintings["movement"],
        artists=paintings["artist"],
        on_error=options.of_loader(on_error),
    )
    displays = {
        "samples.png": samples,
        "learning-curves.png": HistoryDisplay.from_estimator(best),
        "confusion-matrix.png": ConfusionDisplay.from_evaluation(evaluation),
    }
    for name, display in displays.items():
        save_figure(display, out / name)
        _show(name)
    test = test.assign(
        predicted=evaluation.y_pred, probability=evaluation.confidence.round(4)
    )
    test.to_csv(out / "predictions.csv", index=False)
    _show("predictions.csv")
    if is_drawn:
        echo(
            "\nDrawn paintings are easier than real ones. On yours: skart demo --data "
            "FOLDER"
        )
    echo(f"\nDone in {time.monotonic() - started:.0f} s.")


def _step(name, description):
    """Print the name and the description of the step that begins."""
    check_interrupt()
    secho(f"\n{name}", bold=True, nl=False)
    echo(f": {description}")


def _show(text):
    echo(textwrap.indent(text, "  "))
