"""``skart evaluate``: how good a model is on paintings it has not seen."""

from pathlib import Path
from typing import Annotated

import typer

from skart.cli._app import (
    CACHE,
    Cache,
    Data,
    Folds,
    Force,
    Format,
    Model,
    ModelWeights,
    OnError,
    Seed,
    as_json,
    check_out,
    command,
    say,
)


@command
def evaluate(
    model: Model,
    data: Data,
    folds: Folds = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="File that the prediction of each painting is saved in (CSV).",
            show_default=False,
        ),
    ] = None,
    weights: ModelWeights = None,
    on_error: OnError = "raise",
    cache: Cache = CACHE,
    seed: Seed = 0,
    force: Force = False,
    format: Format = "table",
):
    """Tell how good a model is on paintings it has not seen, and where it errs.

    On the folder it was trained on, its recipe is cross-validated: with the paintings
    of an artist kept together and, beside it, with random folds. The gap between them
    is what it owes to having seen the artist before. On other paintings, the model
    itself is tested.

    Examples
    --------
        skart evaluate model.skart paintings/

        skart evaluate model.skart new_acquisitions/ --format json

        skart evaluate model.skart paintings/ --folds 10 --predictions all.csv
    """
    if predictions is not None:
        check_out(predictions, force=force, option="--predictions")

    from skart.cli._assessment import assess

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
    evaluation = assessed.evaluation
    if predictions is not None:
        table = assessed.frame.assign(
            predicted=evaluation.y_pred, confidence=evaluation.confidence
        )
        table.to_csv(predictions, index=False, errors="backslashreplace")
        say(f"saved {predictions}")
    per_movement = evaluation.per_movement()
    pairs = evaluation.most_confused(5)
    apart = evaluation.random_folds is not None
    if format == "json":
        return as_json(
            {
                "method": assessed.method,
                "paintings": len(evaluation.y_true),
                "metrics": evaluation.metrics.to_dict(),
                "leakage_gap": evaluation.leakage_gap.to_dict() if apart else None,
                "movements": per_movement.reset_index().to_dict("records"),
                "most_confused": pairs.to_dict("records"),
                "confusion": {
                    "movements": evaluation.classes,
                    "counts": evaluation.confusion.to_numpy(),
                },
            }
        )
    figures = evaluation.leakage_gap if apart else evaluation.metrics.to_frame()
    names = [f"{name}{end}" for name in ("precision", "recall", "f1") for end in ENDS]
    return "\n".join(
        [
            f"{len(evaluation.y_true)} paintings, {assessed.method}",
            "",
            figures.to_string(float_format="{:.3f}".format),
            "",
            "of each movement, with 95 % intervals",
            per_movement[["paintings", *names]].to_string(float_format="{:.2f}".format),
            "",
            "confused most often"
            if len(pairs)
            else "no movement was taken for another",
            pairs.to_string(index=False, formatters={"share": "{:.0%}".format})
            if len(pairs)
            else "",
        ]
    ).rstrip()


ENDS = ("", "_low", "_high")
