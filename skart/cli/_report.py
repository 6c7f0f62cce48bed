"""``skart report``: one HTML page on a model."""

from pathlib import Path
from typing import Annotated

import typer

from skart.cli._app import (
    CACHE,
    Cache,
    Data,
    Folds,
    Force,
    Model,
    ModelWeights,
    OnError,
    Seed,
    check_out,
    command,
)
from skart.cli._evaluate import assess


@command
def report(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option(help="File of the page.")] = Path("report.html"),
    title: Annotated[
        str | None, typer.Option(help="Title of the page.", show_default=False)
    ] = None,
    folds: Folds = None,
    weights: ModelWeights = None,
    on_error: OnError = "raise",
    cache: Cache = CACHE,
    seed: Seed = 0,
    force: Force = False,
):
    """Evaluate a model as `skart evaluate` does, and write an HTML page.

    The page is one file that needs no network. It shows the paintings, results with
    artists kept apart and with random folds, confusions, calibration, the most
    confident mistakes, a model card, all parameters and versions, and a manifest of the
    files.

    Examples
    --------
        skart report model.skart paintings/

        skart report model.skart paintings/ --out collection.html --title "Our prints"
    """
    check_out(out, force=force, suffix=".html")

    assessed = assess(
        model,
        data,
        n_folds=folds,
        weights=weights,
        on_error=on_error,
        cache=cache,
        seed=seed,
    )
    from skart.datasets._pandora18k import periods_of
    from skart.report import write_report

    collection = assessed.collection
    write_report(
        out,
        assessed.evaluation,
        assessed.frame["path"],
        title=title or f"Movements of {Path(collection.name).name}",
        estimator=assessed.pipe,
        search=assessed.notes.get("search"),
        periods=periods_of(assessed.evaluation.classes),
        skipped=collection.skipped,
        description=f"{collection.name}: {assessed.method}.",
    )
    return f"saved {out}"
