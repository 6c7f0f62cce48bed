"""Paintings, folds and weights of several commands."""

import os
import warnings
from pathlib import PurePath
from urllib.parse import urlsplit

import pandas as pd
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import Bunch

from skart._utils._files import expand, is_url
from skart._utils._validation import visible
from skart.cli._app import in_options, list_skipped
from skart.datasets._catalogue import find_paths, read_catalogue
from skart.datasets._folder import (
    IMAGE_EXTENSIONS,
    find_artist_in_names,
    find_images,
    known_artists,
    read_folder,
    unify_artists,
)
from skart.datasets._image_table import list_tables, read_image_table
from skart.datasets._pandora18k import is_pandora18k, name_movements
from skart.datasets._tables import (
    clean_column,
    clean_names,
    find_columns,
    find_image_column,
    find_usual,
    read_table,
)
from skart.evaluation._cross_validation import keep_artists_apart
from skart.images import find_readable
from skart.networks import available_backbone
from skart.networks._style_layers import default_size
from skart.networks._weights import find_preset
from skart.report._text import count

# A movement needs paintings to train on, to validate with and to test on.
LEAST_PAINTINGS = 4


class Collection:
    """The labelled paintings of a `Source`: a folder, a table or Pandora18K.

    Movements of fewer than `least` paintings are left out. `frame` has the columns
    path, movement and artist; `differences` lists the differences from the published
    Pandora18K, and is None for other collections; `corrected` says how many movements
    were corrected, and is None without corrections; `metadata` has the other columns of
    a table.

    If `labelled` is False, a folder may hold one movement, and paintings that are not
    laid out by movement are read without movements: `movements_known` is False then.
    With ``on_error="skip"``, rows of missing files are left out, and images that can't
    be read, unless `opens_files` is False.
    """

    def __init__(
        self,
        source,
        *,
        least=LEAST_PAINTINGS,
        skip_empty=False,
        on_error="raise",
        labelled=True,
        opens_files=True,
    ):
        data = source.locate()
        self.name = str(data)
        source.check()
        self._is_table = source.is_table
        if self._is_table and PurePath(data).suffix.lower() in IMAGE_EXTENSIONS:
            raise ValueError(
                f"{self.name!r} is an image: pass a folder of paintings, or a table of "
                "them"
            )
        self.movements_known, self._reason = True, None
        try:
            bunch = _read(
                source, data, skip_empty, on_error, least=2 if labelled else 1
            )
        except ValueError as error:
            options = (source.part, source.artists, source.corrections)
            if labelled or source.movement_column or any(options):
                raise
            bunch = _read_unlabelled(source, data, error, on_error)
            self.movements_known, self._reason = False, error
        self._hint = None
        if bunch.artists is None and self.movements_known:
            self._hint = _hint_at_artists(self._is_table, bunch)
        self.differences = bunch.get("differences")
        self.skipped = bunch.skipped
        self.empty = bunch.get("empty", [])
        self.artists_known = bunch.artists is not None
        # Of objects: the strings of pandas can't hold all file names.
        frame = pd.DataFrame({"path": pd.Series(bunch.paths, dtype=object)})
        frame["movement"] = bunch.labels
        # Unknown artists count as one, so that they are never kept apart.
        frame["artist"] = bunch.artists if self.artists_known else "unknown"
        self._metadata = None
        if self._is_table:
            others = bunch.frame.set_index("path").drop(columns=["movement", "artist"])
            self._metadata = others[~others.index.duplicated()]
        # Copies of a row would be in training and test folds.
        files = resolve(frame["path"]) if self._is_table else frame["path"]
        frame["file"] = pd.Series(files, dtype=object)
        repeated = frame.duplicated(["file", "movement"])
        self._repeated = _describe_repeated(frame, repeated)
        frame = frame[~repeated]
        self.corrected = None
        if source.corrections:
            frame = self._correct(frame, source.corrections)
        if on_error == "skip" and opens_files:
            frame = frame[find_readable(frame["path"])]
            if frame.empty:
                raise ValueError(f"no image in {self.name!r} can be read")
        if self.movements_known:
            _warn_of_two_movements(frame, self.name)
        self.frame = frame.drop(columns="file").reset_index(drop=True)
        self.left_out = []
        if labelled:
            self.drop_small(least)

    def _correct(self, frame, files):
        """Return the frame with the movements of files of corrections."""
        from skart.audit import apply_corrections

        given = labels = frame["movement"].to_numpy()
        kept = True
        for file in files:  # each was made after those before it
            labels, not_excluded = apply_corrections(file, frame["path"], labels)
            kept &= not_excluded
        n_changed, n_excluded = (labels != given)[kept].sum(), (~kept).sum()
        self.corrected = f"corrections: {n_changed} changed, {n_excluded} left out"
        return frame.assign(movement=labels)[kept]

    def drop_small(self, least=LEAST_PAINTINGS):
        """Leave out the movements of fewer than `least` paintings."""
        counts = self.frame["movement"].value_counts(sort=False).sort_index()
        self.left_out += counts.index[counts < least].tolist()
        kept = ~self.frame["movement"].isin(self.left_out)
        self.frame = self.frame[kept].reset_index(drop=True)
        if self.frame["movement"].nunique() < 2:
            raise ValueError(
                f"{self.name!r} has fewer than two movements of {least} or more "
                "paintings: too little to train on and to test with"
            )

    @property
    def artists_apart(self):
        """Whether artists can be kept apart: two movements have two or more of them."""
        n_artists = self.frame.groupby("movement")["artist"].nunique()
        return self.artists_known and bool((n_artists > 1).sum() > 1)

    @property
    def reason_for_random_folds(self):
        """Why artists can't be kept apart."""
        if self.artists_known:
            return "fewer than two movements have two artists"
        return "the artists are not known"

    @property
    def paths(self):
        """Image files, an array of str."""
        return self.frame["path"].to_numpy(dtype=object)

    @property
    def labels(self):
        """Movements, an array."""
        return self.frame["movement"].to_numpy()

    @property
    def movements(self):
        """Movements, sorted, each once."""
        return sorted(self.frame["movement"].unique().tolist())

    @property
    def metadata(self):
        """Other columns of a table, a row for each painting; None for folders."""
        if self._metadata is None:
            return None
        return self._metadata.loc[self.frame["path"]].reset_index(drop=True)

    @property
    def groups(self):
        """Artists, an array of str; None if no artist is known."""
        artists = self.frame["artist"].to_numpy(dtype=object)
        return artists if self.artists_known else None

    def summary(self):
        """Return the numbers of paintings and known artists, a row a movement."""
        frame = self.frame.assign(artist=known_artists(self.frame["artist"]))
        table = frame.groupby("movement").agg(
            paintings=("path", "size"), artists=("artist", "nunique")
        )
        return table if self.artists_known else table.drop(columns="artists")

    def remarks(self):
        """Return lines on the files and movements that are left out."""
        remarks = list_skipped(self.skipped, None if self._is_table else self.name)
        if self._reason:
            remarks.append(f"read without movements: {in_options(self._reason)}")
        if self._repeated:
            remarks.append(
                f"left out, the same path and movement again: {self._repeated}"
            )
        if self.corrected:
            remarks.append(self.corrected)
        if self.empty:
            names = ", ".join(map(visible, self.empty))
            remarks.append(f"movements without images: {names}")
        if self.left_out:
            names = ", ".join(map(str, self.left_out))
            remarks.append(
                f"left out, with fewer than {LEAST_PAINTINGS} paintings: {names}"
            )
        if self._hint:
            remarks.append(f"the artists are unknown{self._hint}")
        return remarks


