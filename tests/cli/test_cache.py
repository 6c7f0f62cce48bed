import contextlib
import json
import os
import sqlite3

import numpy as np
import pytest
from helpers import needs_posix, run, start

from skart import FeatureStore

IDENTITY = {
    "backbone": "InceptionV3",
    "layer": "mixed5",
    "pooling": "avg",
    "weights": "imagenet",
    "images": {"size": [299, 299], "resize": "crop"},
    "dtype": "float32",
    "storage_dtype": "float16",
}


def cache(*arguments, store=None, **options):
    """Run ``skart cache``."""
    where = () if store is None else ("--cache", store.root)
    return run("cache", *arguments, *where, **options)


@pytest.fixture
def store(tmp_path):
    """Three arrays of one kind and one of another."""
    store = FeatureStore(tmp_path / "my store")
    keys = [bytes([i]) * 32 for i in range(3)]
    store.section(IDENTITY).write(keys, np.arange(300, dtype="f4").reshape(3, 100))
    other = {**IDENTITY, "layer": None, "pooling": None}
    store.section(other).write(keys[:1], np.ones((1, 7), "f4"))
    return store


def break_one(store):
    path = store.root / "features-1.sqlite"
    values = np.arange(110, 120, dtype="f4").tobytes()  # of the second array
    assert path.read_bytes().count(values) == 1
    path.write_bytes(path.read_bytes().replace(values, bytes(40)))


def test_info(store):
    done = cache("info", store=store)
    assert done.exit_code == 0
    path, totals, *sections = done.stdout.splitlines()
    assert path == str(store.root)
    assert "4 arrays, 2 kinds of features" in totals
    assert "3" in sections[0] and (
        "InceptionV3, mixed5, pooling avg, weights imagenet, images 299 x 299, crop, "
        "float32, kept as float16" in sections[0]
    )
    assert "InceptionV3, last layer, maps" in sections[1]
    done = cache("info", "--format", "json", store=store)
    answer = json.loads(done.stdout)
    assert answer["bytes"] == os.path.getsize(store.root / "features-1.sqlite")
    assert [section["arrays"] for section in answer["sections"]] == [3, 1]
    assert answer["sections"][0]["bytes"] >= 3 * 400
    assert answer["sections"][0]["identity"] == IDENTITY


def contents(store):
    return {path.name: path.read_bytes() for path in store.root.iterdir()}


def test_info_of_a_damaged_store_changes_nothing(store):
    path = store.root / "features-1.sqlite"
    path.write_bytes(path.read_bytes()[:-4096])
    before = contents(store)
    done = cache("info", store=store)
    assert done.exit_code == 1 and not done.stderr
    assert "on disk, damaged: database disk image is malformed. The" in done.stdout
    done = cache("info", "--format", "json", store=store)
    answer = json.loads(done.stdout)
    assert done.exit_code == 1
    assert answer["problems"] == ["database disk image is malformed"]
    assert answer["bytes"] == path.stat().st_size
    assert contents(store) == before


def test_info_of_a_file_of_another_program(tmp_path):
    store = FeatureStore(tmp_path)
    path = tmp_path / "features-1.sqlite"
    path.touch()  # of a process that is about to begin
    assert cache("info", store=store).exit_code == 0 and not path.stat().st_size
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE paintings (title TEXT)")
    before = contents(store)
    for name in (["info"], ["info", "--format", "json"], ["verify", "--repair"]):
        done = cache(*name, store=store)
        assert done.exit_code == 2 and done.stderr.count("\n") == 1
        assert f"{path} is no feature store" in done.stderr
    assert contents(store) == before


@needs_posix
def test_info_after_a_kill(store):
    """What was half written is undone: it would have to be read otherwise."""
    path = store.root / "features-1.sqlite"
    process = start(HALF_WRITTEN, path)
    process.communicate()
    assert path.with_name(f"{path.name}-journal").stat().st_size
    done = cache("info", store=store)
    assert done.exit_code == 0 and "4 arrays, 2 kinds of features" in done.stdout


