from ._paintings import ImageSizeDisplay as ImageSizeDisplay
from ._paintings import MistakesDisplay as MistakesDisplay
from ._paintings import SamplesDisplay as SamplesDisplay
from ._results import HistoryDisplay as HistoryDisplay
from ._results import SearchDisplay as SearchDisplay
from ._results import plot_confusion_matrix as plot_confusion_matrix
from ._results import plot_coverage as plot_coverage
from ._results import plot_reliability as plot_reliability
