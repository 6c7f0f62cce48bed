"""Measure the layouts of maps, and their pages in a browser.

Prints Markdown tables: seconds of each layout by number of paintings, on random
features in groups, and how far it keeps neighbourhoods (trustworthiness of the ten
nearest, 1 at best); and for pages of thumbnails (drawn paintings, repeated) the size of
the file, seconds until all thumbnails are shown, and milliseconds between frames while
the map is panned and zoomed in headless Chromium, which draws without a graphics card.

    python benchmarks/collection_map.py
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from common import describe_machine
from paintings import print_header, print_row
from sklearn.manifold import trustworthiness

from skart.datasets import load_image_folder, make_paintings
from skart.exploration import CollectionMap
from skart.exploration._layout import compute_layout, make_grid

_N_CHECKED = 2000  # paintings whose neighbourhoods are compared

# Frames while the map is moved, in milliseconds.
_FRAMES = """async (act) => {
  const frames = [];
  const canvas = document.getElementById("canvas");
  const box = canvas.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  let last = await new Promise(requestAnimationFrame);
  const send = (type, more) => canvas.dispatchEvent(new type(...more));
  for (let i = 0; i < 60; i++) {
    if (act === "zoom") {
      const deltaY = i % 30 < 15 ? -60 : 60;
      send(WheelEvent, ["wheel", { clientX: x, clientY: y, deltaY, cancelable: true }]);
    } else {
      canvas.dispatchEvent(new KeyboardEvent("keydown", {
        key: i % 20 < 10 ? "ArrowLeft" : "ArrowRight", bubbles: true,
      }));
    }
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
  }
  return frames;
}"""


def make_features(n, n_features=2048, n_groups=60, seed=0):
    """Make features as of a network: positive, in groups, of few true dimensions."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(n_groups, 64))
    latent = centres[generator.integers(0, n_groups, n)]
    latent += 0.7 * generator.normal(size=(n, 64))
    features = np.maximum(latent @ generator.normal(size=(64, n_features)) / 8, 0)
    features += 0.1 * np.abs(generator.normal(size=features.shape))
    return features.astype(np.float32)


def measure_layouts(sizes, layouts):
    print_header(
        "layout", "paintings", "seconds", "seconds of the grid", "trustworthiness"
    )
    for n in sizes:
        features = make_features(n)
        for layout in layouts:
            start = time.perf_counter()
            places = compute_layout(features, layout, 0, False)
            seconds = time.perf_counter() - start
            start = time.perf_counter()
            make_grid(places)
            in_grid = time.perf_counter() - start
            rows = np.random.default_rng(0).permutation(n)[:_N_CHECKED]
            kept = trustworthiness(features[rows], places[rows], n_neighbors=10)
            print_row(
                layout, f"{n:,}", f"{seconds:.1f}", f"{in_grid:.2f}", f"{kept:.3f}"
            )


def measure_pages(sizes):
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)))
    print_header(
        *("paintings", "MB", "seconds to write", "seconds to open"),
        *("ms a frame, map", "zoom", "grid", "zoom of the grid"),
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        chromium = started.chromium.launch(
            executable_path=browser, args=["--no-sandbox"]
        )
        root = make_paintings(
            Path(folder, "drawn"), n_artists=8, n_per_artist=8, n_jobs=-1, verbose=False
        )
        drawn = load_image_folder(root)
        for n in sizes:
            rows = np.random.default_rng(0).integers(0, len(drawn.paths), n)
            paths = [drawn.paths[row] for row in rows]
            fitted = CollectionMap(layout="pca", verbose=False).fit(
                make_features(n, 100), drawn.labels[rows], artists=drawn.artists[rows]
            )
            file = Path(folder, "map.html")
            start = time.perf_counter()
            fitted.to_html(file, paths=paths)
            written = time.perf_counter() - start
            page = chromium.new_page(viewport={"width": 1280, "height": 800})
            start = time.perf_counter()
            page.goto(file.as_uri())
            page.wait_for_selector("body[data-ready]", state="attached")
            opened = time.perf_counter() - start
            frames = []
            for view in ("map", "grid"):
                page.click(f"[data-view={view}]")
                page.wait_for_timeout(1500)
                for act in ("pan", "zoom"):
                    deltas = page.evaluate(_FRAMES, act)
                    middle, slow = np.percentile(deltas, [50, 95])
                    frames.append(f"{middle:.0f} (95 %: {slow:.0f})")
            page.close()
            megabytes = file.stat().st_size / 1e6
            print_row(
                *(f"{n:,}", f"{megabytes:.1f}", f"{written:.1f}", f"{opened:.2f}"),
                *frames,
            )
        chromium.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[2000, 10_000, 18_000])
    parser.add_argument("--layouts", nargs="*", default=["pca", "tsne", "opentsne"])
    parser.add_argument(
        "--pages", type=int, nargs="*", default=[500, 2000, 10_000, 18_000]
    )
    args = parser.parse_args()
    packages = ["numpy", "scikit-learn", "pillow"]
    packages += ["openTSNE"] if "opentsne" in args.layouts else []
    packages += ["playwright"] if args.pages else []
    print(describe_machine(*packages), "\n", flush=True)
    if args.sizes:
        measure_layouts(args.sizes, args.layouts)
        print()
    if args.pages:
        measure_pages(args.pages)


if __name__ == "__main__":
    main()
