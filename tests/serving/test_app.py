"""What the application answers on images."""

import io
import json
import os
import tempfile
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from helpers import decoded, head
from PIL import Image
from served_models import HUES, draw
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch
from starlette.testclient import TestClient
from typer.testing import CliRunner

from skart import CNNClassifier, FeatureExtractor, ImageLoader, load_model, save_model
from skart.cli import app
from skart.exploration import PaintingIndex
from skart.persistence import export_model
from skart.serving import make_app

RED, GREEN = draw(HUES["Cubism"], 1000), draw((20, 250, 20))
BOTH = "?heat=true&neighbors=true"


def ask(client, content, query=""):
    """Return the answer on an image."""
    answer = client.post(f"/predict{query}", content=content)
    assert answer.status_code == 200, answer.text
    return answer.json()


def open_uri(uri):
    """Return the image in a data URI."""
    return Image.open(io.BytesIO(decoded(uri)))


def predict(folder, *options, images=(RED, GREEN)):
    """Return what `skart predict` writes on images."""
    files = [folder / f"sent-{number}.png" for number in range(len(images))]
    for file, content in zip(files, images, strict=True):
        file.write_bytes(content)
    words = ["predict", folder / "model.skart", *files, "--cache", folder / "store"]
    done = CliRunner().invoke(app, [*map(str, [*words, *options, "--format", "json"])])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_answers_are_those_of_the_command(client, folder):
    options = ("--unknown", "0.05", "--data", folder / "paintings")
    marked = predict(folder, "--top-k", "2", *options)
    in_sets = predict(folder, "--sets", "0.8")
    for content, one, sets in zip((RED, GREEN), marked, in_sets, strict=True):
        found = ask(client, content)
        assert found["none_of_these"] is one["none_of_these"]
        assert found["typicality"] == pytest.approx(one["typicality"], abs=1e-6)
        assert [x["movement"] for x in found["movements"]] == [
            x["movement"] for x in one["predictions"]
        ]
        for given, expected in zip(found["movements"], one["predictions"], strict=True):
            assert given["probability"] == pytest.approx(
                expected["probability"], abs=1e-6
            )
        assert found["set"] == [x["movement"] for x in sets["predictions"]]
    assert found["none_of_these"] and not ask(client, RED)["none_of_these"]


def test_image_is_described(client):
    jpeg = draw(HUES["Cubism"], size=(60, 40), kind="JPEG")
    image = ask(client, jpeg)["image"]
    assert image == {"format": "JPEG", "width": 60, "height": 40}
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    lying = draw(HUES["Cubism"], size=(60, 40), kind="JPEG", exif=exif)
    image = ask(client, lying, "?neighbors=true")["image"]
    assert (image["width"], image["height"]) == (40, 60)
    assert open_uri(image["thumbnail"]).size == (24, 24)


def test_heat_is_that_of_a_movement(client):
    plain, found = ask(client, RED), ask(client, RED, "?heat=true")
    assert plain["heat"] is None and plain["neighbors"] is None
    assert found["heat"]["movement"] == found["movements"][0]["movement"] == "Cubism"
    assert found["heat"]["method"] == "occlusion"
    other = ask(client, RED, "?heat=true&movement=Rococo")["heat"]
    assert other["movement"] == "Rococo"
    shown = [open_uri(one["overlay"]) for one in (found["heat"], other)]
    assert all(one.format == "PNG" and one.size == (24, 24) for one in shown)
    assert np.any(np.asarray(shown[0]) != np.asarray(shown[1]))


def test_neighbors_are_by_other_artists(client, paintings, folder):
    content = Path(paintings.paths[0]).read_bytes()
    found = ask(client, content, "?neighbors=true")["neighbors"]
    pipe = load_model(folder / "model.skart")
    index = PaintingIndex(pipe[:-1]).fit(paintings.paths, artists=paintings.artists)
    distances, indices = index.kneighbors([content], 6)
    names = [os.path.relpath(path, folder / "paintings") for path in paintings.paths]
    assert [one["painting"] for one in found] == [names[row] for row in indices[0]]
    assert [one["artist"] for one in found] == paintings.artists[indices[0]].tolist()
    assert [one["movement"] for one in found] == paintings.labels[indices[0]].tolist()
    assert paintings.artists[0] not in [one["artist"] for one in found]
    similarities = [one["similarity"] for one in found]
    np.testing.assert_allclose(similarities, 1 - distances[0], atol=1e-5)
    assert open_uri(found[0]["thumbnail"]).size == (48, 36)


