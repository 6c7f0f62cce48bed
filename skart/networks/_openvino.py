"""Frozen networks that OpenVINO runs on processors."""

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import threading
import zipfile
from pathlib import Path

import numpy as np

from skart._utils._files import atomic_write
from skart._utils._versions import EXTRACTOR_VERSION, installed_version

# Largest error relative to Keras in float32; rounding makes about 1e-6.
_TOLERANCE = 1e-3

# Networks that are kept in the memory of a process, and files of a kind in a folder.
_N_LOADED, _N_KEPT = 2, 8

_PARTS = ("network.xml", "network.bin")

_loaded = {}
_loading = threading.Lock()
_home = None  # the process that has loaded a network


def import_openvino():
    """Import OpenVINO, which would otherwise report the import to Google Analytics."""
    name = "openvino_telemetry"
    is_loaded = name in sys.modules
    if not is_loaded:
        sys.modules[name] = None  # OpenVINO then uses a stub
    try:
        import openvino
    finally:
        if not is_loaded:
            del sys.modules[name]
    return openvino


class ConversionError(ValueError):
    """Raised if OpenVINO can't run a network."""


def load_converted(identity, *, dtype, folder, build):
    """Return a network that OpenVINO runs, shared by equal calls.

    ``build()`` returns a function from float32 images (n, height, width, 3) to a list
    of outputs, the shape of an image, and the weights. It is called if the converted
    network is not kept in `folder` (None keeps nothing) under `identity`, a list of
    plain values.
    """
    versions = [EXTRACTOR_VERSION, installed_version("openvino")]
    text = json.dumps([*identity, *versions])
    digest = hashlib.sha256(text.encode()).hexdigest()
    key = digest, dtype, folder
    _check_process()  # ahead of the lock: a thread may have held it at the fork
    with _loading:
        if key not in _loaded:
            while len(_loaded) >= _N_LOADED:
                _loaded.pop(next(iter(_loaded)))
            try:
                model = _read_or_convert(digest, folder, build)
                _loaded[key] = ConvertedNetwork(model, dtype)
            except ModuleNotFoundError:  # it can't be built here
                raise
            except (ConversionError, ImportError) as error:
                _loaded[key] = str(error)
        _loaded[key] = _loaded.pop(key)  # the most recent one is last
        if isinstance(_loaded[key], str):
            raise ConversionError(_loaded[key])
        return _loaded[key]


class ConvertedNetwork:
    """A network that computes several images at once, each with one thread or more."""

    def __init__(self, model, dtype):
        openvino = import_openvino()

        with _converting():
            compiled = compile_network(model, "THROUGHPUT", dtype)
            # By name: OpenVINO may order outputs in another way.
            self._outputs = [
                compiled.output(_name_output(i)) for i in range(len(model.outputs))
            ]
            self.shapes = [tuple(output.shape)[1:] for output in self._outputs]
        self._queue = openvino.AsyncInferQueue(compiled)
        self._lock = threading.Lock()

    def __call__(self, images):
        """Return the outputs of images: a list of float32 arrays."""
        found = [np.empty((len(images), *x), np.float32) for x in self.shapes]

        def keep(request, row):
            for array, output in zip(found, self._outputs, strict=True):
                array[row] = request.get_tensor(output).data[0]

        with self._lock:
            self._queue.set_callback(keep)
            try:
                for row, image in enumerate(images):
                    self._queue.start_async([image[None].astype(np.float32)], row)
            finally:  # after an interrupt, too: the next call uses the same requests
                self._queue.wait_all()
        return found


def convert(function, signature, weights):
    """Return a network that computes a function of TensorFlow, and its traced function.

    The function returns a dict of outputs by name.
    """
    openvino = import_openvino()
    import tensorflow as tf

    module = tf.Module()
    module.weights = weights
    # TensorFlow, Keras and OpenVINO raise many kinds. A file of TensorFlow is read in
    # a tenth of the time of openvino.convert_model, which also reports its use.
    with (
        _converting(Exception),
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
    ):
        function = tf.function(function, input_signature=signature)
        module.traced = traced = function.get_concrete_function()
        tf.saved_model.save(module, folder, signatures=traced)
        core = openvino.Core()
        core.set_property({"ENABLE_MMAP": False})  # the folder is deleted
        return core.read_model(folder), traced


def write_network(model, archive):
    """Write a network to an open zip file."""
    openvino = import_openvino()

    with tempfile.TemporaryDirectory() as folder:
        openvino.serialize(model, f"{folder}/{_PARTS[0]}")
        for name in _PARTS:
            archive.write(f"{folder}/{name}", name)


