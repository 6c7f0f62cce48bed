"""Sections on single paintings and on the map, from predictions and features."""

import numpy as np

from skart._utils._files import relative_paths
from skart.audit import find_label_issues
from skart.datasets._folder import known_artists
from skart.exploration import CollectionMap, PaintingIndex
from skart.images._thumbnails import load_thumbnails
from skart.plotting import MapDisplay
from skart.report._text import count, describe_mistake

_N_SUSPECTS = 12
_LEAST_SCORE = 0.9  # of labels that confident learning does not count as wrong
_N_NEIGHBORS = 4
_SIDE = 200  # pixels of the longer side of a thumbnail


def fill_suspects(section, evaluation, files, index, *, verbose):
    """Add the labels that are probably wrong; near duplicates are not searched for."""
    paths = files["path"].to_numpy(object)
    table = find_label_issues(
        evaluation, paths, index=index, duplicates=False, verbose=verbose
    )
    suspects = table[table["issue"] | (table["score"] >= _LEAST_SCORE)]
    has_artists = evaluation.groups is not None
    if suspects.empty:
        others = ", or the artist's other paintings support the label"
        section.text(
            "No label is suspect: where a prediction contradicts a label, it is too "
            f"uncertain{others if has_artists else ''}."
        )
        return
    others = " and by other paintings of the artist"
    section.text(
        f"{count(len(suspects), 'label')} of {count(len(table), 'painting')} may be "
        "wrong, to judge by predictions of models that were not trained on the "
        f"painting{others if has_artists else ''}. Only a person can tell: skart "
        "suspects writes a page to decide on each of them."
    )
    shown = suspects.head(_N_SUSPECTS)
    images = load_thumbnails(paths[shown["position"]], _SIDE, verbose=verbose)
    _, names = relative_paths(paths)
    section.gallery(
        [
            {
                "image": image,
                "lines": [
                    f"{row.movement}, or {row.suggested}?",
                    row.reason,
                    names[row.position],
                ],
            }
            for image, row in zip(images, shown.itertuples(), strict=True)
        ],
        caption="The most suspect labels, and what speaks for another one:",
    )


def fill_neighbors(section, evaluation, files, rows, index, *, verbose):
    """Add mistakes, each beside paintings of the predicted movement that are near."""
    # Neighbours of features, which an index of paths would compute anew.
    vectors = PaintingIndex(metric=index.metric).fit(
        index.features_, artists=evaluation.groups
    )
    among = evaluation.y_true == evaluation.y_pred[rows][:, None]
    if evaluation.folds is not None:
        among &= evaluation.folds != evaluation.folds[rows][:, None]
    found = vectors.kneighbors(
        index.features_[rows], _N_NEIGHBORS, among=among, return_distance=False
    )
    paths = files["path"].to_numpy(object)
    needed = np.unique([*rows, *found[found >= 0]])
    images = load_thumbnails(paths[needed], _SIDE, verbose=verbose)
    images = dict(zip(needed.tolist(), images, strict=True))
    section.text(_describe_neighbors(evaluation))
    names = evaluation.y_true
    if evaluation.groups is not None:
        artists = known_artists(evaluation.groups)
        names = ["unknown artist" if name is None else name for name in artists]
    for row, neighbors in zip(rows, found, strict=True):
        section.comparison(
            {"image": images[row], "lines": describe_mistake(evaluation, row)},
            [
                {"image": images[i], "lines": [str(names[i])]}
                for i in neighbors[neighbors >= 0].tolist()
            ],
        )


def _describe_neighbors(evaluation):
    """Return what the rows of paintings are."""
    paintings = "paintings of the predicted movement"
    if evaluation.groups is not None:
        paintings += " by other artists"
    if evaluation.folds is not None:
        paintings += " that the classifier was trained on"
    which = "Those with the highest confidence are shown. "
    if evaluation.confidence is None:
        which = ""
    return f"{which}Beside each, the most similar {paintings}, by their features."


def fill_map(section, evaluation, files, index, *, verbose):
    """Add the map of the collection, as points and as paintings."""
    collection_map = CollectionMap(verbose=verbose).fit(
        index.features_, evaluation.y_true, artists=evaluation.groups
    )
    n_paintings = count(len(files), "painting")
    section.figure(
        MapDisplay.from_map(collection_map),
        alt=f"Map of {n_paintings}, a point for each, coloured by movement",
        caption="Paintings with similar features lie near each other. Movements in "
        "separate groups are easy to tell apart. The distance between groups means "
        "nothing.",
    )
    section.figure(
        MapDisplay.from_map(
            collection_map, thumbnails=True, paths=files["path"].to_numpy(object)
        ),
        alt=f"Map of {n_paintings}, with some of them as small images",
        caption="The same map, with one of the paintings in each place.",
    )
