"""``skart profile``: counts, sizes and formats of a collection."""

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from skart.cli._app import Data, Format, Seed, as_json, command, say


@command
def profile(
    data: Data,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for figures: samples.png and sizes.png.", show_default=False
        ),
    ] = None,
    cut: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Also draw the sizes of images whose longer side is below and above "
            "this number of pixels.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    format: Format = "table",
):
    """Show the movements, artists, image sizes and formats of a folder.

    Only the headers of the files are read, except for the samples that are drawn. Files
    that can't be read are listed.

    Examples
    --------
        skart profile paintings/

        skart profile paintings/ --out figures --cut 1000

        skart profile paintings/ --format json | jq .movements
    """
    from skart.cli._collection import Collection
    from skart.plotting._profiles import describe

    collection = Collection(data, least=1)
    answer, table = describe(collection)
    if out is not None:
        _save_figures(collection, out, cut=cut, seed=seed)
    if format == "json":
        return as_json(answer)
    artists = f" of {answer['artists']} artists" if answer["artists"] else ""
    lines = [
        f"{answer['paintings']} paintings{artists} in {len(table)} movements",
        "",
        textwrap.indent(table.to_string(), "  "),
        "",
        *(
            f"{side}: {low:,} to {high:,} pixels, median {median:,}"
            for side, (low, median, high) in answer["sizes"].items()
        ),
        "formats: " + ", ".join(f"{n} {x}" for x, n in answer["formats"].items()),
        *collection.remarks(),
        *(f"can't be read: {path!r}" for path in answer["unreadable"]),
    ]
    return "\n".join(lines)


def _save_figures(collection, folder, *, cut, seed):
    """Draw samples and image sizes, and save them as PNG files."""
    import matplotlib.pyplot as plt

    from skart.plotting._profiles import figures

    folder.mkdir(parents=True, exist_ok=True)
    for name, display in figures(collection, cut=cut, seed=seed):
        file = folder / f"{name}.png"
        display.figure_.savefig(file, dpi=120, bbox_inches="tight")
        plt.close(display.figure_)
        say(f"saved {file}")
