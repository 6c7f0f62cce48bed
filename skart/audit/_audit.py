"""The audit of a collection: its findings, and groups for a splitter."""

import functools

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from skart._utils._validation import (
    Integral,
    Interval,
    Real,
    check_paths,
    validate,
)
from skart.audit._inspection import find_equal_files, inspect_files
from skart.audit._near_duplicates import connect, find_near_duplicates
from skart.audit._problems import PROBLEMS, find_problems
from skart.datasets._folder import is_unknown_artist, key_of_name

_CONSTRAINTS = {
    "min_size": [Interval(Real, 0, None, closed="left")],
    "max_border": [Interval(Real, 0, 1, closed="both")],
    "max_imbalance": [Interval(Real, 1, None, closed="left")],
    "min_similarity": [Interval(Real, 0.5, 1, closed="both")],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    "verbose": ["verbose"],
}


def audit_collection(
    paths,
    *,
    labels=None,
    artists=None,
    min_size=200,
    max_border=0.15,
    max_imbalance=10,
    min_similarity=0.9,
    n_threads=None,
    verbose=True,
):
    """Find unreadable files, duplicates and conflicting labels in a collection.

    Each file is decoded once and completely, at reduced scale. No file is changed.

    Near duplicates are copies of another size or JPEG quality, lighter, darker or in
    grey, cropped by a few per cent or with a uniform border. Copies that are mirrored,
    rotated, cropped more than that, or stretched and bordered are not found. Details of
    a painting count as paintings of their own. Paintings of very few shapes (a dark
    square on white) may be reported as copies of each other: look before you delete.

    Parameters
    ----------
    paths : array-like of str or path, shape (n_paintings,)
        Image files.
    labels : array-like of shape (n_paintings,), default=None
        Movements, missing where unknown.
    artists : array-like of shape (n_paintings,), default=None
        Artists. Case, surrounding spaces and the encoding of accents are ignored.
        Missing values, ``"unknown"``, ``"unknown artist"``, ``"anonymous"`` and the
        names that :func:`load_image_folder` makes for paintings without an artist count
        as unknown and don't connect paintings.
    min_size : int, default=200
        Shorter side in pixels below which an image is tiny.
    max_border : float, default=0.15
        Largest share of the area that uniform margins may take.
    max_imbalance : float, default=10
        Largest ratio of the numbers of paintings of two movements.
    min_similarity : float, default=0.9
        Smallest correlation of the aligned pixels of near duplicates, and of their
        details alone.
    n_threads : int, default=None
        Number of threads. None means one per core, and at least eight to read images if
        one is at a URL.
    verbose : bool, default=True
        If True, show a progress bar if the audit takes more than a second.

    Returns
    -------
    audit : Audit
        Its ``table`` lists the findings; its ``groups`` keep the paintings of an artist
        and duplicates together in a splitter.

    Raises
    ------
    TypeError
        If ``paths`` holds values other than paths.
    ValueError
        If a parameter is invalid, or lengths differ.

    See Also
    --------
    skart.datasets.load_image_folder : Load paths, movements and artists of a folder.
    skart.report.write_audit : Write an HTML page of the result.

    Notes
    -----
    The time grows nearly linearly with the number of paintings. Each is compared with a
    few neighbours, found by a k-d tree of descriptors similar to a perceptual hash
    [1]_: the two images are aligned and compared pixel by pixel. The nearest neighbours
    are compared first; paintings in the same cluster are not compared again.

    References
    ----------
    .. [1] Zauner. "Implementation and Benchmarking of Perceptual Image Hash Functions".
       Diploma thesis, Hagenberg, 2010.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skart.audit import audit_collection
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image = Image.radial_gradient("L").convert("RGB")
    ...     image.save(f"{folder}/moon.png")
    ...     image.resize((300, 300)).save(f"{folder}/moon again.jpg")
    ...     _ = Path(folder, "half.jpg").write_bytes(b"not a picture")
    ...     audit = audit_collection(sorted(Path(folder).iterdir()))
    >>> audit.table["problem"].tolist()
    ['unreadable', 'near duplicate', 'near duplicate']
    >>> audit.groups.tolist()
    [0, 1, 1]
    """
    paths = check_paths("paths", paths)
    validate(
        "audit_collection",
        {
            "min_size": min_size,
            "max_border": max_border,
            "max_imbalance": max_imbalance,
            "min_similarity": min_similarity,
            "n_threads": n_threads,
            "verbose": verbose,
        },
        _CONSTRAINTS,
    )
    check_consistent_length(paths, labels, artists)
    movements = _names("labels", labels, len(paths))
    artists = _names("artists", artists, len(paths))
    inspected = inspect_files(paths, n_threads=n_threads, verbose=verbose)
    files = pd.DataFrame(
        {
            "path": pd.Series(paths, dtype=object),
            "movement": movements,
            "artist": artists.mask(artists.map(is_unknown_artist)),
            "error": pd.Series([found.error for found in inspected], dtype=object),
            "width": pd.array([found.width for found in inspected], "Int64"),
            "height": pd.array([found.height for found in inspected], "Int64"),
            "grey": [found.grey for found in inspected],
            "blank": [found.blank for found in inspected],
            "border": [found.border for found in inspected],
        }
    )
    files["same_file"], files["same_bytes"] = find_equal_files(
        paths, [found.facts for found in inspected], n_threads=n_threads
    )
    # One of several equal files stands for all of them.
    first = files.index == files["same_bytes"]
    chosen = np.flatnonzero(first & files["error"].isna() & ~files["blank"])
    pairs, similarity = find_near_duplicates(
        [inspected[index].picture for index in chosen],
        min_similarity=min_similarity,
        n_threads=n_threads,
    )
    pairs = chosen[pairs]
    nearest = pd.Series(np.tile(similarity, 2)).groupby(pairs.T.ravel()).max()
    files["similarity"] = files["same_bytes"].map(nearest)
    clusters = connect(np.r_[_chain(files["same_bytes"]), pairs], len(paths))
    alone = np.bincount(clusters)[clusters] == 1
    numbered, _ = pd.factorize(pd.Series(clusters).mask(alone))
    files["cluster"] = pd.Series(numbered, dtype="Int64").mask(alone)
    files["group"] = connect(
        np.r_[_chain(clusters), _chain(files["artist"].map(key_of_name))], len(paths)
    )
    return Audit(
        files, min_size=min_size, max_border=max_border, max_imbalance=max_imbalance
    )


