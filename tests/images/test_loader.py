import os
import pickle
import shutil
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import finish, psnr, save_image, start
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from skart import HandcraftedFeatures, ImageLoader
from skart.images import LazyImages, UnreadableImageError, find_readable

# Transposition of the pixels in the file, for each orientation tag.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def test_transform_decodes_nothing(image_paths, count_decodes):
    images = ImageLoader(64).fit_transform(image_paths)
    assert isinstance(images, LazyImages)
    assert images.shape == (12, 64, 64, 3)
    assert images.dtype == np.uint8
    assert len(images[3:7]) == 4 and images[[1, 1, 0]].shape == (3, 64, 64, 3)
    assert not count_decodes


def test_order_and_repeated_paths_are_kept(image_paths):
    order = [3, 0, 3, 11, 3]
    paths = [image_paths[i] for i in order]
    decoded = np.asarray(ImageLoader(48).transform(paths))
    everything = np.asarray(ImageLoader(48).transform(image_paths))
    assert decoded.shape == (5, 48, 48, 3)
    np.testing.assert_array_equal(decoded, everything[order])


@pytest.mark.parametrize(
    "convert",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        lambda paths: [Path(path) for path in paths],
        lambda paths: pd.Series(paths, index=range(100, 112)),
        lambda paths: np.array(paths, dtype=object),
    ],
)
def test_transform_takes_array_likes_of_paths(image_paths, convert):
    images = ImageLoader(32).transform(convert(image_paths))
    assert images.paths.tolist() == image_paths


def test_indexing_equals_that_of_an_array(image_paths):
    images = ImageLoader(32).transform(image_paths)
    array = np.asarray(images)
    np.testing.assert_array_equal(images[5], array[5])
    np.testing.assert_array_equal(images[-1], array[-1])
    mask = np.arange(12) % 2 == 0
    for key in (slice(2, 9, 3), [4, 1], np.array([7]), mask, [], slice(0, 0)):
        view = images[key]
        assert isinstance(view, LazyImages)
        expected = array[:0] if isinstance(key, list) and not key else array[key]
        np.testing.assert_array_equal(np.asarray(view), expected)
    train, test = train_test_split(images, test_size=4, random_state=0)
    rows, others = train_test_split(np.arange(12), test_size=4, random_state=0)
    np.testing.assert_array_equal(np.asarray(train), array[rows])
    np.testing.assert_array_equal(np.asarray(test), array[others])
    with pytest.raises(IndexError):
        images[12]
    with pytest.raises(IndexError, match="first axis"):
        images[0, 1]


def test_one_image_is_decoded_without_starting_a_thread(image_paths, monkeypatch):
    images = ImageLoader(32).transform(image_paths)
    expected = np.asarray(images)
    monkeypatch.setattr(threading.Thread, "start", None)
    np.testing.assert_array_equal(images[3], expected[3])


def test_iter_batches_keeps_order_and_bounds_decoding_ahead(image_paths, count_decodes):
    images = ImageLoader(32, n_threads=3).transform(image_paths * 10)
    batches = images.iter_batches(4)
    first = next(batches)
    assert len(count_decodes) <= 2 * 4 + 3
    rest = list(batches)
    assert [len(batch) for batch in rest] == [4] * 29
    np.testing.assert_array_equal(np.concatenate([first, *rest]), np.asarray(images))


