"""Fold batch normalization into convolutions."""

import collections

import numpy as np

from skart.networks._keras import keras


def fold_batch_norm(network):
    """Return a copy of a network with batch normalization folded into convolutions."""
    layers = network.layers
    used = collections.Counter(
        id(tensor)
        for operation in network.operations
        for tensor in keras.tree.flatten(operation.input)
    )
    used.update(id(tensor) for tensor in network.outputs)
    convolutions = {
        id(layer.output): layer
        for layer in layers
        if type(layer) in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
        and layer.get_config()["activation"] == "linear"
        and used[id(layer.output)] == 1
    }
    norm_of = {  # each convolution's, by name
        convolutions[id(layer.input)].name: layer
        for layer in layers
        if type(layer) is keras.layers.BatchNormalization
        and id(layer.input) in convolutions
        and layer.axis in (-1, 3)
    }
    network.trainable = False
    if not norm_of:
        return network
    folded = {layer.name for layer in norm_of.values()}

    def clone(layer):
        config = layer.get_config()
        if layer.name in norm_of:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer, *args, **kwargs):
        return args[0] if layer.name in folded else layer(*args, **kwargs)

    result = keras.models.clone_model(network, clone_function=clone, call_function=call)
    for layer in layers:
        if layer.name in norm_of:
            weights = _fold(layer, norm_of[layer.name])
        else:
            weights = layer.get_weights()
        if weights and layer.name not in folded:
            result.get_layer(layer.name).set_weights(weights)
    result.trainable = False
    return result


def _fold(convolution, norm):
    """Return the kernel and bias of a convolution and its batch normalization."""
    kernel, *bias = convolution.get_weights()
    scale = 1 / np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    if norm.scale:
        scale *= norm.gamma
    shift = (sum(bias) - np.asarray(norm.moving_mean)) * scale
    if norm.center:
        shift += norm.beta
    if isinstance(convolution, keras.layers.DepthwiseConv2D):
        return [kernel * scale.reshape(kernel.shape[2:]), shift]
    return [kernel * scale, shift]
