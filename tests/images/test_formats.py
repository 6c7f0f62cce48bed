"""Equal pixels from every format of image files; colour profiles."""

import os
import struct
import sys
from pathlib import Path

import image_kinds
import numpy as np
import PIL
import pytest
from helpers import psnr
from image_kinds import GREY, LOSSLESS, LOSSY, icc_profile, png, saved, srgb
from PIL import ExifTags, Image, ImageCms, ImageOps

from skart import ImageLoader
from skart.images import UnreadableImageError
from skart.images._headers import read_sizes

WIDTH, HEIGHT = 160, 120


@pytest.fixture(scope="module")
def picture():
    return image_kinds.picture((WIDTH, HEIGHT))


def decode(folder, data, size=(HEIGHT, WIDTH), **parameters):
    path = Path(folder) / "image"  # without a suffix: only its content matters
    path.write_bytes(data)
    return ImageLoader(size, **parameters).transform([path])[0]


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_keep_the_pixels(tmp_path, picture, kind):
    pixels = decode(tmp_path, LOSSLESS[kind](picture))
    np.testing.assert_array_equal(pixels, np.asarray(picture))


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_formats_are_near_the_pixels(tmp_path, picture, kind):
    if kind == "heic":
        pytest.importorskip("pillow_heif")
    encode, least = LOSSY[kind]
    pixels = decode(tmp_path, encode(picture))
    assert psnr(pixels, np.asarray(picture) + 0.001) > least


@pytest.mark.parametrize("kind", [*GREY, "jpg"])
def test_grey_images_are_converted(tmp_path, picture, kind):
    grey = picture.convert("L")
    encode = GREY.get(kind, saved("JPEG", quality=100))
    pixels = decode(tmp_path, encode(grey)).astype(int)
    assert np.abs(pixels - np.asarray(grey)[..., None]).max() <= (kind == "jpg") * 3


def test_one_bit_images_are_converted(tmp_path, picture):
    bits = picture.convert("1")
    for kind, options in (("PNG", {}), ("TIFF", {"compression": "group4"})):
        pixels = decode(tmp_path, saved(kind, **options)(bits))
        np.testing.assert_array_equal(pixels, np.asarray(bits.convert("RGB")))


@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_tiff_with_white_as_zero_is_inverted(tmp_path, picture, order):
    grey = np.asarray(picture.convert("L"))[..., None]
    for samples in (grey, grey.astype(np.uint16) * 257):
        data = image_kinds.tiff(samples, order, photometric=0)
        if samples.itemsize == 2 and order == ">":  # unknown to Pillow
            with pytest.raises(UnreadableImageError):
                decode(tmp_path, data)
        else:
            pixels = decode(tmp_path, data)
            assert (pixels == 255 - grey).all()


def test_twelve_bit_tiff_is_scaled(tmp_path):
    levels = np.arange(0, 4096, 64)
    pairs = levels.repeat(2)  # of samples, in three bytes
    packed = np.stack(
        [pairs[::2] >> 4, (pairs[::2] & 15) << 4 | pairs[1::2] >> 8, pairs[1::2] & 255]
    )
    samples = packed.T.astype(np.uint8).reshape(1, -1, 1)
    data = image_kinds.tiff(samples, size=(128, 1), n_bits=12)
    pixels = decode(tmp_path, data, (1, 128))
    np.testing.assert_allclose(pixels[0, :, 0], pairs / 4095 * 255, atol=0.5)


