"""A page for one painting on the own machine, and predictions over HTTP."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
