"""``skart profile``: what a folder of paintings holds."""

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
            help="Draw the sizes below and above this longer side (pixels), too.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    format: Format = "table",
):
    """Tell what a folder holds: movements, artists, sizes, formats.

    Nothing is decoded but the samples; files that can't be read are named.

    Examples
    --------
        skart profile paintings/

        skart profile paintings/ --out figures --cut 1000

        skart profile paintings/ --format json | jq .movements
    """
    from skart.cli._collection import Collection
    from skart.cli._profiles import describe, draw

    collection = Collection(data, least=1)
    answer, table = describe(collection)
    for figure in draw(collection, out, cut=cut, seed=seed) if out else ():
        say(f"saved {figure}")
    if format == "json":
        return as_json(answer)
    sizes = answer["sizes"]
    lines = [
        f"{answer['paintings']} paintings"
        + (f" of {answer['artists']} artists" if answer["artists"] else "")
        + f" in {len(table)} movements",
        "",
        textwrap.indent(table.to_string(), "  "),
        "",
        *(
            f"{side}: {low:,} to {high:,} pixels, median {median:,}"
            for side, (low, median, high) in sizes.items()
        ),
        "formats: " + ", ".join(f"{n} {x}" for x, n in answer["formats"].items()),
        *collection.remarks(),
        *(f"can't be read: {path!r}" for path in answer["unreadable"]),
    ]
    return "\n".join(lines)
