"""Images to movements, past those that can't be read."""

import warnings

import numpy as np

from skart.persistence._engine import digest_model, find_engine, keep_engine
from skart.store import FeatureStore

# So many images take a graph less time than TensorFlow takes to start. Of more,
# features are worth keeping, which graphs don't do.
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
    # Here, since graphs do without.
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
        Model by ``skart train``.
    paths : list of str
        Image files, each named once.
    top_k : int, default=3
        Movements to name for each image; the most probable first.
    weights : str or path, default=None
        Where the pretrained weights lie now.
    cache : str or path
        Folder of the features, and of graphs that predict few images without Keras.

    Returns
    -------
    predictions : dict of str to list of (str, float)
        Movements and their probabilities, for each image that can be read; in the order
        of the paths.
    failures : dict of str to str
        Images that can't be read, with the reason.
    """
    store = FeatureStore(cache)
    digest = digest_model(file) if len(paths) <= _FEW else None
    engine = find_engine(digest, store, file, weights) if digest else None
    if engine is not None:
        classes = engine.classes
        probabilities, failures = engine.predict_proba(paths)
    else:
        pipe = load_pipeline(file, weights=weights, cache=store)
        classes = pipe.classes_.tolist()
        images = pipe[0].transform(paths)
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=".*can't be read", category=UserWarning
            )
            probabilities = pipe[1:].predict_proba(images)
        failures = images.failures
        if digest:
            keep_engine(digest, store, file, pipe, images, probabilities)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    predictions = {
        path: [(classes[i], row[i].item()) for i in ranked]
        for path, row, ranked in zip(paths, probabilities, best, strict=True)
        if path not in failures
    }
    return predictions, failures
