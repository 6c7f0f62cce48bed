from . import descriptors as descriptors
from ._encoder import Encoder as Encoder
from ._extractor import FeatureExtractor as FeatureExtractor
from ._handcrafted import HandcraftedFeatures as HandcraftedFeatures
from ._lazy import LazyFeatures as LazyFeatures