def resolve(paths):
    """Return a name for each path that is the same for all spellings of a file."""
    folders, files = {}, []
    for path in paths:
        if not is_url(path):
            folder, name = os.path.split(path)
            if folder not in folders:
                folders[folder] = os.path.realpath(folder)
            path = os.path.join(folders[folder], name)
            path = os.path.realpath(path) if os.path.islink(path) else path
        files.append(path)
    return files


def _describe_repeated(frame, repeated):
    """Return in words how many rows are repeated; None if there are none."""
    if not repeated.any():
        return None
    artists = pd.Series(known_artists(frame["artist"]), frame.index)
    keys = [frame["file"], frame["movement"].astype(str)]
    first = artists.groupby(keys).transform("first")
    n_others = int((repeated & artists.notna() & (artists != first)).sum())
    others = f", {n_others} of them with another artist" if n_others else ""
    return f"{count(int(repeated.sum()), 'row')}{others}"


def _warn_of_two_movements(frame, name):
    """Warn of files that are listed under several movements."""
    each = frame.drop_duplicates(["file", "movement"])  # corrections make them equal
    again = each[each.duplicated("file", keep=False)]
    if again.empty:
        return
    path, file = again.iloc[0][["path", "file"]]
    movements = again.loc[again["file"] == file, "movement"].tolist()
    warnings.warn(
        f"{name!r} lists files under several movements, {again['file'].nunique()} in "
        f"all, such as {path!r} ({', '.join(map(repr, movements))}): each file "
        "counts once for each of its movements. Correct or delete these rows.",
        stacklevel=3,
    )


