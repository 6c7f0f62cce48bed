"""Models are saved in files that are safe to open, and loaded."""

import copy
import inspect
import os
import warnings
import zipfile
from pathlib import Path

import skops.io
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

import skart
from skart._utils._files import atomic_write
from skart._utils._versions import compare_versions
from skart.features import FeatureExtractor
from skart.model_selection import ArtistKFold
from skart.networks._presets import find_preset, is_address
from skart.networks._weights import identify_weights
from skart.persistence._file import (
    INFO,
    ModelFileError,
    damaged,
    foreign_reader,
    opened,
)
from skart.persistence._info import describe_model
from skart.persistence._parts import copy_model, join
from skart.persistence._trust import (
    find_damage,
    find_unsafe_parameter,
    find_untrusted,
    trusted_types,
    untrusted_types,
)


def save_model(model, file, *, notes=None):
    """Save a fitted model as one file that is safe to open.

    It holds parameters, trained weights and what else was learned, but no code and no
    pickle. Of a frozen backbone it tells the name and which weights it had; they have
    to be there where it is loaded. Folders and paths of this machine are left out:
    ``cache``, ``memory`` and the ``artists`` of :class:`ArtistKFold` are saved as None.

    Parameters
    ----------
    model : estimator
        A fitted pipeline or classifier, which is not changed.
    file : str or path
        Where to write, by convention with the suffix ``.skart``. What is there is
        replaced once the new file is complete.
    notes : dict, default=None
        What else :func:`model_info` is to tell: values that JSON has.

    Raises
    ------
    NotFittedError
        If the model isn't fitted.
    TypeError
        If it is no estimator, or a part of it can't be saved safely: a function, a
        callback, an optimizer or a layer of yours, a decision tree, an object of an
        unknown type. It names the part.
    OSError
        If the folder isn't there or can't be written to, or the weights of a backbone
        are gone.

    See Also
    --------
    load_model : The way back.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import make_blobs
    >>> from skart import DenseHeadClassifier, load_model, save_model
    >>> from skart.persistence import model_info
    >>> X, y = make_blobs(60, 8, centers=3, random_state=0)
    >>> head = DenseHeadClassifier(units=16, epochs=3, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(head, f"{folder}/head.skart", notes={"data": "blobs"})
    ...     loaded = load_model(f"{folder}/head.skart")
    ...     print(model_info(f"{folder}/head.skart")["notes"])
    {'data': 'blobs'}
    >>> bool((loaded.predict(X) == head.predict(X)).all())
    True
    """
    file = Path(file).expanduser()
    if not file.parent.is_dir():
        raise FileNotFoundError(
            f"{str(file)!r} can't be written: there is no folder {str(file.parent)!r}. "
            "Make it first."
        )
    if file.is_dir():
        raise IsADirectoryError(f"{str(file)!r} is a folder. Name a file in it.")
    if not isinstance(model, BaseEstimator):
        raise TypeError(f"model must be a fitted pipeline or classifier; got {model!r}")
    check_is_fitted(model)
    _refuse_search(model)  # before it is copied: what it tried is no model
    backbones = []

    def prepare(step, estimator):
        _clear_local_parameters(estimator)
        _check_savable(step, estimator)
        if _runs_backbone(estimator):
            backbones.append({"step": step, **_identify_backbone(estimator)})

    model = copy_model(model, prepare)
    info = describe_model(model, backbones, notes)
    with atomic_write(file) as part, open(part, "xb+") as raw:
        _dump(model, raw)
        with zipfile.ZipFile(raw, "a") as archive:
            archive.writestr(INFO, info)
        raw.flush()
        os.fsync(raw.fileno())


