"""What the commands decide for their users; the commands themselves: test_cli.py."""

import hashlib
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import head, save_image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline

from skart import FeatureExtractor, ImageLoader, save_model
from skart.cli._app import as_json
from skart.cli._assessment import assess
from skart.cli._collection import (
    INCEPTION_URL,
    Collection,
    choose_splitter,
    choose_weights,
    fetch,
    validation_share,
)
from skart.cli._prediction import load_pipeline
from skart.cli._training import digest_paintings, random_search, validation_accuracy
from skart.datasets._pandora18k import is_pandora18k, periods_of
from skart.model_selection import CITED
from skart.reproduction._cited import compare_cited, run_cited, written_cited
from skart.reproduction._experiments import Reproduction
from skart.reproduction._reported import TITLES, compare, written
from skart.reproduction._settings import Settings, split


@pytest.fixture
def make_folder(tmp_path):
    def make(names):
        for seed, name in enumerate(names):
            save_image(tmp_path / "folder" / name, (40, 30), seed)
        return tmp_path / "folder"

    return make


def test_pandora18k_is_known_by_its_layout(make_folder, tmp_path):
    names = [f"{folder}/Artist/{i}.jpg" for i in range(4) for folder in ("05_Baroque",)]
    root = make_folder([*names, *(f"14_Cubism/Other/{i}.jpg" for i in range(4))])
    assert is_pandora18k(root)
    collection = Collection(root)
    assert collection.labels.tolist() == ["Baroque"] * 4 + ["Cubism"] * 4
    assert "8 paintings instead of 18,038" in collection.differences[0]
    (root / ".git").mkdir()
    (root / "__MACOSX").mkdir()
    assert is_pandora18k(root)
    (root / "Mail Art").mkdir()
    assert not is_pandora18k(root) and not is_pandora18k(tmp_path / "nowhere")


def test_years_are_known_of_known_movements():
    assert periods_of(["Pop Art", "Baroque"]) == {
        "Baroque": (1590, 1725),
        "Pop Art": (1952, 1975),
    }
    assert periods_of(["Baroque", "Mail Art"]) is None


def test_small_movements_are_left_out(make_folder):
    root = make_folder(
        [f"{name}/{i}.jpg" for name in ("Cubism", "Dada") for i in range(5)]
        + ["Fauvism/0.jpg"]
    )
    collection = Collection(root)
    assert collection.left_out == ["Fauvism"] and len(collection.paths) == 10
    assert collection.groups is None and "artists" not in collection.summary()
    assert collection.remarks() == ["left out, with fewer than 4 paintings: Fauvism"]
    assert len(Collection(root, least=1).paths) == 11
    with pytest.raises(ValueError, match="fewer than two movements of 6 or more"):
        Collection(root, least=6)


def test_integer_movements_of_a_catalogue(make_folder, tmp_path):
    root = make_folder([f"{i}.jpg" for i in range(8)])
    table = pd.DataFrame({"path": sorted(root.iterdir()), "movement": [3, 7] * 4})
    table.to_csv(tmp_path / "works.csv", index=False)
    assert Collection(tmp_path / "works.csv").labels.tolist() == [3, 7] * 4


def test_artists_are_kept_apart_where_there_are_enough():
    artists = [f"{movement}{i}" for movement in "ab" for i in range(4) for _ in "xy"]
    frame = pd.DataFrame({"movement": [*"aaaaaaaabbbbbbbb"], "artist": artists})
    assert choose_splitter(frame, 3)[0] is StratifiedGroupKFold
    splitter, why = choose_splitter(frame, 4)
    assert splitter is StratifiedKFold and "a has too few artists" in why
    _, why = choose_splitter(frame.assign(artist="unknown"), 3)
    assert why == "at random: the artists are not known"


def test_the_validation_part_has_room_for_each_movement():
    labels = np.repeat(np.arange(10), 4)
    assert validation_share(np.repeat([0, 1], 50)) == 0.15
    assert validation_share(labels) * len(labels) >= 10
    trained_on = len(labels) * 2 / 3
    assert validation_share(labels, 3) * trained_on >= 10


def test_weights(tmp_path):
    assert choose_weights("random") is None
    assert choose_weights(None) == choose_weights("imagenet") == "imagenet"
    with pytest.raises(FileNotFoundError, match="--weights .*no.h5: there is no"):
        choose_weights(str(tmp_path / "no.h5"))


