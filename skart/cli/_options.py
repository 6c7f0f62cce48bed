"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Literal

from skart.cli._app import argument, option

CACHE = Path("~/.cache/skart")


Data = argument(
    Path,
    "A folder Movement/Artist/file or Movement/file, or a table (CSV) with "
    "the columns path, movement and artist.",
    metavar="DIR",
)
Model = argument(Path, "Model file written by `skart train`.", metavar="FILE")
Weights = option(
    str | None,
    "'imagenet' (the default), 'random', or a file of InceptionV3 weights "
    "without the top (.weights.h5).",
)
ModelWeights = option(
    Path | None,
    "File of the pretrained weights, if they have been moved since training.",
)
Cache = option(Path, "Folder of the feature store.", envvar="SKART_CACHE")
Seed = option(int, "Random seed.", min=0)
Format = option(Literal["table", "json"], "Output format.")
Force = option(bool, "Replace existing files.", "--force")
OnError = option(
    Literal["raise", "blank"],
    "If an image can't be decoded: stop and list all such images (raise), or "
    "list them and use black images instead (blank).",
)
Folds = option(
    int | None,
    "Number of folds with which the model's pipeline is cross-validated. By default, "
    "the model itself is tested on the paintings it was not trained on; if most "
    "paintings were used in training, its pipeline is cross-validated with 4 folds.",
    min=2,
)
