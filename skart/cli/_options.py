"""Arguments and options that several commands share."""

import dataclasses
import functools
import inspect
import os
from pathlib import Path
from typing import Literal

from skart._utils._files import expand, is_url
from skart.cli._app import argument, option

CACHE = Path("~/.cache/skart")
_KEEP = "SKART_KEEP"
TABLES = {".csv", ".tsv", ".xlsx", ".parquet"}

Keep = option(
    Path | None,
    "Folder in which the contents of URLs are kept. Default: they are not written to "
    "the disk.",
    envvar=_KEEP,
    metavar="DIR",
)

Data = argument(
    str,
    "A folder Movement/Artist/file or Movement/file; or a table (CSV, Excel or "
    "Parquet), or its URL, with columns of paths or images, movements and artists.",
    metavar="DIR",
    parser=lambda text: parse_image(text),
)


@dataclasses.dataclass(frozen=True)
class Source:
    """A folder or a table, and how to read it."""

    path: Path | str  # a URL is a str
    part: option(
        str | None,
        "Part of a folder that is split, such as train or test; all: all parts.",
    ) = None
    artists: option(
        str | None,
        "Where artists are in a folder without folders of artists. names: before the "
        "first underscore of a file name. Else a regular expression with the group "
        "`(?P<artist>...)` that is searched in the path below the movement.",
        metavar="PATTERN",
    ) = None
    path_column: option(str | None, "Column of the paths in a table.") = None
    movement_column: option(str | None, "Column of the movements in a table.") = None
    artist_column: option(str | None, "Column of the artists in a table.") = None
    image_column: option(
        str | None,
        "Column of the images in a Parquet file that holds the images themselves, or "
        "in all Parquet files of a folder or pattern. Default: found if there is no "
        "column of paths.",
    ) = None
    manifest_column: option(
        str | None, "Column of IIIF manifests in a table, instead of paths."
    ) = None
    root: option(
        Path | None,
        "Folder to which the paths in a table refer. Default: that of the table.",
    ) = None
    corrections: option(
        list[Path] | None,
        "CSV file of corrected movements, as the page of `skart suspects` saves it. "
        "May be given several times; the files are applied in their order.",
        metavar="FILE",
    ) = None

    def __str__(self):
        return str(self.path)

    def locate(self):
        """Return the path, in which ~ is expanded; a URL as it is."""
        return self.path if is_url(self.path) else expand(self.path)

    @property
    def is_table(self):
        """Whether the path is that of a table, or of Parquet files with images."""
        path = self.locate()
        if is_url(path) or path.is_file() or self.image_column is not None:
            return True
        return path.suffix.lower() in TABLES and not path.exists()  # a typing error

    def check(self):
        """Raise ValueError if an option is given that does not apply to the path."""
        names = ("path_column", "movement_column", "artist_column", "manifest_column")
        names += ("root",)
        reason = f"is for tables, and {self} is a folder"
        if self.is_table:
            names = ("part", "artists")
            reason = f"is for folders, and {self} is a table"
        for name in names:
            if getattr(self, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} {reason}")

    def as_arguments(self):
        """Return the arguments of a command that reads the same paintings."""
        arguments = [str(self.path)]
        for field in dataclasses.fields(self)[1:]:
            value = getattr(self, field.name)
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    arguments += [f"--{field.name.replace('_', '-')}", str(one)]
        return arguments


def of_data(name):
    """Return an option of `Source`, for a command in which --data is an option."""
    return Source.__annotations__[name]


def reads_collection(function):
    """Add the options of `Source` to a command, whose `data` then is a Source."""
    fields = dataclasses.fields(Source)[1:]

    @functools.wraps(function)
    def run(data, **options):
        reading = {field.name: options.pop(field.name) for field in fields}
        return function(data=data and Source(data, **reading), **options)

    more = {field.name: (field.type, field.default) for field in fields}
    return reads_images(_with_options(run, function, more))


def reads_images(function):
    """Add `--keep` to a command: where the contents of URLs are kept."""

    @functools.wraps(function)
    def run(*, keep, **options):
        # The environment, which reaches processes of a search as well.
        before = os.environ.get(_KEEP)
        if keep is not None:
            os.environ[_KEEP] = str(keep)
        try:
            return function(**options)
        finally:
            os.environ.pop(_KEEP, None)
            if before is not None:
                os.environ[_KEEP] = before

    return _with_options(run, function, {"keep": (Keep, None)})


def _with_options(run, function, more):
    """Return `run` with the parameters of a function, and more: types and defaults."""
    signature = inspect.signature(function)
    parameters = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
        )
        for name, (kind, default) in more.items()
    ]
    run.__signature__ = signature.replace(
        parameters=[*signature.parameters.values(), *parameters]
    )
    kinds = {name: kind for name, (kind, _) in more.items()}
    run.__annotations__ = function.__annotations__ | kinds
    return run


def parse_image(text):
    """Return an argument that names an image: a path, or a URL as a str.

    Older versions of typer would make a path of a parameter annotated as `Path`.
    """
    return text if is_url(text) else Path(text)


Model = argument(Path, "Model file written by `skart train`.", metavar="FILE")
AnyModel = argument(
    Path, "Model file written by `skart train` or `skart export`.", metavar="FILE"
)
Backbone = option(
    str | None,
    "Pretrained network: EfficientNetLite0, one of keras.applications, or "
    "keras_hub:PRESET (a preset or a folder). Default: InceptionV3 if its ImageNet "
    "weights are at hand or --weights is random or a file, else EfficientNetLite0 if "
    "it is installed.",
    metavar="NAME",
)
Weights = option(
    str | None,
    "'imagenet' (the default), 'random', or a file of the network's weights without "
    "the top (.weights.h5).",
)
FeatureWeights = option(
    str | None,
    "'imagenet' (the default), 'random', or a file of the network's weights without "
    "the top (.weights.h5). With --model: the file of the pretrained weights, if they "
    "have been moved since training.",
)
Dtype = option(
    Literal["float32", "bfloat16"],
    "Data type of the computation. bfloat16 is about twice as fast on "
    "processors that support it (AVX512-BF16, AMX) and slower on others; the "
    "features differ by about 1 %.",
)
Engine = option(
    Literal["auto", "keras", "openvino"],
    "What computes the features: OpenVINO if it is installed and there is no GPU, else "
    "Keras (auto). Features of the two are stored separately.",
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
    Literal["raise", "skip", "blank"],
    "If images can't be decoded: list them and stop (raise), leave them out (skip), or "
    "use black images instead (blank).",
)
Folds = option(
    int | None,
    "Number of folds with which the model's pipeline is cross-validated. By default, "
    "the model itself is tested on the paintings it was not trained on; if most "
    "paintings were used in training, its pipeline is cross-validated with 4 folds.",
    min=2,
)


def parse_layer(layer):
    """Return `--layer` as FeatureExtractor takes it."""
    return None if layer == "last" else layer or "style"


def of_loader(on_error):
    """Return `--on-error` for an ImageLoader: unreadable images are skipped before."""
    return "raise" if on_error == "skip" else on_error
