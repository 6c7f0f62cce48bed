"""The time, memory and disk of a reproduction, from its parts timed on a sample."""

import dataclasses
import functools
import math
import pickle
import tempfile
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from tqdm.auto import tqdm

from skart.features import FeatureExtractor
from skart.features._stored import count_missing
from skart.features.descriptors._table import DESCRIPTORS
from skart.images import ImageLoader
from skart.model_selection import CITED, head_search_space, make_cited_pipeline
from skart.model_selection._random_search import draw_candidates
from skart.reproduction._apart import EVALUATED, N_FOLDS
from skart.reproduction._experiments import PATIENCE
from skart.reproduction._timing import BatchTimer, time_call
from skart.reproduction._usage import peak_memory, size_of_folder

_N_TIMED = 128  # paintings; half of them if they are large
_N_DESCRIBED = 24  # paintings on which descriptors are timed
_PER_PAINTING = 64  # bytes in a model file and its result, or beside a stored fit
_UNITS = 200, 900  # between which the time of a head's epoch is interpolated
_N_SAMPLES = 300, 600  # from which time and size of a classifier are extrapolated


@dataclasses.dataclass
class Plan:
    """Seconds of each unfinished experiment, and bytes of the whole reproduction.

    ``seconds`` holds None for what can't be timed. Early stopping may shorten the
    experiments in ``at_most``. ``kept`` bytes are in the folder of the results at the
    end; ``fits`` bytes are there for a time, and ``pixels`` in the temporary folder.
    """

    seconds: dict
    at_most: set
    memory: int | None  # None where it can't be measured
    kept: int
    fits: int
    pixels: int

    @property
    def total(self):
        """Seconds of all experiments that can be timed."""
        return sum(seconds or 0 for seconds in self.seconds.values())


def make_plan(reproduction, *, cited):
    """Time parts of the unfinished experiments of a reproduction."""
    names = list(reproduction.experiments)
    if cited:
        names += [f"cited-{name}" for name in CITED]
    todo = [name for name in names if not reproduction.is_finished(name)]
    with tempfile.TemporaryDirectory(
        prefix="skart-plan-", ignore_cleanup_errors=True
    ) as folder:
        planner = _Planner(reproduction, Path(folder))
        progress = tqdm(todo, "timing", unit="experiment", delay=1)
        seconds = {name: planner.plan(name) for name in progress}
    for name in todo:
        # Fits of an experiment that was interrupted are not done again.
        left = (seconds[name] or 0) - reproduction.seconds_of_fits(name)
        seconds[name] = seconds[name] and max(0, left)
    memory = peak_memory()
    return Plan(
        seconds=seconds,
        at_most=planner.at_most,
        memory=memory and memory + planner.arrays,
        kept=planner.kept,
        fits=planner.fits,
        pixels=planner.pixels,
    )


@dataclasses.dataclass
class _HeadCosts:
    """Seconds of the parts of an experiment with a head on frozen features."""

    extraction: float  # of all features that are not stored yet
    reading: float  # of all features
    predicting: float  # all paintings
    building: float  # a head
    epochs: list  # an epoch, for each of `_UNITS`
    final_building: float  # a head that is validated
    final_epoch: float
    n_features: int


