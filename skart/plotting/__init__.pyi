from ._paintings import ImageSizeDisplay as ImageSizeDisplay
from ._paintings import MistakesDisplay as MistakesDisplay
from ._paintings import SamplesDisplay as SamplesDisplay
from ._predictions import ConfusionDisplay as ConfusionDisplay
from ._predictions import CoverageDisplay as CoverageDisplay
from ._predictions import ReliabilityDisplay as ReliabilityDisplay
from ._training import HistoryDisplay as HistoryDisplay
from ._training import SearchDisplay as SearchDisplay
