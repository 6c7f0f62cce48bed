"""``skart evaluate``: how good a model is on paintings it has not seen."""

import textwrap
from pathlib import Path

from skart._utils._files import atomic_write
from skart.cli import _options as options
from skart.cli._app import as_json, check_out, command, option, say
from skart.cli._sets import describe_sets, list_sets
from skart.persistence._calibration import find_calibration, read_scores

_N_FOLDS = 4
SEARCHED = "; its parameters were searched for on some of these paintings"
_N_ARTISTS = 5  # with the most mistakes, in the table


@command
@options.reads_collection
def evaluate(
    model: options.Model,
    data: options.Data,
    folds: options.Folds = None,
    predictions: option(
        Path | None, "CSV file for the prediction of each painting."
    ) = None,
    weights: options.ModelWeights = None,
    on_error: options.OnError = "raise",
    cache: options.Cache = options.CACHE,
    seed: options.Seed = 0,
    force: options.Force = False,
    format: options.Format = "table",
):
    """Evaluate a model on paintings it has not seen, and show its errors.

    On the folder the model was trained on, its pipeline is cross-validated twice: with
    all paintings of an artist in one fold, and with random folds. The gap between the
    two is due to artists that are in training and test folds. On other paintings, the
    model itself is tested.

    Examples
    --------
        skart evaluate model.skart paintings/

        skart evaluate model.skart new_acquisitions/ --format json

        skart evaluate model.skart paintings/ --folds 10 --predictions all.csv
    """
    if predictions is not None:
        check_out(predictions, force=force, option="--predictions")
    assessed = assess(model, data, folds, weights, on_error, cache, seed)
    evaluation, status = assessed.evaluation, 0
    if predictions is not None:
        from skart.datasets._folder import known_artists

        table = assessed.collection.frame.assign(
            artist=lambda frame: known_artists(frame["artist"]),
            predicted=evaluation.y_pred,
            confidence=evaluation.confidence,
        )
        try:
            with atomic_write(predictions) as part:
                table.to_csv(part, index=False, errors="backslashreplace")
            say(f"saved {predictions}")
        except OSError as error:  # the figures took long, and are not lost
            say(f"skart: --predictions {predictions} can't be written: {error}")
            status = 2
    write = _as_json if format == "json" else as_table
    return write(evaluation, assessed.method, assessed.calibration), status


def assess(file, data, n_folds, weights, on_error, cache, seed, *, apart=True):
    """Test a model on paintings it has not seen, or cross-validate its pipeline.

    With ``apart=False``, folds are random even if artists are known. Return a Bunch:
    `evaluation`, `collection` (of the paintings in it, in the same order), `method` (a
    description), `calibration` (of a tested model), `pipe` and `notes` (of its file).
    """
    from sklearn.utils import Bunch

    from skart.cli._collection import Collection
    from skart.persistence import model_info
    from skart.persistence._load import load_pipeline

    pipe = load_pipeline(
        file, weights=weights, on_error=options.of_loader(on_error), cache=cache
    )
    notes = model_info(file)["notes"] or {}
    collection = Collection(data, least=1, on_error=on_error)
    new = calibration = None
    if n_folds is None:
        new = _find_new_paintings(pipe, notes, collection, file, cache)
    if new is not None:
        if collection.corrected:
            say(collection.corrected)
        collection.frame = collection.frame[new].reset_index(drop=True)
        evaluation, method = _test(pipe, notes, collection, seed)
        calibration = find_calibration(file)
        if calibration is not None:
            calibration = read_scores(file, calibration)
    else:
        collection.drop_small()
        for remark in collection.remarks():
            say(remark)
        if notes.get("artists") and not collection.artists_known:
            say(
                "The model was trained with known artists: to keep them apart here, "
                "too, name them by --artist-column or --artists."
            )
        n_folds = n_folds or _N_FOLDS
        evaluation, method = cross_validate(
            pipe, collection, n_folds, seed, apart=apart
        )
        if notes.get("search"):
            method += SEARCHED
    return Bunch(
        evaluation=evaluation,
        collection=collection,
        method=method,
        calibration=calibration,
        pipe=pipe,
        notes=notes,
    )


def _find_new_paintings(pipe, notes, collection, file, cache):
    """Return a mask of the paintings to test the model on; None if they are too few."""
    import numpy as np

    from skart.persistence._parts import digest_paintings
    from skart.report._text import count

    known = np.isin(collection.labels, pipe.classes_)
    if not known.any():
        raise ValueError(
            f"{collection.name!r} holds none of the movements that {str(file)!r} "
            f"knows: {', '.join(map(str, pipe.classes_))}"
        )
    digests = digest_paintings(collection.paths, cache)
    seen = np.isin(digests, notes.get("digests", []))
    new = known & ~seen
    reason = None
    if "digests" not in notes:
        reason = "The model file doesn't list the paintings it was trained on"
    elif new.sum() <= seen.sum():  # a few new paintings are no test
        reason = f"The model was trained on {seen.sum()} of these {len(seen)} paintings"
    if reason is not None:
        say(f"{reason}, so its pipeline is cross-validated.")
        return None
    if seen.any():
        n_seen = count(seen.sum(), "painting")
        say(f"left out, since the model was trained on them: {n_seen}")
    for movement in np.unique(collection.labels[~known]):
        say(f"left out, a movement that the model doesn't know: {movement}")
    return new


