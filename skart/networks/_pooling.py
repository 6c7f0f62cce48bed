"""Pooling layers: statistics of feature maps."""

import numpy as np

from skart.networks._keras import keras

__all__ = ["POOLINGS", "GramPooling2D", "StdPooling2D", "count_gram"]

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
    """Maps to how their channels go together: a compressed Gram matrix.

    The mean over all places of the products of every two channels is the statistic of
    texture that style transfer is built on [1]_. InceptionV3's ``mixed5`` has 768
    channels, hence 295,296 different products. The channels are projected to
    ``n_directions`` by a fixed matrix of random signs first, which keeps distances
    between vectors about what they were [2]_; its Gram matrix is the same random
    projection of the whole one.

    Parameters
    ----------
    n_directions : int, default=64
        Directions n that channels are projected to; fewer channels stay as they are.
        The vector has n (n + 1) / 2 numbers: 2,080.

    References
    ----------
    .. [1] Gatys, Ecker, Bethge. "Image Style Transfer Using Convolutional Neural
       Networks". CVPR 2016.
    .. [2] Achlioptas. "Database-friendly random projections: Johnson-Lindenstrauss with
       binary coins". Journal of Computer and System Sciences 66, 2003.
    """

    def __init__(self, n_directions=N_DIRECTIONS, **kwargs):
        super().__init__(**kwargs)
        self.n_directions = n_directions

    def build(self, input_shape):
        """Draw the signs of the projection, which depend on the channels only."""
        n_channels = input_shape[-1]
        n = min(self.n_directions, n_channels)
        signs = np.eye(n_channels)
        if n < n_channels:
            generator = np.random.default_rng(0)
            signs = generator.choice([-1, 1], (n_channels, n)) / np.sqrt(n)
        self._projection = signs.astype(np.float32)
        rows, columns = np.triu_indices(n)
        self._places = rows * n + columns
        # Products off the diagonal stand in the matrix twice: so weighted, distances
        # between vectors are those between matrices.
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
        return input_shape[0], count_gram(input_shape[-1], self.n_directions)

    def get_config(self):
        """Return the parameters."""
        return {**super().get_config(), "n_directions": self.n_directions}


POOLINGS = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    "std": StdPooling2D,
    "gram": GramPooling2D,
}


def count_gram(n_channels, n_directions=N_DIRECTIONS):
    """Return the length of a compressed Gram matrix."""
    n = min(n_directions, n_channels)
    return n * (n + 1) // 2
