from ._confidence import CoverageDisplay as CoverageDisplay
from ._confidence import ReliabilityDisplay as ReliabilityDisplay
from ._mistakes import MistakesDisplay as MistakesDisplay
from ._paintings import ImageSizeDisplay as ImageSizeDisplay
from ._paintings import SamplesDisplay as SamplesDisplay
from ._predictions import ConfusionDisplay as ConfusionDisplay
from ._training import HistoryDisplay as HistoryDisplay
from ._training import SearchDisplay as SearchDisplay
