"""Several views of a painting, each with a head of its own, under a last head."""

import os
from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skart._utils._validation import check_groups, check_paths
from skart.model_selection._pipelines import STYLE_LAYERS

__all__ = ["ArtistKFold", "make_stacked_pipeline"]


class ArtistKFold(StratifiedGroupKFold):
    """Stratified folds of paths that keep artists apart, also without ``groups``.

    A :class:`sklearn.model_selection.StratifiedGroupKFold` that looks artists up by
    path if no ``groups`` are passed. Use it as ``cv`` of
    :class:`sklearn.ensemble.StackingClassifier` and
    :class:`sklearn.calibration.CalibratedClassifierCV`, which pass none.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2. Each movement should have as many artists.
    artists : dict of str or path to str, default=None
        The artist of each path, and of further ones if wanted. If None, ``split`` needs
        ``groups``.
    shuffle : bool, default=False
        Whether artists are shuffled first.
    random_state : int or RandomState, default=None
        Seed for ``shuffle=True``.

    Notes
    -----
    :func:`save_model` does not save ``artists``. Prediction does not need them; to fit
    a loaded model again, set its ``cv`` first.

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
        X : array-like of str or path, shape (n_paintings,)
            Paths. With ``groups``, anything of this length.
        y : array-like of shape (n_paintings,)
            Movements.
        groups : array-like of shape (n_paintings,), default=None
            Artists. If None, they are looked up in ``artists``.

        Yields
        ------
        train, test : ndarray of int
            Indices of the paintings.

        Raises
        ------
        ValueError
            If neither ``artists`` nor ``groups`` are given, a painting has no artist,
            or all paintings of a movement are by one artist.
        TypeError
            If ``artists`` is not a dict, or X holds anything but paths.
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
                # A stack has encoded the movements as ints, so name the artist, too.
                raise ValueError(
                    "artists can't be kept apart: all paintings of movement "
                    f"{movement} are by one artist, {str(found[0])!r}. Leave the "
                    "movement out, or pass an int as cv for random folds."
                )
        return super().split(X, y, groups)

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
    """Return whether an artist is missing, as empty cells of a table are."""
    return artist.strip() == "" if isinstance(artist, str) else pd.isna(artist)


def make_stacked_pipeline(
    *,
    layers=None,
    backbone="InceptionV3",
    weights="imagenet",
    backbones=None,
    kinds=("color_layout", "hsv", "color_structure", "lbp", "edge_direction"),
    pooling="avg+std",
    size=None,
    cv=5,
    head=None,
    final=None,
    dtype=None,
    cache=None,
    on_error="raise",
    random_state=0,
    verbose=True,
):
    """Make a stack of heads on layers, backbones and hand-made features: paths in.

    Each view of a painting has a head of its own. A last head learns from their
    probabilities, out of fold [1]_, how far each can be trusted for which movement.
    With ``cache``, all layers of a backbone come from one pass.

    Parameters
    ----------
    layers : sequence of str, default=None
        A head stands on each; None for ``"mixed2"``, ``"mixed5"`` and ``"mixed8"`` of
        InceptionV3, the last layer of others.
    backbone : str, default="InceptionV3"
        See :class:`FeatureExtractor`.
    weights : "imagenet", str, path or None, default="imagenet"
        See :class:`FeatureExtractor`.
    backbones : dict of str to (str, path or None), default=None
        Further backbones and their weights; a head stands on the last layer of each.
    kinds : sequence of str, default=("color_layout", "hsv", "color_structure", ...)
        A head stands on these hand-made features, all joined; see
        :class:`HandcraftedFeatures`. None leaves them out.
    pooling : str, default="avg+std"
        See :class:`FeatureExtractor`.
    size : int or (int, int), default=None
        Height and width of the images; None for what each backbone was made for.
    cv : int or splitter, default=5
        Folds of the out-of-fold predictions. An int makes random ones; to keep artists
        apart in them, too, pass an :class:`ArtistKFold` that knows the artists.
    head : classifier, default=None
        On each view, behind a ``StandardScaler``; None for logistic regression with
        ``C=0.01``.
    final : classifier, default=None
        On the probabilities; None for logistic regression.
    dtype : {"float32", "bfloat16", "float16"}, default=None
        See :class:`FeatureExtractor`.
    cache : str, path or FeatureStore, default=None
        See :class:`FeatureExtractor`. Without it, each fold computes features anew.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    random_state : int, default=0
        Of random weights and of the default heads.
    verbose : bool, default=True
        Whether extraction shows progress bars.

    Raises
    ------
    TypeError
        If ``layers`` is no sequence of names, or ``backbones`` no dict.
    ValueError
        If two views have one name, or a name has two underscores in a row, which
        scikit-learn keeps for parameters.

    Returns
    -------
    pipeline : sklearn.ensemble.StackingClassifier
        Not fitted. Its estimators have the names of the layers and backbones, and
        ``"handcrafted"``.

    See Also
    --------
    make_transfer_pipeline : One view.

    References
    ----------
    .. [1] Wolpert. "Stacked generalization". Neural Networks 5, 1992.

    Examples
    --------
    >>> from skart.model_selection import ArtistKFold
    >>> from skart import make_stacked_pipeline
    >>> artists = {"1.jpg": "Gris", "2.jpg": "Braque"}  # and so on
    >>> folds = ArtistKFold(4, artists=artists)
    >>> pipe = make_stacked_pipeline(cv=folds, cache="~/.cache/skart")
    >>> [name for name, _ in pipe.estimators]
    ['mixed2', 'mixed5', 'mixed8', 'handcrafted']
    """
    from skart.features import FeatureExtractor, HandcraftedFeatures
    from skart.images import ImageLoader
    from skart.networks._backbones import default_size

    if head is None:
        head = LogisticRegression(C=0.01, max_iter=2000, random_state=random_state)
    if final is None:
        final = LogisticRegression(max_iter=2000, random_state=random_state)
    if layers is None:
        layers = STYLE_LAYERS.get(backbone, [None])
    if isinstance(layers, str) or not all(
        layer is None or isinstance(layer, str) for layer in layers
    ):
        raise TypeError(f"layers must be a sequence of names; got {layers!r}")
    if not isinstance(backbones, (dict, type(None))):
        raise TypeError(
            f"backbones must be a dict of weights by backbone; got {backbones!r}"
        )
    views = [(layer or backbone, backbone, weights, layer) for layer in layers]
    views += [(name, name, file, None) for name, file in (backbones or {}).items()]
    _check_names([view[0] for view in views] + ["handcrafted"] * bool(kinds))
    keep = None
    if cache is not None:
        keep = {"layer": list(layers), "pooling": [pooling]}
    members = {}
    for name, network, file, layer in views:
        extractor = FeatureExtractor(
            network,
            weights=file,
            layer=layer,
            pooling=pooling,
            keep=keep if network == backbone else None,
            dtype=dtype,
            cache=cache,
            random_state=random_state,
            verbose=verbose,
        )
        members[name] = size or default_size(network), extractor
    if kinds:
        by_hand = HandcraftedFeatures(
            kinds, cache=cache, random_state=random_state, verbose=verbose
        )
        members["handcrafted"] = size or default_size(backbone), by_hand
    return StackingClassifier(
        [
            (
                name,
                Pipeline(
                    [
                        ("load", ImageLoader(pixels, on_error=on_error)),
                        ("features", features),
                        ("scale", StandardScaler()),
                        ("head", clone(head)),
                    ]
                ),
            )
            for name, (pixels, features) in members.items()
        ],
        final,
        cv=cv,
        stack_method="predict_proba",
    )


def _check_names(names):
    if not names:
        raise ValueError("there is nothing to stack: pass layers, backbones or kinds")
    for name in names:
        if names.count(name) > 1 or "__" in name:
            raise ValueError(
                f"{name!r} can't be the name of one view: layers, backbones and "
                "'handcrafted' must differ, and have no two underscores in a row; got "
                f"{names}"
            )
