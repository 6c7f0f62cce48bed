"""Search spaces of the report, and a search over layers, poolings and heads."""

import itertools

from scipy.stats import loguniform, randint, uniform
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.validation import has_fit_parameter

from skart._utils._validation import check_choice
from skart.model_selection._pipelines import make_transfer_pipeline
from skart.model_selection._random_search import DefaultFirstSearchCV
from skart.model_selection._shared_pass import precompute_shared

_POOLINGS = {
    "layers": ["avg"],
    "style": ["avg", "std", ("avg", "std"), "gram"],
    "thorough": ["avg", "max", "std", ("avg", "std"), "gram", ("avg", "std", "gram")],
}


def head_search_space(prefix="head__"):
    """Return the distributions of the report's randomized search over heads.

    Learning rate, Adam's betas, units and dropout are drawn at random [1]_. The report
    gives no ranges for units and dropout, nor for the learning rate of a head; these
    contain its best head (1.95e-5, 650 units, dropout 0.7).

    Parameters
    ----------
    prefix : str, optional
        Name of the pipeline's step and two underscores, ``"head__"`` by default; ``""``
        for a head alone.

    Returns
    -------
    space : dict of str to distribution
        ``param_distributions`` of :class:`sklearn.model_selection.RandomizedSearchCV`.

    See Also
    --------
    skart.make_transfer_pipeline : A pipeline to search.
    cnn_search_space : The same for networks trained from scratch.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from skart.model_selection import head_search_space
    >>> sorted(head_search_space())[:2]
    ['head__dropout', 'head__optimizer__beta_1']
    """
    space = {
        "units": randint(100, 1001),
        "dropout": uniform(0.2, 0.6),
        "optimizer__learning_rate": loguniform(1e-5, 3e-3),
        "optimizer__beta_1": uniform(0.9, 0.099),
        "optimizer__beta_2": uniform(0.9, 0.099),
    }
    return {prefix + name: distribution for name, distribution in space.items()}


def cnn_search_space(prefix="cnn__"):
    """Return the distributions of the report's randomized search over networks.

    The learning rate is 10 ** U(-3.5, -2.5), Adam's betas are U(0.9, 0.999) and its
    epsilon is 10 ** U(-9, -7) [1]_. The report also searches dropout and the widths of
    the dense layers, but gives no ranges.

    Parameters
    ----------
    prefix : str, optional
        Name of the pipeline's step and two underscores, ``"cnn__"`` by default; ``""``
        for a network alone.

    Returns
    -------
    space : dict of str to distribution
        ``param_distributions`` of :class:`sklearn.model_selection.RandomizedSearchCV`
        for a :class:`CNNClassifier`. SqueezeNet has no ``units``.

    See Also
    --------
    skart.make_cnn_pipeline : A pipeline to search.
    head_search_space : The same for heads.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from skart.model_selection import cnn_search_space
    >>> sorted(cnn_search_space(prefix=""))[:3]
    ['dropout', 'optimizer__beta_1', 'optimizer__beta_2']
    """
    space = {
        "units": list(itertools.product((64, 128, 256, 512), (32, 64, 128))),
        "dropout": uniform(0, 0.5),
        "optimizer__learning_rate": loguniform(10**-3.5, 10**-2.5),
        "optimizer__beta_1": uniform(0.9, 0.099),
        "optimizer__beta_2": uniform(0.9, 0.099),
        "optimizer__epsilon": loguniform(1e-9, 1e-7),
    }
    return {prefix + name: distribution for name, distribution in space.items()}


