"""Counts and figures of a collection."""

import pandas as pd

from skart.datasets._folder import known_artists
from skart.images._headers import survey_files
from skart.plotting import ImageSizeDisplay, SamplesDisplay


def describe(collection):
    """Return a collection's figures as a dict, and a table with a row a movement.

    Only the headers of the files are read; images at URLs are fetched.
    """
    files = survey_files(collection.paths, digests=False)
    broken = files["problem"].notna()
    sizes = files.loc[~broken, ["width", "height"]]
    by_movement = sizes.groupby(collection.labels[~broken])
    table = collection.summary().join(by_movement.median().round().astype("Int64"))
    answer = {
        "paintings": len(files),
        "artists": pd.Series(known_artists(collection.groups)).nunique()
        if collection.artists_known
        else None,
        "movements": table.reset_index().to_dict("records"),
        "sizes": sizes.quantile([0, 0.5, 1]).round().astype(int).to_dict("list")
        if len(sizes)
        else {},
        "formats": files["format"].value_counts().to_dict(),
        "skipped": {x: len(files) for x, files in collection.skipped.items()},
        "unreadable": dict(
            zip(files["path"][broken], files["problem"][broken], strict=True)
        ),
    }
    return answer, table


def name_figures(split_at=None):
    """Return the names of the figures of a collection."""
    parts = ("below", "above") if split_at is not None else ()
    return ["samples", "sizes", *(f"sizes-{part}-{split_at}" for part in parts)]


def figures(collection, *, split_at=None, seed=0):
    """Yield names and Displays: samples and image sizes, all and by longer side."""
    files = survey_files(collection.paths, digests=False)
    readable = files["problem"].isna()
    if not readable.any():
        return
    frame = collection.frame[readable]
    name, *names = name_figures(split_at)
    yield (
        name,
        SamplesDisplay.from_paths(
            frame["path"],
            frame["movement"],
            artists=frame["artist"],
            on_error="blank",
            random_state=seed,
        ),
    )
    sizes = files.loc[readable, ["width", "height"]].astype(int)
    parts = [sizes]
    if split_at is not None:
        below = sizes.max(axis=1) < split_at
        parts += [sizes[below], sizes[~below]]
    for name, part in zip(names, parts, strict=True):
        if len(part):
            yield (
                name,
                ImageSizeDisplay(widths=part["width"], heights=part["height"]).plot(),
            )
