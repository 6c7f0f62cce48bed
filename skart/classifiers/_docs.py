"""Parts that the docstrings of all classifiers share."""

import inspect

_PARTS = {
    "<parameters of the network>": """\
batch_norm : bool, default=False
    Whether batch normalisation follows the convolutions. The report had none; with it
    networks learn in far fewer epochs, each of which takes longer.
augment : {"light", "strong"} or keras.Layer, default=None
    How images are altered while training, anew in each epoch: ``"light"`` mirrors,
    shifts, zooms and turns them a little, ``"strong"`` also changes colours and applies
    RandAugment; or a layer of your own, whose seed stays its own. A class that Keras
    doesn't know has to be registered with it for cloning, searches and pickling
    (``keras.saving.register_keras_serializable``).
<views>
dtype : {"float32", "mixed_bfloat16", "mixed_float16"}, default="float32"
    What the network computes in; its weights and probabilities stay float32. Half
    precision is faster and needs less memory on processors that have it.""",
    "<views>": """\
test_time_augmentation : {"mirror", "crops", "mirror+crops"}, default=None
    Views of an image whose probabilities are averaged in prediction: the image and its
    mirror image (which takes twice as long); the image and five windows of 7/8 of its
    sides, the corners and the middle, scaled to its size (6 times); or these and their
    mirror images (12 times). None is the image alone. It can be set after the fit.""",
    "<limit of weights>": """\
max_weights : int or None, default=200_000_000
    Most weights that the dense layers may have: a network with more is refused before
    they are built. None for no limit.""",
    "<parameters of training>": """\
optimizer : str, class or keras.optimizers.Optimizer, default="adam"
    Parameters of an optimizer that is given by name or class are set as
    ``optimizer__learning_rate``, ``optimizer__beta_1`` and so on.
learning_rate_schedule : {"cosine", "linear", "exponential"}, default=None
    How the learning rate falls from epoch to epoch: to 0 along a half cosine or a line,
    or to a hundredth by a constant factor. None keeps it constant.
epochs : int, default={epochs}
    Passes over the training samples, at most.
batch_size : int or None, default={batch_size}
    Samples a gradient step, and a forward pass in prediction. None is 32, or fewer
    where the samples are large: 22 images of 299 x 299 pixels, 8 of 500 x 500.
validation_split : float, default=0.0
    Share of the samples held out to watch the loss on, stratified by class (and
    grouped by artist where ``fit`` is given ``groups``).
patience : int, default=None
    Epochs without a better validation loss after which training stops; the best weights
    are restored. None trains all epochs.
class_weight : dict, "balanced" or None, default=None
    Weights of the classes in the loss; ``"balanced"`` makes them inversely proportional
    to their frequencies.
callbacks : list, dict or keras.callbacks.Callback, default=None
    Callbacks for training; classes take parameters as ``callbacks__0__monitor``.
warm_start : bool, default=False
    Whether ``fit`` goes on with the network there is, as it was built: what has changed
    of its layers since is not heeded. A change of the optimizer starts a new one.
random_state : int, RandomState or None, default=None
    Seed of weights, dropout, shuffling, augmentation and the validation split. A
    RandomState is copied, not drawn from: fits with one are equal. If None, a seed is
    drawn from NumPy's global generator. No global generator is seeded.
verbose : int, default={verbose}
    1 prints how each epoch went; 2 shows a bar within each.""",
    "<attributes>": """\
classes_ : ndarray of shape (n_classes,)
    Labels, sorted.
model_ : keras.Model
    The trained network.
history_ : dict of str to list of float
    ``loss`` and ``accuracy`` of each epoch; ``val_loss`` and ``val_accuracy`` with a
    validation split; ``learning_rate`` with a schedule; nan for an epoch without.""",
    "<attributes of image classifiers>": """\
image_shape_ : tuple of int
    Height, width and channels of the images.""",
    "<routed parameters>": """\
Beside these parameters, ones that begin with ``optimizer__``, ``callbacks__``,
``compile__`` and ``fit__`` are passed on to the optimizer, to callbacks, and to
``compile`` and ``fit`` of the Keras model. They can be searched like any other.""",
}


def complete(doc, **defaults):
    """Put shared parts into the place of their names.

    Parameters
    ----------
    doc : str
        A docstring that holds some of the names, each on a line of its own.
    **defaults : object
        Values that differ between classes.

    Returns
    -------
    doc : str
        The whole docstring.
    """
    doc = inspect.cleandoc(doc)
    for name, part in _PARTS.items():
        doc = doc.replace(name, part)
    for name, value in defaults.items():
        doc = doc.replace(f"{{{name}}}", repr(value))
    return doc