class Audit:
    """Findings of an audit; :func:`audit_collection` returns one.

    Parameters
    ----------
    files : DataFrame
        See Attributes.
    min_size, max_border, max_imbalance : float
        See :func:`audit_collection`.

    Attributes
    ----------
    files : DataFrame
        One row per painting, in the order of the paths, with the columns

        - ``path``, ``movement``, ``artist``: missing where unknown;
        - ``error``: reason if the file can't be decoded;
        - ``width``, ``height``: size in pixels;
        - ``grey``, ``blank``: whether the image has no colour, or a single colour;
        - ``border``: share of the area that uniform margins take;
        - ``same_file``, ``same_bytes``: position of the first path of the same file,
          and of the first file of equal bytes;
        - ``similarity``: similarity to the nearest duplicate of other bytes;
        - ``cluster``: number of the cluster of duplicates, missing for other paintings;
        - ``group``: number of the group, as in ``groups``.

    See Also
    --------
    audit_collection : Return an audit.
    skart.report.write_audit : Write an HTML page of an audit.
    """

    def __init__(self, files, *, min_size, max_border, max_imbalance):
        self.files = files
        self.min_size = min_size
        self.max_border = max_border
        self.max_imbalance = max_imbalance

    @functools.cached_property
    def table(self):
        """DataFrame of the findings, one row per problem and file, most severe first.

        Its columns are

        - ``problem``: kind of problem;
        - ``file``: path of the file; missing for an imbalance of movements;
        - ``detail``: description of the problem;
        - ``cluster``: number of the cluster of duplicates;
        - ``original``: path of the largest file of the cluster, for duplicates;
        - ``related``: paths of at most 20 other files involved, separated by ``" | "``;
        - ``position``: index of the file in the paths.
        """
        return find_problems(
            self.files,
            min_size=self.min_size,
            max_border=self.max_border,
            max_imbalance=self.max_imbalance,
        )

    @property
    def groups(self):
        """Groups for a splitter: an int array in the order of the paths.

        Paintings share a number if they have an artist in common or are duplicates,
        directly or through other paintings.
        """
        return self.files["group"].to_numpy()

    def summary(self):
        """Count the findings of each problem.

        Returns
        -------
        summary : DataFrame, a row a problem
            Numbers of ``findings`` and of their ``clusters``, also if they are zero.
        """
        by_problem = self.table.groupby("problem")
        summary = pd.DataFrame(
            {"findings": by_problem.size(), "clusters": by_problem["cluster"].nunique()}
        )
        return summary.reindex(PROBLEMS, fill_value=0).rename_axis("problem")

    def __repr__(self):
        return f"<Audit: {len(self.table)} findings in {len(self.files)} paintings>"


def _names(name, values, n_paintings):
    """Return a Series of a value for each painting, missing where unknown."""
    if values is None:
        return pd.Series([None] * n_paintings, dtype=object)
    values = np.asarray(values, dtype=object)
    if values.ndim != 1:
        raise ValueError(f"{name} must be a 1-D array; got shape {values.shape}")
    return pd.Series(values, dtype=object)


def _chain(values):
    """Pair each position with the next of the same value; missing ones with none."""
    codes, _ = pd.factorize(values)
    order = np.argsort(codes, kind="stable")
    pairs = np.column_stack([order[:-1], order[1:]])
    return pairs[(codes[pairs[:, 0]] == codes[pairs[:, 1]]) & (codes[pairs[:, 0]] >= 0)]
