"""Files that are damaged, hostile or no images raise an error that names them."""

import os
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zlib
from pathlib import Path

import image_kinds
import numpy as np
import pytest
from helpers import needs_posix
from image_kinds import ALL_KINDS, LOSSLESS, huge_jpeg, png, saved, tiff
from PIL import Image

from skart import FeatureStore, ImageLoader
from skart.images import LazyImages, UnreadableImageError
from skart.images._decode import decode_image
from skart.images._headers import read_sizes

PIXEL = np.zeros((1, 1, 3), np.uint8)


def reason(path, **parameters):
    """Return the reason for which a file can't be read, with either `on_error`."""
    loader = ImageLoader(32, **parameters)
    with pytest.raises(UnreadableImageError) as caught:
        np.asarray(loader.transform([path]))
    assert list(caught.value.failures) == [str(path)]
    assert repr(str(path)) in str(caught.value)
    assert "\n" not in caught.value.failures[str(path)]
    images = loader.set_params(on_error="blank").transform([path])
    with pytest.warns(UserWarning, match="1 of 1 images"):
        assert not np.asarray(images).any()
    assert images.failures == caught.value.failures
    return images.failures[str(path)]


def patched(data, at, form, *values):
    data = bytearray(data)
    struct.pack_into(form, data, at, *values)
    return bytes(data)


def one_channel_first(jpeg):
    """Change the header of a JPEG to that of a file with a scan for each channel."""
    at = jpeg.index(b"\xff\xda")
    return jpeg[:at] + b"\xff\xda\0\x08\1\1\0\0?\0" + jpeg[at + 14 :]


def bombs():
    image = image_kinds.picture((16, 16))
    header = struct.pack(">IIBBBBB", 50000, 50000, 8, 2, 0, 0, 0)
    gif = saved("GIF")(image.quantize(4))
    progressive = saved("JPEG", progressive=True)(image)
    sequential = one_channel_first(saved("JPEG")(image))
    bmp = saved("BMP")(image)
    webp = saved("WEBP", exif=b"Exif\0\0II*\0")(image)
    jp2 = saved("JPEG2000")(image)
    lzw = saved("TIFF", compression="tiff_lzw")(image)
    width = struct.pack("<HHIHH", 256, 3, 1, 16, 0)
    return {
        "png": png(PIXEL, IHDR=header),
        "tiff": tiff(PIXEL, size=(50000, 50000)),
        "lzw": lzw.replace(width, struct.pack("<HHII", 256, 4, 1, 2**30)),
        "gif": patched(gif, 6, "<HH", 65535, 65535),
        "gif frame": patched(gif, gif.index(b",\0\0\0\0") + 5, "<HH", 65535, 65535),
        "progressive": patched(
            progressive, progressive.index(b"\xff\xc2") + 5, ">HH", 65500, 65500
        ),
        "one channel first": patched(
            sequential, sequential.index(b"\xff\xc0") + 5, ">HH", 65500, 65500
        ),
        "bmp": patched(bmp, 18, "<ii", 50000, 50000),
        "webp": patched(webp, 24, "<IH", 0xFFFF3FFF, 0x00FF),
        "jp2": patched(jp2, jp2.index(b"ihdr") + 4, ">II", 50000, 50000),
        "psd": patched(image_kinds.psd(image), 14, ">II", 29000, 29000),
        "ppm": b"P6 50000 50000 255\n" + bytes(3000),
    }


@pytest.mark.parametrize("kind", bombs())
def test_decompression_bombs_are_unreadable(tmp_path, kind, capfd):
    path = tmp_path / "bomb.jpg"
    path.write_bytes(bombs()[kind])
    why = reason(path)
    if kind not in ("gif frame", "webp"):  # for which Pillow has limits of its own
        # In these words also in tables and pages that commands write.
        advice = "save a smaller copy, or, where memory allows, pass ImageLoader("
        assert f"more than max_pixels=200000000; {advice}" in why
        assert why.endswith(") in Python")
    assert capfd.readouterr().err == ""