def test_training_paintings_are_recognized(client, make_client, paintings):
    content = Path(paintings.paths[3]).read_bytes()
    assert ask(client, content)["known"] is True
    assert ask(client, RED)["known"] is False
    assert ask(make_client("plain.skart"), content)["known"] is None


def test_model_is_described(client, make_client):
    found = client.get("/model").json()
    assert found["name"] == "model.skart" and found["movements"] == [*HUES]
    assert found["promise"].startswith("Sets hold the movement of 80% of paintings by")
    assert (found["coverage"], found["unknown"]) == (0.8, 0.05)
    assert found["neighbors"] == 6
    assert (found["accuracy"], found["artists_apart"]) == (0.75, True)
    assert found["accuracy_interval"] == [0.5, 0.9]
    plain = make_client("plain.skart").get("/model").json()
    unknown = ("coverage", "promise", "unknown", "accuracy", "accuracy_interval")
    for name in (*unknown, "artists_apart"):
        assert plain[name] is None
    assert plain["neighbors"] == 0 and plain["artists_known"] is False


def test_a_store_is_not_needed(folder, paintings):
    app = make_app(folder / "model.skart", data=paintings, hosts="studio.local")
    found = ask(TestClient(app, "http://studio.local"), RED, "?neighbors=true")
    assert found["none_of_these"] is False and len(found["neighbors"]) == 6


def test_a_plain_model_gives_probabilities_and_heat(make_client):
    found = ask(make_client("plain.skart"), RED, BOTH)
    assert found["heat"]["method"] == "occlusion"
    for name in ("set", "none_of_these", "typicality", "neighbors", "known"):
        assert found[name] is None


def test_sets_and_unknown_images_can_be_left_out(make_client):
    client = make_client(alpha=None, refusal_rate=None)
    found = ask(client, RED)
    assert found["set"] is None and found["none_of_these"] is None
    # Without a collection, images are compared by their highest probability.
    found = ask(make_client(refusal_rate=0.5), RED)
    highest = found["movements"][0]["probability"]
    assert found["none_of_these"] == (found["typicality"] <= 0.5) and highest < 1


def test_another_collection_is_told(make_client, tmp_path):
    paths = [tmp_path / f"{seed}.png" for seed in range(3)]
    for seed, path in enumerate(paths):
        path.write_bytes(draw(HUES["Cubism"], 1000 + seed))
    data = Bunch(paths=paths, labels=["Ukiyo-e"] * 3, artists=None)
    with pytest.warns(UserWarning, match="trained on none of the paintings of the"):
        client = make_client("model.skart", data=data)
    found = ask(client, RED, "?neighbors=true")
    assert {one["movement"] for one in found["neighbors"]} == {"Ukiyo-e"}
    plain = ask(make_client("model.skart"), RED)
    assert found["typicality"] == plain["typicality"]  # by the highest probability


def test_unreadable_paintings_and_unknown_artists(make_client, paintings, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    data = Bunch(
        paths=[*paintings.paths[:9], str(broken)],
        labels=paintings.labels[:10],
        artists=None,
    )
    client = make_client("plain.skart", data=data)
    assert client.get("/model").json()["artists_known"] is False
    found = ask(client, RED, "?neighbors=true")["neighbors"]
    assert len(found) == 6 and {one["artist"] for one in found} == {None}
    # A file that is gone has no thumbnail any more.
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(paintings.paths[0]).read_bytes())
    data = Bunch(paths=[str(copy), *paintings.paths[1:3]], labels=["a", "b", "b"])
    client = make_client("plain.skart", data=data)
    copy.unlink()
    found = ask(client, RED, "?neighbors=true")["neighbors"]
    assert {one["movement"]: one["thumbnail"] is None for one in found} == {
        "a": True,
        "b": False,
    }


