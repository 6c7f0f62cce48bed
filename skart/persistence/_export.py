"""Export of fitted pipelines as LiteRT and ONNX files."""

import contextlib
import importlib.util
import io
import json
import os
import warnings
import zipfile
import zlib

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skart._utils._files import atomic_write
from skart._utils._validation import StrOptions, validate
from skart.features import Encoder, FeatureExtractor
from skart.images import ImageLoader
from skart.images._loader import check_size
from skart.networks._weights import find_preset
from skart.persistence._exported import (
    INFO_CRC32,
    READERS,
    RUNTIMES,
    SUFFIXES,
)
from skart.persistence._file import EXPORT_FORMAT, INFO, new_info
from skart.persistence._parts import clear_local_parameters, copy_model
from skart.persistence._save import check_target

# The largest difference of probabilities; float32 rounding is about 1e-6.
_TOLERANCE = 1e-4

# The number of automatic exports that are kept in a cache folder.
_N_KEPT = 8

# For those who run the file without skart.
_PREPROCESSING = (
    "Decode the file to 8-bit sRGB, apply its EXIF orientation, put transparent pixels "
    "on white, and resize to (height, width): 'crop' fills them and cuts off the rest, "
    "'pad' fits into them with black borders, 'stretch' ignores the aspect ratio. The "
    "input is uint8 of shape (n, height, width, 3), in 0-255; the graph scales it. "
    "The output is the probability of each class, in the order of classes."
)

_EXPORTABLE = (
    "Pipelines that can be exported: ImageLoader, FeatureExtractor and "
    "DenseHeadClassifier; or ImageLoader, then FineTuneClassifier or a convolutional "
    "network trained from scratch."
)


class ExportError(ValueError):
    """Raised if a model can't be exported."""


def export_model(model, path, format="litert"):
    """Export a fitted pipeline as one LiteRT or ONNX file.

    The file contains the whole computation from pixels to probabilities, including the
    frozen backbone, and runs without skart, Keras and TensorFlow. Its JSON description
    ``skart.json`` names the classes and how images are prepared: it is in a zip that is
    appended to a LiteRT file, and in the metadata properties of an ONNX file. ``skart
    predict`` runs such a file. Requires ``pip install skart[export]``.

    Native code runs the graph: use exported files only from people that you trust.

    Parameters
    ----------
    model : Pipeline
        A fitted pipeline of :class:`~skart.ImageLoader`,
        :class:`~skart.FeatureExtractor` and :class:`~skart.DenseHeadClassifier`; or of
        ``ImageLoader`` and :class:`~skart.FineTuneClassifier` or a network trained from
        scratch. All parts must compute in float32, without ``test_time_augmentation``.
    path : str or path
        The file to write, ending in ``.tflite`` or ``.onnx``. An existing file is
        replaced once the new one is complete.
    format : {"litert", "onnx"}, default="litert"
        The format. A LiteRT file takes one image at a time, an ONNX file any number.

    Raises
    ------
    ExportError
        If the pipeline is of another kind, a package is not installed, a layer can't be
        converted, or the exported probabilities differ by more than 1e-4.
    NotFittedError
        If the model is not fitted.
    ValueError
        If `format` or the suffix of `path` is invalid.
    OSError
        If the folder does not exist or is not writable.

    See Also
    --------
    save_model : Save any model so that it can be loaded as an estimator.

    Examples
    --------
    >>> from skart import load_model
    >>> from skart.persistence import export_model
    >>> pipe = load_model("model.skart")  # doctest: +SKIP
    >>> export_model(pipe, "model.onnx", format="onnx")  # doctest: +SKIP
    """
    validate("export_model", {"format": format}, {"format": [StrOptions({*SUFFIXES})]})
    path = check_target(path)
    if path.suffix != SUFFIXES[format]:
        raise ValueError(
            f"{str(path)!r}: the name of an exported file must end in "
            f"{SUFFIXES[format]} for the format {format!r}"
        )
    obstacle = _find_obstacle(model)
    if obstacle is not None:
        raise ExportError(f"this model can't be exported: {obstacle}. {_EXPORTABLE}")
    check_is_fitted(model)
    needed = ["tf2onnx"] if format == "onnx" else []
    needed.append(RUNTIMES[format])
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(
            f"an export to {format} needs {' and '.join(missing)}. Run: pip install "
            "'skart[export]'"
        )
    # Without a cache, the image of the check below is not stored.
    model = copy_model(model, lambda _, estimator: clear_local_parameters(estimator))
    shape = (*check_size("size", model[0].size), 3)
    compute, networks = _make_function(model, shape)
    graph = _CONVERTERS[format](compute, networks, shape)
    info = json.dumps(_describe(model, shape, graph), indent=2)
    with atomic_write(path) as part:
        part.write_bytes(graph + _METADATA[format](info))
        image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        with _converting(format):
            found = READERS[format](part).run(image)
        difference = np.abs(found - model[1:].predict_proba(image[None])[0]).max()
        if not difference <= _TOLERANCE:  # nan is not, either
            raise ExportError(
                f"the exported probabilities differ by {difference:.2g} from those of "
                "the model; at most 1e-4 is allowed"
            )


