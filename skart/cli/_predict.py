"""``skart predict``: the movements of images."""

import csv
import dataclasses
import io
import warnings
from pathlib import Path
from typing import Literal

from skart._utils._text import as_percent
from skart.cli import _options as options
from skart.cli._app import (
    argument,
    as_json,
    check_out,
    check_share,
    command,
    option,
    say,
    say_unreadable,
)
from skart.cli._images import list_paths, read_table
from skart.cli._sets import keep_sets, require_calibration
from skart.cli._trained import REMARK, TRAINED, mark_trained
from skart.cli._unknown import (
    MARKS,
    as_text,
    check_unknown,
    describe_marks,
    mark_unknown,
    read_confidence,
    score_by_distance,
)
from skart.persistence._calibration import read_notes, read_scores

# For so few images, an exported model takes less time than TensorFlow takes to start.
# The features of more images are worth storing, which exported models don't do.
_FEW = 32
_TOP_K = 3
_N_NEIGHBORS = 6  # training paintings beside a prediction


@command
@options.reads_images
def predict(
    model: options.AnyModel,
    images: argument(
        list[str],
        "Image files, URLs of images, folders, or tables (CSV, Excel or Parquet) with "
        "a column of paths or URLs.",
        metavar="IMAGE...",
        parser=options.parse_image,
    ),
    top_k: option(
        int | None, "Number of movements shown for each image. Default: 3.", min=1
    ) = None,
    sets: option(
        float | None,
        "Show prediction sets instead of the most probable movements. COVERAGE, such "
        "as 0.9, is the share of paintings by new artists whose set contains the true "
        "movement.",
        metavar="COVERAGE",
    ) = None,
    weights: options.ModelWeights = None,
    cache: options.Cache = options.CACHE,
    path_column: options.of_data("path_column") = None,
    image_column: options.of_data("image_column") = None,
    manifest_column: options.of_data("manifest_column") = None,
    root: option(
        Path | None,
        "Folder to which the paths in a table refer. Default: that of the table.",
    ) = None,
    sort: option(
        Literal["given", "unsure"],
        "Order of the images: as given, or the least certain predictions first, those "
        "with the smallest difference between the two highest probabilities.",
    ) = "given",
    html: option(Path | None, "HTML file for a page of images and predictions.") = None,
    unknown: option(
        float | None,
        "Mark images that are unlike the known paintings as none of the movements. "
        "SHARE, such as 0.05, is the share of known paintings that may be marked in "
        "error. With --data, features are compared; otherwise, the highest "
        "probabilities.",
        metavar="SHARE",
    ) = None,
    data: option(
        str | None,
        "The folder or table that the model was trained on. For each image, the page "
        "then shows the nearest paintings of the predicted movement, and --unknown "
        "compares features.",
        metavar="DIR",
        parser=options.parse_image,
    ) = None,
    part: options.of_data("part") = None,
    artists: options.of_data("artists") = None,
    movement_column: options.of_data("movement_column") = None,
    artist_column: options.of_data("artist_column") = None,
    corrections: options.of_data("corrections") = None,
    force: options.Force = False,
    format: option(Literal["table", "csv", "json"], "Output format.") = "table",
):
    """Predict the movement of images.

    FILE is a model by `skart train` or a file by `skart export`. Images that can't be
    read are listed, the others are predicted, and the exit status is 1. The CSV format
    keeps the columns of a table.

    With --html and --data, the predictions are explained by examples: training
    paintings of the predicted movement that are nearest to the image. If the image is a
    training painting itself, those by its artist are left out.

    The command says which of the images the model was trained on, since their
    predictions say nothing about new paintings.

    With --unknown, images that are unlike the known paintings are marked: "none of
    these". Typicality is the share of known paintings that are as unusual as the image,
    or more; an image is marked if it is at most SHARE.

    Examples
    --------
        skart predict model.skart painting.jpg

        skart predict model.skart https://museum.example/painting.jpg

        skart predict model.skart scans/ --format csv > predictions.csv

        skart predict model.skart *.jpg --top-k 1 --format json

        skart predict model.skart works.csv --format csv > predictions.csv

        skart predict model.skart scans/ --sort unsure

        skart predict model.skart scans/ --sets 0.9

        skart predict model.onnx painting.jpg

        skart predict model.skart scans/ --html scans.html --data paintings/

        skart predict model.skart scans/ --unknown 0.05 --data paintings/
    """
    check_share("--sets", sets, 0.01, 0.999)
    check_share("--unknown", unknown, 0.001, 0.5)
    if html is not None:
        check_out(html, force=force, suffix=".html", option="--html")
    elif data is not None and unknown is None:
        raise ValueError(
            "--data is for --html and --unknown: pass one of them, too, or leave "
            "--data out"
        )
    reading = {
        "--part": part,
        "--artists": artists,
        "--movement-column": movement_column,
        "--artist-column": artist_column,
        "--corrections": corrections,
    }
    for name, value in reading.items():
        if value is not None and data is None:
            raise ValueError(f"{name} is for --data: pass both, or neither")
    is_table = any(
        isinstance(x, Path) and x.suffix.lower() in options.TABLES for x in images
    )
    if root is not None and data is None and not is_table:
        raise ValueError(f"--root {root} is for a table: pass one, or leave it out")
    known = None
    if unknown is not None and data is None:
        known = read_confidence(model)
        check_unknown(unknown, known)
        say(
            "Images are compared with the known paintings by their highest probability "
            "alone. By features, with --data, more images that are no paintings are "
            "marked."
        )
    columns, unreadable = {}, {}

    def read(file):
        found, manifests = read_table(
            file,
            path_column=path_column,
            image_column=image_column,
            manifest_column=manifest_column,
            root=root,
        )
        columns.update(found)
        unreadable.update(dict.fromkeys(manifests, "not a manifest that can be read"))
        return found

    paths = list_paths(images, read)
    if sets is None:
        top_k = top_k or _TOP_K
    elif top_k is not None:
        raise ValueError(
            f"--top-k {top_k} and --sets: pass one of them. --sets shows as many "
            "movements as a set holds."
        )
    calibration = None
    if sets is not None:
        calibration = read_scores(model, require_calibration(model, "--sets"))
    from skart.persistence._exported import load_exported

    # The difference between the two highest probabilities needs two movements.
    n_ranked = max(top_k, 2) if top_k and sort == "unsure" else top_k
    exported = load_exported(model)
    predictions, failures, known_digests = predict_images(
        model, paths, n_ranked, weights=weights, cache=cache, exported=exported
    )
    failures |= unreadable
    paths += unreadable
    if sort == "unsure":
        predictions = {
            path: ranked[:top_k] for path, ranked in _sort_by_margin(predictions)
        }
        paths = [*predictions, *failures]
    subtitle = [f"by {model.name}"]
    if sets is not None:
        predictions, promise = keep_sets(predictions, calibration, sets)
        say(promise)
        subtitle.append(promise)
    say_unreadable(failures)
    names, marks = [], dict.fromkeys(predictions, {})
    digests = read_notes(model, exported).get("digests")
    if digests:
        from skart.images._elsewhere import is_elsewhere

        # Features of URLs that were stored before were not fetched again.
        stored = any(
            is_elsewhere(path) and path not in known_digests for path in predictions
        )
        is_large = len(predictions) > _FEW or stored
        store = cache if exported is None and is_large else None
        names = [TRAINED]
        marks = mark_trained(digests, list(predictions), store, known_digests)
    training = None
    if data is not None and predictions:
        source = _add_columns(
            options.Source(
                data,
                part=part,
                artists=artists,
                movement_column=movement_column,
                artist_column=artist_column,
                corrections=corrections,
            ),
            path_column=path_column,
            image_column=image_column,
            manifest_column=manifest_column,
            root=root,
        )
        training = _load_training(model, source, list(predictions), weights, cache)
    if unknown is not None:
        names = [*MARKS, *names]
        by = "features" if data is not None else "highest probability"
        subtitle.append(describe_marks(unknown, by))
        scores = [ranked[0][1] for ranked in predictions.values()]
        if training is not None:
            known, scores = score_by_distance(*training)
        if predictions:
            found = mark_unknown(unknown, predictions, known, scores)
            marks = {path: found[path] | marks[path] for path in predictions}
    if html is not None and predictions:
        _write_page(html, model, training, predictions, failures, marks, subtitle)
        say(f"saved {html}")
    if format == "json":
        text = _as_json(paths, predictions, failures, marks)
    elif format == "csv":
        text = _as_csv(paths, predictions, failures, columns, names, marks)
    else:
        text = as_table(predictions, marks) if predictions else None
    return text, int(bool(failures))


