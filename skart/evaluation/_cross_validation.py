"""Cross-validation of a classifier, with artists kept apart."""

import functools
import traceback
import warnings

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_consistent_length, column_or_1d
from sklearn.utils.parallel import Parallel, delayed

from skart._utils._validation import (
    HasMethods,
    Integral,
    check_groups,
    check_labels,
    validate,
)
from skart.datasets._folder import warn_of_shared_unknown
from skart.evaluation._evaluation import Evaluation

_N_FOLDS = 4
_PARAMETER_CONSTRAINTS = {
    "estimator": [HasMethods(["fit", "predict"])],
    "cv": ["cv_object"],
    "scoring": [str, callable, list, tuple, set, dict, None],
    "random_folds": ["boolean"],
    "params": [dict, None],
    "n_jobs": [Integral, None],
    "random_state": [Integral],
}


def evaluate(
    estimator,
    X,
    y,
    *,
    groups=None,
    cv=None,
    scoring=None,
    random_folds=True,
    params=None,
    n_jobs=None,
    random_state=0,
):
    """Cross-validate a classifier, with artists kept apart where they are known.

    With ``groups``, the classifier is cross-validated twice: with all paintings of an
    artist in the same fold, and with random folds. The difference between both results
    is the leakage gap: the part of the accuracy that a classifier owes to paintings of
    the same artist (or from the same camera) in the training set. It is lost on new
    artists.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Classifier to evaluate, fitted or not. A clone of it is fitted for each fold.
    X : array-like of shape (n_paintings,)
        Paths, or any other input that the estimator takes.
    y : array-like of shape (n_paintings,)
        Movements.
    groups : array-like of shape (n_paintings,), default=None
        Artists. If None, random folds are used.
    cv : int, cross-validation splitter or iterable, default=None
        Folds, each painting in exactly one test fold:

        - None: 4 shuffled folds, stratified by movement. With ``groups``, all paintings
          of an artist are in the same fold, and there are fewer folds if a movement
          would otherwise be absent from a training set;
        - int: the number of such folds;
        - a splitter, or an iterable of train and test indices: used as it is.
    scoring : str, callable, list, tuple or dict, default=None
        Scores to compute in each fold in addition to those of :class:`Evaluation`, as
        in :func:`sklearn.model_selection.cross_validate`. They are in the attribute
        ``fold_scores`` of the result. A score that can't be computed in a fold is nan.
    random_folds : bool, default=True
        If True and the folds keep artists apart, the classifier is also cross-validated
        with as many random folds.
    params : dict, default=None
        Parameters passed to ``fit``, such as ``{"head__groups": artists}``, or with
        metadata routing ``{"groups": artists}``. Values with one item per painting are
        split like X.
    n_jobs : int, default=None
        Number of folds that are fitted in parallel.
    random_state : int, default=0
        Seed of the folds and of the confidence intervals. An int, because both
        cross-validations resample the same artists.

    Returns
    -------
    evaluation : Evaluation
        Evaluation of the out-of-fold predictions. Its ``random_folds`` is the
        evaluation with random folds. Its ``tested`` holds the positions of the tested
        paintings, which are all except those of movements by a single artist.

    Raises
    ------
    ValueError
        If X, y and groups differ in length, if a painting has no movement or no artist,
        if there are fewer paintings of each movement than folds, if fewer than two
        movements have two artists, if ``cv`` does not put each painting in exactly one
        test fold, or if a score of ``scoring`` can't be computed in any fold.

    Warns
    -----
    UserWarning
        If a movement has a single artist. It can't be tested on new artists: its
        paintings are in each training set, and in no test fold. Also if a training set
        of ``cv`` lacks a movement, or if ``groups`` holds a name such as "unknown" more
        than once: it counts as one artist. Also if a score of ``scoring`` can't be
        computed in a fold: some need paintings of each movement in each test fold.

    See Also
    --------
    skart.report.write_report : Write an evaluation as an HTML page.
    skart.audit.audit_collection : Find duplicates, which leak through random folds.
    sklearn.model_selection.cross_validate : Compute scores only.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skart.evaluation import evaluate
    >>> X, y = make_blobs(200, 8, centers=3, cluster_std=6, random_state=0)
    >>> artists = y * 10 + np.arange(200) % 7
    >>> evaluation = evaluate(GaussianNB(), X, y, groups=artists, scoring=["f1_macro"])
    >>> evaluation.leakage_gap.columns.tolist()
    ['artists_apart', 'random_folds', 'gap']
    >>> evaluation.fold_scores.shape
    (4, 1)
    """
    validate(
        "evaluate",
        {
            "estimator": estimator,
            "cv": cv,
            "scoring": scoring,
            "random_folds": random_folds,
            "params": params,
            "n_jobs": n_jobs,
            "random_state": random_state,
        },
        _PARAMETER_CONSTRAINTS,
    )
    y = column_or_1d(y)
    check_consistent_length(X, y)
    groups = check_groups(groups, X)
    if groups is not None:
        warn_of_shared_unknown(groups)
    check_labels(y)
    options = {"shuffle": True, "random_state": random_state}
    always_trained = np.zeros(len(y), bool)
    if cv is not None and not isinstance(cv, Integral):
        splits = list(check_cv(cv).split(X, y, groups))
        _warn_about_absent_movements(y, splits)
    elif groups is None:
        splits = list(StratifiedKFold(cv or _N_FOLDS, **options).split(y, y))
    else:
        splits, always_trained = keep_artists_apart(
            y, groups, cv or _N_FOLDS, random_state, stacklevel=3
        )

    scorer = None
    if scoring is not None:
        scorer = check_scoring(estimator, scoring, raise_exc=False)
    run = functools.partial(
        _cross_validate,
        estimator,
        X,
        y,
        tested=~always_trained,
        groups=groups,
        scorer=scorer,
        score_name=scoring if isinstance(scoring, str) else "score",
        params=params or {},
        n_jobs=n_jobs,
        random_state=random_state,
    )
    evaluation = run(splits)
    if random_folds and evaluation.artists_apart:
        # As many folds, if the largest movement has as many paintings.
        counts = pd.Series(y[~always_trained]).value_counts()
        n_splits = max(2, min(len(splits), counts.max()))
        splitter = StratifiedKFold(n_splits, **options)
        evaluation.random_folds = run(
            _split(splitter, y, None, always_trained), kind="random folds"
        )
    return evaluation


