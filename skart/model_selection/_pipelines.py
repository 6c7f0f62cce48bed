"""Ready-made pipelines and the report's search spaces."""

import itertools

from scipy.stats import loguniform, randint, uniform
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

__all__ = [
    "cnn_search_space",
    "head_search_space",
    "make_cnn_pipeline",
    "make_fine_tune_pipeline",
    "make_transfer_pipeline",
]

# Where style lies: the highest layers in benchmarks, and those to join.
STYLE_LAYERS = {"InceptionV3": ("mixed2", "mixed5", "mixed8")}


def make_transfer_pipeline(
    *,
    size=None,
    backbone="InceptionV3",
    weights="imagenet",
    layer=None,
    pooling="avg",
    crops=None,
    crop_size=None,
    mirror=False,
    join="mean",
    keep=None,
    dtype=None,
    cache=None,
    scale=False,
    on_error="raise",
    verbose=True,
    **head,
):
    """Make the report's transfer-learning classifier: paths in, movements out.

    ``ImageLoader`` -> ``FeatureExtractor`` -> ``DenseHeadClassifier``, as the steps
    ``load``, ``features`` and ``head``.

    Parameters
    ----------
    size : int or (int, int), default=None
        Height and width of the images in pixels. None is what the backbone was made
        for, 299 for InceptionV3; with ``crops``, a third more, 398.
    backbone : str, default="InceptionV3"
        See :class:`FeatureExtractor`.
    weights : "imagenet", str, path or None, default="imagenet"
        See :class:`FeatureExtractor`.
    layer : str or sequence of str, default=None
        See :class:`FeatureExtractor`.
    pooling : str, default="avg"
        See :class:`FeatureExtractor`.
    crops : {1, 5, 9, None}, default=None
        See :class:`FeatureExtractor`.
    crop_size : int or (int, int), default=None
        See :class:`FeatureExtractor`.
    mirror : bool, default=False
        See :class:`FeatureExtractor`.
    join : {"mean", "max", "concat"}, default="mean"
        See :class:`FeatureExtractor`.
    keep : dict, default=None
        See :class:`FeatureExtractor`.
    dtype : {"float32", "bfloat16", "float16"}, default=None
        See :class:`FeatureExtractor`.
    cache : str, path or FeatureStore, default=None
        See :class:`FeatureExtractor`; None computes features anew at each fit.
    scale : bool, default=False
        Whether features are standardised ahead of the head, as a step ``scale``. With
        pretrained weights the head does as well without; with ``weights=None`` it
        learns next to nothing unless they are.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    verbose : bool, default=True
        Whether extraction shows a progress bar.
    **head : dict
        Parameters of :class:`DenseHeadClassifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Not fitted.

    See Also
    --------
    head_search_space : What to search.
    make_fine_tune_pipeline : Trains a part of the network, too.

    Examples
    --------
    >>> from skart import make_transfer_pipeline
    >>> pipe = make_transfer_pipeline(units=128, random_state=0)
    >>> list(pipe.named_steps)
    ['load', 'features', 'head']
    """
    # Here, so that a search space costs no import of Keras.
    from skart.classifiers import DenseHeadClassifier
    from skart.features import FeatureExtractor
    from skart.images import ImageLoader
    from skart.networks._backbones import default_size

    extractor = FeatureExtractor(
        backbone,
        weights=weights,
        layer=layer,
        pooling=pooling,
        crops=crops,
        crop_size=crop_size,
        mirror=mirror,
        join=join,
        keep=keep,
        dtype=dtype,
        cache=cache,
        verbose=verbose,
    )
    if size is None:
        size = default_size(backbone)
        size = size if crops is None else size * 4 // 3
    steps = [
        ("load", ImageLoader(size, on_error=on_error)),
        ("features", extractor),
        ("scale", StandardScaler()) if scale else None,
        ("head", DenseHeadClassifier(**head)),
    ]
    return Pipeline([step for step in steps if step is not None])


def make_fine_tune_pipeline(head=None, *, size=299, on_error="raise", **model):
    """Make the report's last classifier: a pretrained network that is trained on.

    ``ImageLoader`` -> ``FineTuneClassifier``, as the steps ``load`` and ``model``.

    Parameters
    ----------
    head : DenseHeadClassifier, default=None
        What is trained first; see :class:`FineTuneClassifier`.
    size : int or (int, int), default=299
        Height and width of the images in pixels.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    **model : dict
        Parameters of :class:`FineTuneClassifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Not fitted.

    See Also
    --------
    make_transfer_pipeline : The network stays frozen.

    Examples
    --------
    >>> from skart import make_fine_tune_pipeline
    >>> pipe = make_fine_tune_pipeline(unfreeze_from="mixed8")
    >>> list(pipe.named_steps)
    ['load', 'model']
    """
    from skart.classifiers import FineTuneClassifier
    from skart.images import ImageLoader

    loader = ImageLoader(size, on_error=on_error)
    return Pipeline([("load", loader), ("model", FineTuneClassifier(head, **model))])


