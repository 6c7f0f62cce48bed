"""What workers do: digest files, and compute the features of a shard of images."""

import functools
import os
import pickle
import threading

import numpy as np
from sklearn.base import clone

from skart._utils._versions import COMPARED, installed_version, list_versions
from skart.features._encoder import Encoder
from skart.features._extractor import FeatureExtractor
from skart.features._stored import _digest_images
from skart.networks._weights import PREFIX, find_preset
from skart.store import FeatureStore

# Bytes of a specification; more means that an encoder carries its network.
_MAX_BYTES = 2**20

_preparing = threading.Lock()


class MemoryStore(FeatureStore):
    """The part of a store that computing needs, in memory."""

    read_only = True
    upstream = None

    def __init__(self):
        self.learned = {}

    def recall_digests(self, names, stamps):
        known = [self.learned.get(name, (None, None)) for name in names]
        return [
            digest if stamp and stamp == known_stamp else None
            for stamp, (known_stamp, digest) in zip(stamps, known, strict=True)
        ]

    def remember_digests(self, learned):
        self.learned.update(learned)

    def section(self, identity):
        return MemorySection(self, identity)


class MemorySection:
    """The arrays of an identity in a MemoryStore."""

    def __init__(self, store, identity):
        self.store = store
        self.identity = identity
        self.arrays = {}

    @property
    def shape(self):
        return next((array.shape for array in self.arrays.values()), None)

    def missing(self, digests):
        return np.array([digest not in self.arrays for digest in digests], bool)

    def write(self, digests, arrays):
        self.arrays.update(zip(digests, arrays, strict=True))
        return len(digests)


def specify(extractor, loader, sections):
    """Return an extractor and a loader as bytes, without a store and a network."""
    extractor = clone(extractor).set_params(cache=None, verbose=False)
    name = type(extractor).__name__
    if isinstance(extractor, FeatureExtractor):
        if isinstance(extractor.backbone, Encoder):
            name = f"the encoder {extractor.backbone.name!r}"
        else:
            _localize(extractor, sections[0].identity.get("engine", "keras"))
    loader = clone(loader).set_params(on_error="blank", cache_pixels=False)
    identities = [section.identity for section in sections]
    advice = (
        "Pass a function of a module that the workers can import; a class that loads "
        "its network on first use leaves it out in __getstate__."
    )
    engine = ["openvino"] if "engine" in identities[0] else []
    versions = _list_versions([*COMPARED, *engine])
    try:
        specification = pickle.dumps((extractor, loader, identities, versions))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"{name} can't be sent to workers ({error}). {advice}"
        ) from None
    if b"__main__" in specification:
        raise TypeError(
            f"{name} can't be sent to workers: it is defined in __main__. {advice}"
        )
    if len(specification) > _MAX_BYTES:
        raise TypeError(
            f"{name} can't be sent to workers: it has {len(specification) / 1e6:.0f} "
            f"MB. {advice}"
        )
    return specification


def digest_shard(paths):
    """Return the digests of files (None if unreadable), and which to remember."""
    store = MemoryStore()
    return {"digests": store.digest_files(paths), "learned": store.learned}


def compute_shard(specification, paths):
    """Return what was computed of images, as a dict.

    ``keys`` are the digests of different contents, and ``arrays`` has their features
    for each section; ``failures`` are unreadable paths with reasons, ``learned`` stamps
    and digests to remember, and ``notes`` differences between versions.
    """
    with _preparing:
        extractor, loader, notes = _prepare(specification)
    store, images = MemoryStore(), loader.transform(paths)
    sections = extractor._open_sections(images, store)
    # No warning names these; those that can be read are removed. (Filters of warnings
    # belong to the process, which may compute several shards at once.)
    images.failures.update(dict.fromkeys(paths))
    extractor._store_missing(images, _digest_images(images, store), sections, store)
    return {
        "keys": list(sections[0].arrays),
        "arrays": [np.stack(list(section.arrays.values())) for section in sections],
        "failures": images.failures,
        "learned": store.learned,
        "notes": notes,
    }


@functools.lru_cache(maxsize=2)
def _prepare(specification):
    """Return an extractor and a loader that compute as the client would, and notes."""
    worker = _name_worker()
    try:
        extractor, loader, identities, versions = pickle.loads(specification)
    except (ImportError, AttributeError) as error:
        raise ImportError(
            f"{worker} can't import what computes the features ({error}). Install it "
            "there, or start workers with its folder on PYTHONPATH."
        ) from None
    here = _list_versions(versions)
    notes = [
        f"{worker} has {name} {here[name]}, and this machine {version}: features may "
        "differ"
        for name, version in versions.items()
        if _shorten(here[name]) != _shorten(version)
    ]
    extractor._validate_params()
    sections = extractor._open_sections(loader.transform(["image"]), MemoryStore())
    for section, identity in zip(sections, identities, strict=True):
        differences = [
            f"{name} {section.identity.get(name)} instead of {value}"
            for name, value in identity.items()
            if section.identity.get(name) != value
        ]
        if differences:
            raise ValueError(
                f"{worker} would compute other features, of {'; '.join(differences)}. "
                "Files of weights and versions of skart must be the same on all "
                "machines."
            )
    return extractor, loader, notes


def _localize(extractor, engine):
    """Make paths absolute, and choose the engine, which workers don't choose anew."""
    weights, preset = extractor.weights, find_preset(extractor.backbone)
    if weights not in ("imagenet", None):
        extractor.weights = os.path.abspath(os.path.expanduser(weights))
    if preset is not None and os.path.isabs(preset):
        extractor.backbone = PREFIX + preset
    extractor.engine = engine


def _list_versions(names):
    versions = list_versions()
    return {
        name: versions.get(name) or installed_version(name) or "none" for name in names
    }


def _shorten(version):
    """Return a version without its patch release."""
    return version.split(".")[:2]


def _name_worker():
    from distributed import get_worker

    return f"the worker {get_worker().address}"
