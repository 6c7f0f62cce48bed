"""Who waits for a process that was stopped is told so."""

import logging
import signal
import threading

import pytest
from helpers import keys, start, vectors

from skart import FeatureStore

HOLD = """
import sys, time
import filelock
lock = filelock.FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("name", ["the section's", "mending.lock"])
def test_a_wait_is_told_once(tmp_path, name, monkeypatch):
    section = FeatureStore(tmp_path).section({"backbone": "stand-in"})
    section.write(keys(3), vectors(3))
    if name != "mending.lock":
        name = section.lock().lock_file
    process = start(HOLD, tmp_path / name)
    assert process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGSTOP)
    told = []

    class Killer(logging.Handler):
        def emit(self, record):
            told.append(record.getMessage())
            process.kill()  # as is said

    monkeypatch.setattr(logging.getLogger("skart"), "handlers", [Killer()])
    monkeypatch.setattr("skart._waiting_lock._PATIENCE", 0.1)
    rescue = threading.Timer(20, process.kill)
    rescue.start()
    if name == "mending.lock":
        file = tmp_path / "features-2.sqlite"
        file.write_bytes(file.read_bytes()[:-4096])
        assert section.store.verify(repair=True)["repaired"]
    else:
        with section.lock():
            pass
    rescue.cancel()
    process.kill()
    process.communicate()
    (message,) = told
    assert message.startswith("Waiting for another process")
    assert f"it holds {tmp_path / name}. " in message
    assert f"(number {process.pid})" in message or "(" not in message


def test_those_who_set_a_time_are_told_nothing(tmp_path):
    section = FeatureStore(tmp_path).section({"backbone": "stand-in"})
    with section.lock(), pytest.raises(TimeoutError):
        section.lock().acquire(timeout=0)
