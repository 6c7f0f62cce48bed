"""Paintings, folds and weights of several commands."""

import hashlib
import os
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from tqdm.auto import tqdm

from skart._utils._files import atomic_write
from skart._utils._validation import visible
from skart.datasets import load_catalogue, load_pandora18k
from skart.datasets._folder import read_folder
from skart.datasets._pandora18k import is_pandora18k

# A movement needs paintings to train on, to validate with and to test on.
LEAST_PAINTINGS = 4

# What keras.applications.InceptionV3(include_top=False) downloads, 88 MB.
INCEPTION_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
INCEPTION_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"


class Collection:
    """The labelled paintings of a folder, a catalogue or Pandora18K.

    Movements of fewer than `least` paintings are left out. `frame` has the columns
    path, movement and artist; `differences` lists the differences from the published
    Pandora18K, and is None for other collections.
    """

    def __init__(self, data, *, least=LEAST_PAINTINGS, skip_empty=False):
        data = Path(data).expanduser()
        self.name = str(data)
        if data.is_file():
            bunch = load_catalogue(data)
        elif is_pandora18k(data):
            bunch = load_pandora18k(data, on_mismatch="ignore")
        else:
            bunch = read_folder(data, skip_empty=skip_empty)
        self.differences = bunch.get("differences")
        self.skipped = bunch.skipped
        self.empty = bunch.get("empty", [])
        self.artists_known = bunch.artists is not None
        # Of objects: the strings of pandas can't hold all file names.
        frame = pd.DataFrame({"path": pd.Series(bunch.paths, dtype=object)})
        frame["movement"] = bunch.labels
        # Unknown artists count as one, so that they are never kept apart.
        frame["artist"] = bunch.artists if self.artists_known else "unknown"
        counts = frame["movement"].value_counts(sort=False).sort_index()
        self.left_out = counts.index[counts < least].tolist()
        kept = ~frame["movement"].isin(self.left_out)
        self.frame = frame[kept].reset_index(drop=True)
        if self.frame["movement"].nunique() < 2:
            raise ValueError(
                f"{str(data)!r} has fewer than two movements of {least} or more "
                "paintings: too little to train on and to test with"
            )

    @property
    def paths(self):
        """Image files, an array of str."""
        return self.frame["path"].to_numpy(dtype=object)

    @property
    def labels(self):
        """Movements, an array."""
        return self.frame["movement"].to_numpy()

    @property
    def groups(self):
        """Artists, an array of str; None if no artist is known."""
        artists = self.frame["artist"].to_numpy(dtype=object)
        return artists if self.artists_known else None

    def summary(self):
        """Return the numbers of paintings and artists, a row a movement."""
        table = self.frame.groupby("movement").agg(
            paintings=("path", "size"), artists=("artist", "nunique")
        )
        return table if self.artists_known else table.drop(columns="artists")

    def remarks(self):
        """Return lines on the files and movements that are left out."""
        remarks = [f"passed over: {n} {reason}" for reason, n in self.skipped.items()]
        if self.empty:
            names = ", ".join(map(visible, self.empty))
            remarks.append(f"movements without images: {names}")
        if self.left_out:
            names = ", ".join(map(str, self.left_out))
            remarks.append(
                f"left out, with fewer than {LEAST_PAINTINGS} paintings: {names}"
            )
        return remarks


def load_collection(data, say):
    """Load a collection for training, and show its movements and what is left out."""
    collection = Collection(data)
    for text in (collection.summary().to_string(), *collection.remarks()):
        say(text)
    return collection


def save_figure(display, file):
    """Save the figure of a Display, and close it."""
    import matplotlib.pyplot as plt

    display.figure_.savefig(file, dpi=120, bbox_inches="tight")
    plt.close(display.figure_)


def choose_splitter(frame, n_folds):
    """Return a splitter class, with artists apart if there are enough, and why."""
    by_movement = frame.groupby("movement")["artist"].nunique()
    fewest = by_movement.idxmin()
    if by_movement[fewest] > n_folds:
        return StratifiedGroupKFold, "the paintings of an artist kept together"
    if frame["artist"].nunique() == 1:
        return StratifiedKFold, "at random: the artists are not known"
    return (
        StratifiedKFold,
        f"at random: {fewest} has too few artists to keep them apart, "
        f"{by_movement[fewest]} where {n_folds + 1} are needed",
    )


def validation_share(labels, n_folds=1):
    """Return a validation share with room for each movement, in folds as well."""
    n_trained_on = len(labels) * (1 - 1 / n_folds if n_folds > 1 else 1)
    return max(0.15, 1.01 * pd.Series(labels).nunique() / n_trained_on)


def choose_weights(weights, say=print, *, fall_back=False):
    """Return `--weights` as FeatureExtractor takes it: None for random weights.

    If `fall_back`, random weights are used where ImageNet weights are not available.
    """
    if weights == "random":
        return None
    if weights not in ("imagenet", None) and not Path(weights).expanduser().is_file():
        raise FileNotFoundError(
            f"--weights {weights}: there is no such file. Pass a file of InceptionV3 "
            "weights without the top (.weights.h5), 'imagenet' or 'random'."
        )
    if weights is not None or not fall_back:
        return weights or "imagenet"
    home = os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras"))
    if not os.access(home, os.W_OK):  # then Keras uses another folder
        home = "/tmp/.keras"
    if fetch(INCEPTION_URL, INCEPTION_MD5, Path(home, "models"), say):
        return "imagenet"
    say(
        "ImageNet weights are not available; InceptionV3 gets random weights, with "
        "which it recognizes far fewer paintings. To use a file of weights, pass "
        "--weights FILE."
    )
    return None


def fetch(url, md5, folder, say=print):
    """Return whether `folder` holds the file of `url`; if not, download it first.

    Another file of that name is replaced once the download is complete.
    """
    file = folder / url.rpartition("/")[2]
    if file.is_file() and hashlib.md5(file.read_bytes()).hexdigest() == md5:
        return True
    say(f"Downloading {url} ...")
    content = bytearray()
    try:
        with (
            urlopen(url, timeout=10) as response,
            tqdm.wrapattr(response, "read", total=response.length) as stream,
        ):
            while block := stream.read(2**16):
                content += block
    except (OSError, HTTPException) as error:
        say(f"The download failed: {error}")
        return False
    if hashlib.md5(content).hexdigest() != md5:
        say("The download failed: it is incomplete, or another file")
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as part:
        part.write_bytes(content)
    return True
