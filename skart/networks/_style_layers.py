"""What is known of each backbone without building it: layers for style, and sizes."""

from skart._utils._validation import suggest
from skart.networks._weights import find_preset

# Measured on real art with sources apart, by benchmarks/real_art.py.
_MEASURED = {
    "EfficientNetLite0": "block4 block7 block10 block14",
    "InceptionV3": "mixed2 mixed5 mixed8",
}

# Not measured: where maps have an eighth, a sixteenth and a 32nd of the height of the
# image, the last layer of each size. EfficientNets: the ends of the same stages as in
# EfficientNetLite0.
_BY_ANALOGY = {
    "ConvNeXtBase": "add_5 add_32 add_35",
    "ConvNeXtLarge": "add_5 add_32 add_35",
    "ConvNeXtSmall": "add_5 add_32 add_35",
    "ConvNeXtTiny": "add_5 add_14 add_17",
    "ConvNeXtXLarge": "add_5 add_32 add_35",
    "DenseNet121": "pool3_conv pool4_conv relu",
    "DenseNet169": "pool3_conv pool4_conv relu",
    "DenseNet201": "pool3_conv pool4_conv relu",
    "EfficientNetB0": "block3b_add block4c_add block5c_add block6d_add",
    "EfficientNetB1": "block3c_add block4d_add block5d_add block6e_add",
    "EfficientNetB2": "block3c_add block4d_add block5d_add block6e_add",
    "EfficientNetB3": "block3c_add block4e_add block5e_add block6f_add",
    "EfficientNetB4": "block3d_add block4f_add block5f_add block6h_add",
    "EfficientNetB5": "block3e_add block4g_add block5g_add block6i_add",
    "EfficientNetB6": "block3f_add block4h_add block5h_add block6k_add",
    "EfficientNetB7": "block3g_add block4j_add block5j_add block6m_add",
    "EfficientNetV2B0": "block3b_add block4c_add block5e_add block6h_add",
    "EfficientNetV2B1": "block3c_add block4d_add block5f_add block6i_add",
    "EfficientNetV2B2": "block3c_add block4d_add block5f_add block6j_add",
    "EfficientNetV2B3": "block3c_add block4e_add block5g_add block6l_add",
    "EfficientNetV2L": "block3g_add block4j_add block5s_add block6y_add",
    "EfficientNetV2M": "block3e_add block4g_add block5n_add block6r_add",
    "EfficientNetV2S": "block3d_add block4f_add block5i_add block6o_add",
    "InceptionResNetV2": "block35_10_ac block17_20_ac conv_7b_ac",
    "MobileNet": "conv_pw_5_relu conv_pw_11_relu conv_pw_13_relu",
    "MobileNetV2": "block_5_add block_12_add block_15_add",
    "MobileNetV3Large": "expanded_conv_5_add expanded_conv_11_add expanded_conv_14_add",
    "MobileNetV3Small": "expanded_conv_2_add expanded_conv_7_add expanded_conv_10_add",
    "ResNet101": "conv3_block4_out conv4_block23_out conv5_block3_out",
    "ResNet101V2": "conv3_block3_out conv4_block22_out conv5_block3_out",
    "ResNet152": "conv3_block8_out conv4_block36_out conv5_block3_out",
    "ResNet152V2": "conv3_block7_out conv4_block35_out conv5_block3_out",
    "ResNet50": "conv3_block4_out conv4_block6_out conv5_block3_out",
    "ResNet50V2": "conv3_block3_out conv4_block5_out conv5_block3_out",
    "VGG16": "block3_pool block4_pool block5_pool",
    "VGG19": "block3_pool block4_pool block5_pool",
    "Xception": "add_1 add_10 add_11",
}

# Default height and width of images, where they aren't 224.
_SIZES = {
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
    "InceptionResNetV2": 299,
    "InceptionV3": 299,
    "NASNetLarge": 331,
    "Xception": 299,
}

_NO_LAYERS = ("NASNetLarge", "NASNetMobile")


def style_layers(backbone):
    """Return the layers of a backbone that are recommended for style.

    :class:`skart.FeatureExtractor` uses them for ``layer="style"``, and joins their
    features.

    Parameters
    ----------
    backbone : str
        ``"EfficientNetLite0"``, a network of ``keras.applications``, or
        ``"keras_hub:"`` and a preset or folder.

    Returns
    -------
    layers : list of str or None
        Names of layers; None stands for the last layer.

    Raises
    ------
    ValueError
        If the backbone is unknown.

    Notes
    -----
    Those of EfficientNetLite0 and InceptionV3 were the best on real art of artists that
    were not trained on. Those of other networks were not measured: they are the last
    layers whose maps have an eighth, a sixteenth and a 32nd of the height of the image,
    the same stages as in EfficientNetLite0 for other EfficientNets, and blocks at a
    third, the half and two thirds of the depth of transformers. NASNets, and encoders
    of keras-hub that don't name their blocks, use the last layer.

    Examples
    --------
    >>> from skart.networks import style_layers
    >>> style_layers("EfficientNetLite0")
    ['block4', 'block7', 'block10', 'block14']
    """
    if find_preset(backbone) is not None:
        from skart.networks import _keras_hub

        return _keras_hub.style_layers(backbone)
    layers = _MEASURED | _BY_ANALOGY
    if backbone in layers:
        return layers[backbone].split()
    if backbone in _NO_LAYERS:
        return [None]
    raise unknown_backbone(backbone, [*layers, *_NO_LAYERS])


def default_size(backbone):
    """Return the height and width of the images that a network was trained on."""
    if find_preset(backbone) is not None:
        from skart.networks import _keras_hub

        return _keras_hub.default_size(backbone)
    if backbone not in {*_MEASURED, *_BY_ANALOGY, *_NO_LAYERS}:
        # Imported here, since it imports Keras.
        from skart.networks._backbones import check_name

        check_name(backbone)
    return _SIZES.get(backbone, 224)


def unknown_backbone(name, known):
    """Return the error of a network that is unknown."""
    return ValueError(
        "backbone must name a network of keras.applications, or be "
        f"'EfficientNetLite0'; got {name!r}.{suggest(name, known)}"
    )
