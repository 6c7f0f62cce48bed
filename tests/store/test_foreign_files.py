"""Files of other programs in the place of a store, or beside it, are left alone."""

import contextlib
import multiprocessing
import os
import signal
import sqlite3

import pytest
from helpers import keys, needs_posix, start, vectors

from skart import FeatureStore
from skart.store import StoreError

IDENTITY = {"backbone": "stand-in"}
NAME = "features-1.sqlite"


def execute(file, *statements):
    """Do something to a database, as another program."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


@pytest.fixture
def store(tmp_path):
    """Two arrays."""
    store = FeatureStore(tmp_path / "store")
    store.section(IDENTITY).write(keys(2), vectors(2))
    return store


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


OTHERS = {
    "no number": ["CREATE TABLE paintings (title TEXT)"],
    "a number": ["PRAGMA application_id = 7", "CREATE TABLE paintings (title TEXT)"],
    "no tables": ["PRAGMA user_version = 1"],
    "such names": ["CREATE TABLE entries (name TEXT)"],
    "tables of both": [
        "CREATE TABLE entries (key BLOB UNIQUE, value BLOB)",
        "CREATE TABLE paintings (title TEXT)",
    ],
}


@pytest.mark.parametrize(
    "kind",
    [
        *(*OTHERS, "cut short", "text"),
        pytest.param("in the middle of writing", marks=needs_posix),
    ],
)
def test_files_of_other_programs_raise_an_error(tmp_path, kind):
    file = tmp_path / NAME
    if kind == "text":
        file.write_bytes(b"notes of mine\n" * 1000)
    else:
        execute(file, *OTHERS.get(kind, [*OTHERS["no number"], "CREATE TABLE two (a)"]))
    if kind == "cut short":
        file.write_bytes(file.read_bytes()[:-4096])
    elif kind == "in the middle of writing":
        write_and_die(file)
        assert set(contents(tmp_path)) == {NAME, f"{NAME}-wal", f"{NAME}-shm"}
    before = contents(tmp_path)
    store = FeatureStore(tmp_path)
    section = store.section(IDENTITY)
    for use in (
        lambda: section.write(keys(2), vectors(2)),
        lambda: section.read(keys(2)),
        store.info,
        store.verify,
        lambda: store.verify(repair=True),
    ):
        with pytest.raises(StoreError, match=f"{NAME} is no feature store"):
            use()
    with pytest.raises(StoreError, match=f"'{NAME}'.*Nothing was deleted"):
        store.clear()
    assert contents(tmp_path) == before


def write_and_die(file):
    """Leave what the next to open the file would move into it, or undo."""
    process = multiprocessing.get_context("fork").Process(target=_write, args=(file,))
    process.start()
    process.join()


def _write(file):
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("INSERT INTO two VALUES (1)")
    os.kill(os.getpid(), signal.SIGKILL)


def test_clear_keeps_foreign_files_with_names_of_a_store(store):
    (store.root / "features-7.sqlite").write_bytes(b"measured by hand")
    (store.root / f"{NAME}.damaged").write_bytes(b"a copy of it")
    execute(store.root / "features-3.sqlite", *OTHERS["no number"])
    before = contents(store.root)
    names = f"'{NAME}.damaged', 'features-3.sqlite', 'features-7.sqlite'"
    with pytest.raises(StoreError, match=names):
        store.clear()
    assert contents(store.root) == before
    (store.root / NAME).unlink()
    assert not store.exists()


def test_checking_the_file_keeps_the_locks_of_other_threads(store):
    """Closing a file that was opened beside SQLite would release them."""
    connection = sqlite3.connect(store.root / NAME, isolation_level=None)
    with contextlib.closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        assert store.section(IDENTITY).read(keys(2))[1].all()
        process = start(WRITE_AT_ONCE, store.root / NAME)
        assert "database is locked" in process.communicate()[1]


WRITE_AT_ONCE = """
import sqlite3, sys
sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
"""
