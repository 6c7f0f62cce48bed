"""Pipelines that can be exported, and the command that predicts with them."""

import json

import numpy as np
from helpers import head, run
from sklearn.pipeline import make_pipeline
from toy_backbone import CUT

from skart import (
    FeatureExtractor,
    FineTuneClassifier,
    HybridCNNClassifier,
    ImageLoader,
)

MOVEMENTS = ["Cubism", "Op Art", "Rococo"] * 4
SIZE = (40, 56)


def extractor(**parameters):
    return FeatureExtractor(
        **({"backbone": "ToyNet", "weights": None, "verbose": False} | parameters)
    )


def make(kind):
    """Return an unfitted pipeline of a kind that can be exported."""
    load = ImageLoader(SIZE)
    train = {"epochs": 2, "random_state": 0}
    last = head(units=8, optimizer__learning_rate=0.01, **train)
    if kind == "head":
        return make_pipeline(load, extractor(), last)
    if kind in ("layers", "fine_tuned"):
        # The converted graph may round to another value of float16; standardization
        # magnifies it where random weights give nearly equal features.
        last.set_params(standardize=False)
    if kind == "layers":
        features = extractor(
            layer=["relu1", "relu3"], pooling=["avg", "std"], storage_dtype="float16"
        )
        return make_pipeline(load, features, "passthrough", last)
    if kind == "constants":
        features = extractor(backbone="EfficientNetB0", layer="stem_conv")
        return make_pipeline(load, features, last)
    if kind == "crops":
        features = extractor(
            crops=5, crop_size=32, horizontal_flip=True, crop_pooling="max"
        )
        load = ImageLoader(SIZE, resize="pad")
        return make_pipeline(load, features, last.set_params(standardize=False))
    if kind == "cnn":
        load = ImageLoader(24)
        return make_pipeline(load, HybridCNNClassifier(augment="light", **train))
    cut = {"fine_tuned": CUT, "fine_tuned_from_input": "input"}[kind]
    model = FineTuneClassifier(
        last, backbone="ToyNet", weights=None, unfreeze_from=cut, verbose=0, **train
    )
    return make_pipeline(load, model)


def predict(file, paths, *options):
    """Return the probabilities that the command predicts."""
    done = run("predict", file, *paths, "--format", "json", *options)
    assert done.exit_code == 0, done.stderr
    return np.array(
        [
            [
                x["probability"]
                for x in sorted(row["predictions"], key=lambda x: x["movement"])
            ]
            for row in json.loads(done.stdout)
        ]
    )