class _Planner:
    """Times of experiments on a sample of the paintings, and bytes that add up."""

    def __init__(self, reproduction, store):
        self._reproduction, self._settings = reproduction, reproduction.settings
        self._store = store
        part = reproduction.part
        self._n, self._n_train = len(part), int(np.sum(part == "train"))
        self._n_held = int(np.sum(part == "validation"))
        self._n_classes = len(np.unique(reproduction.collection.labels))
        self._described = {
            descriptor
            for name, system in CITED.items()
            if reproduction.is_finished(f"cited-{name}")
            for descriptor in system.descriptors
        }
        self.at_most = set()
        self.kept = self.fits = self.pixels = self.arrays = 0

    def plan(self, name):
        """Return the seconds of an experiment, or None if it can't be timed."""
        if name.startswith("cited-"):
            return self._plan_cited(name.removeprefix("cited-"))
        return getattr(self, f"_plan_{name.replace('-', '_')}")()

    def _keep_fits(self, n_fits, n_bytes):
        """Note stored fits, which are deleted when their experiment is finished."""
        n_bytes += _PER_PAINTING * self._n
        self.fits = max(self.fits, int(n_fits * n_bytes))

    def _keep_model(self, n_bytes):
        """Note the model file and the result of an experiment."""
        self.kept += int(n_bytes) + _PER_PAINTING * self._n

    def _sample(self, size):
        """Return images of paintings all over the collection, at least 32."""
        n = _N_TIMED if size <= 256 else _N_TIMED // 2
        rows = np.linspace(0, self._n - 1, min(n, self._n), dtype=int)
        on_error = self._reproduction.on_error
        loader = ImageLoader(size, on_error=on_error, cache_pixels=True)
        images = loader.transform(self._reproduction.collection.paths[rows])
        return images[np.resize(np.arange(len(rows)), max(32, len(rows)))]

    def _sample_frozen(self):
        return self._sample(self._settings.pretrained_size)

    def _labels(self, n):
        return np.arange(n) % self._n_classes

    def _may_stop(self, name, n_epochs):
        if n_epochs > PATIENCE[name]:
            self.at_most.add(name)

    def _time_network(self, kind, n_fits):
        """Time a network from scratch; return the seconds of a fit and of a forward."""
        images = self._sample(self._settings.size)
        decoding = time_call(lambda: [*images.iter_batches(32)]) / len(images)
        timer = BatchTimer(images)
        pipe = self._reproduction.network(kind, epochs=1000, verbose=0)
        cnn = pipe[-1].set_params(callbacks=timer)
        building = timer.time_building(cnn, images, self._labels(len(images)))
        forward = time_call(lambda: cnn.predict_proba(images)) / len(images)
        self.pixels = self._n * math.prod(images.shape[1:])
        self._keep_model(4 * cnn.model_.count_params())
        self._keep_fits(n_fits, 4 * cnn.model_.count_params())

        def fit(n_epochs, n_validated):
            epoch = timer.epoch(self._n_train) + n_validated * forward
            decoded = (self._n_train + n_validated) * decoding
            return building + decoded + n_epochs * epoch

        return fit, decoding + forward

    def _plan_vgg_lite(self):
        self._may_stop("vgg-lite", self._settings.epochs)
        fit, forward = self._time_network("vgg_lite", 1)
        return fit(self._settings.epochs, self._n_held) + self._n * forward

    def _plan_hybrid(self):
        settings = self._settings
        self._may_stop("hybrid", settings.epochs)
        fit, forward = self._time_network("hybrid", settings.n_networks + 1)
        candidate = fit(settings.search_epochs, 0) + self._n_held * forward
        final = fit(settings.epochs, self._n_held) + self._n * forward
        return settings.n_networks * candidate + final

    @functools.cached_property
    def _heads(self):
        """Times of features, and of heads on random ones in the real number."""
        frozen, images = self._reproduction.frozen, self._sample_frozen()
        n_missing = self._count_missing(frozen()[1])
        extractor = frozen()[1].set_params(cache=self._store, verbose=False)
        start = time_call(lambda: extractor.transform(images[:1]))
        computing = time_call(lambda: extractor.transform(images)) / _n_new(images)
        reading = time_call(lambda: extractor.transform(images)) / len(images)
        n_features = extractor.transform(images[:1]).shape[1]
        X = np.random.default_rng(0).random((self._n, n_features), np.float32)
        training = X[: self._n_train], self._labels(self._n_train)
        epochs = []
        for units in _UNITS:
            head = frozen(units=units)[-1].set_params(epochs=1)
            first = time_call(lambda head=head: head.fit(*training))
            one = time_call(lambda head=head: head.fit(*training))
            head.set_params(epochs=3)
            three = time_call(lambda head=head: head.fit(*training))
            epochs.append(max(1e-6, three - one) / 2)
        timer = BatchTimer(training[0])
        held = {"X_val": X[: self._n_held], "y_val": self._labels(self._n_held)}
        final = frozen(epochs=3, callbacks=timer)[-1]
        self.kept += 4 * self._n * (n_features + 64)
        self.kept += size_of_folder(self._store)  # the converted network
        self.arrays = 2 * X.nbytes
        return _HeadCosts(
            extraction=start + n_missing * computing,
            reading=self._n * reading,
            predicting=time_call(lambda: head.predict_proba(X)),
            building=max(0, first - epochs[-1]),
            epochs=epochs,
            final_building=timer.time_building(final, *training, **held),
            final_epoch=timer.epoch(self._n_train),
            n_features=n_features,
        )

    def _count_missing(self, extractor):
        """Return the number of paintings whose features are not stored yet."""
        if not self._reproduction.made_with:  # there is no folder yet
            return self._n
        paths = self._reproduction.collection.paths
        return count_missing(extractor, self._reproduction.frozen()[0].transform(paths))

    def _head(self, units=650, share=1.0):
        """Return the seconds of a fit of a head, and of its predictions."""
        heads = self._heads
        epoch = np.interp(units, _UNITS, heads.epochs) * share
        epochs = self._settings.head_epochs * float(epoch)
        return heads.building + epochs + heads.reading + heads.predicting

    def _final_head(self, units=650):
        """Return the seconds of a fit that is validated, and of its predictions."""
        heads = self._heads
        share, of_default = np.interp([units, 650], _UNITS, heads.epochs)
        epochs = self._settings.head_epochs * heads.final_epoch * share / of_default
        return heads.final_building + epochs + 2 * heads.reading + heads.predicting

    def _head_bytes(self, units=650):
        return 4 * units * (self._heads.n_features + self._n_classes)

    def _plan_reported_head(self):
        self._may_stop("reported-head", self._settings.head_epochs)
        self._keep_model(self._head_bytes())
        self._keep_fits(1, self._head_bytes())
        return self._heads.extraction + self._final_head()

    def _plan_transfer(self):
        self._may_stop("transfer", self._settings.head_epochs)
        n, seed = self._settings.n_heads, self._reproduction.seed
        drawn = draw_candidates(head_search_space(), n, seed)
        units = [one.get("head__units", 650) for one in drawn]
        self._keep_model(self._head_bytes(max(units)))
        self._keep_fits(n + 1, self._head_bytes(np.mean(units)))
        return sum(map(self._head, units)) + self._final_head(np.mean(units))

    def _plan_leakage(self):
        self.at_most.add("leakage")
        n_fits = len(EVALUATED) * 2 * N_FOLDS
        self._keep_fits(n_fits, self._head_bytes())
        share = (1 - 1 / N_FOLDS) * self._n / self._n_train
        return n_fits * self._head(share=share)

    def _plan_fine_tune(self):
        settings, images = self._settings, self._sample_frozen()
        longest = max(settings.head_epochs, settings.fine_tune_epochs)
        self._may_stop("fine-tune", longest)
        model = self._reproduction.fine_tuned(epochs=1, patience=None)[-1]
        trunk = FeatureExtractor(
            model.backbone,
            weights=model.weights,
            layer=model.unfreeze_from,
            pooling=None,
            storage_dtype=model.storage_dtype,
            engine="keras",
            cache=model.cache,
            verbose=False,
        )
        n_missing = self._count_missing(trunk)
        trunk.set_params(cache=self._store).transform(images[:1])
        computing = time_call(lambda: trunk.transform(images)) / _n_new(images)
        maps = trunk.transform(images)
        timer = BatchTimer(maps)
        model.set_params(cache=self._store, epochs=1000, verbose=0)
        model.set_params(callbacks=timer)
        building = timer.time_building(model, images, self._labels(len(images)))
        forward = time_call(lambda: model.predict_proba(images)) / len(images)
        self.kept += self._n * (2 * math.prod(maps.shape[1:]) + 2048)
        self._keep_model(4 * model.model_.count_params())
        self._keep_fits(1, 4 * model.model_.count_params())
        n_validated = (1 + settings.fine_tune_epochs) * self._n_held
        n_forward = self._n + self._n_train + n_validated
        tail = settings.fine_tune_epochs * timer.epoch(self._n_train) + building
        return n_missing * computing + n_forward * forward + self._head() + tail

    def _plan_cited(self, name):
        """Return the seconds of a cited system, or None if it can't be timed."""
        reproduction, system = self._reproduction, CITED[name]
        backbone, weights = reproduction.backbone, reproduction.weights
        pipe = make_cited_pipeline(
            name, backbone=backbone, weights=weights, verbose=False
        )
        if not system.descriptors:
            describing, n_features = self._heads.reading, self._heads.n_features
        else:
            images = self._sample(self._settings.descriptor_size)
            images = np.asarray(images[:: max(1, len(images) // _N_DESCRIBED)])
            describing = self._describe(system, images)
            features = pipe[1].set_params(cache=self._store, n_jobs=-1)
            try:
                learning = time_call(lambda: features.fit(images))
            except ValueError:  # too few places for visual words
                return None
            if "sift" in system.descriptors:
                # From as many patches, however many paintings there are.
                describing += learning
            n_features = features.transform(images[:1]).shape[1]
        times, sizes = [], []
        for n in _N_SAMPLES:
            X = np.random.default_rng(0).normal(size=(n, n_features))
            X, y, steps = X.astype(np.float32), self._labels(n), clone(pipe[2:])
            times.append(time_call(lambda X=X, y=y, s=steps: s.fit(X, y).predict(X)))
            sizes.append(len(pickle.dumps(steps)))
        per_sample = (sizes[1] - sizes[0]) / (_N_SAMPLES[1] - _N_SAMPLES[0])
        n_bytes = sizes[0] + per_sample * max(0, self._n_train - _N_SAMPLES[0])
        self._keep_model(n_bytes)
        self._keep_fits(1, n_bytes)
        power = np.clip(np.log2(times[1] / times[0]), 1, 3)
        return describing + times[1] * (self._n / _N_SAMPLES[1]) ** power

    def _describe(self, system, images):
        """Return the seconds of the descriptors of a system that aren't stored yet."""
        seconds, workers = 0, Parallel(n_jobs=-1, prefer="threads")
        for name in set(system.descriptors) - self._described:
            self._described.add(name)
            compute = delayed(DESCRIPTORS[name].function)
            tasks = [compute(image) for image in images]
            seconds += time_call(lambda tasks=tasks: workers(tasks))
            n_bytes = DESCRIPTORS[name].function(images[0]).nbytes
            self.kept += self._n * (n_bytes + _PER_PAINTING)
        return self._n * seconds / len(images)


def _n_new(images):
    """Return the number of different images except for the first."""
    return max(1, len(np.unique(images.paths)) - 1)
