"""``skart extract``: features that ``skart train`` finds."""

import json

import pytest
from helpers import read_only, run, save_image

from skart import FeatureStore

OPTIONS = [
    "--backbone",
    "EfficientNetLite0",
    "--weights",
    "random",
    "--layer",
    "block2",
]


@pytest.fixture
def folder(tmp_path):
    """Sixteen paintings of two movements."""
    for seed in range(16):
        movement = ("Cubism", "Rococo")[seed % 2]
        name = f"{movement}/Artist {seed // 4}/{seed}.jpg"
        save_image(tmp_path / "paintings" / name, (60, 50), seed)
    return tmp_path / "paintings"


def extract(folder, *more):
    options = [*OPTIONS, "--size", 32, "--cache", folder.parent / "store"]
    return run("extract", folder, *options, *more, code=0)


def count_writes(folder):
    return FeatureStore(folder.parent / "store").info()["writes"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_train_computes_nothing(folder, engine):
    done = extract(folder, "--engine", engine)
    assert "features of 16 paintings are stored" in done.stdout
    assert count_writes(folder) == 16
    options = [*OPTIONS, "--size", 32, "--cache", folder.parent / "store"]
    options += ["--engine", engine, "--epochs", 1, "--no-calibrate"]
    run("train", folder, *options, "--out", folder.parent / "m.skart", code=0)
    assert count_writes(folder) == 16


def test_unreadable_images(folder):
    (folder / "Cubism" / "bad.jpg").write_bytes(b"no image")
    options = [*OPTIONS, "--size", 32, "--cache", folder.parent / "store"]
    done = run("extract", folder, *options, code=2)
    assert "1 of 17 images can't be read" in done.stderr
    assert "pass --on-error skip or --on-error blank" in done.stderr
    done = extract(folder, "--on-error", "skip", "--format", "json")
    assert json.loads(done.stdout)["n_images"] == 16


def test_options(folder):
    done = run("extract", folder, "--workers", 2, "--scheduler", "x", code=2)
    assert "not both" in done.stderr
    done = run("train", folder, "--kind", "hybrid", "--engine", "keras", code=2)
    assert "--engine keras: hybrid computes by Keras" in done.stderr


def test_read_only_store_raises(folder, tmp_path):
    (tmp_path / "store").mkdir()
    with read_only(tmp_path / "store"):
        done = run("extract", folder, *OPTIONS, "--cache", tmp_path / "store", code=2)
    assert "nothing can be written to the feature store" in done.stderr


@pytest.mark.slow
def test_workers_of_this_machine(folder):
    (folder / "Cubism" / "bad.jpg").write_bytes(b"no image")
    options = ["--workers", 2, "--shard-size", 3, "--format", "json"]
    report = json.loads(extract(folder, *options, "--on-error", "skip").stdout)
    assert (report["n_images"], report["n_computed"]) == (17, 16)
    assert count_writes(folder) == 16
    rows = [f"{path},{path.parts[-3]}" for path in folder.glob("*/*/*.jpg")]
    table = folder.parent / "works.csv"
    table.write_text("\n".join(["path,movement", *rows, "gone.jpg,Rococo"]))
    done = extract(table, "--workers", 1, "--on-error", "skip")
    assert "0 computed, 16 stored before" in done.stdout


@pytest.mark.parametrize("address", ["127.0.0.1", "foo:/x", "tcp://scheduler"])
def test_address_of_a_scheduler(folder, address):
    done = run("extract", folder, *OPTIONS, "--scheduler", address, code=2)
    assert f"--scheduler {address}: pass an address such as tcp://" in done.stderr
