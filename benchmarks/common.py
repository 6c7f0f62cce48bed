"""Shared by the scripts: description of the machine, alternating timings."""

import datetime
import os
import platform
import time
from importlib.metadata import version

import numpy as np

PACKAGES = ("numpy", "pillow", "scikit-learn", "keras", "tensorflow")


def describe_machine(*packages):
    """Return date, machine and versions as a line."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages or PACKAGES)
    return (
        f"{datetime.date.today()}; {platform.system()} {platform.machine()} with "
        f"{os.cpu_count()} cores; Python {platform.python_version()}, {versions}."
    )


def time_in_turn(functions, rounds):
    """Time each function once per round, so that all run under the same conditions.

    An additional first run of each is not counted.

    Parameters
    ----------
    functions : dict of str to callable
        Functions without parameters.
    rounds : int
        Number of rounds.

    Returns
    -------
    seconds : dict of str to ndarray of shape (rounds,)
        Seconds of each function.
    results : dict of str to object
        Results of the first runs.
    """
    results = {name: function() for name, function in functions.items()}
    seconds = {name: np.empty(rounds) for name in functions}
    for i in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name][i] = time.perf_counter() - start
    return seconds, results


def spread(values, form=".2f"):
    """Return the median and, in brackets, minimum and maximum."""
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{middle:{form}} ({low:{form}}-{high:{form}})"