@pytest.mark.parametrize("size", [(64, 64), (40, 100), (100, 40)])
def test_resize_keeps_the_aspect_ratio_or_all_of_the_painting(tmp_path, size):
    # Left half red, right half blue, a green line of 10 % at the top and the bottom.
    picture = np.zeros((300, 600, 3), np.uint8)
    picture[:, :300, 0] = picture[:, 300:, 2] = 255
    picture[:30] = picture[-30:] = (0, 255, 0)
    path = tmp_path / "picture.png"
    Image.fromarray(picture).save(path)
    height, width = size
    crop, pad, stretch = (
        ImageLoader(size, resize=mode).transform([path])[0]
        for mode in ("crop", "pad", "stretch")
    )
    assert crop.shape == pad.shape == stretch.shape == (height, width, 3)
    middle = slice(height // 4, -(height // 4))
    assert stretch[middle, 2, 0].min() > 240 and stretch[middle, -3, 2].min() > 240
    assert stretch[0, :, 1].min() > 240
    # The painting is 2:1: its content must keep that shape, or be cut.
    black = pad.max(axis=2) < 20
    kept = ~black.all(axis=1)
    assert kept.sum() == pytest.approx(min(height, width / 2), abs=2)
    if width < 2 * height:
        assert crop[0, :, 1].min() > 240  # full height
    else:
        assert crop[0, 5, 1] < 20  # full width: top and bottom are cut
    assert crop[height // 2, 2, 0] > 240 and crop[height // 2, -3, 2] > 240


def test_jpeg_decoded_at_a_smaller_scale_is_near_a_full_decode(tmp_path):
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (60, 75, 3), dtype=np.uint8)
    big = Image.fromarray(noise).resize((3000, 2400), Image.Resampling.BICUBIC)
    big.save(tmp_path / "big.jpg", quality=95)
    reference = Image.open(tmp_path / "big.jpg").convert("RGB")
    for mode, box in (("crop", (300, 0, 2700, 2400)), ("stretch", None)):
        expected = reference.resize((224, 224), Image.Resampling.BICUBIC, box=box)
        decoded = ImageLoader(224, resize=mode).transform([tmp_path / "big.jpg"])[0]
        assert psnr(decoded, np.asarray(expected)) > 40


def test_exif_orientation_is_applied(tmp_path):
    upright = Image.open(save_image(tmp_path / "upright.png", (300, 200)))
    expected = ImageLoader((40, 60)).transform([tmp_path / "upright.png"])[0]
    for orientation, transpose in STORED.items():
        stored = upright if transpose is None else upright.transpose(transpose)
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.jpg"
        stored.save(path, exif=exif, quality=95)
        assert psnr(ImageLoader((40, 60)).transform([path])[0], expected) > 32


def grey16(picture):
    return Image.fromarray((np.asarray(picture.convert("L")).astype(np.uint16)) * 257)


@pytest.mark.parametrize(
    "name, convert, least",
    [
        ("a.jpg", lambda p: p, 30),
        ("a.JPEG", lambda p: p.convert("CMYK"), 28),
        ("grey.png", lambda p: p.convert("L"), 60),
        ("palette.png", lambda p: p.quantize(256), 28),
        ("a.gif", lambda p: p.quantize(256), 28),
        ("alpha.png", lambda p: p.convert("RGBA"), 60),
        ("grey-alpha.png", lambda p: p.convert("LA"), 60),
        ("bits.png", lambda p: p.convert("1"), 5),
        ("sixteen.png", grey16, 50),
        ("sixteen.tif", grey16, 50),
        (
            "float.tif",
            lambda p: Image.fromarray(np.asarray(p.convert("L")) / np.float32(255)),
            50,
        ),
        ("a.tif", lambda p: p, 60),
        ("a.webp", lambda p: p, 28),
        ("a.bmp", lambda p: p, 60),
    ],
)
def test_every_mode_is_converted_to_rgb(tmp_path, name, convert, least):
    picture = Image.open(save_image(tmp_path / "reference.png", (160, 160)))
    converted = convert(picture)
    converted.save(tmp_path / name)
    if converted.mode not in ("RGB", "CMYK", "P", "RGBA"):
        picture.convert("L").save(tmp_path / "reference.png")
    images = ImageLoader(80).transform([tmp_path / "reference.png", tmp_path / name])
    assert psnr(images[1], images[0] + 0.001) > least


@pytest.fixture
def broken(tmp_path, folder_of_images):
    """Return eight paths, and those four of them that can't be decoded."""
    whole = Path(folder_of_images[0]).read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("a letter")
    (tmp_path / "folder.jpg").mkdir()
    names = ["truncated.jpg", "text.jpg", "folder.jpg", "missing.jpg"]
    bad = [str(tmp_path / name) for name in names]
    good = folder_of_images
    return [good[0], bad[0], good[1], bad[1], good[2], bad[2], good[3], bad[3]], bad


def test_error_names_all_unreadable_files(broken):
    paths, bad = broken
    images = ImageLoader(32).transform(paths)
    with pytest.raises(UnreadableImageError) as caught:
        np.asarray(images)
    assert sorted(caught.value.failures) == sorted(bad)
    for path in bad:
        assert path in str(caught.value)
    assert "4 of 8" in str(caught.value)
    assert "truncated" in caught.value.failures[bad[0]]
    assert "not a regular file" in caught.value.failures[bad[2]]
    assert "no such file" in caught.value.failures[bad[3]]
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.failures == caught.value.failures


def test_batches_before_the_first_unreadable_file_are_yielded(broken):
    paths, _ = broken
    batches = ImageLoader(32).transform([*paths[:1] * 4, *paths]).iter_batches(4)
    assert next(batches).shape == (4, 32, 32, 3)
    with pytest.raises(UnreadableImageError, match="4 of 12"):
        next(batches)


def test_blank_replaces_unreadable_images_by_black_ones(broken):
    paths, bad = broken
    images = ImageLoader(32, on_error="blank").transform(paths)
    with pytest.warns(UserWarning, match="4 of 8") as caught:
        array = np.asarray(images)
    assert len(caught) == 1
    assert all(path in str(caught[0].message) for path in bad)
    assert sorted(images.failures) == sorted(bad)
    assert not array[[1, 3, 5, 7]].any()
    assert array[[0, 2, 4, 6]].any(axis=(1, 2, 3)).all()


def test_blank_warns_of_unreadable_images_if_iteration_stops_early(broken):
    paths, bad = broken
    images = ImageLoader(32, on_error="blank").transform(paths)
    batches = images.iter_batches(4)
    next(batches)
    with pytest.warns(UserWarning, match="2 of 8 images can't be read") as caught:
        batches.close()
    assert bad[0] in str(caught[0].message) and bad[1] in str(caught[0].message)
    with pytest.warns(UserWarning, match="2 of 8 images can't be read") as caught:
        np.asarray(images)  # warns of the others
    assert bad[2] in str(caught[0].message) and bad[3] in str(caught[0].message)


def test_repaired_file_is_removed_from_failures(broken):
    paths, bad = broken
    images = ImageLoader(32, on_error="blank").transform([bad[1]])
    with pytest.warns(UserWarning, match="1 of 1 images can't be read"):
        np.asarray(images)
    Path(bad[1]).write_bytes(Path(paths[0]).read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.asarray(images).any()
    assert images.failures == {}


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"size": 0}, "size must be"),
        ({"size": (3, 4, 5)}, "size must be"),
        ({"size": "big"}, "size must be"),
        ({"resize": "fit"}, "'resize' parameter of ImageLoader must be"),
        ({"on_error": "ignore"}, "'on_error' parameter of ImageLoader must be"),
        ({"resize": "cropped"}, "Did you mean 'crop'?"),
        ({"n_threads": 0}, "'n_threads' parameter of ImageLoader must be"),
        ({"cache_pixels": "~/pixels"}, "'cache_pixels' parameter of ImageLoader must"),
        *(
            ({"max_pixels": value}, "'max_pixels' parameter of ImageLoader must be")
            for value in (0, -1, 1e6, "many", None)
        ),
    ],
)
def test_invalid_parameters_raise(image_paths, parameters, message):
    loader = ImageLoader(**parameters)
    for method in (loader.fit, loader.transform):
        with pytest.raises(ValueError, match=message):
            method(image_paths)


