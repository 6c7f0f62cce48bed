"""Occlusion: how the probability falls if a part of the painting is covered."""

import itertools

import numpy as np
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

_CONSTRAINTS = {
    "patch_size": [Interval(Real, 0, 1, closed="neither")],
    "stride": [Interval(Real, 0, 1, closed="right")],
    "fill": [StrOptions(set(FILLS))],
    "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    "verbose": ["boolean"],
}


def occlusion(
    estimator,
    X,
    *,
    movements=None,
    patch_size=0.25,
    stride=0.5,
    fill="blur",
    batch_size=None,
    verbose=True,
):
    """Compute where a movement's probability falls if the place is covered.

    A square patch is moved across the painting, and the classifier predicts each of the
    covered paintings [1]_. It is not looked into: any classifier of paintings is
    explained. Features of covered paintings are not stored.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Fitted classifier with ``predict_proba``.
    X : array-like of shape (n_paintings,) or (n_paintings, height, width, 3)
        Paths, or any other input that the estimator takes.
    movements : str or array-like of shape (n_paintings,), default=None
        Movement to explain, for all paintings or for each. If None, the predicted one.
    patch_size : float, default=0.25
        Side of the patch, as a share of the shorter side of the image.
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
          Drop of the probability, from -1 to 1, if the patch around the pixel is
          covered; between the middles of patches, it is interpolated. Positive values speak for the movement, negative ones against it.
        - images : ndarray of shape (n_paintings, height, width, 3), dtype uint8.
          Paintings as the classifier sees them.
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
    The number of predictions is about ``(2 / patch_size) ** 2`` for each painting.
    Equal paintings are explained once, and patches that change nothing cost nothing.
    Evidence that is in several places falls only if all of them are covered: the heat
    map then shows none of them.

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
    validate(
        "occlusion",
        {
            "patch_size": patch_size,
            "stride": stride,
            "fill": fill,
            "batch_size": batch_size,
            "verbose": verbose,
        },
        _CONSTRAINTS,
    )
    predictor = Predictor(estimator)
    images = predictor.load(X)
    batch_size = batch_size or auto_batch_size(images)
    pixels = np.concatenate(list(iter_batches(images, batch_size)))
    unique, rows = _find_distinct(pixels)
    probabilities = np.concatenate(
        [
            predictor.predict_proba(pixels[unique[start : start + batch_size]])
            for start in range(0, len(unique), batch_size)
        ]
    )[rows]
    codes = find_codes(movements, predictor.classes, probabilities)
    # One painting may be asked about for several movements.
    _, first, inverse = np.unique(
        np.stack([rows, codes]), axis=1, return_index=True, return_inverse=True
    )
    height, width = pixels.shape[1:3]
    side = patch_size * min(height, width)
    step = side * stride
    vertical, horizontal = _cut(height, side, step), _cut(width, side, step)
    places = list(itertools.product(range(len(vertical)), range(len(horizontal))))
    drops = np.zeros((len(first), len(vertical), len(horizontal)), np.float32)
    waiting = []

    def settle():
        predicted = predictor.predict_proba(np.stack([one for one, _ in waiting]))
        for row, (_, place) in zip(predicted, waiting, strict=True):
            code = codes[first[place[0]]]
            drops[place] = probabilities[first[place[0]], code] - row[code]
        progress.update(len(waiting))
        waiting.clear()

    with tqdm(
        total=drops.size,
        desc="occlusion",
        unit="patch",
        delay=1,
        disable=not verbose,
    ) as progress:
        for number, row in enumerate(first):
            image = pixels[row]
            filled = make_fill(image, fill)
            for i, j in places:
                box = vertical[i], horizontal[j]
                if np.array_equal(filled[box], image[box]):
                    progress.update()
                    continue
                covered = image.copy()
                covered[box] = filled[box]
                waiting.append((covered, (number, i, j)))
                if len(waiting) == batch_size:
                    settle()
        if waiting:
            settle()
    heat = np.stack([resize_heat(one, (height, width)) for one in drops])
    return make_explanation(
        heat[inverse.ravel()], pixels, codes, probabilities, predictor.classes
    )


def _find_distinct(images):
    """Return the first row of each distinct image, and which of these each row has."""
    places, rows, unique = {}, [], []
    for row, image in enumerate(images):
        key = image.tobytes()
        if key not in places:
            places[key] = len(unique)
            unique.append(row)
        rows.append(places[key])
    return np.array(unique), np.array(rows)


def _cut(length, side, step):
    """Return slices of `side` around the middles of equal cells of about `step`."""
    n_cells = max(1, round(length / step))
    middles = (np.arange(n_cells) + 0.5) * length / n_cells
    starts = np.round(middles - side / 2).astype(int)
    return [slice(max(0, x), x + max(1, round(side))) for x in starts.tolist()]
