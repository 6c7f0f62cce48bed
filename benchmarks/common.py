"""What the scripts share: the machine in a line, and timing in turn."""

import datetime
import os
import platform
import time
from importlib.metadata import version

import numpy as np

PACKAGES = ("numpy", "pillow", "scikit-learn", "keras", "tensorflow")


def describe_machine(*packages):
    """Say when, on what and with which versions it is measured: a line."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages or PACKAGES)
    return (
        f"{datetime.date.today()}; {platform.system()} {platform.machine()} with "
        f"{os.cpu_count()} cores; Python {platform.python_version()}, {versions}."
    )


def time_in_turn(functions, rounds):
    """Time each function once a round, so that all meet the same of the machine.

    Each runs once before, which doesn't count.

    Parameters
    ----------
    functions : dict of str to callable
        By name; each returns something, or nothing.
    rounds : int
        How often each is timed.

    Returns
    -------
    seconds : dict of str to ndarray of shape (rounds,)
        By name.
    results : dict of str to object
        What the first, uncounted runs returned.
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
    """Write the median and, in brackets, the lowest and the highest."""
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{middle:{form}} ({low:{form}}-{high:{form}})"