HALF_WRITTEN = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # changes are written early
connection.execute("BEGIN")
connection.execute("UPDATE entries SET value = zeroblob(100000)")
connection.execute("DELETE FROM entries")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_verify(store):
    done = cache("verify", store=store)
    assert done.exit_code == 0 and "4 sound arrays" in done.stdout
    break_one(store)
    done = cache("verify", store=store)
    assert done.exit_code == 1
    assert "3 sound arrays" in done.stdout
    assert "the image 0101010101010101, InceptionV3, mixed5" in done.stdout
    done = cache("verify", "--repair", "--format", "json", store=store)
    answer = json.loads(done.stdout)
    assert done.exit_code == 1 and answer["repaired"]
    assert answer["damaged"] == [{"identity": IDENTITY, "digest": "01" * 32}]
    done = cache("verify", store=store)
    assert done.exit_code == 0 and "3 sound arrays" in done.stdout


@pytest.mark.filterwarnings("ignore:the feature store .* was damaged")
def test_verify_repairs_a_truncated_store(store):
    path = store.root / "features-1.sqlite"
    path.write_bytes(path.read_bytes()[:-4096])
    assert cache("verify", store=store).exit_code == 1
    assert path.stat().st_size % 4096 == 0  # looked at, and left as it was
    done = cache("verify", "--repair", store=store)
    assert done.exit_code == 1 and "were removed" in done.stdout
    assert cache("verify", store=store).exit_code == 0


def test_clear(store):
    done = cache("clear", store=store, input="n\n")
    assert done.exit_code == 1 and "nothing was deleted" in done.stdout
    assert store.info()["arrays"] == 4
    (store.root / "thesis.docx").write_text("x")
    done = cache("clear", "--yes", store=store)
    assert done.exit_code == 2
    assert "'thesis.docx'" in done.stderr and done.stderr.count("\n") == 1
    assert store.info()["arrays"] == 4
    (store.root / "thesis.docx").unlink()
    done = cache("clear", store=store, input="y\n")
    assert done.exit_code == 0 and "deleted" in done.stdout
    assert not list(store.root.iterdir())


@pytest.mark.parametrize("name", ["info", "verify", "clear"])
def test_bad_input_is_one_line_and_exit_2(name, tmp_path):
    done = cache(name, "--cache", str(tmp_path / "nowhere"))
    assert done.exit_code == 2
    assert done.stderr.startswith("skart: --cache") and done.stderr.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()


def test_help():
    done = cache("verify", "--help")
    assert done.exit_code == 0 and "skart cache verify --cache features/" in done.stdout
    assert {"info", "verify", "clear"} <= set(cache("--help").stdout.split())


def test_push_and_pull(store, tmp_path, monkeypatch):
    url = tmp_path / "shared"
    done = cache("push", url, store=store, code=0)
    assert done.stdout.startswith("4 arrays of 2 kinds of features written: 2 files, ")
    done = cache("push", url, "--format", "json", store=store, code=0)
    assert json.loads(done.stdout) == {
        "sections": 2,
        "arrays": 0,
        "shards": 0,
        "bytes": 0,
    }
    monkeypatch.setenv("SKART_UPSTREAM", str(url))
    other = FeatureStore(tmp_path / "other", upstream=False)
    key = cache("info", store=store).stdout.splitlines()[2].split()[0]
    done = cache("pull", "--section", key, store=other, code=0)
    assert done.stdout == "3 new arrays of 1 kinds of features\n"
    done = cache("pull", "--format", "json", store=other, code=0)
    assert json.loads(done.stdout) == {"sections": 2, "arrays": 1}
    assert other.info()["sections"] == store.info()["sections"]
    done = cache("pull", "--section", "zz", store=other, code=2)
    assert "--section 'zz'" in done.stderr


def test_verify_of_shared_files(store, tmp_path):
    url = tmp_path / "shared"
    cache("push", url, store=store, code=0)
    done = cache("verify", url, code=0)
    assert done.stdout == f"{url}: 2 sound files, 4 arrays\n"
    damaged = next(url.glob("*/*.parquet"))
    damaged.write_bytes(b"")
    done = cache("verify", url, code=1)
    assert str(damaged) in done.stdout and "1 sound files" in done.stdout
    done = cache("verify", url, "--repair", "--format", "json", code=1)
    assert json.loads(done.stdout)["repaired"] and not damaged.exists()
    cache("verify", url, code=0)


def test_sharing_without_a_url(store, tmp_path):
    for name in ("push", "pull"):
        done = cache(name, store=store, code=2)
        assert "pass URL, a folder or a URL, or set SKART_UPSTREAM" in done.stderr
    done = cache("pull", tmp_path / "nowhere", store=store, code=2)
    assert "there is no upstream" in done.stderr and "upstream=" not in done.stderr
