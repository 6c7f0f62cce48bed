import numpy as np
import pytest
from helpers import draw


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """36 paintings of three movements, by six artists each; read only."""
    return draw(tmp_path_factory.mktemp("paintings"), 2)


@pytest.fixture(scope="module")
def stripes():
    """24 images of plain colours and of stripes, as an array; read only."""
    generator = np.random.default_rng(0)
    X = np.zeros((24, 24, 24, 3), np.uint8)
    X[:] = generator.integers(0, 256, (24, 1, 1, 3))
    X[12:, ::2] = 0
    return X, np.repeat(["plain", "striped"], 12)
