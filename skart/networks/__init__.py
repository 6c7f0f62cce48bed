"""Plain functions that give Keras models; nothing here knows of scikit-learn."""

from skart.networks.alexnet import alexnet
from skart.networks.augmentation import make_augmentation
from skart.networks.backbone import load_backbone, preprocess
from skart.networks.dense_head import dense_head
from skart.networks.hybrid_cnn import hybrid_cnn
from skart.networks.squeezenet import squeezenet
from skart.networks.tail import cut_points, load_tail, unfreeze
from skart.networks.vgg_lite import vgg_lite

__all__ = [
    "alexnet",
    "cut_points",
    "dense_head",
    "hybrid_cnn",
    "load_backbone",
    "load_tail",
    "make_augmentation",
    "preprocess",
    "squeezenet",
    "unfreeze",
    "vgg_lite",
]
