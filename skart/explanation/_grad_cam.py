"""Grad-CAM: heat maps from the gradients of a network."""

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from skart._utils._validation import Integral, Interval, validate
from skart.classifiers._wrapper import WrapperClassifier
from skart.explanation._predictor import (
    Predictor,
    find_codes,
    make_explanation,
    resize_heat,
)
from skart.features import Encoder, FeatureExtractor
from skart.images import ImageLoader
from skart.images._lazy import auto_batch_size, iter_batches

_CONSTRAINTS = {
    "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    "verbose": ["verbose"],
}


def grad_cam(
    estimator, X, *, movements=None, layer=None, batch_size=None, verbose=True
):
    """Compute where the maps of a network speak for a movement.

    The log-odds of the movement are differentiated with respect to the feature maps,
    through the pooling and the head. The heat of a place is the sum over the channels
    of gradient times map, as in HiResCAM [2]_; with average pooling, this is Grad-CAM
    [1]_. Ahead of that, the mean of each channel over the painting is subtracted.

    Parameters
    ----------
    estimator : Pipeline
        Fitted pipeline of an :class:`ImageLoader`, a :class:`FeatureExtractor` with a
        network of Keras, and a :class:`DenseHeadClassifier`; or of an ImageLoader and a
        :class:`FineTuneClassifier` or :class:`CNNClassifier`. The loader may be left
        out. A search over such a pipeline, or a ``ConformalClassifier`` or
        ``CachedClassifier`` of it, is explained by the pipeline in it.
    X : array-like of shape (n_paintings,) or (n_paintings, height, width, 3)
        Paths, or images of the size that the pipeline was trained on.
    movements : str or array-like of shape (n_paintings,), default=None
        Movement to explain, for all paintings or for each. If None, the predicted one.
    layer : str or list of str, default=None
        Layers whose maps are explained. If None, those of the FeatureExtractor, of
        which a part can be named; else the last layer that has maps. The heat of
        several layers is added.
    batch_size : int, default=None
        Number of paintings that are differentiated at once. If None, as many as have
        two million pixels in total.
    verbose : bool, default=True
        If True, show a progress bar after a second.

    Returns
    -------
    explanation : sklearn.utils.Bunch
        As in :func:`occlusion`, except that the heat is a change of the log-odds: by so
        much they would rise, to first order, if all places were like this one.
        Positive values speak for the movement, negative ones against it.

    Raises
    ------
    TypeError
        If the pipeline has other steps: use :func:`occlusion`.
    ValueError
        If a layer or a movement is unknown, or a layer has no maps.
    RuntimeError
        If the backend of Keras is not TensorFlow.

    See Also
    --------
    occlusion : Explains any classifier.
    skart.plotting.ExplanationDisplay : Plot the result.

    Notes
    -----
    Log-odds don't saturate as probabilities do, and what raises all movements equally
    does not change them. The heat of all layers is in this one unit, so layers need no
    weights. Heat of crops and mirror images is put back into its place and added.

    Gradients are averaged over all places in Grad-CAM itself, which gives no heat with
    ``pooling="std"``, whose gradients have the mean 0. HiResCAM multiplies each place
    by its own gradient. ``benchmarks/explanations.py`` compares both and LayerCAM [3]_,
    which is clearly more faithful with ``pooling="max"`` only.

    References
    ----------
    .. [1] Selvaraju et al. "Grad-CAM: Visual Explanations from Deep Networks via
       Gradient-based Localization". ICCV 2017.
    .. [2] Draelos, Carin. "Use HiResCAM instead of Grad-CAM for faithful explanations
       of convolutional neural networks". arXiv:2011.08891, 2020.
    .. [3] Jiang et al. "LayerCAM: Exploring Hierarchical Class Activation Maps for
       Localization". IEEE Transactions on Image Processing 30, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skart import DenseHeadClassifier, FeatureExtractor
    >>> from skart.explanation import grad_cam
    >>> images = np.random.default_rng(0).integers(0, 256, (4, 96, 96, 3), np.uint8)
    >>> extractor = FeatureExtractor("MobileNetV2", weights=None)
    >>> head = DenseHeadClassifier(units=8, epochs=1, random_state=0)
    >>> pipe = make_pipeline(extractor, head).fit(images, ["Cubism", "Op Art"] * 2)
    >>> grad_cam(pipe, images).heat.shape
    (4, 96, 96)
    """
    validate("grad_cam", {"batch_size": batch_size, "verbose": verbose}, _CONSTRAINTS)
    pipeline = unwrap(estimator)
    predictor = Predictor(pipeline)
    images = predictor.load(X)
    network = open_network(pipeline, tuple(images.shape[1:]), layer)
    wanted = movements
    if movements is not None:
        wanted = find_codes(movements, predictor.classes, images)
    heats, codes, parts, probabilities = [], [], [], []
    with tqdm(
        total=len(images),
        desc="Grad-CAM",
        unit="painting",
        delay=1,
        disable=not verbose or len(images) == 1,
    ) as progress:
        for batch in iter_batches(images, batch_size or auto_batch_size(images)):
            start = sum(map(len, parts))
            chosen = None if wanted is None else wanted[start : start + len(batch)]
            views, predicted, chosen = network.differentiate(batch, chosen)
            heats.append(sum_heat(views, batch.shape[:3], weigh_by_place))
            codes.append(chosen)
            parts.append(batch)
            probabilities.append(predicted)
            progress.update(len(batch))
    return make_explanation(
        *map(np.concatenate, (heats, parts, codes, probabilities)), predictor.classes
    )


