from ._lazy_images import LazyImages as LazyImages
from ._lazy_images import UnreadableImageError as UnreadableImageError
from ._loader import ImageLoader as ImageLoader
from ._readable import find_readable as find_readable
