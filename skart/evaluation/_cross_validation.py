"""Estimator and paintings to out-of-fold predictions, with artists kept apart."""

import functools
import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.utils import check_consistent_length

from skart._utils._validation import check_groups
from skart.evaluation._evaluation import Evaluation


def evaluate(
    estimator,
    X,
    y,
    *,
    groups=None,
    n_splits=4,
    random_folds=True,
    params=None,
    n_jobs=None,
    random_state=0,
):
    """Cross-validate a classifier, with artists kept apart where they are known.

    With ``groups``, it is cross-validated twice: with the paintings of each artist in
    one fold, and with random folds. The difference, the leakage gap, is what a
    classifier owes to having met the artist (or the same lamp and scanner) before: it
    won't have that on new ones.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Not fitted, or fitted: it is cloned. It needs ``predict_proba``.
    X : array-like of shape (n_paintings,)
        Paths, or whatever the estimator takes.
    y : array-like of shape (n_paintings,)
        Movements.
    groups : array-like of shape (n_paintings,), default=None
        Artists. None knows of none, and random folds are all there is.
    n_splits : int, default=4
        Folds.
    random_folds : bool, default=True
        Whether it is also cross-validated with random folds where artists are known.
    params : dict, default=None
        What is passed on to ``fit``: ``{"head__groups": artists}`` for instance.
    n_jobs : int, default=None
        Folds that are fitted at the same time.
    random_state : int, default=0
        Seed of the folds, and of the confidence intervals.

    Returns
    -------
    evaluation : Evaluation
        Of the folds that keep artists apart, with that of random folds as its
        ``random_folds``; of random folds where no artist is known.

    Raises
    ------
    ValueError
        If y or groups don't fit, a painting has no label or no artist, or there are
        fewer artists, or paintings of each movement, than folds.

    Warns
    -----
    UserWarning
        If a movement has a single artist: while he is held out, nobody can learn it.

    See Also
    --------
    skart.report.write_report : Puts what comes out on a page.
    skart.datasets.audit : Finds copies, which random folds leak through, too.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skart.evaluation import evaluate
    >>> X, y = make_blobs(200, 8, centers=3, cluster_std=6, random_state=0)
    >>> artists = y * 10 + np.arange(200) % 7
    >>> evaluation = evaluate(GaussianNB(), X, y, groups=artists)
    >>> sorted(evaluation.leakage_gap.columns)
    ['artists apart', 'gap', 'random folds']
    """
    y = np.asarray(y)
    check_consistent_length(X, y)
    groups = check_groups(groups, X)
    codes = pd.factorize(y, sort=True)[0]
    if (codes < 0).any():
        raise ValueError(f"y holds no label at position {np.argmin(codes)}")

    def run(splitter, **options):
        folds = splitter(n_splits, shuffle=True, random_state=random_state)
        splits = list(folds.split(codes, codes, **options))
        held_out = np.empty(len(y), int)
        for fold, (_, test) in enumerate(splits):
            held_out[test] = fold
        with warnings.catch_warnings():
            # Said below, with the movement's name.
            warnings.filterwarnings("ignore", "Number of classes in training fold")
            probabilities = cross_val_predict(
                estimator,
                X,
                y,
                cv=splits,
                method="predict_proba",
                params=params,
                n_jobs=n_jobs,
            )
        return functools.partial(
            Evaluation,
            y,
            probabilities,
            np.unique(y),
            groups=groups,
            folds=held_out,
            random_state=random_state,
        )

    if groups is None:
        return run(StratifiedKFold)()
    n_artists = pd.Series(groups).groupby(y).nunique()
    alone = n_artists.index[n_artists < 2].tolist()
    if alone:
        warnings.warn(
            f"{', '.join(map(str, alone))}: a single artist, so that with artists kept "
            "apart no model that is tested on these paintings has seen the movement",
            stacklevel=2,
        )
    apart = run(StratifiedGroupKFold, groups=groups)
    return apart(random_folds=run(StratifiedKFold)() if random_folds else None)