@pytest.mark.parametrize(
    "X, error, message",
    [
        ({"a.jpg"}, TypeError, "list, array or Series of images; got set"),
        ({"a.jpg": 1}, TypeError, "got dict"),
        (None, TypeError, "got NoneType"),
        ([["a.jpg"]], TypeError, r"X\[0\] must be a path"),
        (np.array([["a.jpg", "b.jpg"]]), ValueError, r"one column .* shape \(1, 2\)"),
        ([], ValueError, "X holds 0 images"),
        (["a.jpg", None], TypeError, r"X\[1\] must be a path.* got None of type"),
        (pd.Series(["a.jpg", np.nan]), TypeError, r"X\[1\] .* got nan of type float"),
        ([1, 2], TypeError, r"X\[0\] .* got 1 of type int"),
        (np.zeros((2, 8)), TypeError, r"an array of shape \(2, 8\) and dtype float64"),
        (
            [np.zeros((8, 8, 2), np.uint8)],
            TypeError,
            r"shape \(8, 8, 2\) and",
        ),
    ],
)
def test_invalid_paths_raise(X, error, message):
    with pytest.raises(error, match=message):
        ImageLoader().transform(X)


def test_clone_tags_and_pickle(image_paths):
    loader = ImageLoader(64, resize="pad", n_threads=2)
    parameters = loader.get_params()
    assert clone(loader.fit(image_paths)).get_params() == parameters
    tags = loader.__sklearn_tags__()
    assert not tags.requires_fit and tags.input_tags.one_d_array
    images = loader.transform(image_paths)
    restored = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(np.asarray(restored), np.asarray(images))


