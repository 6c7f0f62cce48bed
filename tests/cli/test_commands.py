"""Collections, folds and weights of the commands, and parts of `skart reproduce`."""

import hashlib
import json
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import head, save_image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

from skart import FeatureExtractor, FeatureStore, ImageLoader, save_model
from skart.cli import app
from skart.cli._app import as_json, in_options
from skart.cli._collection import (
    INCEPTION_URL,
    Collection,
    choose_weights,
    fetch,
    make_folds,
    validation_share,
)
from skart.cli._options import Source
from skart.cli._train import validation_accuracy
from skart.datasets._pandora18k import is_pandora18k, periods_of
from skart.model_selection import CITED
from skart.model_selection._random_search import note_search, random_search
from skart.persistence._parts import digest_paintings
from skart.reproduction._cited import compare_cited, format_cited, run_cited
from skart.reproduction._experiments import Reproduction
from skart.reproduction._reported import TITLES, compare, format_comparison
from skart.reproduction._settings import Settings, split


@pytest.fixture
def make_folder(tmp_path):
    def make(names):
        for seed, name in enumerate(names):
            save_image(tmp_path / "folder" / name, (40, 30), seed)
        return tmp_path / "folder"

    return make


def test_pandora18k_is_recognised_by_its_layout(make_folder, tmp_path):
    names = [f"{folder}/Artist/{i}.jpg" for i in range(4) for folder in ("05_Baroque",)]
    root = make_folder([*names, *(f"14_Cubism/Other/{i}.jpg" for i in range(4))])
    assert is_pandora18k(root)
    collection = Collection(Source(root))
    assert collection.labels.tolist() == ["Baroque"] * 4 + ["Cubism"] * 4
    assert "8 paintings instead of 18,038" in collection.differences[0]
    (root / ".git").mkdir()
    (root / "__MACOSX").mkdir()
    assert is_pandora18k(root)
    (root / "Mail Art").mkdir()
    assert not is_pandora18k(root) and not is_pandora18k(tmp_path / "nowhere")


def test_periods_of_known_movements():
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
    collection = Collection(Source(root))
    assert collection.left_out == ["Fauvism"] and len(collection.paths) == 10
    assert collection.groups is None and "artists" not in collection.summary()
    assert collection.remarks() == ["left out, with fewer than 4 paintings: Fauvism"]
    assert len(Collection(Source(root), least=1).paths) == 11
    with pytest.raises(ValueError, match="fewer than two movements of 6 or more"):
        Collection(Source(root), least=6)


def test_catalogue_keeps_integer_movements(make_folder, tmp_path):
    root = make_folder([f"{i}.jpg" for i in range(8)])
    table = pd.DataFrame({"path": sorted(root.iterdir()), "movement": [3, 7] * 4})
    table.to_csv(tmp_path / "works.csv", index=False)
    assert Collection(Source(tmp_path / "works.csv")).labels.tolist() == [3, 7] * 4


def test_folds_keep_artists_apart_if_possible(make_folder):
    names = [f"{name}/{name}{i % 2}/{i}.jpg" for name in "ab" for i in range(4)]
    collection = Collection(Source(make_folder(names)))
    splits, how = make_folds(collection, 4, seed=0)
    assert how == "artists kept apart" and len(splits) == 4
    for train, test in splits:
        assert not set(collection.groups[train]) & set(collection.groups[test])
        assert set(collection.labels[train]) == {"a", "b"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("{0}/{1}.jpg", "the artists are not known"),
        ("{0}/one/{1}.jpg", "fewer than two movements have two artists"),
    ],
)
def test_folds_are_random_for_a_reason(make_folder, name, reason):
    root = make_folder(name.format(movement, i) for movement in "ab" for i in range(4))
    splits, how = make_folds(Collection(Source(root)), 4, seed=0)
    assert how == f"at random, because {reason}" and len(splits) == 4


