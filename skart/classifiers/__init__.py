"""What is trained: features or images to movements."""

from skart.classifiers._cached import CachedClassifier
from skart.classifiers._cnn import (
    AlexNetClassifier,
    HybridCNNClassifier,
    SqueezeNetClassifier,
    VGGLiteClassifier,
)
from skart.classifiers._dense_head import DenseHeadClassifier
from skart.classifiers._fine_tune import FineTuneClassifier

__all__ = [
    "AlexNetClassifier",
    "CachedClassifier",
    "DenseHeadClassifier",
    "FineTuneClassifier",
    "HybridCNNClassifier",
    "SqueezeNetClassifier",
    "VGGLiteClassifier",
]