def _warn_about_absent_movements(y, splits, stacklevel=3):
    """Warn if a training set lacks a movement."""
    absent = [set(y) - set(y[train]) for train, _ in splits]
    if any(absent):
        warnings.warn(
            "the folds make training sets without paintings of "
            f"{', '.join(sorted(map(str, set().union(*absent))))}: the movement is not "
            "recognised by the classifier of that fold",
            stacklevel=stacklevel,
        )


def keep_artists_apart(y, groups, n_splits, random_state=0, *, stacklevel=2):
    """Return folds that keep artists apart, and a mask of paintings never tested.

    These are the paintings of movements by a single artist, which are in each training
    set. There are fewer folds if a training set would otherwise lack a movement.
    """
    always_trained = _find_single_artists(y, groups, stacklevel + 1)
    n_splits = max(2, min(n_splits, len(np.unique(groups[~always_trained]))))
    for n in range(n_splits, 1, -1):
        splitter = StratifiedGroupKFold(n, shuffle=True, random_state=random_state)
        splits = _split(splitter, y, groups, always_trained)
        tested = set(y[~always_trained])
        if all(len(test) and tested <= set(y[train]) for train, test in splits):
            break
    else:
        _warn_about_absent_movements(y, splits, stacklevel + 1)
    return splits, always_trained


def _find_single_artists(y, groups, stacklevel):
    """Return a mask of the paintings of movements by one artist; warn of them."""
    artists = pd.Series(groups).groupby(y)
    alone = artists.first()[artists.nunique() == 1]
    if len(artists) - len(alone) < 2:
        raise ValueError(
            "artists can't be kept apart: fewer than two movements have two or more "
            "artists. Add paintings by other artists, or pass groups=None for random "
            "folds."
        )
    for movement, artist in alone.items():
        warnings.warn(
            f"{movement} can't be tested: all its paintings are by one artist, "
            f"{str(artist)!r}. They are in each training set and are left out of the "
            "evaluation. Add paintings by other artists.",
            stacklevel=stacklevel,
        )
    return np.isin(y, alone.index)


def _split(splitter, y, groups, always_trained):
    """Return the splits of the other paintings, with `always_trained` in training."""
    rows, kept = np.flatnonzero(~always_trained), np.flatnonzero(always_trained)
    splits = []
    chosen = None if groups is None else groups[rows]
    for train, test in splitter.split(rows, y[rows], chosen):
        added = kept
        if groups is not None:  # not those by an artist who is tested
            added = kept[~np.isin(groups[kept], groups[rows[test]])]
        splits.append((np.union1d(rows[train], added), rows[test]))
    return splits


