"""Opening model files and validating their `skart.json`."""

import contextlib
import datetime
import json
import os
import re
import zipfile

from skart._utils._files import expand
from skart._utils._versions import COMPARED, list_versions

INFO = "skart.json"
FORMAT = {"format": "skart model", "format_version": 1}
EXPORT_FORMAT = {"format": "skart export", "format_version": 1}

_EXPECTED = "Pass a file written by skart.save_model or skart train."

# Kinds of files that are not zip files, by their first bytes.
_KINDS = {
    rb"\x80": "a pickle, which can run code when it is opened; skart does not open it",
    rb"\x1f\x8b|\x78[\x01\x5e\x9c\xda]|BZh|\xfd7zXZ|\x5d\0\0|\x04\x22\x4d\x18": (
        "compressed, as pickles by joblib are; skart does not open it"
    ),
    rb"\x89HDF": "an HDF5 file, such as Keras models and weights",
    rb"\xff\xd8\xff|\x89PNG|GIF8|II\*\0|MM\0\*|RIFF": "an image",
    rb"\x08": "an ONNX model, which skart predict runs if skart export wrote it",
    rb"PK": "a zip file that is damaged or truncated",
    rb"\Z": "empty",
    rb"": "not a model file",
}

# Required names in skart.json and the types of their values; then in each backbone.
_CONTENT = {
    "created": str,
    "model": str,
    "classes": (list, type(None)),
    "backbones": list,
    "parameters": dict,
    "untrusted": list,
    "notes": (dict, type(None)),
}
_BACKBONE = {"step": str, "backbone": str, "weights": str, "file": (str, type(None))}


class ModelFileError(ValueError):
    """Raised if a file is not a valid model file or can't be loaded safely."""


def new_info(format):
    """Return what each `skart.json` begins with."""
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {**format, "created": created, "versions": list_versions()}


def check_format_version(file, info, format):
    """Raise ModelFileError if a file was written by a newer version of skart."""
    version, newest = info["format_version"], format["format_version"]
    if version > newest:
        raise ModelFileError(
            f"{str(file)!r} was saved by skart {info['versions']['skart']} in format "
            f"{version}; this version of skart reads formats up to {newest}. Update "
            "skart."
        )


def damage_error(file, reason):
    """Return a ModelFileError for a damaged file."""
    return ModelFileError(
        f"{str(file)!r} can't be loaded: it is damaged, or was not written by skart: "
        f"{reason}"
    )


@contextlib.contextmanager
def reading(file):
    """Convert any exception of a foreign reader of `file` to a ModelFileError."""
    # Errors in skart itself must not be reported as damage: wrap only calls of zipfile,
    # json, skops and the runtimes.
    try:
        yield
    except (ModelFileError, Warning):
        raise
    except zipfile.BadZipFile as error:
        with open(file, "rb") as raw:
            start = raw.read(8)
        kind = next(_KINDS[prefix] for prefix in _KINDS if re.match(prefix, start))
        raise ModelFileError(f"{str(file)!r} is {kind}. {_EXPECTED}") from error
    except Exception as error:
        raise damage_error(file, f"{type(error).__name__}: {error}") from error


def model_info(file):
    """Return the description in a model file, without loading the model.

    Parameters
    ----------
    file : str or path
        A file written by :func:`save_model`.

    Returns
    -------
    info : dict
        ``format`` and ``format_version``; ``created``, in UTC; ``versions`` of Python
        and packages; ``model``, the class name; ``classes``; ``backbones``, with the
        identity of the weights and their file; ``parameters``, as text; ``untrusted``,
        the names that :func:`load_model` needs in ``trusted``; ``notes``.

    Raises
    ------
    ModelFileError
        If the file is not a model file.
    OSError
        If the file does not exist or can't be read.

    See Also
    --------
    load_model : Load the model.
    """
    with open_model_file(file) as (_, _, info):
        return info


@contextlib.contextmanager
def open_model_file(file):
    """Yield a model file as a binary file and as a zip file, and its `skart.json`."""
    path = expand(file)
    if not path.exists():
        raise FileNotFoundError(f"{str(path)!r} does not exist. {_EXPECTED}")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise ModelFileError(f"{str(path)!r} is {kind}. {_EXPECTED}")
    with open(path, "rb") as raw:
        with reading(path):
            archive = zipfile.ZipFile(raw)
        with archive:
            yield raw, archive, _read_info(archive, path)


def _read_info(archive, path):
    """Return the validated content of `skart.json`."""
    members = archive.namelist()
    if INFO not in members:
        kind = "a zip file"
        if "schema.json" in members:
            kind = f"a skops file without {INFO}, which skops.io.load may open"
        elif "model.weights.h5" in members:
            kind = "a Keras model, which keras.models.load_model may open"
        raise ModelFileError(f"{str(path)!r} is {kind}. {_EXPECTED}")
    check_stored(archive, path)
    with reading(path):
        info = json.loads(archive.read(INFO))
    name = info.get("format") if isinstance(info, dict) else None
    if name == EXPORT_FORMAT["format"]:
        raise ModelFileError(
            f"{str(path)!r} is an exported model, which skart predict runs if its name "
            "ends in .openvino; it can't be loaded as an estimator. Pass the .skart "
            "file that it was made from."
        )
    if name != FORMAT["format"]:
        raise damage_error(path, f"the format in {INFO} is not {FORMAT['format']!r}")
    if not _has(info, {"format_version": int, "versions": dict}) or not _has(
        info["versions"], dict.fromkeys(COMPARED, str)
    ):
        raise damage_error(path, f"{INFO} lacks the versions it was saved with")
    check_format_version(path, info, FORMAT)
    info.setdefault("untrusted", [])  # older files have none
    if not _has(info, _CONTENT) or not all(
        _has(backbone, _BACKBONE) for backbone in info["backbones"]
    ):
        raise damage_error(path, f"{INFO} lacks an entry, or one has a wrong type")
    return info


def check_stored(archive, path):
    """Raise ModelFileError for a zip file with compressed parts: skart writes none."""
    # It may be a zip bomb.
    parts, size = archive.infolist(), os.fstat(archive.fp.fileno()).st_size
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts) or (
        sum(part.file_size for part in parts) > size
    ):
        raise damage_error(path, "it is compressed")


def _has(part, types):
    """Return whether a dict has values of these types under these names."""
    return isinstance(part, dict) and all(
        name in part and isinstance(part[name], kind) for name, kind in types.items()
    )
