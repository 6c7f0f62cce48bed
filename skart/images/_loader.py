"""Paths to images: decoded on demand, in threads, to one size."""

import itertools
import numbers
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skart._utils._validation import check_choice, check_count, check_paths
from skart.images._decode import DECODER_VERSION, MAX_PIXELS, decode_image
from skart.images._formats import UNREADABLE, explain
from skart.images._lazy import LazyArray
from skart.images._pixel_file import PixelFile

__all__ = ["ImageLoader", "LazyImages", "UnreadableImageError"]

RESIZE_MODES = ("crop", "pad", "stretch")


class UnreadableImageError(ValueError):
    """Images that could not be decoded.

    Attributes
    ----------
    failures : dict of str to str
        The reason for each path.
    """

    def __init__(self, failures, n_images):
        self.failures = dict(failures)
        self.n_images = n_images
        super().__init__(
            f"{len(self.failures)} of {n_images} images can't be read:\n"
            f"{_listed(self.failures)}\n"
            "Repair or remove them, or pass ImageLoader(on_error='blank') to put a "
            "black image in the place of each."
        )

    def __reduce__(self):
        return type(self), (self.failures, self.n_images)


class ImageLoader(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Paths to RGB images of one size, decoded only when they are asked for.

    JPEG, PNG, TIFF, WebP, AVIF, JPEG 2000, GIF, BMP, PSD, PPM and, with
    ``pip install skart[heic]``, HEIC files become 8-bit sRGB: EXIF orientation and
    embedded colour profiles are applied, grey, palette, CMYK and 16-bit images are
    converted, transparency is laid on white; of several pages or frames the first is
    taken. JPEGs are decoded at the smallest scale that leaves 1.6 times the pixels
    needed, a side; the rest of the way is a bicubic resize with antialiasing.

    Parameters
    ----------
    size : int or (int, int), default=299
        Height and width of the images in pixels; one number for a square.
    resize : {"crop", "pad", "stretch"}, default="crop"
        How a painting of another aspect ratio is made to fit: ``"crop"`` scales its
        short side and cuts the middle out [1]_, ``"pad"`` scales its long side and
        fills up with black, ``"stretch"`` changes the aspect ratio.
    on_error : {"raise", "blank"}, default="raise"
        What to do about files that can't be decoded: raise one
        :class:`UnreadableImageError` that names them all, or put a black image in the
        place of each, warn with the list and leave it on the result, as
        ``LazyImages.failures``.
    n_threads : int, default=None
        Threads that decode at the same time; None for one per core.
    cache_pixels : bool, default=False
        If True, the pixels of each image are kept in a temporary file after it was
        decoded, for networks that read each image in every epoch. Each call of
        :meth:`transform` makes a file of its own, of at most
        ``n_paintings * height * width * 3`` bytes (13.5 GB for 18,038 paintings at
        500 x 500), in the system's folder for temporary files. The file is deleted
        with the images. On systems that hold ``/tmp`` in memory, set the environment
        variable ``TMPDIR`` to a folder on a disk.
    max_pixels : int, default=200_000_000
        Largest number of pixels that are decoded of a file; one with more can't be
        read. Each takes 4 to 16 bytes of memory, 20 in JPEG 2000, in each thread. A
        JPEG counts at the scale it is decoded at, an eighth of each side at least: one
        of 20,000 x 20,000 pixels counts 6 million on its way to 299 x 299. A
        progressive one is held whole in memory meanwhile, and counts so.

    See Also
    --------
    LazyImages : What :meth:`transform` returns.
    FeatureExtractor : The next step: images to features.

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

    def __init__(
        self,
        size=299,
        *,
        resize="crop",
        on_error="raise",
        n_threads=None,
        cache_pixels=False,
        max_pixels=MAX_PIXELS,
    ):
        self.size = size
        self.resize = resize
        self.on_error = on_error
        self.n_threads = n_threads
        self.cache_pixels = cache_pixels
        self.max_pixels = max_pixels

    def fit(self, X, y=None):
        """Check the parameters and X; nothing is learned.

        Parameters
        ----------
        X : array-like of str or path, shape (n_paintings,)
            Paths of image files.
        y : object, optional
            Ignored.

        Returns
        -------
        self : ImageLoader
            The loader.
        """
        self.transform(X)
        return self

    def transform(self, X):
        """Give paths the face of an image array; nothing is decoded yet.

        Parameters
        ----------
        X : array-like of str or path, shape (n_paintings,)
            Paths of image files: a list, an array or a Series. A path may stand in it
            more than once.

        Returns
        -------
        images : LazyImages of shape (n_paintings, height, width, 3)
            Images of dtype uint8 in the order of X.

        Raises
        ------
        ValueError
            If X is not one-dimensional or is empty, or a parameter's value is not
            allowed.
        TypeError
            If X holds anything but paths.
        OSError
            If ``cache_pixels=True`` and there is too little room on the disk.
        """
        return LazyImages(
            check_paths("X", X),
            size=check_size("size", self.size),
            resize=check_choice("resize", self.resize, RESIZE_MODES),
            on_error=check_choice("on_error", self.on_error, ("raise", "blank")),
            n_threads=(
                joblib.cpu_count()
                if self.n_threads is None
                else check_count("n_threads", self.n_threads)
            ),
            cache_pixels=check_choice("cache_pixels", self.cache_pixels, (False, True)),
            max_pixels=check_count("max_pixels", self.max_pixels),
        )

    def get_feature_names_out(self, input_features=None):
        """Name what comes out: images are one feature.

        Parameters
        ----------
        input_features : object, optional
            Ignored.

        Returns
        -------
        names : ndarray of str, shape (1,)
            ``"image"``.
        """
        return np.array(["image"], dtype=object)

    def set_output(self, *, transform=None):
        """Accept what a pipeline asks of all its steps; images are no table.

        Parameters
        ----------
        transform : object, optional
            Ignored.

        Returns
        -------
        self : ImageLoader
            The loader.
        """
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


class LazyImages(LazyArray):
    """An image array that decodes its files when it is read.

    It has the length, shape and indexing of a uint8 array of shape
    ``(n, height, width, 3)``: an integer gives one decoded image; a slice, an index
    array or a mask gives another LazyImages without decoding; ``np.asarray`` decodes
    all of it. :class:`ImageLoader` makes it.

    Parameters
    ----------
    paths : list of str
        The files, in order.
    size : (int, int)
        Height and width in pixels.
    resize : {"crop", "pad", "stretch"}, default="crop"
        See :class:`ImageLoader`.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`ImageLoader`.
    n_threads : int, default=1
        Threads that decode at the same time.
    cache_pixels : bool, default=False
        See :class:`ImageLoader`. All that is sliced from these images shares one file.
    max_pixels : int, default=200_000_000
        See :class:`ImageLoader`.

    Attributes
    ----------
    failures : dict of str to str
        The reason for each path that was found unreadable so far; shared with all
        that is sliced from these images.

    See Also
    --------
    ImageLoader : Makes it, and documents what it takes.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        paths,
        *,
        size,
        resize="crop",
        on_error="raise",
        n_threads=1,
        cache_pixels=False,
        max_pixels=MAX_PIXELS,
    ):
        super().__init__(paths)
        self.size = tuple(size)
        self.resize = resize
        self.on_error = on_error
        self.n_threads = n_threads
        self.max_pixels = max_pixels
        self.failures = {}
        self._kept = PixelFile(paths, self.item_shape) if cache_pixels else None

    @property
    def paths(self):
        """The files, in order: an array of str."""
        return self._items

    @property
    def item_shape(self):
        """Shape of one image: ``(height, width, 3)``."""
        return (*self.size, 3)

    @property
    def identity(self):
        """All that decides on the pixels beside the file: a dict of plain values."""
        return {
            "size": list(self.size),
            "resize": self.resize,
            "decoder": DECODER_VERSION,
        }

    def __getstate__(self):
        # What was decoded stays here: another process begins its own file.
        return {**vars(self), "_kept": self._kept is not None}

    def __setstate__(self, state):
        vars(self).update(state)
        self._kept = PixelFile(self.paths, self.item_shape) if self._kept else None

    def iter_batches(self, batch_size):
        """Decode ahead in threads, in order, a bounded number of images at a time.

        Parameters
        ----------
        batch_size : int
            Images a batch; the last may have fewer.

        Yields
        ------
        batch : ndarray of shape (<= batch_size, height, width, 3), dtype uint8
            Decoded images.

        Raises
        ------
        UnreadableImageError
            With ``on_error="raise"``, once all images were tried, so that it names
            every unreadable one; the batches before the first were yielded.
        """
        failures, unreported = {}, {}
        ahead = deque()
        paths = iter(self.paths)
        pool = ThreadPoolExecutor(self.n_threads)
        try:
            for start in range(0, len(self), batch_size):
                n_images = min(batch_size, len(self) - start)
                batch = np.zeros((n_images, *self.item_shape), self.dtype)
                for pixels in batch:
                    room = batch_size + self.n_threads - len(ahead)
                    for path in itertools.islice(paths, room):
                        ahead.append((path, pool.submit(self._decode, path)))
                    path, decoding = ahead.popleft()
                    decoded, reason = decoding.result()
                    if reason is None:
                        pixels[:] = decoded
                        self.failures.pop(path, None)
                    else:
                        failures[path] = reason
                        if path not in self.failures:
                            unreported[path] = reason
                self.failures.update(failures)
                if not failures or self.on_error == "blank":
                    yield batch
        finally:
            pool.shutdown(cancel_futures=True)
            # Also if the caller leaves early: no later iteration names these images.
            if unreported and self.on_error == "blank":
                warnings.warn(
                    f"{len(unreported)} of {len(self)} images can't be read; a black "
                    f"image stands in the place of each:\n{_listed(unreported)}",
                    stacklevel=2,
                )
        if failures and self.on_error == "raise":
            raise UnreadableImageError(failures, len(self))

    def _decode(self, path):
        # The reason is returned, not raised: the caller collects them all.
        pixels = None if self._kept is None else self._kept.read(path)
        if pixels is not None:
            return pixels, None
        try:
            pixels = decode_image(path, self.size, self.resize, self.max_pixels)
        except UNREADABLE as error:
            return None, explain(error)
        if self._kept is not None:
            self._kept.write(path, pixels)
        return pixels, None

    def _read(self):
        images = np.empty(self.shape, self.dtype)
        start = 0
        for batch in self.iter_batches(batch_size=32):
            images[start : start + len(batch)] = batch
            start += len(batch)
        return images


def check_images(X):
    """Check that X is an image array, lazy or in memory.

    Parameters
    ----------
    X : LazyImages or array-like of shape (n, height, width, 3)
        uint8, or numbers in 0-255.

    Returns
    -------
    X : LazyImages or ndarray
        X itself where it is lazy, else an array of dtype uint8 or float32.

    Raises
    ------
    ValueError
        If the shape or the range is another.
    """
    if isinstance(X, LazyImages):
        return X
    X = np.asarray(X)
    if X.dtype.kind not in "uif":
        raise ValueError(
            f"images must be numbers in 0-255; got an array of dtype {X.dtype} and "
            f"shape {X.shape}. To pass paths, put ImageLoader() in front."
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
    if np.isnan(low):
        raise ValueError("images must lie in 0-255; got nan")
    if low < 0 or high > 255:
        raise ValueError(f"images must lie in 0-255; got values in {low}-{high}")
    # A nearly black image holds whole numbers, as all that was decoded.
    if X.dtype.kind == "f" and 0 < high <= 1 and (X % 1).any():
        raise ValueError(
            f"images must lie in 0-255; got {low:.3g}-{high:.3g}, which looks like "
            "0-1. Multiply them by 255."
        )
    return X.astype(np.float32, copy=False)


def _listed(failures):
    return "\n".join(f"  {path!r}: {reason}" for path, reason in failures.items())


def check_size(name, size):
    """Return a parameter's size as height and width.

    Parameters
    ----------
    name : str
        The parameter.
    size : int or (int, int)
        What the user gave.

    Returns
    -------
    size : (int, int)
        Height and width in pixels.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    pair = (size, size) if isinstance(size, numbers.Integral) else size
    if (
        not isinstance(pair, (tuple, list))
        or len(pair) != 2
        or not all(isinstance(side, numbers.Integral) and side >= 1 for side in pair)
    ):
        raise ValueError(
            f"{name} must be a positive int or (height, width) in pixels; got {size!r}"
        )
    return tuple(int(side) for side in pair)
