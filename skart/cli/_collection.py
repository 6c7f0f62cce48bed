"""What a command decides for its user: which paintings, weights and folds to take."""

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
    """Labelled paintings, as far as there are enough of a movement to learn it.

    Parameters
    ----------
    data : str or path
        A folder ``Movement/Artist/file`` or ``Movement/file``, Pandora18K's among them,
        or a catalogue: a table with the columns path, movement and, if known, artist.
    least : int, default=4
        Movements of fewer paintings are left out.
    skip_empty : bool, default=False
        Whether movements without images are left out, too, instead of an error.

    Attributes
    ----------
    frame : DataFrame
        ``path``, ``movement`` and ``artist``, a row a painting.
    artists_known : bool
        Whether any artist is.
    skipped : dict of str to int
        Files passed over, by reason.
    left_out : list of str
        Movements of fewer than ``least`` paintings.
    empty : list of str
        Movements without images.
    differences : list of str or None
        How it differs from the published Pandora18K; None if it is another collection.
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
        frame = pd.DataFrame({"path": bunch.paths, "movement": bunch.labels})
        # Where no artist is known, all are one: too few to keep apart.
        frame["artist"] = bunch.artists if self.artists_known else "unknown"
        counts = frame["movement"].value_counts(sort=False).sort_index()
        self.left_out = counts.index[counts < least].tolist()
        self.frame = frame[~frame["movement"].isin(self.left_out)].reset_index(
            drop=True
        )
        if self.frame["movement"].nunique() < 2:
            raise ValueError(
                f"{str(data)!r} has fewer than two movements of {least} or more "
                "paintings: too little to train on and to test with"
            )

    @property
    def paths(self):
        """Image files: ndarray of str."""
        return self.frame["path"].to_numpy(dtype=object)

    @property
    def labels(self):
        """Movements: ndarray."""
        return self.frame["movement"].to_numpy()

    @property
    def groups(self):
        """Artists: ndarray of str; None where none is known."""
        if not self.artists_known:
            return None
        return self.frame["artist"].to_numpy(dtype=object)

    def summary(self):
        """Count paintings and artists of each movement.

        Returns
        -------
        table : DataFrame, a row a movement
            ``paintings`` and, where they are known, ``artists``.
        """
        table = self.frame.groupby("movement").agg(
            paintings=("path", "size"), artists=("artist", "nunique")
        )
        return table if self.artists_known else table.drop(columns="artists")

    def remarks(self):
        """Tell what was passed over and left out: a list of str."""
        remarks = [f"passed over: {n} {reason}" for reason, n in self.skipped.items()]
        if self.empty:
            remarks.append(
                f"movements without images: {', '.join(map(visible, self.empty))}"
            )
        if self.left_out:
            remarks.append(
                f"left out, with fewer than {LEAST_PAINTINGS} paintings: "
                f"{', '.join(map(str, self.left_out))}"
            )
        return remarks


def choose_splitter(frame, n_folds):
    """Choose folds: artists kept apart, if there are enough of each movement.

    Parameters
    ----------
    frame : DataFrame
        ``movement`` and ``artist``, a row a painting.
    n_folds : int
        Folds there will be.

    Returns
    -------
    splitter : type
        StratifiedGroupKFold or StratifiedKFold.
    why : str
        What to tell the user.
    """
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
    """Choose a share to hold out that has room for a painting of each movement.

    Parameters
    ----------
    labels : array-like of shape (n_paintings,)
        Movements of what is trained on.
    n_folds : int, default=1
        Folds into which they may be split yet, for cross-validation.

    Returns
    -------
    share : float
        0.15, or more where there are few paintings.
    """
    n_trained_on = len(labels) * (1 - 1 / n_folds if n_folds > 1 else 1)
    return max(0.15, 1.01 * pd.Series(labels).nunique() / n_trained_on)


def imagenet_is_at_hand(say=print):
    """Find ImageNet weights of InceptionV3 in Keras' folder, or download them.

    Parameters
    ----------
    say : callable, default=print
        Takes messages on a download.

    Returns
    -------
    found : bool
        Whether the folder holds them.
    """
    home = os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras"))
    if not os.access(home, os.W_OK):  # then Keras takes another, too
        home = "/tmp/.keras"
    return fetch(INCEPTION_URL, INCEPTION_MD5, Path(home, "models"), say)


def fetch(url, md5, folder, say=print):
    """Find a file in a folder, or download it.

    Parameters
    ----------
    url : str
        Address of the file, the last part of which becomes its name.
    md5 : str
        Hexadecimal digest of its content.
    folder : path
        Where it is kept. Another file of that name is replaced once the download is
        complete.
    say : callable, default=print
        Takes messages on a download.

    Returns
    -------
    found : bool
        Whether the folder holds the file.
    """
    file = folder / url.rpartition("/")[2]
    if file.is_file():
        with open(file, "rb") as raw:
            if hashlib.file_digest(raw, "md5").hexdigest() == md5:
                return True
    say(f"Downloading {url} ...")
    try:
        content = _download(url)
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


def _download(url):
    """Download a file into memory; raise TimeoutError after 10 s without data."""
    content = bytearray()
    with (
        urlopen(url, timeout=10) as response,
        tqdm(total=response.length, unit="B", unit_scale=True) as progress,
    ):
        while block := response.read(2**16):
            content += block
            progress.update(len(block))
    return content


def choose_weights(weights, say=print, *, fall_back=False):
    """Turn what a user gives as ``--weights`` into what an extractor takes.

    Parameters
    ----------
    weights : str or None
        A file, ``"imagenet"``, ``"random"``, or None for ImageNet's.
    say : callable, default=print
        Tells the user what was decided.
    fall_back : bool, default=False
        Whether None may become random weights where ImageNet's can't be had.

    Returns
    -------
    weights : str or None
        As :class:`skart.FeatureExtractor` takes it; None are random ones.
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
    if imagenet_is_at_hand(say):
        return "imagenet"
    say(
        "No ImageNet weights here and none to be downloaded: going on with a randomly "
        "initialised InceptionV3, which recognises 64 % of drawn paintings where a "
        "pretrained one recognised 94 %, and fewer real ones. Give a file: --weights."
    )
    return None
