"""Occlusion: how the probability falls if a part of the painting is covered."""

import itertools

import numpy as np
from sklearn.utils import gen_batches
from tqdm.auto import tqdm

from skart._utils._validation import Integral, Interval, Real, StrOptions, validate
from skart.explanation._predictor import (
    FILLS,
    Predictor,
    find_codes,
    make_explanation,
    make_fill,
    resize_heat,
)
from skart.images._lazy import auto_batch_size, iter_batches

_SHARE = Interval(Real, 0, 1, closed="neither")
_CONSTRAINTS = {
    "patch_size": [_SHARE, list, tuple],
    "stride": [Interval(Real, 0, 1, closed="right")],
    "fill": [StrOptions(set(FILLS))],
    "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    "verbose": ["verbose"],
}
_N_CELLS = 64  # of the shorter side, in which the change is measured


def occlusion(
    estimator,
    X,
    *,
    movements=None,
    patch_size=(0.25, 0.5),
    stride=0.5,
    fill="blur",
    batch_size=None,
    verbose=True,
):
    """Compute which places lower a movement's probability if they are covered.

    A square patch is moved across the painting, and the classifier predicts each of the
    covered paintings [1]_. The drop of the probability is shared among the pixels of
    the patch, in proportion to how much covering changes them, and to how close they
    are to its middle, so that heat does not spill onto plain ground around the
    evidence. The classifier is not looked into: any classifier of paintings is
    explained. Features of covered paintings are not stored.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Fitted classifier with ``predict_proba``.
    X : array-like of shape (n_paintings,) or (n_paintings, height, width, 3)
        Paths, or any other input that the estimator takes.
    movements : str or array-like of shape (n_paintings,), default=None
        Movement to explain, for all paintings or for each. If None, the predicted one.
    patch_size : float or list of float, default=(0.25, 0.5)
        Side of the patch, as a share of the shorter side of the image. The heat of
        several sizes is averaged.
    stride : float, default=0.5
        Distance between two patches, as a share of their side.
    fill : {"blur", "mean", "grey"}, default="blur"
        What covers the painting: itself, blurred; its mean colour; or grey.
    batch_size : int, default=None
        Number of covered images that are predicted at once. If None, images with two
        million pixels in total.
    verbose : bool, default=True
        If True, show a progress bar after a second.

    Returns
    -------
    explanation : sklearn.utils.Bunch
        With the attributes

        - heat : ndarray of shape (n_paintings, height, width), dtype float32.
          Drop of the probability that is due to the pixel: the mean of a heat map is
          the mean drop of the patches, averaged over their sizes, and the heat of a
          small place may exceed 1. Positive values speak for the movement, negative
          ones against it.
        - images : ndarray of shape (n_paintings, height, width, 3). Paintings as the
          classifier sees them, of dtype uint8 if X holds paths.
        - movements : ndarray of shape (n_paintings,). The explained movements.
        - probabilities : ndarray of shape (n_paintings, n_classes), dtype float32.
        - classes : ndarray of shape (n_classes,). The movements of the columns.

    Raises
    ------
    TypeError
        If the estimator predicts no probabilities.
    ValueError
        If a movement is unknown or a parameter is not allowed.

    See Also
    --------
    grad_cam : Faster, for networks.
    skart.plotting.ExplanationDisplay : Plot the result.

    Notes
    -----
    With the defaults, a square painting takes 64 + 16 predictions. Small patches show
    exact places; large ones find evidence that is spread so widely that no small patch
    hides it. At the edges, patches are cut off, and hide less than in the middle. Equal
    paintings are explained once, and patches that change nothing cost nothing.

    A pixel that covering leaves as it is can't have caused a drop, and gets no share.
    So a patch that reaches into the evidence does not heat the plain ground around it.
    The change is the absolute difference of the colours, averaged over places of which
    64 are as long as the shorter side; the weight of a pixel falls linearly from the
    middle of the patch to its sides. Blurring leaves plain areas as they are: where
    these are the evidence, as in colour fields, use ``fill="grey"``.

    If there is enough evidence in several places, covering one of them changes little,
    and the heat map shows none of them.

    References
    ----------
    .. [1] Zeiler, Fergus. "Visualizing and Understanding Convolutional Networks". ECCV
       2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skart import HandcraftedFeatures
    >>> from skart.explanation import occlusion
    >>> images = np.random.default_rng(0).integers(0, 99, (4, 64, 64, 3), np.uint8)
    >>> images[:2, :32, :32] += 150
    >>> features = HandcraftedFeatures("hsv", verbose=False)
    >>> pipe = make_pipeline(features, LogisticRegression()).fit(images, [1, 1, 0, 0])
    >>> heat = occlusion(pipe, images[:1], fill="mean").heat[0]
    >>> bool(heat[:32, :32].mean() > heat[32:, 32:].mean())
    True
    """
    params = {"patch_size": patch_size, "stride": stride, "fill": fill}
    params |= {"batch_size": batch_size, "verbose": verbose}
    validate("occlusion", params, _CONSTRAINTS)
    shares = np.atleast_1d(patch_size).tolist()
    for share in shares or [None]:
        validate("occlusion", {"patch_size": share}, {"patch_size": [_SHARE]})
    predictor = Predictor(estimator)
    images = predictor.load(X)
    batch_size = batch_size or auto_batch_size(images)
    pixels = np.concatenate(list(iter_batches(images, batch_size)))
    distinct, rows = _find_distinct(pixels)
    probabilities = np.concatenate(
        [
            predictor.predict_proba(pixels[distinct[batch]])
            for batch in gen_batches(len(distinct), batch_size)
        ]
    )[rows]
    codes = find_codes(movements, predictor.classes, probabilities)
    # A painting may be asked about for several movements.
    _, first, inverse = np.unique(
        np.stack([rows, codes]), axis=1, return_index=True, return_inverse=True
    )
    shape = pixels.shape[1:3]
    sizes = [_cut(shape, share * min(shape), stride) for share in shares]
    drops = [np.zeros((len(first), len(patches)), np.float32) for patches in sizes]
    covered = _cover(pixels, first, sizes, fill)
    with tqdm(
        total=sum(drop.size for drop in drops),
        desc="occlusion",
        unit="patch",
        delay=1,
        disable=not verbose,
    ) as progress:
        while batch := list(itertools.islice(covered, batch_size)):
            progress.update(len(batch))
            batch = [(one, place) for one, place in batch if one is not None]
            if not batch:
                continue
            predicted = predictor.predict_proba(np.stack([one for one, _ in batch]))
            for row, (_, (size, number, patch)) in zip(predicted, batch, strict=True):
                code = codes[first[number]]
                drop = probabilities[first[number], code] - row[code]
                drops[size][number, patch] = drop
    heat = np.stack(
        [
            _spread(_measure_change(pixels[row], fill), sizes, found)
            for row, *found in zip(first, *drops, strict=True)
        ]
    )
    return make_explanation(
        heat[inverse.ravel()], pixels, codes, probabilities, predictor.classes
    )


