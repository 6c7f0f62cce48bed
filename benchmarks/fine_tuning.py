"""Time an epoch of fine-tuning from stored maps, from images, and with plain Keras.

Plain Keras freezes the layers before the cut but computes them in each step. Each epoch
is the second of two, without tracing. Prints a Markdown table.

    python benchmarks/fine_tuning.py --paintings 128
"""

import argparse
import os
import platform
import tempfile
import time
from datetime import date
from importlib.metadata import version

import keras
import numpy as np

from skart import DenseHeadClassifier, FeatureExtractor, FineTuneClassifier, ImageLoader
from skart.datasets import load_image_folder, make_paintings


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.begun)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paintings", type=int, default=128)
    parser.add_argument("--cuts", nargs="+", default=["mixed9", "mixed8", "mixed7"])
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()
    print(
        f"{args.paintings} paintings at 299 x 299, batches of {args.batch_size}; "
        f"{date.today()}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow"))
        + f"; {platform.system()} {platform.machine()}, {os.cpu_count()} cores\n"
    )
    print(
        "| cut | trunk, once | epoch, stored maps | epoch, plain Keras | ratio "
        "| epoch, `augment='light'` |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        root = make_paintings(
            f"{folder}/paintings",
            movements=["Cubism", "Op Art"],
            n_artists=8,
            n_per_artist=args.paintings // 16,
            size_range=(300, 600),
            n_jobs=-1,
        )
        paintings = load_image_folder(root)
        images = ImageLoader(299).transform(paintings.paths)
        codes = np.unique(paintings.labels, return_inverse=True)[1]
        for cut in args.cuts:
            store = f"{folder}/{cut}"
            begun = time.perf_counter()
            FeatureExtractor(
                weights=None,
                layer=cut,
                pooling=None,
                storage_dtype="float16",
                cache=store,
                verbose=False,
            ).transform(images)
            trunk = time.perf_counter() - begun
            maps, pixels = (
                fine_tune(images, paintings.labels, cut, store, augment, args)
                for augment in (None, "light")
            )
            plain = plain_keras(images, codes, cut, args)
            print(
                f"| `{cut}` | {trunk:.1f} s | {maps:.1f} s | {plain:.1f} s "
                f"| {plain / maps:.1f} | {pixels:.1f} s |",
                flush=True,
            )


def fine_tune(images, labels, cut, store, augment, args):
    clock = Clock()
    FineTuneClassifier(
        DenseHeadClassifier(epochs=1),
        weights=None,
        unfreeze_from=cut,
        augment=augment,
        cache=store,
        epochs=2,
        batch_size=args.batch_size,
        callbacks=clock,
        random_state=0,
        verbose=0,
    ).fit(images, labels)
    return clock.seconds[-1]


def plain_keras(images, codes, cut, args):
    class Decoded(keras.utils.PyDataset):
        def __len__(self):
            return -(-len(images) // args.batch_size)

        def __getitem__(self, index):
            rows = slice(index * args.batch_size, (index + 1) * args.batch_size)
            batch = np.asarray(images[rows], np.float32)
            return keras.applications.inception_v3.preprocess_input(batch), codes[rows]

    network = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(299, 299, 3), pooling="avg"
    )
    names = [layer.name for layer in network.layers]
    for place, layer in enumerate(network.layers):
        layer.trainable = place > names.index(cut) and not isinstance(
            layer, keras.layers.BatchNormalization
        )
    model = keras.Sequential(
        [
            network,
            keras.layers.Dropout(0.7),
            keras.layers.Dense(650, activation="relu"),
            keras.layers.Dropout(0.7),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(1e-5),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    clock = Clock()
    model.fit(Decoded(workers=2), epochs=2, callbacks=[clock], verbose=0)
    return clock.seconds[-1]


if __name__ == "__main__":
    main()
