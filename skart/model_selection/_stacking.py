"""A stack of heads on several views of a painting."""

from sklearn.base import clone
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skart.model_selection._search import ignore_groups
from skart.model_selection._shared_pass import precompute_shared


def make_stacked_classifier(
    *,
    layers=None,
    backbone="InceptionV3",
    weights="imagenet",
    backbones=None,
    descriptors=("color_layout", "hsv", "color_structure", "lbp", "edge_direction"),
    pooling=("avg", "std"),
    size=None,
    cv=5,
    head=None,
    final_estimator=None,
    dtype="float32",
    cache=None,
    on_error="raise",
    random_state=0,
    verbose=True,
):
    """Make a stack of heads on layers, backbones and hand-crafted features.

    Each view of a painting has its own head. A final classifier learns from their
    out-of-fold probabilities [1]_. With ``cache``, all layers of a backbone are
    computed in one pass.

    Parameters
    ----------
    layers : list of str, default=None
        Layers with a head each. If None, those of
        :func:`skart.networks.style_layers`: ``"mixed2"``, ``"mixed5"`` and ``"mixed8"``
        of InceptionV3.
    backbone : str or Encoder, default="InceptionV3"
        See :class:`FeatureExtractor`. For an encoder that returns vectors, pass
        ``pooling="avg"``.
    weights : "imagenet", str, path or None, default="imagenet"
        See :class:`FeatureExtractor`.
    backbones : dict of str to (str, path or None), default=None
        Further backbones and their weights, with a head each on the last layer.
    descriptors : list of str or None, \
default=("color_layout", "hsv", "color_structure", "lbp", "edge_direction")
        Hand-crafted features, joined under one head: see
        :class:`HandcraftedFeatures`. If None, there are none.
    pooling : str or list of str, default=("avg", "std")
        See :class:`FeatureExtractor`.
    size : int or (int, int), default=None
        Height and width of the images. If None, the default size of each backbone.
    cv : int or splitter, default=5
        Folds of the out-of-fold predictions. An int makes random folds; to keep artists
        apart, pass an :class:`ArtistKFold`.
    head : classifier, default=None
        Head of each view, after a ``StandardScaler``. If None, logistic regression with
        ``C=0.01``.
    final_estimator : classifier, default=None
        Final classifier. If None, logistic regression.
    dtype : {"float32", "bfloat16", "float16"}, default="float32"
        See :class:`FeatureExtractor`.
    cache : str, path or FeatureStore, default=None
        See :class:`FeatureExtractor`. If None, each fold computes the features anew.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    random_state : int, default=0
        Seed of random weights and of the default heads.
    verbose : bool, default=True
        If True, show progress bars during extraction.

    Returns
    -------
    stack : StackedClassifier
        Unfitted stack, a :class:`sklearn.ensemble.StackingClassifier`. Its estimators
        are named after the layers and backbones, and ``"handcrafted"``.

    Raises
    ------
    TypeError
        If ``layers`` is not a list of names, or ``backbones`` is not a dict.
    ValueError
        If two views have the same name, or a name contains two underscores in a row,
        which scikit-learn reserves for parameters.

    See Also
    --------
    make_transfer_pipeline : A single view.

    References
    ----------
    .. [1] Wolpert. "Stacked generalization". Neural Networks 5, 1992.

    Examples
    --------
    >>> from skart.model_selection import ArtistKFold
    >>> from skart import make_stacked_classifier
    >>> artists = {"1.jpg": "Gris", "2.jpg": "Braque"}  # and so on
    >>> folds = ArtistKFold(4, artists=artists)
    >>> stack = make_stacked_classifier(cv=folds, cache="~/.cache/skart")
    >>> [name for name, _ in stack.estimators]
    ['mixed2', 'mixed5', 'mixed8', 'handcrafted']
    """
    from skart.features import FeatureExtractor, HandcraftedFeatures
    from skart.features._backbone import default_size, find_layers
    from skart.images import ImageLoader

    if head is None:
        head = LogisticRegression(C=0.01, max_iter=2000, random_state=random_state)
    if final_estimator is None:
        final_estimator = LogisticRegression(max_iter=2000, random_state=random_state)
    if layers is None:
        layers = find_layers(backbone, "style")
    if isinstance(layers, str) or not all(
        layer is None or isinstance(layer, str) for layer in layers
    ):
        raise TypeError(f"layers must be a list of names; got {layers!r}")
    if not isinstance(backbones, (dict, type(None))):
        raise TypeError(
            f"backbones must be a dict of weights by backbone; got {backbones!r}"
        )
    name = getattr(backbone, "name", backbone)  # of an Encoder
    views = [(layer or name, backbone, weights, layer) for layer in layers]
    views += [(name, name, file, None) for name, file in (backbones or {}).items()]
    shared = {"cache": cache, "random_state": random_state, "verbose": verbose}
    members = [
        (
            name,
            default_size(network),
            FeatureExtractor(
                network,
                weights=file,
                layer=layer,
                pooling=pooling,
                dtype=dtype,
                **shared,
            ),
        )
        for name, network, file, layer in views
    ]
    if descriptors:
        handcrafted = HandcraftedFeatures(descriptors, **shared)
        members.append(("handcrafted", default_size(backbone), handcrafted))
    _check_names([name for name, _, _ in members])
    estimators = [
        (
            name,
            Pipeline(
                [
                    ("load", ImageLoader(size or default, on_error=on_error)),
                    ("features", features),
                    ("scale", StandardScaler()),
                    ("head", clone(head)),
                ]
            ),
        )
        for name, default, features in members
    ]
    return StackedClassifier(
        estimators, final_estimator, cv=cv, stack_method="predict_proba"
    )


