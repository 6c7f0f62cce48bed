"""A fitted or an exported model that predicts from pixels and stores nothing."""

import numpy as np
from PIL import Image

from skart.persistence._calibration import read_notes
from skart.persistence._exported import load_exported


def open_model(file, weights=None, cache=None):
    """Return the model in a file, and the notes of the file."""
    exported = load_exported(file)
    notes = read_notes(file, exported)
    if exported is None:
        return FittedModel(file, weights, cache), notes
    if weights is not None:
        raise ValueError(
            f"weights can't be passed for {str(file)!r}: it is an exported model, "
            "which contains them"
        )
    return ExportedModel(exported), notes


class ExportedModel:
    """An exported model, which has neither features nor heat maps."""

    method, features = None, None

    def __init__(self, exported):
        self.classes, self.decoding = exported.classes, exported.decoding
        self._run = exported.run

    def predict(self, pixels):
        """Return the probabilities of an image, and None for its features."""
        return self._run(pixels), None

    def warm_up(self):
        """Predict once."""
        self.predict(np.zeros((*self.decoding[0], 3), np.uint8))


class FittedModel:
    """A model of skart train. What it computes is not written to the feature store.

    `features` is the fitted Pipeline from paths to the features that the last step
    gets, which reads and writes the store; None if the last step gets images.
    """

    def __init__(self, file, weights=None, cache=None):
        from skart.explanation._predictor import without_store
        from skart.features._stored import StoredFeatures
        from skart.images._loader import check_size
        from skart.persistence._load import load_pipeline

        self._pipe = pipe = load_pipeline(file, weights=weights, cache=cache)
        self.classes, loader = pipe.classes_.tolist(), pipe[0]
        size = check_size("size", loader.size)
        self.decoding = size, loader.resize, loader.max_pixels
        steps = without_store(pipe)
        self._before, self._last = steps[1:-1], steps[-1]
        has_features = any(isinstance(x, StoredFeatures) for _, x in pipe.steps)
        self.features = pipe[:-1] if has_features else None
        self.method = None

    def predict(self, pixels):
        """Return the probabilities and the features of an image."""
        images = pixels[None]
        features = self._before.transform(images) if len(self._before) else images
        probabilities = self._last.predict_proba(features)[0]
        return probabilities, features if self.features is not None else None

    def explain(self, pixels, movement):
        """Return where the model looked, as RGBA pixels that lie over the image."""
        from skart.explanation._methods import explain
        from skart.explanation._overlay import colour_heat

        found = explain(
            self._pipe,
            pixels[None],
            method=self.method,
            movements=movement,
            verbose=False,
        )
        return (255 * colour_heat(found.heat[0])).round().astype(np.uint8)

    def warm_up(self):
        """Predict and explain once; `method` becomes the one that works."""
        from skart.explanation._grad_cam import find_fault

        size = self.decoding[0]
        noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
        pixels = np.asarray(Image.fromarray(noise).resize(size[::-1]))
        self.predict(pixels)
        if find_fault(self._pipe) is None:
            self.method = "grad_cam"
            try:
                self.explain(pixels, self.classes[0])
                return
            except (ValueError, RuntimeError):  # no maps, or no TensorFlow
                pass
        self.method = "occlusion"
        self.explain(pixels, self.classes[0])
