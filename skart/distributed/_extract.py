"""Extraction of features on many machines."""

import contextlib
import itertools
import time
import warnings
from collections import deque

import numpy as np
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from skart._utils._files import absolute
from skart._utils._validation import (
    Integral,
    Interval,
    Real,
    StrOptions,
    check_paths,
    validate,
)
from skart.distributed._tasks import Tasks
from skart.distributed._worker import compute_shard, digest_shard, specify
from skart.features import FeatureExtractor, HandcraftedFeatures
from skart.features._backbone import default_size
from skart.features._stored import _BLANK, _are_missing, open_writable
from skart.images import ImageLoader, UnreadableImageError
from skart.images._elsewhere import is_elsewhere, stamp_elsewhere
from skart.images._formats import format_failures

_CONSTRAINTS = {
    "extractor": [FeatureExtractor, HandcraftedFeatures],
    "shard_size": [Interval(Integral, 1, None, closed="left")],
    "loader": [ImageLoader, None],
    "on_error": [StrOptions({"raise", "blank", "skip"})],
    "max_retries": [Interval(Integral, 0, None, closed="left")],
    "resources": [dict, None],
    "timeout": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
}

_N_LOOKED_UP = 1024  # paths that are looked up in the store at a time

# Largest number of shards, and of their bytes, that are written at a time.
_N_GATHERED, _N_BYTES = 16, 2**26

# Sizes of files that were sent, modulo this: a file of such a size may be a copy.
_N_SIZES = 2**22


def extract(
    extractor,
    paths,
    *,
    client,
    shard_size=64,
    loader=None,
    on_error="raise",
    max_retries=0,
    resources=None,
    timeout=300,
    verbose=True,
):
    """Compute the features of images on the workers of a Dask cluster and store them.

    Paths are sent in shards; workers decode the images and compute their features; this
    process writes them to the store. Features that are stored already are not computed,
    so an interrupted run continues where it ended. Afterwards, ``extractor.transform``
    reads the features from the store.

    Parameters
    ----------
    extractor : FeatureExtractor or HandcraftedFeatures
        What to compute; its ``cache`` names the store. Its parameters are sent, never a
        network: each worker loads its own. A file of weights must be at the same path
        on all workers, and the function of an :class:`~skart.Encoder` must be
        importable there.
    paths : iterable of str or path
        Image files, under the same paths on all machines; or URLs, which the workers
        fetch. A generator is read as the work advances.
    client : distributed.Client
        Client of the cluster.
    shard_size : int, default=64
        Number of images in a task.
    loader : ImageLoader, default=None
        How images are loaded; its ``on_error`` and ``cache_pixels`` are ignored. If
        None, ``ImageLoader`` with the default size of the network.
    on_error : {"raise", "blank", "skip"}, default="raise"
        What happens if images can't be read, after all others are stored. "raise": an
        error names all of them. "blank": the features of a black image are stored, as
        for ``ImageLoader(on_error="blank")``, and a warning names them. "skip": only a
        warning names them.
    max_retries : int, default=0
        How often Dask repeats a shard after an exception. Shards of workers that die
        are always repeated; if Dask gives up, their images are tried one by one, and
        one on which workers die again is a failure.
    resources : dict, default=None
        Resources that a shard needs, for instance ``{"GPU": 1}``.
    timeout : float, default=300
        Seconds without any worker after which an error is raised.
    verbose : bool, default=True
        If True, show a progress bar after a second.

    Returns
    -------
    report : Bunch
        ``n_images``; ``n_stored``, images whose features were found in the store;
        ``n_computed``, images that were computed; ``n_shards`` that came back;
        ``n_retried``, shards whose images were tried one by one since workers died;
        ``failures``, a dict of unreadable paths and reasons; and ``seconds``.

    Raises
    ------
    ImportError
        If Dask is not installed, or a worker can't import the encoder.
    TypeError
        If a parameter has a wrong type, or the extractor can't be sent to workers.
    ValueError
        If a parameter is invalid, ``cache`` is None, or a worker would compute other
        features, for instance by another file of weights.
    UnreadableImageError
        If images can't be read and ``on_error="raise"``.
    TimeoutError
        If there is no worker for ``timeout`` seconds.
    ConnectionError
        If the connection to the scheduler is lost.

    Warns
    -----
    UserWarning
        If a worker has other versions of skart, Keras, scikit-learn, TensorFlow or
        OpenVINO; or images can't be read.

    See Also
    --------
    FeatureExtractor.precompute : The same in one process.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from distributed import Client
    >>> from PIL import Image
    >>> from skart import HandcraftedFeatures, ImageLoader
    >>> from skart.distributed import extract
    >>> with tempfile.TemporaryDirectory() as folder, Client(
    ...     processes=False, dashboard_address="127.0.0.1:0"
    ... ) as client:
    ...     Image.new("RGB", (64, 48), "red").save(f"{folder}/red.png")
    ...     features = HandcraftedFeatures("hsv", cache=f"{folder}/store")
    ...     report = extract(
    ...         features, [f"{folder}/red.png"], client=client, loader=ImageLoader(32)
    ...     )
    >>> report.n_computed
    1
    """
    _check_client(client)
    received = {
        "extractor": extractor,
        "shard_size": shard_size,
        "loader": loader,
        "on_error": on_error,
        "max_retries": max_retries,
        "resources": resources,
        "timeout": timeout,
        "verbose": verbose,
    }
    validate("extract", received, _CONSTRAINTS)
    extractor._validate_params()
    if extractor.cache is None:
        raise ValueError("extract needs a store for the features: pass cache")
    store = open_writable(extractor.cache)
    n_images = len(paths) if hasattr(paths, "__len__") else None
    if n_images is not None:
        paths = check_paths("paths", paths)
    if loader is None:
        is_network = isinstance(extractor, FeatureExtractor)
        loader = ImageLoader(default_size(extractor.backbone) if is_network else 299)
    options = {"max_retries": max_retries, "resources": resources, "timeout": timeout}
    start = time.monotonic()
    with (
        contextlib.closing(Tasks(client, **options)) as tasks,
        tqdm(
            total=n_images,
            desc=f"features by {client.scheduler.address}",
            unit="painting",
            delay=1,
            disable=not verbose,
        ) as progress,
    ):
        work = _Extraction(extractor, loader, store, shard_size, on_error)
        report = work.run(paths, tasks, progress)
    report.seconds = time.monotonic() - start
    if report.failures and on_error == "raise":
        error = UnreadableImageError(report.failures, report.n_images, stored=True)
        error.add_note("extract takes on_error='skip' and on_error='blank' itself.")
        raise error
    if report.failures:
        replaced = {"blank": "each is replaced by a black image", "skip": "left out"}
        warnings.warn(
            f"{len(report.failures)} of {report.n_images} images can't be read; "
            f"{replaced[on_error]}:\n{format_failures(report.failures)}",
            stacklevel=2,
        )
    return report


