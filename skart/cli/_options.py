"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

CACHE = Path("~/.cache/skart")

Data = Annotated[
    Path,
    Argument(
        help="A folder Movement/Artist/file or Movement/file, or a table (CSV) with "
        "the columns path, movement and artist.",
        metavar="DIR",
    ),
]
Model = Annotated[
    Path, Argument(help="Model file written by `skart train`.", metavar="FILE")
]
Weights = Annotated[
    str | None,
    Option(
        help="'imagenet' (the default), 'random', or a file of InceptionV3 weights "
        "without the top (.weights.h5)."
    ),
]
ModelWeights = Annotated[
    Path | None,
    Option(
        help="File of the pretrained weights, if they have been moved since training."
    ),
]
Cache = Annotated[
    Path, Option(envvar="SKART_CACHE", help="Folder of the feature store.")
]
Seed = Annotated[int, Option(min=0, help="Random seed.")]
Format = Annotated[Literal["table", "json"], Option(help="Output format.")]
Force = Annotated[bool, Option("--force", help="Replace existing files.")]
OnError = Annotated[
    Literal["raise", "blank"],
    Option(
        help="If an image can't be decoded: stop and list all such images (raise), or "
        "list them and use black images instead (blank)."
    ),
]
Folds = Annotated[
    int | None,
    Option(
        min=2,
        help="Number of folds with which the model's pipeline is cross-validated. By "
        "default, the model itself is tested on the paintings it was not trained on; "
        "if most paintings were used in training, its pipeline is cross-validated with "
        "4 folds.",
    ),
]
