"""Compare the decoding of JPEG files by skart, Pillow and Keras.

The files are enlarged drawn paintings with grain, quality 90. Pillow decodes all pixels
and resizes with its bicubic filter; Keras resizes without antialiasing. A second table
compares extraction from files with extraction from arrays. Prints Markdown tables.

    python benchmarks/decoding.py
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from common import describe_machine, spread, time_in_turn
from PIL import Image, ImageOps

from skart import FeatureExtractor, ImageLoader
from skart.datasets import load_image_folder, make_paintings

# Standard deviation of the grain in levels. The files then have about two bits per
# pixel, like photographs.
GRAIN = 4


def make_files(folder, side, n_files, aspect=0.8, seed=0):
    """Write JPEGs, upright and lying in turn; ``side`` is the longer one."""
    root = Path(folder, f"{side}-{n_files}")
    drawn = make_paintings(
        root / "drawn",
        n_artists=1,
        n_per_artist=-(-n_files // 10),
        size_range=(min(side, 1000), min(side, 1000)),
        random_state=seed,
        verbose=False,
    )
    paths = load_image_folder(drawn).paths
    generator = np.random.default_rng(seed)
    target = root / "files" / "paintings"
    target.mkdir(parents=True)
    for i in range(n_files):
        with Image.open(paths[i * len(paths) // n_files]) as image:
            size = (side, round(side * aspect))[:: 1 if i % 2 else -1]
            image = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        # Row by row, to save memory: the grain is float.
        pixels = np.array(image)
        for rows in np.array_split(pixels, -(-side // 500)):
            grain = generator.normal(scale=GRAIN, size=(*rows.shape[:2], 1))
            rows[:] = np.clip(rows + grain, 0, 255)
        Image.fromarray(pixels).save(target / f"{i:03}.jpg", quality=90)
    return target, [str(path) for path in sorted(target.iterdir())]


def with_pillow(paths, size):
    images = []
    for path in paths:
        with Image.open(path) as image:
            image = image.convert("RGB")
        # Crop and resize in one step.
        images.append(ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC))
    return np.stack(images)


def with_keras(folder, size):
    files = keras.utils.image_dataset_from_directory(
        folder.parent,
        labels=None,
        image_size=(size, size),
        interpolation="bicubic",
        crop_to_aspect_ratio=True,
        shuffle=False,
        batch_size=8,
        verbose=False,
    )
    return np.concatenate([np.asarray(batch) for batch in files])


def psnr(one, other):
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2))


def measure_decoding(folder, sides, sizes, pixels, aspect, rounds):
    print("| files | to | Pillow | skart, one thread | speed-up | PSNR ", end="")
    print("| skart, all threads | Keras, all threads | PSNR |")
    print("|" + "---|" * 9)
    for side in sides:
        n_files = max(2, round(pixels / (side**2 * 0.8)))
        target, paths = make_files(folder, side, n_files, aspect)
        n_bits = 8 * sum(map(os.path.getsize, paths)) / n_files / (side**2 * 0.8)
        for size in sizes:

            def with_skart(n_threads, paths=paths, size=size):
                loader = ImageLoader(size, n_threads=n_threads)
                return np.asarray(loader.transform(paths))

            seconds, images = time_in_turn(
                {
                    "Pillow": lambda paths=paths, size=size: with_pillow(paths, size),
                    "one": lambda read=with_skart: read(1),
                    "all": lambda read=with_skart: read(None),
                    "Keras": lambda target=target, size=size: with_keras(target, size),
                },
                rounds,
            )
            each = {
                name: f"{1000 * np.median(value) / n_files:.1f} ms"
                for name, value in seconds.items()
            }
            exact = images["Pillow"]
            print(
                f"| {side:,} px, {n_bits:.1f} bits a pixel | {size} | "
                f"{each['Pillow']} | {each['one']} | "
                f"{spread(seconds['Pillow'] / seconds['one'])} | "
                f"{psnr(images['one'], exact):.1f} dB | {each['all']} | "
                f"{each['Keras']} | {psnr(images['Keras'], exact):.1f} dB |",
                flush=True,
            )


def measure_extraction(folder, n_files, weights, rounds):
    """Time a network on files of 1,000 pixels, and on the same images in memory."""
    paths = make_files(folder, 1000, n_files, seed=1)[1]
    images = ImageLoader(299).transform(paths)
    decoded = np.asarray(images)
    extractor = FeatureExtractor(weights=weights, verbose=False)
    seconds, features = time_in_turn(
        {
            "files": lambda: extractor.transform(images),
            "memory": lambda: extractor.transform(decoded),
            "decoding": lambda: np.asarray(images),
        },
        rounds,
    )
    assert np.array_equal(features["files"], features["memory"])
    print(
        f"\n| InceptionV3 on {n_files} paintings of 1,000 px at 299 "
        "| images per second |"
    )
    print("|---|---|")
    for name, what in (
        ("memory", "decoded before, in memory"),
        ("files", "files, decoded beside the network"),
        ("decoding", "decoding alone"),
    ):
        print(f"| {what} | {spread(n_files / seconds[name], '.1f')} |")
    print(
        f"\nFiles / memory: {spread(seconds['files'] / seconds['memory'])} of the time."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[500, 1000, 2000, 5000])
    parser.add_argument("--sizes", type=int, nargs="+", default=[299, 500])
    parser.add_argument(
        "--megapixels", type=float, default=80, help="of the files of each side"
    )
    parser.add_argument(
        "--aspect", type=float, default=0.8, help="shorter side by the longer"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--images", type=int, default=132, help="to run the network on; 0 for none"
    )
    parser.add_argument("--weights", help="InceptionV3 without its top; else random")
    args = parser.parse_args()
    print(describe_machine() + "\n")
    with tempfile.TemporaryDirectory() as folder:
        pixels = args.megapixels * 1e6
        measure_decoding(
            folder, args.sides, args.sizes, pixels, args.aspect, args.rounds
        )
        if args.images:
            measure_extraction(folder, args.images, args.weights, args.rounds)


if __name__ == "__main__":
    main()
