"""Pretrained networks cut in two: a frozen trunk and a trainable tail."""

import difflib
import functools
from collections import Counter

from skart.networks._backbones import build, layers_by_name, preprocess_input
from skart.networks._keras import dtype_policy, keras
from skart.networks._parts import layer_seeds
from skart.networks._weights import find_preset

# The cuts ahead of the last module, after which the report trains InceptionV3.
LAST_CUTS = {"EfficientNetLite0": "block14", "InceptionV3": "mixed9"}


@functools.cache
def cut_points(backbone="InceptionV3"):
    """Return the layers at which a network can be cut.

    Parameters
    ----------
    backbone : str, default="InceptionV3"
        A network of ``keras.applications``.

    Returns
    -------
    names : tuple of str
        Layers whose output is all that later layers use, in order: for InceptionV3, the
        layers of the stem and ``"mixed0"`` to ``"mixed10"``.

    See Also
    --------
    skart.FineTuneClassifier : Trains the layers after a cut.

    Examples
    --------
    >>> from skart.networks import cut_points
    >>> cut_points("VGG16")[-3:]
    ('block5_conv2', 'block5_conv3', 'block5_pool')
    """
    network = build(backbone)
    names = {id(layer): name for name, layer in layers_by_name(network).items()}
    inputs_of = {
        id(operation): [id(tensor) for tensor in keras.tree.flatten(operation.input)]
        for operation in network.operations
        if not isinstance(operation, keras.layers.InputLayer)
    }
    reads_to_come = Counter(sum(inputs_of.values(), []))
    needed, cuts = {id(network.inputs[0])}, []
    for operation in network.operations:  # each after its inputs
        inputs = inputs_of.get(id(operation), [])
        reads_to_come.subtract(inputs)
        needed -= {tensor for tensor in inputs if not reads_to_come[tensor]}
        needed.add(id(operation.output))
        if inputs and needed == {id(operation.output)}:
            cuts.append(names[id(operation)])
    return tuple(cuts)


def check_cut(backbone, cut):
    """Raise an error unless the layer is a cut point."""
    if not isinstance(backbone, str):
        raise TypeError(
            "backbone must name a network of keras.applications, which can be cut and "
            f"trained; got {backbone!r}. An Encoder is for FeatureExtractor."
        )
    if find_preset(backbone) is not None:
        raise ValueError(
            f"{backbone} can't be cut: networks of keras-hub are for FeatureExtractor. "
            "Name one of keras.applications."
        )
    cuts = ("input", *cut_points(backbone))
    if cut is not None and cut not in cuts:
        near = difflib.get_close_matches(str(cut), cuts[::-1], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{backbone} can't be cut at {cut!r}.{hint} Allowed are {', '.join(cuts)}, "
            "or None for the head alone."
        )


def load_tail(backbone, cut, *, input_shape, weights, dtype, dropout_seed):
    """Load the layers after a cut, with their own copy of the weights.

    `cut` is one of the cut points, or "input" for the whole network. The tail ends in
    average pooling. `dropout_seed` is the seed of dropout layers.
    """
    seeds = layer_seeds(dropout_seed)
    with dtype_policy(dtype):
        network = build(backbone, input_shape, weights, seed=0)  # that of the trunk
        layers = layers_by_name(network)
        inputs = network.inputs if cut == "input" else layers[cut].output
        pooling = keras.layers.GlobalAveragePooling2D(dtype="float32")
        tail = keras.Model(inputs, pooling(network.output), name="tail")
        names = {id(layer): name for name, layer in layers.items()}

        def copy(layer):
            config = layer.get_config()
            config["name"] = names.get(id(layer), layer.name)
            if "seed" in config:
                config["seed"] = next(seeds)
            return type(layer).from_config(config)

        # Without a copy, the layers before the cut would stay in memory.
        copied = keras.models.clone_model(tail, clone_function=copy)
    copied.set_weights(tail.get_weights())
    return copied


def unfreeze(tail, cut):
    """Make the layers after a cut trainable, except for batch normalization.

    Statistics of a few paintings would replace those of a million images. `cut` is that
    of the tail or a layer of it; if None, all layers are frozen.
    """
    is_behind = cut is not None and cut not in [x.name for x in tail.operations]
    for operation in tail.operations:
        if isinstance(operation, keras.Layer):
            operation.trainable = is_behind and not isinstance(
                operation, keras.layers.BatchNormalization
            )
        is_behind = is_behind or operation.name == cut


@keras.saving.register_keras_serializable("skart")
class Preprocess(keras.layers.Layer):
    """Layer that converts images in 0-255 to a network's input."""

    def __init__(self, backbone, **options):
        super().__init__(**{"dtype": "float32", **options})
        self.backbone = backbone

    def call(self, images):
        """Preprocess images."""
        return preprocess_input(self.backbone)(images)

    def get_config(self):
        """Return the parameters."""
        return {**super().get_config(), "backbone": self.backbone}
