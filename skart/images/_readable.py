"""Which images can be decoded."""

import warnings

import numpy as np
from tqdm.auto import tqdm

from skart.images._formats import format_failures
from skart.images._loader import ImageLoader


def find_readable(X, *, n_threads=None, verbose=True):
    """Return whether each image can be decoded, and warn about the rest.

    Use it to drop unreadable files together with their labels: a pipeline can't drop
    rows, since X and y must have the same length.

    Parameters
    ----------
    X : array-like of shape (n_paintings,)
        Images, as in :meth:`ImageLoader.transform`. Each is decoded once, at reduced
        scale.
    n_threads : int, default=None
        Number of threads that decode. If None, one for each core.
    verbose : bool, default=True
        If True, show a progress bar if it takes more than a second.

    Returns
    -------
    readable : ndarray of bool, shape (n_paintings,)
        Mask of the images that can be decoded.

    Warns
    -----
    UserWarning
        If images can't be decoded. It names them and the reasons.

    See Also
    --------
    skart.audit.audit_collection : Find unreadable files and other problems.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skart.images import find_readable
    >>> images = [np.zeros((8, 8, 3), np.uint8), b"no image"]
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     readable = find_readable(images)
    >>> readable.tolist()
    [True, False]
    """
    images = ImageLoader(32, on_error="blank", n_threads=n_threads).transform(X)
    with (
        warnings.catch_warnings(),
        tqdm(
            total=len(images),
            desc="reading images",
            unit="image",
            delay=1,
            disable=not verbose,
        ) as progress,
    ):
        warnings.filterwarnings("ignore", ".* images can't be read")
        for batch in images.iter_batches(batch_size=64):
            progress.update(len(batch))
    readable = np.array([str(x) not in images.failures for x in images.paths])
    if images.failures:
        warnings.warn(
            f"{np.sum(~readable)} of {len(images)} images can't be read:\n"
            f"{format_failures(images.failures)}",
            stacklevel=2,
        )
    return readable
