"""What is trained: features or images to movements."""

from skart.classifiers._dense_head import DenseHeadClassifier

__all__ = ["DenseHeadClassifier"]
