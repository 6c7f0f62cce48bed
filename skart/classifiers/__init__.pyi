from ._cached import CachedClassifier as CachedClassifier
from ._cnn import AlexNetClassifier as AlexNetClassifier
from ._cnn import HybridCNNClassifier as HybridCNNClassifier
from ._cnn import SqueezeNetClassifier as SqueezeNetClassifier
from ._cnn import VGGLiteClassifier as VGGLiteClassifier
from ._dense_head import DenseHeadClassifier as DenseHeadClassifier
from ._fine_tune import FineTuneClassifier as FineTuneClassifier
