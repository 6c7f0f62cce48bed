from ._conformal import ConformalClassifier as ConformalClassifier
from ._cross_validation import evaluate as evaluate
from ._evaluation import Evaluation as Evaluation
