"""Damaged and truncated stores: no crash, and no wrong vector."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import finish, keys, read_only, save_image, start, vectors

from skart import FeatureStore
from skart.store import StoreError

IDENTITY = {"backbone": "stand-in"}
NAME = "features-1.sqlite"
N = 120

KINDS = ["bit", "bytes", "header", "truncated", "page", "swapped", "zeroed"]


def damage(data, kind, generator):
    """Damage a file of pages of 4096 bytes."""
    data, n_pages = bytearray(data), len(data) // 4096

    def page():
        start = 4096 * generator.randrange(n_pages)
        return slice(start, start + 4096)

    if kind == "bit":
        data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
    elif kind == "bytes":
        for _ in range(50):
            data[generator.randrange(len(data))] = generator.randrange(256)
    elif kind == "header":
        data[generator.randrange(200)] ^= 1 << generator.randrange(8)
    elif kind == "truncated":
        del data[generator.randrange(len(data)) :]
    elif kind == "page":
        data[page()] = generator.randbytes(4096)
    elif kind == "swapped":
        one, other = page(), page()
        data[one], data[other] = data[other], data[one]
    else:
        data[page()] = bytes(4096)
    return data


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Return the files of two stores, by the size of their vectors."""
    files = {}
    for width in (10, 2000):
        store = FeatureStore(tmp_path_factory.mktemp("sound"))
        for first in range(0, N, 20):
            values = vectors(20, first, width)
            store.section(IDENTITY).write(keys(20, first), values)
        files[width] = (store.root / "features-1.sqlite").read_bytes()
    return files


@pytest.mark.filterwarnings("ignore:the feature store", "ignore:[0-9]+ arrays in the")
@pytest.mark.parametrize(
    "width, n_rounds",
    [
        (10, 1),
        pytest.param(10, 12, marks=pytest.mark.slow),
        pytest.param(2000, 12, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_damage_never_gives_a_wrong_vector(sound, tmp_path, kind, width, n_rounds):
    generator = random.Random(f"{kind} {width}")
    truth = vectors(N, width=width)
    file = tmp_path / NAME
    section = FeatureStore(tmp_path).section(IDENTITY)
    for _ in range(n_rounds):
        damaged = damage(sound[width], kind, generator)
        file.write_bytes(damaged)
        try:
            report = section.store.verify()
        except StoreError as error:  # its first page is lost
            assert "is no feature store" in str(error)
            assert file.read_bytes() == damaged
            continue
        if kind == "truncated":
            assert report["problems"] or not damaged
        for _ in range(8):  # as the extractor does
            rows = np.flatnonzero(section.missing(keys(N)))
            if len(rows):
                section.write([keys(N)[row] for row in rows], truth[rows])
            arrays, found = section.read(keys(N))
            if found.any():
                np.testing.assert_array_equal(arrays[found], truth[found])
            if found.all():
                break
        assert found.all()
        section.store.verify(repair=True)
        report = section.store.verify()
        assert not report["damaged"] and not report["problems"]
        arrays, found = section.read(keys(N))
        if found.any():
            np.testing.assert_array_equal(arrays[found], truth[found])


def test_damaged_file_is_renamed_and_begun_anew(sound, tmp_path):
    file, damaged = tmp_path / NAME, sound[2000][:-20_000]
    file.write_bytes(damaged)
    section = FeatureStore(tmp_path).section(IDENTITY)
    with pytest.warns(UserWarning, match=f"{NAME}.damaged; features are computed anew"):
        assert section.write(keys(N), vectors(N, width=2000)) == N
    assert (tmp_path / f"{NAME}.damaged").read_bytes() == damaged
    assert section.read(keys(N))[1].all()
    assert section.store.clear() > len(damaged)
    assert not list(tmp_path.iterdir())


def test_verify_repairs_damaged_file(sound, tmp_path):
    (tmp_path / NAME).write_bytes(sound[2000][:-20_000])
    store = FeatureStore(tmp_path)
    assert store.verify()["problems"]
    assert not (tmp_path / f"{NAME}.damaged").exists()
    with pytest.warns(UserWarning, match="was damaged"):
        report = store.verify(repair=True)
    assert report["repaired"] and not report["arrays"]
    assert (tmp_path / f"{NAME}.damaged").exists()
    assert not store.verify()["problems"]


@pytest.mark.parametrize("first", [True, False])
def test_verify_finds_damaged_keys(tmp_path, first):
    store = FeatureStore(tmp_path)
    store.section(IDENTITY).write(keys(3), vectors(3, width=10))
    file, key = tmp_path / NAME, keys(3)[1]
    data = bytearray(file.read_bytes())
    assert data.count(key) == 2  # in the table, and in its index
    data[(data.index(key) if first else data.rindex(key)) + len(key) - 1] ^= 1
    file.write_bytes(data)
    assert store.verify()["problems"]


def test_damaged_file_of_read_only_store_is_an_error(sound, tmp_path):
    (tmp_path / NAME).write_bytes(sound[2000][:-20_000])
    with read_only(tmp_path):
        section = FeatureStore(tmp_path).section(IDENTITY)
        with pytest.raises(StoreError, match="is damaged, and nothing can be written"):
            section.read(keys(N))


@pytest.mark.filterwarnings("ignore:the feature store")
def test_threads_meet_a_damaged_file_at_once(sound, tmp_path):
    (tmp_path / NAME).write_bytes(sound[10][:-8192])
    truth = vectors(N, width=10)

    def fill(_):
        section = FeatureStore(tmp_path).section(IDENTITY)
        while (rows := np.flatnonzero(section.missing(keys(N)))).size:
            section.write([keys(N)[row] for row in rows], truth[rows])
        return section.read(keys(N))

    with ThreadPoolExecutor(6) as pool:
        for arrays, found in pool.map(fill, range(6)):
            np.testing.assert_array_equal(arrays[found], truth[found])
    assert FeatureStore(tmp_path).verify()["problems"] == []


def test_truncation_of_an_open_store_is_no_crash(sound, tmp_path):
    script = """
import sys, warnings
from skart import FeatureStore
warnings.simplefilter("ignore")
section = FeatureStore(sys.argv[1]).section({"backbone": "stand-in"})
keys = [f"image {i}".encode().ljust(32) for i in range(120)]
assert section.read(keys)[1].all()
file = section.store.root / "features-1.sqlite"
file.write_bytes(file.read_bytes()[:100_000])
print(section.read(keys)[1].sum())
"""
    (tmp_path / "features-1.sqlite").write_bytes(sound[2000])
    assert 0 <= int(finish(start(script, tmp_path))) < N


@pytest.mark.filterwarnings("ignore:[0-9]+ arrays in the")
def test_damaged_digests_of_files_are_computed_anew(tmp_path, monkeypatch):
    file = Path(save_image(tmp_path / "a.jpg"))
    store = FeatureStore(tmp_path / "store")
    monkeypatch.setattr(time, "time", lambda: file.stat().st_ctime + 2.1)
    (digest,) = store.digest_files([file])
    path = store.root / "features-1.sqlite"
    data = path.read_bytes()
    assert data.count(digest) == 1  # kept
    path.write_bytes(data.replace(digest, b"x" + digest[1:]))
    assert store.digest_files([file]) == [digest]