def weigh_by_place(maps, gradients):
    """Return the heat of each place: HiResCAM of maps without their means."""
    return (gradients * (maps - maps.mean(axis=(1, 2), keepdims=True))).sum(axis=-1)


def sum_heat(views, shape, weigh):
    """Add the heat of all views and layers in their places, an array of `shape`."""
    heat = np.zeros(shape, np.float32)
    for window, layers in views:
        top, left, bottom, right = window.box or (0, 0, *shape[1:])
        part = heat[:, top:bottom, left:right]
        for maps, gradients in layers:
            found = weigh(maps, gradients)
            # Per pixel, so that its mean over the painting is that of the network.
            found *= found[0].size * heat[0].size / part[0].size
            found = found[:, :, ::-1] if window.flipped else found
            for target, one in zip(part, found, strict=True):
                target += resize_heat(one, target.shape)
    return heat


def unwrap(estimator):
    """Return the fitted estimator whose probabilities another one returns."""
    inner = getattr(estimator, "best_estimator_", None)
    if isinstance(estimator, WrapperClassifier):
        inner = getattr(estimator, "estimator_", None)
    elif isinstance(estimator, FrozenEstimator):
        inner = estimator.estimator
    return estimator if inner is None else unwrap(inner)


def find_fault(pipeline):
    """Return why a fitted estimator has no Grad-CAM, or None if it has."""
    pipeline = unwrap(pipeline)
    if not isinstance(pipeline, Pipeline):
        return f"it is no Pipeline but a {type(pipeline).__name__}"
    steps = [step for _, step in pipeline.steps]
    if isinstance(steps[0], ImageLoader):
        steps = steps[1:]
    from skart.classifiers import DenseHeadClassifier
    from skart.classifiers._images import ImageClassifier

    if len(steps) == 1 and isinstance(steps[0], ImageClassifier):
        return None
    if len(steps) == 2 and isinstance(steps[0], FeatureExtractor):
        extractor, head = steps
        if isinstance(extractor.backbone, Encoder):
            return f"its network is the encoder {extractor.backbone.name!r}"
        if extractor.pooling is None:
            return "its features are maps, without a pooling"
        if isinstance(head, DenseHeadClassifier):
            return None
        return f"its head is a {type(head).__name__}"
    names = ", ".join(type(step).__name__ for step in steps)
    return f"its steps are {names}"


def open_network(pipeline, shape, layer):
    """Return the differentiable network of a pipeline for images of a shape."""
    fault = find_fault(pipeline)
    if fault is not None:
        raise TypeError(
            "grad_cam needs a FeatureExtractor with a network of Keras ahead of a "
            "DenseHeadClassifier, or a FineTuneClassifier or CNNClassifier, and can't "
            f"explain this estimator, because {fault}. Use occlusion, which explains "
            "any classifier"
        )
    from skart.explanation._networks import ImageNetwork, TransferNetwork

    check_is_fitted(pipeline)
    layers = None if layer is None else np.atleast_1d(layer).tolist()
    steps = [step for _, step in pipeline.steps[-2:]]
    if isinstance(steps[0], FeatureExtractor):
        return TransferNetwork(*steps, layers, shape)
    return ImageNetwork(steps[-1], layers, shape)
