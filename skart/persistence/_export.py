"""Export of fitted pipelines as OpenVINO and ONNX files."""

import contextlib
import importlib.util
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
from skart.networks._openvino import (
    ConversionError,
    convert,
    delete_oldest,
    write_network,
)
from skart.persistence._exported import (
    INFO_CRC32,
    READERS,
    RUNTIMES,
    SUFFIXES,
)
from skart.persistence._file import EXPORT_FORMAT, INFO, new_info
from skart.persistence._parts import clear_local_parameters, copy_model
from skart.persistence._save import check_target

# The largest difference of probabilities. Rounding of float32 is about 1e-6; where
# features are stored in float16, a value may be rounded to the next one.
_TOLERANCE = {"float32": 1e-4, "float16": 1e-3}

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


def export_model(model, file, *, format=None, notes=None):
    """Export a fitted pipeline as one file for OpenVINO or ONNX Runtime.

    The file contains the whole computation from pixels to probabilities, including the
    frozen backbone, and runs without skart, Keras and TensorFlow. Its JSON description
    ``skart.json`` names the classes and how images are prepared. A file for OpenVINO is
    a zip of it and the graph, ``network.xml`` and ``network.bin``; an ONNX file has it
    in its metadata properties. ``skart predict`` runs such a file. Requires ``pip
    install 'skart[export]'``.

    Native code runs the graph: use exported files only from people that you trust.

    Parameters
    ----------
    model : Pipeline
        A fitted pipeline of :class:`~skart.ImageLoader`,
        :class:`~skart.FeatureExtractor` and :class:`~skart.DenseHeadClassifier`; or of
        ``ImageLoader`` and :class:`~skart.FineTuneClassifier` or a network trained from
        scratch. All parts must compute in float32, without ``test_time_augmentation``.
    file : str or path
        The file to write, ending in ``.openvino`` or ``.onnx``. An existing file is
        replaced once the new one is complete.
    format : {"openvino", "onnx"}, default=None
        The format. If None, that of the file's suffix. The graph for OpenVINO takes one
        image at a time, that for ONNX Runtime any number.
    notes : dict, default=None
        Additional information for ``skart.json``. Must be serializable as JSON.

    Raises
    ------
    ExportError
        If the pipeline is of another kind, a layer can't be converted, or the exported
        probabilities differ by more than 1e-4 (1e-3 if features are stored in float16).
    ImportError
        If a package is not installed.
    NotFittedError
        If the model is not fitted.
    ValueError
        If `format` or the suffix of `file` is invalid.
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
    >>> export_model(pipe, "model.onnx")  # doctest: +SKIP
    """
    constraints = {"format": [StrOptions({*SUFFIXES}), None]}
    validate("export_model", {"format": format}, constraints)
    file = check_target(file)
    suffixes = SUFFIXES if format is None else {format: SUFFIXES[format]}
    formats = {suffix: name for name, suffix in suffixes.items()}
    if file.suffix not in formats:
        raise ValueError(
            f"{str(file)!r}: the name of an exported file must end in "
            f"{' or '.join(formats)}"
        )
    format = formats[file.suffix]
    obstacle = _find_obstacle(model)
    if obstacle is not None:
        raise ExportError(f"this model can't be exported: {obstacle}. {_EXPORTABLE}")
    check_is_fitted(model)
    needed = ["tf2onnx"] if format == "onnx" else []
    needed.append(RUNTIMES[format])
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"an export to {format} needs {' and '.join(missing)}. Run: pip install "
            "'skart[export]'"
        )
    # Without a cache, the image of the check below is not stored.
    model = copy_model(model, lambda _, estimator: clear_local_parameters(estimator))
    shape = (*check_size("size", model[0].size), 3)
    compute, networks = _make_function(model, shape)
    info = {**_describe(model, shape), "notes": notes}
    with atomic_write(file) as part:
        _WRITERS[format](part, compute, networks, shape, info)
        image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        with _converting(format):
            found = READERS[format](part).run(image)
        difference = np.abs(found - model[1:].predict_proba(image[None])[0]).max()
        dtypes = [getattr(step, "storage_dtype", None) for step in _steps(model)]
        allowed = _TOLERANCE["float16" if "float16" in dtypes else "float32"]
        if not difference <= allowed:  # nan is not, either
            raise ExportError(
                f"the exported probabilities differ by {difference:.2g} from those of "
                f"the model; at most {allowed} is allowed"
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
    except (ExportError, ImportError, OSError) as error:
        warnings.warn(
            f"{str(file)!r} can't be exported to OpenVINO ({error}): each prediction "
            "starts TensorFlow",
            stacklevel=2,
        )
    delete_oldest(folder, "export")


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
            features = tf.concat(tf.nest.flatten(outputs), axis=-1)
            if extractor.storage_dtype == "float16":
                features = _round_to_float16(features)
            seen.append(features)
        if len(seen) == 1 or extractor.crop_pooling == "concat":
            return tf.concat(seen, axis=-1)
        reduce = {"mean": tf.reduce_mean, "max": tf.reduce_max}
        return reduce[extractor.crop_pooling](tf.stack(seen), axis=0)

    return extract, [network]


def _round_to_float16(x):
    """Round float32 numbers to those of float16, as the store does."""
    import tensorflow as tf

    # OpenVINO leaves out a cast to float16 and back.
    exponent = tf.floor(tf.math.log(tf.abs(x)) / np.log(2).astype("float32"))
    step = tf.pow(2.0, tf.maximum(exponent, -14.0) - 10.0)
    return tf.round(x / step) * step


@contextlib.contextmanager
def _converting(format):
    """Convert exceptions of a converter or a runtime to an ExportError."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        cause = error.__cause__ or error  # a ModelFileError names a temporary file
        reason = f"{type(cause).__name__}: {cause}".splitlines()[0]
        raise ExportError(
            f"a layer can't be converted to {format}: {reason}"
        ) from error


def _write_openvino(file, compute, networks, shape, info):
    """Write a file for OpenVINO that takes one image."""
    import tensorflow as tf

    signature = [tf.TensorSpec((1, *shape), "uint8", name="images")]
    weights = [weight.value for network in networks for weight in network.weights]
    try:
        graph, _ = convert(compute, signature, weights)
    except ConversionError as error:
        raise ExportError(f"a layer can't be converted to openvino: {error}") from error
    with zipfile.ZipFile(file, "w") as archive:
        write_network(graph, archive)
        archive.writestr(INFO, json.dumps(info, indent=2))


def _write_onnx(file, compute, networks, shape, info):
    """Write an ONNX file that takes any number of images."""
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
    graph = converted.SerializeToString()
    info["graph"] = {"bytes": len(graph), "crc32": zlib.crc32(graph)}
    text = json.dumps(info, indent=2)
    # Protocol buffers that follow one another are merged when they are read.
    metadata = onnx.ModelProto()
    checksum = str(zlib.crc32(text.encode()))
    onnx.helper.set_model_props(metadata, {INFO: text, INFO_CRC32: checksum})
    file.write_bytes(graph + metadata.SerializeToString())


def _describe(model, shape):
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
    }


_WRITERS = {"openvino": _write_openvino, "onnx": _write_onnx}
