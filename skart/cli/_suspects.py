"""``skart suspects``: labels that are probably wrong."""

from pathlib import Path
from typing import Literal

from skart._utils._files import atomic_write
from skart.cli import _options as options
from skart.cli._app import as_json, check_out, command, option, say
from skart.cli._evaluate import assess, cross_validate

_N_FOLDS = 4
_LEAST_SHOWN = 20  # without -n
_LISTS = "neighbors", "neighbor_movements", "duplicates", "duplicate_movements"


@command
@options.reads_collection
def suspects(
    data: options.Data,
    model: option(
        Path | None,
        "Model file by `skart train`. Default: a head on the features of a pretrained "
        "network, as `skart train` trains it.",
    ) = None,
    n: option(
        int | None,
        "Number of paintings, the most suspect first. Default: 20, or all that are "
        "marked as wrong, if these are more.",
        "-n",
        min=1,
    ) = None,
    csv: option(Path | None, "CSV file for the table, as by --format csv.") = None,
    html: option(
        Path | None,
        "HTML file for a page to look at each painting and to decide on its label.",
    ) = None,
    title: option(str | None, "Title of the page.") = None,
    weights: options.ModelWeights = None,
    on_error: options.OnError = "raise",
    cache: options.Cache = options.CACHE,
    seed: options.Seed = 0,
    force: options.Force = False,
    format: option(Literal["table", "csv", "json"], "Output format.") = "table",
):
    """Find labels that are probably wrong, and decide on them on a page.

    A label is suspect if a model that was not trained on the painting predicts another
    one, and more so if the artist's other paintings have that one. No file is changed:
    the page saves decisions as a CSV file, which `skart train` and other commands take
    by --corrections.

    Examples
    --------
        skart suspects paintings/ --html suspects.html

        skart train paintings/ --corrections corrections.csv

        skart suspects paintings/ --model model.skart -n 20 --csv suspects.csv
    """
    if html is not None:
        check_out(html, force=force, suffix=".html", option="--html")
    if csv is not None:
        check_out(csv, force=force, suffix=".csv", option="--csv")

    import pandas as pd

    from skart.audit import find_label_issues
    from skart.audit._label_issues import make_index
    from skart.datasets._folder import known_artists
    from skart.report._text import count

    evaluation, collection, pipe = _evaluate(
        data, model, weights, on_error, cache, seed
    )
    paths, artists = collection.paths, collection.groups
    table = find_label_issues(
        evaluation,
        paths,
        artists=artists,
        index=make_index(pipe, paths),
    )
    n_issues = int(table["issue"].sum())
    chosen = table.head(n or max(_LEAST_SHOWN, n_issues))
    named = chosen.drop(columns="position")
    names = _name_files(collection)
    # Of objects: the strings of pandas can't hold all file names.
    named.insert(0, "path", pd.Series(names[chosen["position"]], dtype=object))
    if artists is not None:
        known = known_artists(artists[chosen["position"]])
        named.insert(1, "artist", pd.Series(known, dtype=object))
    for column in ("neighbors", "duplicates"):
        named[column] = [names[list(places)].tolist() for places in named[column]]
    if html is not None:
        from skart.report import write_suspects

        write_suspects(
            chosen,
            paths,
            html,
            artists=artists,
            movements=collection.movements,
            title=title or f"Labels to check in {Path(collection.name).name}",
        )
        say(f"saved {html}")
    if csv is not None:
        with atomic_write(csv) as part:
            part.write_text(_as_csv(named) + "\n", "utf-8", "backslashreplace")
        say(f"saved {csv}")
    if format == "csv":
        return _as_csv(named)
    if format == "json":
        return as_json(named.to_dict("records"))
    text = _as_text(named, count(len(table), "painting"), n_issues)
    if html is None:
        text += "\n\nto decide on them: pass --html suspects.html"
    return text


def _evaluate(data, model, weights, on_error, cache, seed):
    """Return an evaluation, its paintings as a Collection, and the pipeline."""
    if model is not None:
        assessed = assess(
            model, data, None, weights, on_error, cache, seed, apart=False
        )
        return assessed.evaluation, assessed.collection, assessed.pipe
    if weights is not None:
        raise ValueError(
            "--weights is for the network of --model: pass both, or leave it out"
        )

    from skart.cli._collection import choose_backbone, load_collection
    from skart.model_selection import make_transfer_pipeline

    backbone, weights = choose_backbone(None, None, say)
    collection = load_collection(data, say, on_error)
    pipe = make_transfer_pipeline(
        backbone=backbone,
        weights=weights,
        cache=cache,
        on_error=options.of_loader(on_error),
        random_state=seed,
    )
    most = collection.summary()["paintings"].max()
    n_folds = min(_N_FOLDS, most)
    evaluation, _ = cross_validate(pipe, collection, n_folds, seed, apart=False)
    return evaluation, collection, pipe


def _name_files(collection):
    """Return paths relative to their folder, which no output names otherwise."""
    import numpy as np

    from skart._utils._files import relative_paths

    return np.array(relative_paths(collection.paths)[1], dtype=object)


def _as_csv(table):
    """Return the table as CSV text."""
    import pandas as pd

    table = table.copy()
    for column in _LISTS:
        texts = [" | ".join(map(str, values)) for values in table[column]]
        table[column] = pd.Series(texts, table.index, dtype=object)
    return table.to_csv(index=False).rstrip("\n")


def _as_text(table, n_tested, n_issues):
    """Return the suspect paintings as text."""
    from skart._utils._validation import visible

    lines = [
        f"{n_tested}, the most suspect labels first",
        f"! wrong by confident learning, which is cautious: {n_issues}; look at the "
        "others, too",
    ]
    for one in table.itertuples():
        lines += [
            "",
            visible(
                f"{'!' if one.issue else ' '} {one.path}: {one.movement}, suggested "
                f"{one.suggested}"
            ),
            f"  score {one.score:.3f}; {one.reason}",
        ]
    return "\n".join(lines)
