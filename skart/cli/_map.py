"""``skart map``: a page that shows the whole collection."""

import os
from pathlib import Path
from typing import Literal

from skart.cli import _options as options
from skart.cli._app import check_out, command, option, say


@command
@options.reads_collection
def map(
    data: options.Data,
    out: option(Path, "HTML file for the page."),
    model: option(
        Path | None,
        "Model file written by `skart train`: the map is that of its features, and "
        "shows which paintings it takes for another movement, by models that were not "
        "trained on them.",
        metavar="FILE",
    ) = None,
    layout: option(
        Literal["tsne", "pca", "umap"],
        "How similar paintings are brought together: tsne; pca, which takes seconds "
        "and separates less; or umap, if umap-learn is installed.",
    ) = "tsne",
    title: option(str | None, "Title of the page.") = None,
    weights: options.FeatureWeights = None,
    on_error: options.OnError = "raise",
    cache: options.Cache = options.CACHE,
    seed: options.Seed = 0,
    force: options.Force = False,
):
    """Write a page that shows a collection: similar paintings are near each other.

    The page is one file that opens without a network. In it, paintings are coloured and
    filtered by movement and artist, searched, and selected with a lasso; a selection is
    downloaded as CSV. A folder that is not laid out by movement, or a table without a
    column of movements, is shown without movements.

    Examples
    --------
        skart map paintings/ --out map.html

        skart map paintings/ --model model.skart --out map.html

        skart map catalogue.csv --artist-column painter --layout pca --out map.html
    """
    check_out(out, force=force, suffix=".html")

    from skart.cli._collection import load_unlabelled, make_extractor
    from skart.exploration import CollectionMap
    from skart.report._text import count

    predicted = confidence = None
    if model is not None:
        from skart.cli._evaluate import assess

        assessed = assess(model, data, None, weights, on_error, cache, seed)
        n_paintings = count(len(assessed.evaluation.y_true), "painting")
        say(f"{n_paintings}, {assessed.method}")
        predicted = assessed.evaluation.y_pred
        confidence = assessed.evaluation.confidence
        collection = assessed.collection
    else:
        collection = load_unlabelled(
            data, say, least=1, skip_empty=True, on_error=on_error
        )
    on_error = options.of_loader(on_error)
    extractor = make_extractor(model, weights, cache, say, on_error=on_error)
    fitted = CollectionMap(extractor, layout=layout, random_state=seed)
    movements = collection.labels if collection.movements_known else None
    fitted.fit(collection.paths, movements, artists=collection.groups)
    if not title:
        path = Path(os.path.abspath(data.locate()))  # .. has no name
        title = path.name if path.is_dir() else path.stem
    fitted.to_html(
        out,
        predicted=predicted,
        confidence=confidence,
        metadata=collection.metadata,
        title=title,
    )
    n_paintings = count(len(collection.frame), "painting")
    say(f"saved {out}: {n_paintings}, {out.stat().st_size / 1e6:.1f} MB")
