"""Alterations of images while training, from Keras' own layers."""

from skart._keras import dtype_policy, keras
from skart._messages import suggest

layers = keras.layers


# Pixels are moved, not mixed: a bilinear resampling blurs the brushwork while training,
# and the network then fails on sharp images.
_NEAREST = {"interpolation": "nearest"}


def _light():
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomTranslation(0.05, 0.05, **_NEAREST),
        layers.RandomZoom(0.1, **_NEAREST),
        layers.RandomRotation(0.02, **_NEAREST),
    ]


def _strong():
    return [
        *_light(),
        layers.RandomColorJitter(
            value_range=(0, 255),
            brightness_factor=0.2,
            contrast_factor=0.2,
            saturation_factor=0.3,
            hue_factor=0.05,
        ),
        layers.RandAugment(value_range=(0, 255), num_ops=2, factor=0.3, **_NEAREST),
    ]


_KINDS = {"light": _light, "strong": _strong}


def make_augmentation(augment):
    """Make the layer that alters images in 0-255 while training.

    Parameters
    ----------
    augment : {"light", "strong"} or keras.Layer
        ``"light"`` changes what a photographer of the painting might have changed:
        mirrored left to right, shifted by up to 5 %, zoomed by up to 10 %, turned by up
        to 7 degrees. ``"strong"`` also changes brightness, contrast, saturation and
        hue, and applies two operations of RandAugment [1]_. Of a layer, a new copy is
        made.

    Returns
    -------
    layer : keras.Layer
        Computes in float32, whatever the network does: half precision is too coarse for
        the coordinates of pixels.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither a name nor a layer.

    References
    ----------
    .. [1] Cubuk, Zoph, Shlens, Le. "RandAugment: Practical automated data augmentation
       with a reduced search space". NeurIPS 2020.
    """
    if isinstance(augment, keras.Layer):
        return type(augment).from_config(augment.get_config())
    if not isinstance(augment, str):
        raise TypeError(
            f"augment must be a Keras layer, one of {tuple(_KINDS)} or None; got "
            f"{augment!r}"
        )
    if augment not in _KINDS:
        raise ValueError(
            f"augment must be a Keras layer, one of {tuple(_KINDS)} or None; got "
            f"{augment!r}.{suggest(augment, _KINDS)}"
        )
    with dtype_policy("float32"):
        return keras.Sequential(_KINDS[augment](), name=f"augment_{augment}")
