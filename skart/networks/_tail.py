"""Pretrained networks cut in two: what follows a cut is trained, the rest is frozen."""

import difflib
import functools
from collections import Counter

from skart.networks._backbones import build, layers_by_name, preprocess_input
from skart.networks._keras import dtype_policy, keras
from skart.networks._parts import layer_seeds
from skart.networks._presets import find_preset


@functools.cache
def cut_points(name="InceptionV3"):
    """List the layers through which everything flows: where a network can be cut.

    Parameters
    ----------
    name : str, default="InceptionV3"
        A network of ``keras.applications``.

    Returns
    -------
    names : tuple of str
        From the input to the output: the layers of the stem and ``"mixed0"`` to
        ``"mixed10"`` for InceptionV3.

    See Also
    --------
    load_tail : What follows one of them.

    Examples
    --------
    >>> from skart.networks import cut_points
    >>> cut_points("VGG16")[-3:]
    ('block5_conv2', 'block5_conv3', 'block5_pool')
    """
    network = build(name)
    names = {id(layer): name for name, layer in layers_by_name(network).items()}
    inputs_of = {
        id(operation): [id(tensor) for tensor in keras.tree.flatten(operation.input)]
        for operation in network.operations
        if not isinstance(operation, keras.layers.InputLayer)
    }
    reads_to_come = Counter(sum(inputs_of.values(), []))
    needed, cuts = {id(network.inputs[0])}, []
    for operation in network.operations:  # each behind all that it reads
        inputs = inputs_of.get(id(operation), [])
        reads_to_come.subtract(inputs)
        needed -= {tensor for tensor in inputs if not reads_to_come[tensor]}
        needed.add(id(operation.output))
        if inputs and needed == {id(operation.output)}:
            cuts.append(names[id(operation)])
    return tuple(cuts)


def check_cut(name, cut):
    """Check that a network can be cut at a layer.

    Parameters
    ----------
    name : str
        A network of ``keras.applications``.
    cut : str or None
        A layer, ``"input"``, or None for no cut.

    Raises
    ------
    ValueError
        If it is none of ``cut_points(name)``; it lists them.
    """
    if find_preset(name) is not None:
        raise ValueError(
            f"{name} can't be cut: networks of keras-hub are for FeatureExtractor. "
            "Name one of keras.applications."
        )
    cuts = ("input", *cut_points(name))
    if cut is not None and cut not in cuts:
        near = difflib.get_close_matches(str(cut), cuts[::-1], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{name} can't be cut at {cut!r}.{hint} It can be cut where everything "
            f"flows through one layer: {', '.join(cuts)}. None trains the head alone."
        )


def load_tail(
    name="InceptionV3",
    cut="mixed9",
    *,
    input_shape=(299, 299, 3),
    weights="imagenet",
    seed=0,
    dtype="float32",
    dropout_seed=None,
):
    """Build what follows a cut, with weights of its own: maps -> features.

    Parameters
    ----------
    name : str, default="InceptionV3"
        A network of ``keras.applications``.
    cut : str, default="mixed9"
        One of ``cut_points(name)``, or ``"input"`` for the whole network.
    input_shape, weights, seed, dtype
        Those of :func:`load_backbone`; ``input_shape`` is that of the images.
    dropout_seed : int, default=None
        Seed of its dropout layers, if it has any. If None, Keras draws one from
        Python's global generator.

    Returns
    -------
    tail : keras.Model
        Output of the cut, or preprocessed images -> ``(n, d)`` by average pooling.

    See Also
    --------
    cut_points : Where a network can be cut.
    unfreeze : Which of its layers are trained.
    skart.FineTuneClassifier : The classifier of images that is built on it.
    """
    check_cut(name, cut)
    seeds = layer_seeds(dropout_seed)
    with dtype_policy("float32" if dtype == "float32" else f"mixed_{dtype}"):
        network = build(name, input_shape, weights, seed)
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

        # The layers are tied to those ahead of the cut, which would stay in memory.
        copied = keras.models.clone_model(tail, clone_function=copy)
    copied.set_weights(tail.get_weights())
    return copied


def unfreeze(tail, cut):
    """Make trainable what follows a cut, but for batch normalisation.

    Statistics of a few paintings would take the place of those of a million images,
    and their scales, too, belong to what they were trained with.

    Parameters
    ----------
    tail : keras.Model
        By :func:`load_tail`.
    cut : str or None
        At or behind the cut of the tail; None freezes all of it.

    See Also
    --------
    load_tail : Gives the tail.
    """
    names = [operation.name for operation in tail.operations]
    first = names.index(cut) + 1 if cut in names else 0
    if cut is None:
        first = len(names)
    for place, operation in enumerate(tail.operations):
        if isinstance(operation, keras.Layer):
            operation.trainable = place >= first and not isinstance(
                operation, keras.layers.BatchNormalization
            )


@keras.saving.register_keras_serializable("skart")
class Preprocess(keras.layers.Layer):
    """Images in 0-255 to what a network expects, as a layer.

    Parameters
    ----------
    backbone : str
        A network of ``keras.applications``.
    **options : object
        Of ``keras.Layer``.
    """

    def __init__(self, backbone, **options):
        super().__init__(**{"dtype": "float32", **options})
        self.backbone = backbone

    def call(self, images):
        """Preprocess images."""
        return preprocess_input(self.backbone)(images)

    def get_config(self):
        """Give what a copy is made from."""
        return {**super().get_config(), "backbone": self.backbone}
