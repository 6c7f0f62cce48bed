"""Loading models from files, whatever their source."""

import inspect
import os
import warnings

import skops.io
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

import skart
from skart._utils._versions import compare_versions
from skart.features import FeatureExtractor
from skart.images import ImageLoader
from skart.networks._weights import find_preset, identify_weights, is_address
from skart.persistence._file import (
    INFO,
    ModelFileError,
    damage_error,
    open_model_file,
    reading,
)
from skart.persistence._parts import (
    clear_local_parameters,
    copy_model,
    has_frozen_backbone,
    join,
    replace_augmentation,
)
from skart.persistence._trust import (
    TRUSTED,
    find_damage,
    find_import_error,
    find_unsafe_parameter,
    is_ours,
    list_trusted,
)


def load_model(file, *, trusted=None, weights=None, cache=None):
    """Load a model saved by :func:`save_model`, even from an untrusted source.

    No code in the file is run, and nothing is written to disk, except for weights that
    Keras or keras-hub may download for ``weights="imagenet"`` and for presets. The file
    may contain scikit-learn and skart estimators, and networks of known layers; any
    other content raises an error that names it, unless it is in `trusted`. Predictions
    and memory use still depend on the author of the file.

    Parameters
    ----------
    file : str or path
        Path of the saved model.
    trusted : list of str, class or function, default=None
        Classes and functions of other packages that may be imported and run: estimators
        and functions in the model, and layers of its network. Names are complete, such
        as ``"my_module.Contrast"``; those that are not in the file are ignored. The
        file contains no code, so its module must be importable, and must be trusted
        with whatever arguments and attributes the file contains.
    weights : str, path or list of str or path, default=None
        New paths of weights files that have been moved since the model was saved.
    cache : str, path or FeatureStore, default=None
        ``cache`` of all feature extractors, hand-crafted features and fine-tuned
        classifiers in the loaded model.

    Returns
    -------
    model : estimator
        The fitted model.

    Raises
    ------
    ModelFileError
        If the file is damaged, has a newer format, or contains a part that is neither
        known to be safe nor in `trusted`, if such a part can't be imported, or if the
        weights of a backbone are missing or do not match.
    TypeError, ValueError
        If `trusted` is not a list of names, classes and functions.
    OSError
        If the file does not exist or can't be read.

    Warns
    -----
    UserWarning
        If the model was saved with another version of skart, Keras, scikit-learn or
        TensorFlow. Differences in patch releases are ignored.

    See Also
    --------
    model_info : Read the description of a model without loading it.
    """
    # Imported here, since these import Keras.
    from skart.classifiers._base import BaseKerasClassifier
    from skart.networks._serialization import rebuild

    trusted = list_trusted(trusted)
    if isinstance(weights, (str, os.PathLike)):
        weights = [weights]
    weights = [os.path.expanduser(path) for path in weights or ()]
    for path in weights:
        if not os.path.isfile(path):
            raise FileNotFoundError(f"weights={path!r} is not a file")
    with open_model_file(file) as (raw, archive, info):
        with reading(raw.name):
            changed = archive.testzip()
        if changed is not None:
            raise damage_error(file, f"{changed} in it has changed since it was saved")
        compare_versions(file, info["versions"])
        recorded = {entry["step"]: entry for entry in info["backbones"]}
        used = set()

        def restore(step, estimator):
            if is_ours(estimator):
                _add_new_parameters(estimator)
            clear_local_parameters(estimator)
            _check_loaded(file, step, estimator)
            if isinstance(estimator, BaseKerasClassifier):
                own = vars(estimator).pop("_own_parts", ())
                with reading(file):
                    replace_augmentation(estimator, lambda x: rebuild(*x, own))
            if isinstance(
                estimator,
                (FeatureExtractor, skart.HandcraftedFeatures, skart.FineTuneClassifier),
            ):
                estimator.cache = cache
            if has_frozen_backbone(estimator):
                if step not in recorded:
                    raise damage_error(file, f"{INFO} lacks the weights of {step}")
                _find_weights(file, estimator, recorded[step], weights)
                used.add(estimator.weights)

        model = copy_model(_load(raw, trusted), restore)
        if not used.issuperset(weights):
            raise ModelFileError(
                f"weights={sorted({*weights} - used)} are not of a backbone in "
                f"{str(file)!r}: {[entry['weights'] for entry in info['backbones']]}"
            )
        return model


