"""How good a model on disk is on a collection: its recipe, or the model itself."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from skart.classifiers._base import BaseKerasClassifier
from skart.cli._collection import Collection, choose_splitter, validation_share
from skart.cli._prediction import load_pipeline
from skart.cli._training import digest_paintings
from skart.datasets._pandora18k import periods_of
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
        notes = info["notes"] or {}
        seen = np.isin(digests, notes.get("digests", []))
        known = np.isin(collection.labels, pipe.classes_)
        if not known.any():
            raise ValueError(
                f"{str(data)!r} holds none of the movements that {str(file)!r} knows: "
                f"{', '.join(map(str, pipe.classes_))}"
            )
        new = known & ~seen
        # A few new ones among those it was trained on are no test.
        if "digests" in notes and new.sum() > seen.sum():
            _tell_what_is_left_out(collection, seen, known, say)
            return _test(pipe, info, collection, new, seed)
        n_folds = _N_FOLDS
        if "digests" in notes:
            say("It was trained on these paintings, so its recipe is cross-validated.")
        else:
            say(
                "Its file doesn't tell what it was trained on, so its recipe is "
                "cross-validated."
            )
    collection = Collection(data)
    for remark in collection.remarks():
        say(remark)
    return _cross_validate(pipe, info, collection, n_folds, seed, say)


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
        probabilities=pipe.predict_proba(paths),
        classes=pipe.classes_,
        groups=frame["artist"] if collection.artists_known else None,
        random_state=seed,
    )
    method = "none of them byte for byte one that the model was trained on"
    known_artists = (info["notes"] or {}).get("artists")
    if collection.artists_known and known_artists is not None:
        n_met = int(frame["artist"].isin(known_artists).sum())
        method += f", {n_met} of them by artists it was trained on"
    return Assessment(evaluation, frame, method, pipe, info, collection)


def _cross_validate(pipe, info, collection, n_folds, seed, say):
    (load, _), (name, classifier) = pipe.steps[0], pipe.steps[-1]
    if name == "cnn":  # which sees each image in every epoch
        pipe.set_params(**{f"{load}__cache_pixels": True})
    if getattr(classifier, "validation_split", 0):
        share = max(
            classifier.validation_split, validation_share(collection.labels, n_folds)
        )
        pipe.set_params(**{f"{name}__validation_split": share})
    most = collection.summary()["paintings"].max()
    if n_folds > most:
        raise ValueError(
            f"--folds {n_folds}: the largest movement has {most} paintings only"
        )
    splitter, why = choose_splitter(collection.frame, n_folds)
    params = groups = None
    if splitter is StratifiedGroupKFold:
        groups = collection.groups
        if isinstance(classifier, BaseKerasClassifier):
            params = {f"{name}__groups": groups}
    elif collection.artists_known:
        say(f"Folds are drawn {why}.")
    evaluation = evaluate(
        pipe,
        collection.paths,
        collection.labels,
        groups=groups,
        cv=n_folds,
        params=params,
        random_state=seed,
    )
    kept = "random folds" if groups is None else "artists kept apart"
    method = f"cross-validated with {n_folds} folds, {kept}"
    if (info["notes"] or {}).get("search"):
        method += "; its parameters were searched for on paintings that are among these"
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
        search=search,
        periods=periods_of(assessed.evaluation.classes),
        skipped=assessed.collection.skipped,
        description=f"{assessed.collection.name}: {assessed.method}.",
    )