def predict_images(file, paths, top_k=3, *, weights=None, cache, exported):
    """Return the `top_k` movements and probabilities, and failures, by path.

    Also return the digests of images that are no local files. If `top_k` is None,
    return all movements. `exported` is the file's model if it is an exported one.
    """
    import numpy as np

    from skart.persistence._exported import find_kept, load_kept

    kept = None
    if exported is not None and weights is not None:
        raise ValueError(
            f"{str(file)!r} is an exported model, which contains its weights: leave "
            "out --weights"
        )
    if exported is None and len(paths) <= _FEW:
        kept = find_kept(file, cache)
        # Given weights are checked, which requires the model itself.
        if kept is not None and weights is None:
            exported = load_kept(kept, file)
    if exported is not None:
        classes = exported.classes
        probabilities, failures, digests = exported.predict_proba(paths)
    else:
        from skart.persistence._load import load_pipeline

        pipe = load_pipeline(file, weights=weights, cache=cache)
        classes = pipe.classes_.tolist()
        images = pipe[0].transform(paths)
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=".*can't be read", category=UserWarning
            )
            probabilities = pipe[1:].predict_proba(images)
        failures = images.failures
        digests = {name: digest for name, (_, digest) in images.digests.items()}
        # Not if the file was replaced while it was loaded.
        if kept is not None and not kept.exists() and kept == find_kept(file, cache):
            from skart.persistence._export import keep_export

            keep_export(pipe, kept, file)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    predictions = {
        path: [(classes[i], row[i].item()) for i in ranked]
        for path, row, ranked in zip(paths, probabilities, best, strict=True)
        if path not in failures
    }
    return predictions, failures, digests