@pytest.mark.parametrize(
    "X, message",
    [
        (np.zeros((2, 8, 8, 3)) + 0.5, "looks like 0-1"),
        (np.full((2, 8, 8, 3), 300.0), "0-255"),
        (np.full((2, 8, 8, 3), np.nan), "0-255"),
        (np.zeros((2, 8, 8), np.uint8), "shape"),
        (np.zeros((2, 8, 8, 4), np.uint8), "shape"),
        (np.zeros((0, 8, 8, 3), np.uint8), "0 samples"),
        (["a.jpg"], "ImageLoader"),
    ],
)
def test_other_arrays_than_images_raise(X, message):
    with pytest.raises(ValueError, match=message):
        HandcraftedFeatures().fit(X)


def test_cached_pixels_are_decoded_once(image_paths, count_decodes):
    plain = np.asarray(ImageLoader(40).transform(image_paths))
    count_decodes.clear()
    images = ImageLoader(40, cache_pixels=True, n_threads=3).transform(
        [*image_paths, image_paths[0]]
    )
    np.testing.assert_array_equal(images[4:9], plain[4:9])
    for _ in range(2):
        np.testing.assert_array_equal(images[:12], plain)
        np.testing.assert_array_equal(images[12], plain[0])
    assert sorted(count_decodes) == sorted(image_paths)
    # A pickled copy has a pixel file of its own.
    again = pickle.loads(pickle.dumps(images[:3]))
    np.testing.assert_array_equal(again, plain[:3])
    assert len(count_decodes) == 12 + 3
    assert images.identity == ImageLoader(40).transform(image_paths).identity


