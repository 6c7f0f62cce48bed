"""Labels that are probably wrong, by confident learning and by artists."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skart._utils._validation import (
    Integral,
    Interval,
    check_paths,
    validate,
    visible,
)
from skart.audit._audit import audit_collection
from skart.evaluation import Evaluation, evaluate
from skart.exploration import PaintingIndex
from skart.exploration._extraction import are_paths
from skart.exploration._index import hide_unknown
from skart.features import FeatureExtractor
from skart.features._stored import StoredFeatures

_CONSTRAINTS = {
    "index": [PaintingIndex, None],
    "n_neighbors": [Interval(Integral, 0, None, closed="left")],
    "duplicates": ["boolean"],
    "params": [dict, None],
    "n_jobs": [Integral, None],
    "random_state": [Integral],
    "verbose": ["verbose"],
}
# Networks are overconfident. Where artists are known, probabilities are raised to a
# power of less than 1 and are not lower than a limit, so that none decides alone. The
# power is lower with artists apart, where classifiers are wrong more often.
_LEAST_PROBABILITY = 1e-4
_POWER, _POWER_APART = 0.5, 0.25
# Weight of the collection's movements among those of an artist, in paintings.
_PRIOR_PAINTINGS = 1


def find_label_issues(
    estimator,
    X=None,
    y=None,
    artists=None,
    *,
    index=None,
    n_neighbors=5,
    duplicates=True,
    cv=None,
    params=None,
    n_jobs=None,
    random_state=0,
    verbose=True,
):
    r"""Find labels that are probably wrong.

    A label is suspect if a classifier that was not trained on the painting predicts
    another one, and if the artist's other paintings have another one. All paintings are
    ranked by both; confident learning [1]_ decides which labels count as wrong. Labels
    are not changed.

    Parameters
    ----------
    estimator : Evaluation, classifier or Pipeline
        An evaluation with probabilities (its ``random_folds`` is used, if there is
        one), or a classifier to cross-validate, fitted or not. A Pipeline that takes
        paths should have a ``cache``, so that features are computed once.
    X : array-like of shape (n_paintings,), default=None
        Paths, or any other input that a classifier takes. With an evaluation, X is
        optional: pass the tested paintings in their order, or all that were passed to
        ``evaluate``, for positions in X and, if X holds paths, near duplicates.
    y : array-like of shape (n_paintings,), default=None
        Labels, the movements. With an evaluation, optional: they must be the same.
    artists : array-like of shape (n_paintings,), default=None
        Artists; by default, those of the evaluation. Missing values, and the names for
        unknown artists that :func:`audit_collection` lists, are ignored; if ``cv`` is a
        splitter, missing values are an error.
    index : PaintingIndex, default=None
        Index of the tested paintings, or of all that were passed to ``evaluate``, in
        which neighbours are searched. If None, and the estimator is a Pipeline whose
        last step takes vectors, an index of these is made; otherwise, no neighbours are
        reported.
    n_neighbors : int, default=5
        Number of nearest paintings by other artists to report; 0 for none. They don't
        influence the order.
    duplicates : bool, default=True
        If True and X holds paths, find near duplicates with other labels by
        :func:`audit_collection`. They don't influence the order.
    cv : int, cross-validation splitter or iterable, default=None
        Folds, as in :func:`skart.evaluation.evaluate`, except that None and an int
        stand for random folds even if artists are known. Not for an evaluation.
    params : dict, default=None
        Parameters passed to ``fit``, as in :func:`skart.evaluation.evaluate`. Not for
        an evaluation.
    n_jobs : int, default=None
        Number of folds that are fitted in parallel.
    random_state : int, default=0
        Seed of the folds.
    verbose : bool, default=True
        If True, show a progress bar if the search for duplicates or neighbours takes
        more than a second.

    Returns
    -------
    table : DataFrame, a row for each tested painting, the most suspect first
        Its columns are

        - ``position``: index of the painting in X; without X, among those passed to
          ``evaluate``;
        - ``movement``, ``probability``: the label, and its probability by classifiers
          that were not trained on the painting;
        - ``suggested``, ``suggested_probability``: the most likely other movement;
        - ``score``: how suspect the label is, from 0 to 1. It is for ranking; it is not
          a calibrated probability;
        - ``issue``: whether confident learning counts the label as wrong;
        - ``artist_paintings``: number of other paintings by the artist;
        - ``artist_agreement``: share of these that have the same label, or nan;
        - ``neighbors``, ``neighbor_movements``: tuples of the positions and labels of
          the nearest paintings by other artists, or by any if the artist is unknown,
          the nearest first;
        - ``duplicates``, ``duplicate_movements``: tuples of the positions and labels of
          near duplicates with other labels;
        - ``reason``: the evidence in one line.

    Raises
    ------
    TypeError
        If an argument is passed with an evaluation that has its own, the classifier has
        no probabilities, or X or y is missing.
    ValueError
        If the evaluation has no probabilities, a single movement or other labels than
        y, or if lengths differ.

    See Also
    --------
    audit_collection : Find damaged files, duplicates and conflicting labels.
    skart.report.write_suspects : Write a page to decide on each suspect label.
    skart.exploration.PaintingIndex : Find nearest paintings.

    Notes
    -----
    Let :math:`p(m)` be the out-of-fold probability of movement :math:`m`, :math:`q(m)`
    its share of the collection, and :math:`n(m)` the number of *other* paintings of
    that movement by the artist. The evidence for :math:`m` is

    .. math:: e(m) \propto \sqrt{p(m)} \; \frac{n(m) + q(m)}{q(m)}

    normalized to a sum of 1; without artists, it is :math:`p(m)`. If folds keep artists
    apart, the fourth root replaces the square root. The score of a label :math:`m` is
    :math:`1 - e(m)`. Confident learning counts a label as wrong if, among the movements
    whose :math:`e` reaches their threshold, another one has the highest :math:`e`. The
    threshold of a movement is the mean of its :math:`e` over the paintings with that
    label [1]_. As in cleanlab, a label whose :math:`e` is the highest of all is not
    counted as wrong.

    Folds are random because artists are part of the evidence. With artists apart,
    classifiers contradict many correct labels: those of artists who differ from others
    of their movement. ``benchmarks/label_issues.py`` compares both.

    Wrong labels are not found if all paintings of an artist have the same one. Look for
    such artists in an evaluation with artists apart.

    References
    ----------
    .. [1] Northcutt, Jiang, Chuang. "Confident Learning: Estimating Uncertainty in
       Dataset Labels". Journal of Artificial Intelligence Research 70, 2021.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skart.audit import find_label_issues
    >>> X, y = make_blobs(200, 8, centers=3, random_state=0)
    >>> y[7] = (y[7] + 1) % 3
    >>> table = find_label_issues(GaussianNB(), X, y)
    >>> table.loc[table["issue"], "position"].tolist()
    [7]
    """
    _check_arguments(estimator, X, y, {"cv": cv, "params": params})
    validate(
        "find_label_issues",
        {
            "index": index,
            "n_neighbors": n_neighbors,
            "duplicates": duplicates,
            "params": params,
            "n_jobs": n_jobs,
            "random_state": random_state,
            "verbose": verbose,
        },
        _CONSTRAINTS,
    )
    if isinstance(estimator, Evaluation):
        evaluation = estimator.random_folds or estimator
    else:
        check_consistent_length(X, y, artists)
        is_random = cv is None or isinstance(cv, Integral)
        evaluation = evaluate(
            estimator,
            X,
            y,
            groups=None if is_random else artists,
            cv=cv,
            random_folds=False,
            params=params,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        if index is None and n_neighbors:
            index = make_index(estimator, X, y, verbose=verbose)
    evaluation._check_probabilities("find_label_issues")
    if len(evaluation.classes) < 2:
        raise ValueError(
            "labels can only be compared where there are two or more movements; the "
            f"evaluation has {evaluation.classes.tolist()}"
        )

    paintings = _Paintings.of_evaluation(evaluation, X, artists)
    table = _rank(evaluation, paintings)
    found = np.empty((len(table), 0), int)
    if index is not None and n_neighbors:
        check_is_fitted(index)
        rows = _find_rows(evaluation, "index", len(index.features_))
        known = PaintingIndex(metric=index.metric, verbose=verbose)
        known.fit(index.features_[rows], artists=paintings.artists)
        found = known.kneighbors(n_neighbors=n_neighbors, return_distance=False)
    nearest = [tuple(near[near >= 0].tolist()) for near in found]
    copies = [()] * len(table)
    if duplicates and paintings.paths is not None:
        copies = _find_copies(paintings, verbose)
    table["neighbors"] = _objects(map(paintings.positions_of, nearest))
    table["neighbor_movements"] = _objects(map(paintings.labels_of, nearest))
    table["duplicates"] = _objects(map(paintings.positions_of, copies))
    table["duplicate_movements"] = _objects(map(paintings.labels_of, copies))
    artists = [None] * len(table) if paintings.artists is None else paintings.artists
    table["reason"] = _objects(map(_explain, table.itertuples(), artists))
    order = np.argsort(table.pop("evidence"), kind="stable")
    return table.iloc[order].drop(columns="artist_suggested").reset_index(drop=True)


class _Paintings(NamedTuple):
    """Paintings of an evaluation: their labels, artists, positions in X, and paths."""

    labels: np.ndarray
    artists: np.ndarray | None
    positions: np.ndarray
    paths: list | None

    @classmethod
    def of_evaluation(cls, evaluation, X, artists):
        """Return the paintings of an evaluation."""
        positions, paths = evaluation.tested, None
        if X is not None:
            positions = _find_rows(evaluation, "X", len(X))
            if are_paths(X):
                paths = np.array(check_paths("X", X), dtype=object)[positions]
        rows = slice(None)
        if artists is None:
            artists = evaluation.groups
        else:
            rows = _find_rows(evaluation, "artists", len(artists))
        if artists is not None:
            artists = hide_unknown(artists)[rows]
        return cls(evaluation.y_true, artists, positions, paths)

    def positions_of(self, rows):
        """Return a tuple of the positions of rows."""
        return tuple(self.positions[list(rows)].tolist())

    def labels_of(self, rows):
        """Return a tuple of the labels of rows."""
        return tuple(self.labels[list(rows)].tolist())


def _check_arguments(estimator, X, y, others):
    """Raise TypeError if arguments don't fit the estimator or evaluation."""
    if isinstance(estimator, Evaluation):
        for name, value in others.items():
            if value is not None:
                raise TypeError(
                    f"{name} can't be passed with an Evaluation, which has its own: "
                    "leave it out, or pass a classifier"
                )
        if y is not None:
            rows = _find_rows(estimator, "y", len(y))
            if not np.array_equal(column_or_1d(y)[rows], estimator.y_true):
                raise ValueError(
                    "y differs from the labels of the Evaluation: leave it out, or "
                    "evaluate again"
                )
        return
    if not hasattr(estimator, "fit"):
        raise TypeError(
            "estimator must be an Evaluation or a classifier; got a "
            f"{type(estimator).__name__}"
        )
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"find_label_issues needs probabilities, and {type(estimator).__name__} "
            "has no predict_proba. Pass CalibratedClassifierCV around it, for example."
        )
    if X is None or y is None:
        raise TypeError("X and y, paintings and labels, are required with a classifier")


