"""Clusters on the loopback address, ended by the tests."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from distributed import Client

import skart

ROOT = Path(skart.__file__).parents[1]


class Cluster:
    """A scheduler and two workers, each a process with folders of its own."""

    python_path = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"

    def __init__(self, folder, environment, *options):
        self.folder = folder
        self._environment, self._processes = environment, []
        file = folder / "scheduler.json"
        self._file = f"--scheduler-file={file}"
        self._start("scheduler", "--port=0", "--dashboard-address=127.0.0.1:0")
        wait_for(file.exists)
        options = ["--nthreads=1", "--no-dashboard", "--death-timeout=60", *options]
        self.workers = [
            self._start(f"worker-{number}", *options, kind="worker")
            for number in range(2)
        ]
        self.client = Client(scheduler_file=str(file), set_as_default=False)
        self.client.wait_for_workers(2, timeout=60)
        self.address = self.client.scheduler.address

    def pids(self):
        """Process ids of the workers, by address."""
        return self.client.run(os.getpid)

    def _start(self, name, *options, kind="scheduler"):
        here = self.folder / name
        here.mkdir(parents=True)
        with (here / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", self._file]
                + ["--host=127.0.0.1", *options],
                cwd=here,
                env=os.environ
                | {"HOME": str(here), "TMPDIR": str(here), "TF_CPP_MIN_LOG_LEVEL": "3"}
                | {"PYTHONPATH": self.python_path}
                | self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def close(self):
        with contextlib.suppress(OSError, TimeoutError):
            self.client.close(timeout=5)
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def wait_for(condition, seconds=60):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.02)
