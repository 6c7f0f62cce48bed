"""Each descriptor against a fact that is known without it."""

import numpy as np
import pytest
from PIL import Image

from skart.features.descriptors import (
    color_layout,
    color_structure,
    edge_direction,
    gabor,
    glcm,
    hog,
    hsv,
    lbp,
    ltp,
    luminance,
    sift,
)
from skart.features.descriptors._table import DESCRIPTORS


def random_integers(*args, **options):
    """The same integers, whichever tests were run before."""
    return np.random.default_rng(0).integers(*args, **options)


def flat(*colour, size=(64, 64)):
    return np.full((*size, 3), colour or 128, np.uint8)


def grey_image(levels):
    return np.repeat(np.asarray(levels, np.uint8)[..., None], 3, axis=2)


def stripes(period, size=96):
    """Vertical stripes, as wide as the gaps between them."""
    return grey_image(np.indices((size, size))[1] % period < period / 2) * 255


def painting(size=(120, 96)):
    """A smooth picture with edges: height, width."""
    small = np.random.default_rng(1).integers(0, 256, (7, 6, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC)
    image = np.array(image)
    image[30:60, 20:70] = (200, 40, 30)
    return image


ODD = {
    "black": flat(0),
    "white": flat(255),
    "red": flat(255, 0, 0),
    "one pixel": flat(7, size=(1, 1)),
    "noise": random_integers(0, 256, (41, 40, 3), dtype=np.uint8),
    "chequers": grey_image(np.indices((64, 64)).sum(axis=0) % 2 * 255),
    "stripes": stripes(2),
    "a strip": random_integers(0, 256, (3, 3000, 3), dtype=np.uint8),
    "one bright pixel": np.pad(flat(255, size=(1, 1)), [(30, 30), (30, 30), (0, 0)]),
}


@pytest.mark.parametrize("image", ODD.values(), ids=ODD)
@pytest.mark.parametrize("kind", DESCRIPTORS)
def test_vectors_are_finite(kind, image):
    vector = DESCRIPTORS[kind].function(image)
    assert np.isfinite(vector).all()
    usual = DESCRIPTORS[kind].function(painting())
    assert vector.shape == usual.shape and vector.dtype == usual.dtype
    if kind != "sift":
        assert vector.dtype == np.float32
        assert vector.shape == (len(DESCRIPTORS[kind].names),)


@pytest.mark.parametrize("kind", DESCRIPTORS)
def test_names_and_vectors_differ_between_descriptors(kind):
    function, names = DESCRIPTORS[kind].function, DESCRIPTORS[kind].names
    assert names is None or len(set(names)) == len(names)
    assert (function(painting()) != function(flat())).any()
    np.testing.assert_array_equal(function(painting()), function(painting().copy()))


@pytest.mark.parametrize("image", [flat()[0], flat().astype(float), flat()[:0]])
def test_invalid_images_raise(image):
    with pytest.raises(ValueError, match="got shape"):
        hsv(image)


def test_color_layout_of_two_halves():
    luma = 16 + (65.481 + 128.553 + 24.966)  # of white, ITU-R BT.601
    image = np.vstack([flat(255, size=(40, 64)), flat(0, size=(40, 64))])
    layout = dict(
        zip(DESCRIPTORS["color_layout"].names, color_layout(image), strict=True)
    )
    # The mean of 64 fields times 8 ...
    assert layout["y_0"] == pytest.approx(8 * (luma + 16) / 2, rel=1e-4)
    # ... the slowest wave from top to bottom (third in the zigzag), by definition ...
    wave = np.cos(np.pi * (np.arange(8) + 0.5) / 8) * np.sqrt(2 / 8)
    expected = (wave * np.repeat([luma, 16], 4)).sum() * np.sqrt(8)
    assert layout["y_2"] == pytest.approx(expected, rel=1e-4)
    # ... none from left to right, and no colour.
    assert layout["y_1"] == pytest.approx(0, abs=1e-3)
    assert layout["cb_0"] == pytest.approx(8 * 128, rel=1e-4)
    sideways = color_layout(np.rot90(image))
    assert abs(sideways[1]) == pytest.approx(expected, rel=1e-4)


def test_color_layout_is_in_zigzag_order():
    rows, columns = [], []
    for down, right in [(0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3)]:  # as in JPEG
        waves = [
            np.cos(np.pi * k * (np.arange(64) + 0.5) / 64)[axis]
            for k, axis in ((down, np.s_[:, None]), (right, np.s_[None]))
        ]
        image = grey_image(128 + 100 * waves[0] * waves[1])
        rows.append(abs(color_layout(image)[1:28]).argmax() + 1)
        columns.append(abs(color_layout(image)[1:28]).max())
    assert rows == [1, 2, 3, 4, 5, 6]
    assert min(columns) > 100


def by_windows(colours, n_colours):
    """The definition of a colour structure histogram, window by window."""
    height, width = colours.shape
    counts = np.zeros(n_colours)
    for row in range(height - 7):
        for column in range(width - 7):
            counts[np.unique(colours[row : row + 8, column : column + 8])] += 1
    return counts / ((height - 7) * (width - 7))


def test_color_structure_counts_windows():
    palette = np.array([(255, 0, 0), (0, 0, 255), (10, 10, 10), (250, 250, 250)])
    colours = random_integers(0, 4, (5, 4)).repeat(5, axis=0).repeat(7, axis=1)
    structure = color_structure(palette[colours].astype(np.uint8))
    expected = by_windows(colours, 4)
    np.testing.assert_allclose(
        np.sort(structure[structure > 0]), np.sort(expected), rtol=1e-5
    )
    assert structure.sum() == pytest.approx(expected.sum(), rel=1e-5)
    assert structure[0] == pytest.approx(expected[2], rel=1e-5)  # the darkest grey
    assert structure[7] == pytest.approx(expected[3], rel=1e-5)  # the lightest


def test_color_structure_separates_dabs_from_fields():
    dabs = np.indices((64, 64)).sum(axis=0) // 4 % 2
    fields = (np.arange(64) < 32).repeat(64).reshape(64, 64)
    palette = np.array([(255, 255, 255), (0, 0, 200)], np.uint8)
    mixed, apart = (color_structure(palette[x.astype(int)]) for x in (dabs, fields))
    assert mixed.sum() == pytest.approx(2)
    assert apart.sum() == pytest.approx(1 + 7 / 57)  # 7 of 57 windows see both


def test_color_structure_has_a_bin_for_each_colour():
    one_each = {
        int(color_structure(flat(*colour)).argmax())
        for colour in random_integers(0, 256, (400, 3))
    }
    greys = [int(color_structure(flat(level)).argmax()) for level in range(0, 256, 32)]
    assert greys == list(range(8))
    assert max(one_each) == 63 and len(one_each) > 40
    hues = [(255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255)]
    pure = [int(color_structure(flat(*hue)).argmax()) for hue in hues]
    assert pure == [56, 57, 58, 60, 61]  # of 8 hues, red is the first


def test_color_structure_subsamples_large_images():
    image = random_integers(0, 256, (800, 800, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        color_structure(image), color_structure(image[::4, ::4].copy())
    )
    small = image[:362, :362]
    assert (color_structure(small) != color_structure(small[::2, ::2].copy())).any()


@pytest.mark.parametrize(
    "colour, hue",
    [((255, 0, 0), 0), ((0, 255, 0), 1 / 3), ((0, 0, 255), 2 / 3), ((9, 9, 0), 1 / 6)],
)
def test_hsv_of_one_colour(colour, hue):
    vector = dict(zip(DESCRIPTORS["hsv"].names, hsv(flat(*colour)), strict=True))
    assert vector["mean_h"] == pytest.approx(hue, abs=1e-5)
    assert vector["spread_h"] == pytest.approx(0, abs=1e-5)
    assert vector["mean_s"] == 1 and vector["std_s"] == 0
    assert vector["mean_v"] == pytest.approx(max(colour) / 255)
    assert vector[f"hue_{int(hue * 16)}"] == 1


def test_hsv_of_many_colours():
    image = painting()
    vector = dict(zip(DESCRIPTORS["hsv"].names, hsv(image), strict=True))
    pixels = np.asarray(Image.fromarray(image).convert("HSV")) / 255
    for place, name in ((1, "s"), (2, "v")):
        channel = pixels[..., place]
        assert vector[f"mean_{name}"] == pytest.approx(channel.mean(), abs=0.003)
        assert vector[f"std_{name}"] == pytest.approx(channel.std(), abs=0.003)
    for name, n in (("hue", 16), ("saturation", 8), ("value", 8)):
        assert sum(vector[f"{name}_{i}"] for i in range(n)) == pytest.approx(1)
    # Red and its opposite have no mean hue, and are as far apart as can be.
    opposite = np.vstack([flat(255, 0, 0), flat(0, 255, 255)])
    assert hsv(opposite)[[0, 3]].tolist() == pytest.approx([0, 1], abs=1e-5)
    assert not hsv(flat())[[0, 1, 2, 3, *range(10, 26)]].any()  # grey has no hue


def test_luminance():
    half = np.vstack([flat(255), flat(0)])
    vector = dict(zip(DESCRIPTORS["luminance"].names, luminance(half), strict=True))
    assert vector["mean"] == vector["std"] == pytest.approx(0.5)
    assert vector["skew"] == pytest.approx(0, abs=1e-6)
    assert vector["entropy"] == 1  # bit
    dark = grey_image(np.where(np.arange(6400).reshape(80, 80) < 640, 255, 0))
    vector = dict(zip(DESCRIPTORS["luminance"].names, luminance(dark), strict=True))
    assert vector["p5"] == vector["p75"] == 0 and vector["p95"] == 1
    assert vector["skew"] > 0


def test_lbp():
    patterns = lbp(flat())
    assert patterns[[8, 10 + 16, 28 + 24]].tolist() == [1, 1, 1]  # none is darker
    assert patterns.sum() == pytest.approx(3)
    # An edge: of the 8 neighbours of the pixels on its light side, 5 are as light.
    edge = flat(0)
    edge[:, 32:] = 255
    assert lbp(edge)[[5, 8]] * 62 == pytest.approx([1, 61])
    # A line: there the 2 that are as light lie apart, which is not uniform.
    edge[:, 33:] = 0
    assert lbp(edge)[[9, 8]] * 62 == pytest.approx([1, 61])
    # A turned picture has the same patterns.
    np.testing.assert_allclose(lbp(np.rot90(painting())), lbp(painting()), atol=0.01)


def test_ltp_equals_its_definition():
    levels = random_integers(100, 130, (20, 20))
    circle = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
    upper, lower = [], []
    for row in range(1, 19):
        for column in range(1, 19):
            around = [levels[row + r, column + c] for r, c in circle]
            centre = levels[row, column]
            upper.append(tuple(int(a >= centre + 5) for a in around))
            lower.append(tuple(int(a <= centre - 5) for a in around))

    def changes(pattern):
        return sum(
            a != b for a, b in zip(pattern, (*pattern[1:], pattern[0]), strict=True)
        )

    for found, patterns in zip(
        np.split(ltp(grey_image(levels)), 2), (upper, lower), strict=True
    ):
        assert found.sum() == pytest.approx(1)
        assert found[0] * 324 == pytest.approx(patterns.count((0,) * 8))
        n_others = sum(changes(pattern) > 2 for pattern in patterns)
        assert n_others > 0 and found[-1] * 324 == pytest.approx(n_others)
        uniform = {pattern for pattern in patterns if changes(pattern) <= 2}
        counts = sorted(patterns.count(pattern) for pattern in uniform)
        np.testing.assert_allclose(
            np.sort(found[:-1][found[:-1] > 0]) * 324, counts, rtol=1e-5
        )


def test_ltp_ignores_noise():
    noisy = grey_image(random_integers(126, 130, (64, 64)))
    np.testing.assert_array_equal(ltp(noisy), ltp(flat()))
    assert lbp(noisy)[8] < 0.5


def test_glcm():
    names = DESCRIPTORS["glcm"].names
    vector = dict(zip(names, glcm(flat()), strict=True))
    for name, value in {"energy": 1, "contrast": 0, "entropy": 0}.items():
        assert vector[f"{name}_1_mean"] == pytest.approx(value, abs=1e-6)
    # Stripes of 4 pixels: black follows white 4 apart across, and never along.
    across = dict(zip(names, glcm(stripes(8)), strict=True))
    assert across["contrast_4_range"] == pytest.approx(31**2)
    # Two levels that are paired at random: four pairs, equally frequent.
    random = grey_image(random_integers(0, 2, (400, 400)) * 255)
    vector = dict(zip(names, glcm(random), strict=True))
    assert vector["energy_1_mean"] == pytest.approx(0.5, abs=0.01)
    assert vector["contrast_2_mean"] == pytest.approx(31**2 / 2, rel=0.02)
    assert vector["correlation_2_mean"] == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("period, scale", [(40, 0), (20, 1), (10, 2), (5, 3)])
@pytest.mark.parametrize("turn", [0, 1])
def test_gabor_responds_to_waves(period, scale, turn):
    """Frequencies of 0.05 to 0.4 a pixel at half size are periods of 40 to 5."""
    wave = np.cos(2 * np.pi * np.indices((160, 160))[1] / period)
    image = np.rot90(grey_image(127 + 120 * wave), turn)
    means = gabor(image)[:24].reshape(4, 6)
    assert np.unravel_index(means.argmax(), means.shape) == (scale, 3 * turn)


def test_gabor_has_angles_counterclockwise():
    row, column = np.indices((160, 160))
    angle = np.radians(30)
    along = column * np.cos(angle) - row * np.sin(angle)  # rows run down
    image = grey_image(127 + 120 * np.cos(2 * np.pi * along / 10))
    strongest = gabor(image)[:24].argmax()
    assert DESCRIPTORS["gabor"].names[strongest] == "mean_2_30"
    assert not gabor(flat()).any()


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_edge_direction_rotates_with_the_image(turn):
    image = painting((120, 120))
    before, after = edge_direction(image), edge_direction(np.rot90(image, turn))
    assert before[36] == after[36] > 0
    np.testing.assert_allclose(after[:36], np.roll(before[:36], 9 * turn), atol=0.02)
    assert abs(after[:36] - before[:36]).max() > 0.05


def test_edge_direction_of_one_edge():
    image = flat(0)
    image[:, 32:] = 255  # lighter on the right
    vector = edge_direction(image)
    # The columns on both sides of it are equally steep.
    assert vector[0] == 1 and vector[36] == pytest.approx(2 / 64, rel=0.1)
    assert not edge_direction(flat()).any()


def test_hog_depends_on_the_place_of_edges():
    image = flat(0, size=(128, 128))
    image[:, 20:24] = 255
    blocks = hog(image).reshape(7, 7, 2, 2, 9)
    assert blocks[:, 1].any() and not blocks[:, 4:].any()
    assert blocks[3, 1].sum(axis=(0, 1)).argmax() == 0  # the gradient is horizontal
    assert hog(np.rot90(image)).reshape(7, 7, 2, 2, 9)[5, 3].sum(axis=(0, 1))[4] > 0


def test_sift_does_not_depend_on_rotation():
    image = np.kron(random_integers(0, 256, (12, 12, 1)), np.ones((14, 14, 3)))
    image = np.array(
        Image.fromarray(image.astype(np.uint8)).resize((160, 160)), np.uint8
    )
    patches, turned = (
        x[x.any(axis=1)].astype(float) for x in (sift(image), sift(np.rot90(image)))
    )
    assert len(patches) > 20
    # Descriptors have the length 512; the nearest in the turned picture is near.
    nearest = np.linalg.norm(patches[:, None] - turned, axis=2).min(axis=1)
    assert np.median(nearest) < 100


def test_sift_keeps_the_strongest():
    image = flat(128, size=(256, 256))
    for place in range(16, 256, 24):
        for other in range(16, 256, 24):
            image[place : place + 5, other : other + 5] = 138  # faint
    image[16:21, 16:21] = 255  # and one that is not
    patches = sift(image)
    assert patches.shape == (300, 128) and patches.dtype == np.uint8
    alone = flat(128, size=(256, 256))
    alone[16:21, 16:21] = 255
    first = sift(alone)[0].astype(float)
    assert np.linalg.norm(patches[0] - first) < 60
    assert not sift(flat()).any()
