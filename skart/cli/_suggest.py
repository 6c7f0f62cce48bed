"""``skart suggest``: the paintings to label next."""

import csv
import io
import os
import warnings
from pathlib import Path
from typing import Literal

from skart._utils._files import expand
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

_N_RANKED = 3


@command
@options.reads_images
def suggest(
    data: argument(Path, "Folder of images, in subfolders or not.", metavar="DIR"),
    labelled: option(
        list[Path] | None,
        "Table (CSV, Excel or Parquet) of the paintings labelled so far, with columns "
        "path and movement; relative paths refer to DIR. May be given several "
        "times; where they differ, the last one counts.",
        metavar="FILE",
    ) = None,
    n: option(int, "Number of paintings.", "-n", min=1) = 20,
    path_column: option(str | None, "Column of the paths in a table.") = None,
    movement_column: option(str | None, "Column of the movements in a table.") = None,
    model: option(
        Path | None,
        "Model file of `skart train` whose features are used. Default: those of a "
        "pretrained network.",
        metavar="FILE",
    ) = None,
    weights: options.FeatureWeights = None,
    cache: options.Cache = options.CACHE,
    seed: options.Seed = 0,
    html: option(
        Path | None, "HTML page on which to label the paintings, offline."
    ) = None,
    force: options.Force = False,
    format: option(Literal["table", "csv", "json"], "Output format.") = "table",
):
    """Suggest the paintings to label next.

    A logistic regression is trained on the labelled paintings. The suggested ones are
    those that it is uncertain about, chosen to differ from each other, with their three
    most probable movements. Without labels of two movements, the suggested paintings
    represent the folder.

    The CSV format has the columns path, movement and artist to fill in, and columns of
    the predictions. A table that is filled in is passed as --labelled in the next
    round. Paintings whose movement is left blank are not suggested again. With --html,
    they are labelled on a page, which saves such a table.

    Examples
    --------
        skart suggest scans/ --format csv > round1.csv

        skart suggest scans/ --labelled round1.csv --format csv > round2.csv

        skart suggest scans/ --labelled round1.csv --labelled round2.csv -n 50

        skart suggest scans/ --labelled labels.csv --html next.html
    """
    if html is not None:
        check_out(html, force=force, suffix=".html", option="--html")
    data = expand(data)
    if not labelled and (path_column or movement_column):
        name = "--path-column" if path_column else "--movement-column"
        raise ValueError(f"{name} is for --labelled: pass both, or neither")
    if not data.is_dir():
        raise ValueError(f"DIR must be a folder of images; got {str(data)!r}")

    from skart.cli._collection import resolve
    from skart.cli._images import list_folder

    paths = list_folder(data)
    labels, changed = {}, set()
    for file in labelled or ():
        table = _read_labels(expand(file), data, path_column, movement_column)
        for path, movement in table:
            if movement is None:
                labels.setdefault(path, None)
                continue
            if labels.get(path) not in (None, movement):
                changed.add(path)
            labels[path] = movement
    known = {path: name for path, name in labels.items() if name is not None}
    files = zip(paths, resolve(paths), strict=True)
    unlabelled = [path for path, file in files if file not in labels]
    if changed:
        say(f"labelled differently, the last movement counts: {len(changed)}")
    if len(labels) > len(known):
        say(f"left out, listed without a movement: {len(labels) - len(known)}")
    if not unlabelled:
        raise ValueError(f"all images in {str(data)!r} are listed in --labelled")
    suggested = _suggest(
        known, unlabelled, n, model=model, weights=weights, cache=cache, seed=seed
    )
    if html is not None:
        from skart.report._suggestions import write_suggestions

        write_suggestions(
            html,
            {path: _relative(path, data) for path in suggested},
            suggested,
            title="Paintings to label next",
            movements=set(known.values()),
        )
        say(f"saved {html}")
    write = {"table": _as_table, "csv": _as_csv, "json": _as_json}[format]
    return write(suggested, data)


