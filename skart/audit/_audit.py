"""Paths to findings: what is wrong in a collection, and which paintings go together."""

import functools
import numbers

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from skart._utils._validation import check_paths
from skart.audit._inspection import find_equal_files, inspect_files
from skart.audit._near_duplicates import connect, find_near_duplicates
from skart.audit._problems import PROBLEMS, artist_key, find_problems
from skart.datasets._folder import UNKNOWN_ARTIST
from skart.report._audit import write_page

_NOBODY = frozenset(["", "anonymous", "unknown", "unknown artist"])


def audit(
    paths,
    *,
    labels=None,
    artists=None,
    min_size=200,
    max_border=0.15,
    max_imbalance=10,
    min_similarity=0.9,
    n_jobs=None,
    verbose=True,
):
    """Paths to what is wrong with the collection: damaged files, duplicates, conflicts.

    Each file is decoded once and completely, at reduced scale. Nothing is deleted,
    moved or written.

    Near duplicates are copies of another size or JPEG quality, lighter, darker or in
    grey, cropped by a few per cent or with a uniform border. Copies that are mirrored,
    turned, cut more than that, or stretched and bordered are not found, and details of
    a painting count as paintings of their own. Paintings of very few shapes (a dark
    square on white) may be taken for copies of each other: look before you delete.

    Parameters
    ----------
    paths : array-like of str or path, shape (n_paintings,)
        Image files: a list, an array or a Series.
    labels : array-like of shape (n_paintings,), default=None
        Their movements, missing where unknown.
    artists : array-like of shape (n_paintings,), default=None
        Their artists; case, spaces around and how accents are encoded make no
        difference. A missing one, ``"unknown"``, ``"unknown artist"``,
        ``"anonymous"`` (in any case) and what :func:`load_image_folder` gives paintings
        of no artist are nobody: they link nothing.
    min_size : int, default=200
        Shorter side in pixels below which an image is tiny.
    max_border : float, default=0.15
        Share of the area that uniform margins may take.
    max_imbalance : float, default=10
        How many times as many paintings the largest movement may have as the smallest.
    min_similarity : float, default=0.9
        Least correlation of the pixels of near duplicates, once aligned, and of their
        details alone.
    n_jobs : int, default=None
        Threads; None is one, -1 is one per core.
    verbose : bool, default=True
        Whether a progress bar shows when it takes more than a second.

    Returns
    -------
    result : Audit
        Its ``table`` lists the findings; its ``groups`` keep artists and duplicates
        together in a splitter.

    Raises
    ------
    TypeError
        If ``paths`` holds anything but paths.
    ValueError
        If a parameter is not allowed, or lengths differ.

    See Also
    --------
    load_image_folder : Paths, movements and artists from a folder.

    Notes
    -----
    Time grows nearly in proportion to the paintings: each is compared with a few
    neighbours that a k-d tree finds among descriptions like those of a perceptual hash
    [1]_, aligned with each, and compared pixel by pixel. The nearest come first, and
    what they connect is not compared any more.

    References
    ----------
    .. [1] Zauner. "Implementation and Benchmarking of Perceptual Image Hash Functions".
       Diploma thesis, Hagenberg, 2010.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skart.audit import audit
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image = Image.radial_gradient("L").convert("RGB")
    ...     image.save(f"{folder}/moon.png")
    ...     image.resize((300, 300)).save(f"{folder}/moon again.jpg")
    ...     _ = Path(folder, "half.jpg").write_bytes(b"not a picture")
    ...     result = audit(sorted(Path(folder).iterdir()))
    >>> result.table["problem"].tolist()
    ['unreadable', 'near duplicate', 'near duplicate']
    >>> result.groups.tolist()
    [0, 1, 1]
    """
    paths = check_paths("paths", paths)
    check_consistent_length(paths, labels, artists)
    for name, value, low, high in (
        ("min_size", min_size, 0, np.inf),
        ("max_border", max_border, 0, 1),
        ("max_imbalance", max_imbalance, 1, np.inf),
        ("min_similarity", min_similarity, 0.5, 1),
    ):
        if not isinstance(value, numbers.Real) or not low <= value <= high:
            allowed = f"at least {low}" if high == np.inf else f"in {low}-{high}"
            raise ValueError(f"{name} must be a number {allowed}; got {value!r}")
    if n_jobs is not None and (not isinstance(n_jobs, numbers.Integral) or n_jobs == 0):
        raise ValueError(
            f"n_jobs must be None, a number of threads, or -1 for one per core; got "
            f"{n_jobs!r}"
        )
    movements = _names("labels", labels, len(paths))
    artists = _names("artists", artists, len(paths))
    inspected = inspect_files(paths, n_jobs=n_jobs, verbose=verbose)
    files = pd.DataFrame(
        {
            "path": pd.Series(paths, dtype=object),
            "movement": movements,
            "artist": artists.mask(artists.map(_is_nobody)),
            "error": pd.Series([found.error for found in inspected], dtype=object),
            "width": pd.array([found.width for found in inspected], "Int64"),
            "height": pd.array([found.height for found in inspected], "Int64"),
            "grey": [found.grey for found in inspected],
            "blank": [found.blank for found in inspected],
            "border": [found.border for found in inspected],
        }
    )
    files["same_file"], files["same_bytes"] = find_equal_files(
        paths, [found.facts for found in inspected], n_jobs=n_jobs
    )
    # One of several equal files stands for all of them.
    first = files.index == files["same_bytes"]
    chosen = np.flatnonzero(first & files["error"].isna() & ~files["blank"])
    pairs, similarity = find_near_duplicates(
        [inspected[index].picture for index in chosen],
        min_similarity=min_similarity,
        n_jobs=n_jobs,
    )
    pairs = chosen[pairs]
    nearest = pd.Series(np.tile(similarity, 2)).groupby(pairs.T.ravel()).max()
    files["similarity"] = files["same_bytes"].map(nearest)
    clusters = connect(np.r_[_chain(files["same_bytes"]), pairs], len(paths))
    alone = np.bincount(clusters)[clusters] == 1
    numbered, _ = pd.factorize(pd.Series(clusters).mask(alone))
    files["cluster"] = pd.Series(numbered, dtype="Int64").mask(alone)
    files["group"] = connect(
        np.r_[_chain(clusters), _chain(files["artist"].map(artist_key))], len(paths)
    )
    return Audit(
        files, min_size=min_size, max_border=max_border, max_imbalance=max_imbalance
    )


