"""Reads, writes, digests of files: the store in one process."""

import os
import pickle
import shutil
import sqlite3
import tempfile
import time

import helpers
import numpy as np
import pytest
from helpers import STAND_IN, finish, keys, start
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from skart import FeatureStore
from skart.store import StoreError

IDENTITY = {"backbone": "test", "layer": None}


def vectors(n, start=0, width=5):
    return helpers.vectors(n, start, width)


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "a store, très long")


def test_round_trip(store):
    section = store.section(IDENTITY)
    assert section.read(keys(2))[0] is None
    assert section.missing(keys(2)).all()
    section.write(keys(3), vectors(3))
    arrays, found = section.read([keys(3)[2], b"?" * 32, None, keys(3)[0]])
    assert found.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(arrays[[0, 3]], vectors(3)[[2, 0]])
    assert arrays.dtype == np.float32 and not arrays[[1, 2]].any()
    assert section.missing([*keys(4), None]).tolist() == [False] * 3 + [True] * 2


def test_sections_are_separate(store):
    store.section(IDENTITY).write(keys(3), vectors(3))
    other = store.section(IDENTITY | {"layer": "mixed5"})
    assert other.missing(keys(3)).all() and not other.read(keys(3))[1].any()
    other.write(keys(1), np.ones((1, 2, 2), "f2"))
    assert other.shape == (2, 2) and other.dtype == np.float16
    assert store.section(dict(reversed(IDENTITY.items()))).shape == (5,)
    info = store.info()
    assert info["arrays"] == info["writes"] == 4
    assert len(info["sections"]) == 2
    assert info["bytes"] > 0


def test_writes_count_arrays_computed_twice(store):
    section = store.section(IDENTITY)
    section.write(keys(3), vectors(3))
    section.write(keys(3), vectors(3))
    assert store.info()["arrays"] == 3
    assert store.info()["writes"] == 6


