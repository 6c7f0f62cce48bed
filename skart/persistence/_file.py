"""What is a model file, and what is none: checked ahead of anything else."""

import contextlib
import json
import os
import zipfile
from pathlib import Path

INFO = "skart.json"
FORMAT = {"format": "skart model", "format_version": 1}

_WANTED = "Pass a file by skart.save_model or skart train."

_COMPRESSED = "compressed, as pickles by joblib are; skart does not open it"

# What a file is instead, by its first bytes.
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


@contextlib.contextmanager
def opened(file):
    """Open a model file; whatever fails meanwhile says so of the file.

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
        What ``skart.json`` in it says.

    Raises
    ------
    ModelFileError
        If it is no model file, or anything but a warning is raised meanwhile.
    OSError
        If it isn't there or can't be read.
    """
    path = Path(file).expanduser()
    name = repr(str(path))
    if not path.exists():
        raise FileNotFoundError(f"{name} does not exist. {_WANTED}")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no file"
        raise ModelFileError(
            f"{name} is {kind}. Name a file by skart.save_model or skart train."
        )
    with open(path, "rb") as raw:
        try:
            with zipfile.ZipFile(raw) as archive:
                yield raw, archive, _read_info(archive, name)
        except (ModelFileError, Warning):
            raise
        except zipfile.BadZipFile as error:
            raw.seek(0)
            begin = raw.read(8)
            kinds = (_KINDS[prefix] for prefix in _KINDS if begin.startswith(prefix))
            kind = next(kinds) if begin else "empty"
            raise ModelFileError(f"{name} is {kind}. {_WANTED}") from error
        except Exception as error:  # damage shows in many ways
            raise ModelFileError(
                f"{name} can't be loaded, since it is damaged or no file by "
                f"skart.save_model: {type(error).__name__}: {error}"
            ) from error


def _read_info(archive, name):
    members = archive.namelist()
    if INFO not in members:
        kind = "a zip file"
        if "schema.json" in members:
            kind = f"a skops file without {INFO}, which skops.io.load may open"
        elif "model.weights.h5" in members:
            kind = "a Keras model, which keras.models.load_model may open"
        raise ModelFileError(
            f"{name} is {kind}. Pass a file by skart.save_model or skart train."
        )
    # save_model compresses nothing; what is may be a bomb.
    size = os.fstat(archive.fp.fileno()).st_size
    if any(x.compress_type != zipfile.ZIP_STORED for x in archive.infolist()) or (
        sum(x.file_size for x in archive.infolist()) > size
    ):
        raise ValueError("it is compressed")
    info = json.loads(archive.read(INFO))
    if info["format"] != FORMAT["format"]:
        raise ValueError(f"its format is {info['format']!r}")
    if info["format_version"] > FORMAT["format_version"]:
        raise ModelFileError(
            f"{name} was saved by skart {info['versions']['skart']} in format "
            f"{info['format_version']}; this skart reads up to "
            f"{FORMAT['format_version']}. Update skart."
        )
    return info
