"""Features that machines share: shards on a folder or a URL."""

import hashlib
import json
import os
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from counting_files import CountingFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from helpers import finish, keys, read_only, start, vectors

from skart import FeatureStore
from skart.store import StoreError, verify_upstream

IDENTITY = {"backbone": "test", "layer": None}


@pytest.fixture
def calls(monkeypatch):
    """Return what was asked of counting:// since the last time."""
    for name, value in {"store": {}, "pseudo_dirs": [""], "calls": []}.items():
        monkeypatch.setattr(CountingFileSystem, name, value)

    def since():
        done = CountingFileSystem.calls[:]
        CountingFileSystem.calls.clear()
        return done

    return since


@pytest.fixture(params=["folder", "file", "memory"])
def url(request, tmp_path):
    if request.param == "memory":
        MemoryFileSystem.store.clear()
        return "memory://bucket/features"
    folder = str(tmp_path / "a share")
    return folder if request.param == "folder" else f"file://{folder}"


@pytest.fixture
def store(tmp_path):
    """A store with thirty arrays."""
    store = FeatureStore(tmp_path / "first")
    store.section(IDENTITY).write(keys(30), vectors(30))
    return store


@pytest.fixture
def shared(store, tmp_path):
    """A folder to which they were pushed."""
    store.push(tmp_path / "shared", verbose=False)
    return tmp_path / "shared"


def second(tmp_path, url, name="second"):
    return FeatureStore(tmp_path / name, upstream=url)


def shards(folder):
    return sorted(folder.glob("*/*.parquet"))


def test_round_trip(store, url, tmp_path):
    done = store.push(url, verbose=False)
    assert (done["sections"], done["arrays"], done["shards"]) == (1, 30, 1)
    assert store.push(url, verbose=False)["shards"] == 0
    other = second(tmp_path, url)
    section = other.section(IDENTITY)
    assert section.shape == (500,) and section.dtype == np.float32
    assert section.missing([*keys(31), None]).tolist() == [False] * 30 + [True] * 2
    # What was found is stored: the upstream is not needed any more.
    alone = FeatureStore(other.root, upstream=False).section(IDENTITY)
    arrays, found = alone.read(keys(31))
    assert found.tolist() == [True] * 30 + [False]
    np.testing.assert_array_equal(arrays[:30], vectors(30))


def test_read_looks_in_the_upstream(shared, tmp_path):
    section = second(tmp_path, shared).section(IDENTITY)
    arrays, found = section.read([keys(5)[4], None, b"?" * 32, keys(1)[0]])
    assert found.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(arrays[[0, 3]], vectors(5)[[4, 0]])
    assert section.store.info()["arrays"] == 2


def test_pull(store, url, tmp_path):
    store.section(IDENTITY | {"layer": "other"}).write(
        keys(2), np.ones((2, 3, 4), "f2")
    )
    store.push(url, verbose=False)
    one = next(x["key"] for x in store.info()["sections"] if x["arrays"] == 30)
    target = second(tmp_path, url)
    assert target.pull(section=one[:8], verbose=False) == {"sections": 1, "arrays": 30}
    assert target.pull(verbose=False) == {"sections": 2, "arrays": 2}
    assert target.pull(verbose=False) == {"sections": 2, "arrays": 0}
    assert target.info()["sections"] == store.info()["sections"]
    assert target.section(IDENTITY | {"layer": "other"}).dtype == np.float16
    with pytest.raises(ValueError, match="section='zz'"):
        target.pull(section="zz", verbose=False)
    with pytest.raises(ValueError, match="section='zz'"):
        target.push(section="zz", verbose=False)
    assert verify_upstream(url, verbose=False)["arrays"] == 32


def test_push_adds_what_is_new(store, shared, tmp_path):
    before = {path: path.read_bytes() for path in shards(shared)}
    store.section(IDENTITY).write(keys(10, 30), vectors(10, 30))
    assert store.push(shared, verbose=False)["arrays"] == 10
    assert len(shards(shared)) == 2
    assert all(path.read_bytes() == content for path, content in before.items())
    for path in shards(shared):
        assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()
        assert pq.read_schema(path).names == ["digest", "checksum", "array"]
    described = json.loads((shards(shared)[0].parent / "section.json").read_text())
    assert described == {"identity": IDENTITY, "shape": [500], "dtype": "float32"}