# A process without threads, whose locks a fork would copy.
FORK = """
import multiprocessing, os, sys
import numpy as np
from skart import ImageLoader

def reread():
    for _ in range(20):
        assert (np.asarray(images) == expected).all()

images = ImageLoader(24, cache_pixels=True).transform(sys.argv[1:] * 5)
expected = np.asarray(images)
for path in sys.argv[1:]:
    os.unlink(path)  # from now on, the pixels come from the temporary file
context = multiprocessing.get_context("fork")
children = [context.Process(target=reread) for _ in range(3)]
for child in children:
    child.start()
for child in children:
    child.join()
    assert child.exitcode == 0
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_forked_processes_share_cached_pixels(folder_of_images):
    finish(start(FORK, *folder_of_images))


def test_pickled_slice_reserves_room_for_its_own_images_only(image_paths, monkeypatch):
    images = ImageLoader(24, cache_pixels=True).transform(image_paths)
    part = pickle.dumps(images[[3, 1]])
    room_for_two = shutil.disk_usage("/")._replace(free=2 * 24 * 24 * 3)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: room_for_two)
    np.testing.assert_array_equal(pickle.loads(part), images[[3, 1]])
    with pytest.raises(OSError, match="for 12 images"):
        pickle.loads(pickle.dumps(images))


def test_cached_pixels_leave_no_file_behind(image_paths, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    images = ImageLoader(40, cache_pixels=True).transform(image_paths)
    np.asarray(images)
    view = images[:2]
    del images
    np.asarray(view)
    del view
    assert list(tmp_path.iterdir()) == []


def test_transform_raises_if_cached_pixels_exceed_the_disk(image_paths, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=10**4)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    loader = ImageLoader(500, cache_pixels=True)
    with pytest.raises(OSError, match=r"needs .* for 12 images.*Set TMPDIR"):
        loader.transform(image_paths)
    assert loader.fit(image_paths) is loader  # makes no file


def test_set_output_is_ignored(image_paths):
    loader = ImageLoader(24)
    assert loader.set_output(transform="pandas") is loader
    assert isinstance(loader.fit_transform(image_paths), LazyImages)
    assert loader.get_feature_names_out().tolist() == ["image"]


def test_nearly_black_images_are_not_taken_as_images_in_0_to_1():
    images = np.zeros((1, 8, 8, 3), np.float32)
    images[0, 0, 0, 0] = 1
    HandcraftedFeatures().fit(images)
    with pytest.raises(ValueError, match="looks like 0-1"):
        HandcraftedFeatures().fit(images * 0.5)


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """Return paths of pictures of six shapes, each stored in all eight orientations."""
    folder = tmp_path_factory.mktemp("shapes")
    paths = []
    for width, height in [(1, 1), (1, 40), (40, 1), (37, 53), (57, 48), (59, 20)]:
        upright = Image.open(save_image(folder / "upright.png", (width, height)))
        for orientation, transpose in STORED.items():
            exif = Image.Exif()
            exif[0x0112] = orientation
            paths.append(str(folder / f"{width} {height} {orientation}.png"))
            stored = upright if transpose is None else upright.transpose(transpose)
            stored.save(paths[-1], exif=exif)
    return paths


@settings(max_examples=80, deadline=None)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    resize=st.sampled_from(["crop", "pad", "stretch"]),
    order=st.lists(st.integers(0, 47), min_size=1, max_size=6),
    batch_size=st.integers(1, 7),
    n_threads=st.integers(1, 3),
)
def test_any_shape_orientation_and_size(
    turned, size, resize, order, batch_size, n_threads
):
    loader = ImageLoader(size, resize=resize, n_threads=n_threads)
    images = loader.transform([turned[index] for index in order])
    pixels = np.concatenate(list(images.iter_batches(batch_size)))
    assert pixels.shape == images.shape == (len(order), *size, 3)
    assert pixels.dtype == images.dtype == np.uint8
    np.testing.assert_array_equal(images[::-1], pixels[::-1])
    # The same part is cropped in each orientation. But an image that is shrunk to less
    # than a quarter is averaged first, in blocks that begin at its first pixel.
    if min(size) >= 15:
        upright = np.asarray(loader.transform([turned[i // 8 * 8] for i in order]))
        assert np.abs(pixels.astype(int) - upright).max() <= 2


def test_find_readable(image_paths, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    paths = np.array([image_paths[0], str(broken), *image_paths[1:3]])
    with pytest.warns(UserWarning, match="1 of 4 images can't be read:\n.*broken.jpg"):
        readable = find_readable(paths)
    assert readable.tolist() == [True, False, True, True]
    assert find_readable(paths[readable]).all()
    with pytest.raises(ValueError, match="Select X and y by skart.images.find_read"):
        ImageLoader(on_error="skip").fit(paths)
