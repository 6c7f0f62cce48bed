"""A meta-estimator that stores fits on disk, so that a search can be resumed."""

import os
import types
import warnings

import numpy as np
from joblib import Memory
from sklearn import get_config
from sklearn.base import clone
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skart._utils._files import parse_row
from skart._utils._validation import HasMethods, validate_params
from skart._utils._versions import list_versions
from skart.classifiers._wrapper import WrapperClassifier


def _estimator_has(method):
    return lambda self: hasattr(self.estimator, method)


class CachedClassifier(WrapperClassifier):
    """Classifier whose fits are stored on disk.

    An interrupted search over it can be resumed: with the same seed and folds, finished
    fits are loaded. They are stored by :class:`joblib.Memory` [1]_.

    Parameters
    ----------
    estimator : classifier
        A pipeline or a classifier. Its ``random_state`` should be an int: otherwise
        the stored fit depends on the random numbers of the first one.
    memory : str or path
        Folder of the fits. It holds pickles, which can run code when they are loaded,
        so only you should be able to write to it. Delete it after the search.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier, which :func:`skart.save_model` accepts.
    classes_ : ndarray of shape (n_classes,)
        Movements.
    n_features_in_ : int
        Length of the feature vectors, if ``estimator_`` has it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if ``estimator_`` has them.

    See Also
    --------
    skart.FeatureExtractor : Stores features.

    Notes
    -----
    A fit is identified by the parameters of the estimator, X, y, the parameters of
    ``fit`` and the versions of the packages. Files (of images, or named by a parameter,
    such as weights) are identified by path, size and time of modification. If a
    stored fit can't be loaded, a warning is issued and it is computed again.

    References
    ----------
    .. [1] https://joblib.readthedocs.io/en/stable/memory.html

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skart import DenseHeadClassifier
    >>> from skart.classifiers import CachedClassifier
    >>> X, y = make_blobs(40, 8, centers=2, random_state=0)
    >>> head = DenseHeadClassifier(units=8, epochs=1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cached = CachedClassifier(head, memory=folder)
    ...     search = GridSearchCV(cached, {"estimator__dropout": [0.2, 0.5]}, cv=2)
    ...     scores = search.fit(X, y).cv_results_["mean_test_score"]
    ...     again = search.fit(X, y).cv_results_["mean_test_score"]  # fits nothing
    >>> np.array_equal(scores, again)
    True
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict"])],
        "memory": [str, os.PathLike],
    }

    def __init__(self, estimator, *, memory):
        self.estimator = estimator
        self.memory = memory

    def fit(self, X, y, **fit_params):
        """Fit the classifier, or load the stored fit.

        Parameters
        ----------
        X : array-like or LazyImages of shape (n_samples, ...)
            Paths, images or features.
        y : array-like of shape (n_samples,)
            Movements.
        **fit_params : dict
            Parameters of the estimator's ``fit``.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        validate_params(self)
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        folder = os.path.expanduser(self.memory)
        # joblib notes a function's code in the first folder of a process only, and
        # loads no fit from a folder without it: each fit has a function of its own.
        copy = types.FunctionType(_fit.__code__, globals(), _fit.__name__)
        fit = Memory(folder, verbose=0).cache(copy)
        files = _stat_files(X), _stat_files(_named_files(self.estimator))
        versions = *files, list_versions()
        arguments = clone(self.estimator), X, y, {**fit_params}, versions
        stored = fit.call_and_shelve(*arguments)
        try:
            fitted = stored.get()
            reason = f"it holds a {type(fitted).__name__}"
        except Exception as error:  # a damaged pickle raises many kinds
            fitted, reason = None, repr(error)
        if not isinstance(fitted, type(self.estimator)):
            warnings.warn(
                f"a fit in {folder!r} can't be read ({reason}); it is done again",
                stacklevel=2,
            )
            stored.clear()
            fitted = fit(*arguments)
        self.estimator_ = fitted
        self.classes_ = fitted.classes_
        return self

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X):
        """Predict the probability of each movement.

        Parameters
        ----------
        X : array-like or LazyImages of shape (n_samples, ...)
            Samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X):
        """Compute the decision function.

        Parameters
        ----------
        X : array-like or LazyImages of shape (n_samples, ...)
            Samples.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Confidence scores.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)


def _fit(estimator, X, y, fit_params, versions):
    return estimator.fit(X, y, **fit_params)


def _named_files(estimator):
    """List the files that are named by parameters of an estimator."""
    values = estimator.get_params().values()
    paths = [os.path.expanduser(v) for v in values if isinstance(v, (str, os.PathLike))]
    return [path for path in paths if os.path.isfile(path)]


def _stat_files(X):
    """Return size and time of modification of files, or None if X holds no paths."""
    paths = getattr(X, "paths", X)
    if np.ndim(paths) != 1 or not all(isinstance(x, (str, os.PathLike)) for x in paths):
        return None
    facts = []
    for path in paths:
        try:
            row = parse_row(path)
            stat = os.stat(row[0] if row else path)
            facts.append((stat.st_size, stat.st_mtime_ns))
        except (OSError, ValueError):  # fit raises the error
            facts.append(None)
    return facts
