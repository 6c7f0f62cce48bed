"""Saving fitted models."""

import io
import json
import os
import zipfile
from pathlib import Path

import skops.io
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skart._utils._files import atomic_write
from skart.features import FeatureExtractor
from skart.networks._weights import identify_weights, is_address
from skart.persistence._file import FORMAT, INFO, new_info
from skart.persistence._parts import (
    clear_local_parameters,
    copy_model,
    flatten,
    has_frozen_backbone,
    join,
)
from skart.persistence._trust import (
    find_unsafe_parameter,
    find_untrusted,
    is_ours,
    public_module,
    untrusted_types,
)


def save_model(model, file, *, notes=None):
    """Save a fitted model as one file that is safe to open.

    The file contains all parameters and learned attributes, but no code and no pickle.
    Of a frozen backbone's weights, only the identity is saved: they must be available
    where the file is loaded. ``cache``, ``memory`` and the ``artists`` of
    :class:`~skart.model_selection.ArtistKFold` are saved as None.

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
        function, a callback, an optimizer, a layer of your own or a decision tree.
    OSError
        If the folder does not exist or is not writable, or a backbone's weights are
        missing.

    See Also
    --------
    load_model : Load the model.
    export_model : Write a pipeline as a file for LiteRT or ONNX Runtime.

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
    _check_not_search(model)  # before its copy, which would include all results
    backbones = []

    def prepare(step, estimator):
        clear_local_parameters(estimator)
        _check_savable(step, estimator)
        if has_frozen_backbone(estimator):
            backbones.append({"step": step, **_identify_backbone(estimator)})

    model = copy_model(model, prepare)
    info = _describe_model(model, backbones, notes)
    dumped = _dump(model)
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


def check_target(file):
    """Return the path of a file to write, whose folder must exist."""
    file = Path(file).expanduser()
    if not file.parent.is_dir():
        raise FileNotFoundError(
            f"{str(file)!r} can't be written: the folder {str(file.parent)!r} does not "
            "exist. Create it first."
        )
    if file.is_dir():
        raise IsADirectoryError(f"{str(file)!r} is a folder. Name a file in it.")
    return file


def _describe_model(model, backbones, notes):
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
        "notes": notes,
    }
    return json.dumps(info, indent=2, default=str)


def _check_not_search(estimator):
    if hasattr(estimator, "cv_results_"):
        raise TypeError(
            f"{type(estimator).__name__} holds a whole search: save its "
            "best_estimator_, which it has with refit=True"
        )


def _check_savable(step, estimator):
    """Raise TypeError if an estimator can't be saved so that it is safe to open."""
    _check_not_search(estimator)
    name = find_unsafe_parameter(estimator)
    if name is not None:
        raise TypeError(
            f"{join(step, name)}={getattr(estimator, name)!r} can't be saved so that "
            "it is safe to open. A parameter of training can be removed once the model "
            f"is fitted: set_params({join(step, name)}=None), or a name where one is "
            "allowed. Or pickle the model."
        )
    if is_ours(estimator) and hasattr(estimator, "model_"):
        from skart.networks._serialization import check_description, describe

        try:
            check_description(describe(estimator.model_))
        except ValueError as error:
            raise TypeError(
                f"{join(step, 'model_')} can't be saved so that it is safe to open: "
                f"{error}. Fit it with augment='light', 'strong' or None, or pickle "
                "the model."
            ) from error


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
    """Return a model as an open file of skops; raise TypeError if it is not safe."""
    dumped, cause = io.BytesIO(), None
    try:
        skops.io.dump(model, dumped)
        untrusted = untrusted_types(dumped)
    except Exception as error:  # skops raises many kinds for what it can't write
        untrusted, cause = [str(error)], error
    if not untrusted:
        return dumped

    def check(step, estimator):
        for name, value in estimator.__getstate__().items():
            names = find_untrusted(value)
            if names:
                raise TypeError(
                    f"{type(estimator).__name__} can't be saved so that it is safe to "
                    f"open: {join(step, name)} holds {', '.join(names)}. Use another "
                    "estimator, or pickle the model."
                )

    copy_model(model, check)
    raise TypeError(
        f"{type(model).__name__} can't be saved so that it is safe to open: it holds "
        f"{', '.join(untrusted)}"
    ) from cause


def _rename_modules(schema):
    """Return a schema of skops with the public names of our classes."""

    def rename(node):
        if "__module__" in node:
            node["__module__"] = public_module(node["__module__"])
        return node

    return json.dumps(json.loads(schema, object_hook=rename), indent=2)
