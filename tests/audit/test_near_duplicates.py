import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter

from skart.audit._alignment import Picture
from skart.audit._inspection import inspect_files
from skart.audit._near_duplicates import connect, find_near_duplicates


def pictures_of(images, folder):
    paths = [str(folder / f"{index}.jpg") for index in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        image.save(path, quality=90)
    return [found.picture for found in inspect_files(paths, verbose=False)]


def clusters_of(pictures):
    pairs, _ = find_near_duplicates(pictures, min_similarity=0.9)
    return connect(pairs, len(pictures)).tolist()


def stripes(width, height, seed):
    """Fine stripes, bent, of a soft shade."""
    generator = np.random.default_rng(seed)
    shade = Image.fromarray(generator.uniform(0, 255, (3, 4)).astype(np.uint8))
    shade = np.array(shade.resize((width, height), Image.Resampling.BICUBIC), float)
    angle = generator.uniform(0, np.pi)
    y, x = np.mgrid[:height, :width]
    phase = (x * np.cos(angle) + y * np.sin(angle)) / 15 + shade / 128
    light = np.where(phase % 1 < 0.5, 200, 60) + (shade - 128) / 4
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))


def plain_areas(width, height, left, top, right, bottom):
    image = Image.new("RGB", (width, height), (235, 230, 220))
    image.paste((150, 40, 30), (left, top, right, bottom))
    image.paste((30, 40, 120), (left, (top + bottom) // 2, right, bottom))
    return image


@pytest.mark.parametrize("seed", range(3))
def test_margins_are_found_where_jpeg_rings(tmp_path, seed):
    spots = np.random.default_rng(seed).integers(50, 130, (36, 44, 3), np.uint8)
    image = ImageOps.expand(Image.fromarray(spots), 4, (20, 15, 10))
    (picture,) = pictures_of([image], tmp_path)
    exact = [4 / 52, 4 / 44, 48 / 52, 40 / 44]
    assert picture.content == pytest.approx(exact, abs=2 / 64)


def test_fine_stripes_with_a_border_are_found(tmp_path):
    images = [stripes(400, 300, seed) for seed in range(12)]
    copies = [ImageOps.expand(image, 9, "white") for image in images]
    clusters = clusters_of(pictures_of([*images, *copies], tmp_path))
    assert clusters == [*range(12)] * 2


def test_areas_of_other_proportions_are_no_copies(tmp_path):
    images = [
        plain_areas(400, 300, 60, 60, 340, 160),
        plain_areas(400, 300, 100, 50, 300, 250),
        plain_areas(300, 400, 80, 80, 200, 360),
    ]
    assert clusters_of(pictures_of(images, tmp_path)) == [0, 1, 2]
    copy = images[1].resize((200, 150))
    assert clusters_of(pictures_of([images[1], copy], tmp_path)) == [0, 0]


def test_many_copies_are_not_all_paired():
    generator = np.random.default_rng(0)
    pictures = []
    for _ in range(12):
        grey = gaussian_filter(generator.normal(0, 600, (64, 64)), 4) + 128
        for _ in range(24):
            seen = np.clip(grey + generator.normal(0, 2, grey.shape), 0, 255)
            pictures.append(
                Picture(
                    seen.astype(np.uint8),
                    np.zeros((16, 16, 2), np.int8),
                    np.array([0.0, 0, 1, 1]),
                    1.0,
                )
            )
    pairs, _ = find_near_duplicates(pictures, min_similarity=0.9)
    clusters = connect(pairs, len(pictures))
    assert clusters.tolist() == np.repeat(range(12), 24).tolist()
    # Each copy with each other one would be 11.5 pairs a picture.
    assert len(pairs) < 5 * len(pictures)


def test_a_shape_on_a_ground_has_no_margins(tmp_path):
    y, x = np.mgrid[:300, :450]
    ground = np.stack([240 - x / 60, 240 - y / 60, 236 - (x + y) / 90], axis=2)
    ground[40:225, 145:330] = 165 - ground[40:225, 145:330] / 60
    image = Image.fromarray(ground.astype(np.uint8))
    pictures = pictures_of([image, image.resize((225, 150))], tmp_path)
    assert pictures[0].content.tolist() == [0, 0, 1, 1]
    assert clusters_of(pictures) == [0, 0]
