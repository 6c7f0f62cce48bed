"""Cross-validation with artists kept apart, and metrics of its predictions."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
