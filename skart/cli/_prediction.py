"""Images to movements, past those that can't be read."""

import warnings

import numpy as np

from skart.persistence._exported import find_kept, load_exported, load_kept
from skart.store import FeatureStore

# For so few images, an exported model takes less time than TensorFlow takes to start.
# The features of more images are worth storing, which exported models don't do.
_FEW = 32


def load_pipeline(file, *, weights=None, on_error="blank", cache=None):
    """Load a model that takes images.

    Parameters
    ----------
    file : str or path
        Model by ``skart train``.
    weights : str or path, default=None
        Where the pretrained weights lie now.
    on_error : {"raise", "blank"}, default="blank"
        See :class:`skart.ImageLoader`.
    cache : str, path or FeatureStore, default=None
        Folder of the features.

    Returns
    -------
    pipe : Pipeline
        Fitted; its first step is an ImageLoader.

    Raises
    ------
    ValueError
        If the file is no model, or its first step another.
    """
    # Imported here, since exported models don't need them.
    from sklearn.pipeline import Pipeline

    from skart.images import ImageLoader
    from skart.persistence import load_model

    pipe = load_model(file, weights=weights, cache=cache)
    if not isinstance(pipe, Pipeline) or not isinstance(pipe[0], ImageLoader):
        raise ValueError(
            f"{str(file)!r} takes no images: it holds a {type(pipe).__name__}, not a "
            "pipeline that begins with an ImageLoader"
        )
    if not hasattr(pipe, "predict_proba"):
        raise ValueError(
            f"{str(file)!r} gives no probabilities: it ends in a "
            f"{type(pipe[-1]).__name__}"
        )
    return pipe.set_params(**{f"{pipe.steps[0][0]}__on_error": on_error})


def predict_images(file, paths, top_k=3, *, weights=None, cache):
    """Predict the movements of image files.

    Parameters
    ----------
    file : str or path
        Model by ``skart train``, or exported by ``skart export``.
    paths : list of str
        Image files, each named once.
    top_k : int, default=3
        Movements to name for each image; the most probable first.
    weights : str or path, default=None
        Where the pretrained weights lie now.
    cache : str or path
        Folder of the features, and of exported models that predict few images without
        Keras.

    Returns
    -------
    predictions : dict of str to list of (str, float)
        Movements and their probabilities, for each image that can be read; in the order
        of the paths.
    failures : dict of str to str
        Images that can't be read, with the reason.
    """
    exported, kept = load_exported(file), None
    if exported is not None and weights is not None:
        raise ValueError(
            f"{str(file)!r} is an exported model, which contains its weights: leave "
            "out --weights"
        )
    if exported is None and len(paths) <= _FEW:
        kept = find_kept(file, cache)
        # Weights that are named are checked, which requires the model itself.
        if kept is not None and weights is None:
            exported = load_kept(kept, file)
    if exported is not None:
        classes = exported.classes
        probabilities, failures = exported.predict_proba(paths)
    else:
        pipe = load_pipeline(file, weights=weights, cache=FeatureStore(cache))
        classes = pipe.classes_.tolist()
        images = pipe[0].transform(paths)
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=".*can't be read", category=UserWarning
            )
            probabilities = pipe[1:].predict_proba(images)
        failures = images.failures
        # Not if the file was replaced while it was loaded.
        if kept is not None and not kept.exists() and kept == find_kept(file, cache):
            from skart.persistence._export import keep_export

            keep_export(pipe, kept, file)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    predictions = {
        path: [(classes[i], row[i].item()) for i in ranked]
        for path, row, ranked in zip(paths, probabilities, best, strict=True)
        if path not in failures
    }
    return predictions, failures
