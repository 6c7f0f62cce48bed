"""Folds that keep artists apart."""

import os
from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skart._utils._validation import check_groups, check_paths


class ArtistKFold(StratifiedGroupKFold):
    """Stratified K-fold that keeps artists apart, with or without ``groups``.

    A :class:`sklearn.model_selection.StratifiedGroupKFold` that looks up the artist of
    each path if no ``groups`` are passed. Use it as ``cv`` of
    :class:`sklearn.ensemble.StackingClassifier` and
    :class:`sklearn.calibration.CalibratedClassifierCV`, which don't pass any.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2. Each movement should have as many artists.
    artists : dict of str or path to str, default=None
        Artist of each path; other paths are ignored. If None, ``split`` needs
        ``groups``.
    shuffle : bool, default=False
        If True, shuffle the artists first.
    random_state : int or RandomState, default=None
        Seed for ``shuffle=True``.

    Notes
    -----
    :func:`save_model` does not save ``artists``. Prediction does not need them; before
    a loaded model is fitted again, set its ``cv``.

    Examples
    --------
    >>> from skart.model_selection import ArtistKFold
    >>> paths = ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    >>> artists = ["Gris", "Braque", "Derain", "Marquet"]
    >>> folds = ArtistKFold(2, artists=dict(zip(paths, artists)))
    >>> train, test = next(folds.split(paths, ["Cubism"] * 2 + ["Fauvism"] * 2))
    >>> len(train), len(test)
    (2, 2)
    """

    def __init__(self, n_splits=5, *, artists=None, shuffle=False, random_state=None):
        super().__init__(n_splits, shuffle=shuffle, random_state=random_state)
        self.artists = artists

    def split(self, X, y, groups=None):
        """Generate indices to split paths into training and test set.

        Parameters
        ----------
        X : array-like of shape (n_paintings,)
            Paths, str or path. If ``groups`` is given, only the length of X is used.
        y : array-like of shape (n_paintings,)
            Movement of each painting.
        groups : array-like of shape (n_paintings,), default=None
            Artist of each painting. If None, they are looked up in ``artists``.

        Yields
        ------
        train : ndarray of int
            Training set indices for the split.
        test : ndarray of int
            Test set indices for the split.

        Raises
        ------
        ValueError
            If neither ``artists`` nor ``groups`` is given, a painting has no artist,
            or all paintings of a movement are by one artist.
        TypeError
            If ``groups`` is None, and ``artists`` is not a dict or X holds anything but
            paths.
        """
        if groups is None:
            groups = self._look_up(X)
        y = column_or_1d(y)
        check_consistent_length(X, y)
        check_classification_targets(y)
        groups = check_groups(groups, X)
        for movement in np.unique(y):
            found = pd.unique(groups[y == movement])
            if len(found) == 1:
                # In a stack, movements are encoded as ints: name the artist as well.
                raise ValueError(
                    "artists can't be kept apart: all paintings of movement "
                    f"{movement} are by one artist, {str(found[0])!r}. Leave the "
                    "movement out, or pass an int as cv for random folds."
                )
        return super().split(X, y, groups)

    def __repr__(self):
        artists = None if self.artists is None else f"<{len(self.artists)} artists>"
        return (
            f"ArtistKFold(n_splits={self.n_splits}, artists={artists}, "
            f"shuffle={self.shuffle}, random_state={self.random_state})"
        )

    def _look_up(self, X):
        """Return the artist of each path."""
        if self.artists is None:
            raise ValueError(
                "ArtistKFold needs the artist of each painting: pass "
                "artists=dict(zip(paintings.paths, paintings.artists)), or groups to "
                "fit or split"
            )
        if not isinstance(self.artists, Mapping):
            raise TypeError(
                "artists must be a dict of artists by path, such as "
                "dict(zip(paintings.paths, paintings.artists)); got "
                f"{type(self.artists).__name__}"
            )
        artists = {os.fspath(path): artist for path, artist in self.artists.items()}
        paths = check_paths("X", X)
        missing = [path for path in paths if _is_blank(artists.get(path))]
        if missing:
            more = ", ..." if len(missing) > 3 else ""
            raise ValueError(
                f"artists names no artist for {len(missing)} of {len(paths)} paths: "
                f"{', '.join(map(repr, missing[:3]))}{more}. Its keys must be the "
                "paths as they are passed to fit."
            )
        return [artists[path] for path in paths]


def _is_blank(artist):
    """Return whether an artist is missing: None, NaN or white space."""
    return artist.strip() == "" if isinstance(artist, str) else pd.isna(artist)