def _cross_validate(
    estimator,
    X,
    y,
    splits,
    *,
    tested,
    groups,
    scorer,
    score_name,
    params,
    n_jobs,
    random_state,
    kind="folds",
):
    """Return the evaluation of the out-of-fold predictions."""
    places = np.arange(len(y))
    splits = [(places[train], places[test]) for train, test in splits]
    folds = _number_folds(splits, tested)
    classes = np.unique(y)
    results = Parallel(n_jobs=n_jobs)(
        # In tuples: Dask sends arrays to one worker, and they are lost with it.
        delayed(_fit_and_predict)(
            clone(estimator), (X, y), split, (classes,), scorer, params
        )
        for split in splits
    )
    predicted, probabilities, scores = zip(*results, strict=True)
    fold_scores = None
    if scorer is not None:
        names = next((list(x) for x in scores if isinstance(x, dict)), [score_name])
        fold_scores = pd.DataFrame(
            score if isinstance(score, dict) else dict.fromkeys(names, score)
            for score in scores
        )
        present = [set(y[test]) for _, test in splits]
        fold_scores = _replace_failures(fold_scores, present, kind)
    order = np.argsort(np.concatenate([test for _, test in splits]))
    if any(part is None for part in probabilities):
        probabilities = None
    else:
        probabilities = np.concatenate(probabilities)[order]
    return Evaluation(
        y[tested],
        probabilities=probabilities,
        y_pred=np.concatenate(predicted)[order],
        classes=classes,
        groups=None if groups is None else groups[tested],
        folds=folds[tested],
        tested_mask=tested,
        fold_scores=fold_scores,
        random_state=random_state,
    )


def _number_folds(splits, tested):
    """Return the index of the fold that tests each sample, -1 for none."""
    counts = np.bincount(
        np.concatenate([test for _, test in splits]), minlength=len(tested)
    )
    if (counts != tested).any():
        place = np.flatnonzero(counts != tested)[0]
        raise ValueError(
            "cv must put each painting into exactly one test fold; the painting at "
            f"position {place} is in {counts[place]}. Pass a splitter such as "
            "StratifiedGroupKFold, or predictions on a test set to Evaluation."
        )
    folds = np.full(len(tested), -1)
    for fold, (train, test) in enumerate(splits):
        folds[test] = fold
        if (folds[train] == fold).any():
            raise ValueError(
                f"the training and test set of fold {fold} of cv overlap; pass "
                "disjoint ones"
            )
    return folds


def _fit_and_predict(estimator, data, split, classes, scorer, params):
    """Return the predictions of a fold, their probabilities or None, and scores."""
    (X, y), (train, test), (classes,) = data, split, classes
    params = {
        name: _safe_indexing(value, train) if _is_aligned(value, len(y)) else value
        for name, value in params.items()
    }
    estimator.fit(_safe_indexing(X, train), y[train], **params)
    X_test = _safe_indexing(X, test)
    score = None if scorer is None else _score(scorer, estimator, X_test, y[test])
    if isinstance(estimator, Pipeline) and len(estimator) > 1:  # transform once
        X_test, estimator = estimator[:-1].transform(X_test), estimator[-1]
    probabilities = None
    if hasattr(estimator, "predict_proba"):
        found = estimator.predict_proba(X_test)
        # A movement that is absent from training has the probability 0.
        probabilities = np.zeros((len(test), len(classes)), found.dtype)
        probabilities[:, np.searchsorted(classes, estimator.classes_)] = found
    return estimator.predict(X_test), probabilities, score


def _score(scorer, estimator, X, y):
    """Return a score, or a dict of scores; the traceback of one that failed."""
    try:
        return scorer(estimator, X, y)
    except Exception:  # several scores catch their exceptions themselves
        return traceback.format_exc()


def _replace_failures(scores, present, kind):
    """Return scores with nan in place of tracebacks, and warn of these.

    `present` are the movements in each test fold. A score that fails in all folds is an
    error.
    """
    failed = scores.map(lambda score: isinstance(score, str))
    for name in scores.columns[failed.any()]:
        text = scores.loc[failed[name], name].iloc[0]
        lines = text.rpartition("Traceback (most recent call last):\n")[2].splitlines()
        reason = next(line for line in lines if not line.startswith(" ")).rstrip(".")
        if failed[name].all():
            raise ValueError(f"the score {name!r} can't be computed: {reason}")
        absent = [set().union(*present) - movements for movements in present]
        advice = "Leave it out of scoring, or correct it."
        if [bool(movements) for movements in absent] == failed[name].tolist():
            names = ", ".join(sorted(map(str, set().union(*absent))))
            advice = (
                f"These hold no paintings of {names}: pass fewer folds as cv, or "
                "scores that need no paintings of each movement in each fold, such as "
                "'f1_weighted'."
            )
        warnings.warn(
            f"the score {name!r} can't be computed in {failed[name].sum()} of "
            f"{len(scores)} {kind}, and is nan there: {reason}. {advice}",
            stacklevel=4,
        )
    return scores.mask(failed).astype(float) if failed.any(axis=None) else scores


def _is_aligned(value, n_samples):
    """Return whether a parameter of `fit` has one item per sample."""
    return (
        hasattr(value, "__len__")
        and not isinstance(value, (str, bytes, dict, set))
        and len(value) == n_samples
    )
