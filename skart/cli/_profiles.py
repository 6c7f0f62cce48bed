"""What a collection holds: counts, sizes and formats, and the figures of them."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skart.images._headers import survey_files
from skart.plotting import ImageSizeDisplay, SamplesDisplay


def describe(collection):
    """Describe a collection, of which only the files' headers are read.

    Parameters
    ----------
    collection : Collection
        The paintings.

    Returns
    -------
    answer : dict
        ``paintings`` and ``artists`` (None if unknown) counted; ``movements``, a list
        of dicts with the rows of the table; ``sizes``, the least, median and greatest
        width and height; ``formats``, files by format; ``skipped`` files by reason;
        and ``unreadable``, reasons by path.
    table : DataFrame, a row a movement
        ``paintings``, ``artists`` where they are known, and median ``width`` and
        ``height`` in pixels.
    """
    files = survey_files(collection.paths, digests=False)
    broken = files["problem"].notna()
    sizes = files.loc[~broken, ["width", "height"]]
    by_movement = sizes.groupby(collection.labels[~broken])
    table = collection.summary().join(by_movement.median().round().astype("Int64"))
    answer = {
        "paintings": len(files),
        "artists": len(np.unique(collection.groups))
        if collection.artists_known
        else None,
        "movements": table.reset_index().to_dict("records"),
        "sizes": sizes.quantile([0, 0.5, 1]).round().astype(int).to_dict("list")
        if len(sizes)
        else {},
        "formats": files["format"].value_counts().to_dict(),
        "skipped": collection.skipped,
        "unreadable": dict(
            zip(files["path"][broken], files["problem"][broken], strict=True)
        ),
    }
    return answer, table


def draw(collection, folder, *, cut=None, seed=0):
    """Draw the report's figures of a collection into a folder.

    Parameters
    ----------
    collection : Collection
        The paintings.
    folder : str or path
        Made if it is not there.
    cut : int, default=None
        Longer side in pixels; sizes below and above it are also drawn apart.
    seed : int, default=0
        Of the choice of samples.

    Yields
    ------
    file : pathlib.Path
        Each figure once it is saved.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, display in figures(collection, cut=cut, seed=seed):
        file = folder / f"{name}.png"
        display.figure_.savefig(file, dpi=120, bbox_inches="tight")
        plt.close(display.figure_)
        yield file


def figures(collection, *, cut=None, seed=0):
    """Draw the report's figures of a collection: samples, and sizes of the images.

    Parameters
    ----------
    collection : Collection
        The paintings.
    cut : int, default=None
        Longer side in pixels; sizes below and above it are also drawn apart.
    seed : int, default=0
        Of the choice of samples.

    Yields
    ------
    name : str
        ``"samples"``, ``"sizes"``, and with a cut ``"sizes-below-1000"`` and so on,
        where there are any.
    display : SamplesDisplay or ImageSizeDisplay
        Drawn.
    """
    files = survey_files(collection.paths, digests=False)
    readable = files["problem"].isna()
    if not readable.any():
        return
    frame = collection.frame[readable]
    yield (
        "samples",
        SamplesDisplay.from_paths(
            frame["path"],
            frame["movement"],
            artists=frame["artist"],
            on_error="blank",
            random_state=seed,
        ),
    )
    sizes = files.loc[readable, ["width", "height"]].astype(int)
    parts = {"sizes": sizes}
    if cut is not None:
        below = sizes.max(axis=1) < cut
        parts[f"sizes-below-{cut}"] = sizes[below]
        parts[f"sizes-above-{cut}"] = sizes[~below]
    for name, part in parts.items():
        if len(part):
            yield (
                name,
                ImageSizeDisplay(widths=part["width"], heights=part["height"]).plot(),
            )