def _find_rows(evaluation, name, n):
    """Return the rows of the tested paintings in an array of n paintings."""
    if n == len(evaluation.y_true):
        return np.arange(n)
    if n == evaluation._n_passed:
        return evaluation.tested
    raise ValueError(
        f"{name} holds {n} paintings, and the evaluation {len(evaluation.y_true)}: "
        "pass those of the evaluation in their order, or all that were passed to "
        "evaluate"
    )


def make_index(estimator, X, y=None, *, verbose=True):
    """Return an index of the vectors ahead of a Pipeline's last step, or None."""
    if not isinstance(estimator, Pipeline) or len(estimator) < 2:
        return None
    steps = estimator[:-1]
    takes_features = any(isinstance(step, StoredFeatures) for _, step in steps.steps)
    if not takes_features and len(getattr(X, "shape", ())) != 2:
        return None
    if isinstance(steps[-1], FeatureExtractor) and steps[-1].pooling is None:
        return None  # maps
    return PaintingIndex(steps, verbose=verbose).fit(X, y)


def _rank(evaluation, paintings):
    """Return the table of labels, probabilities and scores, a row for each painting."""
    classes, rows = evaluation.classes, np.arange(len(paintings.labels))
    given = np.searchsorted(classes, paintings.labels)
    probabilities = np.asarray(evaluation.probabilities, float)
    frequencies, counts = _count_by_artist(paintings, given, len(classes))
    power, least = 1, np.finfo(float).tiny
    if paintings.artists is not None:
        power = _POWER_APART if evaluation.artists_apart else _POWER
        least = _LEAST_PROBABILITY
    logs = power * np.log(np.maximum(probabilities, least))
    evidence = _normalize(logs + np.log(frequencies))
    others = evidence.copy()
    others[rows, given] = -1
    suggested = others.argmax(axis=1)
    n_others = counts.sum(axis=1)
    agreement = np.full(len(rows), np.nan)
    np.divide(counts[rows, given], n_others, out=agreement, where=n_others > 0)
    return pd.DataFrame(
        {
            "position": paintings.positions,
            "movement": _as_column(paintings.labels),
            "probability": probabilities[rows, given],
            "suggested": _as_column(classes[suggested]),
            "suggested_probability": probabilities[rows, suggested],
            "score": 1 - evidence[rows, given],
            "issue": _contradict(evidence, given),
            "artist_paintings": n_others,
            "artist_agreement": agreement,
            "artist_suggested": counts[rows, suggested],
            "evidence": evidence[rows, given],  # which orders where 1 - x rounds to 1
        }
    )


