"""Artistic movement recognition as scikit-learn estimators.

The packages, in the order in which a painting travels::

    datasets         folders and tables        -> paths, movements, artists
    images           paths                     -> images, decoded on access
    store            features, kept on disk
    networks         plain functions           -> Keras models
    features         images                    -> feature vectors
    classifiers      features or images        -> movements
    model_selection  pipelines, searches, stacks and splitters
    distributed      the same work on many machines
    evaluation       how good a classifier is on artists it has not seen
    exploration      which paintings look alike, and the map of a collection
    audit            what is wrong in a collection
    explanation      where the model looked
    plotting         figures, as Display objects
    report           one HTML page of everything that came out
    persistence      a fitted model as one file that is safe to open
    serving          a page for one painting

Names are imported on first use, so ``import skart`` takes a few milliseconds.
"""

import lazy_loader as lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