def load_model(file, *, weights=None, cache=None):
    """Load a model that :func:`save_model` wrote, whoever it is from.

    No code in the file is run, and nothing that it says makes this process write: it
    may hold estimators of scikit-learn and skart, with networks of known layers, and
    is refused otherwise. Whether its predictions are any good is up to its source, and
    so is how much memory its networks take. A file of weights that it names is read, to
    compare it; a backbone with the weights "imagenet" may be downloaded by Keras, and
    a preset by keras-hub.

    Parameters
    ----------
    file : str or path
        The file.
    weights : str, path or list of them, default=None
        Files of backbone weights that are no longer where they were.
    cache : str, path or FeatureStore, default=None
        Where feature extractors, hand-made features and fine-tuned classifiers keep
        features from now on.

    Returns
    -------
    model : estimator
        Fitted.

    Warns
    -----
    UserWarning
        If it was saved with another version of skart, Keras, scikit-learn or
        TensorFlow. Patch releases are not told.

    Raises
    ------
    ModelFileError
        If it is damaged, or no file by ``save_model``, or one of a newer skart; if it
        holds what isn't known to be safe; if the weights of a backbone are not here,
        or others.
    OSError
        If it isn't there or can't be read.

    See Also
    --------
    model_info : What a file tells of itself.
    """
    if weights is None or isinstance(weights, (str, os.PathLike)):
        weights = [] if weights is None else [weights]
    weights = [os.path.expanduser(one) for one in weights]
    for one in weights:
        if not os.path.isfile(one):
            raise FileNotFoundError(f"weights={one!r} is no file of backbone weights")
    with opened(file) as (raw, archive, info):
        with foreign_reader(raw.name):
            changed = archive.testzip()
        if changed is not None:
            raise damaged(file, f"{changed} in it has changed since it was saved")
        compare_versions(file, info["versions"])
        recorded = {entry["step"]: entry for entry in info["backbones"]}
        used = set()

        def settle(step, estimator):
            _add_later_parameters(estimator)
            _clear_local_parameters(estimator)
            reason = find_damage(estimator)
            if reason is not None:
                raise ModelFileError(
                    f"{str(file)!r} was not loaded: {step or 'the model'} in it "
                    f"{reason}"
                )
            name = find_unsafe_parameter(estimator)
            if name is not None:
                raise ModelFileError(
                    f"{str(file)!r} was not loaded: {join(step, name)} in it is not "
                    "known to be safe"
                )
            if isinstance(
                estimator,
                (FeatureExtractor, skart.FineTuneClassifier, skart.HandcraftedFeatures),
            ):
                estimator.cache = cache
            trunk = getattr(estimator, "trunk_", None) or {}
            names = getattr(estimator, "backbone", None), trunk.get("backbone")
            if any(map(is_address, names)):
                raise ModelFileError(
                    f"{str(file)!r} was not loaded: {join(step, 'backbone')} in it is "
                    "an address, from which anything may come"
                )
            if _runs_backbone(estimator):
                if step not in recorded:
                    raise damaged(file, f"{INFO} in it lacks the weights of {step}")
                _settle_weights(file, estimator, recorded[step], weights)
                used.add(estimator.weights)

        model = copy_model(_load(raw), settle)
        if not used.issuperset(weights):
            raise ModelFileError(
                f"weights={sorted({*weights} - used)} are not of a backbone in "
                f"{str(file)!r}: {[entry['weights'] for entry in info['backbones']]}"
            )
        return model


def model_info(file):
    """Tell what a model file says of itself; nothing else in it is read.

    Parameters
    ----------
    file : str or path
        A file by :func:`save_model`.

    Returns
    -------
    info : dict
        ``format`` and ``format_version``; ``created``, in UTC; ``versions`` of Python
        and packages; ``model``, its class; ``classes``; ``backbones``, with the
        identity of the weights and the file that held them; ``parameters``, as text;
        ``notes``.

    Raises
    ------
    ModelFileError
        If it is no such file.
    OSError
        If it isn't there or can't be read.

    See Also
    --------
    load_model : Opens the model itself.
    """
    with opened(file) as (_, _, info):
        return info


def _add_later_parameters(estimator):
    """Give skart's own estimators the parameters that they had not when saved."""
    if not _is_ours(estimator):
        return
    for name, parameter in inspect.signature(type(estimator)).parameters.items():
        if parameter.default is not parameter.empty and name not in vars(estimator):
            setattr(estimator, name, parameter.default)


def _clear_local_parameters(estimator):
    """Set parameters that hold folders or paths of this machine to None."""
    for name in ("cache", "keep", "memory"):  # nothing is kept without a cache
        if name in vars(estimator):
            setattr(estimator, name, None)
    if isinstance(vars(estimator).get("cv"), ArtistKFold):
        estimator.cv = copy.copy(estimator.cv)
        estimator.cv.artists = None


def _refuse_search(estimator):
    if hasattr(estimator, "cv_results_"):
        raise TypeError(
            f"{type(estimator).__name__} holds a whole search: save its "
            "best_estimator_, which it has with refit=True"
        )


