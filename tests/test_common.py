"""Every estimator once, against scikit-learn's conventions."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skart import DenseHeadClassifier, FeatureExtractor, ImageLoader

# Estimators of 2-D features: scikit-learn's own checks, all of them.
FAILURES = {
    "DenseHeadClassifier": {
        "check_sample_weight_equivalence_on_dense_data": (
            "a sample of weight 2 and a sample that stands there twice fall into "
            "different batches of stochastic gradient descent"
        )
    }
}


@parametrize_with_checks(
    [DenseHeadClassifier()],
    expected_failed_checks=lambda estimator: FAILURES[type(estimator).__name__],
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# Estimators of paths and images, of which scikit-learn checks next to nothing.
TRANSFORMERS = [
    (ImageLoader(48, n_threads=2), "paths"),
    (FeatureExtractor("MobileNetV2", weights=None, verbose=False), "images"),
]


@pytest.fixture
def inputs(image_paths):
    images = ImageLoader(48).transform(image_paths[:4])
    return {"paths": image_paths[:4], "images": images}


@pytest.mark.parametrize(
    "transformer, kind", TRANSFORMERS, ids=lambda value: type(value).__name__
)
class TestTransformers:
    def test_parameters(self, transformer, kind, inputs):
        parameters = transformer.get_params()
        fitted = clone(transformer)
        assert fitted.fit(inputs[kind]) is fitted
        fitted.transform(inputs[kind])
        assert fitted.get_params() == parameters
        for name, value in parameters.items():
            assert (
                getattr(clone(transformer).set_params(**{name: value}), name) == value
            )

    def test_nothing_is_learned(self, transformer, kind, inputs):
        fresh = clone(transformer)
        before = dict(vars(fresh))
        fresh.fit_transform(inputs[kind])
        assert vars(fresh) == before
        assert not fresh.__sklearn_tags__().requires_fit

    def test_equal_output(self, transformer, kind, inputs):
        first = np.asarray(clone(transformer).fit_transform(inputs[kind]))
        assert len(first) == 4
        second = np.asarray(transformer.transform(inputs[kind]))
        np.testing.assert_array_equal(first, second)
        pickled = pickle.loads(pickle.dumps(transformer))
        np.testing.assert_array_equal(
            first, np.asarray(pickled.transform(inputs[kind]))
        )
