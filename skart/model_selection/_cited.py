"""The systems that came before the report, as pipelines: paths in, movements out."""

import textwrap

import numpy as np
from sklearn.ensemble import AdaBoostClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Binarizer, StandardScaler
from sklearn.random_projection import GaussianRandomProjection
from sklearn.svm import SVC

from skart._utils._validation import suggest
from skart.model_selection._cited_systems import CITED, CitedSystem

__all__ = ["BoostedSVC", "CitedSystem", "cited_pipeline"]

_C = 10  # of a single machine


class BoostedSVC(SVC):
    """Features to movement: a support vector machine that boosting can weigh.

    ``AdaBoostClassifier`` gives weights that sum to 1, and :class:`sklearn.svm.SVC`
    multiplies its C by them: on a thousand paintings next to nothing would be left of
    it. Here, weights have a mean of 1 first, so that C means what it does without any.
    Parameters and attributes are those of :class:`sklearn.svm.SVC`.

    See Also
    --------
    skart.model_selection.cited_pipeline : Uses it, as ``"florea2017"``.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.ensemble import AdaBoostClassifier
    >>> from skart.model_selection import BoostedSVC
    >>> X, y = make_blobs(200, 8, centers=3, cluster_std=6, random_state=0)
    >>> boosted = AdaBoostClassifier(BoostedSVC(), n_estimators=5, random_state=0)
    >>> boosted.fit(X, y).predict(X).shape, len(boosted.estimators_)
    ((200,), 5)
    """

    def fit(self, X, y, sample_weight=None):
        """Train, with weights of any sum.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Features.
        y : array-like of shape (n,)
            Movements.
        sample_weight : array-like of shape (n,), default=None
            How much each painting counts, against the others.

        Returns
        -------
        self : BoostedSVC
            Trained.
        """
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight) / np.mean(sample_weight)
        return super().fit(X, y, sample_weight)


def cited_pipeline(
    name,
    *,
    size=None,
    weights="imagenet",
    cache=None,
    on_error="raise",
    random_state=0,
    verbose=True,
):
    """Make a system that came before the report: paths in, movements out.

    ``ImageLoader`` -> features -> what makes numbers comparable -> a classifier; the
    first two steps and the last are called ``load``, ``features`` and ``classifier``.
    None of them is a copy: what is taken over and what isn't is told below, and by
    ``skart.model_selection.CITED[name]``, a
    :class:`~skart.model_selection.CitedSystem`.

    Parameters
    ----------
    name : str
        One of those below.
    size : int or (int, int), default=None
        Height and width of the images in pixels; None is 256 for hand-made descriptors
        and 299 for a network.
    weights : "imagenet", str, path or None, default="imagenet"
        Of InceptionV3, where the system has a network: see :class:`FeatureExtractor`.
    cache : str, path or FeatureStore, default=None
        Where features are kept; None computes them anew at each fit.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    random_state : int, default=0
        Seed of visual words, of random projections and of boosting.
    verbose : bool, default=True
        Whether a progress bar shows while features are computed.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Not fitted. Support vector machines give no probabilities: put the pipeline into
        :class:`sklearn.calibration.CalibratedClassifierCV` for them.

    Raises
    ------
    ValueError
        If there is no such system.

    See Also
    --------
    make_transfer_pipeline : What the report made of it.
    skart.model_selection.CitedSystem : What is known of a system.

    Notes
    -----
    <systems>

    Examples
    --------
    >>> from skart.model_selection import cited_pipeline
    >>> pipe = cited_pipeline("florea2017", size=128)
    >>> list(pipe.named_steps)
    ['load', 'features', 'scale', 'classifier']
    """
    from skart.features import FeatureExtractor, HandcraftedFeatures
    from skart.images import ImageLoader

    if name not in CITED:
        raise ValueError(
            f"name must be that of a cited system; got {name!r}.{suggest(name, CITED)}"
        )
    system = CITED[name]
    if system.kinds:
        features = HandcraftedFeatures(
            system.kinds, cache=cache, random_state=random_state, verbose=verbose
        )
    else:
        features = FeatureExtractor(weights=weights, cache=cache, verbose=verbose)
    loader = ImageLoader(system.size if size is None else size, on_error=on_error)
    return Pipeline(
        [("load", loader), ("features", features), *_steps(name, random_state)]
    )


def _steps(name, random_state):
    """Give the steps from features to movements."""
    between, classifier = [], SVC(C=_C)
    if name == "gunsel2005-bayes":
        classifier = GaussianNB()
    elif name == "bar2014":
        projection = GaussianRandomProjection(1024, random_state=random_state)
        between = [("project", projection), ("binarise", Binarizer())]
        # Of bits, squared distances are numbers of bits that differ.
        classifier = KNeighborsClassifier(10, weights="distance", algorithm="brute")
    elif name == "florea2017":
        classifier = AdaBoostClassifier(
            # With a larger C the first is right about all that it has seen.
            BoostedSVC(C=1),
            n_estimators=10,
            random_state=random_state,
        )
    elif name == "florea2017-cnn":
        classifier = LogisticRegression(C=0.01, max_iter=1000)
    return [("scale", StandardScaler()), *between, ("classifier", classifier)]


def _list_systems():
    """Write the table of systems for the docstring."""
    items = []
    for system in CITED.values():
        text = (
            f"{system.reference} {system.states} Taken over: {system.taken_over} "
            f"Departures: {system.departures} Published: {system.published}."
        )
        body = textwrap.fill(text, 80, break_on_hyphens=False)
        items.append(f'``"{system.name}"``\n{textwrap.indent(body, "    ")}')
    return "\n\n".join(items)


if cited_pipeline.__doc__:  # python -OO leaves none
    cited_pipeline.__doc__ = cited_pipeline.__doc__.replace(
        "    <systems>", textwrap.indent(_list_systems(), "    ")
    )
