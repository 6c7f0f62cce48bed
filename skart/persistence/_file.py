"""Opening a model file, and checking that it is one."""

import contextlib
import json
import os
import zipfile
from pathlib import Path

from skart._utils._versions import COMPARED

INFO = "skart.json"
FORMAT = {"format": "skart model", "format_version": 1}

_WANTED = "Pass a file by skart.save_model or skart train."

_COMPRESSED = "compressed, as pickles by joblib are; skart does not open it"

# What a file that is not a zip file is, by its first bytes.
_KINDS = {
    b"\x80": "a pickle, which can run code when opened; skart does not open it",
    b"\x1f\x8b": _COMPRESSED,
    b"\x78\x01": _COMPRESSED,
    b"\x78\x5e": _COMPRESSED,
    b"\x78\x9c": _COMPRESSED,
    b"\x78\xda": _COMPRESSED,
    b"BZh": _COMPRESSED,
    b"\xfd7zXZ": _COMPRESSED,
    b"\x5d\x00\x00": _COMPRESSED,
    b"\x04\x22\x4d\x18": _COMPRESSED,
    b"\x89HDF": "an HDF5 file, as Keras writes models and weights",
    b"\xff\xd8\xff": "an image (JPEG)",
    b"\x89PNG": "an image (PNG)",
    b"GIF8": "an image (GIF)",
    b"II*\x00": "an image (TIFF)",
    b"MM\x00*": "an image (TIFF)",
    b"RIFF": "an image (WebP)",
    b"PK": "a zip file that is damaged or cut short",
    b"": "no model",
}


class ModelFileError(ValueError):
    """A file that is no model by ``save_model``, or that can't be loaded safely.

    See Also
    --------
    load_model : Raises it.
    """


# Names in skart.json and the types of their values, and those of each backbone.
_CONTENT = {
    "created": str,
    "versions": dict,
    "model": str,
    "classes": (list, type(None)),
    "backbones": list,
    "parameters": dict,
    "notes": (dict, type(None)),
}
_BACKBONE = {
    "step": str,
    "backbone": str,
    "weights": str,
    "file": (str, type(None)),
}


def damaged(file, reason):
    """Return the error for a file that is damaged.

    Parameters
    ----------
    file : str or path
        The file.
    reason : str
        What is wrong with it.

    Returns
    -------
    error : ModelFileError
        To be raised.
    """
    return ModelFileError(
        f"{str(file)!r} can't be loaded, since it is damaged or no file by "
        f"skart.save_model: {reason}"
    )


@contextlib.contextmanager
def foreign_reader(file):
    """Raise what zipfile, json or skops raise at a damaged file as a ModelFileError.

    Use it around calls of these only: they raise many kinds of exceptions, and those of
    skart's own code must not be taken for damage.

    Parameters
    ----------
    file : str or path
        The file that is read.
    """
    try:
        yield
    except (ModelFileError, Warning):
        raise
    except zipfile.BadZipFile as error:
        with open(file, "rb") as raw:
            begin = raw.read(8)
        kinds = (_KINDS[prefix] for prefix in _KINDS if begin.startswith(prefix))
        kind = next(kinds) if begin else "empty"
        raise ModelFileError(f"{str(file)!r} is {kind}. {_WANTED}") from error
    except Exception as error:
        raise damaged(file, f"{type(error).__name__}: {error}") from error


@contextlib.contextmanager
def opened(file):
    """Open a model file and check its ``skart.json``.

    Parameters
    ----------
    file : str or path
        The file.

    Yields
    ------
    raw : file object
        The file.
    archive : zipfile.ZipFile
        The same, as a zip.
    info : dict
        The content of ``skart.json``; its names and types are checked.

    Raises
    ------
    ModelFileError
        If it is no model file.
    OSError
        If it does not exist or can't be opened.
    """
    path = Path(file).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{str(path)!r} does not exist. {_WANTED}")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise ModelFileError(f"{str(path)!r} is {kind}. {_WANTED}")
    with open(path, "rb") as raw:
        with foreign_reader(path):
            archive = zipfile.ZipFile(raw)
        with archive:
            yield raw, archive, _read_info(archive, path)


def _read_info(archive, path):
    """Read and check ``skart.json``."""
    members = archive.namelist()
    if INFO not in members:
        kind = "a zip file"
        if "schema.json" in members:
            kind = f"a skops file without {INFO}, which skops.io.load may open"
        elif "model.weights.h5" in members:
            kind = "a Keras model, which keras.models.load_model may open"
        raise ModelFileError(f"{str(path)!r} is {kind}. {_WANTED}")
    # save_model does not compress: a compressed file may be a zip bomb.
    size = os.fstat(archive.fp.fileno()).st_size
    if any(x.compress_type != zipfile.ZIP_STORED for x in archive.infolist()) or (
        sum(x.file_size for x in archive.infolist()) > size
    ):
        raise damaged(path, "it is compressed")
    with foreign_reader(path):
        info = json.loads(archive.read(INFO))
    if not isinstance(info, dict) or info.get("format") != FORMAT["format"]:
        raise damaged(path, f"{INFO} in it is not of the format {FORMAT['format']!r}")
    version, versions = info.get("format_version"), info.get("versions")
    if not isinstance(version, int) or not _has(versions, dict.fromkeys(COMPARED, str)):
        raise damaged(path, f"{INFO} in it lacks the versions it was saved with")
    if version > FORMAT["format_version"]:
        raise ModelFileError(
            f"{str(path)!r} was saved by skart {versions['skart']} in format "
            f"{version}; this skart reads up to {FORMAT['format_version']}. Update "
            "skart."
        )
    if not _has(info, _CONTENT) or not all(
        _has(backbone, _BACKBONE) for backbone in info["backbones"]
    ):
        raise damaged(path, f"{INFO} in it is not as save_model writes it")
    return info


def _has(part, types):
    """Return whether a dict holds values of these types under these names."""
    return isinstance(part, dict) and all(
        name in part and isinstance(part[name], kind) for name, kind in types.items()
    )