def read_network(archive):
    """Return the network in an open zip file."""
    openvino = import_openvino()

    return openvino.Core().read_model(*map(archive.read, _PARTS))


def compile_network(model, hint, dtype="float32"):
    """Compile a network for processors, for "THROUGHPUT" or for "LATENCY"."""
    openvino = import_openvino()

    options = {
        "PERFORMANCE_HINT": hint,
        # Its default is bfloat16 where the processor has it.
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bfloat16" else "f32",
        # Else two processes would wait for the same core.
        "ENABLE_CPU_PINNING": False,
    }
    # Read by other libraries, and set by what starts several processes on a machine.
    n_threads = os.environ.get("OMP_NUM_THREADS", "")
    if n_threads.isdecimal() and int(n_threads):
        options["INFERENCE_NUM_THREADS"] = int(n_threads)
    return openvino.Core().compile_model(model, "CPU", options)


def _read_or_convert(digest, folder, build):
    file = folder and Path(folder, f"network-{digest}.openvino")
    if file and file.is_file():
        try:
            with zipfile.ZipFile(file) as archive:
                if _is_current(archive):
                    model = read_network(archive)
                    os.utime(file)
                    return model
        except (zipfile.BadZipFile, KeyError, OSError, RuntimeError):
            pass  # damaged, or deleted meanwhile: it is made anew
    model = _convert_and_compare(*build())
    if file and os.access(folder, os.W_OK):
        _keep(model, file)
    return model


def _is_current(archive):
    """Return whether the installed Keras, if any, is that which built a network."""
    keras = installed_version("keras")
    return keras is None or archive.comment == keras.encode()


def _convert_and_compare(compute, shape, weights):
    """Convert a function of TensorFlow, and compare the results on random pixels."""
    import tensorflow as tf

    def list_outputs(images):
        return {_name_output(i): x for i, x in enumerate(compute(images))}

    signature = [tf.TensorSpec((1, *shape), "float32", name="images")]
    model, traced = convert(list_outputs, signature, weights)
    pixels = np.random.default_rng(0).integers(0, 256, (1, *shape)).astype(np.float32)
    with _converting():
        found = compile_network(model, "LATENCY")([pixels])
    expected = traced(tf.constant(pixels))
    # Some networks with random weights amplify any rounding a thousandfold and more.
    rounded = traced(tf.constant(pixels * np.float32(1 + 1e-6)))
    for name, exact in expected.items():
        error = _measure_error(found[name], exact.numpy())
        allowed = max(_TOLERANCE, 10 * _measure_error(rounded[name], exact.numpy()))
        if not error <= allowed:  # nan is not, either
            raise ConversionError(
                f"its results differ from those of Keras by {error:.2g}"
            )
    return model


def _measure_error(found, exact):
    return np.linalg.norm(found - exact) / (np.linalg.norm(exact) or 1)


@contextlib.contextmanager
def _converting(*errors):
    """Convert exceptions of OpenVINO to a ConversionError."""
    try:
        yield
    except (RuntimeError, *errors) as error:
        lines = str(error).strip().splitlines() or [""]
        raise ConversionError(f"{type(error).__name__}: {lines[-1].strip()}") from error


def _keep(model, file):
    """Write a network to a folder, and delete the oldest ones."""
    with contextlib.suppress(OSError, RuntimeError):  # the disk may be full
        with atomic_write(file) as part, zipfile.ZipFile(part, "w") as archive:
            write_network(model, archive)
            archive.comment = (installed_version("keras") or "").encode()
        delete_oldest(file.parent, "network")


def delete_oldest(folder, kind):
    """Delete the oldest files of a kind in a cache folder beyond `_N_KEPT`."""
    with contextlib.suppress(OSError):  # another process may delete them, too
        kept = sorted(folder.glob(f"{kind}-*.openvino"), key=os.path.getmtime)
        for old in kept[:-_N_KEPT]:
            old.unlink()


def _name_output(number):
    return f"output_{number}"


def _check_process():
    """Raise RuntimeError in a forked process, in which OpenVINO would hang."""
    global _home
    _home = _home or os.getpid()
    if os.getpid() != _home:
        raise RuntimeError(
            "OpenVINO can't compute in a process that was forked from one that has "
            "loaded it. Start fresh ones: joblib's default backend 'loky' does, and "
            "multiprocessing's start method 'spawn'."
        )
