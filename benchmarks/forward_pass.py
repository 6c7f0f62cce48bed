"""Compare the forward pass of a frozen network in skart and Keras: time and error.

InceptionV3 on the same images: ``predict`` and ``predict_on_batch`` of Keras and
skart's extractor, in float32 and bfloat16. With ``--weights``, drawn paintings are
classified with both dtypes. Prints Markdown tables.

    python benchmarks/forward_pass.py --weights FILE
"""

import argparse
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from common import describe_machine, spread, time_in_turn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skart import FeatureExtractor, ImageLoader
from skart.datasets import load_image_folder, make_paintings


def plain_keras(size, weights, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg"
    )
    keras.config.set_dtype_policy(before)
    if weights:
        network.load_weights(weights)
    return network


def measure(images, weights, rounds):
    size = images.shape[1]
    prepared = keras.applications.inception_v3.preprocess_input(
        images.astype(np.float32)
    )
    network = plain_keras(size, weights, "float32")
    half = plain_keras(size, weights, "mixed_bfloat16")
    half.set_weights(network.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        # The extractor uses the weights of the network, random or not.
        file = f"{folder}/network.weights.h5"
        network.save_weights(file)
        extract = {
            dtype: FeatureExtractor(weights=file, dtype=dtype, verbose=False).transform
            for dtype in ("float32", "bfloat16")
        }
        batches = np.array_split(prepared, -(-len(prepared) // 22))
        seconds, features = time_in_turn(
            {
                "`keras.Model.predict` on an array": lambda: network.predict(
                    prepared, batch_size=22, verbose=0
                ),
                "Keras, `predict_on_batch`": lambda: np.concatenate(
                    [network.predict_on_batch(batch) for batch in batches]
                ),
                "Keras, `mixed_bfloat16`": lambda: np.concatenate(
                    [half.predict_on_batch(batch) for batch in batches]
                ),
                "skart, float32": lambda: extract["float32"](images),
                "skart, bfloat16": lambda: extract["bfloat16"](images),
            },
            rounds,
        )
    exact = next(iter(features.values()))
    base = next(iter(seconds.values()))
    print(
        "| InceptionV3 at",
        f"{size} x {size} | images per second | relative to predict ",
        end="",
    )
    print("| relative error | lowest cosine |")
    print("|---|---|---|---|---|")
    for name, own in features.items():
        lengths = np.linalg.norm(own, axis=1) * np.linalg.norm(exact, axis=1)
        cosine = ((own * exact).sum(axis=1) / lengths).min()
        error = np.linalg.norm(own - exact) / np.linalg.norm(exact)
        print(
            f"| {name} | {spread(len(images) / seconds[name], '.1f')} | "
            f"{spread(base / seconds[name])} | {error:.0e} | {cosine:.5f} |"
        )


def compare_accuracy(paintings, weights, layer):
    print(f"\n| features of {layer or 'the last layer'} | accuracy, painters apart |")
    print("|---|---|")
    images = ImageLoader(299).fit_transform(paintings.paths)
    for dtype in ("float32", "bfloat16"):
        X = FeatureExtractor(weights=weights, layer=layer, dtype=dtype).transform(
            images
        )
        scores = cross_val_score(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
            X,
            paintings.labels,
            groups=paintings.artists,
            cv=StratifiedGroupKFold(4),
        )
        print(f"| {dtype} | {scores.mean():.1%} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--weights", help="InceptionV3 without its top; else random ones"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[299, 500])
    parser.add_argument("--images", type=int, default=66)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--skip-accuracy", action="store_true")
    args = parser.parse_args()
    print(describe_machine() + "\n")
    with tempfile.TemporaryDirectory() as folder:
        make_paintings(
            folder, n_artists=6, n_per_artist=8, size_range=(300, 500), verbose=False
        )
        paintings = load_image_folder(folder)
        step = max(1, len(paintings.paths) // args.images)
        for size in args.sizes:
            paths = paintings.paths[::step][: args.images]
            images = np.asarray(ImageLoader(size).fit_transform(paths))
            measure(images, args.weights, args.rounds)
            print()
        if args.weights and not args.skip_accuracy:
            for layer in ("mixed5", None):
                compare_accuracy(paintings, args.weights, layer)


if __name__ == "__main__":
    main()