def make_cnn_pipeline(
    network="hybrid", *, size=500, on_error="raise", cache="disk", **cnn
):
    """Make a network that is trained from scratch: paths in, movements out.

    ``ImageLoader`` -> ``CNNClassifier``, as the steps ``load`` and ``cnn``.

    Parameters
    ----------
    network : {"hybrid", "vgg_lite", "squeezenet", "alexnet"} or callable, \
            default="hybrid"
        See :class:`CNNClassifier`.
    size : int or (int, int), default=500
        Height and width of the images in pixels; the report's are 500.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    cache : "disk" or None, default="disk"
        See :class:`ImageLoader`: each image is decoded in the first epoch only.
    **cnn : dict
        Parameters of :class:`CNNClassifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Not fitted.

    See Also
    --------
    make_transfer_pipeline : With a pretrained network instead.
    cnn_search_space : What to search.

    Examples
    --------
    >>> from skart import make_cnn_pipeline
    >>> pipe = make_cnn_pipeline("vgg_lite", size=128, epochs=10)
    >>> pipe[-1]
    CNNClassifier(epochs=10, network='vgg_lite')
    """
    from skart.classifiers import CNNClassifier
    from skart.images import ImageLoader

    loader = ImageLoader(size, on_error=on_error, cache=cache)
    return Pipeline([("load", loader), ("cnn", CNNClassifier(network, **cnn))])


def head_search_space(prefix="head__"):
    """Give the distributions from which the report's randomized search draws heads.

    Learning rate, Adam's betas, units and dropout are drawn at random [1]_. The report
    does not print the ranges of units and dropout, nor that of a head's learning rate;
    these hold its best head (1.95e-5, 650 units, dropout 0.7).

    Parameters
    ----------
    prefix : str, optional
        Name of the pipeline's step and two underscores: ``"head__"`` by default;
        ``""`` for a head alone.

    Returns
    -------
    space : dict of str to distribution
        For :class:`sklearn.model_selection.RandomizedSearchCV`, as its
        ``param_distributions``.

    See Also
    --------
    make_transfer_pipeline : A pipeline to search.
    cnn_search_space : The same for networks trained from scratch.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from skart.model_selection import head_search_space
    >>> sorted(head_search_space())[:2]
    ['head__dropout', 'head__optimizer__beta_1']
    """
    space = {
        "units": randint(100, 1001),
        "dropout": uniform(0.2, 0.6),
        "optimizer__learning_rate": loguniform(1e-5, 3e-3),
        "optimizer__beta_1": uniform(0.9, 0.099),
        "optimizer__beta_2": uniform(0.9, 0.099),
    }
    return {prefix + name: distribution for name, distribution in space.items()}


def cnn_search_space(prefix="cnn__"):
    """Give the distributions from which the report's randomized search draws networks.

    The learning rate is 10 ** U(-3.5, -2.5), Adam's betas are U(0.9, 0.999) and its
    epsilon is 10 ** U(-9, -7) [1]_. The report also searches dropout and the widths of
    the dense layers, without their ranges.

    Parameters
    ----------
    prefix : str, optional
        Name of the pipeline's step and two underscores: ``"cnn__"`` by default;
        ``""`` for a network alone.

    Returns
    -------
    space : dict of str to distribution
        For :class:`sklearn.model_selection.RandomizedSearchCV`, over a
        :class:`CNNClassifier`; ``network="squeezenet"`` has no ``units``.

    See Also
    --------
    make_cnn_pipeline : A pipeline to search.
    head_search_space : The same for heads.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from skart.model_selection import cnn_search_space
    >>> sorted(cnn_search_space(prefix=""))[:3]
    ['dropout', 'optimizer__beta_1', 'optimizer__beta_2']
    """
    space = {
        "units": list(itertools.product((64, 128, 256, 512), (32, 64, 128))),
        "dropout": uniform(0, 0.5),
        "optimizer__learning_rate": loguniform(10**-3.5, 10**-2.5),
        "optimizer__beta_1": uniform(0.9, 0.099),
        "optimizer__beta_2": uniform(0.9, 0.099),
        "optimizer__epsilon": loguniform(1e-9, 1e-7),
    }
    return {prefix + name: distribution for name, distribution in space.items()}