def _read(source, data, skip_empty, on_error, least):
    """Return the Bunch of a folder, a table or Pandora18K."""
    if source.is_table:
        roles = {"movement": source.movement_column, "artist": source.artist_column}
        image = _find_images(source, data)
        if image is not None:
            return read_image_table(
                data, image=image, keep=_keep(), least=least, **roles
            )
        return read_catalogue(
            data,
            path=source.path_column,
            root=source.root,
            manifest=source.manifest_column,
            on_error="skip" if on_error == "skip" else "raise",
            **roles,
            least=least,
        )
    bunch = read_folder(
        data,
        part=source.part,
        artists=source.artists,
        skip_empty=skip_empty,
        least=least,
    )
    if source.part is source.artists is None and is_pandora18k(data):
        name_movements(bunch, data)
    return bunch


def _find_images(source, data):
    """Return the column of images of a Parquet file; None for a table of paths."""
    if source.path_column or source.manifest_column or source.image_column:
        name = str(data).lower()
        if source.image_column and name.endswith((".csv", ".tsv", ".xlsx")):
            raise ValueError(
                f"--image-column {source.image_column}: {str(data)!r} is no Parquet "
                "file. Pass --path-column if the column has paths."
            )
        return source.image_column
    if is_url(data):
        if not urlsplit(data).path.lower().endswith(".parquet"):
            return None
        (data,) = list_tables(data, keep=_keep())
    return find_image_column(data)


def _keep():
    """Return the folder of `--keep`, or None."""
    return os.environ.get("SKART_KEEP") or None


def _read_unlabelled(source, data, error, on_error):
    """Return a Bunch of paintings without movements; raise `error` if it has some."""
    if not source.is_table:
        paths, skipped = find_images(data)
        paths = pd.Series(paths, dtype=object)
        return _make_unlabelled(pd.DataFrame({"path": paths}), None, skipped)
    if is_url(data) or source.manifest_column or _find_images(source, data):
        raise error
    name = repr(str(data))
    table = clean_names(read_table(data), name)
    columns = find_columns(
        table, name, path=source.path_column, artist=source.artist_column
    )
    given = table[columns["path"]]
    if find_usual(table, "movement") is not None or given.isna().any():
        raise error
    folder = data.parent if source.root is None else expand(source.root)
    paths = find_paths(given, folder, None, name, on_error)
    table = table.assign(path=pd.Series(paths, table.index, dtype=object))
    table = table[table["path"].notna()]
    artists = None
    if columns["artist"] is not None:
        artists = unify_artists(clean_column(table[columns["artist"]]), name)
        artists = artists.fillna("unknown").to_numpy(str)
    used = [name for name in columns.values() if name not in (None, "path")]
    return _make_unlabelled(table.drop(columns=used), artists, {})