@pytest.mark.parametrize("scale", [1 / 255, 1, 257])
def test_floats_are_scaled(tmp_path, scale):
    samples = np.array([[-1, 0, 100, 255]], np.float32) * np.float32(scale)
    pixels = decode(tmp_path, saved("TIFF")(Image.fromarray(samples)), (1, 4))
    assert pixels[0, :, 0].tolist() == [0, 0, 100, 255]


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("kind", ["<u4", "<i4", ">i4"])
def test_integers_of_32_bits_are_scaled(tmp_path, kind, deflate):
    signed = kind[1] == "i"
    for scale in (1, 257, (2**31 if signed else 2**32) // 255):
        levels = np.array([[0, 0, 100, 255]], np.int64) * scale
        levels[0, 0] = -7 if signed else 0
        data = image_kinds.tiff(
            levels.astype(kind)[..., None],
            kind[0],
            deflate=deflate,
            SampleFormat=2 if signed else 1,
        )
        pixels = decode(tmp_path, data, (1, 4))
        assert pixels[0, :, 0].tolist() == [0, 0, 100, 255]


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0, 64, 128, 256], [0, 64, 128, 255]),  # just above the steps
        ([0, 100, 255, 510], [0, 100, 255, 255]),
        ([0, 20_000, 40_000, 65_536], [0, 78, 156, 255]),
        ([0, 10**5, 5 * 10**5, 10**6], [0, 24, 122, 243]),
        ([0, 2**23, 2**24 - 2, 2**24 - 1], [0, 128, 255, 255]),
        ([-(10**9), -1, 128, 256], [0, 0, 128, 255]),
        ([-4, -3, -2, -1], [0, 0, 0, 0]),
        ([0, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
def test_white_of_integers_follows_from_the_brightest(tmp_path, samples, expected):
    samples = np.array([samples], np.int32)
    loader = ImageLoader((1, 4))
    data = image_kinds.tiff(samples[..., None], SampleFormat=2)
    pixels = decode(tmp_path, data, (1, 4))
    assert pixels[0, :, 0].tolist() == expected
    with Image.open(tmp_path / "image") as image:
        in_memory = [image, image.copy(), Image.fromarray(samples)]
        for image in loader.transform(in_memory):
            np.testing.assert_array_equal(image, pixels)
    if samples.min() >= 0:
        data = image_kinds.tiff(samples.astype(np.uint32)[..., None])
        np.testing.assert_array_equal(decode(tmp_path, data, (1, 4)), pixels)


def test_dark_images_of_16_bits_stay_dark(tmp_path):
    samples = np.array([[0, 100, 200, 300]], np.uint16)
    for kind in ("PNG", "PPM"):  # PPM has the mode of 32 bits
        (tmp_path / kind).write_bytes(saved(kind)(Image.fromarray(samples)))
        with Image.open(tmp_path / kind) as image:
            images = ImageLoader((1, 4)).transform([tmp_path / kind, image])
            for pixels in images:
                assert pixels[0, :, 0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_of_both_byte_orders_are_read(tmp_path, order, deflate):
    samples = np.array([[0, 0.25, 0.5, 1]], np.float32)[..., None]
    data = image_kinds.tiff(samples, order, deflate=deflate, SampleFormat=3)
    pixels = decode(tmp_path, data, (1, 4))
    assert pixels[0, :, 0].tolist() == [0, 64, 128, 255]


def test_tiff_of_floats_in_colour_is_not_supported(tmp_path):
    samples = np.ones((4, 4, 3), np.float32)
    data = image_kinds.tiff(samples, SampleFormat=3)
    with pytest.raises(
        UnreadableImageError, match="not supported; save it as an 8-bit RGB"
    ):
        decode(tmp_path, data)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("n_channels", "kind"), [(3, "u2"), (1, "u2"), (1, "f4")])
def test_planar_tiff_of_16_bits_is_refused(tmp_path, order, n_channels, kind):
    # Pillow reads most of them without an error, as other pixels.
    samples = np.full((4, 4, n_channels), 1000, kind)
    sample_format = 3 if kind == "f4" else 1
    data = image_kinds.tiff(
        samples, order, PlanarConfiguration=2, SampleFormat=sample_format
    )
    with pytest.raises(UnreadableImageError, match="save it with interleaved channels"):
        decode(tmp_path, data)


def test_nan_and_infinity_are_black(tmp_path):
    samples = np.array([[0, 0.5, 1, np.nan, -np.inf]], np.float32)
    pixels = decode(tmp_path, saved("TIFF")(Image.fromarray(samples)), (1, 5))
    assert pixels[0, :, 0].tolist() == [0, 128, 255, 0, 0]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF", "GIF", "LA"])
def test_transparent_pixels_are_blended_with_white(tmp_path, picture, kind):
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, :80] = 0
    if kind not in ("GIF", "LA"):
        alpha[60:, 80:] = 128
    picture = picture.convert("L") if kind == "LA" else picture
    clear = picture.copy()
    clear.putalpha(Image.fromarray(alpha))
    options = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100}}.get(kind, {})
    pixels = decode(
        tmp_path, saved("PNG" if kind == "LA" else kind, **options)(clear)
    ).astype(int)
    share = alpha[..., None] / 255
    expected = np.asarray(picture.convert("RGB")) * share + 255 * (1 - share)
    assert (pixels[:, :78] >= 253).all()
    error = np.abs(pixels - expected)[:, 82:]
    assert error.mean() < (12 if kind == "GIF" else 1.5)


