"""What a collection holds: counts, sizes and formats, and the figures of them."""

from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skart.images import measure
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
        width and height; ``formats``, files by extension; ``skipped`` files by reason;
        and ``unreadable``, reasons by path.
    table : DataFrame, a row a movement
        ``paintings``, ``artists`` where they are known, and median ``width`` and
        ``height`` in pixels.
    """
    sizes, failures = measure(collection.paths)
    readable = sizes.all(axis=1)
    columns = {"width": sizes[readable, 0], "height": sizes[readable, 1]}
    by_movement = pd.DataFrame(columns).groupby(collection.labels[readable])
    table = collection.summary().join(by_movement.median().round().astype("Int64"))
    quantiles = (
        {
            name: [int(value) for value in np.quantile(values, (0, 0.5, 1))]
            for name, values in columns.items()
        }
        if readable.any()
        else {}
    )
    suffixes = Counter(Path(path).suffix.lower() for path in collection.paths)
    answer = {
        "paintings": len(collection.frame),
        "artists": len(np.unique(collection.groups))
        if collection.artists_known
        else None,
        "movements": table.reset_index().to_dict("records"),
        "sizes": quantiles,
        "formats": dict(suffixes.most_common()),
        "skipped": collection.skipped,
        "unreadable": failures,
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
    sizes = measure(collection.paths)[0]
    readable = sizes.all(axis=1)
    frame = collection.frame[readable]
    yield (
        "samples",
        SamplesDisplay.from_paths(
            frame["path"],
            frame["movement"],
            artists=frame["artist"],
            random_state=seed,
        ),
    )
    sizes = sizes[readable]
    yield "sizes", ImageSizeDisplay(*sizes.T).plot()
    if cut is not None:
        below = sizes.max(axis=1) < cut
        for name, part in (("below", sizes[below]), ("above", sizes[~below])):
            if len(part):
                yield f"sizes-{name}-{cut}", ImageSizeDisplay(*part.T).plot()
