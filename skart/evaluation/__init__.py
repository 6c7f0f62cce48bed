"""How good a classifier is on artists it has not seen, and where it errs: numbers only.

:func:`evaluate` cross-validates a pipeline, and gives an :class:`Evaluation`: the
predictions that each painting got from a model that had not seen it, and all that
follows from them.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
