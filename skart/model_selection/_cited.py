"""Systems published before the report, as pipelines."""

import dataclasses

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

_C = 10  # of a single support vector machine


class BoostedSVC(SVC):
    """Support vector machine that rescales sample weights for boosting.

    The sample weights that :class:`sklearn.ensemble.AdaBoostClassifier` passes sum to
    1. :class:`sklearn.svm.SVC` multiplies ``C`` by them: with 1,000 paintings, the
    effective ``C`` is about ``C / 1000``. Here, they are first scaled to a mean of 1.
    Parameters and attributes are those of :class:`sklearn.svm.SVC`.

    See Also
    --------
    make_cited_pipeline : Uses it for ``"florea2017"``.

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
        """Fit the support vector machine.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Movements.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, relative to one another.

        Returns
        -------
        self : BoostedSVC
            Fitted estimator.
        """
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight) / np.mean(sample_weight)
        return super().fit(X, y, sample_weight)


@dataclasses.dataclass(frozen=True)
class CitedSystem:
    """A published system, and how far `make_cited_pipeline` follows it.

    Parameters
    ----------
    name : str
        Name for :func:`make_cited_pipeline`.
    title, authors : str
        Title and last names of the authors.
    year : int
        Year of the publication.
    venue : str
        Journal or conference.
    states : str
        Method according to the publication.
    taken_over : str
        Parts of the method that skart follows.
    departures : str
        Differences, known and possible.
    figure : float, default=None
        Published accuracy of its best system in percent; None if it isn't known for
        certain.
    measured_on : str, default=None
        Paintings on which ``figure`` was measured.
    source : str, default=None
        Source of ``figure`` if it is not the publication.
    descriptors : tuple of str, default=()
        Hand-crafted features, see :class:`skart.HandcraftedFeatures`; empty for a
        pretrained network.

    Examples
    --------
    >>> from skart.model_selection import CITED
    >>> CITED["khan2014"].published
    '62.2 % on Painting-91: 2,338 paintings of 13 styles'
    """

    name: str
    title: str
    authors: str
    year: int
    venue: str
    states: str
    taken_over: str
    departures: str
    figure: float | None = None
    measured_on: str | None = None
    source: str | None = None
    descriptors: tuple = ()

    @property
    def size(self):
        """Default height and width of the images in pixels, an int."""
        return 256 if self.descriptors else 299

    @property
    def reference(self):
        """Reference to the publication, a str."""
        return f'{self.authors}. "{self.title}". {self.venue} {self.year}.'

    @property
    def published(self):
        """Published accuracy and its paintings, or the reason for none, a str."""
        if self.figure is None:
            return "not taken over: not known for certain"
        source = f", {self.source}" if self.source else ""
        return f"{self.figure:g} % on {self.measured_on}{source}"


_GUNSEL = {
    "title": "Content-based Access to Art Paintings",
    "authors": "Gunsel, Sariel, Icoglu",
    "year": 2005,
    "venue": "ICIP",
    "states": "Six numbers of lightness and edges describe a painting; a Bayesian "
    "classifier and a support vector machine predict its movement.",
    "descriptors": ("gunsel",),
}
_FLOREA = {
    "title": "Artistic Movement Recognition by Boosted Fusion of Color Structure and "
    "Topographic Description",
    "authors": "Florea, Toca, Gieseke",
    "year": 2017,
    "venue": "WACV",
}
_SVM = "The kernel of the support vector machine (radial) and its C are ours."

_SYSTEMS = [
    CitedSystem(
        name="gunsel2005",
        **_GUNSEL,
        taken_over="The choice of six numbers, and a support vector machine.",
        departures="How the numbers are computed in detail: see "
        f"skart.features.descriptors.gunsel. {_SVM}",
    ),
    CitedSystem(
        name="gunsel2005-bayes",
        **_GUNSEL,
        taken_over="The choice of six numbers, and a Bayesian classifier.",
        departures="How the numbers are computed in detail: see "
        "skart.features.descriptors.gunsel. That each number is normally "
        "distributed, and independent of the others, is ours.",
    ),
    CitedSystem(
        name="arora2012",
        title="Towards Automated Classification of Fine-art Painting Style: A "
        "Comparative Study",
        authors="Arora, Elgammal",
        year=2012,
        venue="ICPR",
        states="Bags of visual words and semantic features (Classemes) are compared, "
        "in discriminative and generative models; the best is a support vector machine "
        "on Classemes.",
        taken_over="A bag of SIFT words and a support vector machine.",
        departures="Classemes are missing, though the published figure is theirs; "
        "words are computed from grey images, not from colour; there are 200. " + _SVM,
        figure=65.4,
        measured_on="490 paintings of seven styles",
        descriptors=("sift",),
    ),
    CitedSystem(
        name="khan2014",
        title="Painting-91: A Large Scale Database for Computational Painting "
        "Categorization",
        authors="Khan, Beigpour, van de Weijer, Felsberg",
        year=2014,
        venue="Machine Vision and Applications",
        states="Many descriptors of colour, shape and texture are compared; the best "
        "fuses them in a support vector machine.",
        taken_over="Colour names, gradients (HOG), local binary patterns and a bag of "
        "SIFT words, fused in one support vector machine.",
        departures="Some of its descriptors are missing; colour names are the nearest "
        "of eleven prototypes instead of learned ones, and counted instead of "
        "quantised into words; descriptors are concatenated and standardised. " + _SVM,
        figure=62.2,
        measured_on="Painting-91: 2,338 paintings of 13 styles",
        descriptors=("color_names", "hog", "lbp", "sift"),
    ),
    CitedSystem(
        name="bar2014",
        title="Classification of Artistic Styles Using Binarized Features Derived from "
        "a Deep Neural Network",
        authors="Bar, Levy, Wolf",
        year=2014,
        venue="ECCV Workshops",
        states="Features of a pretrained network (Decaf) are made binary, joined with "
        "PiCoDes, binary as well, and classified by nearest neighbours.",
        taken_over="Binary features of a pretrained network, and nearest neighbours by "
        "the number of bits that differ.",
        departures="PiCoDes are missing. The encoding is replaced by the signs of "
        "1,024 random projections. The network is InceptionV3. There are ten "
        "neighbours, weighted by distance.",
        figure=43.0,
        measured_on="WikiArt",
        source="according to the review by Santos et al. (2021)",
    ),
    CitedSystem(
        name="condorovici2015",
        title="Automatically Classifying Paintings with Perceptual Inspired "
        "Descriptors",
        authors="Condorovici, Florea, Vertan",
        year=2015,
        venue="Journal of Visual Communication and Image Representation",
        states="Descriptors are inspired by human perception.",
        taken_over="Descriptors of colour, lightness, texture and edges.",
        departures="The descriptors themselves: a layout of colours, statistics of "
        "lightness, Gabor energies and directions of edges replace theirs. Its "
        "classifier isn't known for certain: skart uses a support vector machine with "
        "a radial kernel.",
        descriptors=("color_layout", "luminance", "gabor", "edge_direction"),
    ),
    CitedSystem(
        name="florea2017",
        **_FLOREA,
        states="Pandora18K; colour structure and histograms of topography, in a "
        "boosted ensemble of support vector machines that corrects in later stages "
        "what the first got wrong.",
        taken_over="Both descriptors, and boosting of support vector machines.",
        departures="The descriptors are concatenated, standardised and boosted by "
        "AdaBoost (SAMME) in at most ten rounds, instead of its own boosting; bins and "
        "thresholds of the descriptors are ours. " + _SVM,
        descriptors=("color_structure", "topography"),
    ),
    CitedSystem(
        name="florea2017-cnn",
        **_FLOREA,
        states="Its own system is compared with deep networks.",
        taken_over="The use of a pretrained network.",
        departures="Frozen InceptionV3, and logistic regression on its standardised "
        "features; its networks and their training aren't known for certain.",
        figure=56.0,
        measured_on="Pandora18K",
        source="given by the report (Yu, Jin, Hsu 2017) as the publication's baseline, "
        "without naming the system",
    ),
]

# By name, in the order of their years.
CITED = {system.name: system for system in _SYSTEMS}


def make_cited_pipeline(
    name,
    *,
    size=None,
    backbone="InceptionV3",
    weights="imagenet",
    cache=None,
    on_error="raise",
    random_state=0,
    verbose=True,
):
    """Make a pipeline after a system published before the report.

    The steps are ``load`` (:class:`ImageLoader`), ``features``, preprocessing and
    ``classifier``. No pipeline is an exact copy:
    ``skart.model_selection.CITED[name]`` lists what it follows and where it differs.

    Parameters
    ----------
    name : str
        Name of the system:

        - ``"gunsel2005"``: six numbers of lightness and edges, support vector machine.
        - ``"gunsel2005-bayes"``: the same with naive Bayes.
        - ``"arora2012"``: bag of SIFT words, support vector machine.
        - ``"khan2014"``: colour names, HOG, LBP and SIFT words, support vector machine.
        - ``"bar2014"``: binarized network features, nearest neighbours.
        - ``"condorovici2015"``: perceptual descriptors, support vector machine.
        - ``"florea2017"``: colour structure and topography, boosted support vector
          machines.
        - ``"florea2017-cnn"``: network features, logistic regression.
    size : int or (int, int), default=None
        Height and width of the images in pixels. If None, 256 for hand-crafted
        features, and the default size of the network otherwise, 299 for InceptionV3.
    backbone : str, default="InceptionV3"
        Network of systems with a network. See :class:`FeatureExtractor`.
    weights : "imagenet", str, path or None, default="imagenet"
        Its weights. See :class:`FeatureExtractor`.
    cache : str, path or FeatureStore, default=None
        See :class:`FeatureExtractor`. If None, each fit computes the features anew.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    random_state : int, default=0
        Seed of visual words, random projections and boosting.
    verbose : bool, default=True
        If True, show a progress bar during extraction.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Unfitted pipeline. Support vector machines have no probabilities: wrap the
        pipeline in :class:`sklearn.calibration.CalibratedClassifierCV` for them.

    Raises
    ------
    ValueError
        If ``name`` is unknown.

    See Also
    --------
    skart.make_transfer_pipeline : The report's own pipeline.
    CitedSystem : Description of a system.

    Examples
    --------
    >>> from skart.model_selection import make_cited_pipeline
    >>> pipe = make_cited_pipeline("florea2017", size=128)
    >>> list(pipe.named_steps)
    ['load', 'features', 'scale', 'classifier']
    """
    from skart.features import FeatureExtractor, HandcraftedFeatures
    from skart.features._backbone import default_size
    from skart.images import ImageLoader

    if name not in CITED:
        raise ValueError(
            f"name must be that of a cited system; got {name!r}.{suggest(name, CITED)}"
        )
    system = CITED[name]
    if system.descriptors:
        features = HandcraftedFeatures(
            system.descriptors, cache=cache, random_state=random_state, verbose=verbose
        )
    else:
        features = FeatureExtractor(
            backbone, weights=weights, cache=cache, verbose=verbose
        )
    if size is None:
        size = system.size if system.descriptors else default_size(backbone)
    loader = ImageLoader(size, on_error=on_error)
    return Pipeline(
        [("load", loader), ("features", features), *_make_steps(name, random_state)]
    )


def _make_steps(name, random_state):
    """Return the pipeline steps that follow the features."""
    between, classifier = [], SVC(C=_C)
    if name == "gunsel2005-bayes":
        classifier = GaussianNB()
    elif name == "bar2014":
        projection = GaussianRandomProjection(1024, random_state=random_state)
        between = [("project", projection), ("binarise", Binarizer())]
        # The squared distance of bits is the number of bits that differ.
        classifier = KNeighborsClassifier(10, weights="distance", algorithm="brute")
    elif name == "florea2017":
        classifier = AdaBoostClassifier(
            # With a larger C the first machine fits its training set perfectly.
            BoostedSVC(C=1),
            n_estimators=10,
            random_state=random_state,
        )
    elif name == "florea2017-cnn":
        classifier = LogisticRegression(C=0.01, max_iter=1000)
    return [("scale", StandardScaler()), *between, ("classifier", classifier)]