def keep_export(model, kept, file):
    """Export a model that was loaded from `file` to the path `kept` in the cache."""
    folder = kept.parent
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if _find_obstacle(model) is not None or not os.access(folder, os.W_OK):
        return
    try:
        export_model(model, kept)
    except (ExportError, OSError) as error:
        warnings.warn(
            f"{str(file)!r} can't be exported to LiteRT ({error}): each prediction "
            "starts TensorFlow",
            stacklevel=2,
        )
    with contextlib.suppress(OSError):  # another process may remove them, too
        by_age = sorted(folder.glob("export-*.tflite"), key=os.path.getmtime)
        for old in by_age[:-_N_KEPT]:
            old.unlink()


def _find_obstacle(model):
    """Return why a model can't be exported, or None."""
    # Imported here, since these import Keras.
    from skart.classifiers import DenseHeadClassifier
    from skart.classifiers._base import BaseKerasClassifier

    if not isinstance(model, Pipeline):
        return f"it is a {type(model).__name__}, not a pipeline"
    steps = _steps(model)
    kinds = [type(step) for step in steps[1:-1]]
    if isinstance(steps[-1], DenseHeadClassifier):
        is_known = kinds == [FeatureExtractor]
    else:
        is_known = isinstance(steps[-1], BaseKerasClassifier) and not kinds
    if not is_known or not isinstance(model[0], ImageLoader):
        return f"its steps are {', '.join(type(step).__name__ for step in steps)}"
    for step in steps[1:]:
        dtype = getattr(step, "dtype", None) or "float32"
        if dtype != "float32":
            return f"{type(step).__name__} computes in {dtype}, not in float32"
        if isinstance(getattr(step, "backbone", None), Encoder):
            return f"the function of the encoder {step.backbone.name!r} is Python code"
        if find_preset(getattr(step, "backbone", "")) is not None:
            return f"{step.backbone} is a network of keras-hub"
        if getattr(step, "test_time_augmentation", None) is not None:
            return f"{type(step).__name__} has a test_time_augmentation"
    return None


def _steps(model):
    """Return the estimators of a pipeline, without steps that pass data through."""
    return [step for _, step in model.steps if step not in (None, "passthrough")]


def _make_function(model, shape):
    """Return a function of uint8 images, and the networks that it calls."""
    import tensorflow as tf

    *middle, classifier = _steps(model)[1:]
    extract, networks = (lambda images: images), []
    if middle:
        extract, networks = _make_extraction(middle[0], shape)
    elif getattr(classifier, "trunk_", {"cut": "input"})["cut"] != "input":
        extract, networks = _make_extraction(classifier._extractor(), shape)

    def compute(images):
        features = extract(tf.cast(images, "float32"))
        return {"probabilities": classifier.model_(features, training=False)}

    return compute, [*networks, classifier.model_]