@pytest.mark.slow
def test_large_sections_are_cut_into_shards(tmp_path):
    store = FeatureStore(tmp_path / "first")
    section = store.section(IDENTITY)
    arrays = np.random.default_rng(0).normal(size=(24, 1_000_000)).astype("f4")
    section.write(keys(24), arrays)
    assert store.push(tmp_path / "shared", verbose=False)["shards"] == 2
    sizes = [path.stat().st_size for path in shards(tmp_path / "shared")]
    assert 64e6 < max(sizes) < 85e6
    other = second(tmp_path, tmp_path / "shared").section(IDENTITY)
    np.testing.assert_array_equal(other.read(keys(24))[0], arrays)


def test_environment_variable_and_pickle(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("SKART_UPSTREAM", str(shared))
    store = FeatureStore(tmp_path / "second")
    assert store.upstream == str(shared)
    assert FeatureStore(tmp_path / "second", upstream=False).upstream is None
    assert FeatureStore.temporary().upstream is None
    monkeypatch.delenv("SKART_UPSTREAM")
    assert FeatureStore(tmp_path / "second").upstream is None
    store.section(IDENTITY).missing(keys(2))
    again = pickle.loads(pickle.dumps(store))
    assert again.upstream == str(shared) and again.root == store.root
    assert not again.section(IDENTITY).missing(keys(30)).any()


def test_listings_and_reads_are_few(store, calls, tmp_path):
    store.push("counting://bucket", verbose=False)
    calls()
    section = second(tmp_path, "counting://bucket").section(IDENTITY)
    wanted = [*keys(20), *keys(5, 100)]
    assert section.missing(wanted).sum() == 5
    listed = [what for what, _ in calls()].count("list")
    assert listed == 1
    for start_ in range(0, 25, 5):  # batch by batch, as they are computed
        section.missing(wanted[start_ : start_ + 5])
        section.read(wanted[start_ : start_ + 5])
    assert calls() == []
    # Others of the same shard are found without another listing.
    assert not section.missing(keys(10, 20)).any()
    found = calls()
    assert found and {what for what, _ in found} == {"read"}
    # What was pushed meanwhile is found, since it was not looked for before.
    store.section(IDENTITY).write(keys(10, 40), vectors(10, 40))
    store.push("counting://bucket", verbose=False)
    (old,) = {name for _, name in found}
    calls()
    assert not section.missing(keys(10, 40)).any()
    found = calls()
    assert [what for what, _ in found].count("list") == 1
    assert old not in {name for _, name in found}  # its digests are known
    # What is stored here is not asked for.
    assert not section.missing(keys(30)).any() and section.read(keys(30))[1].all()
    assert calls() == []


def test_unknown_section_is_looked_for_once(calls, store, tmp_path):
    store.push("counting://bucket", verbose=False)
    calls()
    section = second(tmp_path, "counting://bucket").section({"other": 1})
    for _ in range(5):
        assert section.missing(keys(4)).all()
    assert len(calls()) <= 2


@pytest.mark.parametrize("call", ["missing", "read"])
def test_unreachable_upstream_is_an_error(store, calls, tmp_path, monkeypatch, call):
    store.push("counting://user:secret@bucket", verbose=False)
    monkeypatch.setattr(CountingFileSystem, "broken", True)
    other = second(tmp_path, "counting://user:secret@bucket")
    match = "upstream counting://bucket can't be used: LookupError: no rights"
    with pytest.raises(StoreError, match=match) as raised:
        getattr(other.section(IDENTITY), call)(keys(3))
    assert "secret" not in str(raised.value)
    with pytest.raises(StoreError, match="can't be used"):
        other.push(verbose=False)
    # What is stored here needs no upstream.
    other.section(IDENTITY)._write = None
    FeatureStore(other.root, upstream=False).section(IDENTITY).write(
        keys(3), vectors(3)
    )
    assert other.section(IDENTITY).read(keys(3))[1].all()


def test_connection_lost_while_a_shard_is_read(store, calls, tmp_path, monkeypatch):
    store.push("counting://bucket", verbose=False)
    section = second(tmp_path, "counting://bucket").section(IDENTITY)
    section.missing(keys(1))
    read = CountingFileSystem.cat_file

    def lose(self, path, start=None, end=None):
        if path.endswith(".parquet"):
            raise TimeoutError("the line is dead")
        return read(self, path, start=start, end=end)

    monkeypatch.setattr(CountingFileSystem, "cat_file", lose)
    with pytest.raises(StoreError, match="the line is dead"):
        section.missing(keys(3))


def test_empty_folder_is_no_upstream(store, tmp_path):
    (tmp_path / "unmounted").mkdir()
    with pytest.raises(StoreError, match="there is no upstream"):
        store.pull(tmp_path / "unmounted", verbose=False)
    section = second(tmp_path, tmp_path / "unmounted").section(IDENTITY)
    with pytest.raises(StoreError, match="skart cache push"):
        section.missing([b"x" * 32])


def test_missing_upstream_is_an_error(tmp_path):
    other = second(tmp_path, tmp_path / "nowhere")
    with pytest.raises(StoreError, match="there is no upstream .*nowhere"):
        other.section(IDENTITY).missing(keys(3))
    with pytest.raises(StoreError, match="there is no upstream"):
        other.pull(verbose=False)
    with pytest.raises(StoreError, match="there is no upstream"):
        verify_upstream(tmp_path / "nowhere", verbose=False)
    other.push(verbose=False)  # makes it
    assert other.section(IDENTITY).missing(keys(3)).all()


def test_unknown_protocol(tmp_path):
    with pytest.raises(StoreError, match="nonsense://x can't be used.*nonsense"):
        second(tmp_path, "nonsense://x").section(IDENTITY).missing(keys(1))


def test_no_upstream_to_push_to(store):
    with pytest.raises(ValueError, match="there is no upstream: pass url"):
        store.push()


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-300])