@pytest.fixture
def served():
    """Serve files at an address of this machine: a dict of name to content."""
    files = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path not in files:
                return self.send_error(404)
            content, length = files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", files
        server.shutdown()
        thread.join()


WEIGHTS = b"weights" * 50_000
MD5 = hashlib.md5(WEIGHTS).hexdigest()


def test_weights_are_downloaded_once(served, tmp_path):
    address, files = served
    files["/a.h5"] = WEIGHTS, len(WEIGHTS)
    said = []
    for _ in range(2):
        assert fetch(f"{address}/a.h5", MD5, tmp_path / "models", said.append)
    assert said == [f"Downloading {address}/a.h5 ..."]
    assert (tmp_path / "models" / "a.h5").read_bytes() == WEIGHTS
    # What an interrupted download of Keras left is no file of weights.
    (tmp_path / "models" / "a.h5").write_bytes(WEIGHTS[:1000])
    assert fetch(f"{address}/a.h5", MD5, tmp_path / "models", said.append)
    assert (tmp_path / "models" / "a.h5").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "404"),
        ((WEIGHTS[:1000], len(WEIGHTS)), "incomplete"),
        ((b"<p>Please log in", 16), "another file"),
    ],
)
def test_failed_download_changes_nothing(served, tmp_path, answer, reason):
    address, files = served
    if answer is not None:
        files["/a.h5"] = answer
    said = []
    assert not fetch(f"{address}/a.h5", MD5, tmp_path / "models", said.append)
    assert reason in said[-1] and not (tmp_path / "models").exists()
    # Another process is about to download it.
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.h5").write_bytes(WEIGHTS[:1000])
    assert not fetch(f"{address}/a.h5", MD5, tmp_path / "models", said.append)
    assert (tmp_path / "models" / "a.h5").read_bytes() == WEIGHTS[:1000]
    assert len(list((tmp_path / "models").iterdir())) == 1


@pytest.mark.parametrize(
    "error", [OSError("no network"), TimeoutError("timed out"), KeyboardInterrupt()]
)
def test_weights_are_random_without_a_network(tmp_path, monkeypatch, error):
    def fail(*_, **__):
        # Meanwhile another process has finished its download.
        file.write_bytes(b"of another process")
        raise error

    file = tmp_path / "models" / INCEPTION_URL.rpartition("/")[2]
    file.parent.mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("socket.getaddrinfo", fail)
    said = []
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            choose_weights(None, said.append, fall_back=True)
    else:
        assert choose_weights(None, said.append, fall_back=True) is None
        assert str(error) in said[-2] and "--weights" in said[-1]
    assert file.read_bytes() == b"of another process"


def test_80_10_10():
    labels = np.repeat(["a", "b", "c"], [100, 60, 40])
    part = split(labels, seed=3)
    counts = pd.crosstab(labels, part)
    assert counts["train"].tolist() == [80, 48, 32]
    assert counts["test"].tolist() == counts["validation"].tolist() == [10, 6, 4]
    np.testing.assert_array_equal(part, split(labels, seed=3))
    assert (part != split(labels, seed=4)).any()
    # One of each at least.
    counts = pd.crosstab(np.repeat([*"abcdef"], 4), split(np.repeat([*"abcdef"], 4)))
    assert (counts["test"] == 1).all() and (counts["validation"] == 1).all()


@pytest.mark.slow
def test_a_cited_system_that_can_not_be_trained_is_a_row(make_folder, tmp_path):
    root = make_folder([f"{name}/{i}.jpg" for i in range(4) for name in "ab"])
    said = []
    reproduction = Reproduction(
        Collection(root),
        tmp_path / "out",
        Settings(descriptor_size=32, pretrained_size=75),
        weights=None,
        say=said.append,
    )
    results = run_cited(reproduction)
    # Four smooth pictures have neither places for 200 words nor ten neighbours.
    failed = [name for name in results if "failed" in results[name]]
    assert failed == ["arora2012", "khan2014", "bar2014"]
    assert "n_words=200" in results["arora2012"]["failed"]
    assert "n_neighbors = 10" in results["bar2014"]["failed"]
    assert list(results) == list(CITED) and results["florea2017-cnn"]["train"] == 1
    kept = {path.stem for path in (tmp_path / "out").glob("cited-*.json")}
    assert kept == {f"cited-{name}" for name in CITED if name not in failed}
    # The next run takes what is finished, and tries the others again.
    said.clear()
    assert run_cited(reproduction) == results
    assert sum("finished before" in text for text in said) == len(CITED) - 3
    shown = written_cited(compare_cited(results))
    assert shown.loc["bar2014", "here"] == results["bar2014"]["failed"]


