"""Deletion and insertion curves: whether the hottest places decide."""

import numpy as np
from sklearn.utils import Bunch, check_consistent_length
from tqdm.auto import tqdm

from skart._utils._validation import Integral, Interval, StrOptions, validate
from skart.explanation._predictor import FILLS, Predictor, find_codes, make_fill
from skart.images._lazy import auto_batch_size

_CONSTRAINTS = {
    "n_steps": [Interval(Integral, 1, None, closed="left")],
    "fill": [StrOptions(set(FILLS))],
    "verbose": ["verbose"],
}


def perturbation_curves(
    estimator, X, heat, *, movements=None, n_steps=20, fill="blur", verbose=True
):
    """Compute probabilities while the hottest places are deleted, or inserted.

    If a heat map shows what decides, the probability of the movement falls soon if the
    hottest pixels are replaced first, and rises soon if they are the first to be put
    into a painting of which nothing was left [1]_. Compare the curves with those of
    random heat.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Fitted classifier with ``predict_proba``.
    X : array-like of shape (n_paintings,) or (n_paintings, height, width, 3)
        Paths, or images as the classifier sees them.
    heat : array-like of shape (n_paintings, height, width)
        Heat maps.
    movements : str or array-like of shape (n_paintings,), default=None
        Movement that is explained. If None, the predicted one.
    n_steps : int, default=20
        Number of steps in which the painting is deleted.
    fill : {"blur", "mean", "grey"}, default="blur"
        What replaces deleted pixels: see :func:`occlusion`.
    verbose : bool, default=True
        If True, show a progress bar after a second.

    Returns
    -------
    curves : sklearn.utils.Bunch
        With the attributes

        - shares : ndarray of shape (n_steps + 1,). Share of the pixels, from 0 to 1.
        - deletion, insertion : ndarray of shape (n_paintings, n_steps + 1). Probability
          of the movement.

        The mean of a curve is the area under it: small deletion areas and large
        insertion areas are good.

    See Also
    --------
    grad_cam, occlusion : Compute heat maps.

    References
    ----------
    .. [1] Petsiuk, Das, Saenko. "RISE: Randomized Input Sampling for Explanation of
       Black-box Models". BMVC 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skart import HandcraftedFeatures
    >>> from skart.explanation import occlusion, perturbation_curves
    >>> images = np.random.default_rng(0).integers(0, 99, (4, 64, 64, 3), np.uint8)
    >>> images[:2, :32, :32] += 150
    >>> features = HandcraftedFeatures("hsv", verbose=False)
    >>> pipe = make_pipeline(features, LogisticRegression()).fit(images, [1, 1, 0, 0])
    >>> heat = occlusion(pipe, images[:1], fill="mean").heat
    >>> curves = perturbation_curves(pipe, images[:1], heat, n_steps=4, fill="mean")
    >>> curves.shares.tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    params = {"n_steps": n_steps, "fill": fill, "verbose": verbose}
    validate("perturbation_curves", params, _CONSTRAINTS)
    predictor = Predictor(estimator)
    images, heat = predictor.load(X), np.asarray(heat)
    check_consistent_length(images, heat)
    if heat.shape != images.shape[:3]:
        raise ValueError(
            f"heat must have the shape {images.shape[:3]} of the images; got "
            f"{heat.shape}"
        )
    codes = None
    if movements is not None:
        codes = find_codes(movements, predictor.classes, images)
    shares = np.linspace(0, 1, n_steps + 1)
    counts = np.round(shares * heat[0].size).astype(int)
    batch_size = auto_batch_size(images)
    curves = np.empty((len(images), 2, len(shares)), np.float32)
    for row in tqdm(
        range(len(images)),
        desc="deletion and insertion",
        unit="painting",
        delay=1,
        disable=not verbose,
    ):
        image = np.asarray(images[row])
        filled = make_fill(image, fill)
        order = np.argsort(-heat[row].ravel(), kind="stable")
        steps = []
        for before, after in ((image, filled), (filled, image)):
            for n in counts:
                step = before.reshape(-1, 3).copy()
                step[order[:n]] = after.reshape(-1, 3)[order[:n]]
                steps.append(step.reshape(image.shape))
        predicted = np.concatenate(
            [
                predictor.predict_proba(np.stack(steps[start : start + batch_size]))
                for start in range(0, len(steps), batch_size)
            ]
        )
        code = predicted[0].argmax() if codes is None else codes[row]
        curves[row] = predicted[:, code].reshape(2, -1)
    return Bunch(shares=shares, deletion=curves[:, 0], insertion=curves[:, 1])
