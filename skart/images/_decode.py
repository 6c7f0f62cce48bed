"""One image file to pixels: Pillow, with what museums' files need around it."""

import numpy as np
from PIL import Image, ImageChops
from PIL.ExifTags import Base

from skart.images._formats import (
    decoder_errors,
    is_decoded_whole,
    is_sideways,
    open_image,
    turn_of,
)
from skart.images._icc import to_srgb

# Raise it when a change here changes pixels: features stored under another number
# are then computed anew.
DECODER_VERSION = 4

MAX_PIXELS = 200_000_000

# A JPEG is decoded at the smallest scale that leaves so many times the pixels needed, a
# side: at 1.5, sharp paintings come within 39 dB of what all their pixels give, not 40.
_ROOM = 1.6


def decode_image(path, size, resize="crop", max_pixels=MAX_PIXELS):
    """File to RGB pixels of a given size.

    Parameters
    ----------
    path : str or path
        An image file.
    size : (int, int)
        Height and width in pixels.
    resize : {"crop", "pad", "stretch"}, default="crop"
        See :class:`ImageLoader`.
    max_pixels : int, default=200_000_000
        See :class:`ImageLoader`.

    Returns
    -------
    pixels : ndarray of shape (height, width, 3), dtype uint8
        The image.

    Raises
    ------
    OSError
        If the file can't be opened or is not an image, or ends too early.
    ValueError
        If more than ``max_pixels`` would be decoded.
    """
    with open_image(path) as image:
        is_jpeg = image.format == "JPEG"
        if not is_jpeg:
            _load(image, image.size, max_pixels)
        turn = turn_of(image)
        # The image is made to fit as it lies in the file, and turned when it is small.
        target = np.array(size if is_sideways(turn) else size[::-1])
        source = np.array(image.size)
        scales = target / source
        if resize != "stretch":
            scales[:] = scales.max() if resize == "crop" else scales.min()
        scaled = np.maximum(np.round(source * scales), 1).astype(int)
        if is_jpeg:
            whole = is_decoded_whole(image)
            # It never gives less than what is asked for.
            with decoder_errors():
                image.draft(None, tuple(int(side * _ROOM) for side in scaled))
            _load(image, source if whole else image.size, max_pixels)
        profile = image.info.get("icc_profile")
        image = _to_8_bits(image)
    box = None
    if resize == "crop":
        # The window in the decoded image that becomes the target.
        window = np.minimum(target / scales, source) * image.size / source
        left, top = (image.size - window) / 2
        box = (left, top, left + window[0], top + window[1])
        scaled = target
    image = image.resize(
        tuple(int(side) for side in scaled),
        Image.Resampling.BICUBIC,
        box=box,
        reducing_gap=2.0,
    )
    if image.mode == "RGBa":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    image = to_srgb(image, profile)
    if turn is not None:
        image = image.transpose(turn)
    if resize == "pad":
        height, width = size
        canvas = Image.new("RGB", (width, height))
        canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
        image = canvas
    return np.asarray(image)


def _load(image, size, max_pixels):
    width, height = (int(side) for side in size)
    if width * height > max_pixels:
        raise ValueError(
            f"{width} x {height} pixels would have to be decoded, more than "
            f"max_pixels={max_pixels}; where memory allows, pass "
            f"ImageLoader(max_pixels={width * height})"
        )
    with decoder_errors():
        if image.format == "TIFF":
            # Otherwise Pillow would check the size against a limit of its own.
            size = image.tag_v2[Base.ImageWidth], image.tag_v2[Base.ImageLength]
            image.im = Image.new(image.mode, size, None).im
        image.load()


def _to_8_bits(image):
    """Image of any mode to one in the mode L, RGB, RGBa or CMYK."""
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled_to_8_bits(image)
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        # Adobe stores ink inverted and says so by a marker; Pillow takes all for
        # Adobe's.
        return ImageChops.invert(image)
    if image.has_transparency_data:
        if image.mode == "La":
            image = image.convert("LA")  # La converts to nothing else
        # Premultiplied, so that the colours of transparent pixels don't bleed.
        return image.convert("RGBA").convert("RGBa")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _scaled_to_8_bits(image):
    """Grey image of more than 8 bits, which Pillow would clip, to the mode L."""
    samples = np.asarray(image).astype(np.float32)
    tags = image.tag_v2 if image.format == "TIFF" else {}
    if image.mode != "F":
        samples /= 4095 / 255 if tags.get(Base.BitsPerSample) == (12,) else 257
    else:
        np.nan_to_num(samples, copy=False, posinf=0)
        np.clip(samples, 0, 255, out=samples)
        if samples.max() <= 1:  # taken as 0-1 unless they go beyond
            samples *= 255
    if tags.get(Base.PhotometricInterpretation) == 0:  # white is
        np.subtract(255, samples, out=samples)
    np.round(samples, out=samples)
    return Image.fromarray(np.clip(samples, 0, 255, out=samples).astype(np.uint8))
