"""Images that are unlike all training paintings."""

import numpy as np
import pandas as pd
from scipy.linalg import solve_triangular
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm.auto import tqdm

from skart._utils._validation import Interval, Real, validate_params
from skart.exploration._extraction import EXTRACTOR, extract, fit_extractor
from skart.exploration._index import as_objects, hide_unknown

_N_FOLDS = 5
_LEAST_VARIANCE = 1e-9  # of scaled features, if all paintings are equal


class NoveltyDetector(OutlierMixin, BaseEstimator):
    """Detector of images that are unlike all training paintings.

    A classifier assigns one of its movements to any image: a photograph, a page of
    text, a painting of a movement that it doesn't know. The detector refuses images
    that are further from the nearest movement than nearly all known paintings.

    Parameters
    ----------
    extractor : transformer or Pipeline, default=None
        From paintings to features: a :class:`~skart.FeatureExtractor`, or a Pipeline
        such as ``pipe[:-1]``. If None, X holds features.
    refusal_rate : float, default=0.05
        Share of paintings of the known movements, by new artists, that is refused.
        Must be between 0 and 0.5. A higher share refuses more of the unknown images,
        too. However small it is, images with a score below all of ``scores_`` are
        refused.
    verbose : bool, default=True
        If True, show a progress bar for fits that take longer than a second.

    Attributes
    ----------
    offset_ : float
        Score below which an image is refused.
    scores_ : ndarray of shape (n_paintings,)
        Score of each training painting by a detector that does not know its artist. The
        lowest are the most unusual paintings. Those of movements by a single artist are
        nan.
    means_ : ndarray of shape (n_movements, n_features)
        Mean of the square roots of features, for each movement.
    whitening_ : ndarray of shape (n_features, n_features)
        Matrix that turns differences of square roots into vectors whose length is the
        distance.
    extractor_ : transformer or None
        Fitted extractor.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X is a DataFrame of features.

    See Also
    --------
    PaintingIndex : Nearest paintings by other artists.
    sklearn.neighbors.LocalOutlierFactor : Novelty detection by the density of
        neighbours.

    Notes
    -----
    The score is the negative Mahalanobis distance to the nearest mean of a movement,
    with one covariance for all of them [1]_, shrunk as by Ledoit and Wolf [2]_ after
    features are scaled by their deviation within movements. Square roots of the
    features are compared, with the sign of the feature: a few large values decide less.

    The threshold comes from ``scores_``, for which five detectors are fitted, each
    without a fifth of the artists. Paintings by known artists are nearer: if artists
    are not passed, many more paintings by new ones are refused than stated; the
    benchmarks show how many.

    The other score is the highest probability of a classifier. Its threshold comes from
    an evaluation with artists apart: ``np.quantile(evaluation.confidence, 0.05)``. In
    the benchmarks, it is worse, most of all for images that are no paintings. Neither
    finds more than a part of the paintings of unknown movements.

    References
    ----------
    .. [1] Lee, Lee, Lee, Shin. "A Simple Unified Framework for Detecting
       Out-of-Distribution Samples and Adversarial Attacks". NeurIPS 2018.
    .. [2] Ledoit, Wolf. "A Well-Conditioned Estimator for Large-Dimensional Covariance
       Matrices". Journal of Multivariate Analysis 88, 2004.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skart.exploration import NoveltyDetector
    >>> X, movements = make_blobs(200, 8, centers=3, random_state=0)
    >>> detector = NoveltyDetector().fit(X, movements)
    >>> detector.predict([X[0], X[0] + 20]).tolist()
    [1, -1]
    """

    _parameter_constraints = {
        "extractor": EXTRACTOR,
        "refusal_rate": [Interval(Real, 0, 0.5, closed="right")],
        "verbose": ["verbose"],
    }

    def __init__(self, extractor=None, *, refusal_rate=0.05, verbose=True):
        self.extractor = extractor
        self.refusal_rate = refusal_rate
        self.verbose = verbose

    def fit(self, X, y=None, *, artists=None):
        """Learn what the paintings have in common, and find the threshold.

        Parameters
        ----------
        X : array-like
            Paintings as the extractor takes them: paths or images. If `extractor` is
            None, features of shape (n_paintings, n_features).
        y : array-like of shape (n_paintings,), default=None
            Movements. If None, all paintings count as one movement.
        artists : array-like of shape (n_paintings,), default=None
            Artists. Unknown ones may be missing values or names such as "unknown" and
            "anonymous"; each is treated as a different person.

        Returns
        -------
        self : NoveltyDetector
            Fitted detector.

        Raises
        ------
        ValueError
            If there are fewer than two artists, if no movement has two of them, or if
            a painting has no movement.
        """
        validate_params(self)
        self.extractor_, features = fit_extractor(self.extractor, X, y)
        # The features themselves have names if X is a DataFrame.
        given = X if self.extractor_ is None else features
        features = validate_data(self, given, dtype=np.float64)
        features = _compress(features)
        movements = np.zeros(len(features), int)
        if y is not None:
            movements = _encode_movements(y)
        check_consistent_length(features, movements, artists)
        self.scores_ = _score_apart(features, movements, artists, self.verbose)
        self.means_, self.whitening_ = _fit_distance(features, movements)
        known = np.sort(self.scores_[~np.isnan(self.scores_)])
        # The rank of a new painting among them is as likely to be the lowest as any
        # other. The tolerance is for products such as 0.29 * 100.
        n_refused = int(self.refusal_rate * (len(known) + 1) + 1e-9)
        self.offset_ = known[max(n_refused - 1, 0)]
        return self

    def score_samples(self, X):
        """Compute how similar images are to the training paintings.

        Parameters
        ----------
        X : array-like
            Images, as `fit` takes them.

        Returns
        -------
        scores : ndarray of shape (n_images,)
            Scores: the lower, the more unlike.
        """
        check_is_fitted(self)
        features = X if self.extractor_ is None else extract(self.extractor_, X)
        features = validate_data(self, features, dtype=np.float64, reset=False)
        return _score(_compress(features), self.means_, self.whitening_)

    def decision_function(self, X):
        """Compute the scores of images minus the threshold.

        Parameters
        ----------
        X : array-like
            Images, as `fit` takes them.

        Returns
        -------
        scores : ndarray of shape (n_images,)
            Shifted scores; images with negative ones are refused.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Decide whether images are like the training paintings.

        Parameters
        ----------
        X : array-like
            Images, as `fit` takes them.

        Returns
        -------
        known : ndarray of int, shape (n_images,)
            1 for images like the training paintings, -1 for those that are refused.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def fit_predict(self, X, y=None, *, artists=None):
        """Fit the detector, and decide whether its own training paintings are usual.

        Each has influenced the means, so fewer are refused than stated. ``scores_ <
        offset_`` has no such influence.

        Parameters
        ----------
        X : array-like
            Paintings, as `fit` takes them.
        y : array-like of shape (n_paintings,), default=None
            Movements.
        artists : array-like of shape (n_paintings,), default=None
            Artists.

        Returns
        -------
        known : ndarray of int, shape (n_paintings,)
            1 for paintings like the others, -1 for those that are refused.
        """
        return self.fit(X, y, artists=artists).predict(X)


def fit_detector(features, movements, artists=None):
    """Fit a detector on features; return it and the scores of the paintings."""
    if artists is not None:
        n_artists = pd.Series(artists).groupby(np.asarray(movements)).nunique()
        # Paintings of a movement by a single artist can't be compared with the others.
        if (n_artists > 1).sum() < 2:
            movements = None
    detector = NoveltyDetector().fit(features, movements, artists=artists)
    known = detector.scores_
    return detector, known[~np.isnan(known)]


def _compress(features):
    """Return the square roots of features, with their signs."""
    return np.sign(features) * np.sqrt(np.abs(features))


def _encode_movements(y):
    """Return a code for each movement."""
    codes = pd.factorize(as_objects(y))[0]
    missing = np.flatnonzero(codes < 0)
    if len(missing):
        raise ValueError(
            f"y names no movement for {len(missing)} of {len(codes)} paintings, first "
            f"at position {missing[0]}: leave them out, or pass y=None"
        )
    return codes


def _score_apart(features, movements, artists, verbose):
    """Return the scores of paintings by detectors fitted without their artists."""
    n = len(features)
    codes = np.full(n, -1)
    if artists is not None:
        codes = pd.factorize(hide_unknown(artists))[0]
    # Each unknown artist is a person of its own.
    persons = pd.factorize(np.where(codes < 0, n + np.arange(n), codes))[0]
    n_persons = persons.max() + 1
    if n_persons < 2:
        raise ValueError(
            f"the threshold needs paintings by two or more artists; got n_samples={n} "
            "by one artist. Pass artists=None if the artists are not known."
        )
    # The artists of a movement are dealt to different folds.
    first = np.unique(persons, return_index=True)[1]
    folds = np.empty(n_persons, int)
    dealt = np.argsort(movements[first], kind="stable")
    folds[dealt] = np.arange(n_persons) % _N_FOLDS
    scores = np.full(n, np.nan)
    progress = tqdm(
        range(min(_N_FOLDS, n_persons)),
        desc="comparing artists",
        unit="fold",
        delay=1,
        disable=not verbose,
    )
    for fold in progress:
        test = folds[persons] == fold
        score = _score(
            features[test], *_fit_distance(features[~test], movements[~test])
        )
        known = np.isin(movements[test], movements[~test])
        scores[test] = np.where(known, score, np.nan)
    if np.isnan(scores).all():
        raise ValueError(
            "the threshold needs a movement by two or more artists, and each is by "
            "one. Pass y=None, so that all paintings count as one movement."
        )
    return scores


def _fit_distance(features, movements):
    """Return the mean features of movements, and the whitening matrix."""
    present, codes = np.unique(movements, return_inverse=True)
    means = [features[codes == code].mean(axis=0) for code in range(len(present))]
    means = np.array(means)
    residuals = features - means[codes]
    scale = StandardScaler().fit(residuals).scale_
    covariance = _shrink_covariance(residuals / scale)
    covariance.flat[:: len(covariance) + 1] += _LEAST_VARIANCE
    root = np.linalg.cholesky(covariance)
    return means, solve_triangular(root, np.diag(1 / scale), lower=True).T


def _shrink_covariance(X):
    """Return the covariance by Ledoit and Wolf, of features whose mean is zero.

    It is that of scikit-learn, with one product of matrices instead of three.
    """
    n, d = X.shape
    covariance = X.T @ X / n
    mean = np.trace(covariance) / d
    squares = np.sum(covariance**2)
    spread = np.sum(np.einsum("ij,ij->i", X, X) ** 2) / n
    error, distance = (spread - squares) / n, squares - d * mean**2
    shrinkage = min(error / distance, 1) if error > 0 and distance > 0 else 0
    covariance *= 1 - shrinkage
    covariance.flat[:: d + 1] += shrinkage * mean
    return covariance


def _score(features, means, whitening):
    """Return the negative distances of features to the nearest mean."""
    centre = means.mean(axis=0)
    points, centres = (features - centre) @ whitening, (means - centre) @ whitening
    return -cdist(points, centres).min(axis=1)