class StackedClassifier(StackingClassifier):
    """Stack of pipelines whose features are computed in one pass.

    Before the stack is fitted or predicts, the features of all its pipelines with the
    same images and network are stored together. Parameters and attributes are those of
    :class:`sklearn.ensemble.StackingClassifier`.

    See Also
    --------
    skart.make_stacked_classifier : Make a stack with the usual views.

    Examples
    --------
    >>> from skart import make_transfer_pipeline
    >>> from skart.model_selection import StackedClassifier
    >>> StackedClassifier(
    ...     [
    ...         (layer, make_transfer_pipeline(layer=layer, cache="~/.cache/skart"))
    ...         for layer in ("mixed2", "mixed5")
    ...     ]
    ... )
    StackedClassifier(...)
    """

    def fit(self, X, y, **fit_params):
        """Fit the stack.

        Parameters
        ----------
        X : array-like of str or path, shape (n_paintings,)
            Paths.
        y : array-like of shape (n_paintings,)
            Movements.
        **fit_params : dict
            See :class:`sklearn.ensemble.StackingClassifier`.

        Returns
        -------
        self : StackedClassifier
            Fitted stack.
        """
        precompute_shared([pipeline for _, pipeline in self.estimators], X)
        return super().fit(X, y, **fit_params)

    def transform(self, X):
        """Return the predictions of each pipeline.

        Parameters
        ----------
        X : array-like of str or path, shape (n_paintings,)
            Paths.

        Returns
        -------
        predictions : ndarray of shape (n_paintings, n_outputs)
            Probabilities of the movements, one pipeline after another.
        """
        precompute_shared(self.estimators_, X)
        return super().transform(X)

    def get_metadata_routing(self):
        """Get the metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            Passes metadata of ``fit`` on to the pipelines, except for ``groups``: they
            are those of the folds around the stack, and ``cv`` looks up its own.
        """
        # scikit-learn 1.9 would also pass groups to a final classifier that takes none.
        router = super().get_metadata_routing()
        ignore_groups(router)
        return router


def _check_names(names):
    """Raise ValueError unless the names of the views are distinct and allowed."""
    if not names:
        raise ValueError(
            "there is nothing to stack: pass layers, backbones or descriptors"
        )
    for name in names:
        if names.count(name) > 1 or "__" in name:
            raise ValueError(
                f"{name!r} can't be the name of one view: layers, backbones and "
                "'handcrafted' must differ, and contain no two underscores in a row; "
                f"got {names}"
            )
