"""Optimizers and callbacks from routed parameters, as scikeras makes them.

``import scikeras`` replaces methods of ``keras.Model``, losses, metrics and optimizers
for the whole process. Its module of utilities does not, so only that is executed here.
The utilities are private, but they won't change: version 0.13 is the last of scikeras.
"""

import importlib.util
from pathlib import Path


def _load_utilities():
    """Execute ``scikeras._utils`` without the package around it."""
    package = importlib.util.find_spec("scikeras")
    spec = importlib.util.spec_from_file_location(
        "skart.classifiers._scikeras_utils", Path(package.origin).parent / "_utils.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_utilities = _load_utilities()


def routed(params, destination):
    """Return the parameters with a prefix, such as ``optimizer__``, without it."""
    return _utilities.route_params(params, destination, pass_filter=())


def make_optimizer(optimizer, params):
    """Make an optimizer from its name or class and its parameters."""
    optimizer = _utilities.try_to_convert_strings_to_classes(
        optimizer, _utilities.get_optimizer_class
    )
    return _utilities.unflatten_params(items=optimizer, params=params)


def make_callbacks(callbacks, params):
    """Make callbacks from their classes and parameters; instances stay."""
    return _utilities.unflatten_params(items=callbacks, params=params)