def test_colours_of_transparent_pixels_do_not_bleed(tmp_path):
    samples = np.zeros((64, 64, 4), np.uint8)
    samples[:, ::2] = (255, 255, 255, 255)  # white, and clear black between
    pixels = decode(tmp_path, saved("PNG")(Image.fromarray(samples)), 16)
    assert pixels.min() >= 254


@pytest.mark.skipif(
    PIL.__version__ < "13", reason="older Pillow reads no premultiplied grey"
)
def test_premultiplied_alpha_is_not_applied_twice(tmp_path):
    data = saved("TIFF")(Image.new("LA", (20, 20), (100, 128)))
    straight, premultiplied = (struct.pack("<HHIH", 338, 3, 1, kind) for kind in (2, 1))
    assert data.count(straight) == 1
    assert decode(tmp_path, data, 8).max() == 177  # half of 100, half of white
    pixels = decode(tmp_path, data.replace(straight, premultiplied), 8)
    assert abs(pixels.max() - 227) <= 1  # 100, and half of white


def test_first_frame_of_a_gif_is_read(tmp_path, picture):
    frames = [
        image.quantize(256)
        for image in (picture, ImageOps.invert(picture), ImageOps.mirror(picture))
    ]
    animated = saved("GIF", save_all=True, append_images=frames[1:])(frames[0])
    alone = saved("GIF")(frames[0])
    np.testing.assert_array_equal(decode(tmp_path, animated), decode(tmp_path, alone))


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "AVIF", "PNG"])
@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_exif_orientation_applies_in_all_formats(tmp_path, picture, kind, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    lossless = {"WEBP": {"lossless": True}, "AVIF": {"quality": 95}}.get(kind, {})
    data = saved(kind, exif=exif, **lossless)(picture)
    image = Image.new("RGB", picture.size)
    image.paste(picture)
    image.getexif()[ExifTags.Base.Orientation] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    pixels = decode(tmp_path, data, upright.shape[:2])
    assert psnr(pixels, upright + 0.001) > 40
    assert read_sizes([tmp_path / "image"]).tolist() == [[*upright.shape[1::-1]]]


def test_exif_after_the_pixels_of_a_png_is_applied(tmp_path, picture):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    pixels = decode(
        tmp_path,
        png(np.asarray(picture), eXIf=exif.tobytes()[6:]),
        (WIDTH, HEIGHT),
    )
    np.testing.assert_array_equal(pixels, np.rot90(np.asarray(picture), -1))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_is_ignored(tmp_path, picture):
    plain = decode(tmp_path, saved("JPEG")(picture))
    for exif in (
        b"MM\0\x2a\0\0\0\x08\0\xff\1\x12",
        b"no directory",
        b"II*\0" + b"\xff" * 9,
    ):
        data = saved("JPEG", exif=b"Exif\0\0" + exif)(picture)
        np.testing.assert_array_equal(decode(tmp_path, data), plain)


def test_heic_without_its_plugin_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(UnreadableImageError, match=r"pip install 'skart\[heic\]'"):
        decode(tmp_path, data)


def test_heic_is_not_registered_with_pillow(tmp_path, picture, monkeypatch):
    pytest.importorskip("pillow_heif")
    # Other packages register it, too.
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    decode(tmp_path, image_kinds.heic(picture))
    assert "HEIF" not in Image.OPEN


# Colour profiles.


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("swapped", [False, True])
def test_rgb_profile_is_applied(tmp_path, picture, kind, swapped):
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    encode = saved(
        kind, icc_profile=icc_profile(swapped=swapped), **options.get(kind, {})
    )
    expected = srgb(np.asarray(picture) / 255)
    if swapped:
        expected = expected[..., [1, 0, 2]]
    pixels = decode(tmp_path, encode(picture))
    # Linear light is coarse in the dark.
    assert np.abs(pixels - expected).mean() < (2 if kind == "JPEG" else 0.6)


def test_profile_is_applied_to_palette_and_alpha(tmp_path, picture):
    profile = icc_profile(swapped=True)
    for image in (picture.quantize(256), picture.convert("RGBA")):
        plain = decode(tmp_path, saved("PNG")(image))
        pixels = decode(tmp_path, saved("PNG", icc_profile=profile)(image))
        expected = srgb(plain / 255)[..., [1, 0, 2]]
        assert np.abs(pixels - expected).mean() < 0.6


def test_grey_profile_is_applied(tmp_path, picture):
    grey = picture.convert("L")
    profile = icc_profile("GRAY", gamma=1)
    expected = srgb(np.asarray(grey) / 255)[..., None]
    for image in (grey, image_kinds.grey_16(grey)):
        pixels = decode(tmp_path, saved("PNG", icc_profile=profile)(image))
        assert np.abs(pixels - expected).max() < 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_profile_is_applied(tmp_path, kind):
    # The profile sees black ink only, as lightness.
    black = np.linspace(0, 255, WIDTH).astype(np.uint8)
    ink = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    ink[..., 0], ink[..., 3] = 90, black
    image = Image.fromarray(ink, "CMYK")
    options = {"quality": 100} if kind == "JPEG" else {}
    encode = saved(kind, icc_profile=icc_profile("CMYK"), **options)
    pixels = decode(tmp_path, encode(image))
    lightness = 100 * (1 - black / 255)
    root = (lightness + 16) / 116
    luminance = np.where(root > 6 / 29, root**3, (root - 4 / 29) * 108 / 841)
    assert np.abs(pixels - srgb(luminance)[:, None]).max() < 5


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        icc_profile()[:200],
        icc_profile("GRAY"),
        icc_profile("CMYK"),
        icc_profile()[:128] + b"\xff" * 300,
    ],
)
def test_damaged_and_foreign_profiles_are_ignored(tmp_path, picture, profile):
    for encode in (
        saved("PNG", icc_profile=profile),
        saved("TIFF", icc_profile=profile),
    ):
        np.testing.assert_array_equal(decode(tmp_path, encode(picture)), picture)


