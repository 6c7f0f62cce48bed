"""One image file to pixels: Pillow, with what museums' files need around it."""

import os
import stat

import numpy as np
from PIL import ExifTags, Image, ImageOps

# Raise it when a change here changes pixels: features stored under another number
# are then computed anew.
DECODER_VERSION = 2


def decode_image(path, size, resize="crop"):
    """File to RGB pixels of a given size.

    Parameters
    ----------
    path : str or path
        An image file.
    size : (int, int)
        Height and width in pixels.
    resize : {"crop", "pad", "stretch"}, default="crop"
        See :class:`ImageLoader`.

    Returns
    -------
    pixels : ndarray of shape (height, width, 3), dtype uint8
        The image.

    Raises
    ------
    OSError
        If the file can't be opened or is not an image, or ends too early.
    """
    _check_regular(path)
    height, width = size
    with Image.open(path) as image:
        turned = _is_turned(image)
        source = np.array(image.size[::-1] if turned else image.size)
        scales = np.array([width, height]) / source
        if resize != "stretch":
            scales[:] = scales.max() if resize == "crop" else scales.min()
        scaled = np.maximum(np.round(source * scales), 1).astype(int)
        # Only JPEGs have a draft mode; it never gives less than what is asked for.
        image.draft(
            None, tuple(int(side) * 2 for side in scaled[:: -1 if turned else 1])
        )
        ImageOps.exif_transpose(image, in_place=True)
        image = _to_rgb(image)
    if resize == "crop":
        # The window in the decoded image that becomes width x height.
        window = np.minimum([width, height] / scales, source) * image.size / source
        left, top = (image.size - window) / 2
        box = (left, top, left + window[0], top + window[1])
        scaled = (width, height)
    else:
        box = None
    image = image.resize(
        tuple(int(side) for side in scaled),
        Image.Resampling.BICUBIC,
        box=box,
        reducing_gap=2.0,
    )
    if resize == "pad":
        canvas = Image.new("RGB", (width, height))
        canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
        image = canvas
    return np.asarray(image)


def read_size(path):
    """File to the size of its image, from the header; nothing is decoded.

    Parameters
    ----------
    path : str or path
        An image file.

    Returns
    -------
    size : (int, int)
        Width and height in pixels as the image is seen, EXIF orientation applied.

    Raises
    ------
    OSError
        If the file can't be opened or is not an image.
    """
    _check_regular(path)
    with Image.open(path) as image:
        return image.size[::-1] if _is_turned(image) else image.size


def explain(error):
    """Say in a few words why a file could not be decoded."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image, or of a kind that Pillow can't read"
    return str(error) or type(error).__name__


def _check_regular(path):
    # Opening a named pipe would wait for ever.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a regular file")


def _is_turned(image):
    """Tell whether the image is seen with its sides swapped."""
    return image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)


def _to_rgb(image):
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow clips these to 8 bits instead of scaling them. Integers are 16-bit
        # samples; floats are taken as 0-1 unless they go beyond.
        samples = np.asarray(image).astype(np.float32)
        if image.mode != "F":
            samples /= 257
        elif samples.max() <= 1:
            samples *= 255
        image = Image.fromarray(np.clip(np.round(samples), 0, 255).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")
