"""What goes wrong when a network of keras.applications is built or loaded."""

import keras
import numpy as np
import pytest

from skart.networks import load_backbone


def TinyNet(include_top=False, weights=None, input_shape=None):
    """A network in the manner of keras.applications."""
    if weights == "imagenet":
        raise Exception("URL fetch failure on https://host/tiny.h5: None -- no route")
    if input_shape == (1, 1, 3):
        raise ValueError("Input size must be at least 2x2")
    inputs = keras.Input(input_shape or (None, None, 3))
    return keras.Model(inputs, keras.layers.Conv2D(2, 3, padding="same")(inputs))


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(keras.applications, "TinyNet", TinyNet, raising=False)


def test_weights_that_cannot_be_downloaded(tiny):
    with pytest.raises(OSError, match="TinyNet can't be downloaded from https://host"):
        load_backbone("TinyNet", input_shape=(8, 8, 3))


def test_images_that_are_too_small(tiny):
    with pytest.raises(
        ValueError, match=r"can't be built for images of .*at least 2x2"
    ):
        load_backbone("TinyNet", input_shape=(1, 1, 3), weights=None)


def BrokenNet(include_top=False, weights=None, input_shape=None):
    raise {8: AttributeError, 9: TypeError}[input_shape[0]]("a bug")


@pytest.mark.parametrize("weights", [None, "imagenet", "tiny.weights.h5"])
@pytest.mark.parametrize(("size", "error"), [(8, AttributeError), (9, TypeError)])
def test_errors_in_a_network_are_not_wrapped(monkeypatch, weights, size, error):
    monkeypatch.setattr(keras.applications, "BrokenNet", BrokenNet, raising=False)
    with pytest.raises(error, match="a bug"):
        load_backbone("BrokenNet", input_shape=(size, size, 3), weights=weights)


def test_weights_files_of_other_networks_raise(tiny, tmp_path):
    whole = tmp_path / "whole.weights.h5"
    TinyNet(input_shape=(8, 8, 3)).save_weights(whole)
    load_backbone("TinyNet", input_shape=(8, 8, 3), weights=whole)
    file = tmp_path / "tiny.weights.h5"
    content = whole.read_bytes()
    for end in range(0, len(content) - 1, len(content) // 9):
        file.write_bytes(content[:end])
        with pytest.raises(ValueError, match="don't fit TinyNet without its top"):
            load_backbone("TinyNet", input_shape=(8, 8, 3), weights=file)
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    other.save_weights(file)
    with pytest.raises(ValueError, match="don't fit TinyNet without its top"):
        load_backbone("TinyNet", input_shape=(8, 8, 3), weights=file)
    named = tmp_path / "tiny"
    named.write_bytes(content)
    with pytest.raises(ValueError, match="must be named"):
        load_backbone("TinyNet", input_shape=(8, 8, 3), weights=named)


def test_weights_are_loaded_from_a_file(tiny, tmp_path):
    network = TinyNet(input_shape=(8, 8, 3))
    network.save_weights(tmp_path / "tiny.weights.h5")
    loaded = load_backbone(
        "TinyNet", input_shape=(8, 8, 3), weights=tmp_path / "tiny.weights.h5"
    )
    for mine, theirs in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine[..., :2], theirs[..., :2])
