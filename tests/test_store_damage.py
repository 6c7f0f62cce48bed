"""A store with flipped bytes, or cut short: never a crash, never a wrong vector."""

import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import finish, keys, save_image, start, vectors

from skart import FeatureStore

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


@pytest.mark.filterwarnings("ignore:the feature store", "ignore:[0-9]+ arrays in the")
@pytest.mark.parametrize("width", [10, 2000])
@pytest.mark.parametrize("kind", KINDS)
def test_damage_never_gives_a_wrong_vector(sound, tmp_path, kind, width):
    generator = random.Random(f"{kind} {width}")
    truth = vectors(N, width=width)
    section = FeatureStore(tmp_path).section(IDENTITY)
    for _ in range(12):
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


def test_what_can_be_read_is_saved(sound, tmp_path):
    data = bytearray(sound[2000])
    data[20 * 4096 : 21 * 4096] = os.urandom(4096)
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
def test_damaged_names_of_files_are_digested_anew(tmp_path):
    file = Path(save_image(tmp_path / "a.jpg"))
    store = FeatureStore(tmp_path / "store")
    time.sleep(max(0, 2.05 - (time.time() - file.stat().st_ctime)))
    (digest,) = store.digest_files([file])
    path = store.root / "features-2.sqlite"
    data = path.read_bytes()
    assert data.count(digest) == 1  # kept
    path.write_bytes(data.replace(digest, b"x" + digest[1:]))
    assert store.digest_files([file]) == [digest]