def _write_page(html, model, training, predictions, failures, marks, subtitle):
    """Write a page of predictions, with training paintings if they are given."""
    from skart.report._neighbors import write_neighbors

    subtitle = ". ".join(subtitle) + ("." if len(subtitle) > 1 else "")
    neighbors, captions = dict.fromkeys(predictions, []), {}
    if training is not None:
        neighbors, captions = _explain(predictions, marks, *training)
    write_neighbors(
        html,
        neighbors,
        title="Predicted movements",
        subtitle=subtitle,
        captions=captions,
        predictions=predictions,
        remarks={path: _remark(mark) for path, mark in marks.items()},
        failures=failures,
    )


def _remark(mark):
    """Return what a page says of an image."""
    trained = REMARK if mark.get(TRAINED) else None
    return "\n\n".join(filter(None, (as_text(mark), trained)))


def _add_columns(source, *, image_column, **columns):
    """Add the options for tables to --data if it is one; else they are for images."""
    is_table = source.is_table or (
        image_column is not None and any(source.locate().rglob("*.parquet"))
    )
    if not is_table:
        return source
    return dataclasses.replace(source, image_column=image_column, **columns)


def _load_training(model, source, images, weights, cache):
    """Return the paintings a model was trained on, their features and the images'."""
    import numpy as np

    from skart.cli._collection import Collection, make_extractor
    from skart.exploration._extraction import extract_features
    from skart.persistence import model_info
    from skart.persistence._exported import load_exported
    from skart.persistence._parts import digest_paintings

    if load_exported(model) is not None:
        raise ValueError(
            f"--data needs a model of skart train, and {str(model)!r} is an exported "
            "one, which returns no features. Leave --data out, or pass the model"
        )
    collection = Collection(source, least=1)
    for remark in collection.remarks():
        say(remark)
    known = (model_info(model)["notes"] or {}).get("digests")
    if known is None:
        say(
            "The model file doesn't list the paintings it was trained on, so all "
            "paintings of --data are compared."
        )
    else:
        trained = np.isin(digest_paintings(collection.paths, cache), known)
        if not trained.any():
            raise ValueError(
                f"--data {source}: the model was trained on none of these "
                f"{len(trained)} paintings. Name the paintings it was trained on."
            )
        collection.frame = collection.frame[trained].reset_index(drop=True)
    extractor = make_extractor(model, weights, cache, say, on_error="blank")
    features = extract_features(extractor, collection.paths)[0]
    return collection, features, extract_features(extractor, images)[0]


