"""The estimator that loads image files, and checks of images and their sizes."""

import os

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skart._utils._validation import (
    Integral,
    Interval,
    Real,
    StrOptions,
    validate_params,
)
from skart.images._decode import MAX_PIXELS
from skart.images._elsewhere import count_threads
from skart.images._lazy_images import LazyImages
from skart.images._sources import list_sources


class ImageLoader(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Load image files and URLs as RGB images of one size, decoded on access.

    JPEG, PNG, TIFF, WebP, AVIF, JPEG 2000, GIF, BMP, PSD, PPM and, after
    ``pip install 'skart[heic]'``, HEIC files are converted to 8-bit sRGB: the EXIF
    orientation and embedded colour profiles are applied, and transparent pixels are
    blended with white. If a file has several pages or frames, the first is read. JPEGs
    are decoded at the smallest scale that leaves 1.6 times the pixels needed per side;
    a bicubic resize with antialiasing does the rest.

    Parameters
    ----------
    size : int or (int, int), default=299
        Height and width of the images in pixels. An int is both.
    resize : {"crop", "pad", "stretch"}, default="crop"
        How images of another aspect ratio are resized:

        - ``"crop"``: the short side is scaled to fit, and the centre is cropped [1]_.
        - ``"pad"``: the long side is scaled to fit, and the rest is black.
        - ``"stretch"``: each side is scaled to fit, which changes the aspect ratio.
    on_error : {"raise", "blank"}, default="raise"
        What happens if files can't be decoded:

        - ``"raise"``: an :class:`UnreadableImageError` names all of them.
        - ``"blank"``: each is replaced by a black image. A warning names them, and
          ``LazyImages.failures`` lists them.
    n_threads : int, default=None
        Number of threads that fetch and decode. None means one per core, and at least
        eight if an image is at a URL: they wait for the server most of the time.
    cache_pixels : bool, default=False
        Whether to keep the decoded pixels in a temporary file, for networks that read
        each image in every epoch. Each call of :meth:`transform` makes a file of its
        own, of at most ``n_paintings * height * width * 3`` bytes (13.5 GB for 18,038
        paintings at 500 x 500). The file is deleted with the images. If the system's
        folder for temporary files is held in memory, set the environment variable
        ``TMPDIR`` to a folder on a disk.
    max_pixels : int, default=200_000_000
        Largest number of pixels to decode from a file; a file with more can't be read.
        Each pixel takes 4 to 16 bytes of memory per thread, 20 in JPEG 2000. JPEGs
        count at the scale at which they are decoded, at least an eighth per side;
        progressive JPEGs, which are held in memory whole, count at full size.
    keep : str or path, default=None
        Folder in which the contents of URLs are kept, and found without asking the
        server again. Delete it to fetch them anew. If None, it is the environment
        variable ``SKART_KEEP``; without it, no image is written to the disk.
    timeout : float, default=30
        Longest wait for a server to connect and for the next bytes, in seconds. An
        image may take ten times as long; one with more than 200 MB can't be read.

    See Also
    --------
    LazyImages : Array of images that :meth:`transform` returns.
    FeatureExtractor : Transform the images to features.

    Notes
    -----
    The content of a URL is taken as unchanging: if its features are in a store, it is
    not fetched. To fetch a changed image, delete the store and the folder `keep`, or
    change the URL, by ``?version=2`` for instance.

    References
    ----------
    .. [1] Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford
       CS231n report, 2017: images scaled and cropped to 500 x 500.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from skart import ImageLoader
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (640, 480), 200).save(f"{folder}/grey.png")
    ...     images = ImageLoader(size=(96, 128)).fit_transform([f"{folder}/grey.png"])
    ...     print(images.shape, images[0].max())
    (1, 96, 128, 3) 200
    """

    _parameter_constraints = {
        "size": "no_validation",  # check_size validates pairs, too
        "resize": [StrOptions({"crop", "pad", "stretch"})],
        "on_error": [StrOptions({"raise", "blank"})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "cache_pixels": ["boolean"],
        "max_pixels": [Interval(Integral, 1, None, closed="left")],
        "keep": [str, os.PathLike, None],
        "timeout": [Interval(Real, 0, 86_400, closed="right")],
    }

    def __init__(
        self,
        size=299,
        *,
        resize="crop",
        on_error="raise",
        n_threads=None,
        cache_pixels=False,
        max_pixels=MAX_PIXELS,
        keep=None,
        timeout=30,
    ):
        self.size = size
        self.resize = resize
        self.on_error = on_error
        self.n_threads = n_threads
        self.cache_pixels = cache_pixels
        self.max_pixels = max_pixels
        self.keep = keep
        self.timeout = timeout

    def fit(self, X, y=None):
        """Validate the parameters and the paths. Nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_paintings,) or (n_paintings, 1)
            Images, as in :meth:`transform`.
        y : None
            Ignored.

        Returns
        -------
        self : ImageLoader
            The loader.
        """
        self._validate(X)
        return self

    def transform(self, X):
        """Wrap paths in a lazy array of images. Files are decoded on access.

        Parameters
        ----------
        X : array-like of shape (n_paintings,) or (n_paintings, 1), or a single image
            Paths of image files (str or path), in which ``~`` is expanded, and URLs of
            images (str; needs ``pip install 'skart[remote]'``): ``https://``, or
            another scheme that fsspec knows, such as ``s3://``. Also images in memory,
            each a Pillow image, a uint8 array of shape (height, width, 3), or bytes or
            a binary file with the content of an image file. They give the same result
            as a file of that content.

        Returns
        -------
        images : LazyImages of shape (n_paintings, height, width, 3)
            Images of dtype uint8, in the order of X.

        Raises
        ------
        ValueError
            If X is empty or has several columns, or a parameter is not allowed.
        TypeError
            If X is a set or a dict, or holds other values than images.
        OSError
            If ``cache_pixels=True`` and there is too little room on the disk.
        """
        sources, index, size = self._validate(X)
        return LazyImages(
            sources,
            size=size,
            resize=self.resize,
            on_error=self.on_error,
            n_threads=self.n_threads or count_threads(sources),
            cache_pixels=self.cache_pixels,
            max_pixels=self.max_pixels,
            keep=self.keep,
            timeout=self.timeout,
            index=index,
        )

    def get_feature_names_out(self, input_features=None):
        """Get the name of the output: images are one feature.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str, shape (1,)
            ``"image"``.
        """
        return np.array(["image"], dtype=object)

    def set_output(self, *, transform=None):
        """Do nothing, since the output is always LazyImages.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored.

        Returns
        -------
        self : ImageLoader
            The loader.
        """
        return self

    def _validate(self, X):
        """Validate the parameters and X; return sources, their index, and a size."""
        if self.on_error == "skip":
            raise ValueError(
                "on_error='skip' can't leave out rows of X here, because y keeps its "
                "length. Select X and y by skart.images.find_readable(X) first, or "
                "pass on_error='blank'."
            )
        validate_params(self)
        return *list_sources(X), check_size("size", self.size)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def check_images(X):
    """Return X if it is lazy, else as a valid array of uint8 or float32."""
    if isinstance(X, LazyImages):
        return X
    X = np.asarray(X)
    if X.dtype.kind not in "uif":
        raise ValueError(
            f"images must be numbers in 0-255; got an array of dtype {X.dtype} and "
            f"shape {X.shape}. To pass paths, put ImageLoader() ahead of this step."
        )
    if X.ndim != 4 or X.shape[-1] != 3:
        raise ValueError(
            "images must have shape (n, height, width, 3), RGB with channels last; got "
            f"{X.shape}"
        )
    if len(X) == 0:
        raise ValueError("images hold 0 samples; at least 1 is required")
    if X.dtype == np.uint8:
        return X
    low, high = X.min(), X.max()
    if not (low >= 0 and high <= 255):  # or either is NaN
        raise ValueError(f"images must lie in 0-255; got values in {low}-{high}")
    # Whole numbers may be a nearly black image.
    if X.dtype.kind == "f" and 0 < high <= 1 and (X % 1).any():
        raise ValueError(
            f"images must lie in 0-255; got {low:.3g}-{high:.3g}, which looks like "
            "0-1. Multiply them by 255."
        )
    return X.astype(np.float32, copy=False)


def check_size(name, size):
    """Return a size, an int or a pair, as (height, width); else raise ValueError."""
    pair = [size, size] if isinstance(size, Integral) else size
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        if all(isinstance(side, Integral) and side >= 1 for side in pair):
            return tuple(int(side) for side in pair)
    raise ValueError(
        f"{name} must be a positive int or (height, width) in pixels; got {size!r}"
    )
