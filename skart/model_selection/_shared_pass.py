"""Compute the features of several pipelines in one pass over the images."""

import itertools

from sklearn.base import clone

# Parameters in which pipelines of one pass may differ: each of their values is stored
# under its own name, and fewer crops are found among those of more.
_SHARED = ("layer", "pooling", "crops")


def precompute_shared(pipelines, X):
    """Store the features of pipelines whose images and networks are the same.

    Pipelines without a ``load`` step, a ``features`` step that can precompute, or a
    cache are left out: they compute their own features.
    """
    groups = {}
    for pipeline in pipelines:
        pipeline = getattr(pipeline, "estimator", pipeline)  # a CachedClassifier's
        loader = pipeline.named_steps.get("load")
        extractor = pipeline.named_steps.get("features")
        params = extractor.get_params(deep=False) if loader is not None else {}
        if params.get("cache") is None or not set(_SHARED) <= set(params):
            continue
        if params["pooling"] is None:  # maps of one layer
            continue
        shared = {name: params.pop(name) for name in _SHARED}
        key = repr((loader, sorted(params.items(), key=lambda item: item[0])))
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
