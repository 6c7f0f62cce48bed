"""Kills, full disks, crowds and odd folders: the store loses little, and goes on."""

import resource
import shutil
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    finish,
    keys,
    mounted,
    read_only,
    save_image,
    start,
    vectors,
)

from skart import FeatureExtractor, FeatureStore, ImageLoader
from skart.store import StoreError

IDENTITY = {"backbone": "stand-in"}
N, BATCH = 120, 4


# Computes slowly, without Keras, in the order in which an extractor does.
STAND_IN = """
import sys, time
import numpy as np
from skart import FeatureStore

store, n, batch = FeatureStore(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
section = store.section({"backbone": "stand-in"})
keys = [f"image {i}".encode().ljust(32) for i in range(n)]
print("begun", flush=True)
with section.lock():
    missing = np.flatnonzero(section.missing(keys))
    for start in range(0, len(missing), batch):
        rows = missing[start : start + batch]
        time.sleep(0.004)
        print(*rows, flush=True)
        values = rows[:, None] + np.arange(500) / 500
        section.write([keys[row] for row in rows], values.astype("f4"))
"""


KILLER = """
import os, random, signal, sys, time
import numpy as np
from skart import FeatureStore

stand_in = compile(sys.argv[4], "stand-in", "exec")
generator = random.Random(0)
for _ in range(30):
    child = os.fork()
    if child == 0:
        exec(stand_in)
        os._exit(1)  # it was to be killed
    time.sleep(generator.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    # What was killed in the middle of a transaction is read as it was before.
    n = int(sys.argv[2])
    keys = [f"image {i}".encode().ljust(32) for i in range(n)]
    section = FeatureStore(sys.argv[1]).section({"backbone": "stand-in"})
    arrays, found = section.read(keys)
    assert found.sum() % int(sys.argv[3]) == 0 and found[: found.sum()].all()
    if arrays is not None:
        truth = (np.arange(n)[:, None] + np.arange(500) / 500).astype("f4")
        assert (arrays[found] == truth[found]).all()
"""


def test_thirty_kills(tmp_path):
    n = N * 6
    output = finish(start(KILLER, tmp_path / "killed", n, BATCH, STAND_IN))
    n_written = FeatureStore(tmp_path / "killed").info()["writes"]
    assert 0 < n_written < n
    output += finish(start(STAND_IN, tmp_path / "killed", n, BATCH))
    n_computed = sum(word != "begun" for word in output.split())
    assert n <= n_computed <= n + 30 * BATCH  # a batch a kill is lost at most
    finish(start(STAND_IN, tmp_path / "undisturbed", n, BATCH))
    results = [
        FeatureStore(tmp_path / name).section(IDENTITY).read(keys(n))
        for name in ("killed", "undisturbed")
    ]
    assert all(found.all() for _, found in results)
    np.testing.assert_array_equal(results[0][0], results[1][0])
    info = FeatureStore(tmp_path / "killed").info()
    assert info["writes"] == info["arrays"] == n
    assert FeatureStore(tmp_path / "killed").verify()["problems"] == []


