"""Images to movements, past those that can't be read."""

import warnings

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skart.images import ImageLoader
from skart.persistence import load_model


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
    cache : str or path, default=None
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


def predict_images(pipe, paths, top_k=3):
    """Predict the movements of image files.

    Parameters
    ----------
    pipe : Pipeline
        By :func:`load_pipeline`.
    paths : list of str
        Image files.
    top_k : int, default=3
        Movements to name for each image; the most probable first.

    Returns
    -------
    table : DataFrame
        ``path``, ``rank`` (from 1), ``movement`` and ``probability``: ``top_k`` rows an
        image that can be read, in the order of the paths.
    failures : dict of str to str
        Images that can't be read, with the reason.
    """
    images = pipe[0].transform(paths)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*can't be read", category=UserWarning
        )
        probabilities = pipe[1:].predict_proba(images)
    readable = np.array([path not in images.failures for path in paths])
    best = np.argsort(-probabilities, axis=1, kind="stable")[readable, :top_k]
    n_images, n_ranks = best.shape
    table = pd.DataFrame(
        {
            "path": np.repeat(np.asarray(paths, dtype=object)[readable], n_ranks),
            "rank": np.tile(np.arange(1, n_ranks + 1), n_images),
            "movement": pipe.classes_[best].ravel(),
            "probability": np.take_along_axis(
                probabilities[readable], best, axis=1
            ).ravel(),
        }
    )
    return table, images.failures
