"""Ready-made pipelines: paths in, movements out."""

import inspect

from sklearn.pipeline import Pipeline

from skart._utils._validation import suggest


def make_transfer_pipeline(
    *,
    size=None,
    backbone="InceptionV3",
    weights="imagenet",
    layer="style",
    pooling="avg",
    crops=None,
    crop_size=None,
    horizontal_flip=False,
    crop_pooling="mean",
    dtype="float32",
    engine="auto",
    cache=None,
    on_error="raise",
    verbose=True,
    **head,
):
    """Make the report's transfer-learning pipeline.

    The steps are ``load`` (:class:`ImageLoader`), ``features``
    (:class:`FeatureExtractor`) and ``head`` (:class:`DenseHeadClassifier`). The head
    standardizes the features. For the report's own head, use
    ``pipe.set_params(head=report_head())``: see
    :func:`skart.classifiers.report_head`.

    Parameters
    ----------
    size : int or (int, int), default=None
        Height and width of the images in pixels. If None, the default size of the
        backbone, 299 for InceptionV3; with ``crops``, a third more, 398.
    backbone : str or Encoder, default="InceptionV3"
        See :class:`FeatureExtractor`.
    weights : "imagenet", str, path or None, default="imagenet"
        See :class:`FeatureExtractor`.
    layer : str, list of str or None, default="style"
        See :class:`FeatureExtractor`. If None, the last layer, as in the report.
    pooling : str, list of str or None, default="avg"
        See :class:`FeatureExtractor`.
    crops : {1, 5, 9, None}, default=None
        See :class:`FeatureExtractor`.
    crop_size : int or (int, int), default=None
        See :class:`FeatureExtractor`.
    horizontal_flip : bool, default=False
        See :class:`FeatureExtractor`.
    crop_pooling : {"mean", "max", "concat"}, default="mean"
        See :class:`FeatureExtractor`.
    dtype : {"float32", "bfloat16", "float16"}, default="float32"
        See :class:`FeatureExtractor`.
    engine : {"auto", "keras", "openvino"}, default="auto"
        See :class:`FeatureExtractor`.
    cache : str, path or FeatureStore, default=None
        See :class:`FeatureExtractor`. If None, each fit computes the features anew.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    verbose : bool, default=True
        If True, show a progress bar during extraction.
    **head : dict
        Parameters of :class:`DenseHeadClassifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Unfitted pipeline.

    Raises
    ------
    TypeError
        If a parameter is unknown.

    See Also
    --------
    skart.model_selection.head_search_space : Distributions to search.
    make_head_search : Search layers, poolings and heads.
    make_fine_tune_pipeline : Train a part of the network as well.

    Examples
    --------
    >>> from skart import make_transfer_pipeline
    >>> pipe = make_transfer_pipeline(units=128, random_state=0)
    >>> list(pipe.named_steps)
    ['load', 'features', 'head']
    """
    # Imported here, so that importing a search space doesn't import Keras.
    from skart.classifiers import DenseHeadClassifier
    from skart.features import FeatureExtractor
    from skart.images import ImageLoader
    from skart.images._loader import check_size

    _check_names(make_transfer_pipeline, head, DenseHeadClassifier)
    extractor = FeatureExtractor(
        backbone,
        weights=weights,
        layer=layer,
        pooling=pooling,
        crops=crops,
        crop_size=crop_size,
        horizontal_flip=horizontal_flip,
        crop_pooling=crop_pooling,
        dtype=dtype,
        engine=engine,
        cache=cache,
        verbose=verbose,
    )
    if size is None:
        from skart.features._backbone import default_size

        size = default_size(backbone)
        if crops is not None:
            height, width = (side * 4 // 3 for side in check_size("size", size))
            size = height if height == width else (height, width)
    steps = [
        ("load", ImageLoader(size, on_error=on_error)),
        ("features", extractor),
        ("head", DenseHeadClassifier(**head)),
    ]
    return Pipeline(steps)


def make_fine_tune_pipeline(head=None, *, size=None, on_error="raise", **model):
    """Make the report's fine-tuning pipeline.

    The steps are ``load`` (:class:`ImageLoader`) and ``model``
    (:class:`FineTuneClassifier`).

    Parameters
    ----------
    head : DenseHeadClassifier, default=None
        Head that is trained first. See :class:`FineTuneClassifier`.
    size : int or (int, int), default=None
        Height and width of the images in pixels. If None, the default size of the
        backbone, 299 for InceptionV3.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    **model : dict
        Parameters of :class:`FineTuneClassifier`. The default of ``unfreeze_from`` is
        ``"block14"`` for EfficientNetLite0.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Unfitted pipeline.

    Raises
    ------
    TypeError
        If a parameter is unknown.

    See Also
    --------
    make_transfer_pipeline : Keep the network frozen.

    Examples
    --------
    >>> from skart import make_fine_tune_pipeline
    >>> pipe = make_fine_tune_pipeline(unfreeze_from="mixed8")
    >>> list(pipe.named_steps)
    ['load', 'model']
    """
    from skart.classifiers import FineTuneClassifier
    from skart.features._backbone import default_size
    from skart.images import ImageLoader
    from skart.networks._tail import LAST_CUTS

    _check_names(make_fine_tune_pipeline, model, FineTuneClassifier)
    classifier = FineTuneClassifier(head, **model)
    if "unfreeze_from" not in model and classifier.backbone in LAST_CUTS:
        classifier.set_params(unfreeze_from=LAST_CUTS[classifier.backbone])
    if size is None:
        size = default_size(classifier.backbone)
    loader = ImageLoader(size, on_error=on_error)
    return Pipeline([("load", loader), ("model", classifier)])


def make_cnn_pipeline(
    network="hybrid", *, size=500, on_error="raise", cache_pixels=True, **cnn
):
    """Make a pipeline with a network that is trained from scratch.

    The steps are ``load`` (:class:`ImageLoader`) and ``cnn``
    (:class:`CNNClassifier`).

    Parameters
    ----------
    network : {"hybrid", "vgg_lite", "squeezenet", "alexnet"} or callable, \
default="hybrid"
        See :class:`CNNClassifier`.
    size : int or (int, int), default=500
        Height and width to which images are resized, in pixels; 500 as in [1]_.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    cache_pixels : bool, default=True
        See :class:`ImageLoader`. If True, images are decoded in the first epoch only.
    **cnn : dict
        Parameters of :class:`CNNClassifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Unfitted pipeline.

    Raises
    ------
    TypeError
        If a parameter is unknown.

    See Also
    --------
    make_transfer_pipeline : Use a pretrained network instead.
    skart.model_selection.cnn_search_space : Distributions to search.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017.

    Examples
    --------
    >>> from skart import make_cnn_pipeline
    >>> pipe = make_cnn_pipeline("vgg_lite", size=128, epochs=10)
    >>> list(pipe.named_steps)
    ['load', 'cnn']
    """
    from skart.classifiers import CNNClassifier
    from skart.images import ImageLoader

    _check_names(make_cnn_pipeline, cnn, CNNClassifier)
    loader = ImageLoader(size, on_error=on_error, cache_pixels=cache_pixels)
    return Pipeline([("load", loader), ("cnn", CNNClassifier(network, **cnn))])


def _check_names(function, options, classifier):
    """Raise TypeError if an option is not a parameter of function or classifier."""
    names = {
        name
        for called in (function, classifier)
        for name, parameter in inspect.signature(called).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    for name in options:
        # The classifier checks nested names, such as optimizer__learning_rate.
        if name not in names and "__" not in name:
            raise TypeError(
                f"{function.__name__} has no parameter {name!r}.{suggest(name, names)}"
            )
