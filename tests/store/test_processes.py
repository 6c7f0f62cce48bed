"""Killed processes, full disks, parallel writers and unusual folders."""

import contextlib
import random
import shutil
import signal
import subprocess
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    STAND_IN,
    finish,
    keys,
    mounted,
    needs_posix,
    read_only,
    save_image,
    start,
    vectors,
)

from skart import FeatureExtractor, FeatureStore, ImageLoader
from skart.store import StoreError

IDENTITY = {"backbone": "stand-in"}
N, BATCH = 120, 4


@pytest.mark.slow
def test_thirty_kills(tmp_path):
    """Each after some batches, in the middle of whatever the process does then."""
    generator = random.Random(0)
    n, root = N * 6, tmp_path / "killed"
    section = FeatureStore(root).section(IDENTITY)
    n_computed = 0
    for _ in range(30):
        process = start(STAND_IN, root, n, BATCH, "wait")
        n_left = int(section.missing(keys(n)).sum()) // BATCH
        n_told = min(generator.randrange(1, 6), n_left)
        told = [process.stdout.readline() for _ in range(n_told)]
        process.kill()
        told.append(process.communicate()[0])
        n_computed += len("".join(told).split())
        # What was killed in the middle of a transaction is read as it was before.
        arrays, found = section.read(keys(n))
        assert found.sum() % BATCH == 0 and found[: found.sum()].all()
        if arrays is not None:
            np.testing.assert_array_equal(arrays[found], vectors(n)[found])
    n_computed += len(finish(start(STAND_IN, root, n, BATCH)).split())
    assert n <= n_computed <= n + 30 * BATCH  # a batch a kill is lost at most
    arrays, found = section.read(keys(n))
    assert found.all()
    np.testing.assert_array_equal(arrays, vectors(n))
    info = section.store.info()
    assert info["writes"] == info["arrays"] == n
    assert section.store.verify()["problems"] == []


EXTRACTION = """
import os, signal, sys
from skart import FeatureExtractor, FeatureStore, ImageLoader

n_batches = int(sys.argv[2])

class Killed(FeatureStore):  # after some batches
    def section(self, identity):
        section = super().section(identity)
        write = section.write

        def write_and_die(digests, arrays):
            global n_batches
            n_new = write(digests, arrays)
            n_batches -= 1
            if n_batches == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return n_new

        section.write = write_and_die
        return section

FeatureExtractor(
    "VGG16",
    weights=None,
    layer="block1_pool",
    batch_size=2,
    cache=Killed(sys.argv[1]),
    verbose=False,
).transform(ImageLoader(size=32).transform(sys.argv[3:]))
"""


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """Forty image files."""
    folder = tmp_path_factory.mktemp("paintings")
    return [save_image(folder / f"{seed:02}.jpg", seed=seed) for seed in range(40)]


def extractor(**parameters):
    defaults = {"layer": "block1_pool", "batch_size": 2, "verbose": False}
    return FeatureExtractor("VGG16", weights=None, **(defaults | parameters))


@pytest.fixture(scope="module")
def expected(paintings):
    """Their features."""
    return extractor().transform(ImageLoader(size=32).transform(paintings))


@pytest.mark.slow
def test_killed_extractions(paintings, expected, tmp_path):
    n_batches = 0
    for n_more in (3, 8):
        process = start(EXTRACTION, tmp_path, n_more, *paintings)
        stderr = process.communicate()[1]
        assert process.returncode == -signal.SIGKILL, stderr
        n_batches += n_more
        info = FeatureStore(tmp_path).info()
        assert info["arrays"] == info["writes"] == 2 * n_batches
    images = ImageLoader(size=32).transform(paintings)
    features = extractor(cache=tmp_path).transform(images)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
    assert FeatureStore(tmp_path).info()["writes"] == len(paintings)


@pytest.mark.slow
def test_two_processes_on_one_store(paintings, expected, tmp_path):
    parts = [slice(0, 30), slice(10, 40)]
    for process in [
        start(EXTRACTION, tmp_path, -1, *paintings[part]) for part in parts
    ]:
        finish(process)
    info = FeatureStore(tmp_path).info()
    # Those that need an image at the same moment may each compute it, once.
    assert info["arrays"] == len(paintings) <= info["writes"]
    assert info["writes"] <= sum(len(paintings[part]) for part in parts)
    images = ImageLoader(size=32).transform(paintings)
    features = extractor(cache=tmp_path).transform(images)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
    assert FeatureStore(tmp_path).info()["writes"] == info["writes"]


def test_many_threads_write_at_once(tmp_path):
    """Each thread opens the file for itself, as processes do."""

    def write(first):
        section = FeatureStore(tmp_path).section(IDENTITY)
        for row in range(first, 30, 2):  # each row by three of six threads
            section.write(keys(1, row), vectors(1, row))
            assert section.read(keys(1, row))[1].all()

    with ThreadPoolExecutor(6) as pool:
        [*pool.map(write, [0, 1] * 3)]
    arrays, found = FeatureStore(tmp_path).section(IDENTITY).read(keys(30))
    assert found.all()
    np.testing.assert_array_equal(arrays, vectors(30))
    assert FeatureStore(tmp_path).info()["writes"] == 3 * 30


