"""Sections on the paintings: what they are, which were mistaken, every file."""

import os
import warnings

import numpy as np
import pandas as pd

from skart.images import ImageLoader, UnreadableImageError
from skart.plotting import ImageSizeDisplay, MistakesDisplay, SamplesDisplay
from skart.report._text import count

# More than this is a file to open elsewhere, not a table to read.
_MOST_FILES_SHOWN = 1000
_N_MISTAKES = 12
# Sizes that span more than this are drawn in two parts, too.
_WIDE_SPAN = 8


def fill_paintings(section, evaluation, files, *, skipped=None, description=None):
    """Show what the collection is; report the files that can't be read.

    Parameters
    ----------
    section : Section
        Where to.
    evaluation : Evaluation
        Gives movements and artists.
    files : DataFrame
        As ``survey_files`` gives them. Reasons that turn up are added to ``problem``.
    skipped : dict of str to int, default=None
        Files that were passed over, by reason.
    description : str, default=None
        What the user says of the collection.
    """
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
    by_movement = pd.DataFrame({"movement": evaluation.y_true})
    table = by_movement["movement"].value_counts().sort_index().to_frame("paintings")
    if evaluation.groups is not None:
        artists = pd.Series(evaluation.groups).groupby(by_movement["movement"])
        table["artists"] = artists.nunique()
        # By how much a single hand can sway the movement.
        table["by the most frequent artist"] = artists.agg(
            lambda names: names.value_counts(normalize=True).iloc[0]
        )
    section.table(
        table,
        caption="Paintings of each movement",
        formats={"by the most frequent artist": ".0%"},
    )
    if skipped:
        table = pd.Series(skipped, name="files").rename_axis("reason").to_frame()
        section.table(table, caption="Files that were passed over")
    if len(readable):
        _show_sizes(section, readable["width"], readable["height"], longer)
        _show_samples(section, evaluation, files)
    unreadable = files[files["problem"].notna()]
    if len(unreadable):
        _, names = _relative_paths(files["path"])
        section.table(
            pd.DataFrame(
                {
                    "file": np.array(names, object)[unreadable.index],
                    "reason": unreadable["problem"].to_numpy(),
                }
            ),
            caption=f"{count(len(unreadable), 'file')} can't be read now: the "
            "classifier saw a black image in their place, or they changed since",
            code=("file",),
        )


def fill_mistakes(section, evaluation, files):
    """Show the most confident mistakes.

    Parameters
    ----------
    section : Section
        Where to.
    evaluation : Evaluation
        Of the classifier.
    files : DataFrame
        As ``survey_files`` gives them.
    """
    wrong = np.flatnonzero(~evaluation.correct)
    if not len(wrong):
        section.text("It made no mistakes.")
        return
    order = np.argsort(-evaluation.confidence[wrong], kind="stable")
    rows = wrong[order][:_N_MISTAKES]
    section.text(
        f"It made {count(len(wrong), 'mistake')} in "
        f"{count(len(evaluation.y_true), 'painting')}."
    )
    images = ImageLoader(200, resize="pad", on_error="blank").transform(
        files["path"].to_numpy(object)[rows]
    )
    with warnings.catch_warnings():
        # The table names them.
        warnings.filterwarnings("ignore", ".* images can't be read")
        display = MistakesDisplay(
            np.asarray(images),
            evaluation.y_true[rows],
            evaluation.y_pred[rows],
            evaluation.confidence[rows],
        ).plot()
    section.figure(
        display,
        alt=f"The {len(rows)} paintings of the most confident mistakes",
        caption="The mistakes of which it was surest.",
    )
    table = _manifest(evaluation, files).iloc[rows].reset_index(drop=True)
    table = table.drop(columns=["bytes", "SHA-256"]).rename(columns={"path": "file"})
    if images.failures:
        table["black, since"] = [images.failures.get(path) for path in images.paths]
    section.table(
        table,
        caption="Their files, in the same order",
        formats={"confidence": ".1%"},
        code=("file",),
    )


def fill_files(section, evaluation, files):
    """List the files, or what they add up to where they are many.

    Parameters
    ----------
    section : Section
        Where to.
    evaluation : Evaluation
        Of the classifier.
    files : DataFrame
        As ``survey_files`` gives them.
    """
    manifest = _manifest(evaluation, files)
    kept = manifest.round({"confidence": 6})
    folder, _ = _relative_paths(files["path"])
    section.facts(
        {
            "Folder": folder.replace("\\", "/").rsplit("/", 1)[-1] or "–",
            "Files": f"{len(manifest):,}",
            "Bytes": f"{files['bytes'].sum():,}",
        }
    )
    section.download("manifest.csv", kept, text="The list as a table to keep:")
    if len(manifest) <= _MOST_FILES_SHOWN:
        section.table(
            manifest,
            caption="Paths from the folder",
            formats={"confidence": ".1%"},
            code=("path", "SHA-256"),
        )
        return
    table = manifest.groupby("movement").agg(
        files=("path", "size"), bytes=("bytes", "sum")
    )
    section.table(
        table,
        caption=f"More than {_MOST_FILES_SHOWN:,} files: the list holds them all, and "
        "this is their sum",
    )


def _show_sizes(section, widths, heights, longer):
    section.figure(
        ImageSizeDisplay(widths, heights).plot(),
        alt="Width against height, and histograms of width, height and aspect ratio",
        caption="Sizes of the images.",
    )
    cut = int(longer.median())
    small = longer < cut
    if longer.max() < _WIDE_SPAN * longer.min() or not small.any():
        return
    for chosen, which in ((small, "below"), (~small, "of at least")):
        section.figure(
            ImageSizeDisplay(widths[chosen], heights[chosen]).plot(),
            alt=f"Sizes of the images with a longer side {which} {cut} pixels",
            caption=f"Those with a longer side {which} {cut:,} pixels.",
        )


def _show_samples(section, evaluation, files):
    """Draw samples of what can be decoded; a header may promise more than follows."""
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
    section.figure(
        display,
        alt=f"Sample paintings of {count(len(display.images), 'movement')}, a row each",
        caption="Samples, picked at random"
        f"{'' if groups is None else ' from as many artists as there are'}.",
    )


def _manifest(evaluation, files):
    _, names = _relative_paths(files["path"])
    manifest = {"path": names, "movement": evaluation.y_true}
    if evaluation.groups is not None:
        manifest["artist"] = evaluation.groups
    return pd.DataFrame(
        {
            **manifest,
            "predicted": evaluation.y_pred,
            "confidence": evaluation.confidence,
            "bytes": files["bytes"].to_numpy(),
            "SHA-256": files["sha256"].to_numpy(),
        }
    )


def _relative_paths(paths):
    """Cut what all paths have in common.

    Parameters
    ----------
    paths : iterable of str
        Files.

    Returns
    -------
    folder : str
        Their common folder; empty if they have none.
    relative : list of str
        The paths from there, with slashes.
    """
    paths = [os.path.abspath(path) for path in paths]
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:  # on several drives
        return "", paths
    return folder, [
        os.path.relpath(path, folder).replace(os.sep, "/") for path in paths
    ]