class Audit:
    """What :func:`audit` found.

    Parameters
    ----------
    files : DataFrame
        See the attribute.
    min_size, max_border, max_imbalance : float
        See :func:`audit`.

    Attributes
    ----------
    files : DataFrame, a row a painting, in the order of the paths
        ``path``, ``movement`` and ``artist``, missing where unknown; ``error``, why it
        can't be decoded; ``width`` and ``height`` in pixels; ``grey`` and ``blank``,
        whether it has no colour, or one only; ``border``, the share of the area that
        uniform margins take; ``same_file`` and ``same_bytes``, positions of the first
        file that is the same, or has equal bytes; ``similarity`` to its nearest
        duplicate of other bytes; ``cluster``, a number that duplicates share, missing
        for others; ``group``.

    See Also
    --------
    audit : Makes it.
    """

    def __init__(self, files, *, min_size, max_border, max_imbalance):
        self.files = files
        self.min_size = min_size
        self.max_border = max_border
        self.max_imbalance = max_imbalance

    @functools.cached_property
    def table(self):
        """The findings: a DataFrame, a row a problem of a file, the gravest first.

        ``problem``; ``file``, its path; ``detail``, in words; ``cluster``, a number
        that duplicates share; ``related``, paths of other files that are concerned, 20
        at most, with ``" | "`` between them; ``position`` of the file in the paths.
        An imbalance concerns no single file.
        """
        return find_problems(
            self.files,
            min_size=self.min_size,
            max_border=self.max_border,
            max_imbalance=self.max_imbalance,
        )

    @property
    def groups(self):
        """What a splitter must keep together: an int array in the order of the paths.

        Paintings share a number if they have an artist in common or are duplicates,
        directly or by way of others.
        """
        return self.files["group"].to_numpy()

    def summary(self):
        """Count the findings.

        Returns
        -------
        summary : DataFrame, a row a problem
            ``findings``, and the ``clusters`` that they belong to; zeros too.
        """
        by_problem = self.table.groupby("problem")
        summary = pd.DataFrame(
            {"findings": by_problem.size(), "clusters": by_problem["cluster"].nunique()}
        )
        return summary.reindex(PROBLEMS, fill_value=0).rename_axis("problem")

    def to_html(self, path, *, max_clusters=200):
        """Write a page that shows the duplicates side by side, and lists the findings.

        It holds the thumbnails, made from the files as they are now, and loads nothing.

        Parameters
        ----------
        path : str or path
            The page; an existing one is replaced.
        max_clusters : int, default=200
            How many clusters are shown at most, 20 files of each, and findings of each
            other problem listed five times as many; the page says what it leaves out.
        """
        write_page(self, path, max_clusters=max_clusters)

    def __repr__(self):
        return f"<Audit: {len(self.table)} findings in {len(self.files)} paintings>"


def _names(name, values, n_paintings):
    """Make a Series of a value for each painting, missing where unknown."""
    if values is None:
        return pd.Series([None] * n_paintings, dtype=object)
    values = np.asarray(values, dtype=object)
    if values.ndim != 1:
        raise ValueError(f"{name} must be a 1-D array; got shape {values.shape}")
    return pd.Series(values, dtype=object)


def _is_nobody(artist):
    name = artist_key(str(artist))
    return name in _NOBODY or name.startswith(UNKNOWN_ARTIST)


def _chain(values):
    """Pair each position with the next of the same value; missing ones with none."""
    codes, _ = pd.factorize(values)
    order = np.argsort(codes, kind="stable")
    pairs = np.column_stack([order[:-1], order[1:]])
    return pairs[(codes[pairs[:, 0]] == codes[pairs[:, 1]]) & (codes[pairs[:, 0]] >= 0)]
