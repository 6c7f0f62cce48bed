"""Copying between a store and an upstream, and checking all files of an upstream."""

import itertools
import json
import math
import re

import numpy as np
from tqdm.auto import tqdm

from skart.store._upstream import (
    GROUP_BYTES,
    SHARD,
    DamagedFormError,
    DamagedShardError,
    RemoteSection,
    Upstream,
    as_digests,
    contains,
)

_FOLDER = re.compile(r"[0-9a-f]{32}")


def push(store, upstream, prefix, verbose):
    """Write the arrays that an upstream lacks; see `FeatureStore.push`."""
    if not upstream.exists():
        upstream.write("skart.json", json.dumps({"format": 1}).encode())
    sections = [
        section for section in store._sections() if section.key.hex().startswith(prefix)
    ]
    _check_prefix(prefix, sections, store.root)
    done = {"sections": len(sections), "arrays": 0, "shards": 0, "bytes": 0}
    with _progress("push", verbose) as progress:
        for section in sections:
            remote = RemoteSection(upstream, section.key)
            section._check_upstream(remote)
            remote.write_form(section.identity, section.shape, section.dtype)
            remote.refresh()
            digests = section._digests()
            there = contains(remote.digests, as_digests(digests))
            lacking = [digests[row] for row in np.flatnonzero(~there)]
            progress.total += len(lacking)
            for n_arrays, n_bytes in remote.write(_batches(section, lacking)):
                done["arrays"] += n_arrays
                done["shards"] += 1
                done["bytes"] += n_bytes
                progress.update(n_arrays)
    return done


def pull(store, upstream, prefix, verbose):
    """Copy the arrays that a store lacks; see `FeatureStore.pull`."""
    folders = _list_sections(upstream, prefix)
    _check_prefix(prefix, folders, upstream.name)
    done = {"sections": 0, "arrays": 0}
    with _progress("pull", verbose) as progress:
        for folder in folders:
            remote = RemoteSection(upstream, bytes.fromhex(folder))
            remote.refresh()
            if remote.form() is None:  # it is being written, or is no section
                continue
            section = store.section(remote.identity)
            section._check_upstream(remote)
            done["sections"] += 1
            lacking = np.setdiff1d(remote.digests, as_digests(section._digests()))
            progress.total += len(lacking)
            for digests, arrays in remote.fetch(lacking, whole=True):
                done["arrays"] += section.write(digests, arrays)
                progress.update(len(digests))
    return done


def verify_upstream(url, *, repair=False, verbose=True):
    """Read all files of an upstream, and compare them with their checksums.

    Parameters
    ----------
    url : str or path
        URL or folder of the upstream, see :class:`FeatureStore`.
    repair : bool, default=False
        If True, delete damaged files. The next :meth:`FeatureStore.push` of a machine
        that has their arrays writes them anew.
    verbose : bool, default=True
        If True, show a progress bar after a second.

    Returns
    -------
    report : dict
        ``url``; ``shards`` and ``arrays``, the numbers of undamaged ones; ``damaged``,
        a list of the ``file`` and the ``problem`` of each that is damaged; and
        ``repaired``.

    Raises
    ------
    StoreError
        If the upstream can't be used.
    ImportError
        If pyarrow, or what the URL needs, is not installed.

    See Also
    --------
    FeatureStore.verify : The same for a store.

    Examples
    --------
    >>> import tempfile
    >>> from skart import FeatureStore
    >>> from skart.store import verify_upstream
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = FeatureStore(f"{folder}/store").push(f"{folder}/shared")
    ...     verify_upstream(f"{folder}/shared")["damaged"]
    []
    """
    upstream, n_shards, n_arrays, damaged = Upstream(url), 0, 0, []

    def note(path, problem):
        file = f"{upstream.name}/{path}"
        damaged.append({"file": file, "problem": str(problem)})
        if repair:
            upstream.delete(path)

    with _progress("verify", verbose, unit="file") as progress:
        for folder in _list_sections(upstream):
            remote = RemoteSection(upstream, bytes.fromhex(folder))
            names = sorted(filter(SHARD.fullmatch, upstream.list(folder)))
            progress.total += len(names)
            try:
                if remote.form() is None:
                    continue
            except DamagedFormError as error:
                note(f"{folder}/section.json", error)
                continue
            for name in names:
                n_rows, n_sound = 0, 0
                try:
                    for _, sound, _, _ in remote.read(name, whole=True):
                        n_rows, n_sound = n_rows + len(sound), n_sound + sum(sound)
                    if n_sound < n_rows:
                        raise DamagedShardError(f"{n_rows - n_sound} wrong checksums")
                except DamagedShardError as error:
                    note(f"{folder}/{name}", error)
                else:
                    n_shards, n_arrays = n_shards + 1, n_arrays + n_sound
                progress.update()
    return {
        "url": upstream.name,
        "shards": n_shards,
        "arrays": n_arrays,
        "damaged": damaged,
        "repaired": repair and bool(damaged),
    }


def _list_sections(upstream, prefix=""):
    upstream.check()
    names = sorted(filter(_FOLDER.fullmatch, upstream.list()))
    return [name for name in names if name.startswith(prefix)]


def _check_prefix(prefix, found, place):
    if prefix and not found:
        raise ValueError(
            f"section={prefix!r}: {place} has no such kind of features. skart cache "
            "info shows the keys of those of a store."
        )


def _batches(section, digests):
    """Yield digests and arrays of the local store, a row group at a time."""
    if not digests:
        return
    n_bytes = math.prod(section.shape) * section.dtype.itemsize
    n_rows = max(1, GROUP_BYTES // max(n_bytes, 1))
    for start in range(0, len(digests), n_rows):
        keys = digests[start : start + n_rows]
        arrays, found = section._read(keys)
        if found.any():
            yield list(itertools.compress(keys, found)), arrays[found]


def _progress(what, verbose, unit="array"):
    return tqdm(desc=what, total=0, unit=unit, delay=1, disable=not verbose)
