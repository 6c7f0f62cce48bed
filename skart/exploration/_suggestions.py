"""Paintings whose labels would help most."""

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from sklearn.utils import check_array, check_consistent_length

from skart._utils._validation import Integral, Interval, validate
from skart.exploration._extraction import check_features


def suggest_paintings(features, probabilities=None, *, n_paintings=20, random_state=0):
    """Select the unlabelled paintings whose labels would help a classifier most.

    Those are paintings of which the classifier is uncertain and which differ from each
    other: the features are clustered by k-means, with more weight on uncertain
    paintings, and the painting nearest to each centre is selected [1]_. Without
    probabilities, all paintings have the same weight, and the selection represents the
    whole collection; begin with it if there are no labels yet.

    Parameters
    ----------
    features : array-like of shape (n_unlabelled, n_features)
        Features of the unlabelled paintings. Only the direction of each vector counts,
        as with the cosine metric of :class:`PaintingIndex`.
    probabilities : array-like of shape (n_unlabelled, n_classes), default=None
        Probabilities of their movements, by a classifier trained on the labelled
        paintings. The weight of a painting is ``(1 - margin) ** 2``; the margin is the
        difference between the two highest probabilities.
    n_paintings : int, default=20
        Number of paintings to select. If there are fewer, all are returned.
    random_state : int, RandomState instance or None, default=0
        Seed of k-means.

    Returns
    -------
    selected : ndarray of int, shape (min(n_paintings, n_unlabelled),)
        Positions of the paintings. Those that stand for many uncertain paintings come
        first.

    Raises
    ------
    ValueError
        If features or probabilities are not finite 2-D arrays of the same length, or if
        probabilities are not between 0 and 1.

    See Also
    --------
    skart.evaluation.Evaluation.least_certain : Labelled paintings that a classifier is
        least certain of.
    PaintingIndex : Nearest paintings by other artists.

    Notes
    -----
    ``benchmarks/suggestions.py`` compares this method with random choice, with the
    least certain paintings and with other methods.

    References
    ----------
    .. [1] Zhdanov. "Diverse Mini-Batch Active Learning". 2019, arXiv:1901.05954.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skart.exploration import suggest_paintings
    >>> X, y = make_blobs(200, 8, centers=4, random_state=0)
    >>> first = suggest_paintings(X, n_paintings=4, random_state=0)
    >>> sorted(y[first].tolist())
    [0, 1, 2, 3]
    >>> unlabelled = [i for i in range(200) if i not in first]
    >>> model = LogisticRegression().fit(X[first], y[first])
    >>> probabilities = model.predict_proba(X[unlabelled])
    >>> selected = suggest_paintings(
    ...     X[unlabelled], probabilities, n_paintings=6, random_state=0)
    >>> selected.shape
    (6,)
    """
    validate(
        "suggest_paintings",
        {"n_paintings": n_paintings, "random_state": random_state},
        {
            "n_paintings": [Interval(Integral, 1, None, closed="left")],
            "random_state": ["random_state"],
        },
    )
    features = check_features(features)
    weights = np.ones(len(features))
    if probabilities is not None:
        weights = _weigh(probabilities)
        check_consistent_length(features, weights)
    n_clusters = min(n_paintings, len(features))
    kmeans = KMeans(n_clusters, n_init=1, random_state=random_state)
    with warnings.catch_warnings():
        # Of equal features, which leave clusters empty.
        warnings.simplefilter("ignore", ConvergenceWarning)
        distances = kmeans.fit_transform(normalize(features), sample_weight=weights)
    cluster = kmeans.labels_
    total = np.bincount(cluster, weights, minlength=n_clusters)
    # The nearest of each cluster, then, if some are empty, the others by weight.
    order = np.lexsort((distances[np.arange(len(cluster)), cluster], cluster))
    is_first = np.diff(cluster[order], prepend=-1) > 0
    nearest, others = order[is_first], order[~is_first]
    nearest = nearest[np.argsort(-total[cluster[nearest]], kind="stable")]
    others = others[np.argsort(-weights[others], kind="stable")]
    return np.concatenate([nearest, others])[:n_clusters]


def _weigh(probabilities):
    """Return a weight for each painting, more for uncertain ones."""
    probabilities = check_array(
        probabilities, input_name="probabilities", ensure_min_features=2
    )
    if np.abs(probabilities - 0.5).max() > 0.501:  # but for rounding
        raise ValueError(
            "probabilities must be between 0 and 1; got values from "
            f"{probabilities.min():.3g} to {probabilities.max():.3g}. Pass those of "
            "predict_proba."
        )
    highest = np.sort(probabilities, axis=1)[:, -2:]
    weights = (1 - (highest[:, 1] - highest[:, 0])) ** 2
    # k-means needs positive weights, also if all paintings are certain.
    return np.maximum(weights, 1e-6)
