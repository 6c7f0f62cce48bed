"""How good a classifier is on artists it has not seen, and where it errs: numbers only.

:func:`evaluate` cross-validates a pipeline, and gives an :class:`Evaluation`: the
predictions that each painting got from a model that had not seen it, and all that
follows from them.
"""

from skart.evaluation._cross_validation import evaluate
from skart.evaluation._evaluation import Evaluation

__all__ = ["Evaluation", "evaluate"]
