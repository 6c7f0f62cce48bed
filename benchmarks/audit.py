"""Measure what an audit finds, and how long it takes.

Drawn paintings are copied with one change each. Prints Markdown tables: the share of
copies that are found, by change; pairs of different paintings that are mistaken for
copies; and seconds by number of files. If ``SKART_PAINTINGS`` names a folder of real
paintings, they are copied as well.

    python benchmarks/audit.py
"""

import argparse
import itertools
import os
import platform
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from skart.audit import audit_collection
from skart.datasets import load_image_folder, make_paintings


def crop(image, share):
    left, top = round(image.width * share), round(image.height * share)
    return image.crop((left, top, image.width - left, image.height - top))


def shrink(image, factor):
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.BICUBIC)


def border(image, share, colour):
    return ImageOps.expand(image, round(min(image.size) * share), colour)


# Function that changes the image, and JPEG quality of the copy.
CHANGES = {
    "half the size": (lambda image: shrink(image, 0.5), 90),
    "JPEG quality 40": (lambda image: image, 40),
    "brighter by 20 %": (lambda image: ImageEnhance.Brightness(image).enhance(1.2), 90),
    "darker by 20 %": (lambda image: ImageEnhance.Brightness(image).enhance(0.8), 90),
    "contrast + 30 %": (lambda image: ImageEnhance.Contrast(image).enhance(1.3), 90),
    "grey": (ImageOps.grayscale, 90),
    "3 % off each side": (lambda image: crop(image, 0.03), 90),
    "5 % off each side": (lambda image: crop(image, 0.05), 90),
    "white border of 3 %": (lambda image: border(image, 0.03, "white"), 90),
    "dark border of 8 %": (lambda image: border(image, 0.08, (20, 15, 10)), 90),
    "half, 3 % off, quality 75": (lambda image: crop(shrink(image, 0.5), 0.03), 75),
}


def change(path, target, name):
    function, quality = CHANGES[name]
    with Image.open(path) as image:
        function(image.convert("RGB")).save(target, quality=quality)


def pairs_in(result):
    """Pair all files of a cluster."""
    members = result.files.groupby("cluster").indices.values()
    return {pair for group in members for pair in itertools.combinations(group, 2)}


def measure_recall(paths, artists, title, n_jobs):
    found = pairs_in(audit_collection(paths, n_threads=n_jobs))
    same_artist = sum(artists[one] == artists[other] for one, other in found)
    print(f"\n{title}: {len(paths)} paintings. Of them in one cluster without being")
    print(f"copies: {len(found)} pairs, {same_artist} of them by one artist.\n")
    print("| planted copies | found | in other clusters too |")
    print("|---|---|---|")
    n = len(paths)
    with tempfile.TemporaryDirectory() as folder:
        for name in CHANGES:
            copies = [str(Path(folder, f"{index}.jpg")) for index in range(n)]
            joblib.Parallel(n_jobs)(
                joblib.delayed(change)(path, copy, name)
                for path, copy in zip(paths, copies, strict=True)
            )
            pairs = pairs_in(audit_collection([*paths, *copies], n_threads=n_jobs))
            planted = {(index, index + n) for index in range(n)}
            # Pairs are counted by painting: copies of a wrong pair count once.
            wrong = {(one % n, other % n) for one, other in pairs - planted} - found
            print(f"| {name} | {len(pairs & planted) / n:.1%} | {len(wrong)} |")


def vary(path, target, number):
    """Make a copy that differs from all other copies of the painting."""
    with Image.open(path) as image:
        image = ImageEnhance.Brightness(image.convert("RGB")).enhance(1 - number / 80)
        shrink(image, 1 - number / 60).save(target, quality=90 - number)


def measure_time(paths, sizes, n_jobs):
    print(
        "\n| files | seconds | processor seconds | files per second "
        "| clusters | expected |"
    )
    print("|---|---|---|---|---|---|")
    seconds, busy = [], []
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, f"{index}.jpg")) for index in range(max(sizes))]
        joblib.Parallel(n_jobs)(
            joblib.delayed(vary)(paths[index % len(paths)], file, index // len(paths))
            for index, file in enumerate(files)
        )
        for n_files in sizes:
            started = time.perf_counter(), time.process_time()
            result = audit_collection(files[:n_files], n_threads=n_jobs)
            seconds.append(time.perf_counter() - started[0])
            busy.append(time.process_time() - started[1])
            expected = min(len(paths), max(0, n_files - len(paths)))
            print(
                f"| {n_files} | {seconds[-1]:.1f} | {busy[-1]:.1f} | "
                f"{n_files / seconds[-1]:.0f} | {result.files['cluster'].nunique()} | "
                f"{expected} |"
            )
    if len(sizes) > 1:
        # Processor seconds: the machine may be shared.
        exponent = np.polyfit(np.log(sizes), np.log(busy), 1)[0]
        print(f"\nProcessor seconds grow with files to the power of {exponent:.2f}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artists", type=int, default=8, help="of each movement")
    parser.add_argument("--per-artist", type=int, default=12)
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[500, 2000, 8000, 18000]
    )
    parser.add_argument("--skip-recall", action="store_true")
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count())
    args = parser.parse_args()

    print(
        f"{date.today()}; Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in ("numpy", "pillow", "scipy"))
        + f"; {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )
    with tempfile.TemporaryDirectory() as folder:
        root = make_paintings(
            Path(folder, "drawn"),
            n_artists=args.artists,
            n_per_artist=args.per_artist,
            size_range=(200, 800),
            n_jobs=args.jobs,
        )
        drawn = load_image_folder(root)
        if not args.skip_recall:
            measure_recall(drawn.paths, drawn.artists, "Drawn", args.jobs)
            if os.environ.get("SKART_PAINTINGS"):
                real = load_image_folder(os.environ["SKART_PAINTINGS"])
                measure_recall(real.paths, real.artists, "Real", args.jobs)
        if args.sizes:
            measure_time(drawn.paths, args.sizes, args.jobs)


if __name__ == "__main__":
    main()
