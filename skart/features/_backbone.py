"""The backbones of FeatureExtractor: networks of Keras, and encoders."""

import numpy as np

from skart._utils._validation import Integral, suggest
from skart.features._encoder import Encoder
from skart.features._engine import check_engine
from skart.features._stored import as_list
from skart.images._loader import check_size
from skart.networks import _style_layers
from skart.networks._weights import check_weights, identify_weights, short_name

_STATISTICS = ("avg", "max", "std", "gram")


def find_backbone(extractor):
    """Return the backbone of a FeatureExtractor."""
    if isinstance(extractor.backbone, Encoder):
        return EncoderBackbone(extractor)
    return KerasBackbone(extractor)


def default_size(backbone):
    """Return the default size of a backbone's images: an int or (height, width)."""
    if isinstance(backbone, Encoder):
        return backbone.size
    _check_kind(backbone)
    return _style_layers.default_size(backbone)


def _check_kind(backbone):
    if not isinstance(backbone, str):
        raise TypeError(
            f"backbone must be the name of a network or an Encoder; got {backbone!r}. "
            "To use a function, pass Encoder(function, name=...)."
        )


def find_layers(backbone, layer):
    """Return the `layer` parameter as a list, with names in place of "style"."""
    if not isinstance(layer, str) or layer != "style":
        return as_list(layer)
    return (
        [None]
        if isinstance(backbone, Encoder)
        else _style_layers.style_layers(backbone)
    )


def check_outputs(layer, pooling):
    """Validate the `layer` and `pooling` parameters."""
    layers, statistics = as_list(layer), as_list(pooling)
    if not all(one is None or isinstance(one, str) for one in layers):
        raise TypeError(f"layer must be the name of a layer or a list; got {layer!r}")
    for one in statistics:
        if one not in _STATISTICS and pooling is not None:
            raise ValueError(
                f"pooling must be one of {_STATISTICS}, a list of them, or None; got "
                f"{pooling!r}.{suggest(one, _STATISTICS)}"
            )
    for name, parts in (("layer", layers), ("pooling", statistics)):
        if not parts or len(set(parts)) < len(parts):
            raise ValueError(
                f"{name} must be one name, or a list of different names; got {parts!r}"
            )


class KerasBackbone:
    """A network of Keras, given by its name."""

    def __init__(self, extractor):
        self.extractor = extractor

    @property
    def name(self):
        """Name in messages and feature names."""
        return short_name(self.extractor.backbone)

    def check(self):
        """Validate the parameters of the extractor that depend on the backbone."""
        backbone, seed = self.extractor.backbone, self.extractor.random_state
        _check_kind(backbone)
        if self.extractor.weights is None and (
            not isinstance(seed, Integral) or seed < 0
        ):
            raise ValueError(
                "random_state must be an int of at least 0 with weights=None, so that "
                f"features are the same in every process; got {seed!r}"
            )
        check_weights(self.extractor.weights, backbone)
        check_engine(self.extractor.engine, self.extractor.dtype)

    def identify(self):
        """Return the part of an identity in the store that depends on the backbone."""
        one = self.extractor
        return {
            "backbone": self.name,
            "weights": identify_weights(one.weights, one.random_state, one.backbone),
            "dtype": one.dtype,
        }

    def compute(self, images):
        """Return a list of arrays, one for each layer and pooling."""
        from skart.networks import preprocess
        from skart.networks._keras import predict_batch

        network = self.extractor.network(images.shape[1:])
        computed = predict_batch(network, preprocess(self.extractor.backbone, images))
        return computed if isinstance(computed, list) else [computed]

    def name_outputs(self):
        """Return the name of each output of `compute`, and its number of features."""
        from skart.networks._backbones import count_features

        outputs = self.extractor._outputs
        names = ["_".join(filter(None, (self.name.lower(), *x))) for x in outputs]
        sizes = count_features(self.extractor.backbone, outputs)
        return list(zip(names, sizes, strict=True))

    def shape_of_maps(self, image_shape):
        """Return the shape of the maps of an image."""
        return self.extractor.network(image_shape).output_shape[1:]


class EncoderBackbone:
    """An Encoder, with the members of KerasBackbone."""

    def __init__(self, extractor):
        self.extractor = extractor
        self.encoder = extractor.backbone

    @property
    def name(self):
        return self.encoder.name

    def check(self):
        self.encoder._validate_params()
        defaults = {
            "weights": "imagenet",
            "layer": None,
            "dtype": "float32",
            "engine": "auto",
        }
        for name, default in defaults.items():
            found = getattr(self.extractor, name)
            if found != default and (name, found) != ("layer", "style"):
                raise ValueError(
                    f"{name}={found!r} is for networks of Keras, and the backbone is "
                    f"the encoder {self.name!r}: leave it at {default!r}. Layers, "
                    "weights and precision of an encoder are those of its function."
                )

    def identify(self):
        # No name of a network of Keras begins like this.
        return {
            "backbone": f"encoder:{self.name}",
            "weights": f"version {self.encoder.version}",
            "dtype": "float32",
        }

    def compute(self, images):
        return self._pool(self.encoder(images))

    def _pool(self, features):
        """Return a list of arrays, one for each pooling of maps."""
        statistics = [pooling for _, pooling in self.extractor._outputs]
        if features.ndim == 2:
            if statistics != ["avg"]:
                raise ValueError(
                    f"pooling={self.extractor.pooling!r} is for maps, and the encoder "
                    f"{self.name!r} returns vectors: pass pooling='avg', the default, "
                    "which leaves them unchanged"
                )
            return [features]
        if self.extractor.pooling is None:
            return [features]
        # Imported here, since it imports Keras.
        from skart.networks._pooling import pool

        return [pool(features, statistic) for statistic in statistics]

    def name_outputs(self):
        size = (self.extractor.crops and self.extractor.crop_size) or self.encoder.size
        image = np.zeros((1, *check_size("size", size), 3), np.uint8)
        features, stem = self.encoder(image), self.name.lower()
        outputs = self._pool(features)
        if features.ndim == 2:
            return [(stem, features.shape[1])]
        return [
            (f"{stem}_{statistic}", array.shape[1])
            for (_, statistic), array in zip(
                self.extractor._outputs, outputs, strict=True
            )
        ]

    def shape_of_maps(self, image_shape):
        (maps,) = self.compute(np.zeros((1, *image_shape), np.uint8))
        return maps.shape[1:]
