"""What is known of the systems that came before, and what of it is taken over."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class CitedSystem:
    """A published system, and how far `cited_pipeline` follows it.

    Parameters
    ----------
    name : str
        As :func:`skart.model_selection.cited_pipeline` takes it.
    title, authors, venue : str
        Of the publication; last names only.
    year : int
        When it was published.
    states : str
        What the publication says it does.
    taken_over : str
        What skart does as it says.
    departures : str
        What skart does otherwise, and what isn't known.
    figure : float, default=None
        The accuracy that was published for the best of its systems, in percent; None
        where it is not taken over because it isn't known for certain.
    measured_on : str, default=None
        The paintings on which ``figure`` was measured.
    source : str, default=None
        Where ``figure`` is from, if not from the publication.
    kinds : tuple of str, default=()
        The hand-made descriptors that skart computes for it, by the names that
        :class:`skart.HandcraftedFeatures` takes; none if it has a pretrained network.

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
    kinds: tuple = ()

    @property
    def size(self):
        """Side of the images in pixels, unless another is asked for: an int."""
        return 256 if self.kinds else 299

    @property
    def reference(self):
        """The publication, as a list of references has it: a str."""
        return f'{self.authors}. "{self.title}". {self.venue} {self.year}.'

    @property
    def published(self):
        """The published figure and the paintings, or why there is none: a str."""
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
    "classifier and a support vector machine tell its movement.",
    "kinds": ("gunsel",),
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
        taken_over="Which six numbers, and a support vector machine.",
        departures="How the numbers are computed in detail: see "
        f"skart.features.descriptors.gunsel. {_SVM}",
    ),
    CitedSystem(
        name="gunsel2005-bayes",
        **_GUNSEL,
        taken_over="Which six numbers, and a Bayesian classifier.",
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
        departures="Classemes are not there, though the published figure is theirs; "
        "words are of grey images, not of colour; there are 200 of them. " + _SVM,
        figure=65.4,
        measured_on="490 paintings of seven styles",
        kinds=("sift",),
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
        departures="Not all of its descriptors are there; colour names are the nearest "
        "of eleven prototypes, not learned, and their shares are counted, not put into "
        "words; descriptors stand side by side, each number standardised. " + _SVM,
        figure=62.2,
        measured_on="Painting-91: 2,338 paintings of 13 styles",
        kinds=("color_names", "hog", "lbp", "sift"),
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
        departures="PiCoDes are not there. A fixed "
        "random binarisation stands in for the encoding: the signs of 1,024 random "
        "projections. The network is InceptionV3. There are ten neighbours, the "
        "nearer of which count more.",
        figure=43.0,
        measured_on="WikiArt",
        source="as the review by Santos et al. (2021) has it",
    ),
    CitedSystem(
        name="condorovici2015",
        title="Automatically Classifying Paintings with Perceptual Inspired "
        "Descriptors",
        authors="Condorovici, Florea, Vertan",
        year=2015,
        venue="Journal of Visual Communication and Image Representation",
        states="Descriptors are inspired by human perception.",
        taken_over="Descriptors of what people perceive: colour, lightness, texture "
        "and edges.",
        departures="The descriptors themselves: a layout of colours, statistics of "
        "lightness, Gabor energies and directions of edges stand in for theirs. Its "
        "classifier isn't known for certain: here it is a support vector machine with "
        "a radial kernel.",
        kinds=("color_layout", "luminance", "gabor", "edge_direction"),
    ),
    CitedSystem(
        name="florea2017",
        **_FLOREA,
        states="Pandora18K; colour structure and histograms of topography, in a "
        "boosted ensemble of support vector machines that corrects in later stages "
        "what the first got wrong.",
        taken_over="Both descriptors, and that support vector machines are boosted.",
        departures="Both descriptors stand side by side, each number standardised, and "
        "are boosted by AdaBoost (SAMME) in ten rounds at most; its own way of "
        "boosting is not taken over, nor are bins and thresholds of the descriptors. "
        + _SVM,
        kinds=("color_structure", "topography"),
    ),
    CitedSystem(
        name="florea2017-cnn",
        **_FLOREA,
        states="Its own system is compared with deep networks.",
        taken_over="That a pretrained network is used.",
        departures="InceptionV3, which stays frozen, and logistic regression on its "
        "standardised features; which networks it had, and how they were trained, "
        "isn't known for certain.",
        figure=56.0,
        measured_on="Pandora18K",
        source="as the report (Yu, Jin, Hsu 2017) gives the publication's baseline, "
        "without saying of which system",
    ),
]

# By name, in the order of their years.
CITED = {system.name: system for system in _SYSTEMS}
