"""Exported models: reading and running them without TensorFlow and scikit-learn."""

import contextlib
import hashlib
import importlib.util
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from skart._utils._files import expand
from skart._utils._versions import (
    EXTRACTOR_VERSION,
    compare_versions,
    installed_version,
    list_versions,
)
from skart.images._decode import DECODER_VERSION, decode_image
from skart.images._formats import UNREADABLE, MemoryImage, explain, load_source
from skart.networks._openvino import compile_network, read_network
from skart.persistence._file import (
    EXPORT_FORMAT,
    INFO,
    ModelFileError,
    check_format_version,
    check_stored,
    damage_error,
    open_model_file,
    reading,
)

SUFFIXES = {"openvino": ".openvino", "onnx": ".onnx"}
RUNTIMES = {"openvino": "openvino", "onnx": "onnxruntime"}

# The name of the checksum of the description in an ONNX file.
INFO_CRC32 = f"{INFO}.crc32"


class ExportedModel:
    """The classes and notes of an exported model, and a function that runs it."""

    def __init__(self, info, run):
        image = info["image"]
        size = (image["height"], image["width"])
        self.classes, self.notes = info["classes"], info.get("notes")
        self.run = run  # uint8 image of shape (height, width, 3) -> probabilities
        self.decoding = (size, image["resize"], image["max_pixels"])

    def predict_proba(self, paths):
        """Return the probabilities of images, and the reasons of those not readable.

        Also return the digests of the images that are no local files, by path.
        """
        # The rows of images that can't be read are zeros.
        probabilities = np.zeros((len(paths), len(self.classes)), np.float32)
        failures, digests = {}, {}
        for row, path in zip(probabilities, paths, strict=True):
            try:
                source = load_source(path)
                pixels = decode_image(source, *self.decoding)
            except UNREADABLE as error:
                failures[path] = explain(error)
            else:
                row[:] = self.run(pixels)
                if isinstance(source, MemoryImage):
                    digests[path] = source.digest
        return probabilities, failures, digests


def load_exported(file):
    """Return the model in an exported file, or None if `file` is of another kind."""
    file = expand(file)
    for format, suffix in SUFFIXES.items():
        if file.suffix == suffix and file.is_file():
            return READERS[format](file)
    return None


def read_openvino(file):
    """Return the model in a zip of a graph for OpenVINO and its description."""
    _check_runtime(file, "openvino")
    text = graph = None
    with (
        reading(file),
        contextlib.suppress(zipfile.BadZipFile, KeyError),
        zipfile.ZipFile(file) as archive,
    ):
        check_stored(archive, file)
        # The zip has checksums of both.
        graph, text = read_network(archive), archive.read(INFO)
    info = _check_info(file, text)
    with reading(file):
        compiled = compile_network(graph, "LATENCY")
        return ExportedModel(info, lambda pixels: compiled([pixels[None]])[0][0])


def read_onnx(file):
    """Return the model in an ONNX file whose description is in its metadata."""
    _check_runtime(file, "onnx")
    import onnxruntime

    content = Path(file).read_bytes()
    with reading(file):
        graph = onnxruntime.InferenceSession(content)
        name = graph.get_inputs()[0].name
    metadata = graph.get_modelmeta().custom_metadata_map
    text = metadata.get(INFO)
    if text is not None and str(zlib.crc32(text.encode())) != metadata.get(INFO_CRC32):
        raise damage_error(file, f"{INFO} in it has changed since it was exported")
    info = _check_info(file, text)
    with reading(file):
        checksum = zlib.crc32(content[: info["graph"]["bytes"]])
        if checksum != info["graph"]["crc32"]:
            raise damage_error(file, "its graph has changed since it was exported")
        return ExportedModel(
            info, lambda pixels: graph.run(None, {name: pixels[None]})[0][0]
        )


READERS = {"openvino": read_openvino, "onnx": read_onnx}


def _check_info(file, text):
    """Return the description of an exported model."""
    if text is None:
        raise ModelFileError(
            f"{str(file)!r} was not written by skart export, or is damaged: it lacks "
            "the description of its classes and images. Export the model again."
        )
    with reading(file):
        info = json.loads(text)
        check_format_version(file, info, EXPORT_FORMAT)
    return info


def _check_runtime(file, format):
    if importlib.util.find_spec(RUNTIMES[format]) is None:
        raise ModelFileError(
            f"{str(file)!r} needs {RUNTIMES[format]}, which is not installed. Run: pip "
            "install 'skart[export]'"
        )


def find_kept(file, cache):
    """Return the path of a model file's automatic export; None without OpenVINO."""
    # The name is a digest of the model file and of all versions that matter.
    file = expand(file)
    openvino = installed_version("openvino")
    if openvino is None or not file.is_file():
        return None
    versions = [EXPORT_FORMAT, DECODER_VERSION, EXTRACTOR_VERSION, openvino]
    with open(file, "rb") as raw:
        digest = hashlib.file_digest(raw, "sha256")
    digest.update(json.dumps([*versions, list_versions()]).encode())
    return expand(cache) / f"export-{digest.hexdigest()}.openvino"


def load_kept(kept, file):
    """Return the automatic export of a model file, or None if there is no valid one."""
    try:
        exported = load_exported(kept)
    except ModelFileError:  # damaged: a new one will be made
        with contextlib.suppress(OSError):
            kept.unlink()
        return None
    if exported is not None:
        with open_model_file(file) as (_, _, info):
            compare_versions(file, info["versions"])
    return exported
