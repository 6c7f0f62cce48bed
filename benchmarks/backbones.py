"""Compare networks whose weights need not be at hand: parameters, vector, speed.

Each network has random weights and images of its default size, and alternates with
InceptionV3. For their accuracy, see `real_art.py`. Prints a Markdown table.

    python benchmarks/backbones.py
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from common import describe_machine, spread, time_in_turn

from skart.networks import load_backbone, preprocess
from skart.networks._backbones import build
from skart.networks._style_layers import default_size

BASE = "InceptionV3"
NETWORKS = (
    BASE,
    "EfficientNetLite0",
    "MobileNetV2",
    "MobileNetV3Large",
    "NASNetMobile",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "EfficientNetV2S",
    "DenseNet121",
    "ResNet50",
    "ResNet50V2",
    "ConvNeXtTiny",
    "Xception",
    "VGG16",
)


def prepare(name, n_images):
    """Give a network, and what runs it on images once."""
    size = default_size(name)
    network = load_backbone(name, input_shape=(size, size, 3), weights=None)
    images = np.random.default_rng(0).integers(0, 256, (n_images, size, size, 3))
    images = images.astype(np.uint8)
    return network, lambda: network.predict_on_batch(preprocess(name, images))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME")
    parser.add_argument("--images", type=int, default=22)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(describe_machine() + "\n")
    print("| network | parameters | vector | size ", end="")
    print("| images per second, InceptionV3 = 1 |")
    print("|---|---|---|---|---|")
    _, base = prepare(BASE, args.images)
    for name in args.networks:
        network, run = prepare(name, args.images)
        seconds, _ = time_in_turn({BASE: base} | {name: run}, args.rounds)
        print(
            f"| {name} | {build(name).count_params() / 1e6:.1f} million | "
            f"{network.output_shape[1]:,} | {default_size(name)} | "
            f"{spread(seconds[BASE] / seconds[name])} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
