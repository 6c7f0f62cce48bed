"""``skart report``: a page on a model, for those who did not train it."""

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
    say,
)


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
    """Write a page on how good a model is, on what, and where it errs.

    One HTML file that needs no network: the paintings, results with artists kept apart
    and with random folds, confusions, calibration, the most confident mistakes, a model
    card, all parameters and versions, and a manifest of the files. It is evaluated as
    `skart evaluate` does.

    Examples
    --------
        skart report model.skart paintings/

        skart report model.skart paintings/ --out collection.html --title "Our prints"
    """
    check_out(out, force=force, suffix=".html")
    from skart.cli._assessment import assess, write_assessment

    assessed = assess(
        model,
        data,
        n_folds=folds,
        weights=weights,
        on_error=on_error,
        cache=cache,
        seed=seed,
        say=say,
    )
    write_assessment(assessed, out, title=title)
    return f"saved {out}"
