"""``skart similar``: the paintings nearest to an image."""

import csv
import io
import os
import sys
from pathlib import Path
from typing import Literal

from skart.cli import _options as options
from skart.cli._app import (
    argument,
    as_json,
    check_out,
    command,
    option,
    say,
    say_unreadable,
)

_WIDTH = 80  # characters of a line


@command
@options.reads_collection
def similar(
    data: options.Data,
    images: argument(
        list[str],
        "Image files, URLs of images, or folders.",
        metavar="IMAGE...",
        parser=options.parse_image,
    ),
    n: option(int, "Number of paintings for each image.", "-n", min=1) = 12,
    any_artist: option(
        bool, "Also show paintings by the artist of the image.", "--any-artist"
    ) = False,
    artist: option(
        str | None,
        "Artist of the images, whose paintings are left out. Images that are in the "
        "collection are recognized.",
        metavar="NAME",
    ) = None,
    html: option(Path | None, "HTML file for a page that shows the paintings.") = None,
    model: option(
        Path | None,
        "Model file written by `skart train`, whose features are compared. Default: "
        "features of a pretrained network.",
        metavar="FILE",
    ) = None,
    weights: options.FeatureWeights = None,
    cache: options.Cache = options.CACHE,
    force: options.Force = False,
    format: option(Literal["table", "csv", "json"], "Output format.") = "table",
):
    """Find the paintings of a collection that are most similar to an image.

    Paintings by the artist of an image are left out, if it is known: else most of the
    paintings would be by that artist. Similarity is the cosine of two vectors of
    features: 1 for equal images. Images that can't be read are listed, the others are
    answered, and the exit status is 1. Unreadable paintings of the collection, and
    rows of missing files, are listed and left out.

    Examples
    --------
        skart similar paintings/ painting.jpg

        skart similar paintings/ scans/ -n 5 --html similar.html

        skart similar paintings/ sketch.jpg --artist "Claude Monet" --format json

        skart similar works.csv painting.jpg --model model.skart --any-artist
    """
    if html is not None:
        check_out(html, force=force, suffix=".html", option="--html")
    if artist is not None and any_artist:
        raise ValueError(
            "--artist leaves out an artist, and --any-artist none: pass one of them"
        )

    from skart.cli._collection import load_unlabelled, make_extractor
    from skart.cli._images import list_paths
    from skart.exploration import PaintingIndex
    from skart.exploration._extraction import extract_features
    from skart.images._formats import format_failures

    collection = load_unlabelled(
        data, say, least=1, skip_empty=True, on_error="skip", opens_files=False
    )
    if artist is not None:
        artist = _find_artist(artist, collection)
    paths = list_paths(images)
    extractor = make_extractor(model, weights, cache, say, on_error="blank")
    features, failures = extract_features(extractor, collection.paths)
    if failures:
        say(f"left out, since they can't be read:\n{format_failures(failures)}")
        kept = ~collection.frame["path"].isin(failures).to_numpy()
        if not kept.any():
            raise ValueError(f"no image in {collection.name!r} can be read")
        collection.frame, features = collection.frame[kept], features[kept]
    index = PaintingIndex().fit(features, artists=collection.groups)
    features, failures = extract_features(extractor, paths)
    say_unreadable(failures)
    found = index.kneighbors(
        features,
        n,
        other_artists=not any_artist,
        artists=None if artist is None else [artist] * len(paths),
    )
    neighbors = {
        path: list_neighbors(*rows, collection)
        for path, *rows in zip(paths, *found, strict=True)
        if path not in failures
    }
    if html is not None:
        from skart.report._neighbors import write_neighbors

        which = "Nearest paintings"
        if collection.artists_known and not any_artist:
            which += " by other artists"
        write_neighbors(
            html,
            neighbors,
            title=which,
            subtitle=f"of {os.path.basename(os.path.abspath(collection.name))}",
            captions=dict.fromkeys(neighbors, which),
            failures=failures,
        )
        say(f"saved {html}")
    write = {"json": _as_json, "csv": _as_csv, "table": _as_table}[format]
    return write(paths, neighbors, failures, collection), int(bool(failures))


def list_neighbors(distances, indices, collection):
    """Return the neighbours of an image, each a dict."""
    from skart.datasets._folder import known_artists

    rows = collection.frame.iloc[indices[indices >= 0]]
    artists = known_artists(rows["artist"])
    return [
        {
            "path": row.path,
            "movement": row.movement if collection.movements_known else None,
            "artist": artist,
            "similarity": 1 - distance.item(),
        }
        for row, artist, distance in zip(
            rows.itertuples(), artists, distances, strict=False
        )
    ]


def _find_artist(artist, collection):
    """Return an artist as the collection writes it, or raise ValueError."""
    from skart._utils._validation import suggest
    from skart.datasets._folder import key_of_name

    if not collection.artists_known:
        raise ValueError(
            f"--artist {artist}: the artists of {collection.name!r} are not known. "
            "Name them by --artist-column or --artists."
        )
    artists = set(collection.groups)
    spellings = {key_of_name(spelling): spelling for spelling in artists}
    if key_of_name(artist) not in spellings:
        raise ValueError(
            f"--artist {artist}: no painting of {collection.name!r} is by this artist."
            f"{suggest(artist, artists)}"
        )
    return spellings[key_of_name(artist)]


def _as_json(paths, neighbors, failures, collection):
    rows = [
        {"image": path, "error": failures[path]}
        if path in failures
        else {"image": path, "neighbors": neighbors[path]}
        for path in paths
    ]
    return as_json(rows)


def _as_csv(paths, neighbors, failures, collection):
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = ["path", "movement", "artist", "similarity"]
    table.writerow(["image", "rank", *names, "error"])
    for path in paths:
        if path in failures:
            table.writerow([path, *[""] * 5, failures[path]])
            continue
        for rank, one in enumerate(neighbors[path], start=1):
            values = [*map(one.get, names[:3]), f"{one['similarity']:.6g}"]
            table.writerow([path, rank, *values, ""])
    return text.getvalue().rstrip()


def _as_table(paths, neighbors, failures, collection):
    """Return a line for each neighbour, of at most 80 characters on a terminal."""
    from skart._utils._files import relative_paths
    from skart._utils._validation import visible

    if not neighbors:
        return None
    folder, names = relative_paths(collection.paths)
    names = dict(zip(collection.paths, names, strict=True))
    found = [one for rows in neighbors.values() for one in rows]
    columns = ["movement"] if collection.movements_known else []
    columns += ["artist"] if collection.artists_known else []
    widths = {
        column: max((len(_cut(one[column], 20)) for one in found), default=0)
        for column in columns
    }
    rest = _WIDTH - 9 - sum(width + 2 for width in widths.values())
    lines = []
    for path, rows in neighbors.items():
        lines.append(visible(path))
        for one in rows:
            cells = [
                f"{_cut(one[name], widths[name]):{widths[name]}}" for name in widths
            ]
            name = visible(names[one["path"]])
            if sys.stdout.isatty():
                name = _cut(name, rest, from_left=True)
            lines.append("  ".join([f"  {one['similarity']:.3f}", *cells, name]))
        if not rows:
            lines.append("  no other painting is left to compare it with")
    return "\n".join([*lines, "", f"Files are in {visible(folder)}"])


def _cut(text, width, *, from_left=False):
    """Return text of at most `width` characters, with an ellipsis for what is cut."""
    from skart._utils._validation import visible

    text = "" if text is None else visible(text)
    if len(text) <= width:
        return text
    return f"…{text[1 - width :]}" if from_left else f"{text[: width - 1]}…"
