from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from skart.model_selection import ArtistKFold


@pytest.mark.parametrize("as_path", [str, Path])
def test_artist_kfold_keeps_artists_apart(paintings, artists, as_path):
    y = paintings.labels
    folds = ArtistKFold(4, artists={as_path(p): x for p, x in artists.items()})
    tested = []
    for train, test in folds.split([as_path(p) for p in paintings.paths], y):
        assert not set(paintings.artists[train]) & set(paintings.artists[test])
        assert set(y[test]) == set(y)
        tested += test.tolist()
    assert sorted(tested) == list(range(len(y)))


def test_artist_kfold_is_stratified_group_kfold_of_artists(paintings, artists):
    X, y = paintings.paths, paintings.labels
    parameters = {"n_splits": 3, "shuffle": True, "random_state": 1}
    expected = StratifiedGroupKFold(**parameters).split(X, y, paintings.artists)
    found = ArtistKFold(**parameters, artists=artists).split(X, y)
    for pair in zip(expected, found, strict=True):
        np.testing.assert_equal(*pair)


def test_artist_kfold_prefers_groups(paintings, artists):
    X, y = paintings.paths, paintings.labels
    groups = np.arange(len(X)) % 8
    for folds in (ArtistKFold(2, artists=artists), ArtistKFold(2)):
        for train, test in folds.split(X, y, groups):
            assert not set(groups[train]) & set(groups[test])


def test_artist_kfold_ignores_folders():
    # As in a catalogue: folders are years, and each artist is in all of them.
    numbers = np.tile(np.arange(6), 4)
    paths = [f"{1900 + i // 6}/{number}.jpg" for i, number in enumerate(numbers)]
    with pytest.raises(ValueError, match="ArtistKFold needs the artist of each paint"):
        ArtistKFold(2).split(paths, numbers % 2)
    folds = ArtistKFold(2, artists=dict(zip(paths, numbers, strict=True)))
    for train, test in folds.split(paths, numbers % 2):
        assert not set(numbers[train]) & set(numbers[test])


def test_artist_kfold_with_an_artist_in_two_movements():
    paths = [f"{i}.jpg" for i in range(12)]
    artists = np.repeat(["Gris", "Picasso", "Dali", "Picasso"], 3)
    for seed in range(5):
        folds = ArtistKFold(
            2,
            artists=dict(zip(paths, artists, strict=True)),
            shuffle=True,
            random_state=seed,
        )
        for train, test in folds.split(paths, ["Cubism"] * 6 + ["Surrealism"] * 6):
            assert not set(artists[train]) & set(artists[test])


PATHS = ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]


@pytest.mark.parametrize(
    ("artists", "X", "error", "message"),
    [
        (None, PATHS, ValueError, "needs the artist of each painting: pass artists="),
        (PATHS, PATHS, TypeError, "must be a dict of artists by path.*got list"),
        (
            {"1.jpg": "Gris"},
            PATHS,
            ValueError,
            "for 4 of 5 paths: '2.jpg', .*'4.jpg', ",
        ),
        (
            dict.fromkeys(PATHS, "Gris") | {"2.jpg": None, "3.jpg": " "},
            PATHS,
            ValueError,
            "for 2 of 5 paths: '2.jpg', '3.jpg'. Its keys must be the paths as",
        ),
        (
            dict(
                zip(PATHS, ["Gris", "Gris", "Derain", "Dufy", "Marquet"], strict=True)
            ),
            PATHS,
            ValueError,
            "paintings of movement Cubism are by one artist, 'Gris'",
        ),
        (dict.fromkeys(PATHS, "Gris"), np.eye(5), ValueError, "X must be a 1-D array"),
        (dict.fromkeys(PATHS, "Gris"), range(5), TypeError, "X must hold paths"),
    ],
)
def test_artist_kfold_errors(artists, X, error, message):
    with pytest.raises(error, match=message):
        ArtistKFold(2, artists=artists).split(X, ["Cubism"] * 2 + ["Fauvism"] * 3)


def test_artist_kfold_errors_of_groups():
    y = ["Cubism"] * 2 + ["Fauvism"] * 3
    with pytest.raises(ValueError, match="groups names no artist for 1 of 5"):
        ArtistKFold(2).split(PATHS, y, ["a", "b", "c", None, "d"])
    with pytest.raises(ValueError, match="movement Cubism are by one artist, 'a'"):
        ArtistKFold(2).split(PATHS, y, list("aabbc"))


def test_repr_does_not_list_the_artists():
    folds = ArtistKFold(3, artists={f"{i}.jpg": "Gris" for i in range(1000)})
    assert repr(folds).startswith("ArtistKFold(n_splits=3, artists=<1000 artists>, ")
