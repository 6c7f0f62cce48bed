"""``skart predict``: images to movements."""

import csv
import io
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

    FILE is a model by `skart train` or a file by `skart export`. Images that can't be
    read are named, the others are predicted, and the exit status is 1.

    Examples
    --------
        skart predict model.skart painting.jpg

        skart predict model.skart scans/ --format csv > predictions.csv

        skart predict model.skart *.jpg --top-k 1 --format json

        skart predict model.onnx painting.jpg
    """
    from skart.cli._prediction import predict_images

    paths, skipped = [], Counter()
    for image in images:
        paths += _list_folder(image, skipped) if image.is_dir() else [str(image)]
    for reason, n in skipped.items():
        say(f"passed over: {n} {reason}")
    paths = list(dict.fromkeys(paths))
    predictions, failures = predict_images(
        model, paths, top_k, weights=weights, cache=cache
    )
    for path, reason in failures.items():
        say(f"skart: {path!r} can't be read: {reason}")
    if format == "csv":
        answer = _as_csv(predictions)
    elif format == "json":
        answer = as_json(
            [
                {"path": path, "error": failures[path]}
                if path in failures
                else {
                    "path": path,
                    "predictions": [
                        {"movement": movement, "probability": probability}
                        for movement, probability in predictions[path]
                    ],
                }
                for path in paths
            ]
        )
    else:
        answer = _as_table(predictions) if predictions else None
    return answer, int(bool(failures))


def _list_folder(folder, skipped):
    from skart.datasets import list_images

    return list_images(folder, skipped)


def _as_csv(predictions):
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "rank", "movement", "probability"])
    for path, ranked in predictions.items():
        for rank, (movement, probability) in enumerate(ranked, start=1):
            table.writerow([path, rank, movement, f"{probability:.6g}"])
    return text.getvalue().rstrip()


def _as_table(predictions):
    width = max(
        len(str(movement)) for ranked in predictions.values() for movement, _ in ranked
    )
    return "\n".join(
        f"{path if path.isprintable() else repr(path)}\n"
        + "\n".join(
            f"  {movement:{width}}  {probability:4.0%}"
            for movement, probability in ranked
        )
        for path, ranked in predictions.items()
    )