def _find_distinct(images):
    """Return the first row of each distinct image, and which of these each row has."""
    places, distinct, rows = {}, [], []
    for row, image in enumerate(images):
        key = image.tobytes()
        if key not in places:
            places[key] = len(distinct)
            distinct.append(row)
        rows.append(places[key])
    return np.array(distinct), np.array(rows)


def _cut(shape, side, stride):
    """Return patches: a box, and weights that fall from its middle to its sides."""
    axes, step, side = [], stride * side, max(1, round(side))
    for length in shape:
        # At the edges, patches are cut off, so that places there have patches of their
        # own.
        n_patches = max(1, round(length / step))
        middles = (np.arange(n_patches) + 0.5) * length / n_patches
        parts = []
        for start in np.round(middles - side / 2).astype(int).tolist():
            inside = slice(max(0, start), min(length, start + side))
            places = np.arange(inside.start, inside.stop) + 0.5 - start
            parts.append((inside, 1 - np.abs(2 * places / side - 1)))
        axes.append(parts)
    return [
        ((rows, columns), np.outer(vertical, horizontal))
        for (rows, vertical), (columns, horizontal) in itertools.product(*axes)
    ]


def _cover(pixels, rows, sizes, fill):
    """Yield images with a patch, and the place of each: size, image and patch.

    The image is None if the patch changes nothing.
    """
    for number, row in enumerate(rows):
        image = pixels[row]
        filled = make_fill(image, fill)
        for size, patches in enumerate(sizes):
            for patch, (box, _) in enumerate(patches):
                covered = None
                if not np.array_equal(filled[box], image[box]):
                    covered = image.copy()
                    covered[box] = filled[box]
                yield covered, (size, number, patch)


def _measure_change(image, fill):
    """Return by how much covering changes each pixel, smoothed."""
    change = np.abs(make_fill(image, fill).astype(np.float32) - image).mean(axis=-1)
    scale = min(1, _N_CELLS / min(change.shape))
    cells = tuple(max(1, round(scale * length)) for length in change.shape)
    return resize_heat(resize_heat(change, cells), change.shape)


def _spread(change, sizes, drops):
    """Return a heat map: the drops of patches, shared by change and weight."""
    heat = np.zeros(change.shape, np.float32)
    for patches, found in zip(sizes, drops, strict=True):
        for (box, weights), drop in zip(patches, found, strict=True):
            shares = change[box] * weights
            if total := shares.sum():
                heat[box] += drop / total / len(patches) * shares
    return heat * (heat.size / len(sizes))
