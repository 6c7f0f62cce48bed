"""Answers on single images, as dicts that become JSON."""

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from skart._utils._pages import data_uri, jpeg_uri
from skart._utils._validation import suggest
from skart.images._decode import TooManyPixelsError, decode_image
from skart.images._formats import (
    UNREADABLE,
    MemoryImage,
    is_supported,
    read_header,
)
from skart.persistence._calibration import (
    compute_typicality,
    find_sets,
    promise_coverage,
    read_scores,
    warn_of_few_artists,
)
from skart.persistence._file import reading
from skart.serving._model import open_model

_ALPHA, _REFUSAL_RATE = 0.1, 0.05
_NOT_CALIBRATED = (
    "{}={:g} needs a calibrated model, and {!r} isn't calibrated: train it again by "
    "`skart train --calibrate`{}"
)


class RefusedError(ValueError):
    """An image or a parameter that can't be answered, and the HTTP status."""

    def __init__(self, text, status=400):
        super().__init__(text)
        self.status = status


class Service:
    """A model that is ready to answer, with a collection or without."""

    def __init__(self, file, *, data, alpha, refusal_rate, weights, cache):
        self.name = Path(file).name
        self._model, notes = open_model(file, weights, cache)
        self._movements = {str(one): one for one in self._model.classes}
        self._calibration = notes.get("calibration")
        digests = notes.get("digests")
        with reading(file):
            self._digests = None if digests is None else frozenset(digests)
        self._alpha, self._scores = self._find_alpha(file, alpha)
        self.collection = None if data is None else self._open(file, data, cache)
        self._refusal_rate, self._detector, self._known = self._find_refusal_rate(
            file, refusal_rate, digests
        )
        self.size, self._resize, self.max_pixels = self._model.decoding
        self._model.warm_up()

    def _find_alpha(self, file, alpha):
        """Return the alpha of sets and the scores behind it; None without sets."""
        if alpha is None or (alpha == "auto" and self._calibration is None):
            return None, None
        if self._calibration is None:
            raise ValueError(_NOT_CALIBRATED.format("alpha", alpha, str(file), ""))
        alpha = _ALPHA if alpha == "auto" else alpha
        scores = read_scores(file, self._calibration)
        warn_of_few_artists(1 - alpha, scores)
        return alpha, scores

    def _open(self, file, data, cache):
        """Return the collection, by features of the model or of the usual network."""
        from skart.exploration._extraction import add_loader
        from skart.features import FeatureExtractor
        from skart.networks import available_backbone
        from skart.serving._collection import Collection

        if not hasattr(self._model, "explain"):
            raise ValueError(
                f"data needs a model of skart train, and {str(file)!r} is an exported "
                "one, which returns no features. Leave data out, or pass the model"
            )
        extractor = self._model.features
        if extractor is None:  # the last step gets images
            backbone = available_backbone()
            warnings.warn(
                f"{self.name} is no head on stored features, so paintings are compared "
                f"by features of {backbone}",
                stacklevel=2,
            )
            extractor = FeatureExtractor(backbone, layer="style", cache=cache)
            extractor = add_loader(extractor, on_error="blank")
        return Collection(data, extractor, cache)

    def _find_refusal_rate(self, file, refusal_rate, digests):
        """Return the share of refused paintings, a detector, and scores of known ones.

        The detector is None if images are compared by their highest probability.
        """
        if refusal_rate is None:
            return None, None, None
        detector = known = None
        if self.collection is not None:
            trained = self.collection.find_trained(digests)
            if not trained.any():
                warnings.warn(
                    "the model was trained on none of the paintings of the collection: "
                    "they are shown as the nearest ones, but images are compared by "
                    "their highest probability to find those that are none of the "
                    "movements",
                    stacklevel=2,
                )
            else:
                try:
                    detector, known = self.collection.fit_detector(trained)
                except ValueError:
                    if refusal_rate != "auto":
                        raise
        if known is None and self._calibration is not None:
            with reading(file):
                known = np.array(self._calibration["confidence"], float)
        if refusal_rate == "auto":
            if known is None or _REFUSAL_RATE < 1 / (len(known) + 1):
                return None, None, None
            refusal_rate = _REFUSAL_RATE
        if known is None:
            hint = ", or pass data with the paintings it was trained on"
            raise ValueError(
                _NOT_CALIBRATED.format("refusal_rate", refusal_rate, str(file), hint)
            )
        least = 1 / (len(known) + 1)
        if refusal_rate < least - 1e-9:
            smallest = np.ceil(least * 1e4) / 1e4
            raise ValueError(
                f"refusal_rate={refusal_rate:g}: with {len(known)} known paintings, "
                f"the smallest share is {smallest:g}. Pass a larger one."
            )
        return refusal_rate, detector, known

    def describe(self):
        """Return what the model knows and promises."""
        calibration, collection = self._calibration or {}, self.collection
        coverage = None if self._alpha is None else round(1 - self._alpha, 9)
        return {
            "name": self.name,
            "movements": list(self._movements),
            "coverage": coverage,
            "promise": None
            if coverage is None
            else promise_coverage(coverage, self._scores),
            "unknown": self._refusal_rate,
            "heat": self._model.method,
            "neighbors": 0 if collection is None else collection.n_neighbors,
            "artists_known": collection is not None and collection.artists_known,
            "resize": self._resize,
            "max_pixels": self.max_pixels,
            "accuracy": calibration.get("accuracy"),
            "accuracy_interval": calibration.get("interval"),
            "artists_apart": (calibration["artists"] is not None)
            if "artists" in calibration
            else None,
        }

    def find_movement(self, name):
        """Return the movement of a name, which may be a number; None for None."""
        if name is None:
            return None
        if name not in self._movements:
            raise RefusedError(
                f"the model does not know the movement {name!r}."
                f"{suggest(name, self._movements)}"
            )
        return self._movements[name]

    def read_header(self, content):
        """Return format, width and height of an image, or raise RefusedError."""
        if not content:
            raise RefusedError("the body is empty: send the bytes of one image")
        if not is_supported(content):
            raise RefusedError(
                "this is no image in a format that can be read: send a JPEG, PNG, "
                "TIFF, WebP, AVIF, HEIC, JPEG 2000, GIF, BMP, PSD or PPM file"
            )
        try:
            return read_header(MemoryImage(content, "image"))
        except UNREADABLE as error:
            raise self._refuse(error) from None

    def decode(self, content):
        """Return the pixels of an image as the model sees them."""
        image = MemoryImage(content, "image")
        try:
            return decode_image(image, self.size, self._resize, self.max_pixels)
        except UNREADABLE as error:
            raise self._refuse(error) from None

    def _refuse(self, error):
        """Return the refusal of an image. Messages of decoders are not passed on."""
        if isinstance(error, TooManyPixelsError):
            text = f"the image has more than {self.max_pixels:,} pixels"
            return RefusedError(f"{text}: send a smaller copy", 413)
        if str(error).startswith("a HEIC image"):
            return RefusedError("HEIC images can't be read here: send a JPEG copy")
        return RefusedError("the image can't be read: it is damaged or incomplete")

    def predict(self, content, pixels, *, heat=False, movement=None, neighbors=False):
        """Return the answer on an image but for what is read from its bytes."""
        probabilities, features = self._model.predict(pixels)
        needs_features = neighbors and self.collection is not None
        if features is None and (needs_features or self._detector is not None):
            features = self.collection.extract(content)
        order = np.argsort(-probabilities, kind="stable")
        ranked = [str(self._model.classes[code]) for code in order]
        answer = {
            "movements": [
                {"movement": name, "probability": float(chance)}
                for name, chance in zip(ranked, probabilities[order], strict=True)
            ],
            "set": None,
            "none_of_these": None,
            "typicality": None,
        }
        if self._alpha is not None:
            row = probabilities[order][None].astype(float)
            is_in = find_sets(row, self._scores, self._alpha)[0]
            answer["set"] = [x for x, one in zip(ranked, is_in, strict=True) if one]
        if self._refusal_rate is not None:
            score = [probabilities.max()]
            if self._detector is not None:
                score = self._detector.score_samples(features)
            typicality = float(compute_typicality(score, self._known)[0])
            answer["none_of_these"] = typicality <= self._refusal_rate
            answer["typicality"] = typicality
        answer["heat"] = answer["neighbors"] = None
        if heat and self._model.method is not None:
            if movement is None:
                movement = self._model.classes[order[0]]
            answer["heat"] = {
                "movement": str(movement),
                "method": self._model.method,
                "overlay": self._model.explain(pixels, movement),
            }
        if needs_features:
            answer["neighbors"] = self.collection.find_neighbors(features)
        return answer

    def finish(self, answer, content, header, pixels):
        """Add to an answer what needs no network: images, and facts about the bytes.

        `pixels` are shown as a thumbnail, unless they are None.
        """
        kind, width, height = header
        answer["image"] = {"format": kind, "width": width, "height": height}
        if answer["heat"] is not None:
            file = io.BytesIO()
            Image.fromarray(answer["heat"]["overlay"]).save(file, "PNG")
            answer["heat"]["overlay"] = data_uri("image/png", file.getvalue())
        for one in answer["neighbors"] or ():
            one["thumbnail"] = self.collection.thumbnail(one.pop("row"))
        if pixels is not None:
            answer["image"]["thumbnail"] = jpeg_uri(pixels)
        answer["known"] = None
        if self._digests is not None:
            digest = hashlib.sha256(content).hexdigest()[:16]
            answer["known"] = digest in self._digests
        return answer
