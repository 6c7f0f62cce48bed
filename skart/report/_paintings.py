"""Sections on the paintings: collection, mistakes and files."""

import warnings

import numpy as np
import pandas as pd

from skart._utils._files import relative_paths
from skart.datasets._folder import known_artists
from skart.images import ImageLoader, UnreadableImageError
from skart.plotting import ImageSizeDisplay, MistakesDisplay, SamplesDisplay
from skart.plotting._mistakes import select_mistakes
from skart.report._exploration import fill_neighbors
from skart.report._text import count

_MAX_FILES_SHOWN = 1000
_N_MISTAKES = 12
# If the longest image is longer by this factor, sizes are also plotted in two parts.
_WIDE_RANGE = 8


def fill_paintings(section, evaluation, files, *, skipped=None, description=None):
    """Describe the collection; add undecodable files to ``files["problem"]``."""
    if description:
        section.text(description)
    facts = {"Paintings": f"{len(files):,}", "Movements": len(evaluation.classes)}
    if evaluation.groups is not None:
        facts["Artists"] = f"{len(set(evaluation.groups)):,}"
    formats = files["format"].value_counts()
    facts["Formats"] = ", ".join(f"{n:,} {name}" for name, n in formats.items()) or "–"
    readable = files[files["width"].notna()]
    longer = readable[["width", "height"]].max(axis=1)
    if len(readable):
        facts["Longer side"] = (
            f"{longer.min():,} to {longer.max():,} pixels, "
            f"median {longer.median():,.0f}"
        )
    section.facts(facts)
    movements = pd.Series(evaluation.y_true, name="movement")
    table = movements.value_counts().sort_index().to_frame("paintings")
    if evaluation.groups is not None:
        artists = pd.Series(evaluation.groups).groupby(movements)
        table["artists"] = artists.nunique()
        table["by the most frequent artist"] = artists.agg(
            lambda names: names.value_counts(normalize=True).iloc[0]
        )
    section.table(
        table,
        caption="Paintings of each movement",
        formats={"by the most frequent artist": ".0%"},
    )
    if skipped:
        numbers = {reason: len(files) for reason, files in skipped.items()}
        table = pd.Series(numbers, name="files").rename_axis("reason").to_frame()
        section.table(table, caption="Skipped files")
    if len(readable):
        _add_sizes(section, readable["width"], readable["height"], longer)
        _add_samples(section, evaluation, files)
    unreadable = files[files["problem"].notna()]
    if len(unreadable):
        _, names = relative_paths(files["path"])
        section.table(
            pd.DataFrame(
                {
                    "file": pd.Series(names, dtype=object)[unreadable.index].array,
                    "reason": unreadable["problem"].to_numpy(),
                }
            ),
            caption=f"Unreadable files: {len(unreadable):,}. The classifier received a "
            "black image instead, or the files changed after the evaluation",
            code=("file",),
        )


def fill_mistakes(section, evaluation, files, index=None, *, verbose=True):
    """Add the mistakes with the highest confidence, with neighbours if possible."""
    wrong = select_mistakes(evaluation.y_true, evaluation.y_pred, evaluation.confidence)
    if not len(wrong):
        section.text("The classifier made no mistakes.")
        return
    rows = wrong[:_N_MISTAKES]
    section.text(
        f"The classifier made {count(len(wrong), 'mistake')} in "
        f"{count(len(evaluation.y_true), 'painting')}."
    )
    failures = None
    if index is None:
        failures = _add_mistakes(section, evaluation, files, rows)
    else:
        fill_neighbors(section, evaluation, files, rows, index, verbose=verbose)
    table = _make_manifest(evaluation, files).iloc[rows].reset_index(drop=True)
    table = table.drop(columns=["bytes", "SHA-256"]).rename(columns={"path": "file"})
    if failures:
        paths = files["path"].to_numpy(object)[rows]
        table["shown black, because"] = [failures.get(path) for path in paths]
    section.table(
        table,
        caption="Files of these mistakes, in the same order",
        formats={"confidence": ".1%"},
        code=("file",),
    )