def make_head_search(
    preset="style",
    *,
    cache,
    backbone="InceptionV3",
    layers=None,
    n_iter=20,
    cv=None,
    scoring=None,
    n_jobs=None,
    random_state=0,
    **pipeline,
):
    """Make a randomized search over layers, poolings and heads.

    ``fit`` computes the features of all candidates in one pass over the paintings (one
    for each crop with ``preset="thorough"``), and then searches the heads.

    Parameters
    ----------
    preset : {"layers", "style", "thorough"}, default="style"
        What is searched:

        - ``"layers"``: each layer, and all of them joined, under the report's dense
          head.
        - ``"style"``: also the mean, the standard deviation, both, or the Gram matrix
          of each channel; under a dense head or logistic regression.
        - ``"thorough"``: also maxima, all statistics joined, 1, 5 or 9 crops, and a
          support vector machine. That has no ``predict_proba``: if it is the best,
          pass ``CalibratedClassifierCV(search.best_estimator_)`` where probabilities
          are needed.
    cache : str, path or FeatureStore
        See :class:`FeatureExtractor`.
    backbone : str, default="InceptionV3"
        A network with layers; see :class:`FeatureExtractor`.
    layers : list of str, default=None
        Layers to search. If None, those of :func:`skart.networks.style_layers`.
    n_iter : int, default=20
        Number of candidates. The first is the dense head with its defaults on
        all layers, so that the search returns nothing worse.
    cv : int, splitter or iterable, default=None
        See :class:`sklearn.model_selection.RandomizedSearchCV`. To keep artists apart,
        use :class:`sklearn.model_selection.StratifiedGroupKFold` and pass ``groups`` to
        ``fit``.
    scoring : str or callable, default=None
        See :class:`sklearn.model_selection.RandomizedSearchCV`.
    n_jobs : int, default=None
        See :class:`sklearn.model_selection.RandomizedSearchCV`.
    random_state : int, RandomState instance or None, default=0
        Seed of the candidates, and of the dense heads.
    **pipeline : dict
        Further parameters of :func:`make_transfer_pipeline`, such as ``weights`` and
        ``size``, and of the dense head.

    Returns
    -------
    search : sklearn.model_selection.RandomizedSearchCV
        Unfitted search. Its pipeline has the steps ``load``, ``features`` and ``head``.

    Raises
    ------
    ValueError
        If the preset or a layer is unknown.
    TypeError
        If ``cache`` is None, or a parameter is unknown or set by the search.

    See Also
    --------
    skart.model_selection.head_search_space : Distributions of the dense head.
    make_stacked_classifier : A head for each layer.

    Examples
    --------
    >>> from sklearn.model_selection import StratifiedGroupKFold
    >>> from skart import make_head_search
    >>> search = make_head_search(
    ...     "style", cache="~/.cache/skart", n_iter=60, cv=StratifiedGroupKFold(4)
    ... )
    >>> list(search.estimator.named_steps)
    ['load', 'features', 'head']
    """
    from skart.networks import style_layers
    from skart.networks._backbones import count_features

    check_choice("preset", preset, tuple(_POOLINGS))
    if cache is None:
        raise TypeError("cache must be a folder or a FeatureStore; got None")
    if not isinstance(backbone, str):
        raise TypeError(
            f"backbone must be the name of a network, whose layers are searched; got "
            f"{backbone!r}. To search heads on an Encoder, pass make_transfer_pipeline "
            "and head_search_space() to RandomizedSearchCV."
        )
    if isinstance(layers, str):
        raise TypeError(f"layers must be a list of names; got {layers!r}")
    layers = list(layers or style_layers(backbone))
    searched = {"crops", "layer", "pooling"} & set(pipeline)
    if searched:
        raise TypeError(
            f"make_head_search sets {', '.join(sorted(searched))} itself. To search "
            "others, change param_distributions of the search."
        )
    # A candidate that fails is only a warning of the search.
    count_features(backbone, [(layer, "avg") for layer in layers])
    estimator = make_transfer_pipeline(
        backbone=backbone,
        layer=layers,
        cache=cache,
        crops=1 if preset == "thorough" else None,
        random_state=random_state,
        **pipeline,
    )
    features = {
        "features__layer": layers + ([tuple(layers)] if len(layers) > 1 else []),
        "features__pooling": _POOLINGS[preset],
    }
    if preset == "thorough":
        features["features__crops"] = [1, 5, 9]
    space = [features | {"head": [estimator["head"]]} | head_search_space()]
    if preset != "layers":
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        C = loguniform(1e-4, 1e1)
        space.append(features | {"head": [linear], "head__logisticregression__C": C})
    if preset == "thorough":
        svm = make_pipeline(StandardScaler(), SVC())
        C = loguniform(1e-1, 1e3)
        space.append(features | {"head": [svm], "head__svc__C": C})
    return _SharedPassSearchCV(
        estimator,
        space,
        n_iter=n_iter,
        cv=cv,
        scoring=scoring,
        n_jobs=n_jobs,
        random_state=random_state,
    )


class _SharedPassSearchCV(DefaultFirstSearchCV):
    """Randomized search that computes the features of all candidates in one pass."""

    def fit(self, X, y=None, **params):
        """Compute features, then run the search, as `RandomizedSearchCV` does."""
        candidates = [self.estimator]
        for space in self._spaces():
            names = [
                name
                for name, values in space.items()
                if "features__" in name and not hasattr(values, "rvs")
            ]
            for values in itertools.product(*(space[name] for name in names)):
                candidate = clone(self.estimator)
                candidates.append(
                    candidate.set_params(**dict(zip(names, values, strict=True)))
                )
        precompute_shared(candidates, X)
        return super().fit(X, y, **params)

    def get_metadata_routing(self):
        """Get the metadata routing of the search."""
        # scikit-learn's is that of the first head, but not all heads take groups.
        heads = (
            head
            for space in self._spaces()
            for name, values in space.items()
            if name.endswith("head")
            for head in values
        )
        router = super().get_metadata_routing()
        if not all(has_fit_parameter(head, "groups") for head in heads):
            ignore_groups(router)
        return router

    def _spaces(self):
        spaces = self.param_distributions
        return [spaces] if isinstance(spaces, dict) else spaces


def ignore_groups(router):
    """Change a metadata router so that only folds request ``groups``."""
    for _, (_, part) in router:
        if isinstance(part, MetadataRouter):
            ignore_groups(part)
        elif "groups" in part.fit.requests:
            part.fit.add_request(param="groups", alias=False)