def profile(*arguments):
    done = CliRunner().invoke(app, ["profile", *map(str, arguments)])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_part_of_a_split_is_an_option(make_folder):
    names = [
        f"{part}/{name}/{name}{i}/{i}.jpg"
        for part in ("Train", "Test")
        for name in ("Dada", "Pop Art")
        for i in range(4)
    ]
    root = make_folder(names)
    done = CliRunner().invoke(app, ["profile", str(root)])
    assert done.exit_code == 2
    assert "parts of a split, 'Test', 'Train'" in done.stderr
    assert "Pass --part Test for one of them, or --part all for all." in done.stderr
    assert profile(root, "--part", "Train").startswith("8 paintings of 8 artists in 2")
    assert profile(root, "--part", "all").startswith("16 paintings of 8 artists in 2")


def test_artists_in_names_are_an_option(make_folder):
    root = make_folder(
        f"{name}/{name.lower()} {i // 2}_{i}.jpg"
        for name in ("Dada", "Fluxus")
        for i in range(4)
    )
    assert "Pass --artists names to keep artists apart" in profile(root)
    assert profile(root, "--artists", "names").startswith("8 paintings of 4 artists")
    pattern = r"^(?P<artist>\w+)"
    assert profile(root, "--artists", pattern).startswith("8 paintings of 2 artists")
    done = CliRunner().invoke(app, ["profile", str(root), "--artists", "x"])
    assert "skart: --artists must have a group named artist" in done.stderr


def test_options_that_do_not_apply_raise(make_folder, tmp_path):
    root = make_folder([f"{name}/{i}.jpg" for i in range(4) for name in "ab"])
    table = tmp_path / "works.csv"
    table.write_text("path,movement")
    for data, option, reason in (
        (root, "--path-column", "--path-column is for tables, and .* is a folder"),
        (table, "--artists", "--artists is for folders, and .* is a table"),
    ):
        done = CliRunner().invoke(app, ["profile", str(data), option, "x"])
        assert done.exit_code == 2 and re.search(reason, done.stderr)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_columns_of_a_table_are_options(make_folder, tmp_path, suffix):
    names = [f"{i}.jpg" for i in range(8)]
    root, table = make_folder(names), tmp_path / f"works{suffix}"
    frame = pd.DataFrame(
        {"Datei": names, "Stil": [*"aaaabbbb"], "Maler": [*"12341234"]}
    )
    write = {
        ".csv": frame.to_csv,
        ".xlsx": frame.to_excel,
        ".parquet": frame.to_parquet,
    }
    write[suffix](table, index=False)
    options = ("--path-column", "Datei", "--movement-column", "Stil")
    options += ("--artist-column", "Maler", "--root", root)
    assert profile(table, *options).startswith(
        "8 paintings of 4 artists in 2 movements"
    )


