"""A store with flipped bytes, or cut short: never a crash, never a wrong vector."""

import contextlib
import random
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import finish, keys, save_image, start, vectors

from skart import FeatureStore
from skart.store import StoreError

IDENTITY = {"backbone": "stand-in"}
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
    """Files of stores of small vectors, with much of a tree, and of large ones."""
    files = {}
    for width in (10, 2000):
        store = FeatureStore(tmp_path_factory.mktemp("sound"))
        for first in range(0, N, 20):
            values = vectors(20, first, width)
            store.section(IDENTITY).write(keys(20, first), values)
        files[width] = (store.root / "features-2.sqlite").read_bytes()
    return files


@pytest.mark.filterwarnings(
    "ignore:the feature store",
    "ignore:[0-9]+ arrays in the",
    "ignore:.* holds nothing of a store",
)
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
    section = FeatureStore(tmp_path).section(IDENTITY)
    for _ in range(n_rounds):
        damaged = damage(sound[width], kind, generator)
        (tmp_path / "features-2.sqlite").write_bytes(damaged)
        seen = section.store.verify()
        for _ in range(8):  # as the extractor does
            rows = np.flatnonzero(section.missing(keys(N)))
            if len(rows):
                section.write([keys(N)[row] for row in rows], truth[rows])
            arrays, found = section.read(keys(N))
            np.testing.assert_array_equal(arrays[found], truth[found])
            if found.all():
                break
        assert found.all()
        if kind == "truncated":
            assert seen["problems"] or not damaged
        section.store.verify(repair=True)
        report = section.store.verify()
        assert not report["damaged"] and not report["problems"]
        arrays, found = section.read(keys(N))
        assert found.mean() > 0.5  # most can be saved
        np.testing.assert_array_equal(arrays[found], truth[found])


def test_repair_keeps_readable_arrays(sound, tmp_path):
    data = bytearray(sound[2000])
    data[20 * 4096 : 21 * 4096] = random.Random(0).randbytes(4096)
    (tmp_path / "features-2.sqlite").write_bytes(data)
    store = FeatureStore(tmp_path)
    report = store.verify()
    assert report["problems"] or report["damaged"]
    assert store.verify(repair=True)["repaired"]
    assert N - 5 <= store.info()["arrays"] < N


def test_the_rest_of_a_truncated_store_is_saved(sound, tmp_path):
    (tmp_path / "features-2.sqlite").write_bytes(sound[2000][:-20_000])
    section = FeatureStore(tmp_path).section(IDENTITY)
    with pytest.warns(UserWarning, match="was damaged: 11[0-9] of its arrays"):
        arrays, found = section.read(keys(N))
    assert 110 <= found.sum() < N
    np.testing.assert_array_equal(arrays[found], vectors(N, width=2000)[found])


@pytest.fixture
def as_it_opens(monkeypatch):
    """Return a function that sets what is done as each file of a store is opened."""
    connect = sqlite3.connect

    def do(something):
        n_opened = 0

        def connect_late(*args, **options):
            nonlocal n_opened
            n_opened += 1
            n = n_opened
            with monkeypatch.context() as patch:
                patch.setattr(sqlite3, "connect", connect)
                something(n)
            return connect(*args, **options)

        monkeypatch.setattr(sqlite3, "connect", connect_late)
        return lambda: n_opened

    return do


