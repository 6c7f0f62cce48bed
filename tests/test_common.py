"""Conventions of scikit-learn, for every estimator."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from own_parts import flatten
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from toy_backbone import CUT

from skart import (
    CNNClassifier,
    DenseHeadClassifier,
    Encoder,
    FeatureExtractor,
    FineTuneClassifier,
    HandcraftedFeatures,
    HybridCNNClassifier,
    ImageLoader,
)
from skart.evaluation import ConformalClassifier
from skart.exploration import NoveltyDetector, PaintingIndex

# Estimators of 2-D features: scikit-learn's own checks, all of them.
FAILURES = {
    "DenseHeadClassifier": {
        "check_sample_weight_equivalence_on_dense_data": (
            "a sample of weight 2 and a sample that stands there twice fall into "
            "different batches of stochastic gradient descent"
        ),
        "check_do_not_raise_errors_in_init_or_set_params": (
            "it takes `**routed` for the name of a parameter; "
            "test_parameters_are_not_validated_before_fit checks all others"
        ),
    },
}


def explain_failures(estimator):
    return FAILURES.get(type(estimator).__name__, {})


@pytest.mark.slow
@parametrize_with_checks(
    [DenseHeadClassifier()], expected_failed_checks=explain_failures
)
def test_scikit_learn_checks_of_the_head(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        NoveltyDetector(),
        PaintingIndex(),
        ConformalClassifier(LogisticRegression()),
    ],
    expected_failed_checks=explain_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "classifier", [DenseHeadClassifier, FineTuneClassifier, CNNClassifier]
)
@pytest.mark.parametrize(
    "value", [-1, 3.0, "helloworld", np.array([1.0, 4.0]), [1], {}, []], ids=repr
)
def test_parameters_are_not_validated_before_fit(classifier, value):
    names = [*classifier().get_params(deep=False), "optimizer__x", "fit__z"]
    parameters = dict.fromkeys(names, value)
    model = classifier(**parameters)
    assert model.get_params(deep=False) == parameters
    model.set_params(**parameters)


# Estimators of paths and images, which scikit-learn's checks can't use.


def check_parameters_can_be_set(estimator):
    for name in estimator.get_params():
        value = object()
        changed = copy.deepcopy(estimator).set_params(**{name: value})
        assert changed.get_params()[name] is value
        assert estimator.get_params()[name] is not value


def plain(estimator):
    """Return the parameters, without nested estimators themselves."""
    return {
        name: value
        for name, value in estimator.get_params().items()
        if not hasattr(value, "get_params")
    }


TRANSFORMERS = [
    (ImageLoader(48, n_threads=2), "paths"),
    (FeatureExtractor("ToyNet", weights=None, verbose=False), "images"),
    (FeatureExtractor(Encoder(flatten, name="mean"), verbose=False), "images"),
    (HandcraftedFeatures(verbose=False), "images"),
]


@pytest.fixture
def inputs(image_paths, toy_backbone):
    images = ImageLoader(48).transform(image_paths[:4])
    return {"paths": image_paths[:4], "images": images}


@pytest.mark.parametrize(
    "transformer, kind", TRANSFORMERS, ids=lambda value: type(value).__name__
)
class TestTransformers:
    def test_parameters(self, transformer, kind, inputs):
        parameters = plain(transformer)
        fitted = clone(transformer)
        assert fitted.fit(inputs[kind]) is fitted
        fitted.transform(inputs[kind])
        assert plain(fitted) == parameters
        check_parameters_can_be_set(transformer)

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


SMALL = {"epochs": 1, "batch_size": 4, "random_state": 0}
# Tracing a graph would take longer than three steps of a small network.
EAGER = {"compile__run_eagerly": True}
CLASSIFIERS = [
    HybridCNNClassifier(units=8, optimizer__learning_rate=0.01, **SMALL, **EAGER),
    FineTuneClassifier(
        DenseHeadClassifier(units=8, epochs=1),
        backbone="ToyNet",
        weights=None,
        unfreeze_from=CUT,
        **SMALL,
        **EAGER,
    ),
    *(
        pytest.param(classifier, marks=pytest.mark.slow)
        for classifier in (
            CNNClassifier("vgg_lite", units=8, **SMALL),
            CNNClassifier("squeezenet", **SMALL),
            CNNClassifier("alexnet", units=8, **SMALL),
            FineTuneClassifier(
                DenseHeadClassifier(units=8, epochs=1),
                backbone="VGG16",
                weights=None,
                unfreeze_from="block5_conv3",
                **SMALL,
            ),
        )
    ),
]


@pytest.fixture(scope="module")
def images(image_paths):
    """Twelve lazy images and their movements, which are not sorted."""
    return ImageLoader(68).transform(image_paths), np.array(
        ["Rococo", "Cubism", "Baroque"] * 4
    )


@pytest.fixture(scope="module", params=CLASSIFIERS, ids=lambda x: type(x).__name__)
def classifier(request, toy_backbone):
    """An image classifier, not fitted."""
    return request.param


@pytest.fixture(scope="module")
def fitted(classifier, images):
    """A fitted image classifier; read only."""
    # In a graph, like an unpickled one: eager steps round differently.
    model = clone(classifier).set_params(compile__run_eagerly=False)
    return model.fit(*images)


class TestImageClassifiers:
    def test_parameters(self, classifier, images):
        parameters = plain(classifier)
        assert plain(clone(classifier)) == parameters
        model = clone(classifier)
        assert model.fit(*images) is model
        assert plain(model) == parameters
        check_parameters_can_be_set(classifier)
        with pytest.raises(TypeError, match="Did you mean 'epochs'"):
            type(classifier)(epoch=3)

    def test_not_fitted(self, classifier, images):
        with pytest.raises(NotFittedError):
            clone(classifier).predict(images[0])

    def test_tags(self, classifier):
        tags = classifier.__sklearn_tags__()
        assert is_classifier(classifier)
        assert is_classifier(make_pipeline(ImageLoader(68), classifier))
        assert tags.requires_fit and tags.target_tags.required
        assert not tags.input_tags.two_d_array
        assert tags.classifier_tags.multi_class

    def test_labels_and_probabilities(self, fitted, images):
        X, y = images
        assert fitted.classes_.tolist() == ["Baroque", "Cubism", "Rococo"]
        assert fitted.image_shape_ == (68, 68, 3)
        probabilities = fitted.predict_proba(X)
        assert probabilities.shape == (12, 3) and probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        predicted = fitted.predict(X)
        assert predicted.dtype == fitted.classes_.dtype
        assert (fitted.classes_[probabilities.argmax(axis=1)] == predicted).all()
        assert 0 <= fitted.score(X, y) <= 1

    def test_order_and_number_of_images(self, fitted, images):
        X = images[0]
        expected = fitted.predict_proba(X)
        rows = [7, 3, 3, 0, 11]
        for some in (X[rows], np.asarray(X)[rows], np.asarray(X, float)[rows]):
            np.testing.assert_allclose(
                fitted.predict_proba(some), expected[rows], atol=1e-5
            )

    @pytest.mark.slow
    def test_equal_fits(self, classifier, images):
        model = clone(classifier).fit(*images)
        expected = model.predict_proba(images[0])
        model.fit(*images)
        np.testing.assert_array_equal(model.predict_proba(images[0]), expected)

    @pytest.mark.slow
    def test_kinds_of_labels(self, classifier, images):
        X, y = images
        codes = np.unique(y, return_inverse=True)[1]
        for labels in (codes * 7 - 3, pd.Series(y, dtype="category")):
            model = clone(classifier).fit(X, labels)
            assert set(model.predict(X)) <= set(labels)
        with pytest.raises(ValueError, match="no label for 1 of 12"):
            clone(classifier).fit(X, [None, *y[1:]])

    @pytest.mark.parametrize("way", ["pickle", "joblib"])
    def test_round_trips(self, fitted, images, tmp_path, way):
        if way == "pickle":
            again = pickle.loads(pickle.dumps(fitted))
        else:
            joblib.dump(fitted, tmp_path / "model.joblib")
            again = joblib.load(tmp_path / "model.joblib")
        np.testing.assert_array_equal(
            again.predict_proba(images[0]), fitted.predict_proba(images[0])
        )
        np.testing.assert_equal(again.history_, fitted.history_)  # nan, too

    @pytest.mark.slow
    def test_sample_and_class_weights(self, classifier, images):
        X, y = images
        model = clone(classifier).set_params(class_weight="balanced")
        model.fit(X, y, sample_weight=(y != "Cubism") * 1.0)
        assert model.classes_.tolist() == ["Baroque", "Rococo"]
        loss = model.history_["loss"]
        again = clone(model).set_params(class_weight={"Rococo": 50})
        again.fit(X, y, sample_weight=(y != "Cubism") * 1.0)
        assert again.history_["loss"][-1] != loss[-1]
        with pytest.raises(ValueError, match="[Nn]egative"):
            clone(model).fit(X, y, sample_weight=-np.ones(12))

    @pytest.mark.slow
    def test_training_in_parts(self, classifier, images):
        X, y = images
        model = clone(classifier).partial_fit(X[:3], y[:3], classes=np.unique(y))
        n_epochs = len(model.history_["loss"])
        model.partial_fit(X[3:], y[3:])
        assert len(model.history_["loss"]) == n_epochs + 1
        model.set_params(warm_start=True).fit(X, y)
        assert len(model.history_["loss"]) == n_epochs + 2

    @pytest.mark.slow
    def test_groups_in_a_pipeline(self, classifier, image_paths, images):
        pipe = make_pipeline(
            ImageLoader(68), clone(classifier).set_params(validation_split=0.25)
        )
        step = f"{type(classifier).__name__.lower()}__groups"
        pipe.fit(image_paths, images[1], **{step: np.repeat(np.arange(6), 2)})
        assert "val_accuracy" in pipe[-1].history_
        with pytest.raises(ValueError, match="names no artist for 1 of 12"):
            pipe.fit(image_paths, images[1], **{step: [None, *range(11)]})
