"""Transfer models as graphs that predict without TensorFlow, which starts slowly.

A saved model is converted once, to two graphs of LiteRT [1]_ that are kept in the store
of features: one from pixels to features, which models with the same backbone share, and
one from features to probabilities. They are found by the digest of the model's file.

References
----------
.. [1] https://ai.google.dev/edge/litert
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import warnings

import numpy as np

import skart
from skart._utils._versions import EXTRACTOR_VERSION, compare_versions
from skart.images._decode import DECODER_VERSION, decode_image
from skart.images._formats import UNREADABLE, explain
from skart.networks._presets import find_preset
from skart.store import StoreError

# Raise it when graphs that are kept are no longer right.
_ENGINE_VERSION = 1

# Between probabilities; those in float32 differ by a millionth.
_TOLERANCE = 1e-4

# The store keeps arrays of images; each graph has a section of its own.
_GRAPH = hashlib.sha256(b"skart: graph").digest()


class GraphError(Exception):
    """Raised if LiteRT can't convert a network, or run a graph."""


class Engine:
    """Predict from image files by graphs of LiteRT.

    Parameters
    ----------
    facts : dict
        ``classes``, and the parameters of ``decode_image`` as ``decoding``.
    graphs : list of bytes
        Each takes the output of the one before it.

    Raises
    ------
    GraphError
        If LiteRT can't load one of them.
    """

    def __init__(self, facts, graphs):
        from ai_edge_litert.interpreter import Interpreter

        self.classes = facts["classes"]
        decoding = facts["decoding"]
        self._decoding = decoding["size"], decoding["resize"], decoding["max_pixels"]
        self._steps = []
        # One image at a time keeps few cores busy.
        n_threads = min(4, os.cpu_count() or 1)
        with _graph_errors("LiteRT can't run it"):
            for graph in graphs:
                step = Interpreter(model_content=graph, num_threads=n_threads)
                step.allocate_tensors()
                self._steps.append(step)

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

        Raises
        ------
        GraphError
            If LiteRT can't run a graph.
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
        with _graph_errors("LiteRT can't run it"):
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
        None if nothing is kept that can be used, or the weights are not those that the
        model had.
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
        if backbone is None:
            return None
        engine = Engine(facts, [backbone, head])
    except (GraphError, StoreError):  # the ordinary way of predicting reports it
        return None
    compare_versions(file, facts["versions"])
    return engine


def keep_engine(digest, store, file, pipe, images, probabilities):
    """Convert a model that has just predicted, and keep its graphs.

    They are kept only if they give the same probabilities. A model that can't be
    converted, or a store that can't be written to, is a warning.

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
    if store.read_only or not readable or not _is_plain_transfer(pipe):
        return
    from skart.persistence._file import ModelFileError
    from skart.persistence._model import model_info

    try:
        info = model_info(file)
    except (OSError, ModelFileError):  # it was deleted or replaced meanwhile
        return
    if digest_model(file) != digest:
        return
    facts = _collect_facts(pipe, images, info)
    compared = readable[:1]
    try:
        section = store.section(facts["backbone"])
        backbone = _read(section)
        is_new = backbone is None
        if is_new:
            backbone = _convert_backbone(pipe[1], images)
        head = _convert_head(pipe)
        found, _ = Engine(facts, [backbone, head]).predict_proba(images.paths[compared])
        differs = np.abs(found - probabilities[compared]).max()
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
    """Collect all that graphs depend on besides the model and the weights."""
    return {
        "version": _ENGINE_VERSION,
        "skart": skart.__version__,
        "litert": _litert_version(),
        "decoder": DECODER_VERSION,
        "extractor": EXTRACTOR_VERSION,
    }


def _collect_facts(pipe, images, info):
    """Collect what an engine needs besides its graphs."""
    (recorded,) = info["backbones"]
    return {
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


def _model_section(store, digest):
    return store.section({"engine": _version(), "model": digest})


def _read(section):
    arrays, found = section.read([_GRAPH])
    return arrays[0].tobytes() if found.all() else None


def _write(section, value):
    section.write([_GRAPH], np.frombuffer(value, np.uint8)[None])


def _pack(facts, graph):
    header = json.dumps(facts).encode()
    return len(header).to_bytes(8) + header + graph


def _unpack(packed):
    end = 8 + int.from_bytes(packed[:8])
    return json.loads(packed[8:end]), packed[end:]


def _is_plain_transfer(pipe):
    from sklearn.preprocessing import StandardScaler

    from skart.classifiers import DenseHeadClassifier
    from skart.features import FeatureExtractor
    from skart.images import ImageLoader

    kinds = [type(step) for _, step in pipe.steps]
    if StandardScaler in kinds[2:3]:
        del kinds[2]
    return (
        kinds == [ImageLoader, FeatureExtractor, DenseHeadClassifier]
        and find_preset(pipe[1].backbone) is None  # not converted
        and pipe[1].pooling is not None
        and pipe[1].crops is None
        and not pipe[1].mirror
        and len(pipe[1]._outputs()) == 1
        and pipe[1].dtype in (None, "float32")
        and pipe[1].storage_dtype == "float32"
    )


@contextlib.contextmanager
def _graph_errors(problem):
    """Raise exceptions of LiteRT or its converter as GraphError."""
    try:
        yield
    except Exception as error:  # they raise many kinds
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise GraphError(f"{problem}: {reason}") from error


def _convert_backbone(extractor, images):
    from skart.networks._backbones import preprocess_input

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
    if not hasattr(tf, "lite"):  # it is deprecated
        raise GraphError(f"TensorFlow {tf.__version__} has no converter for LiteRT")
    with _graph_errors("it can't be converted"):
        return tf.lite.TFLiteConverter.from_concrete_functions(
            [traced], weights
        ).convert()
