"""Augmentation inside the network, from Keras' own layers."""

import copy

from skart._utils._validation import suggest
from skart.networks._keras import check_image_data_format, dtype_policy, keras
from skart.networks._parts import layer_seeds

layers = keras.layers

KINDS = ("light", "strong")


def make_augmentation(augment, seed=None):
    """Make a layer that augments images in 0-255 in training.

    Parameters
    ----------
    augment : {"light", "strong"} or keras.Layer
        ``"light"`` flips images horizontally, shifts them by up to 5 %, zooms by up to
        10 % and rotates by up to 7 degrees. ``"strong"`` also changes brightness,
        contrast, saturation and hue, and applies two operations of RandAugment [1]_. A
        layer is copied.
    seed : int, default=None
        Seed of ``"light"`` and ``"strong"``; a layer keeps its own. If None, Keras
        draws one from Python's global generator.

    Returns
    -------
    layer : keras.Layer
        Layer that returns images unchanged outside of training. It computes in float32
        even in half-precision networks, for exact coordinates.

    Raises
    ------
    ValueError
        If ``augment`` is an unknown name.
    TypeError
        If ``augment`` is neither a name nor a layer, or Keras can't copy the layer.

    See Also
    --------
    skart.CNNClassifier : Takes ``augment``.

    References
    ----------
    .. [1] Cubuk, Zoph, Shlens, Le. "RandAugment: Practical automated data augmentation
       with a reduced search space". NeurIPS 2020.
    """
    check_image_data_format()
    if isinstance(augment, keras.Layer):
        try:
            # A layer that Keras can't deserialize can't be unpickled later.
            keras.saving.deserialize_keras_object(
                keras.saving.serialize_keras_object(augment)
            )
            layer = copy.deepcopy(augment)  # with its weights, if it has any
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"augment={augment!r} can't be copied: {error} Write it as a class, "
                "decorated with @keras.saving.register_keras_serializable()."
            ) from error
        return WhileTraining(layer)
    if augment not in KINDS:
        error = ValueError if isinstance(augment, str) else TypeError
        raise error(
            f"augment must be a Keras layer, one of {KINDS} or None; got "
            f"{augment!r}.{suggest(augment, KINDS)}"
        )
    with dtype_policy("float32"):
        return WhileTraining(_build(augment, layer_seeds(seed)))


def _build(kind, seeds):
    # Bilinear resampling would blur the brushwork in training, and the network would
    # fail on sharp images.
    nearest = {"interpolation": "nearest"}
    parts = [
        layers.RandomFlip("horizontal", seed=next(seeds)),
        layers.RandomTranslation(0.05, 0.05, seed=next(seeds), **nearest),
        layers.RandomZoom(0.1, seed=next(seeds), **nearest),
        layers.RandomRotation(0.02, seed=next(seeds), **nearest),
    ]
    if kind == "strong":
        parts += [
            layers.RandomColorJitter(
                value_range=(0, 255),
                brightness_factor=0.2,
                contrast_factor=0.2,
                saturation_factor=(0.35, 0.65),  # 0 is grey, 0.5 unchanged
                hue_factor=0.05,
                seed=next(seeds),
            ),
            layers.RandAugment(
                value_range=(0, 255), num_ops=2, factor=0.3, seed=next(seeds), **nearest
            ),
        ]
    return keras.Sequential(parts, name=f"augment_{kind}")


@keras.saving.register_keras_serializable("skart")
class WhileTraining(keras.layers.Wrapper):
    """Apply a layer to images in training only, and return them unchanged otherwise."""

    def __init__(self, layer, **options):
        super().__init__(layer, **{"dtype": "float32", **options})

    def build(self, input_shape):
        """Build the layer and check that it keeps the shape of images."""
        super().build(input_shape)
        images = keras.KerasTensor(input_shape, dtype="float32")
        output_shape = tuple(self.layer.compute_output_spec(images).shape)
        if output_shape != tuple(input_shape):
            raise ValueError(
                f"augment must keep the shape of images, {tuple(input_shape[1:])}; "
                f"{self.layer!r} returns {output_shape[1:]}"
            )

    def call(self, images, training=False):
        """Augment images if `training` is True."""
        return self.layer(images) if training else images

    def compute_output_shape(self, input_shape):
        """Return the shape of the images."""
        return input_shape
