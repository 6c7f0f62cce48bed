from ._index import PaintingIndex as PaintingIndex
from ._map import CollectionMap as CollectionMap
