"""Tasks on a Dask cluster, of which only a few are under way at a time."""

import contextlib
import functools
import queue
import sys
import time
import uuid

from tqdm.auto import tqdm

# Seconds without a worker after which that is said.
_PATIENCE = 10

# Seconds after which results that don't arrive are waited for anew.
_GATHER_TIMEOUT = 60


class Tasks:
    """Tasks under way; the results are not kept after they have been returned."""

    def __init__(self, client, *, max_retries, resources, timeout):
        self.client = client
        self.timeout = timeout
        self.resources = resources
        self._options = {"retries": max_retries, "resources": resources, "pure": False}
        self._name = f"skart-extract-{uuid.uuid4().hex}"
        self._address = client.scheduler.address
        self._under_way, self._done = {}, queue.SimpleQueue()
        self._n_submitted, self._n_threads, self._counted = 0, 0, None
        self._failed, self._idle_since, self._announced = [], None, False

    def __len__(self):
        return len(self._under_way)

    @property
    def has_room(self):
        """Whether to submit another task: two are under way, and two for a thread."""
        self._check_connection()  # else the scheduler is asked, with another error
        now = time.monotonic()
        if self._counted is None or now > self._counted + 1:  # workers join and leave
            self._n_threads = sum(self.client.nthreads().values())
            self._counted = now
        return len(self) < 2 + 2 * self._n_threads

    def submit(self, label, function, *arguments):
        """Submit a task; `label` comes back with its result."""
        self._n_submitted += 1
        key = f"{self._name}-{self._n_submitted}"
        future = self.client.submit(function, *arguments, key=key, **self._options)
        self._under_way[key] = future, label
        future.add_done_callback(self._done.put)

    def wait(self, n_most):
        """Wait for up to `n_most` tasks; return a list of labels, results and deaths.

        Deaths are 0, or the number of workers that died until Dask gave up: the result
        is None then.
        """
        from distributed import KilledWorker

        if self._failed:
            done = []
            for future in self._failed:
                try:
                    future.result()  # which raises the exception of the worker
                except KilledWorker as error:
                    done.append(self._end(future, None, error.allowed_failures + 1))
            self._failed.clear()
            return done
        finished = self._wait_for_futures(n_most)
        # Raised as soon as the others are stored.
        self._failed = [future for future in finished if future.status == "error"]
        finished = [future for future in finished if future.status != "error"]
        if not finished:
            return []
        gather = functools.partial(self.client.gather, finished, asynchronous=True)
        try:
            results = self.client.sync(gather, callback_timeout=_GATHER_TIMEOUT)
        except (TimeoutError, KilledWorker):  # a result was lost with its worker
            self._check_workers()
            for future in finished:
                future.add_done_callback(self._done.put)
            return []
        return [self._end(*pair, 0) for pair in zip(finished, results, strict=True)]

    def close(self):
        """Cancel the tasks that are under way."""
        futures = [future for future, _ in self._under_way.values()]
        self._under_way.clear()
        if futures and self.client.status == "running":
            with contextlib.suppress(OSError):  # the connection was lost meanwhile
                self.client.cancel(futures, force=True)

    def _wait_for_futures(self, n_most):
        """Return futures that are done, at least one."""
        while True:
            try:
                futures = [self._done.get(timeout=1)]
                break
            except queue.Empty:
                self._check_workers()
        while len(futures) < n_most and not self._done.empty():
            futures.append(self._done.get())
        self._idle_since = None
        self._check_connection(futures)
        return futures

    def _end(self, future, result, n_deaths):
        _, label = self._under_way.pop(future.key)
        future.release()
        return label, result, n_deaths

    def _check_connection(self, futures=()):
        is_cancelled = any(future.status == "cancelled" for future in futures)
        if is_cancelled or self.client.status != "running":
            raise ConnectionError(
                f"the connection to the scheduler {self._address} was lost, or it has "
                "cancelled a shard. Run the same again: what came back is stored."
            )

    def _check_workers(self):
        """Say that no worker takes tasks; raise TimeoutError after `timeout`."""
        self._check_connection()
        now = time.monotonic()
        if any(self.client.processing().values()):
            self._idle_since = None
            return
        self._idle_since = self._idle_since or now
        offers = [
            f"{name}={amount:g}" for name, amount in (self.resources or {}).items()
        ]
        workers = f"workers{' with ' * bool(offers)}{', '.join(offers)}"
        if now > self._idle_since + self.timeout:
            raise TimeoutError(
                f"no {workers} at {self._address} took a shard for {self.timeout:g} s. "
                f"Start some, by dask worker {self._address} for instance, and run the "
                "same again: what came back is stored."
            )
        if now > self._idle_since + _PATIENCE and not self._announced:
            self._announced = True
            tqdm.write(f"waiting for {workers} at {self._address}", file=sys.stderr)
