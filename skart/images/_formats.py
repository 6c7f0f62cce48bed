"""Formats of image files: opened by their first bytes, never by another program."""

import contextlib
import functools
import hashlib
import io
import os
import re
import stat

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    PsdImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from skart.images._elsewhere import is_elsewhere, read_elsewhere

# By EXIF orientation.
_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _open_heif(file):
    # Not registered with Pillow, which would change Image.open for the whole process.
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise OSError(
            "a HEIC image; to read it, run pip install 'skart[heic]'"
        ) from None
    return HeifImageFile(file)


# First bytes of each format. Image.open is not used: for some formats (EPS), it starts
# other programs, and its limit of pixels is one of the whole process.
_FORMATS = {
    "JPEG": (rb"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    "PNG": (rb"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    "TIFF": (rb"II[*+]\0|MM\0[*+]", TiffImagePlugin.TiffImageFile),
    "WebP": (rb"RIFF....WEBP", WebPImagePlugin.WebPImageFile),
    "AVIF": (rb"....ftyp(....){0,12}?avi[fs]", AvifImagePlugin.AvifImageFile),
    "HEIC": (rb"....ftyp(....){0,12}?(he[iv][cmsx]|m[is]f1)", _open_heif),
    "JPEG 2000": (
        rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
        Jpeg2KImagePlugin.Jpeg2KImageFile,
    ),
    "GIF": (rb"GIF8[79]a", GifImagePlugin.GifImageFile),
    "BMP": (rb"BM", BmpImagePlugin.BmpImageFile),
    "PSD": (rb"8BPS", PsdImagePlugin.PsdImageFile),
    "PPM": (rb"P[1-6]\s", PpmImagePlugin.PpmImageFile),
}

# Images with the same reason that a message names one by one.
_MOST_ALIKE = 5

# Exceptions that mean that an image file can't be read; all others are bugs.
UNREADABLE = (OSError, ValueError, MemoryError)


class MemoryImage:
    """An image in memory: encoded bytes, or pixels as a Pillow image."""

    def __init__(self, content, name):
        self.content = content
        self.name = name

    @functools.cached_property
    def digest(self):
        """SHA-256: that of a file with the same bytes, or of pixels and metadata."""
        if isinstance(self.content, bytes):
            return hashlib.sha256(self.content).digest()
        image = self.content
        palette = image.getpalette(None)  # loads the image, which may change its info
        metadata = [image.info.get(key) for key in ("icc_profile", "exif")]
        # Where there are none, the digest stays that of earlier versions.
        colors = (palette, image.info.get("transparency"))
        metadata += [value for value in colors if value is not None]
        digest = hashlib.sha256(repr((image.mode, image.size, *metadata)).encode())
        digest.update(image.tobytes())
        return digest.digest()

    def __str__(self):
        return self.name


class _File(io.BufferedReader):
    """A file that allocates no more than its size, whatever its header claims."""

    def read(self, n_bytes=-1):
        if n_bytes is not None and n_bytes > 2**16:
            n_bytes = min(n_bytes, os.fstat(self.fileno()).st_size)
        return super().read(n_bytes)


@contextlib.contextmanager
def decoder_errors():
    """Raise any exception of a decoder as one of `UNREADABLE`."""
    try:
        yield
    except UNREADABLE:
        raise
    except Image.DecompressionBombError as error:
        raise OSError(str(error)) from error
    except Exception as error:  # damaged files make decoders raise any exception
        if str(error) == "unknown pixel mode":  # in the words of Pillow
            raise OSError(
                "its pixel format is not supported; save it as an 8-bit RGB PNG or TIFF"
            ) from error
        raise OSError(f"a damaged file ({explain(error)})") from error


def is_supported(content):
    """Return whether the bytes of a file begin like those of a supported format."""
    patterns = (pattern for pattern, _ in _FORMATS.values())
    return any(re.match(pattern, content, re.DOTALL) for pattern in patterns)


def _open(path):
    """Open a regular file."""
    # Opening a named pipe blocks until another process writes to it.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a regular file")
    # Without its name, Pillow doesn't map the file into memory: reading a mapped file
    # that another process truncates kills this process.
    return _File(io.FileIO(path))


def load_source(source, keep=None, timeout=30):
    """Return a `MemoryImage` of an image that is no local file; others unchanged."""
    if is_elsewhere(source):
        return MemoryImage(read_elsewhere(source, keep, timeout), source)
    return source


@contextlib.contextmanager
def open_image(source):
    """Open a source as a Pillow image without decoding its pixels."""
    source = load_source(source)
    content = getattr(source, "content", None)
    if isinstance(content, Image.Image):
        yield content
        return
    with _open(source) if content is None else io.BytesIO(content) as file:
        head = file.read(64)
        if not head:
            raise OSError("an empty file")
        file.seek(0)
        for pattern, image_file in _FORMATS.values():
            if re.match(pattern, head, re.DOTALL):
                with decoder_errors():
                    image = image_file(file)
                with image:
                    yield image
                return
    raise OSError(f"not an image in a supported format: {', '.join(_FORMATS)}")


def read_content(source):
    """Return the bytes of a source; none of pixels in memory."""
    source = load_source(source)
    if isinstance(source, MemoryImage):
        return source.content if isinstance(source.content, bytes) else b""
    with open(source, "rb") as file:
        return file.read()


def read_header(path):
    """Return the format of an image file, and its width and height when upright."""
    with open_image(path) as image:
        transpose = find_transpose(image)
        size = image.size[::-1] if swaps_axes(transpose) else image.size
        return image.format, *size


def find_transpose(image):
    """Return the transposition by which an open image becomes upright, or None."""
    if image.format == "TIFF":  # which Pillow transposes itself
        return None
    try:
        # Not image.getexif(), which decodes a PNG to look for a tag after the pixels.
        exif = Image.Image.getexif(image)
        return _TRANSPOSES.get(exif.get(ExifTags.Base.Orientation))
    except Exception:  # damaged tags make Pillow raise any exception
        return None


def swaps_axes(transpose):
    """Return whether a transposition, or None, swaps width and height."""
    return transpose in [_TRANSPOSES[orientation] for orientation in (5, 6, 7, 8)]


def explain(error):
    """Return the reason for which a file could not be decoded, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, MemoryError):
        return "too little memory to decode it"
    return " ".join(str(error).split()) or type(error).__name__


def format_failures(failures):
    """Return the paths and reasons of a dict or Series as lines of a message.

    A reason of many images is given once, with the first of them.
    """
    paths_of, lines = {}, []
    for path, reason in failures.items():
        paths_of.setdefault(reason, []).append(repr(path))
    for reason, paths in paths_of.items():
        if len(paths) > _MOST_ALIKE:
            rest = f"{', '.join(paths[:3])} and {len(paths) - 3} more"
            lines.append(f"  {len(paths)} images: {reason} ({rest})")
        else:
            lines += [f"  {path}: {reason}" for path in paths]
    return "\n".join(lines)
