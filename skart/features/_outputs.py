"""What of a network's layers becomes features: layers and their statistics."""

import itertools

import pandas as pd

STATISTICS = ("avg", "max", "std", "gram")


def list_outputs(layer, pooling):
    """List each layer with each statistic.

    Parameters
    ----------
    layer : str, None or sequence of them
        Layers; None is the last.
    pooling : str or None
        Statistics joined by +; None for maps.

    Returns
    -------
    outputs : list of (str or None, str or None)
        A layer and a statistic each.
    """
    return list(itertools.product(_several(layer), _split(pooling)))


def list_kept(layer, pooling, keep):
    """List what a pass computes: what is asked for, and what is to be kept.

    Parameters
    ----------
    layer : str, None or sequence of them
        See :func:`list_outputs`.
    pooling : str or None
        See :func:`list_outputs`.
    keep : dict or None
        Lists of them, as ``"layer"`` and ``"pooling"``.

    Returns
    -------
    outputs : list of (str or None, str or None)
        In an order of their own, so that all candidates of a search share a network.
    """
    keep = keep or {}
    layers, statistics = set(_several(layer)), set(_split(pooling))
    layers.update(*map(_several, keep.get("layer", ())))
    statistics.update(*map(_split, keep.get("pooling", ())))
    return list(itertools.product(*(sorted(x, key=str) for x in (layers, statistics))))


def check_outputs(layer, pooling):
    """Refuse layers and statistics that there can't be.

    Parameters
    ----------
    layer : str, None or sequence of them
        See :func:`list_outputs`.
    pooling : str or None
        See :func:`list_outputs`.

    Raises
    ------
    TypeError
        If a layer is no name.
    ValueError
        If a statistic is unknown, or one is named twice.
    """
    layers, statistics = _several(layer), _split(pooling)
    if not all(one is None or isinstance(one, str) for one in layers):
        raise TypeError(f"layer must be a layer's name, or several; got {layer!r}")
    if not all(one is None or one in STATISTICS for one in statistics):
        raise ValueError(
            f"pooling must be one of {STATISTICS}, several of them joined by +, or "
            f"None; got {pooling!r}"
        )
    for name, value, parts in (
        ("layer", layer, layers),
        ("pooling", pooling, statistics),
    ):
        if not parts or len(set(parts)) < len(parts):
            raise ValueError(
                f"{name} must name one or more, each of them once; got {value!r}"
            )


def check_keep(keep, cache):
    """Refuse what a pass can't keep.

    Parameters
    ----------
    keep : dict or None
        See :func:`list_kept`.
    cache : str, path, FeatureStore or None
        Where to keep it.

    Raises
    ------
    ValueError
        If there is no store, or ``keep`` is no dict of lists of layers and poolings.
    """
    if keep is None:
        return
    if not isinstance(keep, dict) or not set(keep) <= {"layer", "pooling"}:
        raise ValueError(
            "keep must be None or a dict of lists, {'layer': [...], 'pooling': [...]}; "
            f"got {keep!r}"
        )
    if cache is None:
        raise ValueError("keep needs a store to keep it in: pass cache, too")
    for name, values in keep.items():
        if not isinstance(values, (list, tuple)):
            raise ValueError(f"keep[{name!r}] must be a list; got {values!r}")
    pairs = [(layer, "avg") for layer in keep.get("layer", ())]
    pairs += [(None, pooling) for pooling in keep.get("pooling", ())]
    for layer, pooling in pairs:
        if pooling is None:
            raise ValueError("keep['pooling'] must hold poolings that give vectors")
        try:
            check_outputs(layer, pooling)
        except (TypeError, ValueError) as error:
            raise ValueError(f"keep: {error}") from None


def _several(layer):
    return list(layer) if pd.api.types.is_list_like(layer) else [layer]


def _split(pooling):
    return pooling.split("+") if isinstance(pooling, str) else [pooling]
