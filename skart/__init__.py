"""Artistic movement recognition as scikit-learn estimators.

The modules read in the order in which a painting travels::

    datasets     a folder of paintings          -> paths, movements, artists
    images       paths                          -> images, decoded on demand
    features     images, a frozen backbone      -> features, computed once ...
    store                                          ... and kept on disk
    handcrafted  images                         -> features of the time before networks,
    descriptors                                    from plain functions of one image
    networks     plain functions                -> Keras models
    classifiers  features, or images            -> movement
    pipelines    all of it, ready to search
    cited        what came before the report, as pipelines
    persistence  what was fitted                -> one file, safe to open, and back
    evaluation   how good it is on artists it has not seen, as numbers
    plotting     what came out, as figures
    report       all that came out, on one page to read, print and mail

``import skart`` costs next to nothing: each public name is imported on first use,
and Keras with it.
"""

import importlib

__version__ = "0.1.0.dev0"

_HOME = {
    "AlexNetClassifier": "skart.classifiers",
    "ArtistKFold": "skart.stacking",
    "DenseHeadClassifier": "skart.classifiers",
    "FeatureExtractor": "skart.features",
    "FeatureStore": "skart.store",
    "FineTuneClassifier": "skart.classifiers",
    "HandcraftedFeatures": "skart.handcrafted",
    "HeadSearch": "skart.head_search",
    "HybridCNNClassifier": "skart.classifiers",
    "ImageLoader": "skart.images",
    "LazyImages": "skart.images",
    "ModelFileError": "skart.persistence",
    "SqueezeNetClassifier": "skart.classifiers",
    "UnreadableImageError": "skart.images",
    "VGGLiteClassifier": "skart.classifiers",
    "cited_pipeline": "skart.cited",
    "cnn_search_space": "skart.pipelines",
    "head_search_space": "skart.pipelines",
    "load_model": "skart.persistence",
    "make_cnn_pipeline": "skart.pipelines",
    "make_fine_tune_pipeline": "skart.pipelines",
    "make_stacked_pipeline": "skart.stacking",
    "make_transfer_pipeline": "skart.pipelines",
    "model_info": "skart.persistence",
    "save_model": "skart.persistence",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    """Import a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'skart' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__():
    """List the public names, imported or not."""
    return sorted([*globals(), *__all__])
