"""Which files are opened as images, and how: nothing in a file can start a program."""

import contextlib
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

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _heif_file(file):
    # Not registered with Pillow: what it opens elsewhere is the user's to decide.
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise OSError("a HEIC image; to read it, run pip install skart[heic]") from None
    return HeifImageFile(file)


# How a file of each kind begins. Image.open is not used: it tries kinds for which
# Pillow runs other programs (EPS), and holds a limit of the whole process against the
# size in the file, where ours is a parameter and counts what is decoded.
_KINDS = {
    "JPEG": (rb"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    "PNG": (rb"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    "TIFF": (rb"II[*+]\0|MM\0[*+]", TiffImagePlugin.TiffImageFile),
    "WebP": (rb"RIFF....WEBP", WebPImagePlugin.WebPImageFile),
    "AVIF": (rb"....ftyp(....){0,12}?avi[fs]", AvifImagePlugin.AvifImageFile),
    "HEIC": (rb"....ftyp(....){0,12}?(he[iv][cmsx]|m[is]f1)", _heif_file),
    "JPEG 2000": (
        rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
        Jpeg2KImagePlugin.Jpeg2KImageFile,
    ),
    "GIF": (rb"GIF8[79]a", GifImagePlugin.GifImageFile),
    "BMP": (rb"BM", BmpImagePlugin.BmpImageFile),
    "PSD": (rb"8BPS", PsdImagePlugin.PsdImageFile),
    "PPM": (rb"P[1-6]\s", PpmImagePlugin.PpmImageFile),
}


class _File(io.BufferedReader):
    """A file that makes no room for more than it holds, whatever its header claims."""

    def read(self, n_bytes=-1):
        if n_bytes is not None and n_bytes > 2**16:
            n_bytes = min(n_bytes, os.fstat(self.fileno()).st_size)
        return super().read(n_bytes)


# Exceptions that mean that an image file can't be read; others are bugs.
UNREADABLE = (OSError, ValueError, MemoryError)


@contextlib.contextmanager
def decoder_errors():
    """Raise exceptions of a decoder that are not ``UNREADABLE`` as OSError."""
    try:
        yield
    except UNREADABLE:
        raise
    except Image.DecompressionBombError as error:
        raise OSError(str(error)) from error
    except Exception as error:  # decoders raise many kinds at damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OSError(f"a damaged file ({reason})") from error


@contextlib.contextmanager
def open_image(path):
    """Open an image file and read its header.

    Parameters
    ----------
    path : str or path
        An image file; its kind is told by its first bytes, not by its name.

    Yields
    ------
    image : PIL.ImageFile.ImageFile
        The image, not yet loaded.

    Raises
    ------
    OSError
        If the file can't be opened, or is of none of the kinds that are read.
    """
    # Opening a named pipe would wait for ever.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a regular file")
    # Pillow maps files that it knows by name into memory, and a mapped file that
    # another process cuts short kills this one.
    with _File(io.FileIO(path)) as file:
        head = file.read(64)
        if not head:
            raise OSError("an empty file")
        for start, image_file in _KINDS.values():
            if re.match(start, head, re.DOTALL):
                file.seek(0)
                with decoder_errors():
                    image = image_file(file)
                with image:
                    yield image
                return
    raise OSError(f"not an image of a kind that is read: {', '.join(_KINDS)}")


def read_header(path):
    """Read the format and the size of an image file; nothing is decoded.

    Parameters
    ----------
    path : str or path
        An image file.

    Returns
    -------
    format : str
        As Pillow calls it: ``"JPEG"``, ``"PNG"``.
    width, height : int
        In pixels, as the image is seen: EXIF orientation applied.

    Raises
    ------
    OSError
        If the file can't be opened or is not an image.
    """
    with open_image(path) as image:
        size = image.size[::-1] if is_sideways(turn_of(image)) else image.size
        return image.format, *size


def turn_of(image):
    """Tell how the pixels in a file must be turned to be seen upright.

    Parameters
    ----------
    image : PIL.ImageFile.ImageFile
        An open image. PNGs may carry the tag behind the pixels, where it is found only
        once they are loaded.

    Returns
    -------
    turn : PIL.Image.Transpose or None
        None where they are upright, or a damaged tag doesn't tell.
    """
    if image.format == "TIFF":
        return None  # Pillow turns these itself
    try:
        # PNGs override this method with one that decodes all pixels.
        return _TURNS.get(Image.Image.getexif(image).get(ExifTags.Base.Orientation))
    except Exception:  # there are as many kinds as there are ways of damage
        return None


def is_sideways(turn):
    """Tell whether a turn swaps width and height.

    Parameters
    ----------
    turn : PIL.Image.Transpose or None
        What :func:`turn_of` returned.

    Returns
    -------
    sideways : bool
        Whether it does.
    """
    return turn in [_TURNS[orientation] for orientation in (5, 6, 7, 8)]


def is_decoded_whole(image):
    """Tell whether a JPEG is in memory at its full size while it is decoded.

    libjpeg keeps all coefficients of a file that tells its pixels in several scans,
    whatever the scale it is decoded at.

    Parameters
    ----------
    image : PIL.JpegImagePlugin.JpegImageFile
        A JPEG just opened.

    Returns
    -------
    whole : bool
        Whether it is progressive, or its first scan lacks a channel.
    """
    if image.info.get("progressive"):
        return True
    # Pillow has read up to the end of the first scan's header, of 8 + 2 n bytes.
    end = image.fp.tell()
    image.fp.seek(max(0, end - 16))
    header = image.fp.read(min(16, end))
    for n_channels in range(1, image.layers):
        length = 6 + 2 * n_channels
        if header[-length - 2 :].startswith(bytes([0xFF, 0xDA, 0, length, n_channels])):
            return True
    return False


def explain(error):
    """Say in a few words why a file could not be decoded.

    Parameters
    ----------
    error : OSError, ValueError or MemoryError
        What was raised.

    Returns
    -------
    reason : str
        One line.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, MemoryError):
        return "too little memory to decode it"
    return " ".join(str(error).split()) or type(error).__name__