def _explain(predictions, marks, collection, features, queries):
    """Return the training paintings nearest to each image, and their captions."""
    import numpy as np

    from skart.cli._similar import list_neighbors
    from skart.exploration import PaintingIndex

    index = PaintingIndex().fit(features, artists=collection.groups)
    movements = np.array([ranked[0][0] for ranked in predictions.values()])
    found = index.kneighbors(
        queries,
        _N_NEIGHBORS,
        among=collection.labels == movements[:, None],
    )
    neighbors, captions = {}, {}
    for path, movement, *rows in zip(predictions, movements, *found, strict=True):
        neighbors[path] = list_neighbors(*rows, collection)
        # Of other images, skart can't know by whom they are.
        others = collection.artists_known and marks[path].get(TRAINED)
        captions[path] = f"The nearest training paintings of {movement}"
        captions[path] += ", by other artists" if others else ""
    return neighbors, captions


def _sort_by_margin(predictions):
    """Return paths and predictions, the smallest difference of the first two first."""
    return sorted(
        predictions.items(),
        key=lambda item: item[1][0][1] - sum(chance for _, chance in item[1][1:2]),
    )


def _as_json(paths, predictions, failures, marks):
    rows = []
    for path in paths:
        if path in failures:
            rows.append({"path": path, "error": failures[path]})
        else:
            ranked = [
                {"movement": movement, "probability": probability}
                for movement, probability in predictions[path]
            ]
            rows.append({"path": path, "predictions": ranked} | marks[path])
    return as_json(rows)


def _as_csv(paths, predictions, failures, columns, marked, marks):
    """Return a row for each prediction and each failure, with columns of a table."""
    more = list(dict.fromkeys(name for row in columns.values() for name in row))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = ["path", "rank", "movement", "probability", *marked, "error"]
    others = [f"{name} (table)" if name in names else name for name in more]
    table.writerow([*names, *others])
    for path in paths:
        others = [columns.get(path, {}).get(name, "") for name in more]
        if path in failures:
            empty = [""] * (3 + len(marked))
            table.writerow([path, *empty, failures[path], *others])
            continue
        mark = [marks[path][name] for name in marked]
        for rank, (movement, probability) in enumerate(predictions[path], start=1):
            cells = [path, rank, movement, f"{probability:.6g}", *mark]
            table.writerow([*cells, "", *others])
    return text.getvalue().rstrip()


def as_table(predictions, marks=None):
    """Return a line for each image and each of its movements."""
    width = max(
        len(str(movement)) for ranked in predictions.values() for movement, _ in ranked
    )
    lines = []
    for path, ranked in predictions.items():
        lines.append(path if path.isprintable() else repr(path))
        text = as_text((marks or {}).get(path, {}))
        lines += [f"  {text}"] if text else []
        lines += [
            f"  {movement:{width}}  {as_percent(probability):>4}"
            for movement, probability in ranked
        ]
    return "\n".join(lines)
