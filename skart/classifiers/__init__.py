"""What is trained: features or images to movements."""

from skart.classifiers._cnn import (
    AlexNetClassifier,
    HybridCNNClassifier,
    SqueezeNetClassifier,
    VGGLiteClassifier,
)
from skart.classifiers._dense_head import DenseHeadClassifier

__all__ = [
    "AlexNetClassifier",
    "DenseHeadClassifier",
    "HybridCNNClassifier",
    "SqueezeNetClassifier",
    "VGGLiteClassifier",
]