def test_validation_accuracy_is_that_of_the_weights_that_were_kept():
    history = {"val_loss": [0.9, 0.4, 0.6], "val_accuracy": [0.5, 0.7, 0.8]}
    assert validation_accuracy(history) == 0.7
    assert validation_accuracy(history | {"stage": [1, 1, 2]}) == 0.8


def test_the_reports_figures_stand_beside_ours_on_pandora18k():
    result = {"test": 0.5, "parameters": 12345, "seconds_per_epoch": 2.0}
    table = compare(dict.fromkeys(TITLES, result), with_reported=True)
    assert table.loc["VGG-lite", "report test"] == 31.2
    assert table.loc["hybrid CNN", ["report test", "test"]].tolist() == [35.8, 50]
    assert table.loc["hybrid CNN", "report seconds an epoch"] == 300
    transfer = table.loc["frozen InceptionV3, head by search"]
    assert transfer["report train"] == 90.6 and transfer["report test"] == 56.6
    assert transfer["report validation"] == 57.84
    fine_tuned = table.loc["last Inception module fine-tuned"]
    assert fine_tuned["report validation before"] == 55.53
    shown = written(table)["hybrid CNN"]
    assert shown["report test"] == "35.8 %" and shown["parameters"] == "12,345"
    assert shown["report train"] == "" and shown["report seconds an epoch"] == "300"


def test_a_model_that_takes_no_images(tmp_path):
    save_model(LogisticRegression().fit([[0], [1]], [0, 1]), tmp_path / "m.skart")
    with pytest.raises(ValueError, match="takes no images: it holds a LogisticRegr"):
        load_pipeline(tmp_path / "m.skart")


@pytest.fixture
def painted(make_folder):
    return make_folder(
        f"{movement}/{artist}/{i}.jpg"
        for movement in ("Dada", "Fauvism")
        for artist in "uvwxyz"
        for i in "12"
    )


def test_a_model_is_not_tested_on_what_it_was_trained_on(painted, tmp_path, capsys):
    collection, cache = Collection(painted), tmp_path / "cache"
    rows = np.arange(0, 24, 2)  # one painting of each artist
    paths, labels = collection.paths[rows], collection.labels[rows]
    pipe = make_pipeline(
        ImageLoader(80),
        FeatureExtractor("MobileNetV2", weights=None, verbose=False),
        LogisticRegression(),
    ).fit(paths, labels)
    file = tmp_path / "m.skart"
    save_model(pipe, file)  # which doesn't tell
    assessed = assess(file, painted, cache=cache)
    assert assessed.method.startswith("cross-validated with 4 folds, artists kept")
    assert "doesn't tell what it was trained on" in capsys.readouterr().out
    notes = {"digests": digest_paintings(paths, cache), "artists": ["u", "v"]}
    save_model(pipe, file, notes=notes)
    few = painted.parent / "few"  # fewer are new than were seen
    shutil.copytree(painted, few)
    new = [Path(path) for path in collection.paths[1::2]]
    for path in new[1:]:
        (few / path.relative_to(painted)).unlink()
    assert "cross-validated" in assess(file, few, n_folds=2, cache=cache).method
    assert assess(file, few, cache=cache).evaluation.folds is not None
    for path in collection.paths[rows][1:]:
        Path(path).unlink()
    assessed = assess(file, painted, cache=cache)
    assert len(assessed.frame) == 12 and assessed.evaluation.folds is None
    assert "4 of them by artists it was trained on" in assessed.method
    with pytest.raises(ValueError, match="--folds 99: the largest movement has"):
        assess(file, few, n_folds=99, cache=cache)


def test_a_search_survives_candidates_that_diverge(blobs):
    X, y = blobs
    space = {"optimizer__learning_rate": [0.01, 1e38]}
    cv = StratifiedKFold(2)
    with pytest.warns(UserWarning, match="1 of 2 candidates could not be trained"):
        search = random_search(head(), space, X, y, n_candidates=2, cv=cv)
    assert search.best_params_ == {"optimizer__learning_rate": 0.01}
    with pytest.raises(ValueError, match="units must"):
        random_search(head(), {"units": [-1]}, X, y, n_candidates=1, cv=cv)


def test_json_has_no_nan():
    assert json.loads(as_json({"a": [np.nan, np.float32(1)], "b": np.arange(2)})) == {
        "a": [None, 1.0],
        "b": [0, 1],
    }