def _cut_in_the_middle(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _empty(path):
    path.write_bytes(b"")


def _replace(path):
    path.write_bytes(b"<html>404</html>" * 50)


def _scramble(path):
    content = bytearray(path.read_bytes())
    content[100:-2000] = os.urandom(len(content) - 2100)
    path.write_bytes(content)


def _write_another_table(path):
    pq.write_table(pa.table({"name": ["x"]}), path)


@pytest.mark.parametrize(
    "damage",
    [_truncate, _cut_in_the_middle, _empty, _replace, _scramble, _write_another_table],
)
def test_damaged_shard_is_passed_over(store, shared, tmp_path, damage):
    sound = shards(shared)
    store.section(IDENTITY).write(keys(10, 30), vectors(10, 30))
    store.push(shared, verbose=False)
    (path,) = {*shards(shared)} - {*sound}
    damage(path)
    section = second(tmp_path, shared).section(IDENTITY)
    with pytest.warns(UserWarning, match=f"{path.name} is damaged and passed over"):
        missing = section.missing(keys(40))
    assert np.flatnonzero(missing).tolist() == list(range(30, 40))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        assert section.missing(keys(40)).sum() == 10
    section.write(keys(10, 30), vectors(10, 30))
    np.testing.assert_array_equal(section.read(keys(40))[0], vectors(40))

    target = second(tmp_path, shared, "third")
    with pytest.warns(UserWarning, match=f"{path.name} is damaged"):
        assert target.pull(verbose=False)["arrays"] == 30
    report = verify_upstream(shared, repair=True, verbose=False)
    assert [x["file"] for x in report["damaged"]] == [str(path)]
    assert report["repaired"] and report["shards"] == 1 and report["arrays"] == 30
    assert store.push(shared, verbose=False)["arrays"] == 10
    report = verify_upstream(shared, verbose=False)
    assert report["damaged"] == [] and report["arrays"] == 40


def _rewrite(path, change):
    """Change the rows of a shard, and name it by its content as it is now."""
    table = pq.read_table(path).to_pydict()
    change(table)
    schema = pq.read_schema(path)
    pq.write_table(pa.table(table, schema=schema), path)
    named = path.with_name(f"{hashlib.sha256(path.read_bytes()).hexdigest()}.parquet")
    return path.rename(named)


@pytest.mark.parametrize("kind", ["bytes", "length", "digest"])
def test_rows_with_wrong_checksums_are_passed_over(store, shared, tmp_path, kind):
    def change(table):
        row = table["digest"].index(keys(1, 7)[0])  # rows are sorted by digest
        value = table["array"][row]
        if kind == "digest":
            table["digest"][row] = b"another".ljust(32)
        else:
            table["array"][row] = value[::-1] if kind == "bytes" else value[:-4]

    path = _rewrite(shards(shared)[0], change)
    section = second(tmp_path, shared).section(IDENTITY)
    with pytest.warns(UserWarning, match=f"{path.name} .* 1 rows, checksums are"):
        missing = section.missing([*keys(30), b"another".ljust(32)])
    assert np.flatnonzero(missing).tolist() == [7, 30]
    report = verify_upstream(shared, verbose=False)
    assert [x["problem"] for x in report["damaged"]] == ["1 wrong checksums"]
    # Another shard may have the same array.
    third = FeatureStore(tmp_path / "third")
    third.section(IDENTITY).write(keys(3, 7), vectors(3, 7))
    third.push(tmp_path / "more", verbose=False)
    (one,) = shards(tmp_path / "more")
    one.rename(path.with_name(one.name))
    section = second(tmp_path, shared, "fourth").section(IDENTITY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the damaged one may be met first
        assert not section.missing(keys(30)).any()
    np.testing.assert_array_equal(section.read(keys(30))[0], vectors(30))


def test_shard_in_the_folder_of_another_section(store, shared, tmp_path):
    store.section({"other": 1}).write(keys(2, 50), vectors(2, 50))
    store.push(shared, verbose=False)
    one = next(path for path in shards(shared) if len(pq.read_table(path)) == 30)
    other = next(path for path in shards(shared) if len(pq.read_table(path)) == 2)
    (other.parent / one.name).write_bytes(one.read_bytes())
    section = second(tmp_path, shared).section({"other": 1})
    with pytest.warns(UserWarning, match="30 rows, checksums are wrong"):
        assert section.missing(keys(30)).all()


def test_section_that_disagrees_is_an_error(store, shared, tmp_path):
    other = second(tmp_path, shared)
    alone = FeatureStore(other.root, upstream=False).section(IDENTITY)
    alone.write(keys(1), np.ones((1, 7), "f4"))
    match = r"section.json: arrays have shape \(500,\).*\(7,\)"
    with pytest.raises(StoreError, match=match):
        other.section(IDENTITY).missing(keys(2))
    for act in (other.push, other.pull):
        with pytest.raises(StoreError, match=match):
            act(verbose=False)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"identity": {}, "shape": [3], "dtype": "float32"}']
    + [json.dumps({"identity": IDENTITY, "shape": [3], "dtype": "O"}).encode()],
)
def test_section_that_cannot_be_read_is_an_error(store, shared, tmp_path, content):
    (file,) = shared.glob("*/section.json")
    file.write_bytes(content)
    with pytest.raises(StoreError, match=re.escape(str(file))):
        second(tmp_path, shared).section(IDENTITY).missing(keys(2))
    report = verify_upstream(shared, repair=True, verbose=False)
    assert [x["file"] for x in report["damaged"]] == [str(file)]
    store.push(shared, verbose=False)
    assert not second(tmp_path, shared).section(IDENTITY).missing(keys(30)).any()


