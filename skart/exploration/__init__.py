"""Nearest paintings, the map of a collection, and paintings to label next."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