def test_nothing_is_written(client, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def look():
        return {
            path: (path.stat().st_size, path.stat().st_mtime_ns)
            for path in folder.rglob("*")
        }

    before = look()
    for seed in range(3):
        ask(client, draw(HUES["Rococo"], 900 + seed), BOTH)
        client.post("/predict", content=b"no image")
    assert look() == before and not list(tmp_path.iterdir())


@pytest.mark.slow
def test_networks_are_explained_by_grad_cam(
    toy_backbone, paintings, tmp_path, make_client
):
    loader = ImageLoader((32, 48))
    features = FeatureExtractor(toy_backbone, weights=None, verbose=False)
    pipe = make_pipeline(loader, features, head(epochs=1))
    pipe.fit(paintings.paths, paintings.labels)
    save_model(pipe, tmp_path / "model.skart")
    client = make_client(tmp_path / "model.skart")
    found = ask(client, RED, "?heat=true")
    assert found["heat"]["method"] == "grad_cam"
    assert open_uri(found["heat"]["overlay"]).size == (48, 32)
    (expected,) = pipe.predict_proba([RED])
    assert found["movements"][0]["probability"] == pytest.approx(
        expected.max(), abs=1e-4
    )


@pytest.mark.slow
def test_networks_that_get_images_have_neighbors(
    paintings, tmp_path, make_client, folder
):
    cnn = CNNClassifier(epochs=1, random_state=0)
    pipe = make_pipeline(ImageLoader(64), cnn)
    pipe.fit(paintings.paths, paintings.labels)
    save_model(pipe, tmp_path / "cnn.skart")
    with pytest.warns(UserWarning, match="cnn.skart is no head on stored features"):
        client = make_client(tmp_path / "cnn.skart", data=paintings)
    found = ask(client, Path(paintings.paths[0]).read_bytes(), BOTH)
    assert found["heat"]["method"] == "grad_cam"
    assert found["none_of_these"] is False
    assert paintings.artists[0] not in [one["artist"] for one in found["neighbors"]]


@pytest.mark.slow
def test_exported_models_give_probabilities(paintings, tmp_path, make_client):
    features = FeatureExtractor("EfficientNetLite0", layer="block2", verbose=False)
    pipe = make_pipeline(ImageLoader(64), features, head(epochs=1))
    pipe.fit(paintings.paths, paintings.labels)
    export_model(pipe, tmp_path / "model.openvino")
    client = make_client(tmp_path / "model.openvino")
    found = ask(client, RED, BOTH)
    assert found["heat"] is None and found["neighbors"] is None
    (expected,) = pipe.predict_proba([RED])
    assert found["movements"][0]["probability"] == pytest.approx(
        expected.max(), abs=1e-4
    )
    with pytest.raises(ValueError, match="data needs a model of skart train"):
        make_client(tmp_path / "model.openvino", data=paintings)
    with pytest.raises(ValueError, match="weights can't be passed"):
        make_client(tmp_path / "model.openvino", weights="some.weights.h5")


def test_what_a_model_can_not_do_is_an_error(make_client, paintings):
    with pytest.raises(ValueError, match="alpha=0.1 needs a calibrated model"):
        make_client("plain.skart", alpha=0.1)
    with pytest.raises(ValueError, match="rate=0.1 needs a calibrated .* data with"):
        make_client("plain.skart", refusal_rate=0.1)
    with pytest.raises(ValueError, match="with 50 known .* share is 0.0197"):
        make_client(refusal_rate=0.01)
    with pytest.raises(ValueError, match="'alpha' parameter of make_app must"):
        make_client(alpha=1.5)
    with pytest.raises(ValueError, match="'timeout' parameter of make_app must"):
        make_client(timeout=0)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        make_client("other.skart")
    missing = Bunch(paths=["none.png"], labels=["a"], artists=None)
    with pytest.raises(ValueError, match="no painting can be read"):
        make_client(data=missing)


def test_page_is_served_from_own_files(client):
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for name in ("serve.css", "serve.js"):
        assert f'"{name}"' in page.text
        file = resources.files("skart") / "serving/templates" / name
        answer = client.get(f"/{name}")
        assert answer.text.endswith(file.read_text("utf-8"))
    assert "<style" not in page.text and "style=" not in page.text
