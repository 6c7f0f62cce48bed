"""Paintings whose movement sits in a known place."""

import numpy as np
import pytest
from PIL import Image

from skart.datasets import load_image_folder, make_paintings

SIDE, MOTIF = 224, 112
MOVEMENTS = ["Op Art", "Pointillism", "Ukiyo-e"]


@pytest.fixture(scope="session")
def located(tmp_path_factory):
    """Pictures, movements and masks: motifs on a plain ground, or the ground alone."""
    folder = tmp_path_factory.mktemp("motifs")
    root = make_paintings(
        folder,
        movements=MOVEMENTS,
        n_artists=3,
        n_per_artist=4,
        size_range=(240, 300),
        verbose=False,
    )
    paintings = load_image_folder(root)
    motifs = {}
    for path, movement in zip(paintings.paths, paintings.labels, strict=True):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((2 * MOTIF,) * 2))
        motifs.setdefault(movement, []).append(pixels[:MOTIF, :MOTIF])
    generator = np.random.default_rng(0)
    X, y, masks = [], [], []
    for number in range(96):
        movement = ["plain", *MOVEMENTS][number % 4]
        ends = generator.integers(120, 240, (2, 1, 3))
        share = np.linspace(0, 1, SIDE)[:, None]
        picture = ((1 - share) * ends[0] + share * ends[1]).astype(np.uint8)
        picture = np.repeat(picture[:, None], SIDE, axis=1)
        mask = np.zeros((SIDE, SIDE), bool)
        if movement != "plain":
            top, left = generator.integers(0, SIDE - MOTIF + 1, 2)
            box = slice(top, top + MOTIF), slice(left, left + MOTIF)
            # The last pictures have motifs of their own.
            choice = motifs[movement][:9] if number < 80 else motifs[movement][9:]
            picture[box], mask[box] = choice[generator.integers(len(choice))], True
        X.append(picture), y.append(movement), masks.append(mask)
    return np.array(X), np.array(y), np.array(masks)