def test_others_write_while_a_store_is_verified(tmp_path, as_it_opens):
    n = 2000  # of 8 kB with the search for each: in several parts
    section = FeatureStore(tmp_path).section(IDENTITY)
    section.write(keys(n), vectors(n, width=10))

    def write(n_opened):
        other = sqlite3.connect(section.store.root / "features-2.sqlite", timeout=0)
        with contextlib.closing(other):
            other.execute("BEGIN EXCLUSIVE")  # an error while anyone reads
            other.execute("ROLLBACK")
        section.write(keys(1, n + n_opened), vectors(1, n + n_opened, 10))

    n_opened = as_it_opens(write)
    report = FeatureStore(tmp_path).verify()
    assert n <= report["arrays"] <= n + n_opened() and not report["problems"]
    assert n_opened() > 10
    assert section.read(keys(n))[1].all()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    "width", [10, pytest.param(3 * 2**23, marks=pytest.mark.slow)], ids=["", "large"]
)
def test_lost_keys_are_found(tmp_path, width, first):
    """In a file that is checked as a whole, and in one of more than 256 MB."""
    store = FeatureStore(tmp_path)
    store.section(IDENTITY).write(keys(3), vectors(3, width=width))
    file, key = tmp_path / "features-2.sqlite", keys(3)[1]
    data = bytearray(file.read_bytes())
    assert data.count(key) == 2  # in the table, and in its index
    data[(data.index(key) if first else data.rindex(key)) + len(key) - 1] ^= 1
    file.write_bytes(data)
    report = store.verify(repair=True)
    lost = "1 rows are not found by their keys"
    assert report["problems"] == [lost] if width > 10 else lost in report["problems"]
    assert report["arrays"] == 3 - len(report["damaged"])
    assert store.verify()["problems"] == []


def test_a_store_that_is_made_anew_while_it_is_verified(sound, tmp_path, as_it_opens):
    file = tmp_path / "features-2.sqlite"
    file.write_bytes(sound[10])

    def replace(n_opened):
        if n_opened == 1:
            file.rename(tmp_path / "old")
            file.write_bytes(sound[10])

    as_it_opens(replace)
    with pytest.raises(StoreError, match="made anew, while it was used. Run again"):
        FeatureStore(tmp_path).verify(repair=True)
    assert file.read_bytes() == sound[10]


def test_two_mend_at_once(sound, tmp_path, as_it_opens):
    """The second finds it done, and what was written since stays."""
    file = tmp_path / "features-2.sqlite"
    file.write_bytes(sound[10][:-8192])
    section = FeatureStore(tmp_path).section(IDENTITY)

    def mend_first(n_opened):
        if n_opened == 3:  # the damage has been seen
            with pytest.warns(UserWarning, match="of its arrays could be saved"):
                section.write(keys(1, N), vectors(1, N, 10))

    as_it_opens(mend_first)
    arrays, found = section.read(keys(N + 1))
    assert found[-1] and found.sum() > N / 2
    np.testing.assert_array_equal(arrays[found], vectors(N + 1, width=10)[found])


def test_damage_while_it_is_in_use(sound, tmp_path):
    """What was cut short under the hands of a process is an error, no signal."""
    script = """
import sys, warnings
from skart import FeatureStore
warnings.simplefilter("ignore")
section = FeatureStore(sys.argv[1]).section({"backbone": "stand-in"})
keys = [f"image {i}".encode().ljust(32) for i in range(120)]
assert section.read(keys)[1].all()
file = section.store.root / "features-2.sqlite"
file.write_bytes(file.read_bytes()[:100_000])
print(section.read(keys)[1].sum())
"""
    (tmp_path / "features-2.sqlite").write_bytes(sound[2000])
    assert 0 <= int(finish(start(script, tmp_path))) < N


@pytest.mark.filterwarnings("ignore:[0-9]+ arrays in the")
def test_damaged_names_of_files_are_digested_anew(tmp_path, monkeypatch):
    file = Path(save_image(tmp_path / "a.jpg"))
    store = FeatureStore(tmp_path / "store")
    monkeypatch.setattr(time, "time", lambda: file.stat().st_ctime + 2.1)
    (digest,) = store.digest_files([file])
    path = store.root / "features-2.sqlite"
    data = path.read_bytes()
    assert data.count(digest) == 1  # kept
    path.write_bytes(data.replace(digest, b"x" + digest[1:]))
    assert store.digest_files([file]) == [digest]
