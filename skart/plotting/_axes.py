"""Axes and labels of figures."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

_BREAK = "\u200b"  # zero-width space


def make_axes(ax, n_axes, n_columns, *, figsize, layout="constrained", **options):
    """Return the figure and `n_axes` Axes: new ones, within `ax`, or those in `ax`."""
    if ax is not None and not isinstance(ax, Axes):
        axes = np.asarray(ax, dtype=object).ravel()
        if len(axes) != n_axes:
            raise ValueError(f"ax must hold {n_axes} Axes; got {len(axes)}")
        return axes[0].figure, axes
    shape = -(-n_axes // n_columns), n_columns
    if ax is None:
        figure = plt.figure(figsize=figsize, layout=layout)
        axes = figure.subplots(*shape, squeeze=False, **options)
    else:
        place = ax.get_subplotspec()
        if place is None:
            raise ValueError("ax must be one of plt.subplots(), or None")
        ax.set_axis_off()
        figure = ax.figure
        spacing = options.pop("gridspec_kw", {})
        axes = place.subgridspec(*shape, **spacing).subplots(squeeze=False, **options)
    axes = axes.ravel()
    for unused in axes[n_axes:]:
        unused.set_axis_off()
    return figure, axes[:n_axes]


def as_label(name, width=None):
    """Return a name as text that Matplotlib draws as it is, in lines of `width`."""
    # A dollar sign would begin mathematics.
    text = " ".join(str(name).split()).replace("$", r"\$")
    text = "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
    if width is None:
        return text
    # Long names are also broken after underscores.
    text = textwrap.fill(text.replace("_", f"_{_BREAK} "), width)
    return text.replace(f"_{_BREAK} ", "_").replace(_BREAK, "")
