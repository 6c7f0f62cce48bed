"""Decoding of an image file to RGB pixels of a given size."""

import hashlib
import io
import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageCms
from PIL.ExifTags import Base

from skart.images._formats import (
    UNREADABLE,
    MemoryImage,
    decoder_errors,
    find_transpose,
    load_source,
    open_image,
    read_content,
    swaps_axes,
)
from skart.images._jpeg import END, lacks_end_only

# Part of the key of stored features. Increase it with every change that changes pixels.
DECODER_VERSION = 6

MAX_PIXELS = 200_000_000

# A JPEG is decoded at the smallest scale that leaves so many times the pixels needed,
# per side. At 1.5, sharp paintings come within 39 dB of a full decode, not 40.
_DRAFT_MARGIN = 1.6


# Profiles of more bytes are not kept in memory; those of printers have up to 3 MB.
_LARGE_PROFILE = 4_000_000

# Pixels of a TIFF tile, which may exceed a small image.
_LARGE_TILE = 2**24


class TooManyPixelsError(ValueError):
    """Raised if more pixels than `max_pixels` would have to be decoded."""


def decode_image(source, size, resize="crop", max_pixels=MAX_PIXELS):
    """Decode an image to a uint8 array of shape (*size, 3), or raise `UNREADABLE`."""
    source = load_source(source)
    try:
        return _decode(source, size, resize, max_pixels)
    except OSError as error:
        content = read_content(source) if "truncated" in str(error) else b""
        jpeg = content.removesuffix(END[:1])
        if jpeg.startswith(b"\xff\xd8") and lacks_end_only(
            jpeg, lambda data: _digest_pixels(data, max_pixels)
        ):
            return _decode(MemoryImage(jpeg + END, ""), size, resize, max_pixels)
        raise


def _digest_pixels(content, max_pixels):
    """Return a digest of all pixels of an image, or the text of an error."""
    try:
        with open_image(MemoryImage(content, "")) as image:
            _load(image, image.size, max_pixels)
            return hashlib.sha256(image.tobytes()).digest()
    except UNREADABLE as error:
        return str(error)


def _decode(source, size, resize, max_pixels):
    """Decode an image, which must be complete."""
    with open_image(source) as image:
        is_jpeg = image.format == "JPEG"
        if not is_jpeg:
            _load(image, image.size, max_pixels)
        transpose = find_transpose(image)
        # The image is resized as it lies in the file, and transposed when it is small.
        target = np.array(size if swaps_axes(transpose) else size[::-1])
        source = np.array(image.size)
        scales = target / source
        if resize != "stretch":
            scales[:] = scales.max() if resize == "crop" else scales.min()
        scaled = np.maximum(np.round(source * scales), 1).astype(int)
        if is_jpeg:
            held_whole = _has_several_scans(image)
            # A draft is never smaller than the size asked for.
            with decoder_errors():
                image.draft(None, tuple(int(side * _DRAFT_MARGIN) for side in scaled))
            _load(image, source if held_whole else image.size, max_pixels)
        profile = image.info.get("icc_profile")
        image = _to_8_bits(image)
    box = None
    if resize == "crop":
        # The part of the decoded image that becomes the target.
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
    image = _to_srgb(image, profile)
    if transpose is not None:
        image = image.transpose(transpose)
    if resize == "pad":
        height, width = size
        canvas = Image.new("RGB", (width, height))
        canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
        image = canvas
    return np.asarray(image)


def _has_several_scans(image):
    """Return whether an open JPEG stores its pixels in several scans."""
    # libjpeg holds all coefficients of such a file in memory, at any scale.
    if image.info.get("progressive"):
        return True
    # Pillow has read up to the end of the first scan's header, which has 8 + 2 n bytes
    # for n channels.
    end = image.fp.tell()
    image.fp.seek(max(0, end - 16))
    header = image.fp.read(min(16, end))
    for n_channels in range(1, image.layers):
        length = 6 + 2 * n_channels
        if header[-length - 2 :].startswith(bytes([0xFF, 0xDA, 0, length, n_channels])):
            return True
    return False


def _load(image, size, max_pixels):
    """Decode an open image, or raise an error if `size` exceeds `max_pixels`."""
    width, height = (int(side) for side in size)
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"{width} x {height} pixels would have to be decoded, more than "
            f"max_pixels={max_pixels}; save a smaller copy, or, where memory allows, "
            f"pass ImageLoader(max_pixels={width * height}) in Python"
        )
    with decoder_errors():
        if image.format == "TIFF":
            # Pillow would compare the size with a limit of the whole process before it
            # allocates memory. Nothing but memory allocated beforehand prevents that.
            size = image.tag_v2[Base.ImageWidth], image.tag_v2[Base.ImageLength]
            tile = [image.tag_v2.get(x, 0) for x in (Base.TileWidth, Base.TileLength)]
            # A tile is decoded as a whole, also where it exceeds the image.
            if math.prod(tile) > max(2 * width * height, _LARGE_TILE):
                raise OSError("tiles that are far larger than the image")
            _check_planes(image)
            _set_order_of_samples(image)
            image.im = Image.new(image.mode, size, None).im
        image.load()


