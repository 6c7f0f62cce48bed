"""Images: a loader of files, and lazy arrays that decode them on access."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