def make_tiled_tiff(side):
    """Return a TIFF of one grey pixel in a tile of `side` times `side` pixels."""
    tile = zlib.compress(bytes(side**2))
    fields = [
        *((256, 1), (257, 1), (258, 8), (259, 8), (262, 1), (277, 1)),
        *((322, side), (323, side), (324, 8 + 2 + 10 * 12 + 4), (325, len(tile))),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 10) + entries + bytes(4) + tile


def test_tiles_that_are_far_larger_than_the_image_are_not_decoded(tmp_path):
    file = tmp_path / "bomb.tif"
    file.write_bytes(make_tiled_tiff(2**13))
    assert reason(file) == "tiles that are far larger than the image"
    file.write_bytes(make_tiled_tiff(256))
    assert ImageLoader(32).transform([file])[0].shape == (32, 32, 3)


IN_LITTLE_MEMORY = """
import re, sys
import numpy as np
from skart import ImageLoader

images = ImageLoader(299, on_error="blank").transform(sys.argv[1:])
print(*np.asarray(images).mean(axis=(1, 2, 3)), *images.failures.values(), sep="; ")
with open("/proc/self/status") as status:
    print(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux only")
def test_large_files_take_less_memory_than_their_pixels(tmp_path):
    big, bomb = tmp_path / "big.jpg", tmp_path / "bomb.png"
    big.write_bytes(huge_jpeg(20_000, 20_000))
    rows = np.zeros((1, 2_000_000, 1), np.uint8)  # 2 kB as a file
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    bomb.write_bytes(png(rows, IHDR=header))
    printed, kilobytes = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IN_LITTLE_MEMORY, big, bomb],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert printed.startswith(
        "128.0; 0.0; 30000 x 30000 pixels would have to be decoded"
    )
    assert int(kilobytes) * 1024 < 20_000 * 20_000 * 3 / 2


def test_memory_is_not_allocated_by_the_header(tmp_path):
    # The header claims a colour table of 4 GB.
    path = tmp_path / "a.psd"
    path.write_bytes(
        patched(image_kinds.psd(image_kinds.picture()), 26, ">I", 2**32 - 1)
    )
    tracemalloc.start()
    try:
        reason(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10**7


def test_max_pixels_counts_decoded_pixels(tmp_path):
    image = image_kinds.picture((1600, 1200))
    whole = saved("JPEG")(image)
    kinds = {
        "scaled": whole,
        "progressive": saved("JPEG", progressive=True)(image),
        "one channel first": one_channel_first(whole),
        "png": saved("PNG")(image),
    }
    for kind, data in kinds.items():
        path = tmp_path / kind
        path.write_bytes(data)
        if kind == "scaled":  # to an eighth
            loader = ImageLoader(32, max_pixels=30_000)
            assert loader.transform([path])[0].any()
            assert "200 x 150 pixels" in reason(path, max_pixels=29_999)
        else:
            assert "ImageLoader(max_pixels=1920000)" in reason(path, max_pixels=10**6)
    assert ImageLoader(32, max_pixels=1_920_000).transform([path])[0].any()


def test_programming_errors_are_not_unreadable_files(image_paths):
    images = LazyImages(image_paths[:2], size=(8, 8), max_pixels="many")
    with pytest.raises(TypeError, match="not supported between"):
        np.asarray(images)


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "lzw.tif", "jp2", "gif", "psd"])
def test_limit_of_pillow_is_neither_used_nor_changed(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    path = tmp_path / "a"
    path.write_bytes(ALL_KINDS[kind](image_kinds.picture((60, 40))))
    assert ImageLoader(16).transform([path])[0].any()
    assert read_sizes([path]).tolist() == [[60, 40]]
    assert Image.MAX_IMAGE_PIXELS == 100


def test_read_sizes_decodes_nothing(tmp_path):
    (tmp_path / "bomb").write_bytes(bombs()["png"])
    assert read_sizes([tmp_path / "bomb"]).tolist() == [[50000, 50000]]


@pytest.mark.parametrize("shape", [(60_000, 1), (1, 60_000)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_images_of_one_row_or_column(tmp_path, shape, kind):
    (tmp_path / "line").write_bytes(saved(kind)(Image.new("RGB", shape, "red")))
    for resize in ("crop", "pad", "stretch"):
        image = ImageLoader(32, resize=resize).transform([tmp_path / "line"])[0]
        assert image.shape == (32, 32, 3) and image.max() >= 253


@pytest.mark.parametrize(
    "kind",
    ["jpg", "progressive.jpg", "cmyk.jpg", "png", "tif", "lzw.tif", "webp", "gif"]
    + ["lossless.webp", "avif", "jp2", "bmp", "psd", "ppm", "heic"],
)
@pytest.mark.filterwarnings("ignore:(Truncated File Read|Corrupt EXIF data)")
def test_truncated_files_are_unreadable(tmp_path, capfd, kind):
    if kind == "heic":
        pytest.importorskip("pillow_heif")
    data = ALL_KINDS[kind](image_kinds.picture((90, 70)))
    (tmp_path / "whole").write_bytes(data)
    loader = ImageLoader((70, 90), on_error="blank", n_threads=2)
    whole = loader.transform([tmp_path / "whole"])[0]
    paths = [
        tmp_path / str(end) for end in np.linspace(0, len(data) - 1, 50, dtype=int)
    ]
    for path in paths:
        path.write_bytes(data[: int(path.name)])
    images = loader.transform(paths)
    with pytest.warns(UserWarning, match="of 50 images can't be read"):
        pixels = np.asarray(images)
    # Some formats end in bytes that the pixels do not need.
    assert len(images.failures) >= 45
    for path, image in zip(paths, pixels, strict=True):
        if str(path) in images.failures:
            assert not image.any()
        else:
            np.testing.assert_array_equal(image, whole)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_random_bytes_after_a_header_raise_no_other_error(tmp_path, capfd, kind):
    if kind == "heic":
        pytest.importorskip("pillow_heif")
    head = ALL_KINDS[kind](image_kinds.picture((90, 70)))[:40]
    generator = np.random.default_rng(0)
    paths = [tmp_path / str(length) for length in (20, 300, 5000)]
    for path in paths:
        path.write_bytes(head + generator.bytes(int(path.name)))
    loader = ImageLoader(32, on_error="blank", max_pixels=10**6)
    assert np.asarray(loader.transform(paths)).shape == (3, 32, 32, 3)
    assert capfd.readouterr().err == ""


OTHER_FORMATS = {
    "empty": (b"", "an empty file"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "in a supported format"),
    "pdf": (b"%PDF-1.7\n1 0 obj", "in a supported format: JPEG, PNG"),
    "html": (b"<!doctype html><title>404 Not Found</title>", "in a supported format"),
    "eps": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "in a supported format",
    ),
    "wmf": (b"\xd7\xcd\xc6\x9a\0\0" + bytes(90), "in a supported format"),
    "one byte": (b"\xff", "in a supported format"),
    "start of a jpeg": (b"\xff\xd8\xff", "a damaged file"),
}


@pytest.mark.parametrize("kind", OTHER_FORMATS)
def test_other_formats_are_unreadable_and_start_no_program(tmp_path, kind, monkeypatch):
    def start_program(*args, **kwargs):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess.Popen, "__init__", start_program)
    data, why = OTHER_FORMATS[kind]
    (tmp_path / "a.jpg").write_bytes(data)
    assert why in reason(tmp_path / "a.jpg")


@needs_posix
def test_pipes_devices_and_folders_are_unreadable(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "folder.jpg").mkdir()
    expected = {
        tmp_path / "pipe.jpg": "not a regular file",
        tmp_path / "loop.jpg": "too many levels of symbolic links",
        tmp_path / "folder.jpg": "not a regular file",
        Path("/dev/null"): "not a regular file",
        Path("/dev/zero"): "not a regular file",
        tmp_path / "gone.jpg": "no such file",
        "nul\0.jpg": "embedded null",
        "\ud800.jpg": "surrogates not allowed",
        "x" * 5000: "file name too long",
    }
    for path, why in expected.items():
        assert why in reason(path)
    # The store has no digest of them either, and does not block.
    assert FeatureStore(tmp_path / "store").digest_files(expected) == [None] * 9


def test_deleted_file_is_unreadable(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path in paths:
        path.write_bytes(LOSSLESS["png"](image_kinds.picture()))
    images = ImageLoader(16, on_error="blank").transform(paths)
    paths[1].unlink()
    with pytest.warns(UserWarning, match="1 of 3"):
        pixels = np.asarray(images)
    assert pixels.any(axis=(1, 2, 3)).tolist() == [True, False, True]


def test_file_without_permission_is_unreadable(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(LOSSLESS["png"](image_kinds.picture()))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert reason(path) == "permission denied"


@pytest.mark.parametrize("name", ["a\nb\r.jpg", os.fsdecode(b"\xff\xfe.jpg"), "é.jpg"])
def test_names_with_unusual_characters(tmp_path, name):
    path = str(tmp_path / name)
    Path(path).write_bytes(saved("JPEG")(image_kinds.picture()))
    assert ImageLoader(16).transform([path])[0].any()
    assert FeatureStore(tmp_path / "store").digest_files([path])[0] is not None
    Path(path).write_bytes(b"no image")
    reason(path)
    with pytest.raises(UnreadableImageError) as caught:
        ImageLoader(16).transform([path])[0]
    str(caught.value).encode()  # can be printed
    assert len(str(caught.value).splitlines()) == 3


def test_file_truncated_while_it_is_decoded(tmp_path, monkeypatch):
    # Pillow maps uncompressed files whose name it has. Reading a mapped file beyond its
    # new end would kill this process.
    path = tmp_path / "a.bmp"
    path.write_bytes(saved("BMP")(Image.new("L", (512, 512), 9)))
    load = Image.Image.load
    monkeypatch.setattr(
        Image.Image, "load", lambda self: os.truncate(path, 100) or load(self)
    )
    with pytest.raises(UnreadableImageError, match="truncated"):
        ImageLoader(32).transform([path])[0]


def test_threads_decode_all_formats_at_once(tmp_path):
    paths = []
    for kind, encode in ALL_KINDS.items():
        if kind != "heic":
            paths.append(tmp_path / kind)
            paths[-1].write_bytes(encode(image_kinds.picture()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = ImageLoader(24, n_threads=8).transform(paths * 5)
        pixels = np.asarray(images).reshape(5, len(paths), 24, 24, 3)
    assert (pixels == pixels[0]).all()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("n_missing", [1, 2])
def test_jpeg_without_its_end_marker_is_complete(tmp_path, progressive, n_missing):
    pixels = np.random.default_rng(0).integers(0, 255, (150, 120, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "whole.jpg", progressive=progressive)
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[:-n_missing])
    whole, cut = (
        decode_image(tmp_path / name, (64, 64)) for name in ("whole.jpg", "cut.jpg")
    )
    np.testing.assert_array_equal(whole, cut)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(64, 64), (16, 16), (120, 30)])
def test_jpeg_without_its_last_pixels_is_unreadable(tmp_path, progressive, size):
    pixels = np.random.default_rng(0).integers(0, 255, (150, 120, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "whole.jpg", progressive=progressive)
    content = (tmp_path / "whole.jpg").read_bytes()
    for n_missing in (12, 100, len(content) // 2):
        (tmp_path / "cut.jpg").write_bytes(content[:-n_missing])
        with pytest.raises(OSError, match="truncated"):
            decode_image(tmp_path / "cut.jpg", size)
