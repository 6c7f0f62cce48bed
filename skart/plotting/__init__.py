"""Figures, as scikit-learn makes them: numbers in ``__init__``, drawing in ``plot``."""

from skart.plotting._paintings import (
    ImageSizeDisplay,
    MistakesDisplay,
    SamplesDisplay,
)
from skart.plotting._results import (
    HistoryDisplay,
    SearchDisplay,
    plot_confusion_matrix,
    plot_coverage,
    plot_reliability,
)

__all__ = [
    "HistoryDisplay",
    "ImageSizeDisplay",
    "MistakesDisplay",
    "SamplesDisplay",
    "SearchDisplay",
    "plot_confusion_matrix",
    "plot_coverage",
    "plot_reliability",
]