def test_files_of_others_are_left_alone(store, shared, tmp_path):
    folder = shards(shared)[0].parent
    for path in (shared / "notes.txt", folder / "x.part", folder / "y.parquet"):
        path.write_text("x")
    (shared / "0123").mkdir()
    (shared / ("0" * 32)).mkdir()  # another machine is about to write it
    assert second(tmp_path, shared).pull(verbose=False)["arrays"] == 30
    assert verify_upstream(shared, repair=True, verbose=False)["damaged"] == []
    assert (folder / "x.part").exists()


def test_read_only_store_and_upstream(store, shared, tmp_path):
    (tmp_path / "second").mkdir()
    with read_only(tmp_path / "second"), read_only(shared):
        section = second(tmp_path, shared).section(IDENTITY)
        with pytest.warns(UserWarning, match="nothing can be written"):
            assert not section.missing(keys(30)).any()
        np.testing.assert_array_equal(section.read(keys(30))[0], vectors(30))
        store.section(IDENTITY).write(keys(1, 90), vectors(1, 90))
        with pytest.raises(StoreError, match=f"upstream {shared} can't be used"):
            store.push(shared, verbose=False)


PUSH = """
import sys
import numpy as np
from skart import FeatureStore

root, url, first, n = sys.argv[1:]
store = FeatureStore(root)
rows = np.arange(int(first), int(first) + int(n))
keys = [f"image {row}".encode().ljust(32) for row in rows]
section = store.section({"backbone": "test", "layer": None})
for start in range(0, len(rows), 50):
    part = slice(start, start + 50)
    section.write(keys[part], (rows[part, None] + np.arange(500) / 500).astype("f4"))
    print(store.push(url, verbose=False)["arrays"], flush=True)
"""


