"""Image encoders of keras-hub: small ones with random weights, saved to folders."""

import shutil
import zipfile

import keras
import numpy as np
import pytest
from helpers import head, rewritten
from sklearn.pipeline import make_pipeline

from skart import (
    FeatureExtractor,
    FineTuneClassifier,
    ImageLoader,
    load_model,
    save_model,
)
from skart.cli._predict import predict_images
from skart.networks import load_backbone, preprocess
from skart.networks._style_layers import default_size
from skart.persistence import ModelFileError, export_model
from skart.persistence._exported import load_exported

models = pytest.importorskip(
    "keras_hub.models", reason="keras-hub is not installed: pip install 'skart[hub]'"
)
import keras_hub  # noqa: E402

pytestmark = pytest.mark.slow

SIZE = 32
TRANSFORMER = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16}
SCALE, OFFSET = [0.02, 0.03, 0.04], [-1.0, -2.0, -3.0]


def make_clip_encoder():
    return models.CLIPVisionEncoder(
        patch_size=8, intermediate_dim=32, image_shape=(SIZE, SIZE, 3), **TRANSFORMER
    )


def make(kind):
    """Build a small network, and name its ImageConverter."""
    shape = (SIZE, SIZE, 3)
    if kind == "vit":
        return models.ViTBackbone(shape, 8, mlp_dim=32, **TRANSFORMER), "ViT"
    if kind == "dino":
        network = models.DINOV2Backbone(
            patch_size=8,
            intermediate_dim=32,
            image_shape=shape,
            position_embedding_shape=(40, 40, 3),
            num_register_tokens=2,
            apply_layernorm=True,
            **TRANSFORMER,
        )
        return network, "DINOV2"
    if kind == "clip":
        text = models.CLIPTextEncoder(
            vocabulary_size=20, embedding_dim=16, intermediate_dim=32, **TRANSFORMER
        )
        return models.CLIPBackbone(make_clip_encoder(), text, 8), "CLIP"
    if kind == "clip_encoder":
        return make_clip_encoder(), "CLIP"
    if kind == "siglip":
        options = TRANSFORMER | {"intermediate_dim": 32}
        image = models.SigLIPVisionEncoder(patch_size=8, image_shape=shape, **options)
        text = models.SigLIPTextEncoder(20, 16, **options, max_sequence_length=8)
        return models.SigLIPBackbone(image, text), "SigLIP"
    network = models.ResNetBackbone([64], [7], [64, 64], [1, 1], [1, 2], "basic_block")
    return network, "ResNet"


KINDS = ["vit", "dino", "clip", "clip_encoder", "siglip", "resnet"]
TRANSFORMERS = KINDS[:-1]


def save(kind, folder):
    network, name = make(kind)
    for weight in network.weights:  # Keras leaves biases, registers and norms at 0 or 1
        if weight.trainable:
            noise = np.random.default_rng(0).normal(scale=0.1, size=weight.shape)
            weight.assign_add(noise)
    network.save_to_preset(str(folder))
    converter = getattr(keras_hub.layers, f"{name}ImageConverter")
    converter((SIZE, SIZE), scale=SCALE, offset=OFFSET).save_to_preset(str(folder))
    # Of DINOv2, what is saved is not quite what was there.
    network = models.Backbone.from_preset(str(folder))
    return getattr(network, "vision_encoder", network)


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    """Folders and the networks that are in them; read only."""
    root = tmp_path_factory.mktemp("presets")
    return {
        kind: (f"keras_hub:{root / kind}", save(kind, root / kind)) for kind in KINDS
    }


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)


def outputs_by_hand(network, images):
    """What a network gives for images, by keras-hub alone."""
    model = keras.Model(network.inputs, network.output)  # some take dicts
    return np.asarray(model([images * np.float32(SCALE) + np.float32(OFFSET)]))


