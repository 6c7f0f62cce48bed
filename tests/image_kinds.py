"""One picture as a file of each supported format; some are written byte by byte."""

import io
import struct
import zlib

import numpy as np
from PIL import ExifTags, Image, ImageChops


def picture(size=(160, 120), seed=0):
    """A smooth random picture in the mode RGB, (width, height) pixels."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def saved(kind, **options):
    """A function from a picture to the bytes that Pillow saves it as."""

    def encode(image):
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return encode


def without_segment(jpeg, marker):
    """Cut a segment out of a JPEG's header."""
    start = jpeg.index(bytes([0xFF, marker]))
    (length,) = struct.unpack_from(">H", jpeg, start + 2)
    return jpeg[:start] + jpeg[start + 2 + length :]


def cmyk_jpeg(image, **options):
    """As Adobe's programs write it: ink inverted, with their marker."""
    return saved("JPEG", quality=95, **options)(image.convert("CMYK"))


def plain_cmyk_jpeg(image):
    """Ink as it is, without a marker."""
    inverted = ImageChops.invert(image.convert("CMYK"))
    return without_segment(saved("JPEG", quality=95)(inverted), 0xEE)


def ycck_jpeg(image):
    """Luma and chroma of the ink, as Photoshop writes it."""
    *ink, black = image.convert("CMYK").split()
    luma_and_chroma = Image.merge("RGB", ink).convert("YCbCr")
    # Pillow inverts what it writes; only black is to be.
    bands = [*ImageChops.invert(luma_and_chroma).split(), black]
    jpeg = bytearray(saved("JPEG", quality=95)(Image.merge("CMYK", bands)))
    jpeg[jpeg.index(b"Adobe") + 11] = 2
    return bytes(jpeg)


def png(samples, **chunks):
    """Grey or RGB samples, 8 or 16 bits; further chunks stand behind them."""
    height, width, n_channels = samples.shape
    colour = {1: 0, 3: 2}[n_channels]
    rows = samples.astype(samples.dtype.newbyteorder(">")).tobytes()
    step = len(rows) // height
    lines = b"".join(b"\0" + rows[i * step : (i + 1) * step] for i in range(height))
    header = struct.pack(
        ">IIBBBBB", width, height, samples.itemsize * 8, colour, 0, 0, 0
    )
    chunks = {"IHDR": header, "IDAT": zlib.compress(lines), **chunks, "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + name.encode()
        + data
        + struct.pack(">I", zlib.crc32(name.encode() + data))
        for name, data in chunks.items()
    )


def tiff(
    samples, order="<", size=None, photometric=None, n_bits=None, deflate=False, **more
):
    """Grey or RGB samples; size and number of bits may be lies, `more` are tags."""
    height, width, n_channels = samples.shape
    width, height = size or (width, height)
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    data = zlib.compress(data) if deflate else data
    n_bits = n_bits or samples.itemsize * 8
    # Behind the header; what is one number stands in the directory.
    bits = struct.pack(f"{order}{n_channels}H", *[n_bits] * n_channels)
    if photometric is None:
        photometric = 1 if n_channels == 1 else 2
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, n_channels, n_bits if n_channels == 1 else 8),
        (259, 3, 1, 8 if deflate else 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8 + len(bits)),
        (277, 3, 1, n_channels),
        (278, 4, 1, height),
        (279, 4, 1, len(data)),
    ]
    entries += [(ExifTags.Base[tag], 3, 1, value) for tag, value in more.items()]
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        short = kind == 3 and count == 1
        value = struct.pack(f"{order}HH" if short else f"{order}I", value, *[0] * short)
        directory += struct.pack(f"{order}HHI", tag, kind, count) + value
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
        f"{order}I", 8 + len(bits) + len(data)
    )
    return head + bits + data + directory + b"\0\0\0\0"


def psd(image):
    """The merged picture of a Photoshop file, uncompressed."""
    samples = np.asarray(image)
    height, width, _ = samples.shape
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, height, width, 8, 3)
    return header + bytes(12) + b"\0\0" + samples.transpose(2, 0, 1).tobytes()


def heic(image):
    """A HEIC image; pillow-heif must be installed."""
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=90)
    return buffer.getvalue()


def sixteen_bits(image):
    return np.asarray(image).astype(np.uint16).reshape(*image.size[::-1], -1) * 257


def grey_16(image):
    return Image.fromarray(sixteen_bits(image.convert("L"))[..., 0])