def _check_planes(tiff):
    """Raise OSError if an open TIFF has planes that Pillow misreads."""
    tags = tiff.tag_v2
    is_planar = tags.get(Base.PlanarConfiguration) == 2
    if tiff.info.get("compression") != "raw" or not is_planar:
        return
    # Of several planes, Pillow takes the bytes for samples; of one, it ignores the
    # byte order.
    if max(tags.get(Base.BitsPerSample, (1,))) > 8:
        raise OSError(
            "a planar TIFF of more than 8 bits, which can't be read; save it with "
            "interleaved channels"
        )


def _set_order_of_samples(tiff):
    """Set the byte order of compressed 32-bit samples of an open TIFF."""
    if tiff.info.get("compression") == "raw":
        return
    # libtiff returns samples in the order of the machine, whatever that of the file.
    native = {"I;32BS": "I;32NS", "F;32BF": "F;32NF"}
    tiff.tile = [
        tile._replace(args=(native.get(tile.args[0], tile.args[0]), *tile.args[1:]))
        for tile in tiff.tile
    ]


def _to_8_bits(image):
    """Convert an image of any mode to the mode L, RGB, RGBa or CMYK."""
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_to_8_bits(image)
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        # Adobe stores inverted ink and a marker; Pillow inverts all files, with the
        # marker or without.
        return ImageChops.invert(image)
    if image.has_transparency_data:
        if image.mode == "La":
            image = image.convert("LA")  # the only conversion that La has
        # Premultiplied, so that the colours of transparent pixels don't bleed.
        return image.convert("RGBA").convert("RGBa")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _scale_to_8_bits(image):
    """Convert a grey image of more than 8 bits, which Pillow would clip, to mode L."""
    samples = np.asarray(image)
    tags = image.tag_v2 if image.format == "TIFF" else {}
    n_bits = tags.get(Base.BitsPerSample)
    scale = 4095 / 255 if n_bits == (12,) else 257
    if image.mode == "I" and (image.format is None or n_bits == (32,)):
        # Pillow has no unsigned integers of 32 bits.
        if tags and tags.get(Base.SampleFormat, (1,)) == (1,):
            samples = samples.view(np.uint32)
        scale = _find_white(int(samples.max())) / 255
    samples = samples.astype(np.float32)
    if image.mode != "F":
        samples /= scale
    else:
        np.nan_to_num(samples, copy=False, posinf=0, neginf=0)
        brightest = samples.max()
        if brightest <= 1:  # in 0-1, as floats usually are
            samples *= 255
        elif brightest > 2 * 255:  # in 0-65535; less is beyond white, in 0-255
            samples /= 257
        np.clip(samples, 0, 255, out=samples)
    if tags.get(Base.PhotometricInterpretation) == 0:  # white is zero
        np.subtract(255, samples, out=samples)
    np.round(samples, out=samples)
    return Image.fromarray(np.clip(samples, 0, 255, out=samples).astype(np.uint8))


def _find_white(brightest):
    """Return the integer that is white, by the brightest sample of an image."""
    for white in (255, 65535):
        if brightest <= 2 * white:  # what exceeds white is white, as of floats
            return white
    return 2 ** brightest.bit_length() - 1


def _to_srgb(image, profile):
    """Convert an image of the mode L, RGB or CMYK to sRGB by its ICC profile."""
    transform = None
    if profile and isinstance(profile, bytes):
        make = _make_transform
        if len(profile) > _LARGE_PROFILE:
            make = make.__wrapped__
        transform = make(profile, image.mode)
    return image.convert("RGB") if transform is None else transform.apply(image)


@lru_cache(maxsize=64)
def _make_transform(profile, mode):
    """Make a transform to sRGB; None if it is impossible or would change nothing."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode == "CMYK":
            return transform
        # Profiles of sRGB have many names and versions. A profile is taken as sRGB if
        # it changes no colour by more than two levels.
        levels = np.arange(0, 256, 51, dtype=np.uint8)
        if mode == "RGB":
            levels = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(36, 6, 3)
        probe = Image.fromarray(np.atleast_2d(levels))
        before = np.asarray(probe.convert("RGB"), int)
        after = np.asarray(transform.apply(probe), int)
    except (ImageCms.PyCMSError, OSError, ValueError):  # damaged, or of other colours
        return None
    return None if np.abs(after - before).max() <= 2 else transform
