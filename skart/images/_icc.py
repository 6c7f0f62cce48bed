"""Embedded colour profiles: pixels of any colour space to sRGB."""

import hashlib
import io

import numpy as np
from PIL import Image, ImageCms

_transforms = {}
_MOST_TRANSFORMS = 64
_UNKNOWN = object()


def to_srgb(image, profile=None):
    """Convert an image to sRGB by the profile that its file holds.

    Parameters
    ----------
    image : PIL.Image.Image
        An image in the mode L, RGB or CMYK.
    profile : bytes, optional
        An ICC profile. One that is damaged, or of another colour space than the image,
        is ignored, as most programs do.

    Returns
    -------
    image : PIL.Image.Image
        The image in the mode RGB.
    """
    transform = None
    if profile and isinstance(profile, bytes):
        key = hashlib.sha256(profile).digest(), image.mode
        transform = _transforms.get(key, _UNKNOWN)
        if transform is _UNKNOWN:
            # Threads that come at the same moment each make it, which does no harm.
            transform = _make_transform(profile, image.mode)
            if len(_transforms) >= _MOST_TRANSFORMS:
                _transforms.clear()
            _transforms[key] = transform
    if transform is not None:
        return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _make_transform(profile, mode):
    """Make a transform to sRGB; None where there is nothing to convert, or no way."""
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
        # sRGB goes by many names and comes in many versions, so it is known by what it
        # does: within two levels, nothing.
        levels = np.arange(0, 256, 51, dtype=np.uint8)
        if mode == "RGB":
            levels = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(36, 6, 3)
        probe = Image.fromarray(np.atleast_2d(levels))
        before = np.asarray(probe.convert("RGB"), int)
        after = np.asarray(transform.apply(probe), int)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return None if np.abs(after - before).max() <= 2 else transform
