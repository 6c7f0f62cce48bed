"""Networks from images to probabilities, and their gradients at feature maps."""

import numpy as np
import tensorflow as tf
from sklearn.base import clone

from skart._utils._validation import suggest
from skart.classifiers._images import cut_and_resize, make_view_windows
from skart.networks import preprocess
from skart.networks._backbones import layers_by_name
from skart.networks._keras import (
    check_image_data_format,
    check_process,
    keras,
    predict_batch,
)
from skart.networks._pooling import POOLINGS


class _Network:
    """Base: windows of images -> maps of layers -> probabilities."""

    def __init__(self):
        found = keras.backend.backend()
        if found != "tensorflow":
            raise RuntimeError(
                f"grad_cam needs Keras' backend 'tensorflow'; it is {found!r}. Set "
                "the environment variable KERAS_BACKEND=tensorflow, or use occlusion"
            )
        check_process()
        check_image_data_format()

    def differentiate(self, images, codes=None):
        """Return views, probabilities and codes of the explained movements.

        A view is a window and, for each layer, its maps and the gradients of the
        log-odds there.
        """
        with tf.GradientTape() as tape:
            maps, probabilities = self._compute(images, tape)
            found = probabilities.numpy()
            if codes is None:
                codes = found.argmax(axis=1)
            hot = tf.one_hot(codes, found.shape[1], dtype="float32")
            # From logarithms, since the probability of others may vanish beside 1.
            logs = tf.math.log(tf.maximum(probabilities, np.finfo(np.float32).tiny))
            own = tf.reduce_sum(hot * logs, axis=1)
            others = tf.reduce_logsumexp(logs - 1e9 * hot, axis=1)
            log_odds = own - others
        gradients = tape.gradient(log_odds, maps)
        views = [
            (window, [_as_arrays(pair) for pair in zip(*pairs, strict=True)])
            for window, *pairs in zip(self.windows, maps, gradients, strict=True)
        ]
        return views, found, codes


class TransferNetwork(_Network):
    """Frozen trunk, pooling of one or several layers, and head."""

    def __init__(self, extractor, head, layers, shape):
        super().__init__()
        self._extractor, self._head = extractor, head.model_
        known = dict.fromkeys(layer for layer, _ in extractor._outputs)
        self._known = list(known)
        for layer in layers or ():
            if layer not in known:
                raise ValueError(
                    f"layer must name layers of the FeatureExtractor; got {layer!r}."
                    f"{suggest(layer, map(str, known))}"
                )
        self._chosen = [i for i, x in enumerate(known) if not layers or x in layers]
        self._maps = clone(extractor).set_params(pooling=None)
        self.windows = extractor._windows(np.empty((0, *shape)))

    def _compute(self, images, tape):
        features, chosen = [], []
        for window in self.windows:
            cut = window.cut(images)
            network = self._maps.network(cut.shape[1:])
            maps = predict_batch(network, preprocess(self._extractor.backbone, cut))
            # NumPy converts bfloat16.
            maps = [np.asarray(one, np.float32) for one in keras.tree.flatten(maps)]
            maps = [tf.constant(one) for one in maps]
            for name, one in zip(self._known, maps, strict=True):
                if one.ndim != 4:
                    raise ValueError(f"layer={name!r} has no maps, but vectors")
                tape.watch(one)
            pooled = [
                POOLINGS[how](dtype="float32")(maps[self._known.index(layer)])
                for layer, how in self._extractor._outputs
            ]
            features.append(tf.concat(pooled, axis=1))
            chosen.append([maps[i] for i in self._chosen])
        how = self._extractor.crop_pooling
        if how == "concat":
            joined = tf.concat(features, axis=1)
        else:
            reduce = {"mean": tf.reduce_mean, "max": tf.reduce_max}[how]
            joined = reduce(tf.stack(features), axis=0)
        return chosen, self._head(joined, training=False)


class ImageNetwork(_Network):
    """A CNN, or the tail and head of a fine-tuned network."""

    def __init__(self, classifier, layers, shape):
        super().__init__()
        network, trunk = classifier.model_, getattr(classifier, "trunk_", None)
        self._trunk, self._before, self._after = None, [], []
        if trunk is not None:
            *self._before, network, head = network.layers
            self._after = [head]
            if trunk["cut"] != "input":
                self._trunk = classifier._extractor().set_params(
                    pooling=None, cache=None, verbose=False
                )
            if trunk["cut"] is None:  # the head alone
                maps = keras.Input(self._trunk.network(shape).output_shape[1:])
                same = keras.layers.Identity(name="maps")(maps)
                pooled = POOLINGS["avg"](dtype="float32")(same)
                network = keras.Model(maps, pooled)
        self._open = _open(network, layers)
        self.windows = make_view_windows(classifier._validate_views(), shape[:2])

    def _compute(self, images, tape):
        all_maps, predicted = [], []
        for window in self.windows:
            x = cut_and_resize(window, images)
            if self._trunk is not None:
                x = np.concatenate(list(self._trunk.iter_transform(x)))
            x = tf.constant(x, "float32")
            tape.watch(x)
            for layer in self._before:
                x = layer(x)
            *maps, x = self._open(x, training=False)
            for layer in self._after:
                x = layer(x, training=False)
            all_maps.append(maps)
            predicted.append(tf.cast(x, "float32"))
        return all_maps, tf.reduce_mean(tf.stack(predicted), axis=0)


def _open(network, layers):
    """Return a network that also returns the maps of layers; None: of the last one."""
    network = keras.Model(network.inputs, network.output)
    names = {id(layer): name for name, layer in layers_by_name(network).items()}
    maps = {
        names[id(one)]: one.output
        for one in network.operations  # each after its inputs
        if not isinstance(one, keras.layers.InputLayer)
        and len(getattr(one.output, "shape", ())) == 4
    }
    if not maps:
        raise ValueError("the network has no layer with maps: use occlusion")
    for layer in layers or ():
        if layer not in maps:
            raise ValueError(
                f"layer must name layers with maps; got {layer!r}."
                f"{suggest(layer, maps)}"
            )
    chosen = layers or list(maps)[-1:]
    return keras.Model(network.inputs, [*(maps[x] for x in chosen), network.output])


def _as_arrays(pair):
    """Return tensors as float32 arrays."""
    return tuple(np.asarray(tf.cast(one, "float32")) for one in pair)