def _read_labels(file, data, path_column, movement_column):
    """Return the paths and movements of a table, None where it is blank."""
    from skart.cli._collection import resolve
    from skart.datasets._catalogue import find_file, is_found
    from skart.datasets._tables import (
        clean_column,
        clean_names,
        find_columns,
        read_table,
    )

    name = repr(str(file))
    table = clean_names(read_table(file), name)
    columns = find_columns(table, name, path=path_column, movement=movement_column)
    table = table[table[columns["path"]].notna()]
    paths = [find_file(data, str(path)) for path in table[columns["path"]]]
    missing = [path for path in paths if not is_found(path)]
    if missing:
        raise FileNotFoundError(
            f"{name} lists files that don't exist, {len(missing)} in all, first "
            f"{missing[0]!r}. Relative paths refer to the folder {str(data)!r}."
        )
    # So that a painting is one, however it is listed.
    return zip(resolve(paths), clean_column(table[columns["movement"]]), strict=True)


def _suggest(labels, unlabelled, n, *, model, weights, cache, seed):
    """Return the suggested paths, each with its most probable movements."""
    import numpy as np

    from skart.cli._collection import make_extractor
    from skart.exploration import suggest_paintings

    extractor = make_extractor(model, weights, cache, say, on_error="blank")
    images = extractor[0].transform([*labels, *unlabelled])
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*can't be read", category=UserWarning
        )
        features = extractor[1:].transform(images)
    say_unreadable(images.failures)
    is_readable = np.array([path not in images.failures for path in images.paths])
    is_labelled = np.arange(len(features)) < len(labels)
    pool = np.flatnonzero(is_readable & ~is_labelled)
    known = np.flatnonzero(is_readable & is_labelled)
    if not len(pool):
        raise ValueError("none of the images without a label can be read")
    movements = np.array(list(labels.values()), dtype=object)[known].astype(str)
    probabilities = None
    n_movements = len(set(movements))
    if n_movements > 1:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        say(f"labelled: {len(known)} paintings of {n_movements} movements")
        classifier = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)
        ).fit(features[known], movements)
        probabilities = classifier.predict_proba(features[pool])
    else:
        found = "one movement only" if n_movements else "no labels yet"
        say(f"{found}: paintings are chosen to differ, and nothing is predicted")
    selected = suggest_paintings(
        features[pool], probabilities, n_paintings=n, random_state=seed
    )
    paths = [images.paths[i] for i in pool[selected]]
    if probabilities is None:
        return {path: [] for path in paths}
    rows = probabilities[selected]
    best = np.argsort(-rows, axis=1, kind="stable")[:, :_N_RANKED]
    return {
        path: [(classifier.classes_[i].item(), row[i].item()) for i in ranked]
        for path, row, ranked in zip(paths, rows, best, strict=True)
    }


def _relative(path, data):
    return os.path.relpath(path, data).replace(os.sep, "/")


def _as_table(suggested, data):
    from skart.cli._predict import as_table

    named = {_relative(path, data): ranked for path, ranked in suggested.items()}
    if not any(named.values()):
        return "\n".join(path if path.isprintable() else repr(path) for path in named)
    return as_table(named)


def _as_csv(suggested, data):
    from skart.report._suggestions import COLUMNS

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for path, ranked in suggested.items():
        predicted = ["", "", ""]
        if ranked:
            (movement, confidence), (runner_up, _) = ranked[:2]
            predicted = [movement, f"{confidence:.6g}", runner_up]
        table.writerow([_relative(path, data), "", "", *predicted])
    return text.getvalue().rstrip("\n")


def _as_json(suggested, data):
    return as_json(
        [
            {
                "path": _relative(path, data),
                "predictions": [
                    {"movement": movement, "probability": probability}
                    for movement, probability in ranked
                ],
            }
            for path, ranked in suggested.items()
        ]
    )
