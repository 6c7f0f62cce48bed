"""Compute the features of several pipelines in one pass over the images."""

import itertools

from sklearn.base import clone

# Parameters in which pipelines of one pass may differ: features of each value are
# stored separately, and fewer crops are a part of more.
_SHARED = ("layer", "pooling", "crops")


def precompute_shared(pipelines, X):
    """Store the features of pipelines whose images and networks are the same.

    Only pipelines with the steps ``load`` and ``features`` take part, and only if the
    latter is a FeatureExtractor with a cache. All others compute their own features.
    """
    from skart.features import FeatureExtractor

    groups = {}
    for pipeline in pipelines:
        pipeline = getattr(pipeline, "estimator", pipeline)  # of a CachedClassifier
        steps = getattr(pipeline, "named_steps", {})
        loader, extractor = steps.get("load"), steps.get("features")
        if loader is None or not isinstance(extractor, FeatureExtractor):
            continue
        params = extractor.get_params(deep=False)
        if params["cache"] is None or params["pooling"] is None:  # maps of one layer
            continue
        shared = {name: params.pop(name) for name in _SHARED}
        key = repr((loader, sorted(params.items())))
        groups.setdefault(key, []).append((loader, extractor, shared))
    for members in groups.values():
        if len({repr(shared) for _, _, shared in members}) < 2:
            continue
        loader, extractor, _ = members[0]
        wanted = [shared for _, _, shared in members]
        union = clone(extractor).set_params(
            layer=_union(shared["layer"] for shared in wanted),
            pooling=_union(shared["pooling"] for shared in wanted),
            crops=max(shared["crops"] or 0 for shared in wanted) or None,
        )
        union.precompute(loader.transform(X))


def _union(values):
    """Return the distinct entries of values that are entries or lists of them."""
    lists = ([v] if v is None or isinstance(v, str) else v for v in values)
    return list(dict.fromkeys(itertools.chain(*lists)))
