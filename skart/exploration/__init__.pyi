from ._index import PaintingIndex as PaintingIndex
from ._map import CollectionMap as CollectionMap
from ._novelty import NoveltyDetector as NoveltyDetector
from ._suggestions import suggest_paintings as suggest_paintings
