"""Sizes of the experiments of a reproduction, and its split."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Settings:
    """Image sizes in pixels, numbers of candidates and epochs of the experiments."""

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
    """Return the part of each painting: 80/10/10 %, stratified by movement."""
    part = np.full(len(labels), "train", dtype="U10")
    generator = np.random.default_rng(seed)
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        n_held_out = max(1, round(len(rows) / 10))
        part[rows[:n_held_out]] = "test"
        part[rows[n_held_out : 2 * n_held_out]] = "validation"
    return part
