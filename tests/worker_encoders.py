"""Encoders that workers import."""

import os
import time

import numpy as np


def mean_colour(images):
    return images.mean(axis=(1, 2))


def mean_colour_slowly(images):
    """Count the images in a file of this process, and take 10 ms for each."""
    time.sleep(0.01 * len(images))
    with open(f"{os.environ['COUNTS']}/{os.getpid()}", "a") as file:
        file.write("." * len(images))
    return mean_colour(images)


def die_on_red(images):
    """End the process at a red image."""
    if (mean_colour(images) == [255, 0, 0]).all(axis=1).any():
        os._exit(1)
    return mean_colour(images)


def fail_on_red(images):
    if (mean_colour(images) == [255, 0, 0]).all(axis=1).any():
        raise ValueError("an image is red")
    return mean_colour(images)


def fail(images):
    raise ValueError("images are not in the store")


def identity(images):
    return images


def one_channel(images):
    return images[..., :1]


class Network:
    """A function that carries its weights."""

    def __init__(self):
        self.weights = np.ones(10**6)

    def __call__(self, images):
        return mean_colour(images)
