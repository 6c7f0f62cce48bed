"""Measure how much more memory more paintings take.

Each task runs in a process of its own, with some paintings and with four times as many:
what the process takes at most, beyond what its files and libraries are mapped to, and
the slope between the two. Prints a Markdown table.

    python benchmarks/memory.py
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from common import describe_machine

from skart import (
    DenseHeadClassifier,
    FeatureExtractor,
    FineTuneClassifier,
    HybridCNNClassifier,
    ImageLoader,
)
from skart.datasets import load_image_folder, make_paintings


def extract(paths, labels, folder):
    """Extraction into a new store: MobileNetV2 at 96 x 96."""
    extractor = FeatureExtractor(
        "MobileNetV2", weights=None, cache=f"{folder}/store", verbose=False
    )
    extractor.transform(ImageLoader(96).transform(paths))