def _check_savable(step, estimator):
    _refuse_search(estimator)
    name = find_unsafe_parameter(estimator)
    if name is not None:
        raise TypeError(
            f"{join(step, name)}={getattr(estimator, name)!r} can't be saved so that "
            "it is safe to open. What only training needs can be left out once the "
            f"model is fitted: set_params({join(step, name)}=None), or a name where "
            "one is allowed. Or pickle the model."
        )
    if _is_ours(estimator) and hasattr(estimator, "model_"):
        from skart.networks._serialization import check_description, describe

        try:
            check_description(describe(estimator.model_))
        except ValueError as error:
            raise TypeError(
                f"{join(step, 'model_')} can't be saved so that it is safe to open: "
                f"{error}. Fit it with augment='light', 'strong' or None, or pickle "
                "the model."
            ) from error


def _is_ours(estimator):
    return type(estimator).__module__.startswith("skart.")


def _runs_backbone(estimator):
    if isinstance(estimator, FeatureExtractor):
        return True
    # Not before it is fitted; and weights that are all trained on are in the file.
    trunk = getattr(estimator, "trunk_", None)
    return trunk is not None and trunk["cut"] != "input"


def _identify_backbone(estimator):
    weights = estimator.weights
    if isinstance(estimator, FeatureExtractor):
        estimator._check_parameters()
        backbone = estimator.backbone
        if is_address(backbone):
            raise ValueError(
                f"backbone={backbone!r} is an address, which load_model would refuse: "
                "it opens files of anyone. Name a preset of keras-hub or a folder."
            )
        identity = identify_weights(weights, estimator.random_state, backbone)
    else:
        backbone, identity = estimator.trunk_["backbone"], estimator.trunk_["weights"]
    file = None if weights in (None, "imagenet") else weights
    return {"backbone": backbone, "weights": identity, "file": file}


def _settle_weights(file, estimator, recorded, files):
    """Find the weights that were recorded, where they are now."""
    seed, backbone = 0, ""
    if isinstance(estimator, FeatureExtractor):
        seed, backbone = estimator.random_state, estimator.backbone
    if find_preset(backbone) is not None:
        cure = "Put back the folder of the network as it was."
    else:
        cure = (
            "Name the file that holds them: load_model(..., weights='file.weights.h5')."
        )
    found = []
    for weights in (*files, estimator.weights):
        identity = "no file"
        if weights in (None, "imagenet") or os.path.isfile(os.path.expanduser(weights)):
            try:
                identity = identify_weights(weights, seed, backbone)
            except OSError as error:
                identity = error.strerror or error
        if identity == recorded["weights"]:
            estimator.weights = weights
            return
        found.append(f"{weights!r} is {identity}")
    raise ModelFileError(
        f"{str(file)!r} was saved with weights of {recorded['backbone']} that are "
        f"{recorded['weights']!r}, from {recorded['file']!r}. Here {', '.join(found)}. "
        f"{cure}"
    )


def _dump(model, raw):
    cause = None
    try:
        skops.io.dump(model, raw)
    except OSError:  # no room left
        raise
    except Exception as error:  # skops raises many kinds for what it can't write
        untrusted, cause = [str(error)], error
    else:
        untrusted = untrusted_types(raw)
    if not untrusted:
        return

    def look(step, estimator):
        for name, value in estimator.__getstate__().items():
            names = find_untrusted(value)
            if names:
                raise TypeError(
                    f"{type(estimator).__name__} can't be saved so that it is safe to "
                    f"open: {join(step, name)} holds {', '.join(names)}. Put another "
                    "estimator in its place, or pickle the model."
                )

    copy_model(model, look)
    raise TypeError(
        f"{type(model).__name__} can't be saved so that it is safe to open: it holds "
        f"{', '.join(untrusted)}"
    ) from cause


def _load(raw):
    trusted = trusted_types()
    with foreign_reader(raw.name), warnings.catch_warnings():
        # compare_versions has warned.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        try:
            model = skops.io.load(raw, trusted=trusted)
        except skops.io.exceptions.UntrustedTypesFoundException:
            raise ModelFileError(
                f"{str(raw.name)!r} was not loaded: it holds "
                f"{', '.join(untrusted_types(raw))}, not known to be safe"
            ) from None
    if not isinstance(model, BaseEstimator):
        raise damaged(raw.name, f"a {type(model).__name__} is no estimator")
    return model