def _make_extraction(extractor, shape):
    """Return a function of float32 images that computes features, and its network."""
    import tensorflow as tf

    from skart.networks._backbones import preprocess_input

    preprocess = preprocess_input(extractor.backbone)
    image = np.empty((1, *shape), np.uint8)
    windows = extractor._windows(image)
    network = extractor.network(windows[0].cut(image).shape[1:])

    def extract(images):
        seen = []
        for window in windows:
            outputs = network(preprocess(window.cut(images)), training=False)
            # Features are rounded as in the store.
            rounded = [
                tf.cast(tf.cast(output, extractor.storage_dtype), "float32")
                for output in tf.nest.flatten(outputs)
            ]
            seen.append(tf.concat(rounded, axis=-1))
        if len(seen) == 1 or extractor.crop_pooling == "concat":
            return tf.concat(seen, axis=-1)
        reduce = {"mean": tf.reduce_mean, "max": tf.reduce_max}
        return reduce[extractor.crop_pooling](tf.stack(seen), axis=0)

    return extract, [network]


@contextlib.contextmanager
def _converting(format, *errors):
    """Convert exceptions of a converter or a runtime to an ExportError."""
    try:
        yield
    except (RuntimeError, ValueError, *errors) as error:
        cause = error.__cause__ or error  # a ModelFileError names a temporary file
        reason = f"{type(cause).__name__}: {cause}".splitlines()[0]
        raise ExportError(
            f"a layer can't be converted to {format}: {reason}"
        ) from error


def _convert_to_litert(compute, networks, shape):
    """Return the content of a LiteRT file that takes one image."""
    import tensorflow as tf

    if not hasattr(tf, "lite"):  # it is deprecated
        raise ExportError(f"TensorFlow {tf.__version__} has no converter to LiteRT")
    # Private: there is no public name for the converter's exception.
    from tensorflow.lite.python.convert_phase import ConverterError

    signature = [tf.TensorSpec((1, *shape), "uint8", name="images")]
    traced = tf.function(compute, input_signature=signature).get_concrete_function()
    weights = tf.Module()
    weights.all = [weight.value for network in networks for weight in network.weights]
    converter = tf.lite.TFLiteConverter
    with _converting("litert", ConverterError):
        return converter.from_concrete_functions([traced], weights).convert()


def _convert_to_onnx(compute, networks, shape):
    """Return the content of an ONNX file that takes any number of images."""
    import onnx
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *shape), "uint8", name="images")]
    function = tf.function(compute, input_signature=signature)
    traced = function.get_concrete_function()
    with _converting("onnx"):
        converted, _ = tf2onnx.convert.from_function(function, signature)
    # The converter takes constants of layers, such as Normalization, for inputs.
    captured = traced.captured_inputs
    for entry, value in zip(traced.inputs[-len(captured) :], captured, strict=True):
        if value.dtype != tf.resource:
            constant = onnx.numpy_helper.from_array(value.numpy(), entry.name)
            converted.graph.initializer.append(constant)
    del converted.graph.input[1:]
    return converted.SerializeToString()


def _describe(model, shape, graph):
    """Return the content of `skart.json`."""
    return {
        **new_info(EXPORT_FORMAT),
        "steps": [type(step).__name__ for step in _steps(model)],
        "classes": model.classes_.tolist(),
        "image": {
            "height": shape[0],
            "width": shape[1],
            "resize": model[0].resize,
            "max_pixels": model[0].max_pixels,
            "preprocessing": _PREPROCESSING,
        },
        "graph": {"bytes": len(graph), "crc32": zlib.crc32(graph)},
    }


def _litert_metadata(info):
    """Return the description as a zip, to be appended to a LiteRT file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(INFO, info)
    return content.getvalue()


def _onnx_metadata(info):
    """Return the description as metadata, to be appended to an ONNX file."""
    import onnx

    # Protocol buffers that follow one another are merged when they are read.
    metadata = onnx.ModelProto()
    checksum = str(zlib.crc32(info.encode()))
    onnx.helper.set_model_props(metadata, {INFO: info, INFO_CRC32: checksum})
    return metadata.SerializeToString()


_CONVERTERS = {"litert": _convert_to_litert, "onnx": _convert_to_onnx}
_METADATA = {"litert": _litert_metadata, "onnx": _onnx_metadata}
