"""Saving fitted models."""

import io
import json
import os
import warnings
import zipfile

import skops.io
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skart._utils._files import atomic_write, expand
from skart.features import FeatureExtractor
from skart.networks._weights import identify_weights, is_address
from skart.persistence._file import FORMAT, INFO, new_info
from skart.persistence._parts import (
    clear_local_parameters,
    copy_model,
    flatten,
    has_frozen_backbone,
    join,
    replace_augmentation,
)
from skart.persistence._trust import (
    find_import_error,
    find_refused,
    find_unsafe_parameter,
    is_refused,
    public_module,
    untrusted_types,
)


def save_model(model, file, *, notes=None):
    """Save a fitted model as one file that is safe to open.

    The file contains all parameters and learned attributes, but no code and no pickle.
    Of a frozen backbone's weights, only the identity is saved: they must be available
    where the file is loaded. What names folders of this machine or fills its disk is
    not saved: ``cache``, ``keep`` and ``memory`` become None, and ``cache_pixels``
    False. The ``artists`` of :class:`~skart.model_selection.ArtistKFold` become None.

    Estimators, functions and layers of your own are saved by their names, and so is the
    function of an :class:`~skart.Encoder`: they must be in a module that can be
    imported. :func:`load_model` loads them if those names are passed as ``trusted``,
    and a warning lists them.

    Parameters
    ----------
    model : estimator
        A fitted pipeline or classifier. It is not changed.
    file : str or path
        The file to write, with the suffix ``.skart`` by convention. An existing file is
        replaced once the new one is complete.
    notes : dict, default=None
        Additional information for :func:`model_info`. Must be serializable as JSON.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If `model` is not an estimator, or a part of it can't be saved safely, such as a
        Keras callback or optimizer, a lambda, a class or function that is defined in
        ``__main__``, or a layer of your own that is not registered with Keras.
    OSError
        If the folder does not exist or is not writable, or a backbone's weights are
        missing.

    Warns
    -----
    UserWarning
        If the model has parts of your own, which :func:`load_model` must be told to
        trust.

    See Also
    --------
    load_model : Load the model.
    export_model : Write a pipeline as a file for OpenVINO or ONNX Runtime.

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
    file = check_target(file)
    if not isinstance(model, BaseEstimator):
        raise TypeError(f"model must be a fitted pipeline or classifier; got {model!r}")
    check_is_fitted(model)
    _check_not_wrapper(model)  # before its copy, which would include all results
    backbones = []

    def prepare(step, estimator):
        clear_local_parameters(estimator)
        _check_savable(step, estimator)
        if has_frozen_backbone(estimator):
            backbones.append({"step": step, **_identify_backbone(estimator)})

    model = copy_model(model, prepare)
    dumped, untrusted = _dump(copy_model(model, _describe_layers))
    info = _describe_model(model, backbones, untrusted, notes)
    with atomic_write(file) as part, open(part, "xb") as raw:
        with zipfile.ZipFile(dumped) as source, zipfile.ZipFile(raw, "w") as target:
            for member in source.namelist():
                content = source.read(member)
                if member == "schema.json":
                    content = _rename_modules(content)
                target.writestr(member, content)
            target.writestr(INFO, info)
        raw.flush()
        os.fsync(raw.fileno())
    if untrusted:
        warnings.warn(
            f"{str(file)!r} holds parts that skart does not know to be safe: to load "
            f"it, pass trusted={untrusted} to load_model",
            stacklevel=2,
        )


def check_target(file):
    """Return the path of a file to write, whose folder must exist."""
    file = expand(file)
    if not file.parent.is_dir():
        raise FileNotFoundError(
            f"{str(file)!r} can't be written: the folder {str(file.parent)!r} does not "
            "exist. Create it first."
        )
    if file.is_dir():
        raise IsADirectoryError(f"{str(file)!r} is a folder. Name a file in it.")
    return file


def _describe_model(model, backbones, untrusted, notes):
    """Return the content of `skart.json`."""
    if not isinstance(notes, (dict, type(None))):
        raise TypeError(f"notes must be a dict or None; got {notes!r}")
    try:
        json.dumps(notes)
    except (TypeError, ValueError) as error:
        raise TypeError(f"notes must be serializable as JSON: {error}") from error
    classes = getattr(model, "classes_", None)
    parameters = {
        name: repr(value)
        for name, value in model.get_params().items()
        if not any(isinstance(part, BaseEstimator) for part in flatten(value))
    }
    info = {
        **new_info(FORMAT),
        "model": type(model).__name__,
        "classes": None if classes is None else classes.tolist(),
        "backbones": backbones,
        "parameters": parameters,
        "untrusted": untrusted,
        "notes": notes,
    }
    return json.dumps(info, indent=2, default=str)


def _check_not_wrapper(estimator):
    """Raise TypeError for what wraps the model that is to be saved."""
    if hasattr(estimator, "cv_results_"):
        raise TypeError(
            f"{type(estimator).__name__} holds a whole search: save its "
            "best_estimator_, which it has with refit=True"
        )
    if type(estimator).__name__ == "CachedClassifier":  # an import would load Keras
        raise TypeError("CachedClassifier holds a folder of fits: save its estimator_")


def _check_savable(step, estimator):
    """Raise TypeError if an estimator can't be saved so that it is safe to open."""
    _check_not_wrapper(estimator)
    for name, value in estimator.get_params(deep=False).items():
        for part in flatten(value):
            # skops would save the name of one at the top level, which may be another.
            if "<locals>" in getattr(part, "__qualname__", ""):
                raise TypeError(
                    f"{join(step, name)}={part!r} can't be saved, since it is defined "
                    "within a function. Move it to the top level of a module, import "
                    "it from there and make the model anew. Or pickle the model."
                )
    name = find_unsafe_parameter(estimator)
    if name is not None:
        raise TypeError(
            f"{join(step, name)}={getattr(estimator, name)!r} can't be saved so that "
            "it is safe to open. A parameter of training can be removed once the model "
            f"is fitted: set_params({join(step, name)}=None), or a name where one is "
            "allowed. Or pickle the model."
        )


