"""``skart report``: one HTML page on a model."""

from pathlib import Path

from skart.cli import _options as options
from skart.cli._app import check_out, command, option
from skart.cli._evaluate import assess
from skart.cli._sets import tabulate_sets


@command
@options.reads_collection
def report(
    model: options.Model,
    data: options.Data,
    out: option(Path, "File of the page.") = Path("report.html"),
    title: option(str | None, "Title of the page.") = None,
    folds: options.Folds = None,
    weights: options.ModelWeights = None,
    on_error: options.OnError = "raise",
    cache: options.Cache = options.CACHE,
    seed: options.Seed = 0,
    force: options.Force = False,
):
    """Evaluate a model as `skart evaluate` does, and write an HTML page.

    The page is one file that needs no network. It shows the paintings and their map,
    results with artists kept apart and with random folds, confusions, artists,
    calibration, the most confident mistakes beside paintings that may explain them,
    labels to check, a model card, all parameters and versions, and a manifest of the
    files.

    Examples
    --------
        skart report model.skart paintings/

        skart report model.skart paintings/ --out collection.html --title "Our prints"
    """
    check_out(out, force=force, suffix=".html")

    from skart.audit._label_issues import make_index
    from skart.datasets._pandora18k import periods_of
    from skart.report import write_report

    assessed = assess(model, data, folds, weights, on_error, cache, seed)
    collection = assessed.collection
    sets = None
    if assessed.calibration is not None:
        sets = tabulate_sets(assessed.evaluation, assessed.calibration)
    name = Path(collection.name).name  # a page names no folder of this machine
    write_report(
        assessed.evaluation,
        collection.paths,
        out,
        title=title or f"Movements of {name}",
        estimator=assessed.pipe,
        search=assessed.notes.get("search"),
        periods=periods_of(assessed.evaluation.classes),
        skipped=collection.skipped,
        description=f"{name}: {assessed.method}.",
        index=make_index(assessed.pipe, collection.paths),
        sets=sets,
    )
    return f"saved {out}"