@pytest.fixture
def n_transforms(monkeypatch):
    """Return a function that counts the colour transforms that are made."""
    made, build = [], ImageCms.buildTransform

    def counting(*args):
        made.append(args)
        return build(*args)

    monkeypatch.setattr(ImageCms, "buildTransform", counting)
    return lambda: len(made)


def test_srgb_profiles_are_not_applied(tmp_path, picture, monkeypatch, n_transforms):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved("PNG", icc_profile=profile)(picture)
    np.testing.assert_array_equal(decode(tmp_path, data), picture)
    # The transform is neither made nor applied a second time.
    monkeypatch.setattr(ImageCms.ImageCmsTransform, "apply", None)
    n_before = n_transforms()
    np.testing.assert_array_equal(decode(tmp_path, data), picture)
    assert n_transforms() == n_before == 1


def test_threads_share_a_bounded_number_of_transforms(tmp_path, n_transforms):
    paths = []
    for index in range(100):
        paths.append(tmp_path / f"{index}.png")
        profile = icc_profile(gamma=1.005 + index / 100)  # no other test has it
        image = image_kinds.picture((8, 8))
        paths[-1].write_bytes(saved("PNG", icc_profile=profile)(image))
    loader = ImageLoader(8, n_threads=4)
    images = np.asarray(loader.transform(paths))
    assert (np.diff(images.mean((1, 2, 3))) < 0).all()  # each by its own profile
    assert n_transforms() == 100
    again = loader.transform([paths[-1]] * 8)
    np.testing.assert_array_equal(again, images[[-1] * 8])
    assert n_transforms() == 100
    np.testing.assert_array_equal(loader.transform(paths), images)
    assert n_transforms() > 100  # the oldest were dropped


@pytest.mark.skipif("SKART_PAINTINGS" not in os.environ, reason="no real paintings")
def test_real_paintings_are_near_a_full_decode():
    paths = sorted(Path(os.environ["SKART_PAINTINGS"]).rglob("*.jpg"))
    for pixels, path in zip(ImageLoader(96).transform(paths), paths, strict=True):
        with Image.open(path) as image:
            expected = ImageOps.fit(image.convert("RGB"), (96, 96))
        assert psnr(pixels, np.asarray(expected) + 0.001) > 30, path
