"""Classifier that returns prediction sets."""

import pandas as pd
from sklearn import get_config
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import assert_all_finite, indexable
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import (
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
)

from skart._utils._validation import (
    HasMethods,
    Integral,
    check_labels,
    validate,
    validate_params,
)
from skart.classifiers._wrapper import WrapperClassifier
from skart.evaluation._cross_validation import evaluate
from skart.evaluation._evaluation import Evaluation
from skart.evaluation._evaluation_sets import (
    CONSTRAINTS,
    calibrate,
    name_units,
    number_artists,
)
from skart.evaluation._sets import (
    compute_p_values,
    make_sets,
    score_movements,
    warn_of_few,
)


class ConformalClassifier(WrapperClassifier):
    r"""Classifier that also returns the movements that are in the running.

    :meth:`predict_set` returns, for each painting, a set of movements that holds the
    true one with a probability of at least ``1 - alpha``, also if the artist is new
    [1]_. The sets are as large as the mistakes of the classifier require.

    The classifier is calibrated on out-of-fold predictions with artists apart, by
    :func:`evaluate`. Calibrated on random folds, sets are too small for new artists.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Classifier with ``predict_proba``, of skart or not. If it is fitted already and
        has to stay as it is, pass :class:`sklearn.frozen.FrozenEstimator` around it:
        `fit` then only calibrates, on paintings that the classifier was not trained on,
        by artists that it was not trained on.
    method : {"lac", "aps", "raps"}, default="lac"
        Nonconformity score of a movement:

        - "lac": 1 minus its probability [2]_. Its sets are the smallest if the
          probabilities are right;
        - "aps": the sum of the probabilities of all more probable movements, and a
          random part of its own [3]_. Its sets vary more in size, with how hard the
          painting is;
        - "raps": "aps", plus 0.1 for each rank after the second, which avoids large
          sets [4]_.
    alpha : float, default=0.1
        Share of the paintings whose set may lack their movement, between 0 and 1.
        :meth:`predict_set` takes another one without a new fit.
    cv : int, cross-validation splitter or iterable, default=None
        Folds, as in :func:`evaluate`. Not used with a ``FrozenEstimator``.
    per_movement : bool, default=False
        If True, `alpha` holds for each movement instead of for all paintings. It
        takes more artists: see Notes.
    allow_empty : bool, default=False
        If False, a set that would be empty gets the most probable movement. If True,
        the share of sets that hold the true movement is nearer to ``1 - alpha`` where
        the classifier is more accurate than that.
    n_jobs : int, default=None
        Number of folds that are fitted in parallel.
    random_state : int, default=0
        Seed of the folds, and of the random numbers of "aps" and "raps". The set of a
        painting does not depend on which others are passed with it.

    Attributes
    ----------
    estimator_ : classifier
        Classifier fitted on all paintings.
    classes_ : ndarray of shape (n_classes,)
        Movements.
    calibration_scores_ : ndarray of shape (n_calibration,)
        Nonconformity scores of the true movements of the paintings for calibration.
    calibration_artists_, calibration_movements_ : ndarray of shape (n_calibration,)
        Their artists, numbered, and the positions of their movements in ``classes_``.
        If artists are unknown, each painting has a number of its own.
    n_features_in_ : int
        Length of the feature vectors, if ``estimator_`` has it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if ``estimator_`` has them.

    See Also
    --------
    Evaluation.sets_per_movement : Compute how often sets hold the true movement.
    sklearn.calibration.CalibratedClassifierCV : Calibrate the probabilities.

    Notes
    -----
    Artists are exchangeable. Paintings are not, since those of one artist resemble
    each other. So all artists have the same weight, and so have the paintings of an
    artist, as in hierarchical conformal prediction [1]_. With :math:`n_k` paintings by
    artist :math:`k` and nonconformity scores :math:`s_{ki}` of their true movements, a
    movement of score :math:`s` is in the set if

    .. math:: \frac{1}{K+1} \Big(1 + \sum_{k=1}^K \frac{1}{n_k}
        \sum_{i=1}^{n_k} 1[s_{ki} \ge s]\Big) > \alpha

    The promise is for a painting by a new artist, on average over artists; it is no
    promise for each artist. With fewer than :math:`1/\alpha - 1` artists, 9 for
    ``alpha=0.1``, no movement can be left out: each set holds all, and a warning
    says so. With `per_movement`, as many are needed of each movement. If artists are
    unknown (``groups=None``), the sum runs over paintings, and the promise is for other
    paintings by the same artists.

    With a ``FrozenEstimator``, the promise is proven. Otherwise, the classifiers of the
    folds are trained on fewer paintings than ``estimator_``: sets tend to be too
    large rather than too small; more folds reduce this. See the benchmarks.

    References
    ----------
    .. [1] Lee, Barber, Willett. "Distribution-free inference with hierarchical data".
       arXiv:2306.06342, 2023. Also Dunn, Wasserman, Ramdas. "Distribution-Free
       Prediction Sets for Two-Layer Hierarchical Models". Journal of the American
       Statistical Association 118, 2023.
    .. [2] Sadinle, Lei, Wasserman. "Least Ambiguous Set-Valued Classifiers with Bounded
       Error Levels". Journal of the American Statistical Association 114, 2019.
    .. [3] Romano, Sesia, Candès. "Classification with Valid and Adaptive Coverage".
       NeurIPS 2020.
    .. [4] Angelopoulos, Bates, Jordan, Malik. "Uncertainty Sets for Image Classifiers
       using Conformal Prediction". ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skart.evaluation import ConformalClassifier
    >>> X, y = make_blobs(200, 8, centers=3, cluster_std=9, random_state=0)
    >>> artists = y * 10 + np.arange(200) % 7
    >>> model = ConformalClassifier(GaussianNB()).fit(X, y, groups=artists)
    >>> sets = model.predict_set(X[:3])
    >>> [model.classes_[row].tolist() for row in sets]
    [[0, 2], [2], [0, 2]]
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
        **CONSTRAINTS,
    }

    # With metadata routing, no set_fit_request is needed.
    __metadata_request__fit = {"groups": True}

    def __init__(
        self,
        estimator,
        *,
        method="lac",
        alpha=0.1,
        cv=None,
        per_movement=False,
        allow_empty=False,
        n_jobs=None,
        random_state=0,
    ):
        self.estimator = estimator
        self.method = method
        self.alpha = alpha
        self.cv = cv
        self.per_movement = per_movement
        self.allow_empty = allow_empty
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y, groups=None, **fit_params):
        """Fit the classifier on all paintings, and calibrate its sets.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Paths, images or features, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Movements.
        groups : array-like of shape (n_samples,), default=None
            Artists. They are passed on if the estimator's ``fit`` takes groups.
        **fit_params : dict
            Parameters of the estimator's ``fit``. Values with one item per painting are
            split like X.

        Returns
        -------
        self : ConformalClassifier
            Fitted classifier.

        Raises
        ------
        ValueError
            If the paintings can't be cross-validated: see :func:`evaluate`.

        Warns
        -----
        UserWarning
            If there are too few artists for `alpha`, or a movement has a single artist,
            so that it can't be calibrated on.
        """
        validate_params(self)
        assert_all_finite(y, input_name="y")
        X, y = indexable(X, column_or_1d(y, warn=True))
        check_labels(y)
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", groups=groups, **fit_params)
            fit_params = routed.estimator.fit
        elif groups is not None and has_fit_parameter(self.estimator, "groups"):
            fit_params["groups"] = groups
        if isinstance(self.estimator, FrozenEstimator):
            self.estimator_ = self.estimator
            evaluation = Evaluation(
                y,
                probabilities=self.estimator.predict_proba(X),
                classes=self.estimator.classes_,
                groups=groups,
            )
        else:
            evaluation = evaluate(
                self.estimator,
                X,
                y,
                groups=groups,
                cv=self.cv,
                random_folds=False,
                params=fit_params,
                n_jobs=self.n_jobs,
                random_state=self.random_state,
            )
            self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        self.classes_ = self.estimator_.classes_
        # Predictions are scored like the paintings of the calibration, even if the
        # parameters are changed later.
        self._scoring = self.method, self.random_state
        scores, _ = calibrate(evaluation, *self._scoring)
        # Without a movement that the classifier has not learned: one of weight 0.
        movements = pd.Index(self.classes_).get_indexer(evaluation.y_true)
        known = movements >= 0
        self.calibration_scores_ = scores[known]
        self.calibration_movements_ = movements[known]
        self.calibration_artists_ = number_artists(
            None if evaluation.groups is None else evaluation.groups[known], known.sum()
        )
        self._unit = name_units(evaluation.groups)
        warn_of_few(
            self.alpha,
            self.calibration_artists_,
            self.calibration_movements_ if self.per_movement else None,
            self.classes_,
            unit=self._unit,
        )
        return self

    def predict_proba(self, X):
        """Predict the probability of each movement, as the estimator does.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    def predict_set(self, X, alpha=None):
        """Predict the set of movements that are in the running.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        alpha : float, default=None
            Share of the paintings whose set may lack their movement. If None, the
            parameter `alpha`.

        Returns
        -------
        sets : ndarray of bool, shape (n_samples, n_classes)
            Whether each movement is in the set, in the order of ``classes_``.

        Warns
        -----
        UserWarning
            If there are too few artists for another `alpha` than that of the fit.
        """
        check_is_fitted(self)
        movements = self.calibration_movements_ if self.per_movement else None
        if alpha is None:
            alpha = self.alpha
        else:
            validate("predict_set", {"alpha": alpha}, {"alpha": CONSTRAINTS["alpha"]})
            artists = self.calibration_artists_
            warn_of_few(alpha, artists, movements, self.classes_, unit=self._unit)
        probabilities = self.predict_proba(X)
        p_values = compute_p_values(
            score_movements(probabilities, *self._scoring),
            self.calibration_scores_,
            self.calibration_artists_,
            movements=movements,
        )
        return make_sets(p_values, probabilities, alpha, self.allow_empty)

    def get_metadata_routing(self):
        """Get the metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            Passes metadata of ``fit`` on to the estimator, and takes groups itself.
        """
        return super().get_metadata_routing().add_self_request(self)