def _test(pipe, notes, collection, seed):
    """Return the evaluation of the fitted model on new paintings, and the method."""
    from skart.evaluation import Evaluation

    evaluation = Evaluation(
        collection.labels,
        probabilities=pipe.predict_proba(collection.paths),
        classes=pipe.classes_,
        groups=collection.groups,
        random_state=seed,
    )
    method = "none of them byte for byte one that the model was trained on"
    artists = notes.get("artists")
    if collection.artists_known and artists is not None:
        n_known = collection.frame["artist"].isin(artists).sum()
        method += f", {n_known} of them by artists it was trained on"
    return evaluation, method


def cross_validate(pipe, collection, n_folds, seed, *, apart=True, random_folds=True):
    """Return the evaluation of new fits of the pipeline, and the method.

    The paintings that are not tested are removed from the collection.
    """
    from skart.classifiers._base import BaseKerasClassifier
    from skart.cli._collection import validation_share
    from skart.evaluation import evaluate

    loader, (name, classifier) = pipe[0], pipe.steps[-1]
    if name == "cnn":  # which reads each image in every epoch
        loader.set_params(cache_pixels=True)
    if getattr(classifier, "validation_split", 0):
        share = validation_share(collection.labels, n_folds)
        classifier.set_params(validation_split=max(classifier.validation_split, share))
    most = collection.summary()["paintings"].max()
    if n_folds > most:
        raise ValueError(
            f"--folds {n_folds}: the largest movement has {most} paintings only. Pass "
            f"--folds {most} or fewer."
        )
    params = groups = None
    if collection.artists_apart:
        groups = collection.groups
        if isinstance(classifier, BaseKerasClassifier):
            params = {f"{name}__groups": groups}
    evaluation = evaluate(
        pipe,
        collection.paths,
        collection.labels,
        groups=groups if apart else None,
        cv=n_folds,
        random_folds=random_folds,
        params=params,
        random_state=seed,
    )
    collection.frame = collection.frame.iloc[evaluation.tested].reset_index(drop=True)
    n_folds = len(set(evaluation.folds))
    if not apart:
        return evaluation, f"cross-validated with {n_folds} random folds"
    if groups is not None:
        return evaluation, f"cross-validated with {n_folds} folds, artists kept apart"
    return evaluation, (
        f"cross-validated with {n_folds} random folds, because "
        f"{collection.reason_for_random_folds}: on new artists, the accuracy is "
        "probably lower"
    )


def _as_json(evaluation, method, calibration):
    gap = None
    if evaluation.random_folds is not None:
        gap = evaluation.leakage_gap.to_dict()
    artists = None
    if evaluation.groups is not None:
        artists = evaluation.per_artist().reset_index().to_dict("records")
    return as_json(
        {
            "method": method,
            "paintings": len(evaluation.y_true),
            "metrics": evaluation.metrics.to_dict(),
            "leakage_gap": gap,
            "movements": evaluation.per_movement().reset_index().to_dict("records"),
            "most_confused": evaluation.most_confused(5).to_dict("records"),
            "artists": artists,
            "prediction_sets": describe_sets(evaluation, calibration),
            "confusion": {
                "movements": evaluation.classes,
                "counts": evaluation.confusion.to_numpy(),
            },
        }
    )


def as_table(evaluation, method, calibration=None):
    """Return metrics, scores of each movement and confusions as text."""
    from skart.report._text import count

    figures = evaluation.metrics.to_frame()
    if evaluation.random_folds is not None:
        figures = evaluation.leakage_gap
    scores = evaluation.per_movement()
    table = scores[["paintings"]].copy()
    for name in ("precision", "recall", "f1"):
        columns = (scores[name], scores[f"{name}_low"], scores[f"{name}_high"])
        table[f"{name} %"] = list(map(_with_interval, *columns))
    lines = [
        *textwrap.wrap(f"{count(len(evaluation.y_true), 'painting')}, {method}", 80),
        "",
        figures.to_string(float_format="{:.3f}".format, na_rep="-"),
        *_describe_intervals(evaluation),
        "",
        "of each movement, with 95 % intervals",
        table.to_string(index_names=False),
        "",
    ]
    pairs = evaluation.most_confused(5)
    if len(pairs):
        share = {"share": "{:.0%}".format}
        lines += ["confused most often", pairs.to_string(index=False, formatters=share)]
    else:
        lines.append("no movement was taken for another")
    lines += [*list_sets(evaluation, calibration), *_list_artists(evaluation)]
    return "\n".join(lines)


def _describe_intervals(evaluation):
    """Return lines on the intervals of accuracy and of the leakage gap."""
    units = "paintings" if evaluation.groups is None else "artists"
    intervals = evaluation.intervals()
    names = {"accuracy": "accuracy", "leakage_gap": "gap of accuracy"}
    return [
        f"95 % interval of the {name} for other {units}: {low:.3f} to {high:.3f}"
        for key, name in names.items()
        if key in intervals.index
        for low, high in [intervals.loc[key]]
    ]


def _list_artists(evaluation):
    """Return lines on the artists with the most mistakes."""
    if evaluation.groups is None:
        return []
    table = evaluation.per_artist()
    table = table[table["mistakes"] > 0].head(_N_ARTISTS).reset_index()
    if table.empty:
        return []
    table = table[["artist", "paintings", "mistakes", "mistake"]].rename(
        columns={"mistake": "often taken for"}
    )
    return ["", "artists with the most mistakes", table.to_string(index=False)]


def _with_interval(value, low, high):
    """Return a share as a percentage with its interval, a dash for nan."""
    if value != value:
        return "-"
    return f"{100 * value:.0f} ({100 * low:.0f}-{100 * high:.0f})"
