"""Base of classifiers that predict as another one does."""

from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted


class WrapperClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Base of meta-estimators whose predictions are those of their ``estimator_``."""

    def predict(self, X):
        """Predict movements, as the estimator does.

        Parameters
        ----------
        X : array-like or LazyImages of shape (n_samples, ...)
            Samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Movements.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def get_metadata_routing(self):
        """Get the metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            Passes metadata of ``fit`` on to the estimator.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    @property
    def n_features_in_(self):
        """Length of the feature vectors."""
        check_is_fitted(self)
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features."""
        check_is_fitted(self)
        return self.estimator_.feature_names_in_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags
