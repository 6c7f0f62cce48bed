"""Plain functions that give Keras models; nothing here knows of scikit-learn."""

from skart.networks.backbone import load_backbone, preprocess
from skart.networks.dense_head import dense_head

__all__ = ["dense_head", "load_backbone", "preprocess"]
