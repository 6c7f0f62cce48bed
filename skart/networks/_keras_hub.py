"""Image encoders of keras-hub."""

import functools
import json
import os
import re

import numpy as np

from skart.networks._keras import check_image_data_format, keras
from skart.networks._weights import find_preset, stamp_preset


def build(name, input_shape=None, weights=None):
    """Build an image encoder of keras-hub; see `load_backbone` for the parameters."""
    check_image_data_format()
    hub, preset = _import_hub(name), find_preset(name)
    # Some networks prefix the names of layers with their own.
    options = {"dtype": keras.config.dtype_policy(), "name": None}
    try:
        network = hub.models.Backbone.from_preset(
            preset, load_weights=weights == "imagenet", **options
        )
        if weights not in (None, "imagenet"):
            network.load_weights(weights)
    except Exception as error:  # Keras, h5py, kagglehub and others raise many kinds
        kind = OSError if isinstance(error, OSError) else ValueError
        how = "" if weights is None else f" with weights={weights!r}"
        raise kind(f"{name}{how} can't be loaded by keras-hub: {error}") from error
    encoder = getattr(network, "vision_encoder", network)
    inputs = encoder.inputs
    ends = _is_tensor(encoder.output) or hasattr(encoder, "pyramid_outputs")
    if len(inputs) != 1 or inputs[0].shape[3:] != (3,) or not ends:
        raise ValueError(
            f"{name} is not an image encoder: its inputs are "
            f"{[tuple(one.shape[1:]) for one in inputs]}. Name a preset of ViT, "
            "DINOv2, CLIP, SigLIP or a convolutional network."
        )
    size = inputs[0].shape[1:3]
    if input_shape is not None and None not in size and size != input_shape[:2]:
        raise ValueError(
            f"{name} takes images of {size[0]} x {size[1]} pixels; got "
            f"{input_shape[0]} x {input_shape[1]}. Pass ImageLoader the size {size}."
        )
    if input_shape is not None and None in size:
        options["image_shape"] = tuple(input_shape)
    if encoder is network and "image_shape" not in options:
        return network
    # Without a copy, the rest of the network would stay in memory.
    copied = type(encoder).from_config(encoder.get_config() | options)
    copied.set_weights(encoder.get_weights())
    return copied


def list_outputs(network, layers):
    """Return maps of each layer, stage, class token and of the end (None)."""
    stages = getattr(network, "pyramid_outputs", {})
    last = network.output if _is_tensor(network.output) else [*stages.values()][-1]
    found = {name: layer.output for name, layer in layers.items()} | stages
    found = {x: _as_maps(network, y) for x, y in found.items() if _is_tensor(y)}
    if _has_extra(network, last):
        found["class_token"] = keras.layers.Reshape((1, 1, -1))(last[:, 0])
    return found | {None: _as_maps(network, last)}


def style_layers(name):
    """Return the middle blocks of a transformer, or ends of stages; see there."""
    return list(_find_style_layers(name, stamp_preset(name)))


@functools.lru_cache
def _find_style_layers(name, stamp):
    from skart.networks._backbones import layers_by_name

    network = build(name)
    stages = getattr(network, "pyramid_outputs", {})
    ends = [f"P{level}" for level in (3, 4, 5) if f"P{level}" in stages]
    names = [*stages, *layers_by_name(network)]
    blocks = [x for x in names if re.fullmatch(r"(stage|encoder_block_)\d+", x)]
    if ends or not blocks:
        return ends or [None]
    depths = [max(1, round(len(blocks) * share)) for share in (1 / 3, 1 / 2, 2 / 3)]
    return [blocks[depth - 1] for depth in dict.fromkeys(depths)]


def _is_tensor(output):
    return isinstance(output, keras.KerasTensor) and len(output.shape) in (2, 3, 4)


def _as_maps(network, output):
    if len(output.shape) == 2:
        return keras.layers.Reshape((1, 1, output.shape[1]))(output)
    if len(output.shape) == 3:
        if _has_extra(network, output):
            output = output[:, -_count_patches(network) :]
        n_tokens, n_channels = output.shape[1:]
        return keras.layers.Reshape((n_tokens or -1, 1, n_channels))(output)
    return output


def _has_extra(network, output):
    """Return whether class or register tokens precede the patches."""
    n_patches = _count_patches(network)
    return n_patches and len(output.shape) == 3 and output.shape[1] > n_patches


def _count_patches(network):
    patch = getattr(network, "patch_size", None)
    if patch is None or None in network.image_shape:
        return 0
    height, width = (patch, patch) if isinstance(patch, int) else patch
    return (network.image_shape[0] // height) * (network.image_shape[1] // width)


def preprocess(name, images):
    """Scale images as the ImageConverter of a preset does, without resizing them."""
    check_image_data_format()
    return np.asarray(load_converter(name)(images), np.float32)


def default_size(name):
    """Return the height and width of the images that a network was trained on."""
    return build(name).inputs[0].shape[1] or 224


def load_converter(name):
    """Return the ImageConverter of a preset, which doesn't resize here."""
    return _load_converter(name, stamp_preset(name))


@functools.lru_cache(maxsize=2)
def _load_converter(name, stamp):
    hub, preset = _import_hub(name), find_preset(name)
    file = os.path.join(preset, "image_converter.json")
    try:
        if os.path.isfile(file):  # from_preset knows none for an encoder alone
            with open(file, encoding="utf-8") as content:
                converter = keras.saving.deserialize_keras_object(json.load(content))
        else:
            converter = hub.layers.ImageConverter.from_preset(preset)
    except Exception as error:  # as above
        raise ValueError(
            f"{name} has no ImageConverter ({error}). Save that of the preset into the "
            "same folder by its save_to_preset."
        ) from error
    converter.image_size = None
    return converter


def _import_hub(name):
    try:
        import keras_hub
    except ImportError as error:
        raise ImportError(
            f"backbone={name!r} needs keras-hub, which can't be imported ({error}). "
            "Run: pip install 'skart[hub]'"
        ) from error
    return keras_hub