def transform(backbone, images, **parameters):
    return np.asarray(
        FeatureExtractor(backbone, verbose=False, **parameters).transform(images)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_features_equal_the_preset(presets, images, kind):
    backbone, network = presets[kind]
    expected = outputs_by_hand(network, images)
    if expected.ndim == 3:
        expected = expected[:, -16:, None]  # 4 x 4 patches
    elif expected.ndim == 2:
        expected = expected[:, None, None]
    # Folding rounds otherwise, in proportion to what is added up.
    close = {"rtol": 1e-3, "atol": 1e-5 * np.abs(expected).max()}
    maps = transform(backbone, images, pooling=None)
    np.testing.assert_allclose(maps, expected, **close)
    vectors = transform(backbone, images, pooling=["avg", "max", "std"])
    by_hand = [f(expected, axis=(1, 2)) for f in (np.mean, np.max, np.std)]
    np.testing.assert_allclose(vectors, np.concatenate(by_hand, axis=1), **close)


@pytest.mark.parametrize("kind", ["vit", "dino", "clip", "clip_encoder"])
def test_class_token_is_a_layer(presets, images, kind):
    backbone, network = presets[kind]
    expected = outputs_by_hand(network, images)[:, 0]
    both = transform(backbone, images, layer=["class_token", None])
    np.testing.assert_allclose(both[:, :16], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(both[:, 16:], transform(backbone, images))


@pytest.mark.parametrize(
    "kind, layer, shape",
    [
        ("vit", "vit_patching_and_embedding", (16, 1, 16)),
        ("dino", "stage1", (16, 1, 16)),
        ("clip", "encoder_block_0", (16, 1, 16)),
        ("clip_encoder", "encoder_block_0", (16, 1, 16)),
        ("siglip", "post_layer_norm", (16, 1, 16)),
        ("resnet", "P2", (8, 8, 64)),
        ("resnet", "pool1_pool", (8, 8, 64)),
    ],
)
def test_layers(presets, images, kind, layer, shape):
    maps = transform(presets[kind][0], images, layer=layer, pooling=None)
    assert maps.shape[1:] == shape
    assert np.ptp(maps) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_export(presets, image_paths, tmp_path, kind):
    pytest.importorskip("openvino", reason="skart[openvino] is not installed")
    extractor = FeatureExtractor(presets[kind][0], verbose=False)
    pipe = make_pipeline(ImageLoader(SIZE), extractor, head(epochs=1))
    pipe.fit(image_paths, ["Cubism", "Rococo"] * 6)
    export_model(pipe, tmp_path / "model.openvino")
    file = tmp_path / "model.openvino"
    predicted, *_ = predict_images(
        file, image_paths, cache=tmp_path, exported=load_exported(file)
    )
    found = [[p for _, p in sorted(predicted[path])] for path in image_paths]
    np.testing.assert_allclose(found, pipe.predict_proba(image_paths), atol=1e-4)


def test_batch_norm_is_folded(presets, images):
    network = load_backbone(presets["resnet"][0], input_shape=(SIZE, SIZE, 3))
    assert not any("BatchNorm" in type(layer).__name__ for layer in network.layers)


def test_weights(presets, images, tmp_path):
    backbone, network = presets["vit"]
    own = transform(backbone, images)
    first = transform(backbone, images, weights=None)
    assert np.abs(first - own).max() > 0.01
    again = load_backbone(backbone, input_shape=(SIZE, SIZE, 3), weights=None)
    inputs = preprocess(backbone, images)
    np.testing.assert_allclose(again.predict_on_batch(inputs), first, atol=1e-5)
    other = transform(backbone, images, weights=None, random_state=1)
    assert np.abs(other - first).max() > 0.01
    network.save_weights(tmp_path / "own.weights.h5")
    from_file = transform(backbone, images, weights=tmp_path / "own.weights.h5")
    np.testing.assert_allclose(from_file, own, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["dino", "clip"])
def test_random_weights_depend_on_the_seed(presets, images, kind):
    one, other = (
        load_backbone(presets[kind][0], input_shape=(SIZE, SIZE, 3), weights=None)
        for _ in range(2)
    )
    inputs = preprocess(presets[kind][0], images)
    np.testing.assert_array_equal(
        one.predict_on_batch(inputs), other.predict_on_batch(inputs)
    )


@pytest.mark.parametrize("kind", ["vit", "clip"])
def test_half_precision(presets, images, kind):
    network = load_backbone(
        presets[kind][0], input_shape=(SIZE, SIZE, 3), dtype="bfloat16"
    )
    assert network.layers[1].compute_dtype == "bfloat16"
    half = transform(presets[kind][0], images, dtype="bfloat16")
    np.testing.assert_allclose(half, transform(presets[kind][0], images), atol=0.1)


def test_sizes(presets):
    assert default_size(presets["dino"][0]) == SIZE
    assert default_size(presets["resnet"][0]) == 224  # any will do
    larger = np.zeros((1, 40, 48, 3), np.uint8)
    with pytest.raises(
        ValueError, match=r"takes images of 32 x 32 pixels; got 40 x 48"
    ):
        transform(presets["vit"][0], larger)
    crops = transform(
        presets["vit"][0], larger, crops=5, horizontal_flip=True, crop_pooling="concat"
    )
    assert crops.shape == (1, 10 * 16)
    assert transform(presets["resnet"][0], larger).shape == (1, 64)


def test_invalid_presets_raise(presets, images, tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder with a preset"):
        transform(f"keras_hub:{tmp_path / 'none'}", images)
    with pytest.raises(
        ValueError, match="can't be loaded by keras-hub: Unknown preset"
    ):
        transform("keras_hub:no_such_preset", images)
    message = "^keras_hub:no_such_preset can't be loaded"
    with pytest.raises(ValueError, match=message):  # before weights are chosen
        FeatureExtractor("keras_hub:no_such_preset", layer="style").fit_transform(
            images
        )
    with pytest.raises(ValueError, match="Did you mean 'vit_encoder'"):
        transform(presets["vit"][0], images, layer="vit_encode")
    with pytest.raises(ValueError, match="can't be cut: networks of keras-hub are for"):
        FineTuneClassifier(backbone=presets["vit"][0], weights=None).fit(images, "abab")
    make("vit")[0].save_to_preset(str(tmp_path / "alone"))
    with pytest.raises(ValueError, match="has no ImageConverter"):
        transform(f"keras_hub:{tmp_path / 'alone'}", images)
    text = models.BertBackbone(20, 1, 2, 8, 16)
    text.save_to_preset(str(tmp_path / "text"))
    with pytest.raises(ValueError, match="is not an image encoder"):
        transform(f"keras_hub:{tmp_path / 'text'}", images)


def test_changed_folder_is_another_section(images, tmp_path):
    folder, store = tmp_path / "network", tmp_path / "store"
    network, backbone = save("vit", folder), f"keras_hub:{folder}"
    first = transform(backbone, images, cache=store)
    np.testing.assert_array_equal(transform(backbone, images, cache=store), first)
    network.weights[0].assign_add(np.arange(16.0).reshape(1, 1, 16))
    network.save_to_preset(str(folder))
    second = transform(backbone, images, cache=store)
    np.testing.assert_allclose(second, transform(backbone, images), atol=1e-5)
    assert np.abs(second - first).max() > 1e-3
    keras_hub.layers.ViTImageConverter(scale=1 / 255).save_to_preset(str(folder))
    third = transform(backbone, images, cache=store)
    assert np.abs(third - second).max() > 1e-3


def test_models_are_saved(presets, image_paths, tmp_path):
    folder = tmp_path / "network"
    shutil.copytree(presets["vit"][0].removeprefix("keras_hub:"), folder)
    extractor = FeatureExtractor(f"keras_hub:{folder}", verbose=False)
    pipe = make_pipeline(ImageLoader(SIZE), extractor, head(epochs=1))
    pipe.fit(image_paths, ["Cubism", "Rococo"] * 6)
    expected = pipe.predict_proba(image_paths)
    save_model(pipe, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart")
    np.testing.assert_array_equal(loaded.predict_proba(image_paths), expected)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(ModelFileError, match="Restore the folder"):
        load_model(tmp_path / "model.skart")
    save("clip", folder)
    with pytest.raises(ModelFileError, match="Restore the folder"):
        load_model(tmp_path / "model.skart")
    pipe.set_params(featureextractor__backbone="keras_hub:hf://anyone/anything")
    with pytest.raises(
        ValueError, match="is an address, which load_model would reject"
    ):
        save_model(pipe, tmp_path / "other.skart")
    with zipfile.ZipFile(tmp_path / "model.skart") as archive:
        schema = archive.read("schema.json").decode()
    assert str(folder) in schema
    schema = schema.replace(f"keras_hub:{folder}", "keras_hub:hf://anyone/anything")
    members = {"schema.json": schema}
    rewritten(tmp_path / "model.skart", tmp_path / "other.skart", members)
    with pytest.raises(
        ModelFileError, match="featureextractor__backbone in it is an ad"
    ):
        load_model(tmp_path / "other.skart")


@pytest.mark.parametrize("kind", KINDS)
def test_openvino_computes_what_keras_does(kind, presets, images):
    backbone, _ = presets[kind]
    found, expected = (
        FeatureExtractor(
            backbone, engine=engine, pooling=["avg", "std"], verbose=False
        ).transform(images)
        for engine in ("openvino", "keras")
    )
    assert np.linalg.norm(found - expected) < 1e-3 * np.linalg.norm(expected)
