"""What the experiments of a reproduction are made with: their size, and the parts."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Settings:
    """How large and how long the experiments are.

    Parameters
    ----------
    size : int
        Side of the images in pixels for networks trained from scratch.
    pretrained_size : int
        The same for InceptionV3.
    n_networks, n_heads : int
        Candidates of the random searches.
    search_epochs : int
        Epochs of each network that is tried.
    epochs, head_epochs, fine_tune_epochs : int
        Epochs at most of the networks, heads and of fine-tuning.
    descriptor_size : int
        Side of the images in pixels for the hand-made descriptors of cited systems.
    """

    size: int = 500
    pretrained_size: int = 500
    n_networks: int = 10
    n_heads: int = 40
    search_epochs: int = 10
    epochs: int = 40
    head_epochs: int = 100
    fine_tune_epochs: int = 10
    descriptor_size: int = 256


# On 480 drawn paintings, under ten minutes on two cores.
QUICK = Settings(
    size=96,
    pretrained_size=299,
    n_networks=3,
    n_heads=6,
    search_epochs=5,
    epochs=12,
    head_epochs=40,
    fine_tune_epochs=4,
    descriptor_size=160,
)


def split(labels, seed=0):
    """Split paintings 80/10/10, as the report did: at random, by movement.

    Parameters
    ----------
    labels : ndarray of shape (n_paintings,)
        Movements.
    seed : int, default=0
        Of the shuffling.

    Returns
    -------
    part : ndarray of str, shape (n_paintings,)
        ``"train"``, ``"validation"`` or ``"test"``; validation and test have a tenth of
        each movement, and one painting at least.
    """
    part = np.full(len(labels), "train", dtype="U10")
    generator = np.random.default_rng(seed)
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        n_held_out = max(1, round(len(rows) / 10))
        part[rows[:n_held_out]] = "test"
        part[rows[n_held_out : 2 * n_held_out]] = "validation"
    return part