def _add_mistakes(section, evaluation, files, rows):
    """Add a figure of mistakes; return the failures by path."""
    images = ImageLoader(200, resize="pad", on_error="blank").transform(
        files["path"].to_numpy(object)[rows]
    )
    confidence = evaluation.confidence
    with warnings.catch_warnings():
        # The table of files lists them.
        warnings.filterwarnings("ignore", ".* images can't be read")
        display = MistakesDisplay(
            images=np.asarray(images),
            y_true=evaluation.y_true[rows],
            y_pred=evaluation.y_pred[rows],
            confidence=None if confidence is None else confidence[rows],
        ).plot()
    which = "Mistakes" if confidence is None else "Mistakes with the highest confidence"
    section.figure(
        display,
        alt=f"{which}: {count(len(rows), 'painting')}",
        caption=f"{which}: predicted and true movement.",
    )
    return images.failures


def fill_files(section, evaluation, files):
    """List the files, or their number in each movement if there are many."""
    manifest = _make_manifest(evaluation, files)
    folder, _ = relative_paths(files["path"])
    section.facts(
        {
            "Folder": folder.replace("\\", "/").rsplit("/", 1)[-1] or "–",
            "Files": f"{len(manifest):,}",
            "Bytes": f"{files['bytes'].sum():,}",
        }
    )
    rounded = manifest.round({"confidence": 6})
    section.download("manifest.csv", rounded, text="The list of files as a table:")
    if len(manifest) <= _MAX_FILES_SHOWN:
        section.table(
            manifest,
            caption="Files, with paths relative to the folder",
            formats={"confidence": ".1%"},
            code=("path", "SHA-256"),
        )
        return
    table = manifest.groupby("movement").agg(
        files=("path", "size"), bytes=("bytes", "sum")
    )
    section.table(
        table,
        caption="Files of each movement. With more than "
        f"{_MAX_FILES_SHOWN:,} files, only manifest.csv lists all of them",
    )


def _add_sizes(section, widths, heights, longer):
    """Add the sizes of the images, also in two parts if they range widely."""
    section.figure(
        ImageSizeDisplay(widths=widths, heights=heights).plot(),
        alt="Width against height, and histograms of width, height and aspect ratio",
        caption="Sizes of the images.",
    )
    cut = int(longer.median())
    small = longer < cut
    if longer.max() < _WIDE_RANGE * longer.min() or not small.any():
        return
    for chosen, which in ((small, "below"), (~small, "of at least")):
        section.figure(
            ImageSizeDisplay(widths=widths[chosen], heights=heights[chosen]).plot(),
            alt=f"Sizes of the images with a longer side {which} {cut} pixels",
            caption=f"Images with a longer side {which} {cut:,} pixels.",
        )


def _add_samples(section, evaluation, files):
    """Add sample paintings; files whose pixels can't be decoded become a problem."""
    groups = evaluation.groups
    while True:
        rows = files.index[files["problem"].isna()]
        if not len(rows):
            return
        try:
            display = SamplesDisplay.from_paths(
                files["path"].to_numpy(object)[rows],
                evaluation.y_true[rows],
                artists=None if groups is None else groups[rows],
            )
        except UnreadableImageError as error:
            reasons = files["path"].map(error.failures)
            files["problem"] = files["problem"].fillna(reasons)
        else:
            break
    artists = "" if groups is None else ", from as many artists as possible"
    section.figure(
        display,
        alt="Sample paintings, a row for each of "
        f"{count(len(display.images), 'movement')}",
        caption=f"Sample paintings of each movement, drawn at random{artists}.",
    )


def _make_manifest(evaluation, files):
    """Return a table of the files with movements and predictions."""
    _, names = relative_paths(files["path"])
    groups = evaluation.groups
    columns = {
        "path": pd.Series(names, dtype=object),
        "movement": evaluation.y_true,
        "artist": groups if groups is None else known_artists(groups),
        "predicted": evaluation.y_pred,
        "confidence": evaluation.confidence,
        "bytes": files["bytes"].to_numpy(),
        "SHA-256": files["sha256"].to_numpy(),
    }
    # Of objects: the strings of pandas can't hold all file names.
    return pd.DataFrame(
        {
            name: pd.Series(values)
            for name, values in columns.items()
            if values is not None
        }
    )
