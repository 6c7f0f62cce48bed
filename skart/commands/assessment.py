"""How good a model on disk is on a collection: its recipe, or the model itself."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from skart.commands.collection import Collection, choose_splitter
from skart.commands.prediction import load_pipeline
from skart.commands.training import digest_paintings
from skart.datasets._pandora import periods_of
from skart.evaluation import Evaluation, evaluate
from skart.persistence import model_info
from skart.report import write_report

_N_FOLDS = 4


@dataclasses.dataclass
class Assessment:
    """An evaluation, and what it is of.

    Parameters
    ----------
    evaluation : Evaluation
        Predictions, and all that follows from them.
    frame : DataFrame
        ``path``, ``movement`` and ``artist`` of the paintings, in the same order.
    method : str
        How they were predicted, in words.
    pipe : Pipeline
        The model.
    info : dict
        What its file tells of it.
    collection : Collection
        Where the paintings are from.
    """

    evaluation: Evaluation
    frame: pd.DataFrame
    method: str
    pipe: Pipeline
    info: dict
    collection: Collection


def assess(
    file,
    data,
    *,
    n_folds=None,
    weights=None,
    on_error="raise",
    cache=None,
    seed=0,
    say=print,
):
    """Test a model on paintings it has not seen, or cross-validate its recipe.

    Parameters
    ----------
    file : str or path
        Model by ``skart train``.
    data : str or path
        Folder or catalogue of paintings.
    n_folds : int, default=None
        Folds of a cross-validation; None tests the model on what it was not trained on,
        if there is anything, and else takes 4 folds.
    weights : str or path, default=None
        Where the pretrained weights lie now.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`skart.ImageLoader`.
    cache : str or path, default=None
        Folder of the features.
    seed : int, default=0
        Of folds and intervals.
    say : callable, default=print
        Tells the user what goes on.

    Returns
    -------
    assessment : Assessment
        Of one or the other.
    """
    pipe = load_pipeline(file, weights=weights, on_error=on_error, cache=cache)
    info = model_info(file)
    if n_folds is None:
        collection = Collection(data, least=1)
        digests = digest_paintings(collection.paths, cache)
        trained_on = set((info["notes"] or {}).get("digests", ()))
        seen = np.isin(digests, list(trained_on))
        known = np.isin(collection.labels, pipe.classes_)
        if not known.any():
            raise ValueError(
                f"{str(data)!r} holds none of the movements that {str(file)!r} knows: "
                f"{', '.join(map(str, pipe.classes_))}"
            )
        if not (seen | ~known).all():
            _tell_what_is_left_out(collection, seen, known, say)
            return _test(pipe, info, collection, known & ~seen, seed)
        n_folds = _N_FOLDS
        say("It was trained on these paintings, so its recipe is cross-validated.")
    collection = Collection(data)
    for remark in collection.remarks():
        say(remark)
    return _cross_validate(pipe, info, collection, n_folds, seed)


def _tell_what_is_left_out(collection, seen, known, say):
    if seen.any():
        say(f"left out, since it was trained on them: {seen.sum()} paintings")
    for movement in np.unique(collection.labels[~known]):
        say(f"left out, a movement that the model doesn't know: {movement}")


def _test(pipe, info, collection, chosen, seed):
    frame = collection.frame[chosen].reset_index(drop=True)
    paths = frame["path"].to_numpy(dtype=object)
    evaluation = Evaluation(
        frame["movement"],
        pipe.predict_proba(paths),
        pipe.classes_,
        groups=frame["artist"] if collection.artists_known else None,
        random_state=seed,
    )
    method = "none of which the model was trained on"
    return Assessment(evaluation, frame, method, pipe, info, collection)


def _cross_validate(pipe, info, collection, n_folds, seed):
    if "cnn" in pipe.named_steps:  # which sees each image in every epoch
        pipe.set_params(load__cache="disk")
    splitter, _ = choose_splitter(collection.frame, n_folds)
    params = None
    if splitter is StratifiedGroupKFold:
        params = {f"{pipe.steps[-1][0]}__groups": collection.groups}
    evaluation = evaluate(
        pipe,
        collection.paths,
        collection.labels,
        groups=collection.groups,
        n_splits=n_folds,
        params=params,
        random_state=seed,
    )
    kept = "artists kept apart" if collection.artists_known else "random folds"
    method = f"cross-validated with {n_folds} folds, {kept}"
    return Assessment(evaluation, collection.frame, method, pipe, info, collection)


def write_assessment(assessed, out, *, title=None):
    """Write the page of an assessment.

    Parameters
    ----------
    assessed : Assessment
        By :func:`assess`.
    out : str or path
        File of the page.
    title : str, default=None
        Of the page; None names the collection.
    """
    notes = assessed.info["notes"] or {}
    search = notes.get("search")
    write_report(
        out,
        assessed.evaluation,
        assessed.frame["path"],
        title=title or f"Movements of {Path(assessed.collection.name).name}",
        estimator=assessed.pipe,
        search=None if search is None else search,
        periods=periods_of(assessed.evaluation.classes),
        skipped=assessed.collection.skipped,
        description=f"{assessed.collection.name}: {assessed.method}.",
    )
