"""``skart predict``: images to movements."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer

from skart.cli._app import CACHE, Cache, Model, ModelWeights, as_json, command, say


@command
def predict(
    model: Model,
    images: Annotated[
        list[Path],
        typer.Argument(
            help="Image files, or folders of them.",
            metavar="IMAGE...",
            show_default=False,
        ),
    ],
    top_k: Annotated[
        int, typer.Option(min=1, help="Movements to name for each image.")
    ] = 3,
    weights: ModelWeights = None,
    cache: Cache = CACHE,
    format: Annotated[
        Literal["table", "csv", "json"],
        typer.Option(help="How the answer is written."),
    ] = "table",
):
    """Predict the movement of images.

    Images that can't be read are named, the others are predicted, and the exit status
    is 1.

    Examples
    --------
        skart predict model.skart painting.jpg

        skart predict model.skart scans/ --format csv > predictions.csv

        skart predict model.skart *.jpg --top-k 1 --format json
    """
    from skart.commands.prediction import load_pipeline, predict_images
    from skart.datasets import list_images

    paths, skipped = [], Counter()
    for image in images:
        paths += list_images(image, skipped) if image.is_dir() else [str(image)]
    for reason, n in skipped.items():
        say(f"passed over: {n} {reason}")
    paths = list(dict.fromkeys(paths))
    pipe = load_pipeline(model, weights=weights, cache=cache)
    table, failures = predict_images(pipe, paths, top_k)
    for path, reason in failures.items():
        say(f"skart: {path!r} can't be read: {reason}")
    if format == "csv":
        answer = table.to_csv(index=False, float_format="%.6g").rstrip()
    elif format == "json":
        rows = table.set_index("path")[["movement", "probability"]]
        answer = as_json(
            [
                {"path": path, "error": failures[path]}
                if path in failures
                else {"path": path, "predictions": rows.loc[[path]].to_dict("records")}
                for path in paths
            ]
        )
    elif table.empty:
        answer = None
    else:
        width = table["movement"].astype(str).str.len().max()
        answer = "\n".join(
            f"{path if path.isprintable() else repr(path)}\n"
            + "\n".join(
                f"  {movement:{width}}  {probability:4.0%}"
                for movement, probability in zip(
                    rows["movement"], rows["probability"], strict=True
                )
            )
            for path, rows in table.groupby("path", sort=False)
        )
    return answer, int(bool(failures))
