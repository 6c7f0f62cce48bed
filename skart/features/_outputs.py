"""Layers and statistics that become features."""

import itertools

import pandas as pd

from skart._utils._validation import suggest

STATISTICS = ("avg", "max", "std", "gram")


def list_outputs(layer, pooling):
    """Return each layer (None for the last) with each statistic (None for maps)."""
    return list(itertools.product(_as_list(layer), _as_list(pooling)))


def check_outputs(layer, pooling):
    """Validate the `layer` and `pooling` parameters."""
    layers, statistics = _as_list(layer), _as_list(pooling)
    if not all(one is None or isinstance(one, str) for one in layers):
        raise TypeError(f"layer must be the name of a layer or a list; got {layer!r}")
    for one in statistics:
        if one not in STATISTICS and pooling is not None:
            raise ValueError(
                f"pooling must be one of {STATISTICS}, a list of them, or None; got "
                f"{pooling!r}.{suggest(one, STATISTICS)}"
            )
    for name, value, parts in (
        ("layer", layer, layers),
        ("pooling", pooling, statistics),
    ):
        if not parts or len(set(parts)) < len(parts):
            raise ValueError(
                f"{name} must be one name, or a list of different names; got {value!r}"
            )


def _as_list(value):
    return list(value) if pd.api.types.is_list_like(value) else [value]