def _describe_layers(step, estimator):
    """Note the own layers of a classifier, and describe the one in `augment`."""
    # Imported here, since these import Keras.
    from skart.classifiers._base import BaseKerasClassifier
    from skart.networks import _serialization as serialization

    if not isinstance(estimator, BaseKerasClassifier):
        return
    own_parts = []

    def check(name, network):
        try:
            description = serialization.describe(network)
            own = serialization.find_own(description)
            if own:  # Keras may fail to restore their weights
                serialization.rebuild(description, network.get_weights(), own)
            else:
                serialization.check_description(description)
        except (NotImplementedError, TypeError, ValueError) as error:
            raise TypeError(
                f"{join(step, name)} can't be saved so that it is safe to open: "
                f"{error}. Write it as a layer of your own, choose another one, or "
                "pickle the model."
            ) from error
        own_parts.extend(one for one in own if one not in own_parts)
        return description, network.get_weights()

    if hasattr(estimator, "model_"):
        check("model_", estimator.model_)
    replace_augmentation(estimator, lambda layer: check("augment", layer))
    if own_parts:
        # Classes and functions, which skops saves by their names.
        estimator._own_parts = own_parts


def _identify_backbone(estimator):
    """Return the name of a backbone, and the identity and file of its weights."""
    weights = estimator.weights
    if isinstance(estimator, FeatureExtractor):
        estimator._validate_params()
        backbone = estimator.backbone
        if is_address(backbone):
            raise ValueError(
                f"backbone={backbone!r} is an address, which load_model would reject: "
                "its files may come from anyone. Name a preset of keras-hub or a "
                "folder."
            )
        identity = identify_weights(weights, estimator.random_state, backbone)
    else:
        backbone, identity = estimator.trunk_["backbone"], estimator.trunk_["weights"]
    file = None if weights in (None, "imagenet") else weights
    return {"backbone": backbone, "weights": identity, "file": file}


def _dump(model):
    """Return a model as an open file of skops, and the names that need trust in it."""
    dumped, cause = io.BytesIO(), None
    try:
        skops.io.dump(model, dumped)
        untrusted = untrusted_types(dumped)
        refused = [name for name in untrusted if is_refused(name)]
    except Exception as error:  # skops raises many kinds for what it can't write
        untrusted, refused, cause = [], [str(error)], error
    for name in untrusted:
        reason = find_import_error(name)
        if reason is not None:
            raise TypeError(
                f"{name} can't be saved, since load_model could not import it: "
                f"{reason}. Move it to the top level of a module, import it from there "
                "and make the model anew."
            )
    if not refused:
        return dumped, untrusted

    def check(step, estimator):
        for name, value in estimator.__getstate__().items():
            names = find_refused(value)
            if names:
                raise TypeError(
                    f"{type(estimator).__name__} can't be saved so that it is safe to "
                    f"open: {join(step, name)} holds {', '.join(names)}. Use another "
                    "estimator, or pickle the model."
                )

    copy_model(model, check)
    raise TypeError(
        f"{type(model).__name__} can't be saved so that it is safe to open: it holds "
        f"{', '.join(refused)}"
    ) from cause


def _rename_modules(schema):
    """Return a schema of skops with the public names of our classes."""

    def rename(node):
        if "__module__" in node:
            node["__module__"] = public_module(node["__module__"])
        return node

    return json.dumps(json.loads(schema, object_hook=rename), indent=2)
