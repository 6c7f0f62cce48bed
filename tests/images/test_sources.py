"""Images that are no files: bytes, file objects, Pillow images and arrays."""

import contextlib
import io
import pickle
import shutil
from pathlib import Path

import joblib
import numpy as np
import pytest
from helpers import save_image
from PIL import Image, ImageOps
from sklearn.pipeline import Pipeline

from skart import FeatureExtractor, FeatureStore, ImageLoader


@pytest.fixture
def files(tmp_path):
    """A large JPEG that is turned by EXIF, a PNG with transparency, and a grey TIFF."""
    large = Image.fromarray(
        np.random.default_rng(0).integers(0, 255, (900, 700, 3), "u1")
    )
    exif = large.getexif()
    exif[0x0112] = 6
    large.save(tmp_path / "a.jpg", exif=exif)
    save_image(tmp_path / "b.png", (60, 40), 1)
    with Image.open(tmp_path / "b.png") as image:
        image.convert("RGBA").save(tmp_path / "b.png")
    Image.linear_gradient("L").save(tmp_path / "c.tif")
    return [str(tmp_path / name) for name in ("a.jpg", "b.png", "c.tif")]


def read(path):
    return Path(path).read_bytes()


@pytest.fixture
def open_image():
    """Open an image by Pillow, which is closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda path: stack.enter_context(Image.open(path))


@pytest.mark.parametrize("kind", ["bytes", "buffer", "file", "Pillow image"])
def test_result_is_that_of_the_file(files, kind):
    loader = ImageLoader((64, 48))
    expected = np.asarray(loader.transform(files))
    with contextlib.ExitStack() as stack:
        images = []
        for path in files:
            if kind in ("bytes", "buffer"):
                content = read(path)
                images.append(content if kind == "bytes" else io.BytesIO(content))
            else:
                opened = open(path, "rb") if kind == "file" else Image.open(path)
                images.append(stack.enter_context(opened))
        for _ in range(2):  # the position of a file is not changed
            found = np.asarray(loader.transform(images))
            np.testing.assert_array_equal(found, expected)
        for image, pixels in zip(images, expected, strict=True):  # a single one
            np.testing.assert_array_equal(loader.transform(image)[0], pixels)


def test_pixels_in_memory(files, open_image):
    loader = ImageLoader((64, 48))
    expected = np.asarray(loader.transform(files[1:]))
    loaded = [open_image(path) for path in files[1:]]
    for image in loaded:
        image.load()
    arrays = [np.asarray(image) for image in loaded]
    for images in (loaded, arrays):
        np.testing.assert_array_equal(np.asarray(loader.transform(images)), expected)
    # The orientation of a loaded image counts, too.
    turned = open_image(files[0])
    turned.load()
    images = np.asarray(loader.transform([turned, ImageOps.exif_transpose(turned)]))
    assert np.abs(images[0].astype(int) - images[1]).mean() < 3
    batch = np.stack([arrays[0]] * 3)
    assert loader.transform(batch).shape == (3, 64, 48, 3)
    np.testing.assert_array_equal(loader.transform(arrays[1])[0], expected[1])


def test_frames_of_a_pillow_image(tmp_path, open_image):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "frames.tif", save_all=True, append_images=frames[1:])
    image = open_image(tmp_path / "frames.tif")
    image.seek(1)
    assert ImageLoader(8).transform(image)[0][0, 0].tolist() == [0, 0, 255]
    frames[0].save(tmp_path / "other.tga")  # a format that is not read from files
    other = open_image(tmp_path / "other.tga")
    assert ImageLoader(8).transform(other)[0][0, 0].tolist() == [255, 0, 0]


def test_damaged_images_in_memory_are_named():
    loader = ImageLoader(16)
    with pytest.raises(ValueError, match="1 of 2 images can't be read:\\n  'image 1'"):
        np.asarray(loader.transform([np.zeros((8, 8, 3), np.uint8), b"no image"]))
    loader.set_params(on_error="blank")
    images = loader.transform([b""])
    with pytest.warns(UserWarning, match="an empty file"):
        assert not np.asarray(images).any()
    assert images.failures == {"image 0": "an empty file"}


@pytest.mark.parametrize("cache_pixels", [False, True])
def test_images_in_memory_are_pickled(files, cache_pixels, open_image):
    loader = ImageLoader(16, cache_pixels=cache_pixels)
    images = loader.transform([read(files[0]), open_image(files[1]), files[2]])
    copied = pickle.loads(pickle.dumps(images[1:]))
    for _ in range(2):
        np.testing.assert_array_equal(np.asarray(copied), np.asarray(images)[1:])


def test_stored_features_of_files_and_bytes_are_the_same(files, tmp_path, open_image):
    extractor = FeatureExtractor(
        "MobileNetV2", weights=None, layer="Conv1", cache=tmp_path, verbose=False
    )
    loader = ImageLoader(32)
    expected = extractor.transform(loader.transform(files))
    found = extractor.transform(loader.transform([read(path) for path in files]))
    np.testing.assert_array_equal(found, expected)
    assert FeatureStore(tmp_path).info()["arrays"] == 3
    pixels = [open_image(files[1]), np.asarray(open_image(files[1]))]
    found = extractor.transform(loader.transform(pixels))
    np.testing.assert_allclose(found, expected[[1, 1]], rtol=1e-5)
    # The array has pixels only, no metadata: it is stored as another image.
    assert FeatureStore(tmp_path).info()["arrays"] == 4


def test_digests_of_palettes(tmp_path):
    extractor = FeatureExtractor(
        "MobileNetV2", weights=None, layer="Conv1", cache=tmp_path, verbose=False
    )
    images = []
    for palette, transparency in (([9] * 3, None), ([200] * 3, None), ([9] * 3, 0)):
        image = Image.new("P", (32, 32))
        image.putpalette(palette)
        if transparency is not None:
            image.info["transparency"] = transparency
        images.append(image)
    features = extractor.transform(ImageLoader(32).transform(images))
    assert FeatureStore(tmp_path).info()["arrays"] == 3
    assert np.abs(features[0] - features[1]).max() > 0


def test_home_folder_is_expanded(files, monkeypatch):
    monkeypatch.setenv("HOME", str(Path(files[0]).parent))
    images = ImageLoader(16).transform(["~/a.jpg"])
    assert images.paths.tolist() == files[:1] and images[0].any()


def test_memory_of_a_pipeline_notices_changed_files(files, tmp_path):
    extractor = FeatureExtractor(
        "MobileNetV2", weights=None, layer="Conv1", verbose=False
    )
    pipe = Pipeline(
        [("load", ImageLoader(32)), ("features", extractor), ("end", "passthrough")],
        memory=joblib.Memory(tmp_path / "memory", verbose=0),
    )
    before = pipe.fit_transform(files)
    np.testing.assert_array_equal(pipe.fit_transform(files), before)
    shutil.copy(files[1], files[2])
    after = pipe.fit_transform(files)
    np.testing.assert_array_equal(after[:2], before[:2])
    np.testing.assert_allclose(after[2], after[1], rtol=1e-5)
