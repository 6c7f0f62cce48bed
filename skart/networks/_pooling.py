"""Pooling layers: statistics of feature maps."""

import numpy as np

from skart.networks._keras import check_image_data_format, keras

# A Gram matrix of 64 x 64, which is symmetric: 2,080 numbers.
N_DIRECTIONS = 64


@keras.saving.register_keras_serializable("skart")
class StdPooling2D(keras.layers.Layer):
    """Compute the standard deviation of each channel over all positions."""

    def call(self, maps):
        """Compute ``(n, h, w, c)`` -> ``(n, c)``."""
        return keras.ops.std(maps, axis=(1, 2))

    def compute_output_shape(self, input_shape):
        """Return the shape of the vectors."""
        return input_shape[0], input_shape[-1]


@keras.saving.register_keras_serializable("skart")
class GramPooling2D(keras.layers.Layer):
    """Compute the Gram matrix of the channels, compressed by a random projection.

    The Gram matrix is the texture statistic of Gatys, Ecker and Bethge (CVPR 2016). Its
    projection by random signs approximately preserves distances (Achlioptas, 2003).
    """

    def build(self, input_shape):
        """Draw the signs of the projection, which depend on the channels only."""
        n_channels = input_shape[-1]
        n = min(N_DIRECTIONS, n_channels)
        signs = np.eye(n_channels)
        if n < n_channels:
            generator = np.random.default_rng(0)
            signs = generator.choice([-1, 1], (n_channels, n)) / np.sqrt(n)
        self._projection = signs.astype(np.float32)
        rows, columns = np.triu_indices(n)
        self._places = rows * n + columns
        # Products off the diagonal occur twice in the matrix: these weights make
        # distances of vectors those of matrices.
        self._weights = np.where(rows == columns, 1, np.sqrt(2)).astype(np.float32)
        super().build(input_shape)

    def call(self, maps):
        """Compute ``(n, h, w, c)`` -> ``(n, d)``."""
        projected = keras.ops.matmul(maps, self._projection)
        gram = keras.ops.einsum("nhwc,nhwd->ncd", projected, projected)
        _, height, width, n = keras.ops.shape(projected)
        gram = keras.ops.reshape(gram, (-1, n * n)) / (height * width)
        return keras.ops.take(gram, self._places, axis=1) * self._weights

    def compute_output_shape(self, input_shape):
        """Return the shape of the vectors."""
        return input_shape[0], count_gram(input_shape[-1])


POOLINGS = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    "std": StdPooling2D,
    "gram": GramPooling2D,
}


def pool(maps, pooling):
    """Compute a statistic of maps ``(n, h, w, c)``, NumPy arrays."""
    check_image_data_format()
    layer = POOLINGS[pooling](dtype="float32", name=pooling)
    return keras.ops.convert_to_numpy(layer(maps))


def count_gram(n_channels):
    """Return the length of a compressed Gram matrix."""
    n = min(N_DIRECTIONS, n_channels)
    return n * (n + 1) // 2