def load_pipeline(file, *, weights=None, on_error="blank", cache=None):
    """Return the fitted pipeline of a model file; its first step is an ImageLoader."""
    pipe = load_model(file, weights=weights, cache=cache)
    if not isinstance(pipe, Pipeline) or not isinstance(pipe[0], ImageLoader):
        raise ValueError(
            f"{str(file)!r} takes no images: it holds a {type(pipe).__name__}, not a "
            "pipeline that begins with an ImageLoader. Pass a model of skart train."
        )
    if not hasattr(pipe, "predict_proba"):
        raise ValueError(
            f"{str(file)!r} predicts no probabilities: its last step is a "
            f"{type(pipe[-1]).__name__}. Pass a model of skart train, or wrap the last "
            "step in sklearn.calibration.CalibratedClassifierCV and fit it again."
        )
    return pipe.set_params(**{f"{pipe.steps[0][0]}__on_error": on_error})


def _load(raw, trusted):
    """Return the estimator in a model file, if all its types are trusted."""
    with reading(raw.name), warnings.catch_warnings():
        # compare_versions has warned already.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        try:
            model = skops.io.load(raw, trusted=TRUSTED)
        except skops.io.exceptions.UntrustedTypesFoundException:
            model = None
        if model is None:
            needed = {*skops.io.get_untrusted_types(file=raw)}.difference(TRUSTED)
            _check_trust(raw.name, sorted(needed), trusted)
            model = skops.io.load(raw, trusted=[*TRUSTED, *needed])
    if not isinstance(model, BaseEstimator):
        raise damage_error(raw.name, f"a {type(model).__name__} is not an estimator")
    return model


def _check_trust(file, needed, trusted):
    """Raise ModelFileError unless all names are trusted and can be imported."""
    unknown = [name for name in needed if name not in trusted]
    if unknown:
        raise ModelFileError(
            f"{str(file)!r} was not loaded: it holds {', '.join(unknown)}, not known "
            "to be safe. If you trust their code and the author of the file, call "
            f"load_model({str(file)!r}, trusted={needed})"
        )
    for name in needed:
        reason = find_import_error(name)
        if reason is not None:
            raise ModelFileError(
                f"{str(file)!r} was not loaded: it needs {name}, which can't be "
                f"imported: {reason}. Install its package, or add its folder to "
                "PYTHONPATH."
            )


def _add_new_parameters(estimator):
    """Set parameters that did not exist when a model was saved to their defaults."""
    for name, parameter in inspect.signature(type(estimator)).parameters.items():
        if parameter.default is not parameter.empty and name not in vars(estimator):
            setattr(estimator, name, parameter.default)


def _check_loaded(file, step, estimator):
    """Raise ModelFileError if an estimator in a file is invalid or unsafe."""
    part, problem = step or "the model", find_damage(estimator)
    if problem is None:
        name = find_unsafe_parameter(estimator)
        trunk = getattr(estimator, "trunk_", None) or {}
        backbones = getattr(estimator, "backbone", None), trunk.get("backbone")
        if name is not None:
            part, problem = join(step, name), "is not known to be safe"
        elif any(map(is_address, backbones)):
            part = join(step, "backbone")
            problem = "is an address, whose files may come from anyone"
    if problem is not None:
        raise ModelFileError(f"{str(file)!r} was not loaded: {part} in it {problem}")


def _find_weights(file, estimator, recorded, candidates):
    """Set the `weights` of an estimator to those with the recorded identity."""
    seed, backbone = 0, ""
    if isinstance(estimator, FeatureExtractor):
        seed, backbone = estimator.random_state, estimator.backbone
    found = []
    for weights in (*candidates, estimator.weights):
        identity = "not a file"
        if weights in (None, "imagenet") or os.path.isfile(os.path.expanduser(weights)):
            try:
                identity = identify_weights(weights, seed, backbone)
            except OSError as error:
                identity = error.strerror or error
        if identity == recorded["weights"]:
            estimator.weights = weights
            return
        found.append(f"{weights!r} is {identity}")
    advice = "Name their file: load_model(..., weights='file.weights.h5')."
    if find_preset(backbone) is not None:
        advice = "Restore the folder of the network."
    raise ModelFileError(
        f"{str(file)!r} was saved with weights of {recorded['backbone']} that are "
        f"{recorded['weights']!r}, from {recorded['file']!r}. Here {', '.join(found)}. "
        f"{advice}"
    )