def _normalize(logs):
    """Return the exponentials, divided so that rows add up to one."""
    values = np.exp(logs - logs.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def _count_by_artist(paintings, given, n_classes):
    """Count the artist's other paintings of each movement, for each painting.

    Also return how much more frequent each movement is among them than it is in the
    collection, smoothed, up to a factor for each painting.
    """
    shares = np.maximum(np.bincount(given, minlength=n_classes), 1) / len(given)
    counts = np.zeros((len(given), n_classes), int)
    if paintings.artists is not None:
        codes, names = pd.factorize(paintings.artists)
        known = codes >= 0
        by_artist = np.zeros((len(names), n_classes), int)
        np.add.at(by_artist, (codes[known], given[known]), 1)
        counts[known] = by_artist[codes[known]]
        counts[known, given[known]] -= 1
    return (counts + _PRIOR_PAINTINGS * shares) / shares, counts


def _contradict(evidence, given):
    """Return whether confident learning counts each label as wrong."""
    thresholds = np.array(
        [
            evidence[given == code, code].mean() if (given == code).any() else np.inf
            for code in range(evidence.shape[1])
        ]
    )
    reached = np.where(evidence >= thresholds, evidence, -1)
    is_other = (reached.max(axis=1) >= 0) & (reached.argmax(axis=1) != given)
    return is_other & (evidence.argmax(axis=1) != given)


def _find_copies(paintings, verbose):
    """Return tuples of the rows of near duplicates with other labels."""
    audit = audit_collection(paintings.paths, verbose=verbose)
    clusters, labels = audit.files["cluster"], paintings.labels
    copies = [()] * len(labels)
    for members in clusters.groupby(clusters).groups.values():
        for row in members:
            copies[row] = tuple(one for one in members if labels[one] != labels[row])
    return copies


def _as_column(labels):
    """Return labels as a Series; the strings of pandas can't hold all file names."""
    return pd.Series(labels, dtype=object if labels.dtype.kind in "OU" else None)


def _objects(values):
    """Return a Series of tuples or texts."""
    return pd.Series(list(values), dtype=object)


def _explain(one, artist):
    """Return the evidence for and against a label in one line."""
    parts = [
        f"{one.suggested} {one.suggested_probability:.0%}, "
        f"{one.movement} {one.probability:.0%}"
    ]
    if one.artist_paintings:
        parts.append(
            f"{one.artist_suggested} of {one.artist_paintings} other paintings by "
            f"{artist}: {one.suggested}"
        )
    if one.neighbors:
        n = sum(label == one.suggested for label in one.neighbor_movements)
        others = "" if artist is None else " by other artists"
        parts.append(
            f"{n} of the {len(one.neighbors)} nearest{others}: {one.suggested}"
        )
    if one.duplicates:
        names = sorted(set(map(str, one.duplicate_movements)))
        parts.append(f"near duplicate: {', '.join(names)}")
    # Marks of the direction of writing in a name would turn all that follows.
    return re.sub(r"[\u202a-\u202e\u2066-\u2069]", "", visible("; ".join(parts)))
