"""Compare a search over heads in skart with the same network in plain scikeras.

Both cross-validate the same candidates of the report's search space on the same folds
of synthetic features, skart also with standardized features.

    python benchmarks/head_search.py
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from scikeras.wrappers import KerasClassifier
from sklearn.model_selection import ParameterSampler, StratifiedKFold

from skart import DenseHeadClassifier
from skart.model_selection import head_search_space


def build(units, dropout, meta):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )


def with_scikeras(units, dropout, epochs, **optimizer):
    return KerasClassifier(
        build,
        model__units=units,
        model__dropout=dropout,
        optimizer="adam",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        epochs=epochs,
        batch_size=32,
        verbose=0,
        random_state=0,
        **optimizer,
    )


def with_skart(units, dropout, epochs, **options):
    options = {"standardize": False, "learning_rate_schedule": None} | options
    return DenseHeadClassifier(
        units=units, dropout=dropout, epochs=epochs, random_state=0, **options
    )


def with_standardized(epochs, **candidate):
    return with_skart(epochs=epochs, standardize=True, **candidate)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=3)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--samples", type=int, default=5000)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    y = generator.integers(0, 10, options.samples)
    centers = generator.normal(scale=0.12, size=(10, 2048))
    X = centers[y] + generator.normal(size=(options.samples, 2048))
    X = np.maximum(X, 0).astype("float32")
    candidates = list(
        ParameterSampler(head_search_space(""), options.candidates, random_state=0)
    )
    folds = list(StratifiedKFold(options.folds).split(X, y))
    seconds, accuracies = {}, {}
    for parameters in candidates:
        for training, test in folds:
            for make in (with_scikeras, with_skart, with_standardized):
                start = time.perf_counter()
                classifier = make(epochs=options.epochs, **parameters)
                classifier.fit(X[training], y[training])
                right = classifier.predict(X[test]) == y[test]
                name = make.__name__.removeprefix("with_")
                seconds.setdefault(name, []).append(time.perf_counter() - start)
                accuracies.setdefault(name, []).append(right.mean())
    for name in seconds:
        print(
            f"{name:10} {np.sum(seconds[name]) / 60:6.2f} minutes, "
            f"{np.median(seconds[name]):5.2f} s a fit, "
            f"accuracy {np.mean(accuracies[name]):.2%}"
        )
    for one, other in (("skart", "scikeras"), ("standardized", "skart")):
        ratios = np.divide(seconds[one], seconds[other])
        whole = np.sum(seconds[one]) / np.sum(seconds[other])
        print(
            f"{one} / {other}: {whole:.2f} of the time (a fit: median "
            f"{np.median(ratios):.2f}, {ratios.min():.2f} to {ratios.max():.2f})"
        )


if __name__ == "__main__":
    main()
