"""A network in the manner of keras.applications that is built and trained in no time.

It has what the real ones have: batch normalisation, a shortcut, and a stem that halves
the images.
"""

import keras

CUT = "relu3"  # the last convolution stands behind it
N_FEATURES = 16


def ToyNet(include_top=False, weights=None, input_shape=None):
    def block(x, filters, number, strides=1):
        options = {"padding": "same", "use_bias": False, "name": f"conv{number}"}
        x = keras.layers.Conv2D(filters, 3, strides, **options)(x)
        x = keras.layers.BatchNormalization(name=f"norm{number}")(x)
        return keras.layers.ReLU(name=f"relu{number}")(x)

    inputs = keras.Input(input_shape or (None, None, 3))
    stem = block(inputs, 8, 1, strides=2)
    x = keras.layers.Add(name="add")([stem, block(stem, 8, 2)])
    x = block(x, N_FEATURES, 3, strides=2)
    network = keras.Model(inputs, block(x, N_FEATURES, 4), name="toynet")
    if weights is not None:
        network.load_weights(weights)
    return network


def preprocess_input(images):
    return images / 127.5 - 1
