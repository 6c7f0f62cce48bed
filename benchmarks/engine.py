"""Compare the engines of FeatureExtractor with Keras: images per second and error.

Each network has random weights and random images in memory. All rows alternate, so that
networks can be compared as well. Prints Markdown tables.

    python benchmarks/engine.py
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from common import PACKAGES, describe_machine, spread, time_in_turn

from skart import FeatureExtractor
from skart.features._engine import load_openvino
from skart.networks import load_backbone, preprocess
from skart.networks._backbones import build
from skart.networks._style_layers import default_size

NETWORKS = (
    "InceptionV3",
    "EfficientNetLite0",
    "ConvNeXtTiny",
    "EfficientNetV2B0",
    "MobileNetV2",
    "ResNet50",
)
PREDICT = "`keras.Model.predict`"


def prepare(name, n_images, dtypes):
    """Return what computes the features of a network, a dict of functions."""
    shape = (default_size(name), default_size(name), 3)
    images = np.random.default_rng(0).integers(0, 256, (n_images, *shape), np.uint8)
    whole = build(name, shape, seed=0)
    pooled = keras.layers.GlobalAveragePooling2D()(whole.output)
    network = keras.Model(whole.input, pooled)
    inputs = preprocess(name, images)
    ways = {PREDICT: lambda: network.predict(inputs, batch_size=32, verbose=0)}
    for dtype in dtypes:
        frozen = load_backbone(name, input_shape=shape, weights=None, dtype=dtype)
        ways[f"Keras, {dtype}"] = lambda frozen=frozen: np.concatenate(
            [frozen.predict_on_batch(batch) for batch in np.split(inputs, 2)]
        )
    for dtype in dtypes:
        extractor = FeatureExtractor(name, weights=None, dtype=dtype)
        converted = load_openvino(extractor, shape)
        ways[f"OpenVINO, {dtype}"] = lambda converted=converted: converted(images)[0]
    return ways


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--images", type=int, default=32, help="an even number")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(describe_machine(*PACKAGES, "openvino") + "\n")
    ways = {
        (name, way): compute
        for name in args.networks
        for way, compute in prepare(name, args.images, args.dtypes).items()
    }
    seconds, features = time_in_turn(ways, args.rounds)
    first = args.networks[0], f"OpenVINO, {args.dtypes[0]}"
    print(f"| network | computed by | images per second | {PREDICT} = 1 ", end="")
    print(f"| {first[0]}, {first[1]} = 1 | relative error |")
    print("|---|---|---|---|---|---|")
    for (name, way), own in features.items():
        exact, plain = features[name, PREDICT], seconds[name, PREDICT]
        error = np.linalg.norm(own - exact) / np.linalg.norm(exact)
        print(
            f"| {name} at {default_size(name)} | {way} | "
            f"{spread(args.images / seconds[name, way], '.1f')} | "
            f"{spread(plain / seconds[name, way])} | "
            f"{spread(seconds[first] / seconds[name, way])} | {error:.0e} |"
        )


if __name__ == "__main__":
    main()