@pytest.mark.slow
def test_many_processes_write_at_once(tmp_path):
    for process in [start(STAND_IN, tmp_path, N * 4, 1) for _ in range(6)]:
        finish(process)
    arrays, found = FeatureStore(tmp_path).section(IDENTITY).read(keys(N * 4))
    assert found.all()
    np.testing.assert_array_equal(arrays, vectors(N * 4))


def test_full_disk_is_an_error_and_stored_arrays_are_kept(tmp_path):
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


@needs_posix
def test_limit_of_the_file_size_is_an_error(tmp_path):
    finish(start(STAND_IN, tmp_path, N, BATCH))
    limit = (tmp_path / "features-1.sqlite").stat().st_size + 20_000
    limited = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
"""
    process = start(limited + STAND_IN, tmp_path, N * 2, BATCH)
    stderr = process.communicate()[1]
    assert process.returncode == 1  # an exception, no signal
    assert f"the feature store {tmp_path} has no room to grow" in stderr
    assert FeatureStore(tmp_path).section(IDENTITY).read(keys(N))[1].all()
    finish(start(STAND_IN, tmp_path, N * 2, BATCH))
    assert FeatureStore(tmp_path).info()["writes"] == N * 2


@pytest.mark.parametrize("pooling", ["avg", None])
def test_read_only_store_is_read(paintings, tmp_path, pooling):
    images = ImageLoader(size=32).transform(paintings[:6])
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


def test_empty_read_only_folder(tmp_path):
    with read_only(tmp_path):
        section = FeatureStore(tmp_path).section(IDENTITY)
        assert section.missing(keys(2)).all()
        with pytest.warns(UserWarning, match="computed and not kept"):
            section.write(keys(2), vectors(2))
        np.testing.assert_array_equal(section.read(keys(2))[0], vectors(2))
        assert section.store.digest_files([__file__])[0]
        report = section.store.verify()
        assert not report["problems"] and not report["repaired"]


def test_store_of_another_format_is_left_alone(tmp_path):
    store = FeatureStore(tmp_path)
    store.section(IDENTITY).write(keys(1), vectors(1))
    other = tmp_path / "features-9.sqlite"
    (tmp_path / "features-1.sqlite").rename(other)
    as_it_was = other.read_bytes()
    assert store.exists()
    assert store.section(IDENTITY).write(keys(2), vectors(2)) == 2
    assert other.read_bytes() == as_it_was
    store.clear()
    assert not list(tmp_path.iterdir())
    assert not store.exists()


def test_clear_deletes_nothing_else(tmp_path):
    store = FeatureStore(tmp_path)
    store.section(IDENTITY).write(keys(2), vectors(2))
    (tmp_path / "notes.txt").write_bytes(b"of another program")
    with pytest.raises(StoreError, match="'notes.txt'. Nothing was deleted"):
        store.clear()
    assert store.section(IDENTITY).read(keys(2))[1].all()
    (tmp_path / "notes.txt").unlink()
    assert store.clear() > 4096
    assert store.section(IDENTITY).missing(keys(2)).all()


@pytest.mark.parametrize(
    "name", ["with spaces", "Ölbild 絵 🎨", "100% #1?", "a&mode=ro"]
)
def test_unusual_names_of_folders(tmp_path, name, monkeypatch):
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


@needs_posix
@pytest.mark.parametrize(
    "n_before", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 5, 9))]
)
def test_interrupt_leaves_whole_batches(tmp_path, n_before):
    process = start(STAND_IN, tmp_path, N * 10, BATCH, "wait")
    for _ in range(n_before):
        process.stdout.readline()
    while process.poll() is None:  # Python may have lost one in a finalizer
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    section = FeatureStore(tmp_path).section(IDENTITY)
    n = section.store.info()["arrays"]
    assert n >= BATCH * (n_before - 1) and n % BATCH == 0
    assert section.write(keys(1, N * 10), vectors(1, N * 10)) == 1


@pytest.mark.slow
def test_folder_is_deleted_repeatedly(tmp_path):
    process = start(STAND_IN, tmp_path / "store", N * 3, BATCH)
    n_deleted = 0
    while process.stdout.readline():  # a batch is about to be written
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        n_deleted += 1
        for _ in range(2):  # it gives up where it is never left in peace
            process.stdout.readline()
    finish(process)
    assert n_deleted == N * 3 / BATCH / 3
    section = FeatureStore(tmp_path / "store").section(IDENTITY)
    section.write(keys(2), vectors(2))
    arrays, found = section.read(keys(N * 3))
    assert found[:2].all()
    np.testing.assert_array_equal(arrays[found], vectors(N * 3)[found])
