"""Functions that several test modules share."""

import numpy as np
from PIL import Image

from skart import DenseHeadClassifier


def save_image(path, size=(120, 90), seed=0, **options):
    """Write a smooth random picture, (width, height) pixels."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(path, **options)
    return str(path)


def psnr(a, b):
    """Likeness of two images of levels in 0-255, in dB."""
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return 10 * np.log10(255**2 / error)


def head(**parameters):
    """A head that is quickly trained."""
    defaults = {"units": 16, "dropout": 0.1, "epochs": 6, "random_state": 0}
    return DenseHeadClassifier(
        **(defaults | {"optimizer__learning_rate": 0.01} | parameters)
    )
