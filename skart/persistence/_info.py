"""What a model file tells of itself."""

import datetime
import json

from sklearn.base import BaseEstimator

from skart._utils._versions import list_versions
from skart.persistence._file import FORMAT
from skart.persistence._parts import flatten


def describe_model(model, backbones, notes):
    """Write what a model file tells of itself.

    Parameters
    ----------
    model : estimator
        Fitted.
    backbones : list of dict
        What frozen networks it runs, with which weights.
    notes : dict or None
        The user's.

    Returns
    -------
    info : str
        JSON.

    Raises
    ------
    TypeError
        If JSON has no such notes.
    """
    if not isinstance(notes, (dict, type(None))):
        raise TypeError(f"notes must be a dict or None; got {notes!r}")
    try:
        json.dumps(notes)
    except (TypeError, ValueError) as error:
        raise TypeError(f"notes must hold values that JSON has: {error}") from error
    classes = getattr(model, "classes_", None)
    info = {
        **FORMAT,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": list_versions(),
        "model": type(model).__name__,
        "classes": None if classes is None else classes.tolist(),
        "backbones": backbones,
        "parameters": {
            name: repr(value)
            for name, value in model.get_params().items()
            if not any(isinstance(part, BaseEstimator) for part in flatten(value))
        },
        "notes": notes,
    }
    return json.dumps(info, indent=2, default=str)
