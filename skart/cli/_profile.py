"""``skart profile``: counts, sizes and formats of a collection."""

import textwrap
from pathlib import Path

from skart.cli import _options as options
from skart.cli._app import as_json, check_out, command, option, say


@command
@options.reads_collection
def profile(
    data: options.Data,
    out: option(
        Path | None,
        "Folder for figures: samples.png and sizes.png; with --split-at N, also "
        "sizes-below-N.png and sizes-above-N.png.",
    ) = None,
    split_at: option(
        int | None,
        "Also draw the sizes of images whose longer side is below and above "
        "this number of pixels.",
        min=1,
        metavar="PIXELS",
    ) = None,
    seed: options.Seed = 0,
    force: options.Force = False,
    format: options.Format = "table",
):
    """Show the movements, artists, image sizes and formats of a folder.

    Only the headers of the files are read, except for the samples that are drawn;
    images at URLs are fetched as a whole, each time unless they are kept by --keep.
    Rows of missing files are left out, and images that can't be read are listed with
    the reasons.

    Examples
    --------
        skart profile paintings/

        skart profile paintings/ --out figures --split-at 1000

        skart profile paintings/ --format json | jq .movements
    """
    from skart.cli._collection import Collection, save_figure
    from skart.images._formats import format_failures
    from skart.plotting._profiles import describe, figures, name_figures
    from skart.report._text import count

    if split_at is not None and out is None:
        raise ValueError(
            f"--split-at {split_at}: it is for figures. Pass --out, their folder."
        )
    if out is not None and out.is_dir():
        for name in name_figures(split_at):
            check_out(out / f"{name}.png", force=force)
    collection = Collection(data, least=1, on_error="skip", opens_files=False)
    answer, table = describe(collection)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, display in figures(collection, split_at=split_at, seed=seed):
            save_figure(display, out / f"{name}.png")
            say(f"saved {out / name}.png")
    if format == "json":
        return as_json(answer)
    n_artists = answer["artists"]
    artists = f" of {count(n_artists, 'artist')}" if n_artists else ""
    n_paintings = count(answer["paintings"], "painting")
    lines = [
        f"{n_paintings}{artists} in {count(len(table), 'movement')}",
        "",
        textwrap.indent(table.to_string(), "  "),
        "",
        *(
            f"{side}: {low:,} to {high:,} pixels, median {median:,}"
            for side, (low, median, high) in answer["sizes"].items()
        ),
        "formats: " + ", ".join(f"{n} {x}" for x, n in answer["formats"].items()),
        *collection.remarks(),
    ]
    if answer["unreadable"]:
        lines.append(f"can't be read: {len(answer['unreadable'])}")
        lines.append(format_failures(answer["unreadable"]))
    return "\n".join(lines)
