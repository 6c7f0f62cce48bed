from ._index import PaintingIndex as PaintingIndex