# A fork in a process of its own, which has no threads that could hold a lock.
FORK = """
import multiprocessing, sys
import numpy as np
from skart import FeatureStore

def write(*rows):
    keys = [f"image {row}".encode().ljust(32) for row in rows]
    section.write(keys, (np.array(rows)[:, None] + np.arange(5) / 5).astype("f4"))

section = FeatureStore(sys.argv[1]).section({"backbone": "test", "layer": None})
write(5)
child = multiprocessing.get_context("fork").Process(target=write, args=(0, 1))
child.start()
child.join()
assert child.exitcode == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_store_survives_fork_and_pickle(store):
    finish(start(FORK, store.root))
    again = pickle.loads(pickle.dumps(store))
    arrays, found = again.section(IDENTITY).read([*keys(2), *keys(1, 5)])
    assert found.all()
    np.testing.assert_array_equal(arrays, [*vectors(2), *vectors(1, 5)])


def test_killed_writer_leaves_whole_batches(store):
    process = start(STAND_IN, store.root, 10_000, 4)
    for _ in range(4):  # in the middle of whatever it does then
        process.stdout.readline()
    process.kill()
    process.communicate()
    section = store.section({"backbone": "stand-in"})
    n = store.info()["arrays"]
    assert n >= 12 and n % 4 == 0
    arrays, found = section.read(keys(n))
    assert found.all()
    np.testing.assert_array_equal(arrays, vectors(n, width=500))
    section.write(keys(1, n), vectors(1, n, 500))  # no lock is left behind


def test_read_deletes_damaged_arrays_with_a_warning(store):
    section = store.section(IDENTITY)
    section.write(keys(20), vectors(20))
    path = store.root / "features-1.sqlite"
    value = vectors(20)[7].tobytes()
    path.write_bytes(path.read_bytes().replace(value, bytes(len(value))))
    with pytest.warns(UserWarning, match="1 arrays in the feature store .* damaged"):
        arrays, found = section.read(keys(20))
    assert np.flatnonzero(~found).tolist() == [7]
    np.testing.assert_array_equal(arrays[found], vectors(20)[found])
    assert section.missing(keys(20)).tolist() == (~found).tolist()


def test_store_may_be_deleted_between_calls(store):
    section = store.section(IDENTITY)
    section.write(keys(3), vectors(3))
    shutil.rmtree(store.root)
    assert section.missing(keys(3)).all()
    section.write(keys(2), vectors(2))
    assert section.read(keys(3))[1].tolist() == [True, True, False]


def test_full_store_is_an_error_and_stays_readable(tmp_path):
    store = FeatureStore(tmp_path, max_bytes=2**20)
    section = store.section(IDENTITY)
    section.write(keys(3), vectors(3))
    with pytest.raises(StoreError, match="max_bytes"):
        section.write(keys(500, 10), np.zeros((500, 4000), "f4"))
    assert section.read(keys(3))[1].all()


def test_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file is not a folder"):
        FeatureStore(tmp_path / "file").section(IDENTITY).missing(keys(1))


def test_temporary_store_is_deleted_with_the_object():
    store = FeatureStore.temporary()
    store.section(IDENTITY).write(keys(1), vectors(1))
    root = store.root
    assert root.exists()
    del store
    assert not root.exists()


@pytest.fixture
def count_reads(monkeypatch):
    """Count the files whose bytes are digested."""
    import hashlib

    reads = []
    original = hashlib.file_digest

    def counting(file, *args):
        reads.append(file.name)
        return original(file, *args)

    monkeypatch.setattr(hashlib, "file_digest", counting)
    return reads


@pytest.fixture
def clock(monkeypatch):
    """Set the time that the store compares with that of files."""
    return lambda now: monkeypatch.setattr(time, "time", lambda: now)


def test_files_are_digested_again_only_if_they_changed(
    store, tmp_path, count_reads, clock
):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    clock(two.stat().st_ctime + 2.1)
    first = store.digest_files([one, two, tmp_path / "missing", tmp_path])
    assert first[0] == first[1] and len(first[0]) == 32
    assert first[2:] == [None, None]
    assert len(count_reads) == 2
    assert store.digest_files([one, two]) == first[:2]
    assert len(count_reads) == 2
    stat = one.stat()
    one.write_bytes(b"diff")  # as long, and dated back
    os.utime(one, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.digest_files([one])[0] != first[0]


def test_fresh_files_are_always_digested(store, tmp_path, count_reads, clock):
    (tmp_path / "one").write_bytes(b"a")
    clock((tmp_path / "one").stat().st_ctime + 1.9)
    store.digest_files([tmp_path / "one"])
    store.digest_files([tmp_path / "one"])
    assert len(count_reads) == 2


def test_write_keeps_stored_arrays(store):
    """Two processes that compute the same array at once may differ in its last bits."""
    section = store.section(IDENTITY)
    assert section.write(keys(2), vectors(2)) == 2
    assert section.write(keys(3), vectors(3) + 1) == 1
    arrays, _ = section.read(keys(3))
    np.testing.assert_array_equal(arrays[:2], vectors(2))
    np.testing.assert_array_equal(arrays[2:], vectors(3)[2:] + 1)


def test_folder_deleted_while_it_is_made(store, monkeypatch):
    """Another process makes the folder just before, and deletes it just after."""
    make, made = os.mkdir, []

    def mkdir(path, *args):
        made.append(path)
        if len(made) < 3:
            raise [FileExistsError, FileNotFoundError][len(made) - 1](path)
        make(path, *args)

    monkeypatch.setattr(os, "mkdir", mkdir)
    store.section(IDENTITY).write(keys(2), vectors(2))
    assert len(made) == 3
    assert store.section(IDENTITY).read(keys(2))[1].all()


@pytest.mark.parametrize("n_before", range(10))
@pytest.mark.parametrize("made_anew", [False, True])
def test_store_replaced_while_it_is_opened(store, monkeypatch, n_before, made_anew):
    """The folder is deleted, and made anew perhaps, as its files are opened."""
    connect, opened = sqlite3.connect, []
    section = store.section(IDENTITY)
    section.write(keys(2), vectors(2))

    def connect_late(*args, **options):
        opened.append(args)
        if len(opened) == 1 + n_before:
            shutil.rmtree(store.root)
            if made_anew:
                section.write(keys(1, 7), vectors(1, 7))
        return connect(*args, **options)

    monkeypatch.setattr(sqlite3, "connect", connect_late)
    for n in range(1, 4):
        section.write(keys(n), vectors(n))
        section.missing(keys(n))
    assert len(opened) > n_before
    section.write(keys(3), vectors(3))
    arrays, found = section.read([*keys(3), *keys(1, 7)])
    assert found.tolist() == [True] * 3 + [made_anew]
    np.testing.assert_array_equal(arrays[:3], vectors(3))


class StoreMachine(RuleBasedStateMachine):
    """After any sequence of calls, the store has the items of a dict."""

    items = st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True)

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.open_again()
        self.expected = [{}, {}]  # of each section: item -> value

    @rule()
    def open_again(self):
        self.store = pickle.loads(pickle.dumps(FeatureStore(self.folder.name)))
        self.sections = [self.store.section({"layer": layer}) for layer in range(2)]

    @rule(layer=st.integers(0, 1), items=items, value=st.integers(0, 99))
    def write(self, layer, items, value):
        arrays = np.full((len(items), 2 + layer), value, np.float32)
        self.sections[layer].write([b"%d" % item for item in items], arrays)
        # What is stored stays.
        self.expected[layer] = dict.fromkeys(items, value) | self.expected[layer]

    @rule(layer=st.integers(0, 1), items=items)
    def read(self, layer, items):
        digests = [b"%d" % item for item in items]
        arrays, found = self.sections[layer].read([*digests, None])
        known = [item in self.expected[layer] for item in items]
        assert found.tolist() == [*known, False]
        assert (~self.sections[layer].missing(digests)).tolist() == known
        if not self.expected[layer]:
            assert arrays is None
            return
        values = [self.expected[layer].get(item, 0) for item in items]
        np.testing.assert_array_equal(
            arrays, np.repeat([[*values, 0]], 2 + layer, axis=0).T
        )

    @rule()
    def delete(self):
        shutil.rmtree(self.folder.name, ignore_errors=True)  # not made yet
        self.expected = [{}, {}]

    @invariant()
    def counts(self):
        assert self.store.info()["arrays"] == sum(map(len, self.expected))

    def teardown(self):
        self.folder.cleanup()


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None
)
