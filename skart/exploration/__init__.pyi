from ._index import PaintingIndex as PaintingIndex
from ._suggestions import suggest_paintings as suggest_paintings