def test_two_processes_push_at_once(tmp_path):
    shared = tmp_path / "shared"
    started = [
        start(PUSH, tmp_path / f"{first}", shared, first, 300) for first in (0, 150)
    ]
    pushed = [sum(map(int, finish(process).split())) for process in started]
    assert max(pushed) <= 300 and sum(pushed) >= 450
    assert verify_upstream(shared, verbose=False)["damaged"] == []
    section = second(tmp_path, shared, "third").section(IDENTITY)
    np.testing.assert_array_equal(section.read(keys(450))[0], vectors(450))
    assert not [path for path in shared.rglob("*") if path.suffix == ".part"]


def test_killed_pushes_leave_whole_files(tmp_path):
    for n_lines in (1, 3, 5):
        process = start(PUSH, tmp_path / "first", tmp_path / "shared", 0, 10_000)
        for _ in range(n_lines):
            process.stdout.readline()
        process.kill()
        process.communicate()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert verify_upstream(tmp_path / "shared", verbose=False)["damaged"] == []


IMPORTS = """
import sys
import numpy as np
from skart import FeatureStore

section = FeatureStore(sys.argv[1], upstream=sys.argv[2]).section({"a": 1})
FeatureStore(sys.argv[1], upstream=False).section({"a": 1}).write(
    [b"x"], np.ones((1, 2), "f4")
)
assert section.read([b"x"])[1].all()
assert not {"pyarrow", "fsspec"} & {*sys.modules}, "imported without use"
sys.modules["fsspec"] = sys.modules["fsspec.core"] = None
section.missing([b"y"])  # a plain folder needs no fsspec
try:
    FeatureStore(sys.argv[1], upstream="s3://x").section({"a": 1}).missing([b"y"])
except ImportError as error:
    assert "pip install 'skart[remote,tables]'" in str(error), error
else:
    raise AssertionError
sys.modules["pyarrow"] = sys.modules["pyarrow.parquet"] = None
try:
    FeatureStore(sys.argv[1]).push(sys.argv[2], verbose=False)
except ImportError as error:
    assert "skart[tables]" in str(error), error
else:
    raise AssertionError
"""


def test_optional_packages(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "skart.json").write_text('{"format": 1}')
    finish(start(IMPORTS, tmp_path / "store", tmp_path / "shared"))


def test_upstream_may_be_a_path_or_relative(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store.push(Path("here"), verbose=False)
    other = second(tmp_path, "here")
    monkeypatch.chdir("/")
    assert not other.section(IDENTITY).missing(keys(30)).any()
