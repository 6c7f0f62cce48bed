"""Any function from images to features as a backbone."""

import numpy as np
from sklearn.base import BaseEstimator

from skart._utils._validation import Integral, validate_params
from skart.images._loader import check_size


class Encoder(BaseEstimator):
    """A function from images to features, as the backbone of a FeatureExtractor.

    Networks of timm, transformers, open_clip and ONNX files become backbones in this
    way. TensorFlow is not imported, except to pool maps.

    Parameters
    ----------
    function : callable
        Function of a batch, uint8 RGB images of shape ``(n, height, width, 3)`` or the
        result of ``preprocess``. It returns vectors of shape ``(n, d)`` or maps of
        shape ``(n, h, w, c)``: an array, or what ``np.asarray`` converts to one, such
        as a torch tensor on the CPU without gradients.
    name : str
        Name of the encoder. With ``version``, it identifies stored features.
    version : str or int, default="1"
        Version of the encoder. Change it with whatever changes the features: function,
        weights or preprocessing.
    size : int or (int, int), default=224
        Height and width of the images in pixels, for
        :func:`~skart.make_transfer_pipeline` and the crops of a FeatureExtractor. The
        function gets images as they were loaded, whatever their size.
    preprocess : callable, default=None
        Function of a batch of images, applied ahead of ``function``. If None, there is
        none.

    See Also
    --------
    FeatureExtractor : Computes and stores the features.

    Notes
    -----
    The name and version are all that the store knows: two functions with the same ones
    share stored features.

    Clones share the function, so that a network is in memory once. For worker
    processes, it must be picklable: a class that loads its network on first use is,
    if ``__getstate__`` leaves the network out. :func:`~skart.save_model` saves a
    function by its name, and an object by its class and attributes.

    Examples
    --------
    >>> import numpy as np
    >>> from skart import Encoder, FeatureExtractor
    >>> def mean_colour(images):
    ...     return images.mean(axis=(1, 2))
    >>> encoder = Encoder(mean_colour, name="mean-colour")
    >>> images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    >>> FeatureExtractor(encoder).fit_transform(images).shape
    (2, 3)
    """

    _parameter_constraints = {
        "function": [callable],
        "name": [str],
        "version": [str, Integral],
        "preprocess": [callable, None],
    }

    def __init__(self, function, *, name, version="1", size=224, preprocess=None):
        self.function = function
        self.name = name
        self.version = version
        self.size = size
        self.preprocess = preprocess

    def __call__(self, images):
        """Compute features of a batch of images.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, 3)
            RGB in 0-255. The function gets a copy of type uint8.

        Returns
        -------
        features : ndarray of shape (n, d) or (n, h, w, c), dtype float32
            Vectors or maps.

        Raises
        ------
        TypeError
            If a parameter has a wrong type, or the function does not return an array of
            numbers.
        ValueError
            If a parameter is invalid, or the function returns an array of another
            shape, or values that are not finite.
        """
        self._validate_params()
        if images.dtype != np.uint8:
            images = np.rint(images)
        # A copy, which may be written to: torch warns of other arrays, and rejects the
        # negative strides of mirror images.
        batch = np.array(images, np.uint8, order="C")
        if self.preprocess is not None:
            batch = self.preprocess(batch)
        return self._check_result(self.function(batch), len(images))

    def _validate_params(self):
        validate_params(self)
        if not self.name.strip() or not str(self.version).strip():
            raise ValueError(
                "name and version of an Encoder must not be empty, since they identify "
                f"its features; got {self.name!r} and {self.version!r}"
            )
        check_size("size", self.size)

    def _check_result(self, result, n_images):
        """Return the result of the function as float32, if it is valid."""
        try:
            features, reason = np.asarray(result), ""
        except (RuntimeError, TypeError, ValueError) as error:  # of torch, of NumPy
            features, reason = None, f" ({error})"
        if features is not None and features.dtype.kind not in "fiu":
            reason = f" of dtype {features.dtype}"
        if features is None or reason:
            raise TypeError(
                f"encoder {self.name!r} must return an array of numbers; got a "
                f"{type(result).__name__}{reason}. If it is a tensor of torch, compute "
                "under torch.inference_mode() and return tensor.float().cpu()."
            )
        if features.ndim not in (2, 4) or 0 in features.shape:
            raise ValueError(
                f"encoder {self.name!r} must return vectors of shape (n, d) or maps of "
                f"shape (n, height, width, channels); got shape {features.shape}"
            )
        if len(features) != n_images:
            raise ValueError(
                f"encoder {self.name!r} must return one row for each image; got "
                f"{len(features)} rows for {n_images} images"
            )
        with np.errstate(over="ignore"):
            features = features.astype(np.float32)
        is_finite = np.isfinite(features).reshape(n_images, -1).all(axis=1)
        if not is_finite.all():
            raise ValueError(
                f"encoder {self.name!r} returned values that are not finite in "
                f"float32, for {np.sum(~is_finite)} of {n_images} images. Check its "
                "preprocessing and precision."
            )
        return features

    def __sklearn_clone__(self):
        """Return an encoder with the same parameters, which shares the function."""
        return type(self)(**self.get_params(deep=False))
