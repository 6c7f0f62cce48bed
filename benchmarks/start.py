"""Time imports and commands in new processes.

The first run of each is not counted: it reads the files into memory and compiles byte
code. With InceptionV3 weights, ``skart predict`` of one painting is timed as well.
Prints a Markdown table.

    python benchmarks/start.py --weights inception_v3.weights.h5
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import PACKAGES, describe_machine, spread, time_in_turn

SKART = "from skart.cli import main; main()"
# Find no exported model, as without OpenVINO.
WITH_KERAS = (
    "import skart.persistence._exported as exported; "
    f"exported.find_kept = lambda file, cache: None; {SKART}"
)

COMMANDS = {
    "`python -c pass`": ["-c", "pass"],
    "`import skart`": ["-c", "import skart"],
    "`skart --help`": ["-c", SKART, "--help"],
    "`import sklearn.pipeline`": ["-c", "import sklearn.pipeline"],
    "`import keras`": ["-c", "import keras"],
    "`import tensorflow`": ["-c", "import tensorflow"],
}


def start(arguments):
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def predictions(folder, weights):
    """Train a model; return functions that predict one painting with it."""
    from skart import make_transfer_pipeline, save_model
    from skart.datasets import load_image_folder, make_paintings

    make_paintings(folder / "paintings", n_artists=1, n_per_artist=4, verbose=False)
    paintings = load_image_folder(folder / "paintings")
    model = str(folder / "model.skart")
    pipe = make_transfer_pipeline(weights=weights, epochs=5, verbose=False)
    pipe.set_params(features__engine="keras")
    save_model(pipe.fit(paintings.paths, paintings.labels), model)

    def predict(code, cache):
        start(["-c", code, "predict", model, paintings.paths[0], "--cache", cache])

    def predict_anew():
        with tempfile.TemporaryDirectory() as cache:
            predict(WITH_KERAS, cache)

    kept = str(folder / "cache")
    predict(SKART, kept)  # exports the model
    name = "`skart predict`, one painting"
    return {
        f"{name}, with Keras": predict_anew,
        f"{name}, with Keras, its features stored": lambda: predict(WITH_KERAS, kept),
        f"{name}, exported": lambda: predict(SKART, kept),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--weights", help="InceptionV3 without its top")
    args = parser.parse_args()
    print(describe_machine(*PACKAGES, "openvino") + "\n")
    functions = {
        name: lambda arguments=arguments: start(arguments)
        for name, arguments in COMMANDS.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        if args.weights:
            functions |= predictions(Path(folder), args.weights)
        seconds, _ = time_in_turn(functions, args.rounds)
    print("| start | seconds |\n|---|---|")
    for name, value in seconds.items():
        print(f"| {name} | {spread(value)} |")


if __name__ == "__main__":
    main()
