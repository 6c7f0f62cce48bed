from ._loader import ImageLoader as ImageLoader
from ._loader import LazyImages as LazyImages
from ._loader import UnreadableImageError as UnreadableImageError