# Colour pictures, with nothing lost.
LOSSLESS = {
    "png": saved("PNG"),
    "opaque.png": lambda image: saved("PNG")(image.convert("RGBA")),
    "16-bit.png": lambda image: png(sixteen_bits(image)),
    "tif": saved("TIFF"),
    "lzw.tif": saved("TIFF", compression="tiff_lzw"),
    "deflate.tif": saved("TIFF", compression="tiff_adobe_deflate"),
    "big.tif": saved("TIFF", big_tiff=True),
    "big-endian.tif": lambda image: tiff(np.asarray(image), ">"),
    "16-bit.tif": lambda image: tiff(sixteen_bits(image)),
    "16-bit-big-endian.tif": lambda image: tiff(sixteen_bits(image), ">"),
    "pages.tif": lambda image: saved(
        "TIFF", save_all=True, append_images=[ImageChops.invert(image)]
    )(image),
    "lossless.webp": saved("WEBP", lossless=True),
    "opaque.webp": lambda image: saved("WEBP", lossless=True)(image.convert("RGBA")),
    "bmp": saved("BMP"),
    "jp2": saved("JPEG2000"),
    "j2k": saved("JPEG2000", no_jp2=True),
    "psd": psd,
    "ppm": saved("PPM"),
}

# Colour pictures, with the least PSNR that is expected of them, in dB.
LOSSY = {
    "jpg": (saved("JPEG", quality=95), 40),
    "progressive.jpg": (saved("JPEG", quality=95, progressive=True), 40),
    "cmyk.jpg": (cmyk_jpeg, 38),
    "progressive-cmyk.jpg": (lambda image: cmyk_jpeg(image, progressive=True), 38),
    "plain-cmyk.jpg": (plain_cmyk_jpeg, 38),
    "ycck.jpg": (ycck_jpeg, 32),
    "cmyk.tif": (lambda image: saved("TIFF")(image.convert("CMYK")), 45),
    "jpeg.tif": (saved("TIFF", compression="jpeg", quality=95), 35),
    "palette.png": (lambda image: saved("PNG")(image.quantize(256)), 28),
    "gif": (lambda image: saved("GIF")(image.quantize(256)), 28),
    "webp": (saved("WEBP", quality=90), 35),
    "avif": (saved("AVIF", quality=90), 35),
    "lossy.jp2": (saved("JPEG2000", irreversible=True, quality_layers=[10]), 35),
    "heic": (heic, 35),
}

# Grey ones, with nothing lost.
GREY = {
    "grey.png": lambda image: saved("PNG")(image.convert("L")),
    "grey-alpha.png": lambda image: saved("PNG")(image.convert("LA")),
    "grey-16-bit.png": lambda image: saved("PNG")(grey_16(image)),
    "grey-16-bit.tif": lambda image: saved("TIFF")(grey_16(image)),
    "grey-16-bit.jp2": lambda image: saved("JPEG2000")(grey_16(image)),
    "float.tif": lambda image: saved("TIFF")(
        Image.fromarray(np.asarray(image.convert("L")) / np.float32(255))
    ),
    "grey.pgm": lambda image: saved("PPM")(image.convert("L")),
}

ALL_KINDS = {
    **LOSSLESS,
    **{name: encode for name, (encode, _) in LOSSY.items()},
    **GREY,
}


def icc_profile(space="RGB", *, gamma=1.0, swapped=False):
    """A profile whose effect can be computed by hand.

    RGB: sRGB's primaries, red and green ``swapped`` or not, with a plain gamma. Grey: a
    plain gamma. CMYK: the lightness is that of black alone, and falls evenly.
    """

    def fixed(*values):
        return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))

    def xyz(*values):
        return b"XYZ \0\0\0\0" + fixed(*values)

    white = (0.9642, 1.0, 0.8249)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"wtpt": xyz(*white)}
    if space == "RGB":
        red, green = (0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971)
        if swapped:
            red, green = green, red
        tags |= {b"rXYZ": xyz(*red), b"gXYZ": xyz(*green)}
        tags |= {b"bXYZ": xyz(0.1431, 0.0606, 0.7141)}
        tags |= dict.fromkeys([b"rTRC", b"gTRC", b"bTRC"], curve)
    elif space == "GRAY":
        tags[b"kTRC"] = curve
    else:
        ramp = bytes(range(256))
        table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
        nodes = bytes([255, 128, 128, 0, 128, 128]) * 8  # black turns fastest
        tags[b"A2B0"] = table + ramp * 4 + nodes + ramp * 3
    connection = b"Lab " if space == "CMYK" else b"XYZ "
    device = b"prtr" if space == "CMYK" else b"mntr"
    directory, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        at = 132 + 12 * len(tags) + len(data)
        directory += struct.pack(">4sII", name, at, len(content))
        data += content
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x",
        128 + len(directory + data),
        0x02400000,
        device,
        space.encode().ljust(4),
        connection,
        b"acsp",
    )
    return (header + fixed(*white)).ljust(128, b"\0") + directory + data


def srgb(linear):
    """Linear light in 0-1 to sRGB levels in 0-255."""
    curved = 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, curved)


def huge_jpeg(width, height):
    """A grey JPEG of any size, in an eighth of a bit for each pixel."""
    jpeg = bytearray(saved("JPEG")(Image.new("RGB", (16, 16), (128, 128, 128))))
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, height, width)
    scan = jpeg.index(b"\xff\xda") + 14
    # Four blocks of luma and two of chroma that are like those before.
    block = bytes([0b00101000, 0b10100010, 0b10001010, 0])
    return jpeg[:scan] + block * (-(-width // 16) * -(-height // 16)) + b"\xff\xd9"
