"""Transfer models as graphs that predict without TensorFlow, which starts slowly.

What a saved model computes, pixels to features to probabilities, is converted once and
kept in the store of features, as two graphs of LiteRT [1]_: that of the backbone serves
all models that stand on it. They are found by the digest of the model's file.

References
----------
.. [1] https://ai.google.dev/edge/litert
"""

import hashlib
import importlib.metadata
import json
import os
import warnings

import numpy as np

import skart
from skart._decode import DECODER_VERSION, decode_image
from skart._image_file import UNREADABLE, explain
from skart._presets import find_preset
from skart._versions import EXTRACTOR_VERSION, compare_versions
from skart.store import StoreError

# Raise it when graphs that are kept are no longer right.
_ENGINE_VERSION = 1

# Between probabilities; those in float32 differ by a millionth.
_TOLERANCE = 1e-4

# The store keeps arrays of images; each graph has a section of its own.
_GRAPH = hashlib.sha256(b"skart: graph").digest()


class GraphError(Exception):
    """A network that LiteRT can't convert or run."""


class Engine:
    """Image files to probabilities.

    Parameters
    ----------
    facts : dict
        ``classes``, and the parameters of ``decode_image`` as ``decoding``.
    graphs : list of bytes
        Of LiteRT; each takes what the one before it gives.

    Raises
    ------
    GraphError
        If LiteRT can't run one of them.
    """

    def __init__(self, facts, graphs):
        from ai_edge_litert.interpreter import Interpreter

        self.classes = facts["classes"]
        decoding = facts["decoding"]
        self._decoding = decoding["size"], decoding["resize"], decoding["max_pixels"]
        self._steps = []
        # One image at a time keeps few cores busy.
        n_threads = min(4, os.cpu_count() or 1)
        for graph in graphs:
            self._steps.append(_start(Interpreter, graph, n_threads))

    def predict_proba(self, paths):
        """Predict the probability of each class.

        Parameters
        ----------
        paths : list of str
            Image files.

        Returns
        -------
        probabilities : ndarray of shape (n_images, n_classes), dtype float32
            Zeros where an image can't be read.
        failures : dict of str to str
            Images that can't be read, with the reason.
        """
        probabilities = np.zeros((len(paths), len(self.classes)), np.float32)
        failures = {}
        for row, path in zip(probabilities, paths, strict=True):
            try:
                pixels = decode_image(path, *self._decoding)
            except UNREADABLE as error:
                failures[path] = explain(error)
            else:
                row[:] = self._run(pixels)
        return probabilities, failures

    def _run(self, pixels):
        values = pixels[None]
        for step in self._steps:
            step.set_tensor(step.get_input_details()[0]["index"], values)
            step.invoke()
            values = step.get_tensor(step.get_output_details()[0]["index"])
        return values[0]


def digest_model(file):
    """Digest a model file, by which its graphs are found.

    Parameters
    ----------
    file : str or path
        A model file, or none.

    Returns
    -------
    digest : str or None
        None if it isn't there, or LiteRT isn't installed.
    """
    file = os.path.expanduser(file)
    if _litert_version() is None or not os.path.isfile(file):
        return None
    try:
        with open(file, "rb") as raw:
            return hashlib.file_digest(raw, "sha256").hexdigest()
    except OSError:
        return None


def find_engine(digest, store, file, weights=None):
    """Find the graphs of a model.

    Parameters
    ----------
    digest : str
        By :func:`digest_model`.
    store : FeatureStore
        Where they are kept.
    file : str or path
        The model's name.
    weights : str or path, default=None
        Where the pretrained weights lie now.

    Returns
    -------
    engine : Engine or None
        None if nothing is kept, or the weights are not those that the model had.
    """
    try:
        kept = _read(_model_section(store, digest)) if store.exists() else None
        if kept is None:
            return None
        facts, head = _unpack(kept)
        named = facts["weights_file"] if weights is None else weights
        if named is not None:
            (found,) = store.digest_files([os.path.expanduser(named)])
            if found is None or found.hex() != facts["weights"]:
                return None
        backbone = _read(store.section(facts["backbone"]))
    except StoreError:  # which is told once features are looked up
        return None
    if backbone is None:
        return None
    compare_versions(file, facts["versions"])
    return Engine(facts, [backbone, head])