def test_groups_of_an_audit_are_a_table(make_folder, tmp_path):
    names = [f"{name}/{name}{i}/{i}.jpg" for name in ("Dada", "Op") for i in range(4)]
    root, table = make_folder(names), tmp_path / "works.csv"
    shutil.copy(root / names[0], root / "Dada" / "Dada1" / "again.jpg")
    arguments = ["audit", str(root), "--min-size", "0", "--groups", str(table)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    assert "copy of Dada/Dada0/0.jpg" in done.stdout
    collection = Collection(Source(table, artist_column="group"))
    by_name = dict(zip(collection.paths, collection.groups, strict=True))
    assert by_name[str(root / names[0])] == by_name[str(root / names[1])]
    assert len(set(by_name.values())) == 7 and len(by_name) == 9


def test_validation_share_has_room_for_each_movement():
    labels = np.repeat(np.arange(10), 4)
    assert validation_share(np.repeat([0, 1], 50)) == 0.15
    assert validation_share(labels) * len(labels) >= 10
    trained_on = len(labels) * 2 / 3
    assert validation_share(labels, 3) * trained_on >= 10


def test_choose_weights(tmp_path):
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


def test_split_is_80_10_10_by_movement():
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
def test_untrainable_cited_system_is_a_row(make_folder, tmp_path):
    root = make_folder([f"{name}/{i}.jpg" for i in range(4) for name in "ab"])
    said = []
    reproduction = Reproduction(
        Collection(Source(root)),
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
    shown = format_cited(compare_cited(results))
    assert shown.loc["bar2014", "here"] == results["bar2014"]["failed"]


@pytest.mark.slow
def test_reproduction_estimates_its_time(make_folder, tmp_path):
    root = make_folder([f"{name}/{i}.jpg" for i in range(8) for name in "ab"])
    settings = Settings(size=32, pretrained_size=75, n_networks=10, search_epochs=100)
    reproduction = Reproduction(
        Collection(Source(root)), tmp_path / "out", settings, weights=None
    )
    few, many = (
        reproduction._estimate_time(unfinished) for unfinished in ([], ["hybrid"])
    )
    assert "at most about 1 minute on this machine, as timed on 16 paintings" in few
    assert "finished experiments are kept" in many.lower()
    # The store holds digests of files only.
    assert FeatureStore(tmp_path / "out" / "features").info()["arrays"] == 0


def test_validation_accuracy_is_taken_at_the_least_loss():
    history = {"val_loss": [0.9, 0.4, 0.6], "val_accuracy": [0.5, 0.7, 0.8]}
    assert validation_accuracy(history) == 0.7
    assert validation_accuracy(history | {"stage": [1, 1, 2]}) == 0.8


def test_compare_adds_the_figures_of_the_report_on_pandora18k():
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
    shown = format_comparison(table)["hybrid CNN"]
    assert shown["report test"] == "35.8 %" and shown["parameters"] == "12,345"
    assert shown["report train"] == "" and shown["report seconds an epoch"] == "300"


def test_predict_rejects_a_model_without_an_image_loader(tmp_path):
    save_model(LogisticRegression().fit([[0], [1]], [0, 1]), tmp_path / "m.skart")
    arguments = ["predict", str(tmp_path / "m.skart"), "a.jpg"]
    done = CliRunner().invoke(app, [*arguments, "--cache", str(tmp_path / "cache")])
    assert done.exit_code == 2
    assert "takes no images: it holds a LogisticRegression" in done.stderr


@pytest.fixture
def painted(make_folder):
    return make_folder(
        f"{movement}/{artist}/{i}.jpg"
        for movement in ("Dada", "Fauvism")
        for artist in "uvwxyz"
        for i in "12"
    )


def test_evaluate_tests_a_model_only_on_new_paintings(painted, tmp_path):
    collection, cache = Collection(Source(painted)), tmp_path / "cache"
    rows = np.arange(0, 24, 2)  # one painting of each artist
    paths, labels = collection.paths[rows], collection.labels[rows]
    pipe = make_pipeline(
        ImageLoader(80),
        FeatureExtractor("MobileNetV2", weights=None, verbose=False),
        LogisticRegression(),
    ).fit(paths, labels)
    file = tmp_path / "m.skart"

    def evaluate(folder, *options):
        arguments = ["evaluate", str(file), str(folder), "--cache", str(cache)]
        done = CliRunner().invoke(app, [*arguments, "--format", "json", *options])
        return done, json.loads(done.stdout) if done.exit_code == 0 else None

    save_model(pipe, file)  # without notes on the paintings
    done, answer = evaluate(painted)
    assert answer["method"].startswith("cross-validated with 4 folds, artists kept")
    assert "doesn't list the paintings it was trained on" in done.stderr
    notes = {"digests": digest_paintings(paths, cache), "artists": ["u", "v"]}
    save_model(pipe, file, notes=notes)
    few = painted.parent / "few"  # fewer are new than were seen
    shutil.copytree(painted, few)
    new = [Path(path) for path in collection.paths[1::2]]
    for path in new[1:]:
        (few / path.relative_to(painted)).unlink()
    assert "with 2 folds" in evaluate(few, "--folds", "2")[1]["method"]
    assert "cross-validated with 4 folds" in evaluate(few)[1]["method"]
    for path in collection.paths[rows][1:]:
        Path(path).unlink()
    _, answer = evaluate(painted)
    assert answer["paintings"] == 12 and answer["leakage_gap"] is None
    assert "4 of them by artists it was trained on" in answer["method"]
    done, _ = evaluate(few, "--folds", "99")
    assert done.exit_code == 2
    assert "--folds 99: the largest movement has" in done.stderr


def test_random_search_leaves_out_diverging_candidates(blobs):
    X, y = blobs
    space = {"optimizer__learning_rate": [0.01, 1e38]}
    cv = StratifiedKFold(2)
    bad = head(optimizer__learning_rate=1e38)
    with pytest.warns(UserWarning, match="2 of 3 candidates could not be trained"):
        search = random_search(bad, space, X, y, n_candidates=3, cv=cv)
    assert search.best_params_ == {"optimizer__learning_rate": 0.01}
    with pytest.raises(ValueError, match="'units' parameter of Dense"):
        random_search(head(units=-1), space, X, y, n_candidates=1, cv=cv)


def test_random_search_prints_its_progress_bar_only(blobs, capsys):
    X, y = blobs
    pipe = make_pipeline(head(verbose=1, epochs=2))
    space = {"denseheadclassifier__units": [4, 8]}
    random_search(pipe, space, X, y, n_candidates=2, cv=StratifiedKFold(2))
    captured = capsys.readouterr()
    assert "Epoch" not in captured.out + captured.err and "4/4" in captured.err
    assert pipe[-1].verbose == 1


def test_random_search_begins_with_the_defaults(blobs):
    X, y = blobs
    space = {"optimizer__learning_rate": [1e-9], "units": [1]}
    start = head(epochs=10, random_state=0)
    search = random_search(start, space, X, y, n_candidates=2, cv=StratifiedKFold(2))
    assert search.best_params_ == {}
    results = note_search(search.cv_results_)
    assert results["param_units"] == [None, 1]
    scores = results["mean_test_score"]
    assert scores[0] == search.best_score_ > scores[1]


def test_json_has_no_nan():
    assert json.loads(as_json({"a": [np.nan, np.float32(1)], "b": np.arange(2)})) == {
        "a": [None, 1.0],
        "b": [0, 1],
    }


def test_errors_and_hints_name_options(make_folder, tmp_path):
    table = tmp_path / "works.csv"
    table.write_text("file,movement\na.jpg,Dada\n")
    done = CliRunner().invoke(app, ["profile", str(table)])
    assert done.exit_code == 2
    assert "no column that looks like the path" not in done.stderr  # "file" is
    done = CliRunner().invoke(app, ["profile", str(table), "--path-column", "files"])
    assert "no column 'files', passed as --path-column. Did you mean" in done.stderr
    table.write_text("where,movement\na.jpg,Dada\n")
    done = CliRunner().invoke(app, ["profile", str(table)])
    assert "'where', 'movement': pass --path-column" in done.stderr
    table.write_text("path,movement\nno.jpg,Dada\n")
    done = CliRunner().invoke(app, ["profile", str(table)])
    assert "If paths refer to another folder, pass --root." in done.stderr
    table.write_bytes("path,movement\ncafé.jpg,Dada\n".encode("latin-1"))
    done = CliRunner().invoke(app, ["profile", str(table)])
    assert "Save it as UTF-8" in done.stderr and "encoding=" not in done.stderr
    root = make_folder(f"{movement}/{i}.jpg" for movement in "ab" for i in range(4))
    (root / "a" / "0.jpg").write_bytes(b"no image")
    arguments = ["train", str(root), "--out", str(tmp_path / "m.skart")]
    options = ["--cache", str(tmp_path / "cache"), "--weights", "random"]
    done = CliRunner().invoke(app, [*arguments, *options])
    assert done.exit_code == 2
    assert "pass --on-error skip or --on-error blank" in done.stderr
    assert "ImageLoader" not in done.stderr


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("pass dtype='float32', or other weights", "pass --dtype 'float32', or other"),
        ("pass weights=None, or a file", "pass --weights random, or a file"),
        ("weights='a b.h5' is not a file", "--weights 'a b.h5' is not a file"),
        ("Pass part='train' for one", "Pass --part train for one"),
        ("the layer is unknown", "the layer is unknown"),
    ],
)
def test_parameters_in_messages_become_options(message, expected):
    assert expected in in_options(message)


def test_train_from_scratch_rejects_options_of_pretrained_networks(tmp_path):
    for option, value in (("--weights", "random"), ("--layer", "mixed5")):
        arguments = ["train", str(tmp_path), "--model", "hybrid", option, value]
        done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "m.skart")])
        assert done.exit_code == 2
        assert f"{option} {value}: hybrid is trained from scratch" in done.stderr
