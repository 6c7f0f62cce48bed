"""Fits that are kept on disk, for searches that go on where they were interrupted."""

import os
import warnings

import numpy as np
from joblib import Memory
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skart._utils._versions import list_versions


class CachedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier that is fitted once for the same parameters and samples.

    Around a pipeline that is searched, it lets an interrupted search go on: started
    again with the same seed and folds, the search finds the fits that were finished.
    ``joblib.Memory`` keeps them [1]_.

    Parameters
    ----------
    estimator : classifier
        A pipeline or a classifier. Its ``random_state`` should be an int: of what is
        drawn anew at each fit, the first fit would be kept.
    memory : str or path
        Folder of the fits. It holds pickles, which can run code when they are read, so
        it must be yours alone; delete it when the search is done.

    Attributes
    ----------
    estimator_ : classifier
        The fitted one, as :func:`skart.save_model` takes it.
    classes_ : ndarray of shape (n_classes,)
        Movements.

    See Also
    --------
    skart.FeatureExtractor : Keeps features, in a store of its own.

    Notes
    -----
    A fit is found by the parameters of the estimator, X, y, what else ``fit`` was
    given, and the versions of the packages. Of files, those of images and those that
    a parameter names (weights), paths, sizes and times of modification count. A fit
    that can't be read is told, and done again.

    References
    ----------
    .. [1] https://joblib.readthedocs.io/en/stable/memory.html

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.model_selection import RandomizedSearchCV
    >>> from skart import DenseHeadClassifier
    >>> from skart.classifiers import CachedClassifier
    >>> X = np.random.default_rng(0).normal(size=(40, 8)).astype("float32")
    >>> y = np.where(X[:, 0] > 0, "Cubism", "Rococo")
    >>> head = DenseHeadClassifier(units=8, epochs=1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     search = RandomizedSearchCV(
    ...         CachedClassifier(head, memory=folder),
    ...         {"estimator__dropout": [0.2, 0.5]},
    ...         n_iter=2,
    ...         cv=2,
    ...         random_state=0,
    ...     )
    ...     scores = search.fit(X, y).cv_results_["mean_test_score"]
    ...     again = search.fit(X, y).cv_results_["mean_test_score"]  # fits nothing
    >>> np.array_equal(scores, again)
    True
    """

    def __init__(self, estimator, *, memory):
        self.estimator = estimator
        self.memory = memory

    def fit(self, X, y, **fit_params):
        """Fit, or find the fit.

        Parameters
        ----------
        X : array-like or LazyImages of shape (n_samples, ...)
            What the estimator takes: paths, images or features.
        y : array-like of shape (n_samples,)
            Movements.
        **fit_params : object
            For the estimator's ``fit``.

        Returns
        -------
        self : CachedClassifier
            Fitted.
        """
        if not isinstance(self.memory, (str, os.PathLike)):
            raise TypeError(f"memory must be a folder; got {self.memory!r}")
        folder = os.path.expanduser(self.memory)
        fit = Memory(folder, verbose=0).cache(_fit)
        given = clone(self.estimator), X, y, fit_params
        seen = _seen(X), _seen(_named_files(self.estimator)), list_versions()
        kept = fit.call_and_shelve(*given, seen)
        try:
            fitted = kept.get()
            reason = f"it holds a {type(fitted).__name__}"
        except Exception as error:  # a damaged pickle raises many kinds
            fitted, reason = None, repr(error)
        if not isinstance(fitted, type(self.estimator)):
            warnings.warn(
                f"a fit in {folder!r} can't be read ({reason}); it is done again",
                stacklevel=2,
            )
            kept.clear()
            fitted = fit(*given, seen)
        self.estimator_ = fitted
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        """Predict movements: ndarray of shape (n_samples,)."""
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @available_if(lambda self: hasattr(self.estimator, "predict_proba"))
    def predict_proba(self, X):
        """Predict probabilities: ndarray of shape (n_samples, n_classes)."""
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @property
    def n_features_in_(self):
        """Length of the feature vectors, where the estimator knows it."""
        check_is_fitted(self)
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features, where the estimator knows them."""
        check_is_fitted(self)
        return self.estimator_.feature_names_in_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


def _fit(estimator, X, y, fit_params, seen):
    return estimator.fit(X, y, **fit_params)


def _named_files(estimator):
    values = estimator.get_params().values()
    paths = [os.path.expanduser(v) for v in values if isinstance(v, (str, os.PathLike))]
    return [path for path in paths if os.path.isfile(path)]


def _seen(X):
    """Tell files from others that take their names later."""
    paths = getattr(X, "paths", X)
    if np.ndim(paths) != 1:
        return None
    paths = list(paths)
    if not all(isinstance(path, (str, os.PathLike)) for path in paths):
        return None
    facts = []
    for path in paths:
        try:
            seen = os.stat(path)
            facts.append((seen.st_size, seen.st_mtime_ns))
        except (OSError, ValueError):  # which fit will tell
            facts.append(None)
    return facts