def keep_engine(digest, store, file, pipe, images, probabilities):
    """Convert a model that has just predicted, and keep it, if that can be done.

    It is kept if it gives the same probabilities.

    Parameters
    ----------
    digest : str
        By :func:`digest_model`, before the model was loaded.
    store : FeatureStore
        Where to keep the graphs.
    file : str or path
        The model.
    pipe : Pipeline
        What was loaded from it.
    images : LazyImages
        What it has predicted.
    probabilities : ndarray of shape (n_images, n_classes)
        What came out.
    """
    readable = [i for i, path in enumerate(images.paths) if path not in images.failures]
    readable = readable[:1]  # is enough to compare
    if store.read_only or not readable or not _is_plain_transfer(pipe):
        return
    from skart.persistence import ModelFileError, model_info

    try:
        info = model_info(file)
    except (OSError, ModelFileError):  # it was deleted or replaced meanwhile
        return
    if digest_model(file) != digest:
        return
    (recorded,) = info["backbones"]
    facts = {
        "backbone": {
            "engine": _version(),
            "layer": pipe[1].layer,
            "pooling": pipe[1].pooling,
            **pipe[1]._identity(images),
        },
        "classes": pipe.classes_.tolist(),
        "decoding": {
            "size": images.size,
            "resize": images.resize,
            "max_pixels": images.max_pixels,
        },
        "versions": info["versions"],
        "weights": recorded["weights"],
        "weights_file": recorded["file"],
    }
    try:
        section = store.section(facts["backbone"])
        backbone = _read(section)
        is_new = backbone is None
        if is_new:
            backbone = _convert_backbone(pipe[1], images)
        head = _convert_head(pipe)
        found, _ = Engine(facts, [backbone, head]).predict_proba(images.paths[readable])
        differs = np.abs(found - probabilities[readable]).max()
        if not differs <= _TOLERANCE:  # not >, which is false of nan
            raise GraphError(f"its probabilities differ by {differs:.2g}")
        if is_new:
            _write(section, backbone)
        _write(_model_section(store, digest), _pack(facts, head))
    except (GraphError, StoreError) as error:
        warnings.warn(
            f"{str(file)!r} can't be kept as a graph of LiteRT ({error}): predicting "
            "starts TensorFlow each time",
            stacklevel=2,
        )


def _litert_version():
    try:
        return importlib.metadata.version("ai-edge-litert")
    except importlib.metadata.PackageNotFoundError:
        return None


def _version():
    """Collect all that graphs depend on beside the model and the weights."""
    return {
        "version": _ENGINE_VERSION,
        "skart": skart.__version__,
        "litert": _litert_version(),
        "decoder": DECODER_VERSION,
        "extractor": EXTRACTOR_VERSION,
    }


def _model_section(store, digest):
    return store.section({"engine": _version(), "model": digest})


def _read(section):
    arrays, found = section.read([_GRAPH])
    return arrays[0].tobytes() if found.all() else None


def _write(section, value):
    section.write([_GRAPH], np.frombuffer(value, np.uint8)[None])


def _pack(facts, graph):
    told = json.dumps(facts).encode()
    return len(told).to_bytes(8) + told + graph


def _unpack(packed):
    end = 8 + int.from_bytes(packed[:8])
    return json.loads(packed[8:end]), packed[end:]


def _is_plain_transfer(pipe):
    from sklearn.preprocessing import StandardScaler

    from skart import DenseHeadClassifier, FeatureExtractor, ImageLoader

    kinds = [type(step) for _, step in pipe.steps]
    if StandardScaler in kinds[2:3]:
        del kinds[2]
    return (
        kinds == [ImageLoader, FeatureExtractor, DenseHeadClassifier]
        and find_preset(pipe[1].backbone) is None  # its preprocessing is no graph
        and pipe[1].pooling is not None
        and pipe[1].crops is None
        and not pipe[1].mirror
        and len(pipe[1]._outputs()) == 1
        and pipe[1].dtype in (None, "float32")
        and pipe[1].storage_dtype == "float32"
    )


def _start(interpreter, graph, n_threads):
    """Make an interpreter of a graph."""
    try:
        step = interpreter(model_content=graph, num_threads=n_threads)
        step.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise GraphError(f"LiteRT can't run it: {_first_line(error)}") from error
    return step


def _first_line(error):
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _convert_backbone(extractor, images):
    from skart.networks.backbone import preprocess_input

    network = extractor.network(images.item_shape)
    preprocess = preprocess_input(extractor.backbone)
    return _convert(
        lambda pixels: network(preprocess(pixels), training=False),
        network,
        images.item_shape,
        "uint8",
    )


def _convert_head(pipe):
    network = pipe[-1].model_
    mean, scale = 0, 1
    if len(pipe) == 4:
        scaler = pipe[2]
        mean = scaler.mean_ if scaler.with_mean else 0
        scale = scaler.scale_ if scaler.with_std else 1
    return _convert(
        lambda features: network((features - mean) / scale, training=False),
        network,
        network.input_shape[1:],
        "float32",
    )


def _convert(function, network, shape, dtype):
    """Convert a function of one sample to a graph."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, *shape), dtype)])
    def of_one(sample):
        return function(tf.cast(sample, "float32"))

    weights = tf.Module()
    weights.all = [weight.value for weight in network.weights]
    traced = of_one.get_concrete_function()
    if not hasattr(tf, "lite"):  # which is deprecated
        raise GraphError(f"TensorFlow {tf.__version__} has no converter for LiteRT")
    try:
        return tf.lite.TFLiteConverter.from_concrete_functions(
            [traced], weights
        ).convert()
    except Exception as error:  # the converter raises many kinds
        raise GraphError(f"it can't be converted: {_first_line(error)}") from error
