"""Small models, their paintings, and images to send to a server."""

import io

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import HandcraftedFeatures, ImageLoader, save_model
from skart.datasets import load_image_folder
from skart.persistence._parts import digest_paintings

HUES = {"Cubism": (200, 60, 40), "Rococo": (40, 60, 200)}


def encode(pixels, kind="PNG", **options):
    """Return an array of pixels as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def draw(colour, seed=0, size=(48, 36), **options):
    """Return the bytes of an image of blocks of similar colours."""
    pixels = np.random.default_rng(seed).normal(colour, 25, (6, 6, 3))
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return encode(np.asarray(image.resize(size, 0)), **options)


def save_served(folder):
    """Save fifty paintings by ten artists, plain.skart and calibrated model.skart."""
    for code, (movement, hue) in enumerate(HUES.items()):
        for number in range(25):
            artist = f"{'ABCDE'[number % 5]} of {movement}"
            file = folder / "paintings" / movement / artist / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(draw(hue, 100 * code + number))
    paintings = load_image_folder(folder / "paintings")
    store = folder / "store"
    features = HandcraftedFeatures("color_layout", cache=store, verbose=False)
    pipe = make_pipeline(ImageLoader(24), features, LogisticRegression(C=0.001))
    pipe.fit(paintings.paths, paintings.labels)
    save_model(pipe, folder / "plain.skart")
    codes = np.searchsorted(pipe.classes_, paintings.labels)
    probabilities = pipe.predict_proba(paintings.paths)
    notes = {
        "digests": digest_paintings(paintings.paths, store),
        "calibration": {
            "method": "cross-validated",
            "accuracy": 0.75,
            "interval": [0.5, 0.9],
            "artists": np.unique(paintings.artists, return_inverse=True)[1].tolist(),
            "movements": codes.tolist(),
            "probability": probabilities[np.arange(len(codes)), codes].tolist(),
            "confidence": probabilities.max(axis=1).tolist(),
        },
    }
    save_model(pipe, folder / "model.skart", notes=notes)
    return paintings