def import_dask():
    """Return the package `distributed`, or raise an ImportError with advice."""
    try:
        import distributed
    except ImportError as error:
        raise ImportError(
            "work on many machines needs Dask, which is not installed. Run: pip "
            "install 'skart[dask]'"
        ) from error
    return distributed


def _check_client(client):
    """Validate the `client` parameter."""
    if not isinstance(client, import_dask().Client) or client.asynchronous:
        raise TypeError(
            "client must be a distributed.Client that is not asynchronous, such as "
            f"Client('tcp://scheduler:8786'); got {client!r}"
        )


class _Extraction:
    """The images of a call of `extract`, on their way to workers and to the store."""

    def __init__(self, extractor, loader, store, shard_size, on_error):
        self.store = store
        self.sections = extractor._open_sections(loader.transform(["image"]), store)
        self.specification = specify(extractor, loader, self.sections)
        self.shard_size = shard_size
        self.on_error = on_error
        # Pairs of a path and its stamp: to be computed; to be digested first, since
        # they may be copies of others; copies of images that are under way; and images
        # to be tried alone, since workers died.
        self._new, self._doubtful, self._copies = deque(), deque(), deque()
        self._suspects = deque()
        self._learned = {}  # stamps and digests to remember
        self._digests = set()  # of images under way, where they are known
        self._n_digesting, self._n_gathered, self._notes = 0, 1, set()
        self._has_arrays = any(section.shape for section in self.sections)
        self._sizes = bytearray(_N_SIZES)
        self.report = Bunch(
            n_images=0, n_stored=0, n_computed=0, n_shards=0, n_retried=0, failures={}
        )

    def run(self, paths, tasks, progress):
        """Compute and store the features of paths; return the report."""
        self._paths, self._tasks, self._progress = iter(paths), tasks, progress
        while True:
            while tasks.has_room and self._submit():
                pass
            if not tasks:
                return self.report
            self._receive()

    def _submit(self):
        """Submit the next shard; return False if there is none for the moment."""
        while max(len(self._new), len(self._doubtful)) < self.shard_size:
            paths = list(itertools.islice(self._paths, _N_LOOKED_UP))
            if not paths:
                break
            self._look_up(check_paths("paths", paths))
        kind, paths = "compute", self._new
        if len(self._new) < self.shard_size:
            if len(self._doubtful) >= self.shard_size:
                kind, paths = "digest", self._doubtful
            elif self._n_digesting or not self._new:
                # Copies are digested last, when their originals have come back.
                if self._tasks:
                    return False
                self._doubtful.extend(self._copies)
                self._copies.clear()
                self._digests.clear()
                kind, paths = "digest", self._doubtful
                if not paths:
                    kind, paths = "alone", self._suspects
        n_paths = min(len(paths), 1 if kind == "alone" else self.shard_size)
        if n_paths:
            self._send(kind, [paths.popleft() for _ in range(n_paths)])
        return n_paths > 0

    def _send(self, kind, shard):
        """Submit a shard, a list of pairs of a path and its stamp."""
        paths = [path for path, _ in shard]
        if kind == "digest":
            self._n_digesting += 1
            self._tasks.submit((kind, shard), digest_shard, paths)
        else:
            self._tasks.submit((kind, shard), compute_shard, self.specification, paths)

    def _look_up(self, paths):
        """Sort paths into those that are stored, new or doubtful."""
        self.report.n_images += len(paths)
        paths = [absolute(path) for path in paths]
        stamps = [stamp_elsewhere(path) for path in paths]
        digests = self.store.recall_digests(paths, stamps)
        missing = _are_missing(digests, self.sections)
        self._count_stored(int(np.sum(~missing)))
        for path, stamp, digest in itertools.compress(
            zip(paths, stamps, digests, strict=True), missing
        ):
            # URLs and rows of tables are not read twice to find copies.
            is_file = not is_elsewhere(path)
            is_doubtful = is_file and self._has_arrays
            if is_file and stamp:
                is_doubtful |= bool(self._sizes[stamp[0] % _N_SIZES])
                self._sizes[stamp[0] % _N_SIZES] = 1
            if digest or not is_doubtful:
                self._queue((path, stamp), digest)
            else:
                self._doubtful.append((path, stamp))

    def _queue(self, item, digest):
        """Queue an image whose features are not stored, and its digest or None."""
        is_copy = digest is not None and digest in self._digests
        (self._copies if is_copy else self._new).append(item)
        self._digests.add(digest)

    def _receive(self):
        """Store what has come back: of several shards, in one transaction."""
        digested, computed, n_computed = [], [], 0
        for (kind, shard), result, n_deaths in self._tasks.wait(self._n_gathered):
            self.report.n_shards += 1
            self._n_digesting -= kind == "digest"
            if n_deaths and kind == "alone":
                ((path, _),) = shard
                self.report.failures[path] = f"a worker died {n_deaths} times on it"
                self._progress.update(1)
            elif n_deaths:
                self.report.n_retried += 1
                self._suspects.extend(shard)
            elif kind == "digest":
                digested += zip(shard, result["digests"], strict=True)
                self._remember(shard, result["learned"])
            else:
                computed.append(result)
                n_computed += len(shard)
                self._remember(shard, result["learned"])
        if computed:
            self._store(computed)
            self._progress.update(n_computed)  # only now is it kept
        self.store.remember_digests(self._learned)
        self._learned.clear()
        missing = _are_missing([digest for _, digest in digested], self.sections)
        self._count_stored(int(np.sum(~missing)))
        for item, digest in itertools.compress(digested, missing):
            self._queue(item, digest)

    def _store(self, results):
        """Write the features of shards."""
        for note in {note for result in results for note in result["notes"]}:
            if note not in self._notes:
                self._notes.add(note)
                warnings.warn(note, stacklevel=4)
        keys = [key for result in results for key in result["keys"]]
        keys, first = np.unique(np.array(keys, dtype=object), return_index=True)
        self._digests.difference_update(keys)
        for result in results:
            self.report.n_computed += len(set(result["keys"]) - {_BLANK})
            self.report.failures.update(result["failures"])
            n_bytes = sum(array.nbytes for array in result["arrays"])
            self._n_gathered = max(1, min(_N_GATHERED, _N_BYTES // n_bytes))
        for number, section in enumerate(self.sections):
            arrays = [result["arrays"][number] for result in results]
            known = section.shape or arrays[0].shape[1:]
            for array in arrays:
                if array.shape[1:] != known:
                    raise ValueError(
                        f"a worker returned features of shape {array.shape[1:]}, and "
                        f"others have the shape {known}. If the function of an Encoder "
                        "has changed, pass it another version."
                    )
            new = section.missing(keys)
            if self.on_error != "blank":
                new &= keys != _BLANK
            if new.any():
                section.write(keys[new], np.concatenate(arrays)[first[new]])

    def _remember(self, shard, learned):
        """Collect digests with the stamps that the files have on this machine."""
        # There, inodes and the times of status changes may be others.
        stamps = dict(shard)
        for path, (stamp, digest) in learned.items():
            if stamps[path] and stamps[path][:2] == stamp[:2]:
                self._learned[path] = stamps[path], digest

    def _count_stored(self, n_images):
        self.report.n_stored += n_images
        self._progress.update(n_images)