def _make_unlabelled(frame, artists, skipped):
    """Return a Bunch of the paintings of a frame."""
    frame = frame.assign(movement=None, artist=artists)
    return Bunch(
        paths=frame["path"].to_numpy(object),
        labels=None,
        artists=artists,
        frame=frame,
        skipped=skipped,
    )


def _hint_at_artists(is_table, bunch):
    """Return where the unknown artists may be, or None."""
    if is_table:
        # Those that `skart suggest` writes hold no artists.
        columns = bunch.frame.columns.difference(
            ["path", "movement", "artist", "predicted", "confidence", "runner_up"]
        )
        if len(columns):
            return (
                f": if a column has them ({', '.join(columns)}), pass --artist-column"
            )
        return None
    example = find_artist_in_names(bunch)
    return example and (
        f", but file names seem to begin with them: {example}. Pass --artists names to "
        "keep artists apart."
    )


def load_collection(source, say, on_error):
    """Load a collection for training, and show its movements and what is left out."""
    collection = Collection(source, on_error=on_error)
    for text in (collection.summary().to_string(), *collection.remarks()):
        say(text)
    return collection


def load_unlabelled(source, say, **options):
    """Load a collection that may have no movements, and show what is left out."""
    collection = Collection(source, labelled=False, **options)
    for remark in collection.remarks():
        say(remark)
    return collection


def save_figure(display, file):
    """Save the figure of a Display, and close it."""
    import matplotlib.pyplot as plt

    display.figure_.savefig(file, dpi=120, bbox_inches="tight")
    plt.close(display.figure_)


def make_folds(collection, n_folds, seed):
    """Return folds, with artists apart if possible, and how they are made."""
    paths, labels = collection.paths, collection.labels
    if collection.artists_apart:
        splits, _ = keep_artists_apart(labels, collection.groups, n_folds, seed)
        return splits, "artists kept apart"
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    how = f"at random, because {collection.reason_for_random_folds}"
    return list(splitter.split(paths, labels)), how


def validation_share(labels, n_folds=1):
    """Return a validation share with room for each movement, in folds as well."""
    n_trained_on = len(labels) * (1 - 1 / n_folds if n_folds > 1 else 1)
    return max(0.15, 1.01 * pd.Series(labels).nunique() / n_trained_on)


def choose_backbone(backbone, weights, say=print):
    """Return `--backbone` and `--weights` as FeatureExtractor takes them; say which."""
    if weights not in ("random", "imagenet", None) and not os.path.isfile(
        os.path.expanduser(weights)
    ):
        raise FileNotFoundError(
            f"--weights {weights}: there is no such file. Name a file of weights "
            "without the top (.weights.h5), 'imagenet' or 'random'."
        )
    if backbone is None:
        has_file = weights not in ("imagenet", None)
        backbone = "InceptionV3" if has_file else available_backbone()
    if find_preset(backbone) is None:
        default_size(backbone)  # which raises an error if there is no such network
    weights = weights or "imagenet"
    origin = {"imagenet": "weights from ImageNet", "random": "random weights"}
    say(f"Network: {backbone} with {origin.get(weights, f'weights from {weights}')}")
    return backbone, None if weights == "random" else weights


def make_extractor(model, weights, cache, say, *, on_error="raise"):
    """Return the steps from paintings to features: a model's own, or the default."""
    from skart.exploration._extraction import add_loader
    from skart.features import FeatureExtractor
    from skart.features._stored import StoredFeatures
    from skart.persistence._load import load_pipeline

    if model is not None:
        pipe = load_pipeline(model, weights=weights, on_error=on_error, cache=cache)
        if any(isinstance(step, StoredFeatures) for _, step in pipe.steps):
            return pipe[:-1]
        say(
            f"{model} is no head on stored features, so features of a pretrained "
            "network are used"
        )
        weights = None
    backbone, weights = choose_backbone(None, weights, say)
    features = FeatureExtractor(backbone, weights=weights, layer="style", cache=cache)
    return add_loader(features, on_error)
