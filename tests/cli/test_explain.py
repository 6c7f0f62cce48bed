"""Heat maps by the command."""

import numpy as np
import pytest
from helpers import run
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import (
    DenseHeadClassifier,
    FeatureExtractor,
    HandcraftedFeatures,
    ImageLoader,
    save_model,
)
from skart.datasets import load_image_folder
from skart.explanation import occlusion, overlay_heat

NAMES = [
    f"{movement}/{artist}/{i}.png"
    for movement, artists in (("Cubism", "AB"), ("Rococo", "CD"))
    for artist in artists
    for i in range(3)
]


@pytest.fixture
def paintings(make_folder):
    return load_image_folder(make_folder(NAMES))


@pytest.fixture
def pipe(paintings, tmp_path):
    """A pipeline without a network."""
    features = HandcraftedFeatures("hsv", cache=tmp_path / "cache", verbose=False)
    pipe = make_pipeline(ImageLoader(24), features, LogisticRegression())
    return pipe.fit(paintings.paths, paintings.labels)


@pytest.fixture
def explain(pipe, tmp_path):
    """Return a function that runs `skart explain`."""
    save_model(pipe, tmp_path / "model.skart")

    def explain(*arguments):
        cache = ("--cache", tmp_path / "cache")
        return run("explain", tmp_path / "model.skart", *arguments, *cache)

    return explain


def test_folder_of_heat_maps(explain, pipe, paintings, tmp_path):
    out = tmp_path / "heat"
    paths = paintings.paths[:4].tolist()  # names of two artists are equal
    done = explain(*paths, "--out", out, "--top-k", 1)
    assert done.exit_code == 0, done.stderr
    names = ["0.png", "1.png", "2.png", "0-2.png"]
    assert sorted(x.name for x in out.iterdir()) == sorted(names)
    found, texts = occlusion(pipe, paths), []
    for name, image, heat in zip(names, found.images, found.heat, strict=True):
        with Image.open(out / name) as overlay:
            np.testing.assert_array_equal(overlay, overlay_heat(image, heat))
            texts.append(overlay.text)
    titles = [f"What speaks for {movement}" for movement in found.movements]
    assert [text["Title"] for text in texts] == titles
    about = "Where model.skart looked, by occlusion"
    assert {text["Description"] for text in texts} == {about}
    lines = done.stdout.splitlines()
    assert lines[::2] == paths
    assert [x.split()[0] for x in lines[1::2]] == pipe.predict(paths).tolist()
    line = f"saved {out}: 4 PNG files, heat for the predicted movement, by occlusion"
    assert line in done.stderr
    done = explain(paths[0], "--out", out)
    assert done.exit_code == 2 and "exists already. Pass --force" in done.stderr
    assert explain(paths[0], "--out", out, "--force").exit_code == 0


def test_page_names_unreadable_images(explain, paintings, tmp_path):
    bad = tmp_path / "bad <b>.jpg"
    bad.write_bytes(b"no image")
    page = tmp_path / "heat.html"
    done = explain(
        paintings.paths[0], bad, "--out", page, "--movement", "Rococo", "--top-k", 2
    )
    assert done.exit_code == 1
    assert f"{str(bad)!r} can't be read: " in done.stderr
    assert str(bad) not in done.stdout
    text = page.read_text("utf-8")
    assert "What speaks for Rococo" in text and "Computed by occlusion" in text
    assert "bad &lt;b&gt;.jpg" in text and "<b>" not in text
    assert text.count("data:image/jpeg") == 2
    assert "script" not in text and str(tmp_path) not in text
    done = explain(bad, "--out", page, "--force")
    assert done.exit_code == 1 and done.stdout == ""
    assert page.read_text("utf-8") == text  # kept, since there is nothing to show
    done = explain(bad, "--out", tmp_path / "heat")
    assert done.exit_code == 1 and not (tmp_path / "heat").exists()
    done = explain(tmp_path / "t.csv", "--out", page, "--force")
    assert done.exit_code == 2 and "is a table: pass image files" in done.stderr


def test_grad_cam_where_it_is_possible(explain, paintings, toy_backbone, tmp_path):
    features = FeatureExtractor(toy_backbone, weights=None, verbose=False)
    head = DenseHeadClassifier(units=4, epochs=1, random_state=0)
    pipe = make_pipeline(ImageLoader(32), features, head)
    save_model(pipe.fit(paintings.paths, paintings.labels), tmp_path / "network.skart")
    page = tmp_path / "heat.html"
    done = run("explain", tmp_path / "network.skart", paintings.paths[0], "--out", page)
    assert done.exit_code == 0 and "Computed by Grad-CAM" in page.read_text("utf-8")
    done = explain(paintings.paths[0], "--out", page, "--force", "--method", "grad-cam")
    assert done.exit_code == 2
    assert "--method grad-cam can't explain this model" in done.stderr


def test_wrong_options(explain, paintings, tmp_path):
    def message(*arguments):
        done = explain(paintings.paths[0], *arguments)
        assert done.exit_code == 2
        return done.stderr

    page = tmp_path / "x.html"
    assert "--movement Rokoko: the model does not know it. Did you mean" in message(
        "--out", page, "--movement", "Rokoko"
    )
    assert "name a folder, or a file that ends in .html" in message(
        "--out", tmp_path / "x.pdf"
    )
    assert "--out" in message("--out", tmp_path / "none" / "x.html")
    message("--out", tmp_path / "new", "--movement", "Rokoko")
    assert not list(tmp_path.glob("x.*")) and not (tmp_path / "new").exists()
