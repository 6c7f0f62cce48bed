from ._cached import CachedClassifier as CachedClassifier
from ._cnn import CNNClassifier as CNNClassifier
from ._cnn import HybridCNNClassifier as HybridCNNClassifier
from ._dense_head import DenseHeadClassifier as DenseHeadClassifier
from ._dense_head import report_head as report_head
from ._fine_tune import FineTuneClassifier as FineTuneClassifier