EXTRACTION = """
import sys
from skart import FeatureExtractor, ImageLoader

extractor = FeatureExtractor(
    "MobileNetV2", weights=None, batch_size=2, cache=sys.argv[1], verbose=False
)
extractor.transform(ImageLoader(size=96).transform(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """Forty image files."""
    folder = tmp_path_factory.mktemp("paintings")
    return [save_image(folder / f"{seed:02}.jpg", seed=seed) for seed in range(40)]


def extractor(**parameters):
    defaults = {"weights": None, "batch_size": 2, "verbose": False}
    return FeatureExtractor("MobileNetV2", **(defaults | parameters))


@pytest.fixture(scope="module")
def expected(paintings):
    """Their features."""
    return extractor().transform(ImageLoader(size=96).transform(paintings))


def test_killed_extractions(paintings, expected, tmp_path):
    root = tmp_path / "store"
    for n_at_kill in (5, 21):
        process = start(EXTRACTION, root, *paintings)
        while not root.exists() or FeatureStore(root).info()["writes"] < n_at_kill:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.005)
        process.kill()
        process.communicate()
    before = FeatureStore(root).info()
    assert before["arrays"] == before["writes"] < len(paintings)
    images = ImageLoader(size=96).transform(paintings)
    features = extractor(cache=root).transform(images)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
    assert FeatureStore(root).info()["writes"] == len(paintings)


def test_four_processes_compute_each_array_once(paintings, expected, tmp_path):
    parts = [slice(0, 30), slice(10, 40), slice(None, None, 2), slice(5, 35)]
    processes = [start(EXTRACTION, tmp_path, *paintings[part]) for part in parts]
    for process in processes:
        finish(process)
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == info["writes"] == len(paintings)
    images = ImageLoader(size=96).transform(paintings)
    features = extractor(cache=tmp_path).transform(images)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_many_writers_at_once(tmp_path):
    # Without the lock of the section: transactions alone keep them apart.
    script = STAND_IN.replace("with section.lock():", "if True:")
    for process in [start(script, tmp_path, N, BATCH) for _ in range(4)]:
        finish(process)
    arrays, found = FeatureStore(tmp_path).section(IDENTITY).read(keys(N))
    assert found.all()
    np.testing.assert_array_equal(arrays, vectors(N))


def test_a_full_disk(tmp_path):
    with mounted(tmp_path / "d", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(600_000))
        section = FeatureStore(disk / "store").section(IDENTITY)
        n_stored = 0
        with pytest.raises(StoreError, match="store has no room to grow.*Make room"):
            for n_stored in range(0, N * 10, 20):
                section.write(keys(20, n_stored), vectors(20, n_stored))
        assert n_stored > 20
        arrays, found = section.read(keys(n_stored))
        assert found.all()
        np.testing.assert_array_equal(arrays, vectors(n_stored))
        assert section.missing(keys(20, n_stored)).all()
        ballast.unlink()
        section.write(keys(20, n_stored), vectors(20, n_stored))
        assert section.read(keys(n_stored + 20))[1].all()
        report = section.store.verify()
        assert not report["damaged"] and not report["problems"]


def test_a_limit_of_the_file_size(tmp_path):
    finish(start(STAND_IN, tmp_path, N, BATCH))
    limit = (tmp_path / "features-2.sqlite").stat().st_size + 20_000
    process = start(
        *(STAND_IN, tmp_path, N * 2, BATCH),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    stderr = process.communicate()[1]
    assert process.returncode == 1  # an exception, no signal
    assert f"the feature store {tmp_path} has no room to grow" in stderr
    assert FeatureStore(tmp_path).section(IDENTITY).read(keys(N))[1].all()
    finish(start(STAND_IN, tmp_path, N * 2, BATCH))
    assert FeatureStore(tmp_path).info()["writes"] == N * 2


@pytest.mark.parametrize("pooling", ["avg", None])
def test_a_read_only_store_is_read(paintings, tmp_path, pooling):
    images = ImageLoader(size=96).transform(paintings[:6])
    past = np.asarray(extractor(pooling=pooling).transform(images))
    extractor(pooling=pooling, cache=tmp_path).transform(images[:4])
    with read_only(tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            known = extractor(pooling=pooling, cache=tmp_path).transform(images[:4])
        np.testing.assert_allclose(np.asarray(known), past[:4], rtol=1e-5, atol=1e-6)
        with pytest.warns(UserWarning, match="nothing can be written to") as told:
            features = extractor(pooling=pooling, cache=tmp_path).transform(images)
        assert len(told) == 1
        np.testing.assert_allclose(np.asarray(features), past, rtol=1e-5, atol=1e-6)
    assert FeatureStore(tmp_path).info()["arrays"] == 4


def test_an_empty_read_only_folder(tmp_path):
    with read_only(tmp_path):
        section = FeatureStore(tmp_path).section(IDENTITY)
        assert section.missing(keys(2)).all()
        with pytest.warns(UserWarning, match="computed, and not kept"):
            section.write(keys(2), vectors(2))
        np.testing.assert_array_equal(section.read(keys(2))[0], vectors(2))
        assert section.store.digest_files([__file__])[0]
        report = section.store.verify()
        assert not report["problems"] and not report["repaired"]


def test_stores_of_other_formats_are_told_and_kept(tmp_path):
    for name in ("data.mdb", "lock.mdb"):
        (tmp_path / name).write_bytes(bytes(4096) + b"skart store 1")
    future = FeatureStore(tmp_path / "made")
    future.section(IDENTITY).write(keys(1), vectors(1))
    (future.root / "features-2.sqlite").rename(tmp_path / "features-3.sqlite")
    future.root.rmdir()
    as_it_was = (tmp_path / "features-3.sqlite").read_bytes()
    store = FeatureStore(tmp_path)
    with pytest.warns(
        UserWarning, match="of skart, in data.mdb and features-3"
    ) as told:
        store.section(IDENTITY).write(keys(2), vectors(2))
        store.section(IDENTITY).read(keys(2))
    assert len(told) == 1
    assert (tmp_path / "features-3.sqlite").read_bytes() == as_it_was
    assert [Path(x).name for x in store.info()["other_formats"]] == [
        *("data.mdb", "features-3.sqlite")
    ]
    store.clear()
    assert not list(tmp_path.iterdir())
    assert not store.exists()


def test_clear_deletes_nothing_else(tmp_path):
    store = FeatureStore(tmp_path)
    store.section(IDENTITY).write(keys(2), vectors(2))
    (tmp_path / "data.mdb").write_bytes(b"of another program")
    with pytest.raises(StoreError, match="'data.mdb'. Nothing was deleted"):
        store.clear()
    (tmp_path / "data.mdb").rename(tmp_path / "lock.mdb")
    with pytest.raises(StoreError, match="'lock.mdb'. Nothing was deleted"):
        store.clear()
    assert store.section(IDENTITY).read(keys(2))[1].all()
    (tmp_path / "lock.mdb").unlink()
    assert store.clear() > 4096
    assert store.section(IDENTITY).missing(keys(2)).all()


@pytest.mark.parametrize(
    "name", ["with spaces", "Ölbild 絵 🎨", "100% #1?", "a&mode=ro"]
)
def test_odd_folders(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = FeatureStore(Path(name) / "in" / ".." / "store").section(IDENTITY)
    (tmp_path / name / "in").mkdir(parents=True)
    section.write(keys(2), vectors(2))
    (tmp_path / "link").symlink_to(tmp_path / name / "store")
    monkeypatch.chdir("/")  # a relative folder stays where it was
    for store in (section.store, FeatureStore(tmp_path / "link")):
        np.testing.assert_array_equal(
            store.section(IDENTITY).read(keys(2))[0], vectors(2)
        )
    FeatureStore(tmp_path / "link").section(IDENTITY).write(keys(1, 2), vectors(1, 2))
    assert section.read(keys(3))[1].all()


def test_an_interrupt_leaves_whole_batches(tmp_path):
    for moment in (0.0, 0.03, 0.06):
        process = start(STAND_IN, tmp_path, N * 10, BATCH, preexec_fn=heed_interrupts)
        process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        process.communicate()
        assert time.monotonic() - sent < 2
        assert process.returncode == -signal.SIGINT
        section = FeatureStore(tmp_path).section(IDENTITY)
        n = section.read(keys(N * 10))[1].sum()
        assert n % BATCH == 0
        section.lock().acquire(timeout=0.5).lock.release()


def heed_interrupts():
    # Where tests run in the background, a shell has interrupts ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_store_in_the_place_of_another(tmp_path):
    """A folder that is deleted and made anew, again and again, while it is written."""
    process = start(STAND_IN, tmp_path / "store", N * 3, BATCH)
    process.stdout.readline()
    n_deleted = 0
    while process.stdout.readline():  # the next batch is about to be written
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        n_deleted += 1
        for _ in range(2):  # it gives up where it is never left in peace
            process.stdout.readline()
    finish(process)
    assert n_deleted > 5
    section = FeatureStore(tmp_path / "store").section(IDENTITY)
    arrays, found = section.read(keys(N * 3))
    if found.any():
        np.testing.assert_array_equal(arrays[found], vectors(N * 3)[found])
