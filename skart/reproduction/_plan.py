"""The time, memory and disk of a reproduction, from its parts timed on a sample."""

import math
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.base import clone
from tqdm.auto import tqdm

from skart.features import FeatureExtractor
from skart.images import ImageLoader, UnreadableImageError
from skart.images._lazy import auto_batch_size
from skart.model_selection import CITED, head_search_space, make_cited_pipeline
from skart.model_selection._random_search import draw_candidates
from skart.reproduction._apart import EVALUATED, N_FOLDS
from skart.reproduction._experiments import PATIENCE, EpochTimer
from skart.reproduction._usage import peak_memory, size_of_folder

_N_TIMED = 128  # paintings; half of them if they are large
_N_DESCRIBED = 24  # paintings on which descriptors are timed
_SECONDS = 5  # at least, of the epochs of a network after the first one
_PAGE = 10_000_000  # bytes of the page, the figures and the tables
_UNITS = 200, 900  # between which the time of a head's epoch is interpolated
_N_SAMPLES = 300, 600  # from which the time of a cited classifier is extrapolated


class Plan:
    """Seconds of each unfinished experiment, and bytes of the whole reproduction.

    ``seconds`` holds None for what can't be timed. Early stopping may shorten the
    experiments in ``at_most``. ``kept`` bytes are in the folder of the results at the
    end; ``fits`` bytes are there for a time, and ``pixels`` in the temporary folder.
    """

    def __init__(self, reproduction, *, cited):
        self._reproduction, self._settings = reproduction, reproduction.settings
        part, finished = reproduction.part, reproduction.is_finished
        self._n, self._n_train = len(part), int(np.sum(part == "train"))
        self._n_held = int(np.sum(part == "validation"))
        self._n_classes = len(np.unique(reproduction.collection.labels))
        self.seconds, self.at_most = {}, set()
        self.kept = self.fits = self.pixels = self._arrays = 0
        todo = {
            name: getattr(self, f"_plan_{name.replace('-', '_')}")
            for name in reproduction.experiments
            if not finished(name)
        }
        todo |= {
            f"cited-{name}": lambda name=name: self._plan_cited(name)
            for name in (CITED if cited else ())
            if not finished(f"cited-{name}")
        }
        with tempfile.TemporaryDirectory(
            prefix="skart-plan-", ignore_cleanup_errors=True
        ) as folder:
            self._store = Path(folder)
            if todo.keys() & {"reported-head", "transfer", "fine-tune", "leakage"}:
                self._time_heads()
            for name in tqdm(todo, "timing", unit="experiment", delay=1):
                self.seconds[name] = todo[name]()
        self.memory = peak_memory() + self._arrays
        # Fits of an experiment that was interrupted are not done again.
        for name in list(todo)[:1]:
            left = (self.seconds[name] or 0) - reproduction.seconds_of_fits()
            self.seconds[name] = self.seconds[name] and max(0, left)

    @property
    def total(self):
        """Seconds of all experiments that can be timed."""
        return sum(seconds or 0 for seconds in self.seconds.values())

    def _sample(self, size):
        """Return images of paintings all over the collection, at least 32."""
        n = _N_TIMED if size <= 256 else _N_TIMED // 2
        rows = np.linspace(0, self._n - 1, min(n, self._n), dtype=int)
        on_error = self._reproduction.on_error
        loader = ImageLoader(size, on_error=on_error, cache_pixels=True)
        images = loader.transform(self._reproduction.collection.paths[rows])
        return images[np.resize(np.arange(len(rows)), max(32, len(rows)))]

    def _labels(self, n):
        return np.arange(n) % self._n_classes

    def _may_stop(self, name, n_epochs):
        if n_epochs > PATIENCE[name]:
            self.at_most.add(name)

    def _time_network(self, kind):
        """Time a network from scratch; return the seconds of a fit and of a forward."""
        images = self._sample(self._settings.size)
        decoding = _time(lambda: [*images.iter_batches(32)]) / len(images)
        timer = _Timer(images)
        pipe = self._reproduction.network(kind, epochs=1000, verbose=0)
        cnn = pipe[-1].set_params(callbacks=timer)
        building = timer.time_building(cnn, images, self._labels(len(images)))
        forward = _time(lambda: cnn.predict_proba(images)) / len(images)
        self.pixels = self._n * math.prod(images.shape[1:])
        self.kept += 4 * cnn.model_.count_params()

        def fit(n_epochs, n_validated):
            epoch = timer.epoch(self._n_train) + n_validated * forward
            decoded = (self._n_train + n_validated) * decoding
            return building + decoded + n_epochs * epoch

        return fit, decoding + forward

    def _plan_vgg_lite(self):
        self._may_stop("vgg-lite", self._settings.epochs)
        fit, forward = self._time_network("vgg_lite")
        return fit(self._settings.epochs, self._n_held) + self._n * forward

    def _plan_hybrid(self):
        settings = self._settings
        self._may_stop("hybrid", settings.epochs)
        fit, forward = self._time_network("hybrid")
        candidate = fit(settings.search_epochs, 0) + self._n_held * forward
        final = fit(settings.epochs, self._n_held) + self._n * forward
        return settings.n_networks * candidate + final

    def _time_heads(self):
        """Time features, and epochs of heads on random ones in the real number."""
        frozen, images = self._reproduction.frozen, self._sample_frozen()
        extractor = frozen()[1].set_params(cache=self._store, verbose=False)
        start = _time(lambda: extractor.transform(images[:1]))
        computing = _time(lambda: extractor.transform(images))
        self._extraction = start + self._n * computing / _n_new(images)
        self._reading = _time(lambda: extractor.transform(images)) / len(images)
        n_features = extractor.transform(images[:1]).shape[1]
        X = np.random.default_rng(0).random((self._n, n_features), np.float32)
        training = X[: self._n_train], self._labels(self._n_train)
        self._epochs = []
        for units in _UNITS:
            head = frozen(units=units)[-1].set_params(epochs=1)
            first = _time(lambda head=head: head.fit(*training))
            one = _time(lambda head=head: head.fit(*training))
            head.set_params(epochs=3)
            three = _time(lambda head=head: head.fit(*training))
            self._epochs.append(max(0, three - one) / 2)
        self._building = max(0, first - self._epochs[-1])
        self._predicting = _time(lambda: head.predict_proba(X))
        timer = _Timer(training[0])
        held = {"X_val": X[: self._n_held], "y_val": self._labels(self._n_held)}
        head = frozen(epochs=3, callbacks=timer)[-1]
        self._final_building = timer.time_building(head, *training, **held)
        self._final_epoch = timer.epoch(self._n_train)
        n_bytes = 4 * n_features * 650
        self.fits = max(self._settings.n_heads, 2 * N_FOLDS * len(EVALUATED)) * n_bytes
        self.kept += 4 * self._n * (n_features + 64) + 3 * n_bytes + _PAGE
        self.kept += size_of_folder(self._store)  # the converted network
        self._arrays = 2 * X.nbytes

    def _sample_frozen(self):
        return self._sample(self._settings.pretrained_size)

    def _head(self, units=650, share=1.0):
        """Return the seconds of a fit of a head, and of its predictions."""
        epoch = np.interp(units, _UNITS, self._epochs) * share
        reading = self._n * self._reading + self._predicting
        return self._building + self._settings.head_epochs * float(epoch) + reading

    def _final_head(self):
        """Return the seconds of a fit that is validated, and of its predictions."""
        epochs = self._settings.head_epochs * self._final_epoch
        reading = 2 * self._n * self._reading + self._predicting
        return self._final_building + epochs + reading

    def _plan_reported_head(self):
        self._may_stop("reported-head", self._settings.head_epochs)
        return self._extraction + self._final_head()

    def _plan_transfer(self):
        self._may_stop("transfer", self._settings.head_epochs)
        n, seed = self._settings.n_heads, self._reproduction.seed
        drawn = draw_candidates(head_search_space(), n, seed)
        search = sum(self._head(one.get("head__units", 650)) for one in drawn)
        return search + self._final_head()

    def _plan_leakage(self):
        self.at_most.add("leakage")
        share = (1 - 1 / N_FOLDS) * self._n / self._n_train
        return len(EVALUATED) * 2 * N_FOLDS * self._head(share=share)

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
            cache=self._store,
            verbose=False,
        )
        trunk.transform(images[:1])
        computing = _time(lambda: trunk.transform(images)) / _n_new(images)
        maps = trunk.transform(images)
        timer = _Timer(maps)
        model.set_params(cache=self._store, epochs=1000, verbose=0)
        model.set_params(callbacks=timer)
        building = timer.time_building(model, images, self._labels(len(images)))
        forward = _time(lambda: model.predict_proba(images)) / len(images)
        self.kept += self._n * (2 * math.prod(maps.shape[1:]) + 4096)
        self.kept += 4 * model.model_.count_params()
        n_validated = (1 + settings.fine_tune_epochs) * self._n_held
        n_forward = self._n + self._n_train + n_validated
        tail = settings.fine_tune_epochs * timer.epoch(self._n_train) + building
        return self._n * computing + n_forward * forward + self._head() + tail

    def _plan_cited(self, name):
        """Return the seconds of a cited system, or None if it can't be timed."""
        reproduction, system = self._reproduction, CITED[name]
        pipe = make_cited_pipeline(
            name,
            backbone=reproduction.backbone,
            weights=reproduction.weights,
            # Features of the network are stored by then; descriptors are not.
            cache=None if system.descriptors else self._store,
            verbose=False,
        )
        images, features = self._sample_frozen(), pipe[1]
        if system.descriptors:
            images = self._sample(self._settings.descriptor_size)
            images = images[:: max(1, len(images) // _N_DESCRIBED)]
            features.set_params(n_jobs=-1)
        try:
            learning = _time(lambda: features.fit(images))
            computing = _time(lambda: features.transform(images))
        except UnreadableImageError:
            raise
        except ValueError:  # such as too few places for visual words
            return None
        n_features, times = features.transform(images[:1]).shape[1], []
        for n in _N_SAMPLES:
            X, y = (
                np.random.default_rng(0).normal(size=(n, n_features)),
                self._labels(n),
            )
            times.append(_time(lambda X=X, y=y: clone(pipe[2:]).fit(X, y).predict(X)))
        power = np.clip(np.log2(times[1] / times[0]), 1, 3)
        self.kept += 4 * self._n * n_features
        # Words are learned from as many patches, however many paintings there are.
        describing = computing * self._n / len(images) + max(0, learning - computing)
        return describing + times[1] * (self._n / _N_SAMPLES[1]) ** power


class _Timer(EpochTimer):
    """Measure the epochs of a network, and of all its batches but the first."""

    def __init__(self, X):
        super().__init__()
        self._n_rows, self._n_first = len(X), min(32, auto_batch_size(X))
        self._between, self._ends = [], []

    def on_train_batch_end(self, batch, logs=None):
        self._ends.append(time.monotonic())

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self._between.append(self._ends[-1] - self._ends[0])
        self._ends.clear()
        enough = len(self.seconds) > 2 and sum(self.seconds[1:]) > _SECONDS
        self.model.stop_training = enough

    def time_building(self, classifier, *samples, **validation):
        """Fit a classifier; return the seconds that are not those of its epochs."""
        seconds = _time(lambda: classifier.fit(*samples, **validation))
        seconds += _time(lambda: classifier.predict_proba(samples[0][:1]))
        return max(0, seconds - len(self.seconds) * self.epoch(self._n_rows))

    def epoch(self, n):
        """Return the seconds of an epoch of n paintings, after the first one."""
        epoch, n_more = np.mean(self.seconds[1:]), self._n_rows - self._n_first
        if n == self._n_rows or not n_more:
            return epoch * n / self._n_rows
        return epoch + (n - self._n_rows) * np.mean(self._between[1:]) / n_more


def _n_new(images):
    """Return the number of different images except for the first."""
    return max(1, len(np.unique(images.paths)) - 1)


def _time(function):
    started = time.perf_counter()
    function()
    return time.perf_counter() - started
