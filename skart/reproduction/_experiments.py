"""The report's experiments in its order; finished ones are stored.

Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford CS231n report,
2017.
"""

import contextlib
import dataclasses
import hashlib
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import PredefinedSplit

from skart._utils._files import atomic_write
from skart._utils._versions import list_versions
from skart.classifiers import CachedClassifier, report_head
from skart.datasets._pandora18k import N_PUBLISHED
from skart.model_selection import (
    cnn_search_space,
    head_search_space,
    make_cnn_pipeline,
    make_fine_tune_pipeline,
    make_transfer_pipeline,
)
from skart.model_selection._random_search import note_search, random_search
from skart.networks import cut_points
from skart.networks._keras import keras
from skart.networks._tail import LAST_CUTS
from skart.networks._weights import identify_weights
from skart.persistence import save_model
from skart.persistence._parts import digest_paintings
from skart.reproduction._apart import EVALUATED, evaluate_apart
from skart.reproduction._settings import Settings, split

# Epochs without a better validation loss after which training stops.
PATIENCE = {
    "vgg-lite": 8,
    "hybrid": 8,
    "reported-head": 10,
    "transfer": 10,
    "fine-tune": 3,
}


class Reproduction:
    """The experiments on one collection, in a folder with the finished ones."""

    def __init__(
        self,
        collection,
        out,
        settings,
        *,
        backbone,
        weights,
        on_error="raise",
        seed=0,
        say=print,
        claim=True,
    ):
        self.collection = collection
        self.out = Path(out)
        self.settings = settings
        self.backbone = backbone
        self.weights = weights
        self.on_error = on_error
        self.seed = seed
        self.say = say
        self.part = split(collection.labels, seed)
        self.fits = self.out / "fits"
        # Before it is claimed, the folder is left as it is.
        is_claimed = claim or (self.out / "settings.json").exists()
        self.made_with = self.claim_folder() if is_claimed else {}
        self.experiments = {
            "vgg-lite": self._vgg_lite,
            "hybrid": self._hybrid,
            "reported-head": self._reported_head,
            "transfer": self._transfer,
            "fine-tune": self._fine_tune,
        }
        if collection.artists_apart:
            self.experiments["leakage"] = self._leakage

    def run(self):
        """Run the experiments that are not finished; return results by name."""
        results = {}
        for name, experiment in self.experiments.items():
            results[name] = self.keep(name, lambda run=experiment: run(results))
        return results

    def keep(self, name, experiment):
        """Run an experiment, or read its result if it is finished."""
        if self.is_finished(name):
            self.say(f"{name}: finished before")
            result = json.loads(self._file(name).read_text(encoding="utf-8"))
        else:
            earlier, started = self.seconds_of_fits(name), time.monotonic()
            result = experiment()
            result["minutes"] = (earlier + time.monotonic() - started) / 60
            write_json(self._file(name), result)
        shutil.rmtree(self.fits / name, ignore_errors=True)
        with contextlib.suppress(OSError):  # it holds fits of another experiment
            self.fits.rmdir()
        return result

    def is_finished(self, name):
        """Return whether the result of an experiment is stored."""
        return self._file(name).exists()

    def cached(self, name, pipe):
        """Return a classifier that stores its fits until an experiment is finished."""
        return CachedClassifier(pipe, memory=self.fits / name)

    def note_plan(self, plan):
        """Store a plan, except for what was planned before; return the stored one."""
        file = self.out / "plan.json"
        new = {"memory": plan.memory, "kept": plan.kept, "seconds": plan.seconds}
        if file.exists():
            old = json.loads(file.read_text("utf-8"))
            new = {**old, "seconds": {**plan.seconds, **old["seconds"]}}
        write_json(file, new)
        return new

    def seconds_of_fits(self, name):
        """Return the time that the stored fits of an experiment took."""
        notes = (self.fits / name).rglob("metadata.json")  # by joblib.Memory
        return sum(json.loads(file.read_text("utf-8"))["duration"] for file in notes)

    def save(self, name, pipe, paths):
        """Save a model beside the results, with the digests of its paintings."""
        notes = {"digests": digest_paintings(paths, self.out / "features")}
        save_model(pipe, self.out / f"{name}.skart", notes=notes)

    @property
    def is_pandora18k(self):
        """Whether the paintings are those of the report."""
        differences = self.collection.differences
        if differences is None:
            return False
        n_movements = len(np.unique(self.collection.labels))
        n_missing = abs(len(self.collection.frame) - N_PUBLISHED)
        return n_movements == 18 and n_missing <= 0.01 * N_PUBLISHED

    def describe(self):
        """Return a text on the paintings, their split and the network weights."""
        counts = {part: int(np.sum(self.part == part)) for part in np.unique(self.part)}
        sentences = [
            f"{len(self.part):,} paintings of {len(np.unique(self.collection.labels))} "
            f"movements, split at random: {counts['train']:,} training, "
            f"{counts['validation']:,} validation, {counts['test']:,} test."
        ]
        if self.is_pandora18k:
            sentences.append("They are those of the report.")
            if self.settings != Settings():
                sentences.append(
                    "The settings are not those of the report: figures don't compare."
                )
            if self.collection.differences:
                sentences.append(
                    f"Differences: {'; '.join(self.collection.differences)}."
                )
        else:
            sentences.append(
                "The report's figures were measured on Pandora18K and are left out."
            )
        if self.backbone != "InceptionV3":
            sentences.append(
                f"The pretrained network is {self.backbone}, not the report's "
                "InceptionV3."
            )
        if self.weights is None:
            sentences.append(
                f"{self.backbone} has random weights, not pretrained ones."
            )
        elif self.weights != "imagenet":
            sentences.append(
                f"{self.backbone} has the weights of {Path(self.weights).name}, not "
                "those of ImageNet that the report used."
            )
        return " ".join(sentences)

    def _file(self, name):
        """Return the file of a finished experiment."""
        return self.out / f"{name}.json"

    def claim_folder(self):
        """Write the settings to the folder, or compare them with those in it."""
        # Paintings are identified by content, not by path.
        frame = self.collection.frame.assign(
            part=self.part,
            path=digest_paintings(self.collection.paths, self.out / "features"),
        )
        manifest = frame.to_csv(index=False)
        made_with = {
            "paintings": hashlib.sha256(
                manifest.encode(errors="backslashreplace")
            ).hexdigest(),
            "backbone": self.backbone,
            "weights": identify_weights(self.weights),
            "on_error": self.on_error,
            "seed": self.seed,
            **dataclasses.asdict(self.settings),
            **list_versions(),
        }
        file = self.out / "settings.json"
        self.out.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            write_json(file, made_with)
            return made_with
        before = json.loads(file.read_text(encoding="utf-8"))
        changed = [
            f"{name} {before.get(name)} (now {value})"
            for name, value in made_with.items()
            if value != before.get(name)
        ]
        if changed:
            raise ValueError(
                f"{str(self.out)!r} holds a reproduction of other paintings or with "
                f"other settings: {', '.join(changed)}. Name another folder as --out, "
                "or delete this one."
            )
        return made_with

    def _vgg_lite(self, _):
        self.say("\nVGG-lite: the report's baseline")
        pipe = self.network("vgg_lite", epochs=self.settings.epochs)
        return self._fit("vgg-lite", pipe)

    def _hybrid(self, _):
        n = self.settings.n_networks
        self.say(
            f"\nHybrid CNN: random search over {n} networks, then the best of them"
        )
        pipe = self.network("hybrid", epochs=self.settings.search_epochs)
        best, candidates = self._search("hybrid", pipe, cnn_search_space(), n)
        pipe.set_params(**best, cnn__epochs=self.settings.epochs)
        return self._fit("hybrid", pipe, best, candidates)

    def _reported_head(self, _):
        self.say(
            f"\nFrozen {self.backbone}: features once, then the report's best head"
        )
        return self._fit("reported-head", self.frozen())

    def _transfer(self, _):
        n = self.settings.n_heads
        self.say(f"\nFrozen {self.backbone}: random search over {n} heads")
        pipe = self.frozen()
        best, candidates = self._search("transfer", pipe, head_search_space(), n)
        return self._fit("transfer", pipe.set_params(**best), best, candidates)

    def _fine_tune(self, results):
        self.say("\nFine-tuning: a head stopped early, then the last module")
        best = _without_prefix(results["transfer"]["best"])
        result = self._fit("fine-tune", self.fine_tuned(**best))
        history = pd.DataFrame(result["history"]).query("stage == 1")
        result["before"] = history.loc[history["val_loss"].idxmin(), "val_accuracy"]
        return result

    def _leakage(self, results):
        self.say("\nBeyond the report: random folds and artists kept apart")
        return {name: evaluate_apart(self, results[name]) for name in EVALUATED}

    def network(self, kind, **options):
        """Make a pipeline with a network that is trained from scratch."""
        return make_cnn_pipeline(
            kind,
            size=self.settings.size,
            on_error=self.on_error,
            random_state=self.seed,
            **{"verbose": 1, **options},
        )

    def frozen(self, **head):
        """Make a pipeline of the frozen network and a head like the report's."""
        pipe = make_transfer_pipeline(
            size=self.settings.pretrained_size,
            on_error=self.on_error,
            backbone=self.backbone,
            weights=self.weights,
            layer=None,
            cache=self.out / "features",
        )
        return pipe.set_params(head=self._head(**head))

    def fine_tuned(self, **head):
        """Make a pipeline that trains a head, and then the last module as well."""
        # A head that overfits is a bad start: it is stopped early.
        return make_fine_tune_pipeline(
            self._head(**{"patience": PATIENCE["fine-tune"], **head}),
            size=self.settings.pretrained_size,
            on_error=self.on_error,
            backbone=self.backbone,
            weights=self.weights,
            unfreeze_from=LAST_CUTS.get(self.backbone) or cut_points(self.backbone)[-2],
            cache=self.out / "features",
            epochs=self.settings.fine_tune_epochs,
            random_state=self.seed,
            verbose=1,
        )

    def _head(self, **params):
        return report_head(
            **{"epochs": self.settings.head_epochs, **params},
            # The report had pretrained weights; random features need it.
            standardize=self.weights is None,
            random_state=self.seed,
        )

    def _search(self, name, pipe, space, n_candidates):
        """Return the best parameters on the validation paintings, and all results."""
        paths, labels, held_out = self._seen()
        search = random_search(
            self.cached(name, pipe),
            {f"estimator__{name}": values for name, values in space.items()},
            paths,
            labels,
            n_candidates=n_candidates,
            cv=PredefinedSplit(np.where(held_out, 0, -1)),
            seed=self.seed,
        )
        candidates = {
            key.replace("estimator__", "", 1): values
            for key, values in note_search(search.cv_results_).items()
        }
        return _without_prefix(search.best_params_), candidates

    def _fit(self, name, pipe, best=None, candidates=None):
        """Train on the training paintings; validate on the validation paintings."""
        paths, labels, held_out = self._seen()
        X, y = paths[~held_out], labels[~held_out]
        step = pipe.steps[-1][0]
        stopping = {"patience": PATIENCE[name], "callbacks": EpochTimer()}
        pipe.set_params(**{f"{step}__{key}": x for key, x in stopping.items()})
        validation = {
            f"{step}__X_val": pipe[:-1].fit(X, y).transform(paths[held_out]),
            f"{step}__y_val": labels[held_out],
        }
        pipe = self.cached(name, pipe).fit(X, y, **validation).estimator_
        classifier = pipe[-1]
        seconds = classifier.callbacks.seconds
        classifier.set_params(callbacks=None)
        self.save(name, pipe, paths)
        result = {
            "epochs": len(seconds),
            "seconds_per_epoch": float(np.median(seconds)),
            "parameters": int(
                sum(np.prod(x.shape) for x in classifier.model_.trainable_weights)
            ),
            "best": _plain(best or {}),
            "search": candidates,
            "history": _plain(classifier.history_),
            "classes": classifier.classes_.tolist(),
        }
        for part in ("train", "validation", "test"):
            rows = self.part == part
            truth = self.collection.labels[rows]
            probabilities = pipe.predict_proba(self.collection.paths[rows])
            predicted = classifier.classes_[probabilities.argmax(axis=1)]
            result[part] = float(np.mean(predicted == truth))
        result["y_true"] = truth.tolist()
        result["probabilities"] = probabilities.astype(float).round(6).tolist()
        self.say(
            f"{name}: validation {result['validation']:.1%}, test {result['test']:.1%}"
        )
        return result

    def _seen(self):
        """Return training and validation paintings, and a mask of the latter."""
        rows = self.part != "test"
        labels = self.collection.labels[rows]
        return self.collection.paths[rows], labels, self.part[rows] == "validation"


class EpochTimer(keras.callbacks.Callback):
    """Measure the time of each epoch, validation included."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.monotonic() - self._started)


def write_json(file, content):
    """Write a dict as a JSON file, atomically."""
    with atomic_write(file) as part:
        part.write_text(json.dumps(content), encoding="utf-8")


def _without_prefix(params):
    return {name.partition("__")[2]: value for name, value in params.items()}


def _plain(values):
    return json.loads(json.dumps(values, default=lambda value: value.tolist()))
