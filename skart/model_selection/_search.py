"""What to search where style lies: layers, statistics of them, crops, and heads."""

import dataclasses

from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from skart._utils._validation import check_choice
from skart.model_selection._pipelines import (
    STYLE_LAYERS,
    head_search_space,
    make_transfer_pipeline,
)

__all__ = ["HeadSearch"]

_POOLINGS = {
    "layers": ["avg"],
    "style": ["avg", "std", "avg+std", "gram"],
    "thorough": ["avg", "max", "std", "avg+std", "gram", "avg+std+gram"],
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadSearch:
    """A search over layer, pooling and head in which each painting runs once.

    It gives what :class:`sklearn.model_selection.RandomizedSearchCV` takes: a pipeline,
    paths in and movements out, and the space to search. Whichever candidate comes
    first, its pass through the network keeps the features of all others
    (``FeatureExtractor(keep=...)``), so that the search costs one pass for each window
    of a painting, and then the heads.

    Parameters
    ----------
    preset : {"layers", "style", "thorough"}, default="style"
        ``"layers"``: each layer, and all of them joined, under the report's dense head.
        ``"style"``: with mean, standard deviation, both, and the Gram matrix; under a
        dense head, logistic regression or a support-vector machine. ``"thorough"``:
        with maxima and all statistics joined, and from one, five or nine crops, which
        are nine passes.
    backbone : str, default="InceptionV3"
        See :class:`FeatureExtractor`.
    layers : sequence of str, default=None
        Layers to search; None for ``"mixed2"``, ``"mixed5"`` and ``"mixed8"`` of
        InceptionV3. Those of other backbones are to be named.
    cache : str, path or FeatureStore
        Where features are kept.
    options : dict, default={}
        What else :func:`make_transfer_pipeline` takes: ``weights``, ``size``,
        ``crop_size``, ``dtype``, ``on_error``, ``verbose``, and parameters of the dense
        head.

    Attributes
    ----------
    pipeline : sklearn.pipeline.Pipeline
        The steps ``load``, ``features``, ``scale`` and ``head``; a new one each time.
    space : list of dict
        For ``param_distributions``: one for each kind of head.

    Raises
    ------
    ValueError
        If the preset is unknown, layers are to be named, or ``options`` holds what is
        the search's own; by ``pipeline``, if a layer is unknown.
    TypeError
        If there is no cache.

    See Also
    --------
    head_search_space : The head alone, as the report searched.
    make_stacked_pipeline : Several layers under heads of their own.

    Examples
    --------
    >>> from sklearn.model_selection import RandomizedSearchCV, StratifiedGroupKFold
    >>> from skart.model_selection import HeadSearch
    >>> search = HeadSearch(preset="style", cache="~/.cache/skart")
    >>> RandomizedSearchCV(
    ...     search.pipeline, search.space, n_iter=60, cv=StratifiedGroupKFold(4)
    ... )
    RandomizedSearchCV(...)
    """

    cache: object
    preset: str = "style"
    backbone: str = "InceptionV3"
    layers: tuple = None
    options: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        check_choice("preset", self.preset, tuple(_POOLINGS))
        if self.cache is None:
            raise TypeError("cache must be a folder or a FeatureStore; got None")
        if self.layers is None and self.backbone not in STYLE_LAYERS:
            raise ValueError(
                f"layers of {self.backbone} must be named: "
                f"skart.networks.cut_points({self.backbone!r}) lists them"
            )
        given = {"backbone", "cache", "crops", "keep", "layer", "pooling", "scale"}
        if given & set(self.options):
            raise ValueError(
                f"options can't hold {', '.join(sorted(given & set(self.options)))}: "
                "these are the search's own"
            )
        if isinstance(self.layers, str):
            raise ValueError(f"layers must be a list of names; got {self.layers!r}")

    @property
    def pipeline(self):
        """The pipeline to search, not fitted."""
        from skart.networks._backbones import count_features

        # A candidate that fails costs a search nothing but a warning.
        count_features(self.backbone, [(layer, "avg") for layer in self._layers()])
        kept = {"layer": self._layers(), "pooling": _POOLINGS[self.preset]}
        crops = 1 if self.preset == "thorough" else None
        return make_transfer_pipeline(
            backbone=self.backbone,
            cache=self.cache,
            crops=crops,
            keep=kept,
            scale=True,
            **self.options,
        )

    @property
    def space(self):
        """What to draw candidates from."""
        layers = self._layers()
        features = {
            "features__layer": layers + ([tuple(layers)] if len(layers) > 1 else []),
            "features__pooling": _POOLINGS[self.preset],
        }
        if self.preset == "thorough":
            features["features__crops"] = [1, 5, 9]
        dense = {**features, **head_search_space()}
        if self.preset == "layers":
            return [dense]
        linear = LogisticRegression(max_iter=2000)
        return [
            dense | {"head": [self.pipeline[-1]]},
            features | {"head": [linear], "head__C": loguniform(1e-4, 1e1)},
            features | {"head": [SVC()], "head__C": loguniform(1e-1, 1e3)},
        ]

    def _layers(self):
        return list(self.layers or STYLE_LAYERS[self.backbone])
